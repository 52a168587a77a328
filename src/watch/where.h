/*
 * where: the network namespace to watch, by the names people have for one.
 *
 * CONTEXT a process of one thread: it moves there for good.
 */
#ifndef WEIR_WATCH_WHERE_H
#define WEIR_WATCH_WHERE_H

#include "base/err.h"

struct where {
	char name[128]; /* as the user gave it; "" : where we already are */
	uint64_t inode; /* of the namespace: alike for all who are in it */
};

/*
 * Enters the namespace `given`: digits are a process, a word with a slash is a path,
 * anything else a name of `ip netns`. NULL: stays. False and a problem; *misuse tells
 * whether there is no such thing (else: not allowed).
 */
MUST_USE bool where_enter(
	const char *given, struct where *out, bool *misuse, struct problem *p);
enum where_answer { WHERE_NO, WHERE_YES, WHERE_HIDDEN };

/* Whether that process is in the namespace; hidden where /proc does not let us know. */
enum where_answer where_holds(const struct where *w, int32_t pid);

#endif

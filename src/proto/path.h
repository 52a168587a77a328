/*
 * path: what else a path may be read as.
 *
 * WHAT    Servers differ in what they make of a path before they act on it: some decode its
 *         escapes, some take back "..", some skip empty segments, take \ for /, or drop what
 *         stands behind a ; in a segment. Here a path is read as by one that does some of that,
 *         to be compared with what it says byte for byte. What is sent on is the path as it came.
 * RULES   1. Escapes are decoded once.
 *         2. Who does more is not safer: "/a/../b//../a" leads to /a for who skips what is empty,
 *            and to /b/a for who does not. So each set of ways is a reading of its own.
 *         3. Nor do they agree on the order. Parameters go before escapes are decoded, and dots
 *            are taken back after both, with or without empty segments; or they are taken back
 *            before all that (and perhaps again after). Other orders are not read: a ; that was
 *            an escape begins no parameters, as it would in a server behind one that decodes.
 */
#ifndef WEIR_PROTO_PATH_H
#define WEIR_PROTO_PATH_H

#include "base/slice.h"

enum path_way {
	PATH_DECODES = 1,             /* %61 is a; but %2f and %5c stay as they are */
	PATH_DECODES_SLASHES = 2,     /* %2f too; nothing without PATH_DECODES */
	PATH_DECODES_BACKSLASHES = 4, /* %5c, the same */
	PATH_BACKSLASHES = 8,         /* \ is / */
	PATH_MERGES = 16,             /* empty segments are none */
	PATH_DROPS_PARAMS = 32,       /* ;v=1 is no part of its segment */
	PATH_TAKES_BACK = 64,         /* "." and "..", when all else is done */
	PATH_TAKES_BACK_FIRST = 128,  /* those of its bytes, before all else */
};

/* There is but one way to read it. */
bool path_is_plain(struct slice path);
/* The ways in which it could be read otherwise than by its bytes, and perhaps some more. */
unsigned path_ways(struct slice path);
/*
 * The path (origin form, no query), which begins with '/', as who has these ways reads it, into
 * `out`, of at least path.len + 1 bytes. *climbs: a ".." led above the root, where the reading
 * stays.
 */
struct slice path_read(struct slice path, unsigned ways, char *out, bool *climbs);

/* Each reading but that by the bytes: for (ways = all; ways; ways = path_next(ways, all)) */
static inline unsigned path_next(unsigned ways, unsigned all)
{
	return (ways - 1) & all;
}

#endif

/*
 * path: what else a path may be read as.
 *
 * WHAT    Servers differ in what they make of a path before they act on it: some decode its
 *         escapes, some take back "..", some skip empty segments, take \ for /, or drop what
 *         stands behind a ; in a segment. Here a path is read as by one that does all that, to
 *         be compared with what it says byte for byte. What is sent on is the path as it came.
 * RULES   1. Escapes are decoded once.
 */
#ifndef WEIR_PROTO_PATH_H
#define WEIR_PROTO_PATH_H

#include "base/slice.h"

/* There is but one way to read it. */
bool path_is_plain(struct slice path);

enum path_params {
	PATH_KEEPS_PARAMS, /* ;v=1 is a part of its segment */
	PATH_DROPS_PARAMS,
};

/*
 * The path (origin form, no query), which begins with '/', as read into `out`, of at least
 * path.len + 1 bytes. *climbs: a ".." led above the root, where the reading stays.
 */
struct slice path_read(
	struct slice path, enum path_params params, char *out, bool *climbs);

#endif

/*
 * query: "a=b&c=d" of a request target, percent-decoded (as HTML forms send it: + is a
 * space).
 *
 * OWNS    the pairs point into the caller's buffer.
 */
#ifndef WEIR_ADMIN_QUERY_H
#define WEIR_ADMIN_QUERY_H

#include "admin/admin.h"

#define QUERY_PAIRS_MAX 16

struct query {
	struct admin_pair pairs[QUERY_PAIRS_MAX];
	uint32_t n;
};

/* `buf` must hold text.len bytes. Empty pairs are skipped; a name without '=' is an error. */
MUST_USE bool query_parse(
	struct query *q, struct slice text, char *buf, struct problem *p);

#endif

/*
 * retry_after: what an answer says about when calls are welcome again.
 *
 * MODEL   Two kinds of words say so. Retry-After (RFC 9110 10.2.3), in seconds or as a date, of
 *         a 429 or a 503; of any other answer it is about something else. And fields about a
 *         quota of which nothing remains until it is reset, of any answer: a 200 that says
 *         so was the last one served.
 *             RateLimit: "default";r=0;t=30         draft-ietf-httpapi-ratelimit-headers-08 on
 *             RateLimit: limit=9, remaining=0, reset=30                               draft 07
 *             RateLimit-Remaining, RateLimit-Reset                               drafts to 06
 *             X-RateLimit-Remaining, X-RateLimit-Reset, also as X-Rate-Limit-*         custom
 *         A reset is a number of seconds from now; of the X- fields also a time since 1970, in
 *         seconds or milliseconds, which is told by its size.
 * RULES   1. Of a 429 or 503 Retry-After decides alone if it can be read; of several the
 *            longest. Of a 429 a reset decides whatever is said to remain, or if nothing is.
 *         2. A date is taken from the answer's own Date, so that clocks need not agree; from
 *            ours where it has none.
 *         3. What is no number, no date, or is over already says nothing; nor does a reset that is
 *            further off than RETRY_AFTER_MOST. A Retry-After that is says RETRY_AFTER_MOST: not
 *            soon (as RFC 9111 1.2.2 has it of seconds that are too many to count).
 */
#ifndef WEIR_PROTO_RETRY_AFTER_H
#define WEIR_PROTO_RETRY_AFTER_H

#include "proto/h1.h"

/* No quota is for longer than a month. */
#define RETRY_AFTER_MOST (31 * 24 * 3600 * NS_S)

enum retry_after_by {
	RETRY_AFTER_NONE,
	RETRY_AFTER_FIELD,
	RETRY_AFTER_RATE_LIMIT,
	RETRY_AFTER_X_RATE_LIMIT,
};

struct retry_after {
	enum retry_after_by by;
	ns_t in; /* so long from now; above 0 unless NONE */
};

/* False: retry_after_of would find nothing. */
static inline bool retry_after_may_be(const struct h1_head *head)
{
	return head->status == 429 || head->status == 503 ||
	       (head->seen & (uint64_t)1 << H1_FIELD_RATE_LIMIT);
}
/* Of a final answer; wall_s: seconds since 1970. */
struct retry_after retry_after_of(const struct h1_head *head, int64_t wall_s);
/* "Retry-After", "RateLimit", "X-RateLimit-Reset"; "" of NONE. */
const char *retry_after_by_text(enum retry_after_by by);

#endif

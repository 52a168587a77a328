/*
 * heard: servers' own words as they went by in clear, by who said them and how often; and where
 * TLS is spoken, so that nothing can be read.
 *
 * MODEL   The beginning of an error answer (io/tap.h): its status, and of its body what came in
 *         the same segment or, where the status line came by itself, in the next.
 * RULES   1. Bounded: HEARD_MAX different words, of HEARD_TEXT bytes. Past that those said least
 *            often, of them those longest ago, make room, and `dropped` counts what they had
 *            counted; a refusal for want of slots stays.
 *         2. What is kept is UTF-8 and has no control characters: it is shown on terminals.
 *         3. Secrets are masked (obs/mask.h) as far as their names show them.
 * OWNS    nothing beyond itself.
 */
#ifndef WEIR_WATCH_HEARD_H
#define WEIR_WATCH_HEARD_H

#include "attr/tally.h"
#include "io/tap.h"

enum { HEARD_MAX = 32, HEARD_TEXT = 240, HEARD_HALVES = 32, HEARD_TLS_MAX = 256 };

struct heard_words {
	struct diag_end at; /* who said it */
	uint16_t status;
	char text[HEARD_TEXT]; /* the body, or the reason beside the status */
	uint64_t folded;       /* what makes two texts one: obs/fold.h */
	const char *refusal;   /* whose for want of slots, "fasthttp"; NULL: none known */
	uint64_t count;
	uint64_t last; /* by heard.said */
};

/* A status line whose answer goes on in the next segment. */
struct heard_half {
	struct diag_end from, to; /* port 0: free */
	uint16_t status;
	bool ripe; /* it was there at the last heard_settle */
	char reason[64];
};

struct heard {
	struct heard_words v[HEARD_MAX];
	uint32_t n;
	uint64_t said, dropped;
	uint64_t lost; /* segments that were ours and not heard: counts may be short */
	struct heard_half halves[HEARD_HALVES];
	uint32_t next_half;
	struct diag_end tls[HEARD_TLS_MAX];
	uint32_t n_tls;
};

void heard_piece(struct heard *h, const struct tap_piece *p);
/* From time to time: a status line whose answer did not go on since the last time is counted
 * by its reason. `all`: each, for nothing is heard any more. */
void heard_settle(struct heard *h, bool all);
/* What was said, refusals first and then the most frequent; how many. */
uint32_t heard_sorted(const struct heard *h, const struct heard_words *v[HEARD_MAX]);
/* The words there that may tell why a connection was denied: the most frequent refusal, or else
 * the most frequent 429 or 5xx; NULL: none. */
const struct heard_words *heard_at(const struct heard *h, const struct diag_end *at);
/* TLS's hello was seen to go there. */
bool heard_tls(const struct heard *h, const struct diag_end *at);

#endif

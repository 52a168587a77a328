/*
 * round: one letter that goes from hand to hand, so that each thread can look into its own
 * proxy for somebody in hand 0: one after another, so that nothing of it is shared.
 *
 * RULES   1. visit runs once in each hand, in its thread, hand 0's last; then done, in hand 0's.
 *         2. Neither runs inside round_begin. At the end of the run the hands that have gone
 *            are left out; done comes all the same.
 * OWNS    the round is embedded in what its maker wants to know; the maker's again in done.
 */
#ifndef WEIR_PROXY_ROUND_H
#define WEIR_PROXY_ROUND_H

#include "proxy/crew.h"

struct round {
	struct io_letter letter;
	struct crew *crew;
	uint32_t at; /* the hand it is on its way to */
	void (*visit)(struct round *r, struct proxy *p);
	void (*done)(struct round *r);
};

/* `visit` and `done` are set. Hand 0's thread. */
void round_begin(struct round *r, struct crew *c);

#endif

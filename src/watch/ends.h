/*
 * ends: idle closes that may have been the end of their program, and not its timeout.
 *
 * MODEL   A program that ends closes all it holds at once; many tidy up themselves, some
 *         moments before they are gone. So each idle close of a known program is kept here
 *         for a look or two. If the program has ended by then, its age is taken back.
 * OWNS    its array; bounded, what does not fit is taken for a timeout.
 */
#ifndef WEIR_WATCH_ENDS_H
#define WEIR_WATCH_ENDS_H

#include "attr/places.h"

struct ends_close {
	int32_t pid;
	enum tally_side_id side;
	struct diag_end at; /* its place */
	ns_t age;
	bool ripe; /* a whole interval old at the next look */
};

struct ends {
	struct ends_close *v;
	uint32_t n, cap;
};

void ends_init(struct ends *e);
void ends_fini(struct ends *e);
/* An idle close by this side, counted by closes_death and places_death; pid and `ripe` are
 * its program and false. */
void ends_put(struct ends *e, const struct ends_close *close);
/* At each look: takes back from both the ages of programs that have ended. */
void ends_settle(struct ends *e, struct closes *c, struct places *p);

#endif

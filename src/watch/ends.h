/*
 * ends: closes that may have been the end of their program, and not its manner.
 *
 * MODEL   A program that ends closes all it holds at once; many tidy up themselves, some
 *         moments before they are gone. So each close of a known program's that was
 *         idle, or had just been answered, is kept here for a look or two. If the program
 *         has ended by then, it is taken back. So is one that left bytes unread, where it
 *         was one of several at the program's last moment: one alone was its one call.
 * OWNS    its array; bounded, what does not fit is taken for a timeout.
 */
#ifndef WEIR_WATCH_ENDS_H
#define WEIR_WATCH_ENDS_H

#include "attr/places.h"

struct ends_close {
	int32_t pid;
	struct place_end close;
	ns_t at;
	bool ripe; /* a whole interval old at the next look */
};

struct ends {
	struct ends_close *v;
	uint32_t n, cap;
};

void ends_init(struct ends *e);
void ends_fini(struct ends *e);
/* A close by this side, counted by closes_death and places_death; `ripe` is false. */
void ends_put(struct ends *e, const struct ends_close *close);
/* At each look: takes back from both what programs that have ended did. */
void ends_settle(struct ends *e, struct closes *c, struct places *p);

#endif

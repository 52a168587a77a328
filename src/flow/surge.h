/*
 * surge: tells when something happens far more often than it lately did.
 *
 * MODEL   Two rates of the same events, a fast one over some SURGE_FAST_FOR and a slow one over
 *         some SURGE_SLOW_FOR, both forgetting exponentially. A surge begins where the fast
 *         one is SURGE_TIMES the slow one, and ends where it is half of that: so a rate that
 *         stays high becomes the usual one, and one that wavers is told once.
 * RULES   1. None begins with fewer than SURGE_EVENTS in SURGE_FAST_FOR, nor before there is
 *            a past of SURGE_PAST_FOR to compare with.
 * CONTEXT pure; `now` never goes back.
 */
#ifndef WEIR_FLOW_SURGE_H
#define WEIR_FLOW_SURGE_H

#include "base/base.h"

#define SURGE_FAST_FOR (10 * NS_S)
#define SURGE_SLOW_FOR (300 * NS_S)
#define SURGE_PAST_FOR (60 * NS_S)
#define SURGE_TIMES 4.0
#define SURGE_EVENTS 10.0

struct surge {
	ns_t begun_at, at;
	double fast, slow; /* events a second, not yet made up for their short past */
	bool on;
};

void surge_init(struct surge *s, ns_t now);
/* `n` more have happened since the call before. True: a surge begins with them. */
bool surge_add(struct surge *s, uint64_t n, ns_t now);
/* Events a second. */
double surge_fast(const struct surge *s);
double surge_slow(const struct surge *s);

#endif

/*
 * dist: a distribution of durations, as a user writes it.
 *
 *   50ms                        fixed (also fixed(50ms))
 *   uniform(3s, 5s)
 *   exponential(50ms)           mean
 *   normal(50ms, 10ms)          mean, deviation; cut at 0
 *   lognormal(50ms, 200ms)      median, p99
 *   mix(80%: 50ms, 20%: uniform(3s, 5s))      shares must add up to 100 %
 *
 *   turns(50ms, 50ms, 3s)       one after the other: the n-th sample is of the n-th part
 *
 * RULES  1. dist_sample is a pure function of (dist, rng, n).
 * OWNS   the parsed tree; dist_free nulls the pointer.
 */
#ifndef WEIR_BASE_DIST_H
#define WEIR_BASE_DIST_H

#include "base/err.h"
#include "base/rng.h"
#include "base/slice.h"
#include "base/text.h"

struct dist;

/* NULL and a problem that names the column and what was likely meant. */
MUST_USE struct dist *dist_parse(struct slice s, struct problem *p);
void dist_free(struct dist **d);
/* >= 0. n: how many samples came before, for turns. */
ns_t dist_sample(const struct dist *d, struct rng *r, uint64_t n);
void text_add_dist(
	struct text *t, const struct dist *d); /* in the form it is parsed from */

#endif

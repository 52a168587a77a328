/*
 * rng: seeded, reproducible (xoshiro256**; seeded by splitmix64; Blackman & Vigna).
 * rng_mix gives draw n of a stream without state, so that "the n-th admitted call" is
 * alike for all.
 */
#ifndef WEIR_BASE_RNG_H
#define WEIR_BASE_RNG_H

#include "base/base.h"

struct rng {
	uint64_t s[4];
};

void rng_init(struct rng *r, uint64_t seed);
uint64_t rng_next(struct rng *r);
double rng_unit(struct rng *r);                /* [0, 1) */
uint64_t rng_below(struct rng *r, uint64_t n); /* [0, n), unbiased; n > 0 */
double rng_exponential(struct rng *r, double mean);
uint64_t rng_mix(uint64_t seed, uint64_t n); /* stateless */

#endif

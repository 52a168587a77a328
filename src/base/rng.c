#include "base/rng.h"

#include <math.h>

#define GOLDEN 0x9e3779b97f4a7c15u

/* The finaliser of splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t scramble(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static uint64_t rotl(uint64_t x, unsigned by)
{
	return (x << by) | (x >> (64 - by));
}

void rng_init(struct rng *r, uint64_t seed)
{
	for (size_t i = 0; i < ARRAY_LEN(r->s); i++) {
		seed += GOLDEN;
		r->s[i] = scramble(seed);
	}
}

uint64_t rng_next(struct rng *r)
{
	uint64_t *s = r->s;
	uint64_t result = rotl(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

double rng_unit(struct rng *r)
{
	return (double)(rng_next(r) >> 11) * 0x1p-53;
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
	CHECK(n > 0);
	/* 2^64 mod n: draws below it would favour the low residues. */
	uint64_t unfair = -n % n;
	uint64_t draw;
	do {
		draw = rng_next(r);
	} while (draw < unfair);
	return draw % n;
}

double rng_exponential(struct rng *r, double mean)
{
	return -mean * log1p(-rng_unit(r)); /* 1 - u is never 0 */
}

uint64_t rng_mix(uint64_t seed, uint64_t n)
{
	/* The seed is scrambled too: seeds that are GOLDEN apart would else share a stream. */
	return scramble(scramble(seed + GOLDEN) + (n + 1) * GOLDEN);
}

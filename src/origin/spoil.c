#include "origin/spoil.h"

#include "base/rng.h"
#include "base/units.h"

#define FORM "write them as 1%%: reset, 2%%: stall" /* of printf */
#define SUM_SLACK 1e-9 /* 0.1 + 0.2 + 0.7 is no more than all */
/* Its own stream, so that the latencies are the same with faults and without. */
#define SEED_OF_ITS_OWN 0x66617565746c7473ULL

static const char *const words[SPOIL_HOWS] = { [SPOIL_NOT] = "none",
	[SPOIL_RESET] = "reset",
	[SPOIL_CLOSE] = "close",
	[SPOIL_CUT] = "cut",
	[SPOIL_STALL] = "stall",
	[SPOIL_TRICKLE] = "trickle",
	[SPOIL_GARBAGE] = "garbage" };

static bool find_how(struct slice word, enum spoil_how *how, struct problem *p)
{
	for (int i = SPOIL_RESET; i < SPOIL_HOWS; i++) {
		if (slice_eq(word, slice_of(words[i]))) {
			*how = (enum spoil_how)i;
			return true;
		}
	}
	const char *meant = units_nearest(
		word, words + SPOIL_RESET, SPOIL_HOWS - SPOIL_RESET);
	if (meant)
		return problem_set(p, "unknown fault '%.*s': did you mean %s?",
			SLICE_ARG(word), meant);
	return problem_set(p,
		"unknown fault '%.*s': write reset, close, cut, stall, trickle or garbage",
		SLICE_ARG(word));
}

/* "1%: reset" */
static bool add_part(struct spoil *out, struct slice part, struct problem *p)
{
	size_t colon = slice_find(part, ':');
	enum spoil_how how = SPOIL_NOT;
	double share = 0;

	if (colon == part.len)
		return problem_set(p, "'%.*s' has no share: " FORM, SLICE_ARG(part));
	if (!units_share(slice_trim(slice_cut(part, 0, colon)), &share, p) ||
		!find_how(slice_trim(slice_cut(part, colon + 1, SIZE_MAX)), &how, p))
		return false;
	if (out->shares[how] > 0)
		return problem_set(p, "%s is given twice: keep one", words[how]);
	out->shares[how] = share;
	return true;
}

bool spoil_parse(struct slice s, struct spoil *out, struct problem *p)
{
	double sum = 0;

	*out = (struct spoil){ .shares = { 0 } };
	if (slice_eq(slice_trim(s), SLICE("none")))
		return true;
	for (bool more = true; more;) {
		size_t comma = slice_find(s, ',');
		struct slice part = slice_trim(slice_cut(s, 0, comma));
		more = comma < s.len;
		s = slice_cut(s, comma + 1, SIZE_MAX);
		if (!part.len)
			return problem_set(p, "a fault is missing: " FORM);
		if (!add_part(out, part, p))
			return false;
	}
	for (int i = SPOIL_RESET; i < SPOIL_HOWS; i++)
		sum += out->shares[i];
	if (sum > 1 + SUM_SLACK)
		return problem_set(
			p, "the shares add up to %.6g%%, more than all", sum * 100);
	return true;
}

enum spoil_how spoil_draw(const struct spoil *s, uint64_t seed, uint64_t nth)
{
	struct rng rng;

	rng_init(&rng, rng_mix(seed ^ SEED_OF_ITS_OWN, nth));
	double u = rng_unit(&rng);
	for (int i = SPOIL_RESET; i < SPOIL_HOWS; i++) {
		if (u < s->shares[i])
			return (enum spoil_how)i;
		u -= s->shares[i];
	}
	return SPOIL_NOT;
}

void text_add_spoil(struct text *t, const struct spoil *s)
{
	bool any = false;

	for (int i = SPOIL_RESET; i < SPOIL_HOWS; i++) {
		if (!(s->shares[i] > 0))
			continue;
		text_addf(
			t, "%s%.6g%%: %s", any ? ", " : "", s->shares[i] * 100, words[i]);
		any = true;
	}
	if (!any)
		text_add(t, words[SPOIL_NOT]);
}

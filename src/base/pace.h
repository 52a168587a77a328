/*
 * pace: how many requests a second are asked for, over the time of a run, as a user writes it.
 *
 *   160/s                           the same from beginning to end
 *   ramp(10/s, 1000/s)              evenly from the first to the last
 *   ramp(10/s, 1000/s, 10/s)        from each to the next, in parts of equal length
 *   steps(100/s, 200/s, 400/s)      each for a part, all of equal length
 *
 * MODEL   A run has parts of equal length; in each the rate goes evenly from one value to another,
 *         or stays. A part may have a rate of zero: a pause.
 */
#ifndef WEIR_BASE_PACE_H
#define WEIR_BASE_PACE_H

#include "base/err.h"
#include "base/slice.h"

#define PACE_RATES_MAX 64

enum pace_kind { PACE_FLAT, PACE_RAMP, PACE_STEPS };

struct pace {
	enum pace_kind kind;
	uint32_t count;               /* of rates: 1; ramp: 2 or more; steps: 1 or more */
	double rates[PACE_RATES_MAX]; /* per second, none below 0 */
};

/* False and a problem that names the column of what is wrong inside the brackets. Blanks may stand
 * around what is inside; what is taken is shown as it is, so no other white space. */
MUST_USE bool pace_parse(struct slice s, struct pace *out, struct problem *p);

static inline struct pace pace_flat(double rate)
{
	return (struct pace){ .kind = PACE_FLAT, .count = 1, .rates = { rate } };
}
static inline uint32_t pace_parts(const struct pace *p)
{
	return p->kind == PACE_RAMP ? p->count - 1 : p->count;
}
/* The rate at the end of a part; at its beginning it is rates[part]. */
static inline double pace_end(const struct pace *p, uint32_t part)
{
	return p->rates[p->kind == PACE_RAMP ? part + 1 : part];
}
double pace_mean(const struct pace *p); /* over the whole run */
double pace_max(const struct pace *p);

#endif

#include "flow/lend.h"

#include <math.h>

#define STEPS 16

/* How many more calls fit into that room, of which each is still there by that chance: they take
 * their mean and `sure` standard deviations of all (u, the root of a quadratic equation). */
static double fit(double room, double variance, double lasts, double sure)
{
	double own = sure * sure * (1 - lasts);
	double square = own * room + own * own / 4 + sure * sure * variance;
	double u = room + own / 2 - sqrt(fmax(square, 0));
	return u / fmax(lasts, 1e-9);
}

uint32_t lend_slots(const struct chance *slots, const struct lend *l)
{
	const ns_t known = chance_known(slots);
	const double mine = chance_rest(slots, 0).mean, all = mine + l->elsewhere;
	if (mine <= 0)
		return 0;
	const double sure = l->waited ? LEND_SURE_WAITED : LEND_SURE;
	const double each = all / mine; /* those elsewhere are taken to be alike */
	struct chance_rest rest = chance_rest(slots, NS_NEVER);
	double fits = fit(l->limit - each * rest.mean - l->kept,
		each * rest.variance + l->kept, chance_lasts(slots, known), sure);
	for (int k = 1; k <= STEPS; k++) {
		ns_t then = known * k / STEPS;
		double need = l->rate * (double)chance_spent(slots, then);
		rest = chance_rest(slots, then);
		fits = fmin(fits, fit(l->limit - each * rest.mean - need,
					  each * rest.variance + need,
					  chance_lasts(slots, then), sure));
	}
	double lent = (double)l->kept - (l->limit - all) + floor(fits);
	return (uint32_t)(fmin(fmax(lent, 0), l->kept) * (mine - l->others) / all);
}

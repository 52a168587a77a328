#include "base/schedule.h"

#include <math.h>

/* Where a part of the pace begins, in nanoseconds; of the one past the last: where the run ends. */
static double part_at(const struct schedule *s, uint32_t part)
{
	return (double)s->run_for * part / pace_parts(&s->pace);
}

static bool is_past_all(const struct schedule *s)
{
	return s->part == pace_parts(&s->pace);
}

/* Per second, `in` nanoseconds after the part began. */
static double rate_in(const struct schedule *s, double in)
{
	double from = s->pace.rates[s->part], to = pace_end(&s->pace, s->part);
	double length = part_at(s, s->part + 1) - part_at(s, s->part);
	return from == to ? from : from + (to - from) * (in / length);
}

/* How many are due from then on to the end of the part. */
static double rest_of_part(const struct schedule *s, double in)
{
	double length = part_at(s, s->part + 1) - part_at(s, s->part);
	return (rate_in(s, in) + pace_end(&s->pace, s->part)) / 2 * (length - in) / NS_S;
}

/*
 * How many nanoseconds from then on until n more are due. n = r t + a t^2 / 2, solved in the form
 * that loses nothing where a is small. The part may end before, and its rate fall to nothing.
 */
static double time_for(const struct schedule *s, double in, double n)
{
	double from = s->pace.rates[s->part], to = pace_end(&s->pace, s->part);
	double length = part_at(s, s->part + 1) - part_at(s, s->part);

	if (from == to)
		return from > 0 ? n * NS_S / from : INFINITY;
	double rate = rate_in(s, in), gain = (to - from) / (length / NS_S);
	double under = rate * rate + 2 * gain * n;
	if (n <= 0)
		return 0;
	return under < 0 ? INFINITY : 2 * n / (rate + sqrt(under)) * NS_S;
}

/* Each from k itself, not from the one before: 53 bits hold a day to 10 ps. */
static ns_t constant_at(struct schedule *s, uint64_t k)
{
	for (; !is_past_all(s); s->part++) {
		double at = part_at(s, s->part) + time_for(s, 0, (double)k - s->before);
		if (at < part_at(s, s->part + 1))
			return (ns_t)at;
		s->before += rest_of_part(s, 0);
	}
	return NS_NEVER;
}

/*
 * The sum of the gaps so far, as whole nanoseconds and a fraction: adding up doubles would
 * lose more of each gap the longer the run. A gap that a part is too short for goes on in the next
 * one: what it had of it counts.
 */
static ns_t poisson_after(struct schedule *s, ns_t last)
{
	double left = rng_exponential(&s->rng, 1);

	for (; !is_past_all(s); s->part++) {
		double end = part_at(s, s->part + 1);
		double in = (double)last - part_at(s, s->part) + s->fraction;
		double gap = time_for(s, in, left) + s->fraction;
		if (gap < end - (double)last) {
			ns_t whole = (ns_t)gap;
			s->fraction = gap - (double)whole;
			return last + whole;
		}
		left = fmax(left - rest_of_part(s, in), 0);
		last = (ns_t)end;
		s->fraction = end - (double)last;
	}
	return NS_NEVER;
}

void schedule_init_paced(struct schedule *s, enum schedule_kind kind,
	const struct pace *pace, uint64_t seed, ns_t run_for)
{
	CHECK(pace_max(pace) > 0 && run_for >= 0 && run_for < NS_NEVER);
	*s = (struct schedule){ .kind = kind, .pace = *pace, .run_for = run_for };
	rng_init(&s->rng, seed);
	s->next = kind == SCHEDULE_CONSTANT ? constant_at(s, 0) : poisson_after(s, 0);
}

void schedule_init(struct schedule *s, enum schedule_kind kind, double rate,
	uint64_t seed, ns_t run_for)
{
	const struct pace pace = pace_flat(rate);
	schedule_init_paced(s, kind, &pace, seed, run_for);
}

void schedule_init_recorded(struct schedule *s, const ns_t *starts, uint64_t count)
{
	*s = (struct schedule){ .kind = SCHEDULE_RECORDED,
		.starts = starts,
		.count = count,
		.next = count ? starts[0] : NS_NEVER };
}

static ns_t next_of(struct schedule *s)
{
	switch (s->kind) {
	case SCHEDULE_CONSTANT:
		return constant_at(s, s->taken);
	case SCHEDULE_POISSON:
		return poisson_after(s, s->next);
	case SCHEDULE_RECORDED:
		return s->taken < s->count ? s->starts[s->taken] : NS_NEVER;
	}
	NEVER_HERE();
}

void schedule_take(struct schedule *s)
{
	CHECK(s->next != NS_NEVER);
	s->taken++;
	s->next = next_of(s);
}

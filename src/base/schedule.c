#include "base/schedule.h"

/* Each from k itself, not from the one before: 53 bits hold a day to 10 ps. */
static ns_t constant_at(const struct schedule *s, uint64_t k)
{
	double at = (double)k * (double)NS_S / s->rate;
	return at < (double)s->run_for ? (ns_t)at : NS_NEVER;
}

/*
 * The sum of the gaps so far, as whole nanoseconds and a fraction: adding up doubles would
 * lose more of each gap the longer the run.
 */
static ns_t poisson_after(struct schedule *s, ns_t last)
{
	double gap = rng_exponential(&s->rng, (double)NS_S / s->rate) + s->fraction;
	if (gap >= (double)(s->run_for - last))
		return NS_NEVER;
	ns_t whole = (ns_t)gap;
	s->fraction = gap - (double)whole;
	return last + whole;
}

void schedule_init(struct schedule *s, enum schedule_kind kind, double rate,
	uint64_t seed, ns_t run_for)
{
	CHECK(rate > 0 && run_for >= 0 && run_for < NS_NEVER);
	*s = (struct schedule){ .kind = kind, .rate = rate, .run_for = run_for };
	rng_init(&s->rng, seed);
	s->next = kind == SCHEDULE_CONSTANT ? constant_at(s, 0) : poisson_after(s, 0);
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

double schedule_expected(const struct schedule *s)
{
	if (s->kind == SCHEDULE_RECORDED)
		return (double)s->count;
	return s->rate * ((double)s->run_for / (double)NS_S);
}

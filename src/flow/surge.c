#include "flow/surge.h"

#include <math.h>

static double forget(ns_t for_ns, ns_t span)
{
	return exp(-(double)span / (double)for_ns);
}

/* What has been forgotten of a past that never was is made up for. */
static double rate(double sum, ns_t over, ns_t age)
{
	double known = 1 - forget(over, age);
	return known > 0 ? sum / known : 0;
}

void surge_init(struct surge *s, ns_t now)
{
	*s = (struct surge){ .begun_at = now, .at = now };
}

double surge_fast(const struct surge *s)
{
	return rate(s->fast, SURGE_FAST_FOR, s->at - s->begun_at);
}

double surge_slow(const struct surge *s)
{
	return rate(s->slow, SURGE_SLOW_FOR, s->at - s->begun_at);
}

static void age(double *sum, ns_t over, ns_t span, uint64_t n)
{
	*sum = *sum * forget(over, span) + (double)n / ((double)over / NS_S);
}

bool surge_add(struct surge *s, uint64_t n, ns_t now)
{
	age(&s->fast, SURGE_FAST_FOR, now - s->at, n);
	age(&s->slow, SURGE_SLOW_FOR, now - s->at, n);
	s->at = now;
	double fast = surge_fast(s), slow = surge_slow(s);
	if (s->on) {
		s->on = fast >= slow * SURGE_TIMES / 2;
		return false;
	}
	s->on = now - s->begun_at >= SURGE_PAST_FOR && fast >= slow * SURGE_TIMES &&
		fast * ((double)SURGE_FAST_FOR / NS_S) >= SURGE_EVENTS;
	return s->on;
}

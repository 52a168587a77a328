/*
 * quantile: an estimate of one quantile of a stream, in a few words. Pure.
 *
 * MODEL   Stochastic approximation (Robbins and Monro, 1951; as Ma, Muthukrishnan and Sandler,
 *         "Frugal streaming", 2013): a value above the estimate raises it by a step weighted by
 *         p, one below lowers it by one weighted by 1 - p, so that it rests where a share p of
 *         the stream lies below. Steps are relative: durations of microseconds and of minutes
 *         are followed alike.
 *         The first QUANTILE_KNOWN values are kept and put in order: there it begins.
 * RULES   1. Before QUANTILE_KNOWN values it knows nothing.
 * COST    O(1), a multiplication a value; 184 bytes.
 */
#ifndef WEIR_FLOW_QUANTILE_H
#define WEIR_FLOW_QUANTILE_H

#include "base/base.h"

/* Small enough that the estimate stays within a few percent of its place, large enough that a
 * median has followed a server that became ten times slower after a hundred answers. */
#define QUANTILE_STEP 0.05
#define QUANTILE_KNOWN 20

struct quantile {
	double at; /* nanoseconds; with all of `first` */
	double p;
	uint32_t seen; /* up to QUANTILE_KNOWN */
	ns_t first[QUANTILE_KNOWN];
};

void quantile_init(struct quantile *q, double p);
void quantile_add(struct quantile *q, ns_t value);
/* 0: not known yet. */
static inline ns_t quantile_at(const struct quantile *q)
{
	return q->seen < QUANTILE_KNOWN ? 0 : (ns_t)q->at;
}

#endif

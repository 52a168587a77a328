#include "attr/clusters.h"

enum { STEPS = 50, LEAST = 10 /* fewer lie together by chance */ };

/* A FIN's acknowledgement may be 40 ms late, and timers are. */
static ns_t width_at(ns_t age)
{
	return ns_max(age / 10, 50 * NS_MS);
}

/* Ages below `age`, the bucket that holds it left out: a thousandth wide. */
static uint64_t below(const struct hist *ages, ns_t age)
{
	return hist_count_at_most(ages, age - age / 500 - 2 * NS_US);
}

/* Whether the span from `from` on stands out; *count of what lies in it. */
static bool stands_out(const struct hist *ages, ns_t from, uint64_t *count)
{
	ns_t width = width_at(from);
	uint64_t all = hist_count(ages), begin = below(ages, from);
	uint64_t end = hist_count_at_most(ages, from + width);
	uint64_t before = begin - below(ages, from - width);
	uint64_t behind = hist_count_at_most(ages, from + 2 * width) - end;

	*count = end - begin;
	return *count >= LEAST && *count * 4 >= all && *count >= 3 * (before + behind);
}

/* The tenth percentile of those in the span: one that came early is not the timeout. */
static ns_t foot_of(const struct hist *ages, ns_t from, uint64_t count)
{
	double rank = (double)below(ages, from) + (double)count / 10;

	return hist_quantile(ages, rank / (double)hist_count(ages));
}

uint32_t clusters_find(const struct hist *ages, struct cluster out[CLUSTERS_MAX])
{
	uint32_t n = 0;
	ns_t done = 10 * NS_MS; /* below this nobody waited: closes_cluster */

	if (closes_cluster(ages, &out[0].at)) {
		out[0].count = hist_count(ages);
		return 1;
	}
	for (int i = 0; ages && i < STEPS && n < CLUSTERS_MAX; i++) {
		ns_t from = hist_quantile(ages, (i + 0.5) / STEPS);
		uint64_t count;

		if (from < done || !stands_out(ages, from, &count))
			continue;
		out[n++] = (struct cluster){ foot_of(ages, from, count), count };
		done = from + width_at(from) + 1;
	}
	return n;
}

#include "attr/ages.h"

static uint32_t ms_of(ns_t age)
{
	ns_t ms = age / NS_MS;

	return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

void ages_put(struct ages *a, ns_t age)
{
	a->ms[a->next] = ms_of(age);
	a->next = (a->next + 1) % AGES_KEPT;
	a->n += a->n < AGES_KEPT;
}

void ages_back(struct ages *a, ns_t age)
{
	for (uint32_t i = 0; i < a->n; i++) {
		if (a->ms[i] != ms_of(age))
			continue;
		/* Order matters to a full ring only: which of them goes first. */
		a->ms[i] = a->ms[a->n - 1];
		a->next = --a->n;
		return;
	}
}

uint32_t ages_clusters(
	const struct ages *a, struct hist *scratch, struct cluster out[CLUSTERS_MAX])
{
	hist_reset(scratch);
	for (uint32_t i = 0; i < a->n; i++)
		hist_record(scratch, a->ms[i] * NS_MS);
	return clusters_find(scratch, out);
}

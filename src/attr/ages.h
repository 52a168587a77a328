/*
 * ages: the latest ages of a kind of close, for the timeout that shows in them.
 *
 * COST    1 KiB, against 190 KiB of a histogram: there is one for each place.
 */
#ifndef WEIR_ATTR_AGES_H
#define WEIR_ATTR_AGES_H

#include "attr/clusters.h"

enum { AGES_KEPT = 256 };

struct ages {
	uint32_t ms[AGES_KEPT]; /* the n latest, as a ring */
	uint32_t n, next;
};

void ages_put(struct ages *a, ns_t age);
/* Takes one like it back, if it is still kept. */
void ages_back(struct ages *a, ns_t age);
/* As clusters_find, over those that are kept. `scratch` is overwritten. */
uint32_t ages_clusters(
	const struct ages *a, struct hist *scratch, struct cluster out[CLUSTERS_MAX]);

#endif

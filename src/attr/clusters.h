/*
 * clusters: the timeouts that show in the ages of closes.
 *
 * MODEL   One timeout: closes_cluster. Several: ten ages or more, and a quarter of all,
 *         within 10 % (or 50 ms) above the first of them, three times as many as lie in
 *         the like spans before and behind. Ages that merely vary have no such step.
 */
#ifndef WEIR_ATTR_CLUSTERS_H
#define WEIR_ATTR_CLUSTERS_H

#include "attr/closes.h"

enum { CLUSTERS_MAX = 3 };

struct cluster {
	ns_t at;
	uint64_t count; /* of the ages that lie there */
};

/* How many were written, shortest first. `ages` may be NULL. */
uint32_t clusters_find(const struct hist *ages, struct cluster out[CLUSTERS_MAX]);

#endif

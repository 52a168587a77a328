/*
 * past: what upstreams counted that are no more, by name: a counter that is shown to the outside
 * does not fall while the process lives.
 *
 * MODEL   A sum a name of the configuration, of all there were; one for all hosts that callers
 *         have named. So there are never more than names in configurations so far, and one.
 * OWNS    its sums, and their names.
 */
#ifndef WEIR_PROXY_PAST_H
#define WEIR_PROXY_PAST_H

#include "base/list.h"
#include "base/map.h"
#include "http/upstream.h"

/* Hosts that callers have named count as one: else they, and not we, would say how many there
 * are. No upstream of a configuration has the name. */
#define PAST_HOSTS "*"

struct past_sum {
	struct list_node node;
	struct map_node by_name;
	char *name;
	struct upstream_stats stats;
};

struct past {
	struct list sums;
	struct map by_name;
};

void past_init(struct past *p);
void past_fini(struct past *p);
void past_add(struct past *p, const char *name, const struct upstream_stats *s);
void past_merge(struct past *sum, const struct past *p);
void upstream_stats_add(struct upstream_stats *sum, const struct upstream_stats *s);

#endif

/*
 * map: objects found by a text of theirs. Intrusive.
 *
 * RULES   1. No two on it have the same key.
 *         2. An object's key stays as it is, and where it is, while the object is on it.
 * COST    24 bytes an object and at most 16 more for its bucket; put, get and remove O(1) on
 *         average. It grows, and does not shrink.
 */
#ifndef WEIR_BASE_MAP_H
#define WEIR_BASE_MAP_H

#include "base/base.h"

struct map_node {
	struct map_node *next; /* in its bucket */
	const char *key;
	uint64_t hash;
};

struct map { /* zeroed before first use */
	struct map_node **buckets;
	uint32_t cap, len; /* cap: a power of two, or 0 */
};

void map_fini(struct map *m);                                   /* nothing is on it */
struct map_node *map_get(const struct map *m, const char *key); /* NULL: none has it */
void map_put(struct map *m, struct map_node *n, const char *key);
void map_remove(struct map *m, struct map_node *n);

#endif

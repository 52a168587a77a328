#include "base/map.h"

#include "base/slice.h"

#define CAP_FIRST 16

/* Where the node of that key is, or would be. */
static struct map_node **find(const struct map *m, const char *key, uint64_t hash)
{
	struct map_node **at = &m->buckets[hash & (m->cap - 1)];
	while (*at && ((*at)->hash != hash || strcmp((*at)->key, key) != 0))
		at = &(*at)->next;
	return at;
}

static void grow(struct map *m)
{
	struct map old = *m;
	m->cap = old.cap ? 2 * old.cap : CAP_FIRST;
	m->buckets = mem_zalloc(m->cap * sizeof(struct map_node *));
	for (uint32_t i = 0; i < old.cap; i++) {
		struct map_node *n, *next;
		for (n = old.buckets[i]; n; n = next) {
			struct map_node **at = &m->buckets[n->hash & (m->cap - 1)];
			next = n->next;
			n->next = *at;
			*at = n;
		}
	}
	mem_free(old.buckets);
}

void map_fini(struct map *m)
{
	CHECK(m->len == 0);
	mem_free(m->buckets);
	*m = (struct map){ .buckets = NULL };
}

struct map_node *map_get(const struct map *m, const char *key)
{
	return m->cap ? *find(m, key, slice_hash(slice_of(key))) : NULL;
}

void map_put(struct map *m, struct map_node *n, const char *key)
{
	if (m->len == m->cap)
		grow(m);
	n->key = key;
	n->hash = slice_hash(slice_of(key));
	n->next = NULL;
	struct map_node **at = find(m, key, n->hash);
	CHECK(!*at);
	*at = n;
	m->len++;
}

void map_remove(struct map *m, struct map_node *n)
{
	CHECK(m->len > 0);
	struct map_node **at = find(m, n->key, n->hash);
	CHECK(*at == n);
	*at = n->next;
	n->next = NULL;
	m->len--;
}

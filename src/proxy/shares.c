#include "proxy/shares.h"

#include <pthread.h>

#include "base/map.h"

struct entry {
	struct map_node node; /* by `key` */
	char *key;
	struct share *share;
	struct tuner *tuner; /* NULL: not wanted yet */
	struct brake *brake; /* the same */
	struct hangups *hangups;
	struct vitals *vitals;
	struct books *books;
	uint32_t takers;
};

struct shares {
	pthread_mutex_t lock;
	struct map entries; /* under the lock */
	uint32_t seats;
	uint64_t made; /* entries, ever; under the lock */
};

struct shares *shares_new(uint32_t seats)
{
	struct shares *s = mem_zalloc(sizeof(*s));
	CHECK(pthread_mutex_init(&s->lock, NULL) == 0);
	s->seats = seats;
	return s;
}

void shares_free(struct shares **handle)
{
	struct shares *s = *handle;
	if (!s)
		return;
	map_fini(&s->entries); /* all were given back */
	pthread_mutex_destroy(&s->lock);
	mem_free(s);
	*handle = NULL;
}

/* Locked. NULL: nobody has taken it. */
static struct entry *find(const struct shares *s, const char *key)
{
	struct map_node *n = map_get(&s->entries, key);
	return n ? CONTAINER_OF(n, struct entry, node) : NULL;
}

static struct entry *add(struct shares *s, const char *key)
{
	struct entry *e = mem_zalloc(sizeof(*e));
	e->key = mem_strdup(key);
	e->share = share_new(s->seats);
	e->hangups = hangups_new((uint64_t)s->made++);
	e->vitals = vitals_new();
	e->books = books_new();
	map_put(&s->entries, &e->node, e->key);
	return e;
}

struct share *shares_take(struct shares *s, const char *key)
{
	pthread_mutex_lock(&s->lock);
	struct entry *e = find(s, key);
	if (!e)
		e = add(s, key);
	e->takers++;
	struct share *share = e->share;
	pthread_mutex_unlock(&s->lock);
	return share;
}

void shares_fill(struct shares *s, const char *key, struct upstream_cfg *up, ns_t now)
{
	pthread_mutex_lock(&s->lock);
	struct entry *e = find(s, key);
	CHECK(e);
	if (up->limit_auto && !e->tuner)
		e->tuner = tuner_new(up->limit, now);
	if (up->pause_max && !e->brake)
		e->brake = brake_new();
	up->share = e->share;
	up->tuner = up->limit_auto ? e->tuner : NULL;
	up->brake = up->pause_max ? e->brake : NULL;
	up->hangups = e->hangups;
	up->vitals = e->vitals;
	up->books = e->books;
	pthread_mutex_unlock(&s->lock);
}

void shares_give(struct shares *s, const char *key, struct share **handle)
{
	struct share *share = *handle;
	*handle = NULL;
	if (!share)
		return;
	pthread_mutex_lock(&s->lock);
	struct entry *e = find(s, key);
	CHECK(e);
	if (--e->takers == 0) {
		map_remove(&s->entries, &e->node);
		share_unref(&e->share);
		tuner_unref(&e->tuner);
		brake_unref(&e->brake);
		hangups_unref(&e->hangups);
		vitals_unref(&e->vitals);
		books_unref(&e->books);
		mem_free(e->key);
		mem_free(e);
	}
	pthread_mutex_unlock(&s->lock);
}

#include "proxy/shares.h"

#include <pthread.h>
#include <string.h>

#include "base/list.h"

struct entry {
	struct list_node node;
	char *key;
	struct share *share;
	struct tuner *tuner; /* NULL: not asked for yet */
	struct brake *brake; /* the same */
	struct hangups *hangups;
	struct vitals *vitals;
	uint32_t takers;
};

struct shares {
	pthread_mutex_t lock;
	struct list entries; /* under the lock */
	uint32_t seats;
	uint64_t made; /* entries, ever; under the lock */
};

struct shares *shares_new(uint32_t seats)
{
	struct shares *s = mem_zalloc(sizeof(*s));
	CHECK(pthread_mutex_init(&s->lock, NULL) == 0);
	list_init(&s->entries);
	s->seats = seats;
	return s;
}

void shares_free(struct shares **handle)
{
	struct shares *s = *handle;
	if (!s)
		return;
	CHECK(s->entries.len == 0);
	pthread_mutex_destroy(&s->lock);
	mem_free(s);
	*handle = NULL;
}

/* By its key or its share. Locked. */
static struct entry *find(struct shares *s, const char *key, const struct share *share)
{
	LIST_EACH (&s->entries, n, after) {
		struct entry *e = CONTAINER_OF(n, struct entry, node);
		if (key ? strcmp(e->key, key) == 0 : e->share == share)
			return e;
	}
	return NULL;
}

/* Locked. */
static struct entry *add(struct shares *s, const char *key)
{
	struct entry *e = mem_zalloc(sizeof(*e));
	e->key = mem_strdup(key);
	e->share = share_new(s->seats);
	e->hangups = hangups_new((uint64_t)s->made++);
	e->vitals = vitals_new();
	list_push_back(&s->entries, &e->node);
	return e;
}

struct share *shares_take(struct shares *s, const char *key)
{
	pthread_mutex_lock(&s->lock);
	struct entry *e = find(s, key, NULL);
	if (!e)
		e = add(s, key);
	e->takers++;
	struct share *share = e->share;
	pthread_mutex_unlock(&s->lock);
	return share;
}

struct tuner *shares_tuner(
	struct shares *s, const struct share *share, uint32_t max, ns_t now)
{
	pthread_mutex_lock(&s->lock);
	struct entry *e = find(s, NULL, share);
	CHECK(e);
	if (!e->tuner)
		e->tuner = tuner_new(max, now);
	struct tuner *tuner = e->tuner;
	pthread_mutex_unlock(&s->lock);
	return tuner;
}

struct brake *shares_brake(struct shares *s, const struct share *share)
{
	pthread_mutex_lock(&s->lock);
	struct entry *e = find(s, NULL, share);
	CHECK(e);
	if (!e->brake)
		e->brake = brake_new();
	struct brake *brake = e->brake;
	pthread_mutex_unlock(&s->lock);
	return brake;
}

struct hangups *shares_hangups(struct shares *s, const struct share *share)
{
	pthread_mutex_lock(&s->lock);
	struct entry *e = find(s, NULL, share);
	CHECK(e);
	pthread_mutex_unlock(&s->lock);
	return e->hangups;
}

struct vitals *shares_vitals(struct shares *s, const struct share *share)
{
	pthread_mutex_lock(&s->lock);
	struct entry *e = find(s, NULL, share);
	CHECK(e);
	pthread_mutex_unlock(&s->lock);
	return e->vitals;
}

void shares_give(struct shares *s, struct share **handle)
{
	struct share *share = *handle;
	*handle = NULL;
	if (!share)
		return;
	pthread_mutex_lock(&s->lock);
	struct entry *e = find(s, NULL, share);
	CHECK(e);
	if (--e->takers == 0) {
		list_remove(&s->entries, &e->node);
		share_unref(&e->share);
		tuner_unref(&e->tuner);
		brake_unref(&e->brake);
		hangups_unref(&e->hangups);
		vitals_unref(&e->vitals);
		mem_free(e->key);
		mem_free(e);
	}
	pthread_mutex_unlock(&s->lock);
}

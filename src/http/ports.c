#include "http/ports.h"

#include <pthread.h>

#include "base/list.h"

#define BUCKETS 64 /* of a second each; at least two more than PORTS_LINGER_FOR has */
#define CHAINS 256
#define HALF_AGAIN_FOR (60 * NS_S)

struct ports_way {
	struct list_node node;
	char *name;
	uint32_t holders, open, lingering;
	bool near;
	bool was_half; /* told so, at half_at */
	ns_t half_at, none_until;
	int64_t second;           /* up to which buckets are settled */
	uint32_t ending[BUCKETS]; /* so many linger until that second is over */
};

struct ports {
	pthread_mutex_t lock;
	struct ports_cfg cfg;
	struct list chains[CHAINS]; /* by the name's hash */
};

struct ports *ports_new(const struct ports_cfg *cfg)
{
	struct ports *p = mem_zalloc(sizeof(*p));
	p->cfg = *cfg;
	CHECK(p->cfg.linger_for >= 0 && p->cfg.linger_for <= PORTS_LINGER_FOR);
	CHECK(p->cfg.linger_near_for >= 0 && p->cfg.linger_near_for <= PORTS_LINGER_FOR);
	CHECK(pthread_mutex_init(&p->lock, NULL) == 0);
	for (int i = 0; i < CHAINS; i++)
		list_init(&p->chains[i]);
	return p;
}

static struct list *chain_of(struct ports *p, struct slice name)
{
	return &p->chains[slice_hash(name) % CHAINS];
}

static void way_free(struct list *chain, struct ports_way *w)
{
	CHECK(w->holders == 0);
	list_remove(chain, &w->node);
	mem_free(w->name);
	mem_free(w);
}

void ports_free(struct ports **handle)
{
	struct ports *p = *handle;
	if (!p)
		return;
	for (int i = 0; i < CHAINS; i++)
		LIST_EACH (&p->chains[i], n, after)
			way_free(&p->chains[i], CONTAINER_OF(n, struct ports_way, node));
	pthread_mutex_destroy(&p->lock);
	mem_free(p);
	*handle = NULL;
}

/* What has lingered for long enough is free. Locked, as all below. */
static void settle(struct ports_way *w, ns_t now)
{
	int64_t second = now / NS_S;
	if (second - w->second > BUCKETS)
		w->second = second - BUCKETS;
	for (; w->second < second; w->second++) {
		uint32_t *over = &w->ending[w->second % BUCKETS];
		w->lingering -= *over;
		*over = 0;
	}
}

static uint32_t left(const struct ports *p, const struct ports_way *w, ns_t now)
{
	uint32_t taken = w->open + w->lingering;
	if (now < w->none_until || (p->cfg.range && taken >= p->cfg.range))
		return 0;
	return p->cfg.range ? p->cfg.range - taken : UINT32_MAX;
}

static struct ports_view view_of(const struct ports *p, const struct ports_way *w)
{
	return (struct ports_view){ w->name, w->open, w->lingering, p->cfg.range };
}

static bool is_idle(const struct ports_way *w)
{
	return w->holders + w->open + w->lingering == 0;
}

static void look_at_half(struct ports *p, struct ports_way *w, ns_t now)
{
	bool half = p->cfg.range && w->open + w->lingering >= p->cfg.range / 2;
	if (!half || (w->was_half && now - w->half_at < HALF_AGAIN_FOR))
		return;
	w->was_half = true;
	w->half_at = now;
	struct ports_view v = view_of(p, w);
	if (p->cfg.on_half)
		p->cfg.on_half(p->cfg.ctx, &v);
}

struct ports_way *ports_hold(struct ports *p, struct slice name, bool near)
{
	struct ports_way *found = NULL;
	pthread_mutex_lock(&p->lock);
	struct list *chain = chain_of(p, name);
	LIST_EACH (chain, n, after) {
		struct ports_way *w = CONTAINER_OF(n, struct ports_way, node);
		if (slice_eq(slice_of(w->name), name))
			found = w;
		else if (is_idle(w))
			way_free(chain, w);
	}
	if (!found) {
		found = mem_zalloc(sizeof(*found));
		found->name = slice_dup(name);
		found->near = near;
		list_push_back(chain, &found->node);
	}
	found->holders++;
	pthread_mutex_unlock(&p->lock);
	return found;
}

void ports_unhold(struct ports *p, struct ports_way **handle)
{
	struct ports_way *w = *handle;
	*handle = NULL;
	if (!w)
		return;
	pthread_mutex_lock(&p->lock);
	w->holders--;
	if (is_idle(w))
		way_free(chain_of(p, slice_of(w->name)), w);
	pthread_mutex_unlock(&p->lock);
}

bool ports_take(struct ports *p, struct ports_way *w, ns_t now)
{
	pthread_mutex_lock(&p->lock);
	settle(w, now);
	bool ok = left(p, w, now) > 0;
	if (ok) {
		w->open++;
		look_at_half(p, w, now);
	}
	pthread_mutex_unlock(&p->lock);
	return ok;
}

/* How long it stays taken, to the end of the second it ends in: rather too long. */
static void linger(const struct ports *p, struct ports_way *w, ns_t now)
{
	ns_t for_ns = w->near ? p->cfg.linger_near_for : p->cfg.linger_for;
	int64_t end = now / NS_S < w->second ? w->second : (now + for_ns) / NS_S;
	w->ending[end % BUCKETS]++;
	w->lingering++;
}

void ports_give(struct ports *p, struct ports_way *w, bool lingers, ns_t now)
{
	pthread_mutex_lock(&p->lock);
	settle(w, now);
	CHECK(w->open > 0);
	w->open--;
	if (lingers)
		linger(p, w, now);
	else
		w->none_until = 0;
	if (is_idle(w))
		way_free(chain_of(p, slice_of(w->name)), w);
	pthread_mutex_unlock(&p->lock);
}

void ports_give_none(struct ports *p, struct ports_way *w, ns_t now)
{
	pthread_mutex_lock(&p->lock);
	CHECK(w->open > 0);
	w->open--;
	w->none_until = now + PORTS_NONE_FOR;
	pthread_mutex_unlock(&p->lock);
}

uint32_t ports_left(struct ports *p, struct ports_way *w, ns_t now)
{
	pthread_mutex_lock(&p->lock);
	settle(w, now);
	uint32_t n = left(p, w, now);
	pthread_mutex_unlock(&p->lock);
	return n;
}

void ports_view(struct ports *p, struct ports_way *w, ns_t now, struct ports_view *out)
{
	pthread_mutex_lock(&p->lock);
	settle(w, now);
	*out = view_of(p, w);
	pthread_mutex_unlock(&p->lock);
}

void ports_each(struct ports *p, ns_t now,
	void (*fn)(void *ctx, const struct ports_view *v), void *ctx)
{
	pthread_mutex_lock(&p->lock);
	for (int i = 0; i < CHAINS; i++) {
		LIST_EACH (&p->chains[i], n, after) {
			struct ports_way *w = CONTAINER_OF(n, struct ports_way, node);
			settle(w, now);
			struct ports_view v = view_of(p, w);
			if (w->open + w->lingering)
				fn(ctx, &v);
		}
	}
	pthread_mutex_unlock(&p->lock);
}

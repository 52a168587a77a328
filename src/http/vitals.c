#include "http/vitals.h"

#include "base/joint.h"
#include "base/rng.h"

struct vitals {
	struct joint joint;
	_Atomic uint64_t changes;
	struct list all; /* struct vital; under its lock, as is what follows */
	uint64_t draws;
};

struct vitals *vitals_new(void)
{
	struct vitals *all = mem_zalloc(sizeof(*all));
	joint_init(&all->joint);
	list_init(&all->all);
	return all;
}

void vitals_ref(struct vitals *all)
{
	joint_ref(&all->joint);
}

void vitals_unref(struct vitals **handle)
{
	struct vitals *all = *handle;
	*handle = NULL;
	if (!all || !joint_unref(&all->joint))
		return;
	CHECK(all->all.len == 0);
	mem_free(all);
}

/* --- whose they are --- */

/* Locked. NULL: nobody has it. */
static struct vital *find(
	const struct vitals *all, const struct addr *addr, struct slice host)
{
	LIST_EACH (&all->all, n, after) {
		struct vital *v = CONTAINER_OF(n, struct vital, node);
		if (addr_eq(&v->addr, addr) && slice_eq(text_slice(&v->host), host))
			return v;
	}
	return NULL;
}

/* Locked. */
static void publish(struct vitals *all, struct vital *v, bool changed)
{
	const struct health *h = &v->health;
	atomic_store_explicit(&v->since, h->since, memory_order_relaxed);
	atomic_store_explicit(&v->until, h->until, memory_order_relaxed);
	atomic_store_explicit(&v->why, (int)h->why, memory_order_relaxed);
	atomic_store_explicit(&v->state, (int)h->state, memory_order_release);
	if (changed)
		all->changes++;
}

struct vital *vitals_take(
	struct vitals *all, const struct addr *addr, struct slice host, ns_t now)
{
	joint_lock(&all->joint);
	struct vital *v = find(all, addr, host);
	if (!v) {
		v = mem_zalloc(sizeof(*v));
		v->addr = *addr;
		text_init(&v->host);
		text_add_slice(&v->host, host);
		health_init(&v->health, now);
		publish(all, v, false);
		list_push_back(&all->all, &v->node);
	}
	v->holders++;
	joint_unlock(&all->joint);
	return v;
}

void vitals_give(struct vitals *all, struct vital **handle)
{
	struct vital *v = *handle;
	*handle = NULL;
	joint_lock(&all->joint);
	if (--v->holders == 0) {
		list_remove(&all->all, &v->node);
		text_fini(&v->host);
		mem_free(v);
	}
	joint_unlock(&all->joint);
}

/* --- verdicts --- */

/* Several weirs do not come back at the same instant. Locked. */
static double draw(struct vitals *all, ns_t now)
{
	return (double)(rng_mix((uint64_t)now, all->draws++) >> 11) /
	       (double)(1ULL << 53);
}

bool vitals_note(struct vitals *all, struct vital *v, const struct health_set *set,
	enum health_sign sign, ns_t sent_at, ns_t now)
{
	joint_lock(&all->joint);
	bool changed = health_note(set, &v->health, sign, sent_at, draw(all, now), now);
	if (changed)
		publish(all, v, true);
	joint_unlock(&all->joint);
	return changed;
}

void vitals_ask(struct vitals *all, struct vital *v, ns_t until, ns_t now)
{
	joint_lock(&all->joint);
	health_ask(&v->health, until, now);
	publish(all, v, true);
	joint_unlock(&all->joint);
}

void vitals_try(struct vitals *all, struct vital *v, ns_t now)
{
	if (LIKELY(vital_state(v) == HEALTH_IN))
		return;
	joint_lock(&all->joint);
	if (v->health.state == HEALTH_OUT || health_is_due(&v->health, now)) {
		health_try(&v->health, now);
		publish(all, v, true);
	}
	joint_unlock(&all->joint);
}

uint64_t vitals_changes(const struct vitals *all)
{
	return atomic_load_explicit(&all->changes, memory_order_acquire);
}

struct health vital_verdict(const struct vital *v)
{
	return (struct health){
		.state = (enum health_state)atomic_load_explicit(
			&v->state, memory_order_acquire),
		.why = (enum health_why)atomic_load_explicit(
			&v->why, memory_order_relaxed),
		.since = atomic_load_explicit(&v->since, memory_order_relaxed),
		.until = atomic_load_explicit(&v->until, memory_order_relaxed),
	};
}

struct health vital_view(struct vitals *all, const struct vital *v)
{
	joint_lock(&all->joint);
	struct health view = v->health;
	joint_unlock(&all->joint);
	return view;
}

static ns_t peek(const _Atomic ns_t *at)
{
	return atomic_load_explicit(at, memory_order_relaxed);
}

static void extend(_Atomic ns_t *at, ns_t until)
{
	if (until > peek(at))
		atomic_store_explicit(at, until, memory_order_relaxed);
}

void vital_note_away(struct vital *v, ns_t until)
{
	extend(&v->away_until, until);
}

void vital_note_full(struct vital *v, ns_t until)
{
	extend(&v->full_until, until);
}

void vital_note_reached(struct vital *v)
{
	if (peek(&v->away_until) != 0)
		atomic_store_explicit(&v->away_until, 0, memory_order_relaxed);
}

bool vital_is_avoided(const struct vital *v, ns_t now)
{
	return peek(&v->away_until) > now || peek(&v->full_until) > now;
}

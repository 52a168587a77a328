/*
 * vitals: how the places of one API do (flow/health.h), over all threads that have a seat in it:
 * one that fails on one thread is left out by all.
 *
 * MODEL   A place is an address with the host that is asked for there. Its vital is held by each
 *         thread's endpoint there, and forgotten with the last of them. Each thread tells what its
 *         calls met, with the places that it knows of as the set to be judged among.
 * RULES   1. Where a call may go is asked without the lock: verdicts are published.
 *         2. A verdict that changes is told to all (vitals_changes), for idle connections to one
 *            that is left out are closed by the thread that has them.
 *         3. A trial that has begun is known to all; threads that look at the same instant may each
 *            send a call to it.
 * OWNS    counted: each seat's upstream holds it, and what it has taken of it.
 * CONTEXT any thread; `now` may be a turn behind what another one said.
 * COST    a lock for one look at each call that ends, with several places only.
 */
#ifndef WEIR_HTTP_VITALS_H
#define WEIR_HTTP_VITALS_H

#include <stdatomic.h>

#include "base/list.h"
#include "flow/health.h"
#include "io/addr.h"

struct vital {                 /* its own */
	struct list_node node; /* this, addr, host, holders and health: under the lock */
	struct addr addr;
	struct text host;
	uint32_t holders;
	struct health health;
	/* Of it, what is published. */
	_Atomic int state, why;
	_Atomic ns_t since, until;
	/* Until then the others come first: it could not be reached; it refused. */
	_Atomic ns_t away_until, full_until;
};

struct vitals;

struct vitals *vitals_new(void);
void vitals_ref(struct vitals *all);
void vitals_unref(struct vitals **all); /* CHECKs that none is held */

struct vital *vitals_take(
	struct vitals *all, const struct addr *addr, struct slice host, ns_t now);
void vitals_give(struct vitals *all, struct vital **v);

/* As in flow/health.h; the set is of addresses of vitals' health. */
bool vitals_note(struct vitals *all, struct vital *v, const struct health_set *set,
	enum health_sign sign, ns_t sent_at, ns_t now);
void vitals_ask(struct vitals *all, struct vital *v, ns_t until, ns_t now);
/* A call goes there; it is a trial if it is out, or due for one. */
void vitals_try(struct vitals *all, struct vital *v, ns_t now);
/* Verdicts that changed so far. */
uint64_t vitals_changes(const struct vitals *all);

static inline enum health_state vital_state(const struct vital *v)
{
	return (enum health_state)atomic_load_explicit(&v->state, memory_order_relaxed);
}
/* What is published: state, why, since and until, and nothing else. */
struct health vital_verdict(const struct vital *v);
struct health vital_view(struct vitals *all, const struct vital *v); /* all of it */
/* It could not be reached, or has no slot free: the others come first, until the latest time told
 * of either. */
void vital_note_away(struct vital *v, ns_t until);
void vital_note_full(struct vital *v, ns_t until);
/* It was: whether it has a slot free is another matter, for a full server may well accept. */
void vital_note_reached(struct vital *v);
bool vital_is_avoided(const struct vital *v, ns_t now);

#endif

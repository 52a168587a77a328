/*
 * hangups: one flow/hangup for an upstream, over all threads that have a seat in it: trials are
 * few, and a server that frees a slot frees it whichever thread hung up.
 *
 * RULES   1. What an answered call asks of it (took, served, owes) takes the lock only where
 *            something may change by it.
 * OWNS    counted: each seat's upstream holds it.
 * CONTEXT any thread.
 * COST    two loads a call; a lock for one look at each call that nobody waits for any more.
 */
#ifndef WEIR_HTTP_HANGUPS_H
#define WEIR_HTTP_HANGUPS_H

#include <stdatomic.h>

#include "base/joint.h"
#include "flow/hangup.h"

struct hangups {            /* its own */
	struct joint joint; /* its lock is over hangup */
	/* What stands in it, for who looks without the lock. */
	_Atomic bool frees, doubts, owes;
	_Atomic ns_t longest, longest_until;
	struct hangup hangup;
};

struct hangups *hangups_new(uint64_t seed);
void hangups_ref(struct hangups *h);
void hangups_unref(struct hangups **h);

/* As in flow/hangup.h. */
MUST_USE enum hangup_arm hangups_ask(
	struct hangups *h, uint32_t limit, ns_t until, ns_t now);
bool hangups_ended(struct hangups *h, enum hangup_arm arm, bool soon, ns_t now);
void hangups_forget(struct hangups *h, enum hangup_arm arm);
bool hangups_note_refused(struct hangups *h, ns_t now);
ns_t hangups_natural_end(struct hangups *h, ns_t sent_at, ns_t now);
ns_t hangups_longest(struct hangups *h);

/* Calls are hung up on. */
static inline bool hangups_frees(const struct hangups *h)
{
	return atomic_load_explicit(&h->frees, memory_order_relaxed);
}
/* Slots are given back on trust, and would not be free by themselves yet. */
static inline bool hangups_doubts(const struct hangups *h)
{
	return atomic_load_explicit(&h->doubts, memory_order_relaxed);
}
/* Rule 1 */
void hangups_learn_took(struct hangups *h, ns_t took, ns_t now);
static inline void hangups_note_took(struct hangups *h, ns_t took, ns_t now)
{
	if (took > atomic_load_explicit(&h->longest, memory_order_relaxed) ||
		now >= atomic_load_explicit(&h->longest_until, memory_order_relaxed))
		hangups_learn_took(h, took, now);
}
void hangups_learn_served(struct hangups *h);
static inline void hangups_note_served(struct hangups *h)
{
	if (hangups_doubts(h))
		hangups_learn_served(h);
}
MUST_USE bool hangups_pays(struct hangups *h, ns_t now, ns_t *until);
MUST_USE static inline bool hangups_owes(struct hangups *h, ns_t now, ns_t *until)
{
	return atomic_load_explicit(&h->owes, memory_order_relaxed) &&
	       hangups_pays(h, now, until);
}
/* What it is like now. */
struct hangup hangups_view(struct hangups *h);

#endif

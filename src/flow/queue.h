/*
 * queue: who waits for slots, and who is next: by priority, then fair between callers
 * (flow/callers.h), then in order. Pure.
 *
 * MODEL   A ticket asks for `need` slots at once (a gather is admitted whole or not at all), on
 *         behalf of a caller.
 * RULES   1. `waiting` and its bound count calls (the sum of need).
 *         2. The highest priority first; of its callers the one with the least slot-time that
 *            may take what is there; of its tickets the oldest. (The oldest first is right
 *            because who would come too late was refused when he came: flow/gate.h.)
 *         3. A ticket whose turn it is and that needs more than one slot stays next until it
 *            leaves: nobody takes what it collects. But one that comes back goes before it.
 *         4. A ticket leaves once: granted, expired, pushed out, or cancelled.
 *         5. While the queue is held nobody waits for a slot, nor as long as its owner lets
 *            them go but slowly after it: the bound on that waiting begins then. That nothing
 *            is granted is the owner's affair.
 * COST    push, leave O(1); queue_next O(callers that wait).
 */
#ifndef WEIR_FLOW_QUEUE_H
#define WEIR_FLOW_QUEUE_H

#include "base/err.h"
#include "flow/callers.h"
#include "flow/share.h"

struct ticket {
	struct list_node node;    /* of its caller's */
	struct list_node in_time; /* of all: by arrival */
	struct caller *caller;
	uint32_t need;
	bool came_back; /* queue_push_front */
	ns_t deadline;
	ns_t since, until; /* until: the earlier of its deadline and the queue's bound */
};

struct queue {
	struct list tickets;                    /* by arrival */
	struct list active[CALLERS_PRIORITIES]; /* callers with tickets */
	struct callers *callers;                /* borrowed */
	struct share *share;                    /* NULL: alone. Borrowed. */
	struct ticket *collects;                /* rule 3; NULL: nobody does */
	uint64_t waiting;                       /* calls */
	uint64_t max;                           /* calls; UINT64_MAX: no bound */
	uint64_t peak;
	ns_t wait_for; /* for a slot, NS_NEVER: no bound */
	ns_t held_until; /* nobody is granted anything until then; 0, or past: no such thing */
	ns_t bound_from;  /* nobody has waited for a slot before; the same */
	ns_t empty_since; /* while empty */
	ns_t next_expiry; /* not after the earliest `until`; NS_NEVER: none */
};

void queue_init(struct queue *q, struct callers *callers, uint64_t max, ns_t wait_for);

/* ERR_OK: waits. ERR_QUEUE_FULL; ERR_SHED: its deadline has passed already. */
MUST_USE enum err queue_push(struct queue *q, struct ticket *t, struct caller *c,
	uint32_t need, ns_t now, ns_t deadline);
/* A ticket that had been granted comes back: it is next, past every bound but that deadline. Of
 * several the last. */
void queue_push_front(struct queue *q, struct ticket *t, struct caller *c, uint32_t need,
	ns_t now, ns_t deadline);
static inline bool queue_is_empty(const struct queue *q)
{
	return q->tickets.len == 0;
}
struct ticket *queue_front(const struct queue *q); /* who came first; NULL: empty */
/* Who may have what comes free next, with so much free now; NULL: nobody waits, but callers from
 * whom it is kept. */
struct ticket *queue_next(const struct queue *q, uint32_t room, ns_t now);
/* It is next, and its turn has come, over several threads too: from here on rule 3 holds for it. */
void queue_collect(struct queue *q, struct ticket *t);
/* No other is next before it has left, but one that comes back. */
static inline bool queue_stays_next(const struct queue *q, const struct ticket *t)
{
	return t->came_back || q->collects == t;
}
void queue_remove(struct queue *q, struct ticket *t, ns_t now); /* granted or cancelled */
static inline bool ticket_is_waiting(const struct ticket *t)
{
	return list_on(&t->in_time);
}
/*
 * The queue is full: the newest ticket, removed, of the caller that waits for most, if that is
 * more than `c` would wait for with one more. Who floods shuts nobody else out. NULL: it is `c`.
 */
struct ticket *queue_push_out(struct queue *q, const struct caller *c, ns_t now);
/* So many calls, at least, if it is asked for one ticket after the other. */
uint64_t queue_could_push_out(const struct queue *q, const struct caller *c);
/* Held until then, longer than before, and slowly for so long after it. Those with a deadline
 * before its end are still there: */
void queue_hold(struct queue *q, ns_t until, ns_t slow_for);
/* The first of those with a deadline up to `until`, removed; NULL: there is none. */
struct ticket *queue_take_before(struct queue *q, ns_t until, ns_t now);
/*
 * A ticket whose time is over, removed; NULL when none. Deadlines differ, so all are looked
 * at, but only when `next_expiry` has passed.
 */
struct ticket *queue_expire(struct queue *q, ns_t now);
/* All that wait: those that `may_wait` says no of are removed, and go to `out` by their `node`. */
void queue_sift(struct queue *q, bool (*may_wait)(void *ctx, struct ticket *t), void *ctx,
	struct list *out, ns_t now);
static inline ns_t queue_next_expiry(const struct queue *q)
{
	return q->next_expiry;
}
/* How many calls are likely to be served before one more of `c`; of tied callers (flow/accounts.h)
 * those of all threads. */
uint64_t queue_ahead(const struct queue *q, struct caller *c, uint32_t room, ns_t now);

#endif

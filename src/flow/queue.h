/*
 * queue: who waits for slots: bounded in length and in time, first in first out. Pure.
 *
 * MODEL   A ticket asks for `need` slots at once (a gather is admitted whole or not at all).
 * RULES   1. length is counted in calls (sum of need), so the bound means the same for all.
 *         2. Nobody overtakes: the front waits until all it needs is there.
 *         3. A ticket leaves once: granted (pop), expired, or cancelled.
 *         4. Tied to a share, the bound is one over all threads' queues.
 */
#ifndef WEIR_FLOW_QUEUE_H
#define WEIR_FLOW_QUEUE_H

#include "base/err.h"
#include "base/list.h"
#include "flow/share.h"

struct ticket {
	struct list_node node;
	uint32_t need;
	ns_t since, until; /* until: the earlier of its deadline and the queue's bound */
};

struct queue {
	struct list tickets;
	struct share *share; /* NULL: alone. Borrowed. */
	uint64_t waiting;    /* calls */
	uint64_t max;        /* calls; UINT64_MAX: no bound */
	uint64_t peak;
	ns_t wait_for;    /* NS_NEVER: no bound */
	ns_t next_expiry; /* not after the earliest `until`; NS_NEVER: none */
};

void queue_init(struct queue *q, uint64_t max, ns_t wait_for);
/* ERR_OK: waits; ERR_QUEUE_FULL; ERR_SHED: its deadline has passed already. */
MUST_USE enum err queue_push(
	struct queue *q, struct ticket *t, uint32_t need, ns_t now, ns_t deadline);
/* A ticket that had been granted comes back, in front, past every bound; it began to wait
 * `since`. */
void queue_push_front(struct queue *q, struct ticket *t, uint32_t need, ns_t since);
struct ticket *queue_front(const struct queue *q);    /* NULL: empty */
void queue_remove(struct queue *q, struct ticket *t); /* granted or cancelled */
static inline bool ticket_is_waiting(const struct ticket *t)
{
	return list_on(&t->node);
}
/*
 * A ticket whose time is over, removed; NULL when none. Deadlines differ, so all are looked
 * at, but only when `next_expiry` has passed.
 */
struct ticket *queue_expire(struct queue *q, ns_t now);
static inline ns_t queue_next_expiry(const struct queue *q)
{
	return q->next_expiry;
}

#endif

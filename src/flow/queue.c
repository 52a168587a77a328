#include "flow/queue.h"

#define TICKET(n) CONTAINER_OF(n, struct ticket, node)

void queue_init(struct queue *q, uint64_t max, ns_t wait_for)
{
	*q = (struct queue){ .max = max, .wait_for = wait_for, .next_expiry = NS_NEVER };
	list_init(&q->tickets);
}

enum err queue_push(
	struct queue *q, struct ticket *t, uint32_t need, ns_t now, ns_t deadline)
{
	if (deadline <= now)
		return ERR_SHED;
	if (q->share ? !share_wait(q->share, need, q->max)
		     : need > q->max || q->waiting > q->max - need)
		return ERR_QUEUE_FULL;
	t->need = need;
	t->since = now;
	t->until = ns_min(deadline, ns_add(now, q->wait_for));
	list_push_back(&q->tickets, &t->node);
	q->waiting += need;
	q->next_expiry = ns_min(q->next_expiry, t->until);
	if (q->waiting > q->peak)
		q->peak = q->waiting;
	return ERR_OK;
}

void queue_push_front(struct queue *q, struct ticket *t, uint32_t need, ns_t since)
{
	t->need = need;
	t->since = since;
	t->until = NS_NEVER;
	list_push_front(&q->tickets, &t->node);
	q->waiting += need;
	if (q->share)
		share_wait_anyway(q->share, need);
}

struct ticket *queue_front(const struct queue *q)
{
	struct list_node *n = list_front(&q->tickets);
	return n ? TICKET(n) : NULL;
}

void queue_remove(struct queue *q, struct ticket *t)
{
	CHECK(q->waiting >= t->need);
	list_remove(&q->tickets, &t->node);
	q->waiting -= t->need;
	if (q->share)
		share_wait_over(q->share, t->need);
}

struct ticket *queue_expire(struct queue *q, ns_t now)
{
	if (now < q->next_expiry)
		return NULL;
	ns_t next = NS_NEVER;
	LIST_EACH (&q->tickets, n, after) {
		struct ticket *t = TICKET(n);
		if (t->until <= now) {
			queue_remove(q, t);
			return t;
		}
		next = ns_min(next, t->until);
	}
	q->next_expiry = next;
	return NULL;
}

#include "flow/queue.h"

#define TICKET(n) CONTAINER_OF(n, struct ticket, node)
#define TICKET_IN_TIME(n) CONTAINER_OF(n, struct ticket, in_time)
#define CALLER_ACTIVE(n) CONTAINER_OF(n, struct caller, active)

void queue_init(struct queue *q, struct callers *callers, uint64_t max, ns_t wait_for)
{
	*q = (struct queue){
		.callers = callers,
		.max = max,
		.wait_for = wait_for,
		.next_expiry = NS_NEVER,
	};
	list_init(&q->tickets);
	for (uint32_t p = 0; p < CALLERS_PRIORITIES; p++)
		list_init(&q->active[p]);
}

/* --- in and out --- */

static void file(
	struct queue *q, struct ticket *t, struct caller *c, uint32_t need, ns_t now)
{
	if (queue_is_empty(q) && now - q->empty_since >= CALLERS_FORGET_FOR)
		callers_forget(q->callers, now);
	if (c->tickets.len == 0)
		list_push_back(&q->active[c->priority], &c->active);
	t->caller = c;
	t->need = need;
	t->came_back = false;
	t->since = now;
	q->waiting += need;
	caller_wait(q->callers, c, need, now);
}

static bool make_room(struct queue *q, uint32_t need)
{
	if (q->share)
		return share_wait(q->share, need, q->max);
	return need <= q->max && q->waiting <= q->max - need;
}

static ns_t until_of(const struct queue *q, ns_t deadline, ns_t from)
{
	return ns_min(deadline, ns_add(ns_max(from, q->bound_from), q->wait_for));
}

enum err queue_push(struct queue *q, struct ticket *t, struct caller *c, uint32_t need,
	ns_t now, ns_t deadline)
{
	if (deadline <= now)
		return ERR_SHED;
	if (!make_room(q, need))
		return ERR_QUEUE_FULL;
	file(q, t, c, need, now);
	list_push_back(&c->tickets, &t->node);
	list_push_back(&q->tickets, &t->in_time);
	t->deadline = deadline;
	t->until = until_of(q, deadline, now);
	q->next_expiry = ns_min(q->next_expiry, t->until);
	if (q->waiting > q->peak)
		q->peak = q->waiting;
	return ERR_OK;
}

void queue_push_front(struct queue *q, struct ticket *t, struct caller *c, uint32_t need,
	ns_t now, ns_t deadline)
{
	if (q->share)
		share_wait_anyway(q->share, need);
	file(q, t, c, need, now);
	list_push_front(&c->tickets, &t->node);
	list_push_front(&q->tickets, &t->in_time);
	t->came_back = true;
	t->until = t->deadline = deadline;
	q->next_expiry = ns_min(q->next_expiry, deadline);
}

void queue_remove(struct queue *q, struct ticket *t, ns_t now)
{
	struct caller *c = t->caller;
	CHECK(q->waiting >= t->need);
	list_remove(&c->tickets, &t->node);
	list_remove(&q->tickets, &t->in_time);
	caller_leave(q->callers, c, t->need, now);
	q->waiting -= t->need;
	if (q->share)
		share_wait_over(q->share, t->need);
	if (c->tickets.len == 0)
		list_remove(&q->active[c->priority], &c->active);
	if (q->collects == t)
		q->collects = NULL;
	if (queue_is_empty(q))
		q->empty_since = now;
}

void queue_sift(struct queue *q, bool (*may_wait)(void *ctx, struct ticket *t), void *ctx,
	struct list *out, ns_t now)
{
	LIST_EACH (&q->tickets, n, after) {
		struct ticket *t = TICKET_IN_TIME(n);
		if (may_wait(ctx, t))
			continue;
		queue_remove(q, t, now);
		list_push_back(out, &t->node);
	}
}

/* --- who is next --- */

struct ticket *queue_front(const struct queue *q)
{
	struct list_node *n = list_front(&q->tickets);
	return n ? TICKET_IN_TIME(n) : NULL;
}

struct ticket *queue_next(const struct queue *q, uint32_t room, ns_t now)
{
	struct ticket *front = queue_front(q);
	if (front && front->came_back) /* those that did stand before the others */
		return front;
	if (q->collects)
		return q->collects;
	for (uint32_t p = 0; p < CALLERS_PRIORITIES; p++) {
		struct caller *c = callers_cheapest(q->callers, &q->active[p], room, now);
		if (!c)
			continue;
		struct list_node *oldest = list_front(&c->tickets);
		CHECK(oldest);
		return TICKET(oldest);
	}
	return NULL;
}

void queue_collect(struct queue *q, struct ticket *t)
{
	if (t->need > 1 && !t->came_back)
		q->collects = t;
}

uint64_t queue_ahead(const struct queue *q, struct caller *c, uint32_t room, ns_t now)
{
	return callers_ahead(q->callers, q->active, c, room, now);
}

/* --- who has to leave --- */

static struct caller *longest(const struct queue *q, uint32_t from_priority)
{
	struct caller *most = NULL;
	for (uint32_t p = from_priority; p < CALLERS_PRIORITIES; p++) {
		LIST_EACH (&q->active[p], n, after) {
			struct caller *c = CALLER_ACTIVE(n);
			if (!most || c->waiting > most->waiting)
				most = c;
		}
	}
	return most;
}

struct ticket *queue_push_out(struct queue *q, const struct caller *c, ns_t now)
{
	struct caller *most = longest(q, c->priority);
	if (!most || most == c || most->waiting <= c->waiting + 1)
		return NULL;
	struct ticket *t = TICKET(list_back(&most->tickets));
	queue_remove(q, t, now);
	return t;
}

uint64_t queue_could_push_out(const struct queue *q, const struct caller *c)
{
	uint64_t sum = 0;
	for (uint32_t p = c->priority; p < CALLERS_PRIORITIES; p++) {
		LIST_EACH (&q->active[p], n, after) {
			const struct caller *o = CALLER_ACTIVE(n);
			if (o->waiting > c->waiting + 1)
				sum += o->waiting - c->waiting - 1;
		}
	}
	return sum;
}

void queue_hold(struct queue *q, ns_t until, ns_t slow_for)
{
	q->held_until = until;
	q->bound_from = ns_add(until, slow_for);
	q->next_expiry = NS_NEVER;
	LIST_EACH (&q->tickets, n, after) {
		struct ticket *t = TICKET_IN_TIME(n);
		if (!t->came_back)
			t->until = until_of(q, t->deadline, t->since);
		q->next_expiry = ns_min(q->next_expiry, t->until);
	}
}

struct ticket *queue_take_before(struct queue *q, ns_t until, ns_t now)
{
	LIST_EACH (&q->tickets, n, after) {
		struct ticket *t = TICKET_IN_TIME(n);
		if (t->deadline > until)
			continue;
		queue_remove(q, t, now);
		return t;
	}
	return NULL;
}

struct ticket *queue_expire(struct queue *q, ns_t now)
{
	if (now < q->next_expiry)
		return NULL;
	ns_t next = NS_NEVER;
	LIST_EACH (&q->tickets, n, after) {
		struct ticket *t = TICKET_IN_TIME(n);
		if (t->until <= now) {
			queue_remove(q, t, now);
			return t;
		}
		next = ns_min(next, t->until);
	}
	q->next_expiry = next;
	return NULL;
}

/*
 * Hedges: a second request beside one that keeps its caller waiting longer than nearly all do
 * (Dean and Barroso, The Tail at Scale, 2013). The first usable answer wins.
 *
 * MODEL   A hedge is a call of its own, in the app's name: it puts the app's request, and is
 *         never queued. When it has won, its connection becomes the app's call's, and the one
 *         that kept the caller waiting is abandoned by policy: drained, its slot stays charged.
 * RULES   1. Only a request that can be put again at once, and may be (idempotent).
 *         2. One for a call; drawn from the budget of retries (flow/retry.h).
 *         3. Never while slots are short: nobody waits, and there is room for one more.
 *         4. An error of a hedge is nobody's answer.
 *         5. The app sees one call: on_ready once more, and then one answer.
 */
#include "http/upstream_internal.h"

struct hedge {
	struct call call;
	struct call *main;
	struct upstream *up;
	struct cconn *first; /* main's own, while the hedge's request is put */
	bool over;           /* meanwhile */
};

/* --- when --- */

ns_t hedge_delay(const struct upstream *u)
{
	ns_t delay = u->cfg.hedge_for;
	if (u->cfg.hedge_p95)
		delay = quantile_at(&u->first_bytes);
	return delay ? delay : NS_NEVER;
}

ns_t hedge_due(const struct cconn *cc)
{
	const struct call *c = cc->call;
	bool may = c->hedgeable && !c->hedged && !c->hedge_of && cc->told &&
		   !c->first_byte_at && !c->upgrade.len && cc->out.done &&
		   h1_is_idempotent(c->method);
	return may ? ns_add(cc->sent_at, hedge_delay(cc->up)) : NS_NEVER;
}

static bool has_spare_slots(const struct upstream *u)
{
	return !admission_is_wanted(u) && upstream_room(u, 0) > 0 && !hold_until(u);
}

static bool is_on_its_way(const struct call *own)
{
	return own->state == CALL_CONNECTING || own->state == CALL_SENDING;
}

static const struct call_ops hedge_ops;

static struct hedge *hedge_new(struct upstream *u, struct call *c)
{
	struct hedge *h = mem_zalloc(sizeof(*h));
	h->main = c;
	h->up = u;
	h->call = (struct call){ .ops = &hedge_ops,
		.method = c->method,
		.priority = c->priority,
		.caller_key = c->caller_key,
		.admitted = true,
		.hedge_of = h,
		.deadline = c->deadline,
		.shun = u->endpoint_count > 1 ? c->at : 0 };
	return h;
}

void hedge_try(struct cconn *cc)
{
	struct upstream *u = cc->up;
	struct call *c = cc->call;
	ns_t now = worker_now(u->worker);
	ns_t left = c->deadline == NS_NEVER ? NS_NEVER : c->deadline - now;
	c->hedged = true;
	if (u->stopping || !has_spare_slots(u) ||
		upstream_caller_paused_for(u, c->caller_key) ||
		retry_ask_hedge(&u->retry, left, now) != RETRY_GO)
		return;
	struct hedge *h = hedge_new(u, c);
	struct call *own = &h->call;
	enum err e = upstream_ask(u, &own, 1, c->deadline);
	if (e == ERR_OK && is_on_its_way(own) && !own->probe) {
		retry_draw(&u->retry, true);
		u->stats.hedged++;
		c->hedge = h;
		return;
	}
	if (e == ERR_OK)
		call_abandon(own, u);
	mem_free(h);
}

/* --- how it ends --- */

/* The app's call goes on, on the hedge's connection. */
static void take_over(struct hedge *h, enum err why)
{
	struct call *c = h->main, *own = &h->call;
	struct cconn *cc = own->conn;
	again_note_past(h->up, c, why, CALL_HEDGED);
	cc->call = c;
	c->conn = cc;
	c->state = own->state;
	c->mark = own->mark;
	c->queued_at = own->queued_at;
	c->granted_at = own->granted_at;
	c->sent_at = own->sent_at;
	c->tls_at = own->tls_at;
	c->reused = own->reused;
	c->kept = own->kept;
	c->heard = false;
	c->at = own->at;
	c->tried = own->tried;
	c->tried_of = own->tried_of;
	c->hedge = NULL;
	mem_free(h);
}

/* What is usable: an error may be the server's way to say that this one was too many. */
static bool is_usable(const struct h1_head *head)
{
	return head->status >= 200 && head->status < 500 && head->status != 429;
}

struct call *hedge_settle(struct cconn *cc, const struct h1_head *head)
{
	struct call *c = cc->call;
	struct hedge *h = c->hedge_of;
	if (!h) { /* the first one was faster */
		hedge_drop(c);
		return c;
	}
	if (!is_usable(head))
		return c;
	struct upstream *u = cc->up;
	c = h->main;
	u->stats.hedges_won++;
	u->stats.abandoned++;
	cconn_abandon(c->conn);
	take_over(h, ERR_ABANDONED);
	return c;
}

void hedge_go_on(struct call *c, struct upstream *u, enum err why)
{
	const struct health_end end = health_end_of(u, c, why);
	u->stats.failed++;
	admission_call_over(u, c, false);
	tune_ended(u, &c->mark, why == ERR_STOPPING ? LIMIT_LEFT : LIMIT_FAILED);
	hold_call_over(u, c);
	health_note_end(u, &end, false);
	take_over(c->hedge, why);
}

void hedge_drop(struct call *c)
{
	struct hedge *h = c->hedge;
	c->hedge = NULL;
	if (h->call.sent_at)
		c->beside++;
	call_abandon(&h->call, h->up);
	if (!h->first) {
		mem_free(h);
		return;
	}
	c->conn = h->first; /* inside on_ready, which goes back there */
	h->over = true;
}

/* --- the hedge's own call --- */

static struct hedge *hedge_of(struct call *own)
{
	return CONTAINER_OF(own, struct hedge, call);
}

static void on_ready(struct call *own)
{
	struct hedge *h = hedge_of(own);
	struct call *c = h->main;
	h->first = c->conn;
	c->conn = own->conn;
	c->ops->on_ready(c);
	if (h->over) {
		mem_free(h);
		return;
	}
	c->conn = h->first;
	h->first = NULL;
}

static void let_go(struct hedge *h)
{
	h->main->hedge = NULL;
	if (h->call.sent_at)
		h->main->beside++;
	mem_free(h);
}

/* One that is not usable. */
static void on_head(struct call *own, const struct h1_head *head)
{
	struct hedge *h = hedge_of(own);
	struct upstream *u = h->up;
	if (head->status < 200)
		return;
	retry_hold(&u->retry, ns_add(worker_now(u->worker), RETRY_HOLD));
	hold_ask(u, own->at, &own->plea);
	call_abandon(own, u);
	let_go(h);
}

static size_t on_data(struct call *own, struct slice data)
{
	(void)own;
	return data.len;
}

static void on_end(struct call *own, enum err why)
{
	(void)why;
	let_go(hedge_of(own));
}

static const struct call_ops hedge_ops = {
	.on_ready = on_ready,
	.on_head = on_head,
	.on_data = on_data,
	.on_end = on_end,
};

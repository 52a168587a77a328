/*
 * Calls that are sent once more: replays, which the engine makes by itself, and retries, which
 * the app asks for. What may be sent, and how much of it, is flow/retry.h's to say.
 *
 * A replay's call has its slot already, in effect: it goes in front of the queue, past its bounds
 * and its judges. A retry has none: the slot of the attempt that failed settles as any does, and
 * the retry asks for one as a new call of its caller, behind those who wait. So the limit holds,
 * nobody is overtaken, and a zombie stays charged. A refused call had its turn, but the slot was
 * one that the server does not have: it is next, past the bounds but not the judges.
 */
#include "http/upstream_internal.h"

void again_init(struct upstream *u)
{
	uint32_t seats = u->share ? share_seats(u->share) : 1;
	retry_init(&u->retry, seats);
	u->retry.cfg = u->cfg.retry;
	quantile_init(&u->first_bytes, 0.95);
	list_init(&u->resting);
}

void again_note_past(
	struct upstream *u, struct call *c, enum err why, enum call_next next)
{
	c->tries[c->past % CALL_TRIES] = (struct call_try){
		.queued_at = c->queued_at,
		.granted_at = c->granted_at,
		.sent_at = c->sent_at,
		.ended_at = worker_now(u->worker),
		.why = why,
		.status = why == ERR_OK ? c->status : 0,
		.next = (uint8_t)next,
	};
	c->past++;
}

void again_note_answer(struct upstream *u, const struct call *c)
{
	u->stats.answered++;
	if (u->share)
		share_set_answered(u->share, u->cfg.seat, u->stats.answered);
	/* An error tells nothing of how long an answer takes. */
	if (u->retry.cfg.max && c->status < 500 && c->sent_at)
		retry_note_answer(&u->retry, worker_now(u->worker) - c->sent_at);
}

uint32_t call_attempts(const struct call *c)
{
	return c->past + c->beside + (c->hedge != NULL) +
	       (!c->between && c->granted_at != 0);
}

/* --- replays --- */

bool again_trusts(const struct upstream *u)
{
	return u->cfg.trusting || retry_trusts(&u->retry);
}

/* The server may have seen a byte of it. */
static void note_replay_sent(struct upstream *u)
{
	struct list_node *oldest;
	retry_draw_replay(&u->retry);
	if (again_trusts(u))
		return;
	park_end(u, UINT32_MAX);
	while ((oldest = list_back(&u->conns[CCONN_IDLE])))
		cconn_close_idle(CONTAINER_OF(oldest, struct cconn, node));
}

/* Before any byte of the answer, and once: on a fresh connection this cannot happen again. */
bool again_replay(struct cconn *cc, enum err why)
{
	struct upstream *u = cc->up;
	struct call *call = cc->call;
	if (!call || call->replayed || call->hedge || call->hedge_of || !cc->pooled ||
		!cconn_is_silent(cc) || u->stopping)
		return false;
	bool safe = h1_is_idempotent(call->method) || !cc->out.sent_any;
	if (cc->told && !(call->replayable && safe))
		return false;
	bool sent = cc->told && cc->out.sent_any;
	cconn_detach(cc);
	tune_ended(u, &call->mark, LIMIT_UNSENT);
	again_note_past(u, call, why, CALL_REPLAYED);
	call->replayed = true;
	u->stats.replayed++;
	upstream_slot_call_over(u, cc);
	cconn_close_after(cc);
	if (sent)
		note_replay_sent(u);
	upstream_requeue(u, call);
	return true;
}

/* --- retries --- */

void again_wait(struct upstream *u, struct call *c, ns_t at)
{
	c->again_at = at;
	struct list_node *before = u->resting.head.prev;
	while (before != &u->resting.head &&
		CONTAINER_OF(before, struct call, resting)->again_at > c->again_at)
		before = before->prev;
	c->state = CALL_RESTING;
	list_link(&u->resting, &c->resting, before);
	upstream_poke(u);
}

void again_leave(struct upstream *u, struct call *c)
{
	list_remove(&u->resting, &c->resting);
	c->state = CALL_OVER;
}

static struct retry_ask ask_for(struct upstream *u, const struct call *c, enum err why)
{
	ns_t now = worker_now(u->worker);
	bool elsewhere = c->at && u->endpoint_count > 1;
	return (struct retry_ask){
		.why = why,
		.status = c->status,
		.idempotent = h1_is_idempotent(c->method),
		.whole = c->replayable,
		.sent = c->sent_at != 0,
		.heard = c->heard || c->first_byte_at,
		.told_to_wait = c->told_to_wait || hold_until(u),
		.again = c->again,
		.refused = c->refused,
		.takes_none = slots_limit(&u->slots) == 0,
		.wait = retry_wait(&u->retry, c->again + 1U, elsewhere),
		.left = c->deadline == NS_NEVER ? NS_NEVER : c->deadline - now,
	};
}

static enum retry_verdict judge(
	struct upstream *u, const struct call *c, const struct retry_ask *q)
{
	if (c->gave_up)
		return RETRY_NO_SLOT;
	if (u->stopping)
		return RETRY_POINTLESS;
	return retry_ask(&u->retry, q, worker_now(u->worker));
}

/* --- refused while the limit is found out --- */

static enum retry_verdict judge_refused(
	struct upstream *u, const struct call *c, const struct retry_ask *q)
{
	if (!u->tuner || (c->status != 503 && c->status != 429))
		return RETRY_POINTLESS;
	return u->stopping ? RETRY_POINTLESS : retry_ask_refused(&u->retry, q);
}

void again_go_back(struct upstream *u, struct call *c, enum err why)
{
	if (c->sent_at)
		retry_draw(&u->retry, true);
	u->stats.requeued++;
	again_note_past(u, c, why, CALL_REQUEUED);
	c->refused++;
	c->again_for = ERR_OK;
	upstream_go_back(u, c);
}

static enum retry_verdict refused_again(struct upstream *u, struct call *c)
{
	const struct retry_ask q = ask_for(u, c, ERR_OK);
	c->verdict = judge_refused(u, c, &q);
	if (c->verdict != RETRY_GO) {
		u->stats.denied[c->verdict] += c->verdict != RETRY_POINTLESS;
		return c->verdict;
	}
	u->went_back = true;
	again_go_back(u, c, ERR_OK);
	return RETRY_GO;
}

/* --- what the app asks --- */

bool call_may_go_again(struct call *c, struct upstream *u)
{
	const struct retry_ask q = ask_for(u, c, ERR_OK);
	if (judge_refused(u, c, &q) == RETRY_GO)
		return true;
	enum retry_verdict v = judge(u, c, &q);
	if (v != RETRY_OFF && v != RETRY_POINTLESS)
		c->verdict = v;
	return v == RETRY_GO;
}

enum retry_verdict call_again(struct call *c, struct upstream *u, enum err why)
{
	CHECK(c->state == CALL_OVER);
	if (u->refused && u->tuner && why == ERR_OK)
		return refused_again(u, c);
	ns_t now = worker_now(u->worker);
	const struct retry_ask q = ask_for(u, c, why);
	c->verdict = judge(u, c, &q);
	if (c->verdict != RETRY_GO) {
		u->stats.denied[c->verdict] += c->verdict != RETRY_POINTLESS;
		return c->verdict;
	}
	retry_draw(&u->retry, q.sent);
	u->stats.retried++;
	again_note_past(u, c, why, CALL_RETRIED);
	c->between = true;
	c->again++;
	c->again_for = why;
	c->shun = u->endpoint_count > 1 ? c->at : 0;
	again_wait(u, c, ns_add(now, q.wait));
	return RETRY_GO;
}

enum err again_end_as(struct call *c, enum err why)
{
	bool in_vain = c->again || (c->refused && why == ERR_SHED);
	if (!in_vain || c->granted_at || why == ERR_STOPPING)
		return why;
	c->gave_up = true;
	return c->again_for == ERR_OK ? why : c->again_for;
}

/* Ends its rest. While it waited for its caller's pause to be over, and not between two attempts,
 * it has waited for this one since. */
static enum err ask_again(struct upstream *u, struct call *c)
{
	const bool is_between = c->between;
	const ns_t since = c->queued_at;
	again_leave(u, c);
	enum err e = upstream_ask(u, &c, 1, c->deadline);
	if (e != ERR_OK)
		call_times_anew(c, worker_now(u->worker));
	if (!is_between)
		c->queued_at = since;
	return e;
}

void again_look(struct upstream *u)
{
	struct list_node *n;
	while ((n = list_front(&u->resting))) {
		struct call *c = CONTAINER_OF(n, struct call, resting);
		if (c->again_at > worker_now(u->worker))
			return;
		enum err e = ask_again(u, c);
		if (e == ERR_OK)
			continue;
		c->detail = SLICE_NONE;
		c->ops->on_end(c, again_end_as(c, e));
	}
}

ns_t again_next(const struct upstream *u)
{
	struct list_node *n = list_front(&u->resting);
	return n ? CONTAINER_OF(n, struct call, resting)->again_at : NS_NEVER;
}

void again_end_all(struct upstream *u)
{
	struct list_node *n;
	while ((n = list_front(&u->resting))) {
		struct call *c = CONTAINER_OF(n, struct call, resting);
		again_leave(u, c);
		c->ops->on_end(c, ERR_STOPPING);
	}
}

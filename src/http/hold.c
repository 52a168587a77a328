/*
 * A server that asks for a pause: which of its answers do, and what waits until it is over.
 * Binds http/brake.h and the queue to an upstream.
 */
#include "http/upstream_internal.h"

void hold_start(struct upstream *u)
{
	if (!u->cfg.pause_max)
		return;
	u->brake = u->cfg.brake;
	if (u->brake)
		brake_ref(u->brake);
	else
		u->brake = brake_new();
}

void hold_configure(struct upstream *u)
{
	if (!u->cfg.pause_max)
		brake_unref(&u->brake);
	else if (!u->brake)
		hold_start(u);
}

/* --- what is asked --- */

/* All threads' calls that wait, as far as it is told. */
static uint64_t waiting(const struct upstream *u)
{
	return u->share ? share_waiting(u->share) : u->queue.waiting;
}

void hold_ask(struct upstream *u, uint32_t at, const struct brake_plea *plea)
{
	ns_t in = ns_min(plea->in, u->cfg.pause_max);
	if (!u->brake || plea->by == RETRY_AFTER_NONE)
		return;
	/* A rate is limited for whoever asks; out of service is one machine. */
	if (plea->status == 503)
		in = health_ask_for(u, at, in);
	if (!in)
		return;
	uint64_t answered = u->share ? share_answered(u->share) : u->stats.answered;
	brake_ask(u->brake, plea, in, answered, worker_now(u->worker));
	seat_ring_others(u);
	upstream_poke(u);
}

/* Another weir's refusal of this one call, for reasons of that call. */
static bool is_of_one_call(const struct h1_head *head)
{
	const struct h1_field *f = h1_field_find(head, H1_FIELD_WEIR_REASON);
	return f && !slice_eq(f->value, slice_of(err_label(ERR_PAUSED)));
}

/* A limit that is found out learns from refusals by itself, and finds no wall while it stands
 * still: whether this is one, its text will tell. */
static bool is_perhaps_refusal(const struct upstream *u, const struct h1_head *head)
{
	return u->tuner && (head->status == 429 || head->status == 503);
}

void hold_note_head(struct cconn *cc, const struct h1_head *head)
{
	struct upstream *u = cc->up;
	if (!u->brake || LIKELY(!retry_after_may_be(head)))
		return;
	const struct retry_after r = retry_after_of(head, io_wall_s(u->worker->loop));
	if (LIKELY(r.by == RETRY_AFTER_NONE) || is_of_one_call(head))
		return;
	const struct brake_plea plea = { r.by, head->status, r.in };
	ns_t now = worker_now(u->worker);
	if (u->cfg.pause_caller && head->status != 503) {
		brake_ask_key(u->brake, cc->caller_key,
			ns_add(now, ns_min(r.in, u->cfg.pause_max)), now);
		return;
	}
	if (cc->call && is_perhaps_refusal(u, head))
		cc->call->plea = plea;
	else
		hold_ask(u, cc->endpoint->id, &plea);
}

/* --- what waits --- */

/* Hardly ever: nothing below is asked of each call for more than this. */
static bool is_asked(const struct upstream *u)
{
	return u->brake && brake_is_on(u->brake);
}

ns_t hold_until(const struct upstream *u)
{
	if (LIKELY(!is_asked(u)))
		return 0;
	return brake_shut_until(u->brake, worker_now(u->worker));
}

bool hold_look(struct upstream *u)
{
	ns_t until = hold_until(u);
	if (until <= u->queue.held_until)
		return false;
	queue_hold(&u->queue, until, PAUSE_RAMP_FOR);
	return true;
}

bool hold_lets_go(const struct upstream *u)
{
	return LIKELY(!is_asked(u)) ||
	       brake_next(u->brake, worker_now(u->worker)) == NS_NEVER;
}

bool hold_take(struct upstream *u, const struct call *call, uint32_t n)
{
	const ns_t now = worker_now(u->worker);
	if (LIKELY(!is_asked(u)))
		return true;
	if (call->replayed)
		return brake_take_again(u->brake, now);
	return brake_take(u->brake, n, now);
}

void hold_untake(struct upstream *u, const struct call *call, uint32_t n)
{
	if (u->brake)
		brake_untake(u->brake, call->replayed ? 0 : n, worker_now(u->worker));
}

void hold_call_over(struct upstream *u, const struct call *call)
{
	if (LIKELY(!is_asked(u)) || !call->granted_at)
		return;
	if (brake_ended(u->brake, call->granted_at, worker_now(u->worker)))
		seat_ring_others(u); /* what they hold back may go, too */
	upstream_poke(u);
}

ns_t hold_again_at(const struct upstream *u)
{
	if (LIKELY(!is_asked(u)) || queue_is_empty(&u->queue))
		return NS_NEVER;
	return brake_next(u->brake, worker_now(u->worker));
}

static ns_t hold_start_at(const struct upstream *u)
{
	return brake_start(u->brake, waiting(u), worker_now(u->worker));
}

bool hold_is_too_late(const struct upstream *u, ns_t deadline)
{
	if (LIKELY(!is_asked(u)))
		return false;
	ns_t start = hold_start_at(u);
	return start > worker_now(u->worker) && start >= deadline;
}

/* 0: it may go. */
static ns_t caller_until(const struct upstream *u, uint64_t key, ns_t now)
{
	if (LIKELY(!u->cfg.pause_caller || !u->brake))
		return 0;
	return brake_key_until(u->brake, key, now);
}

enum err hold_ask_caller(struct upstream *u, const struct call *call, uint32_t n,
	ns_t deadline, ns_t *turn)
{
	ns_t now = worker_now(u->worker);
	ns_t until = caller_until(u, call->caller_key, now);
	if (LIKELY(!until))
		return ERR_OK;
	if (n > 1 || until >= deadline)
		return ERR_PAUSED;
	if (u->resting.len >= u->queue.max)
		return ERR_QUEUE_FULL;
	*turn = brake_key_turn(u->brake, call->caller_key, deadline, now);
	return *turn < deadline ? ERR_AGAIN : ERR_PAUSED;
}

ns_t upstream_caller_paused_for(struct upstream *u, uint64_t caller_key)
{
	ns_t now = worker_now(u->worker);
	return ns_max(caller_until(u, caller_key, now) - now, 0);
}

uint32_t upstream_callers_paused(const struct upstream *u)
{
	bool are = u->brake && u->cfg.pause_caller;
	return are ? brake_keys(u->brake, worker_now(u->worker)) : 0;
}

ns_t upstream_paused_for(const struct upstream *u)
{
	if (!u->brake)
		return 0;
	return hold_start_at(u) - worker_now(u->worker);
}

struct brake *upstream_brake(const struct upstream *u)
{
	return u->brake;
}

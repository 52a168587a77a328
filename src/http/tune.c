/* The limit that is found out by use: what an upstream tells its tuner, and obeys. */
#include "http/upstream_internal.h"

uint32_t upstream_used(const struct upstream *u)
{
	return u->share ? share_used(u->share) : slots_used(&u->slots);
}

uint32_t upstream_limit_max(const struct upstream *u)
{
	return u->tuner ? u->cfg.limit : slots_limit(&u->slots);
}

static void tune_obey(struct upstream *u, uint32_t limit)
{
	if (slots_limit(&u->slots) != limit)
		slots_set_limit(&u->slots, limit);
}

void tune_start(struct upstream *u)
{
	u->told = (struct tuner_told){ NS_NEVER, NS_NEVER, 0, false };
	if (!u->cfg.limit_auto)
		return;
	u->tuner = u->cfg.tuner;
	if (u->tuner)
		tuner_ref(u->tuner);
	else
		u->tuner = tuner_new(u->cfg.limit, worker_now(u->worker));
	tune_look(u);
}

void tune_configure(struct upstream *u)
{
	if (!u->cfg.limit_auto || !u->tuner) {
		stalled_forget(u);
		tuner_unref(&u->tuner);
		slots_set_limit(&u->slots, u->cfg.limit);
		tune_start(u);
		return;
	}
	tuner_set_max(u->tuner, u->cfg.limit);
	tune_look(u);
}

/* All that is free is kept for callers who are away. Who waits, waits for want of a
 * higher limit. */
static bool is_all_kept(struct upstream *u)
{
	uint32_t kept = u->admission.callers.kept;
	return kept > 0 && seat_room(u) <= kept;
}

void tune_look(struct upstream *u)
{
	const struct ticket *front = queue_front(&u->queue);
	uint32_t used = upstream_used(u), limit = slots_limit(&u->slots);
	bool waiting = admission_is_wanted(u);
	if (!u->tuner)
		return;
	/* Calls that wait for several slots together are held up below the limit, too. */
	if (front && used < limit && used + front->need > limit)
		used = limit;
	if (waiting && used < limit && is_all_kept(u))
		used = limit;
	const uint32_t need = front && front->need > 1 ? front->need : 0;
	if (need || u->needed) /* each time: another thread's may have taken its place */
		tuner_need(u->tuner, need);
	u->needed = need;
	ns_t now = worker_now(u->worker);
	tune_obey(u, tuner_look(u->tuner, now, used, waiting, &u->told));
}

void tune_hear(struct upstream *u)
{
	if (u->tuner)
		tuner_hear(u->tuner, worker_now(u->worker), &u->told);
}

uint32_t tune_surplus(const struct upstream *u)
{
	uint32_t surplus = slots_surplus(&u->slots);
	if (!surplus || !u->tuner || u->refused_kept ||
		!tuner_is_cut(u->tuner, worker_now(u->worker)))
		return surplus;
	uint32_t taken = slots_limit(&u->slots) + surplus;
	return taken > u->cfg.limit ? taken - u->cfg.limit : 0;
}

void tune_granted(struct upstream *u, struct call *call, bool proven)
{
	const struct tuner_call sent = { upstream_used(u), admission_is_wanted(u),
		proven && upstream_is_conn_unit(u) };
	if (!u->tuner)
		return;
	tune_obey(u, tuner_sent(u->tuner, worker_now(u->worker), &sent, &call->mark));
	upstream_poke(u);
}

void tune_opened(struct upstream *u, struct call *call)
{
	if (u->tuner && call->mark.sent_at)
		tuner_opened(u->tuner, worker_now(u->worker), &call->mark);
}

void tune_cut(struct call *call, ns_t since)
{
	call->cut = true;
	call->mark.opened_at = since;
}

void tune_ended(struct upstream *u, struct limit_mark *mark, enum limit_end how)
{
	if (!u->tuner || !mark->sent_at)
		return;
	tuner_ended(u->tuner, worker_now(u->worker), mark, how);
	mark->sent_at = 0;
	mark->stall.kind = STALL_NONE;
	upstream_poke(u);
}

/* Connections that a server lets stall at its limit. Binds flow/stall.h, which is the tuner's, to
 * an upstream's connections. */
#include "http/upstream_internal.h"

/* As long as an answer usually takes: then the call on a trial goes back. */
#define TRIAL_TIMES 2

static ns_t stalled_now(const struct upstream *u)
{
	return worker_now(u->worker);
}

static bool is_watched(const struct upstream *u)
{
	return u->tuner && upstream_is_conn_unit(u);
}

/* Of the call on it, or of the one that it drains. */
static struct limit_mark *mark_of(struct cconn *cc)
{
	return cc->call ? &cc->call->mark : &cc->mark;
}

/* --- a call that nobody has to lose --- */

static bool may_go_back(const struct cconn *cc)
{
	struct upstream *u = cc->up;
	const struct call *c = cc->call;
	bool silent = cc->told && cconn_is_silent(cc);
	bool safe = c->replayable && h1_is_idempotent(c->method) && cc->out.done;
	bool lone = !c->hedge && !c->hedge_of && !c->raw && !c->upgrade.len;
	if (!silent || !safe || !lone || u->stopping || !u->retry.cfg.max ||
		c->refused >= RETRY_REFUSED)
		return false;
	ns_t now = stalled_now(u);
	ns_t left = c->deadline == NS_NEVER ? NS_NEVER : c->deadline - now;
	return retry_ask_hedge(&u->retry, left, now) == RETRY_GO;
}

/* Its call waits in front for a connection that is answered. */
static void give_back(struct cconn *cc)
{
	struct upstream *u = cc->up;
	struct call *call = cconn_leave_mark(cc);
	admission_call_over(u, call, false);
	hold_call_over(u, call);
	again_go_back(u, call, ERR_FIRST_BYTE);
}

ns_t stalled_due(const struct cconn *cc)
{
	const struct call *c = cc->call;
	ns_t usual = quantile_at(&cc->up->retry.takes);
	bool waits = c->mark.sent_at && c->mark.stall.kind == STALL_NEW;
	if (!waits || !c->mark.stall.trial || !usual)
		return NS_NEVER;
	return ns_add(cc->sent_at, TRIAL_TIMES * usual);
}

/* It may be answered yet: that the connection is drained, and not closed, will show it. */
bool stalled_give_back(struct cconn *cc)
{
	if (!may_go_back(cc))
		return false;
	give_back(cc);
	zombie_await(cc);
	return true;
}

/* --- what the tuner is told --- */

void stalled_note_asked(struct cconn *cc)
{
	struct upstream *u = cc->up;
	struct limit_mark *mark = mark_of(cc);
	if (!is_watched(u) || cc->life.proven || cc->tunnel || !mark->sent_at)
		return;
	tuner_asked(u->tuner, stalled_now(u), mark);
	ns_t due = stalled_due(cc);
	if (due != NS_NEVER && (!timer_is_set(&cc->timer) || due < cc->timer.at))
		io_timer_set(u->worker->loop, &cc->timer, due);
}

/* An error may be the server's way to say that this one is too many. */
void stalled_note_head(struct cconn *cc)
{
	struct upstream *u = cc->up;
	bool works = cc->told && cc->status < 500 && cc->status != 429;
	if (!is_watched(u) || cc->life.proven || !works)
		return;
	cc->life.proven = true;
	tuner_heard(u->tuner, stalled_now(u), mark_of(cc));
	upstream_poke(u); /* a trial may have passed, and its answer may last */
}

void stalled_note_closed(struct cconn *cc)
{
	if (cc->life.proven && cc->up->tuner)
		tuner_closed(cc->up->tuner);
	cc->life.proven = false;
}

static void forget(struct cconn *cc)
{
	if (cc->call)
		tune_ended(cc->up, &cc->call->mark, LIMIT_LEFT);
	tune_ended(cc->up, &cc->mark, LIMIT_LEFT);
	stalled_note_closed(cc);
}

void stalled_forget(struct upstream *u)
{
	for (int i = 0; i < CCONN_STATES; i++) {
		LIST_EACH (&u->conns[i], n, after)
			forget(CONTAINER_OF(n, struct cconn, node));
	}
	u->stalled_seen = 0;
}

/* --- what becomes of them --- */

/* No server that has said anything on it, an error even, lets it stall. */
static bool is_heard(const struct cconn *cc)
{
	return cc->life.proven || cc->life.served || !cconn_is_silent(cc);
}

static bool is_of(const struct cconn *cc, const struct tuner_stalled *s)
{
	return !is_heard(cc) && cc->told && s->count > 0 && cc->sent_at >= s->last.from &&
	       cc->sent_at <= s->last.until;
}

bool stalled_is(const struct cconn *cc)
{
	struct upstream *u = cc->up;
	if (!is_watched(u) || cc->life.proven || !tuner_stalled_count(u->tuner))
		return false;
	const struct tuner_stalled s = tuner_stalled(u->tuner);
	return is_of(cc, &s);
}

static void close_stalled(struct cconn *cc)
{
	cc->up->stats.stalled++;
	cconn_break(cc);
}

static void close_all(struct upstream *u, const struct tuner_stalled *s)
{
	LIST_EACH (&u->conns[CCONN_DRAINING], n, after) {
		struct cconn *cc = CONTAINER_OF(n, struct cconn, node);
		if (is_of(cc, s))
			close_stalled(cc);
	}
	/* Who may not be sent twice waits for his deadline: see stalled_is. */
	LIST_EACH (&u->conns[CCONN_BUSY], busy, next) {
		struct cconn *cc = CONTAINER_OF(busy, struct cconn, node);
		if (!is_of(cc, s) || !may_go_back(cc))
			continue;
		give_back(cc);
		close_stalled(cc);
	}
}

void stalled_look(struct upstream *u)
{
	struct stall_verdict v;
	ns_t now = stalled_now(u);
	if (!is_watched(u))
		return;
	if (now >= tuner_stalls_due(u->tuner) && tuner_stalls(u->tuner, now, &v)) {
		seat_ring_others(u);
		if (!v.trial && u->cfg.on_stall)
			u->cfg.on_stall(u->cfg.on_mind_ctx);
	}
	if (tuner_stalled_count(u->tuner) == u->stalled_seen)
		return;
	const struct tuner_stalled s = tuner_stalled(u->tuner);
	u->stalled_seen = s.count;
	close_all(u, &s);
}

ns_t stalled_again_at(const struct upstream *u)
{
	return is_watched(u) ? tuner_stalls_due(u->tuner) : NS_NEVER;
}

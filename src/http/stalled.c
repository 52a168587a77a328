/* Connections that a server lets stall at its limit. Binds flow/stall.h, which is the tuner's, to
 * an upstream's connections. */
#include "http/upstream_internal.h"

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

/* --- what the tuner is told --- */

void stalled_note_asked(struct cconn *cc)
{
	struct upstream *u = cc->up;
	struct limit_mark *mark = mark_of(cc);
	if (is_watched(u) && !cc->life.proven && !cc->tunnel && mark->sent_at)
		tuner_asked(u->tuner, stalled_now(u), mark);
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
}

void stalled_note_closed(struct cconn *cc)
{
	if (cc->life.proven && cc->up->tuner)
		tuner_closed(cc->up->tuner);
	cc->life.proven = false;
}

void stalled_forget(struct upstream *u)
{
	for (int i = 0; i < CCONN_STATES; i++) {
		LIST_EACH (&u->conns[i], n, after)
			CONTAINER_OF(n, struct cconn, node)->life.proven = false;
	}
	u->stalled_seen = 0;
}

/* --- what becomes of them --- */

static bool is_of(const struct cconn *cc, const struct tuner_stalled *s)
{
	return !cc->life.proven && cc->told && !cc->head_seen && s->count > 0 &&
	       cc->sent_at >= s->last.from && cc->sent_at <= s->last.until;
}

bool stalled_is(const struct cconn *cc)
{
	struct upstream *u = cc->up;
	if (!is_watched(u) || cc->life.proven || !tuner_stalled_count(u->tuner))
		return false;
	const struct tuner_stalled s = tuner_stalled(u->tuner);
	return is_of(cc, &s);
}

static void close_all(struct upstream *u, const struct tuner_stalled *s)
{
	LIST_EACH (&u->conns[CCONN_DRAINING], n, after) {
		struct cconn *cc = CONTAINER_OF(n, struct cconn, node);
		if (!is_of(cc, s))
			continue;
		u->stats.stalled++;
		cconn_break(cc);
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

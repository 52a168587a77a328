/* Zombies: calls whose caller has been answered and whose server is still at work. Binds
 * http/hangups.h to an upstream. */
#include "http/upstream_internal.h"

/* The longest that a slot stays charged for what is not known, whatever was seen. */
#define GHOST_MAX (600 * NS_S)

static ns_t zombie_now(const struct cconn *cc)
{
	return worker_now(cc->up->worker);
}

static ns_t soon_for(struct cconn *cc)
{
	return HANGUP_SOON + 4 * io_rtt(&cc->conn.sock);
}

static void tell_mind(struct upstream *u, bool changed)
{
	if (changed && u->cfg.on_mind)
		u->cfg.on_mind(u->cfg.on_mind_ctx);
}

void zombies_start(struct upstream *u)
{
	u->hangups = u->cfg.hangups;
	if (u->hangups)
		hangups_ref(u->hangups);
	else
		u->hangups = hangups_new((uint64_t)worker_now(u->worker));
}

/* The lot's verdict on it, once. */
static void zombie_judge(struct cconn *cc, bool soon)
{
	enum hangup_arm arm = cc->arm;
	cc->arm = HANGUP_OUT;
	if (arm != HANGUP_OUT)
		tell_mind(cc->up,
			hangups_ended(cc->up->hangups, arm, soon, zombie_now(cc)));
}

void zombie_over(struct cconn *cc)
{
	if (cc->arm != HANGUP_OUT)
		hangups_forget(cc->up->hangups, cc->arm);
	cc->arm = HANGUP_OUT;
}

/* --- for how long a slot stays charged when its connection has gone --- */

/* It was at work still when we broke off: for as long as anything was seen to take. */
static ns_t end_of_broken(const struct cconn *cc)
{
	const struct upstream *u = cc->up;
	ns_t now = zombie_now(cc), longest = hangups_longest(u->hangups);
	ns_t at = ns_max(ns_add(now, u->cfg.ghost_for), ns_add(cc->sent_at, longest));
	return ns_min(at, ns_max(ns_add(now, u->cfg.ghost_for), ns_add(now, GHOST_MAX)));
}

static ns_t natural_end(const struct cconn *cc)
{
	ns_t now = zombie_now(cc);
	return ns_min(hangups_natural_end(cc->up->hangups, cc->sent_at, now),
		ns_add(now, cc->up->cfg.ghost_for));
}

/* --- its life --- */

static void hang_up(struct cconn *cc)
{
	cc->shut = conn_shutdown(&cc->conn) == ERR_OK;
	cc->up->stats.hung_up += cc->shut;
}

static void drain(struct cconn *cc, enum hangup_arm arm)
{
	struct upstream *u = cc->up;
	slot_enter(&u->slots, cc->slot, SLOT_DRAINING, 0);
	cc->arm = arm;
	if (arm == HANGUP_TRIED || arm == HANGUP_TRUSTED)
		hang_up(cc);
	cconn_enter(cc, CCONN_DRAINING,
		arm == HANGUP_OUT ? u->cfg.drain_for
				  : ns_min(soon_for(cc), u->cfg.drain_for));
	cc->paused = false;
	cconn_rearm(cc);
	cconn_do_later(cc);
}

void zombie_begin(struct cconn *cc)
{
	struct upstream *u = cc->up;
	enum hangup_arm arm = HANGUP_OUT;
	if (u->cfg.abandon == ABANDON_AUTO)
		arm = hangups_ask(u->hangups, slots_limit(&u->slots), natural_end(cc),
			zombie_now(cc));
	drain(cc, arm);
}

void zombie_await(struct cconn *cc)
{
	drain(cc, HANGUP_OUT);
}

bool zombie_unshaken(struct cconn *cc)
{
	struct upstream *u = cc->up;
	bool drains = u->cfg.abandon == ABANDON_DRAIN ||
		      (u->cfg.abandon == ABANDON_AUTO && !hangups_frees(u->hangups));
	if (!drains || !cc->slot || slots_limit(&u->slots) == SLOTS_NO_LIMIT)
		return false;
	race_leave(cc);
	conn_strip(&cc->conn);
	cc->unshaken = true;
	cc->out.done = true; /* nothing was begun, nothing is owed */
	cc->sent_at = cc->conn.shaking_at;
	zombie_await(cc);
	return true;
}

bool zombie_answered(struct cconn *cc)
{
	bool cut_short = cc->shut && cc->arm != HANGUP_OUT;
	zombie_judge(cc, true);
	return !cut_short;
}

void zombie_closed(struct cconn *cc)
{
	struct upstream *u = cc->up;
	enum hangup_arm arm = cc->arm;
	bool hung_up = cc->state == CCONN_DRAINING && cc->shut && arm != HANGUP_OUT;
	zombie_judge(cc, true);
	if (!hung_up)
		return;
	admission_note_gone(cc);
	ns_t until = natural_end(cc);
	if (arm == HANGUP_TRIED && until)
		upstream_slot_ghost(u, cc, until);
}

void zombie_on_timer(struct cconn *cc)
{
	struct upstream *u = cc->up;
	bool judged = cc->arm != HANGUP_OUT;
	zombie_judge(cc, false);
	if (judged && u->cfg.drain_for > soon_for(cc)) {
		io_timer_set(u->worker->loop, &cc->timer,
			ns_add(zombie_now(cc), u->cfg.drain_for - soon_for(cc)));
		return;
	}
	/* The server may be at it for longer yet: its slot stays charged. */
	admission_note_gone(cc);
	upstream_slot_ghost(u, cc, end_of_broken(cc));
	cconn_break(cc);
}

void zombie_cut_short(struct cconn *cc)
{
	struct upstream *u = cc->up;
	bool frees = u->cfg.abandon == ABANDON_RESET || u->cfg.abandon == ABANDON_CLOSE ||
		     (u->cfg.abandon == ABANDON_AUTO && hangups_frees(u->hangups));
	ns_t settle = ns_max(2 * io_rtt(&cc->conn.sock), u->cfg.settle_for);
	ns_t until = natural_end(cc);
	if (!frees && (cc->out.sent_any || cc->out.tried) && !cc->write_failed &&
		until > ns_add(zombie_now(cc), settle))
		upstream_slot_ghost(u, cc, until);
}

bool zombies_hang_up(struct upstream *u)
{
	bool some = false;
	if (u->cfg.abandon != ABANDON_AUTO || !hangups_frees(u->hangups))
		return false;
	LIST_EACH (&u->conns[CCONN_DRAINING], n, after) {
		struct cconn *cc = CONTAINER_OF(n, struct cconn, node);
		if (cc->shut)
			continue;
		hang_up(cc);
		some |= cc->shut;
	}
	return some;
}

void zombie_note_refused(struct upstream *u)
{
	if (!u->tuner && u->cfg.abandon == ABANDON_AUTO)
		tell_mind(u, hangups_note_refused(u->hangups, worker_now(u->worker)));
}

void zombie_note_served(struct cconn *cc)
{
	struct upstream *u = cc->up;
	ns_t now = zombie_now(cc);
	bool is_served = cc->status < 500 && cc->status != 429;
	if (is_served)
		hangups_note_took(u->hangups, now - cc->sent_at, now);
	if (cc->life.served == 1 && slots_room(&u->slots) == 0 && is_served)
		hangups_note_served(u->hangups);
}

struct hangups *upstream_hangups(const struct upstream *u)
{
	return u->hangups;
}

double upstream_drain_share(const struct upstream *u)
{
	return u->cfg.drain_share;
}

enum upstream_abandon upstream_abandon(const struct upstream *u)
{
	return u->cfg.abandon;
}

const char *upstream_abandon_label(enum upstream_abandon abandon, bool frees)
{
	switch (abandon) {
	case ABANDON_DRAIN:
		return "drain";
	case ABANDON_RESET:
		return "reset";
	case ABANDON_CLOSE:
		return "close";
	case ABANDON_AUTO:
		return frees ? "auto: hang up" : "auto: drain";
	}
	NEVER_HERE();
}

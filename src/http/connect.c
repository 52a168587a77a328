/*
 * How a call gets a new connection: to one address after the other, and to several at once
 * when one keeps it waiting (RFC 8305). Nothing of the call is sent before, so any may win.
 *
 * MODEL   An attempt is a CONNECTING cconn. Those for one call are a ring (cconn.rival), of
 *         which one has the call; the first to be connected gets it, and the others are
 *         closed.
 * RULES   1. An attempt that fails goes on with the next address by itself, in its slot.
 *         2. In connection units each attempt has a slot: a second one is made only with
 *            room, and with nobody waiting for it. In request units the call's slot is the
 *            only one, and goes with the call.
 *         3. An address is tried once a call.
 *         4. cfg.connects_max bounds the attempts: a server's accept queue is short, and what
 *            does not fit into it comes again a second later. Calls beyond that are PENDING, with
 *            their slots, in the order they came; an idle connection that comes free
 *            meanwhile goes to the oldest of them. So nothing waits for two things at once,
 *            and a batch is admitted whole.
 */
#include "http/upstream_internal.h"

/* RFC 8305 5: the Connection Attempt Delay. */
#define CONNECT_RACE_AFTER (250 * NS_MS)

/* --- the ring --- */

static void race_join(struct cconn *cc, struct cconn *fresh)
{
	fresh->rival = cc->rival ? cc->rival : cc;
	cc->rival = fresh;
}

void race_leave(struct cconn *cc)
{
	struct cconn *before = cc->rival;
	if (!before)
		return;
	while (before->rival != cc)
		before = before->rival;
	before->rival = cc->rival == before ? NULL : cc->rival;
	cc->rival = NULL;
}

/* The attempt that has the call; NULL: nobody waits any more. */
static struct cconn *race_holder(struct cconn *cc)
{
	struct cconn *at = cc;
	while (!at->call && at->rival && at->rival != cc)
		at = at->rival;
	return at->call ? at : NULL;
}

static void race_pass(struct cconn *from, struct cconn *to)
{
	cconn_take_call(to, cconn_detach(from));
	if (upstream_is_conn_unit(from->up))
		return;
	to->slot = from->slot;
	from->slot = NULL;
}

void race_end(struct cconn *cc)
{
	struct upstream *u = cc->up;
	ns_t late = worker_now(u->worker) - CONNECT_RACE_AFTER;
	while (cc->rival) {
		struct cconn *loser = cc->rival;
		if (loser->attempt_at <= late)
			endpoint_avoid(u, loser->endpoint);
		if (!conn_is_shaking(&loser->conn) || !zombie_unshaken(loser))
			cconn_close(loser, IO_CLOSE_RESET);
	}
}

/* --- an attempt --- */

static struct cconn *attempt_new(
	struct upstream *u, struct slot *slot, enum cconn_state state)
{
	struct cconn *cc = slab_take(&u->worker->cconns);
	CHECK(cc); /* it was reserved */
	upstream_note_conn(u);
	cc->up = u;
	cc->slot = slot;
	cconn_init(cc);
	cc->state = state;
	list_push_front(&u->conns[state], &cc->node);
	return cc;
}

bool connect_may_start(const struct upstream *u)
{
	uint32_t max = u->cfg.connects_max;
	if (u->share && max)
		max = max > share_seats(u->share) ? max / share_seats(u->share) : 1;
	return !max || u->conns[CCONN_CONNECTING].len < max;
}

static ns_t attempt_due(const struct cconn *cc)
{
	return ns_add(cc->attempt_at, cc->up->cfg.connect_for);
}

/* Looks again when another address could be tried beside it. */
static void attempt_wait(struct cconn *cc)
{
	struct worker *w = cc->up->worker;
	ns_t due = attempt_due(cc);
	if (!cc->raced && cc->up->endpoint_count > 1)
		due = ns_min(due, ns_add(worker_now(w), CONNECT_RACE_AFTER));
	io_timer_set(w->loop, &cc->timer, due);
}

void attempt_start(struct cconn *cc)
{
	struct upstream *u = cc->up;
	cc->attempt_at = worker_now(u->worker);
	health_note_start(cc);
	cc->failed = local_connect(cc);
	if (cc->failed != ERR_OK) {
		cconn_do_later(cc);
		return;
	}
	u->stats.sockets++;
	if (cc->endpoint->tls)
		tls_connect(&cc->conn, cc->endpoint->tls);
	attempt_wait(cc);
	cconn_rearm(cc);
}

void cconn_open(struct upstream *u, struct call *call, struct slot *slot)
{
	bool pending = !connect_may_start(u) || u->conns[CCONN_PENDING].len > 0;
	struct cconn *cc = attempt_new(
		u, slot, pending ? CCONN_PENDING : CCONN_CONNECTING);
	cconn_take_call(cc, call);
	call->state = CALL_CONNECTING;
	call->tried = 0;
	endpoint_take(cc, endpoint_pick(u, call));
	if (!pending)
		attempt_start(cc);
}

bool connect_spare(struct upstream *u)
{
	struct endpoint *e = endpoint_pick_well(u);
	if (!e)
		return false;
	bool counts = upstream_is_conn_unit(u);
	struct cconn *cc = attempt_new(u,
		counts ? upstream_take_slot(u, SLOT_CONNECTING) : NULL, CCONN_CONNECTING);
	endpoint_take(cc, e);
	attempt_start(cc);
	return true;
}

/* --- turns --- */

/* Where it was to go may be the server's no longer. */
static void pending_start(struct cconn *cc)
{
	struct upstream *u = cc->up;
	if (!cc->endpoint->live) {
		endpoint_give(cc);
		cc->call->tried = 0;
		endpoint_take(cc, endpoint_pick(u, cc->call));
	}
	cconn_enter(cc, CCONN_CONNECTING, NS_NEVER);
	attempt_start(cc);
}

/* Its call goes to an idle connection instead: of their slots the call's own remains. */
static void pending_pass(struct cconn *cc, struct cconn *idle)
{
	struct upstream *u = cc->up;
	struct slot *mine = cc->slot;
	cc->slot = idle->slot;
	idle->slot = mine;
	slot_enter(&u->slots, mine, SLOT_BUSY, 0);
	upstream_slot_unused(u, cc);
	u->stats.reused++;
	cconn_assign(idle, cconn_detach(cc));
	cconn_close(cc, IO_CLOSE_RESET);
}

void connect_settle(struct upstream *u)
{
	struct list *pending = &u->conns[CCONN_PENDING];
	struct list_node *n = list_back(pending);
	while (n && u->conns[CCONN_IDLE].len) {
		struct cconn *cc = CONTAINER_OF(n, struct cconn, node);
		n = n->prev == &pending->head ? NULL : n->prev;
		if (!call_wants_fresh(u, cc->call))
			pending_pass(cc, upstream_pick_idle(u, cc->call));
	}
	while ((n = list_back(pending)) && connect_may_start(u))
		pending_start(CONTAINER_OF(n, struct cconn, node));
}

/* Another address at once, beside those that keep the call waiting. */
static void race_more(struct cconn *cc)
{
	struct upstream *u = cc->up;
	struct cconn *holder = race_holder(cc);
	if (!holder || u->stopping || !connect_may_start(u) || !upstream_reserve_spare(u))
		return;
	struct endpoint *e = endpoint_pick(u, holder->call);
	if (!e) {
		upstream_unreserve_spare(u);
		return;
	}
	bool counts = upstream_is_conn_unit(u);
	struct cconn *fresh = attempt_new(u,
		counts ? upstream_take_slot(u, SLOT_CONNECTING) : NULL, CCONN_CONNECTING);
	cc->raced = true;
	race_join(cc, fresh);
	endpoint_take(fresh, e);
	attempt_start(fresh);
}

void attempt_on_timer(struct cconn *cc)
{
	if (!conn_is_open(&cc->conn) || conn_is_shaking(&cc->conn))
		return; /* TLS ends that by itself */
	if (worker_now(cc->up->worker) >= attempt_due(cc)) {
		attempt_failed(cc, ERR_CONNECT_TIMEOUT);
		return;
	}
	if (!cc->raced)
		race_more(cc);
	attempt_wait(cc);
}

/* Whether another address could do better: not so if this host is at fault, or if the server
 * was reached and its TLS is what failed. */
static bool is_of_address(enum err why)
{
	return why == ERR_REFUSED || why == ERR_UNREACHABLE ||
	       why == ERR_CONNECT_TIMEOUT || why == ERR_NO_PORTS || why == ERR_ACCESS;
}

/* The next address, in the same slot; in a later turn, so that no socket is opened inside a
 * callback of the one before. */
static bool attempt_go_on(struct cconn *cc, enum err why)
{
	struct upstream *u = cc->up;
	struct cconn *holder = race_holder(cc);
	if (!is_of_address(why))
		return false;
	if (why == ERR_NO_PORTS)
		local_tell(u, cc->endpoint);
	else
		endpoint_avoid(u, cc->endpoint);
	struct endpoint *e = holder && !u->stopping ? endpoint_pick(u, holder->call)
						    : NULL;
	if (!e)
		return false;
	cconn_close_socket(cc, IO_CLOSE_FIN);
	endpoint_give(cc);
	endpoint_take(cc, e);
	cc->failed = ERR_OK;
	cconn_do_later(cc);
	return true;
}

/* TLS has failed: no TIME_WAIT for each try. What the server does not answer it may not have
 * looked at, and so it would not see that we went. */
static void attempt_end(struct cconn *cc, enum err why)
{
	if (why != ERR_TLS_TIMEOUT || !zombie_unshaken(cc))
		cconn_break(cc);
}

void attempt_failed(struct cconn *cc, enum err why)
{
	struct upstream *u = cc->up;
	u->stats.connects_failed++;
	health_note_connect(cc, why);
	if (attempt_go_on(cc, why))
		return;
	if (cc->rival) { /* the others go on */
		if (cc->call)
			race_pass(cc, cc->rival);
		attempt_end(cc, why);
		return;
	}
	struct call *call = cconn_detach(cc);
	cconn_keep_detail(cc, call);
	if (call) /* its time, too, is asked for */
		call->tls_at = cc->conn.shaking_at;
	if (call && cc->conn.cut)
		tune_cut(call, cc->conn.shaking_at);
	upstream_slot_call_over(u, cc);
	attempt_end(cc, why);
	if (call)
		call_finish(call, u, why);
	else
		pool_no_spare(u);
}

void attempt_won(struct cconn *cc)
{
	struct cconn *holder = race_holder(cc);
	cc->up->stats.connects++;
	vital_note_reached(cc->endpoint->vital);
	if (holder && holder != cc)
		race_pass(holder, cc);
	race_end(cc);
}

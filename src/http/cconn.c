/* A connection to the server: what it does with the one call that may be on it, from the connect to
 * its end. The answer is read in reply.c, new connections are made in connect.c. */
#include "http/internal.h"
#include "http/upstream_internal.h"

/* Longer than a round trip after the connection is there: a busy server's way to its refusal. At
 * most one call in 220 waits so (flow/wall.h), and each new connection while the limit grows. */
#define CCONN_HESITATES_FOR (5 * NS_MS)
/* How long the server may take to close after an answer that said so. */
#define CCONN_PARTING_FOR NS_S

size_t cconn_size(void)
{
	return sizeof(struct cconn);
}

/* --- states --- */

void cconn_enter(struct cconn *cc, enum cconn_state state, ns_t for_ns)
{
	struct worker *w = cconn_worker(cc);
	list_remove(&cc->up->conns[cc->state], &cc->node);
	if (cc->state == CCONN_CONNECTING && cc->up->conns[CCONN_PENDING].len)
		upstream_poke(cc->up); /* the next one's turn */
	cc->state = state;
	list_push_front(&cc->up->conns[state], &cc->node);
	if (for_ns == NS_NEVER)
		io_timer_stop(w->loop, &cc->timer);
	else
		io_timer_set(w->loop, &cc->timer, ns_add(worker_now(w), for_ns));
}

/* How often a BUSY connection is looked at: see cconn_on_pace. */
static ns_t cconn_look_for(const struct cconn *cc)
{
	ns_t look = ns_min(cc->up->cfg.first_byte_for, cc->up->cfg.stall_for);
	bool hedges = cc->call->hedgeable && !cc->call->hedged;
	return hedges ? ns_min(look, hedge_delay(cc->up)) : look;
}

void cconn_do_later(struct cconn *cc)
{
	io_defer(cconn_worker(cc)->loop, &cc->later);
}

void cconn_rearm(struct cconn *cc)
{
	unsigned bits = 0;
	if (!conn_is_open(&cc->conn))
		return;
	if (cc->state == CCONN_CONNECTING) {
		conn_want(&cc->conn, IO_WRITE);
		return;
	}
	if (!cc->paused && !cc->eof)
		bits |= IO_READ;
	if (!cc->write_failed && (cc->blocked || !outbound_is_flushed(&cc->out)))
		bits |= IO_WRITE;
	conn_want(&cc->conn, bits);
}

void cconn_close_socket(struct cconn *cc, enum io_close how)
{
	struct upstream_stats *stats = &cc->up->stats;
	if (!conn_is_open(&cc->conn))
		return;
	stats->rx_bytes += cc->conn.rx_bytes;
	stats->tx_bytes += cc->conn.tx_bytes;
	stats->sockets--;
	local_closed(cc, how);
	conn_close(&cc->conn, how);
}

void cconn_close(struct cconn *cc, enum io_close how)
{
	struct worker *w = cconn_worker(cc);
	if (cc->state == CCONN_CLOSED)
		return;
	CHECK(!cc->call);
	tune_ended(cc->up, &cc->mark, LIMIT_LEFT);
	zombie_over(cc);
	stalled_note_closed(cc);
	upstream_slot_settle(cc->up, cc);
	race_leave(cc);
	cconn_close_socket(cc, how);
	endpoint_give(cc);
	inbound_relax(&cc->in, w, true);
	outbound_reset(&cc->out, w);
	cconn_enter(cc, CCONN_CLOSED, NS_NEVER);
	cconn_do_later(cc);
}

static void cconn_unlist(struct cconn *cc)
{
	struct worker *w = cconn_worker(cc);
	list_remove(&cc->up->conns[cc->state], &cc->node);
	io_timer_stop(w->loop, &cc->timer);
	io_defer_cancel(w->loop, &cc->later);
}

void cconn_free(struct cconn *cc)
{
	struct upstream *u = cc->up;
	CHECK(cc->state == CCONN_CLOSED);
	cconn_unlist(cc);
	if (u->share)
		quota_give(share_sockets(u->share), 1);
	slab_give(&u->worker->cconns, cc);
	upstream_note_no_conn(u);
}

void cconn_leave(struct cconn *cc)
{
	struct upstream *u = cc->up;
	CHECK(cc->state == CCONN_IDLE && !conn_is_open(&cc->conn) && !cc->slot);
	cconn_unlist(cc);
	endpoint_give(cc);
	inbound_relax(&cc->in, u->worker, true);
	outbound_reset(&cc->out, u->worker);
	slab_give_charged(&u->worker->cconns, cc);
	upstream_note_no_conn(u);
}

struct call *cconn_detach(struct cconn *cc)
{
	struct call *call = cc->call;
	cc->call = NULL;
	if (call)
		call->conn = NULL;
	return call;
}

struct call *cconn_leave_mark(struct cconn *cc)
{
	struct call *call = cconn_detach(cc);
	cc->mark = call->mark;
	call->mark.sent_at = 0;
	return call;
}

/* --- a call comes onto a connection --- */

void cconn_take_call(struct cconn *cc, struct call *call)
{
	cc->call = call;
	cc->method = call->method;
	cc->caller_key = call->caller_key;
	cc->status = 0;
	cc->interims = 0;
	cc->told = cc->head_seen = cc->keep = cc->last = cc->unasked = cc->early = false;
	cc->write_failed = cc->paused = cc->blocked = false;
	outbound_reset(&cc->out, cconn_worker(cc));
	cc->in.scan = (struct h1_scan){ 0 };
	call->conn = cc;
	call->reused = cc->pooled;
	call->kept = cc->life.served > 0;
}

void cconn_assign(struct cconn *cc, struct call *call)
{
	CHECK(cc->state == CCONN_IDLE);
	cc->pooled = true;
	pool_took(cc);
	cconn_take_call(cc, call);
	call->state = CALL_SENDING;
	cconn_enter(cc, CCONN_BUSY, cconn_look_for(cc));
	cconn_do_later(cc);
}

static void on_conn_ready(struct conn *conn, unsigned bits);
static void on_timer(struct timer *t);
static void on_later(struct io_defer *d);

void cconn_init(struct cconn *cc)
{
	cc->in.bulky = true;
	cc->conn.on_ready = on_conn_ready;
	cc->timer.on_fire = on_timer;
	cc->later.fn = on_later;
}

/* --- the end of a call --- */

/*
 * We say FIN first. Under a limit the server's own FIN is waited for: it says that ours was
 * noticed, however late a busy server comes to it; only then does the slot settle.
 */
static void cconn_fin_first(struct cconn *cc)
{
	struct upstream *u = cc->up;
	u->stats.closed_done++;
	if (slots_limit(&u->slots) == SLOTS_NO_LIMIT ||
		conn_shutdown(&cc->conn) != ERR_OK) {
		cconn_close(cc, IO_CLOSE_FIN);
		return;
	}
	cc->shut = true;
	cconn_enter(cc, CCONN_PARTING, CCONN_PARTING_FOR);
	cconn_rearm(cc);
}

/* The connection stays: it is pooled, or closed in the manner asked for. */
static void cconn_release(struct cconn *cc)
{
	struct upstream *u = cc->up;
	bool whole = cconn_has_sent(cc);
	bool clean = whole && !cc->unasked && cc->in.start == cc->in.end;
	upstream_slot_call_over(u, cc);
	if (u->cfg.connections == UPSTREAM_PRETEND && clean && !cc->shut) {
		cconn_fin_first(cc);
		return;
	}
	if (!clean || cc->shut) {
		u->stats.closed_done++;
		cconn_break(cc);
		return;
	}
	inbound_relax(&cc->in, cconn_worker(cc), false);
	cc->paused = false;
	if (!cc->keep || u->cfg.connections != UPSTREAM_POOL || u->stopping) {
		cconn_enter(cc, CCONN_PARTING, CCONN_PARTING_FOR);
		cconn_rearm(cc);
		return;
	}
	const bool fit = pool_keeps(cc);
	if (cc->early || !fit) {
		u->stats.aged += !fit;
		u->stats.closed_done++;
		cconn_close_first(cc);
		return;
	}
	if (upstream_is_conn_unit(u))
		upstream_slot_idle(u, cc);
	pool_put(cc);
}

void cconn_answer_done(struct cconn *cc)
{
	struct upstream *u = cc->up;
	struct call *call = cconn_detach(cc);
	cc->life.served++;
	bool whole = zombie_answered(cc);
	if (!whole) {
		admission_note_gone(cc);
	} else if (cc->told) { /* else it has taken no time: nothing was asked */
		zombie_note_served(cc);
		admission_note_answer(cc);
	}
	if (!call) {
		enum limit_end how = cc->status < 500 ? LIMIT_ANSWERED : LIMIT_FAILED;
		u->stats.drained++;
		tune_ended(u, &cc->mark, whole ? how : LIMIT_LEFT);
	}
	cconn_release(cc);
	if (!call)
		return;
	call_finish(call, u, ERR_OK);
	/* A connection that a server keeps as it refuses is no slot to wait for. */
	if (u->went_back && upstream_is_conn_unit(u) && cc->state == CCONN_IDLE)
		cconn_close_idle(cc);
}

/* The connection will be closed before the call is told. */
void cconn_keep_detail(struct cconn *cc, struct call *call)
{
	struct upstream *u = cc->up;
	if (!call)
		return;
	if (cc->failed != ERR_NO_PORTS) /* then local_tell's */
		snprintf(u->detail, sizeof(u->detail), "%s", conn_detail(&cc->conn));
	call->detail = slice_of(u->detail);
}

void cconn_fail(struct cconn *cc, enum err why)
{
	struct upstream *u = cc->up;
	bool ended = why == ERR_EOF || why == ERR_RESET || why == ERR_PIPE;
	cc->gone |= ended && conn_is_left(&cc->conn);
	if (again_replay(cc, why))
		return;
	struct call *call = cconn_detach(cc);
	if (call)
		call->heard = cc->in.start != cc->in.end;
	u->stats.closed_error += call != NULL;
	cconn_keep_detail(cc, call);
	zombie_closed(cc);
	if (ended)
		cconn_close_after(cc);
	else
		cconn_break(cc);
	if (call)
		call_finish(call, u, why);
}

void cconn_on_eof(struct cconn *cc)
{
	struct upstream *u = cc->up;
	u->stats.closed_by_peer += !cc->shut;
	cc->gone = conn_is_left(&cc->conn);
	if (cc->tunnel && cc->conn.cut) {
		cconn_fail(cc, ERR_RES_TRUNCATED);
		return;
	}
	if (cc->tunnel) {
		tunnel_on_eof(cc);
		return;
	}
	if (cconn_is_idle(cc))
		pool_lost(cc);
	if (cconn_is_idle(cc) || cc->state == CCONN_PARTING) {
		cconn_close_after(cc);
		return;
	}
	if (!cc->head_seen) {
		cconn_fail(cc, cc->in.start != cc->in.end ? ERR_RES_TRUNCATED : ERR_EOF);
		return;
	}
	/* Under TLS anybody on the way can forge a FIN, but not the close_notify before it. */
	bool cut = cc->conn.cut && cc->in.body.body == H1_BODY_CLOSE;
	if (!cut && h1_decoder_eof(&cc->in.body) == H1_DONE) {
		cc->keep = false;
		cconn_answer_done(cc);
		if (cc->state == CCONN_PARTING)
			cconn_close_after(cc);
		return;
	}
	cconn_fail(cc, ERR_RES_TRUNCATED);
}

/* --- writing the request --- */

void cconn_write_failed(struct cconn *cc, enum err why)
{
	cc->write_failed = true;
	cc->blocked = false;
	cc->failed = why;
	cconn_do_later(cc);
}

void cconn_flush(struct cconn *cc)
{
	if (cc->write_failed)
		return;
	enum err e = outbound_flush(&cc->out, cconn_worker(cc), &cc->conn);
	if (e != ERR_OK && e != ERR_AGAIN)
		cconn_write_failed(cc, e);
	else if (e == ERR_OK && cc->tunnel && cc->out.done)
		cconn_do_later(cc); /* FIN follows */
	cconn_rearm(cc);
}

static void cconn_tell_ready(struct cconn *cc)
{
	struct call *call = cc->call;
	cc->told = true;
	call->state = CALL_SENDING;
	call->sent_at = cc->sent_at = worker_now(cconn_worker(cc));
	cc->sent_from = conn_sent(&cc->conn);
	call->at = cc->endpoint->id;
	call->tls_at = cc->pooled ? 0 : cc->conn.shaking_at;
	cc->up->stats.sent++;
	call->ops->on_ready(call);
	if (cc->state == CCONN_BUSY)
		cconn_flush(cc);
	if (cc->state == CCONN_BUSY && cc->call && cconn_has_sent(cc))
		stalled_note_asked(cc);
}

/* A tunnel with no HTTP before it. */
static void cconn_start_raw(struct cconn *cc)
{
	h1_decoder_init(&cc->in.body, H1_BODY_TUNNEL, 0);
	cc->head_seen = true;
	cc->call->answered = true;
	tunnel_begin(cc);
	cconn_tell_ready(cc);
}

/* A refusal may well be on its way, and nobody could ask again for a call that is written. */
static bool cconn_hesitates(const struct cconn *cc)
{
	const struct call *call = cc->call;
	return call->mark.tries && !cc->pooled && upstream_is_conn_unit(cc->up) &&
	       !(call->replayable && h1_is_idempotent(call->method));
}

/* cconn_on_pace goes on. */
static void cconn_hesitate(struct cconn *cc)
{
	struct worker *w = cconn_worker(cc);
	ns_t for_ns = io_rtt(&cc->conn.sock) + CCONN_HESITATES_FOR;
	io_timer_set(w->loop, &cc->timer, ns_add(worker_now(w), for_ns));
	cconn_rearm(cc);
}

/* Whether the server has said something unasked, or has closed, is known before the first
 * write. */
static void cconn_look_and_tell(struct cconn *cc)
{
	enum err e = inbound_fill(&cc->in, cconn_worker(cc), &cc->conn);
	if (e == ERR_AGAIN && cconn_hesitates(cc))
		cconn_hesitate(cc);
	else if (e == ERR_AGAIN)
		cconn_tell_ready(cc);
	else if (e == ERR_OK)
		cconn_on_unasked(cc);
	else if (e == ERR_EOF)
		cconn_on_eof(cc);
	else
		cconn_fail(cc, e);
}

/* A pooled connection. If it has died, an idempotent call is replayed; another one is lost as
 * soon as a byte of it is sent, so it looks first; so do all when that happens often. */
static void cconn_start_pooled(struct cconn *cc)
{
	if (h1_is_idempotent((enum h1_method)cc->method) && !retry_doubts(&cc->up->retry))
		cconn_tell_ready(cc);
	else
		cconn_look_and_tell(cc);
}

static void cconn_on_connected(struct cconn *cc)
{
	struct upstream *u = cc->up;
	attempt_won(cc);
	pool_opened(cc);
	if (!cc->call) {
		/* Its caller left while we connected: a fresh connection for the pool. */
		if (upstream_is_conn_unit(u))
			upstream_slot_idle(u, cc);
		else
			upstream_slot_call_over(u, cc);
		pool_put(cc);
		return;
	}
	tune_opened(u, cc->call);
	slot_enter(&u->slots, cc->slot, SLOT_BUSY, 0);
	cconn_enter(cc, CCONN_BUSY, cconn_look_for(cc));
	if (cc->call->raw)
		cconn_start_raw(cc);
	else
		cconn_look_and_tell(cc);
}

static void cconn_on_writable(struct cconn *cc)
{
	if (cc->state == CCONN_CONNECTING) {
		enum err e = conn_connected(&cc->conn);
		if (e == ERR_AGAIN)
			return;
		if (e == ERR_OK) {
			cconn_on_connected(cc);
			return;
		}
		attempt_failed(cc, e);
		return;
	}
	enum err e = outbound_flush(&cc->out, cconn_worker(cc), &cc->conn);
	if (e == ERR_AGAIN)
		return;
	if (e != ERR_OK) {
		cconn_write_failed(cc, e);
	} else if (cc->blocked && cc->call && cc->call->ops->on_drain) {
		cc->blocked = false;
		cc->call->ops->on_drain(cc->call);
	}
	if (cc->state == CCONN_CLOSED)
		return;
	if (cc->tunnel)
		tunnel_step(cc);
	else
		cconn_rearm(cc);
}

static void on_conn_ready(struct conn *conn, unsigned bits)
{
	struct cconn *cc = CONTAINER_OF(conn, struct cconn, conn);
	if (bits & IO_WRITE)
		cconn_on_writable(cc);
	if ((bits & IO_READ) && conn_is_open(conn) && (conn_wanted(conn) & IO_READ))
		cconn_on_readable(cc);
}

/* Until when the server must have sent something. */
static ns_t cconn_due(const struct cconn *cc, enum err *why)
{
	const struct upstream_cfg *cfg = &cc->up->cfg;
	bool asked = cc->told && cc->out.done && outbound_is_flushed(&cc->out);
	*why = ERR_IDLE;
	if (cc->paused)
		return NS_NEVER; /* it is the client that keeps us waiting */
	CHECK(!cc->tunnel);
	if (cc->head_seen || cc->in.start != cc->in.end)
		return ns_add(
			ns_max(cc->conn.last_rx_at, cc->resumed_at), cfg->stall_for);
	ns_t moved_at = ns_max(cc->conn.last_tx_at, cc->call->sent_at);
	if (asked) {
		*why = ERR_FIRST_BYTE;
		return ns_add(moved_at, cfg->first_byte_for);
	}
	/* The request is under way: is it the server that does not take it? */
	bool stuck = cc->told && (cc->blocked || !outbound_is_flushed(&cc->out));
	return stuck ? ns_add(moved_at, cfg->stall_for) : NS_NEVER;
}

/* The timer of a BUSY connection is not moved as bytes come and go: when it fires, the times
 * noted by the connection tell. What the server is late with is abandoned by policy. */
static void cconn_on_pace(struct cconn *cc)
{
	struct upstream *u = cc->up;
	struct call *call = cc->call;
	ns_t now = worker_now(u->worker);
	enum err why;
	if (!cc->told && !cc->unasked && !cc->pooled)
		cconn_tell_ready(cc); /* it has hesitated */
	if (cc->state != CCONN_BUSY || cc->tunnel)
		return;
	ns_t due = cconn_due(cc, &why);
	if (now < due) {
		if (hedge_due(cc) <= now)
			hedge_try(cc);
		if (stalled_due(cc) <= now && stalled_give_back(cc))
			return;
		ns_t next = ns_min(hedge_due(cc), ns_add(now, cconn_look_for(cc)));
		if (stalled_due(cc) > now)
			next = ns_min(next, stalled_due(cc));
		io_timer_set(u->worker->loop, &cc->timer, ns_min(due, next));
		return;
	}
	u->stats.abandoned++;
	cconn_abandon(cc);
	call_finish(call, u, why);
}

static void on_timer(struct timer *t)
{
	struct cconn *cc = CONTAINER_OF(t, struct cconn, timer);
	switch (cc->state) {
	case CCONN_CONNECTING:
		attempt_on_timer(cc);
		break;
	case CCONN_IDLE:
	case CCONN_PARKED:
		pool_on_timer(cc);
		break;
	case CCONN_DRAINING:
		zombie_on_timer(cc);
		break;
	case CCONN_PARTING:
		cc->up->stats.closed_done++;
		if (cc->shut)
			cconn_close(cc, IO_CLOSE_FIN);
		else
			cconn_close_first(cc);
		break;
	case CCONN_BUSY:
		cconn_on_pace(cc);
		break;
	case CCONN_PENDING:
	case CCONN_CLOSED:
	case CCONN_STATES:
		break;
	}
}

/* What must not happen inside the app's own call. */
static void on_later(struct io_defer *d)
{
	struct cconn *cc = CONTAINER_OF(d, struct cconn, later);
	if (cc->state == CCONN_CLOSED)
		cconn_free(cc);
	else if (cc->state == CCONN_CONNECTING && cc->failed != ERR_OK)
		attempt_failed(cc, cc->failed);
	else if (cc->state == CCONN_CONNECTING && !conn_is_open(&cc->conn))
		attempt_start(cc);
	else if (cconn_is_active(cc) && cc->write_failed)
		cconn_read_out(cc);
	else if (cc->state == CCONN_BUSY && !cc->told && !cc->unasked)
		cconn_start_pooled(cc);
	else if (cconn_is_active(cc)) {
		if (!outbound_is_flushed(&cc->out))
			cconn_flush(cc);
		cconn_process(cc);
		if (cc->tunnel && cconn_is_active(cc))
			tunnel_step(cc);
	}
}

void cconn_abandon(struct cconn *cc)
{
	struct upstream *u = cc->up;
	struct call *call = cconn_leave_mark(cc);
	bool raw = call->raw;
	if (cc->state == CCONN_PENDING) {
		tune_ended(u, &cc->mark, LIMIT_UNSENT);
		upstream_slot_unused(u, cc);
		cconn_close(cc, IO_CLOSE_RESET);
		return;
	}
	if (cc->state == CCONN_CONNECTING && !raw) {
		tune_ended(u, &cc->mark, LIMIT_UNSENT);
		race_end(cc);
		return; /* it will join the pool */
	}
	if (raw || cc->tunnel) {
		tunnel_abandon(cc);
		return;
	}
	if (!cc->out.head_done && !cc->unasked) {
		cc->keep = true;
		cc->out.done = true; /* nothing was begun, nothing is owed */
		tune_ended(u, &cc->mark, LIMIT_UNSENT);
		cconn_release(cc);
		return;
	}
	bool whole = cconn_has_sent(cc);
	if (stalled_is(cc)) {
		u->stats.stalled++;
		cconn_break(cc);
		return;
	}
	if (whole &&
		(u->cfg.abandon == ABANDON_DRAIN || u->cfg.abandon == ABANDON_AUTO)) {
		zombie_begin(cc);
		return;
	}
	admission_note_gone(cc);
	if (!whole)
		zombie_cut_short(cc);
	u->stats.closed_done++;
	if (whole && u->cfg.abandon == ABANDON_CLOSE)
		cconn_close(cc, IO_CLOSE_FIN);
	else if (whole)
		cconn_close(cc, IO_CLOSE_RESET);
	else
		cconn_break(cc);
}

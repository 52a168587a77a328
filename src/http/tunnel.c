/*
 * The client side's tunnels: what is left of a cconn when HTTP is over on it, or was never
 * there.
 *
 * MODEL   Each direction ends by itself. The server's FIN ends reading (eof). call_end ends
 *         writing (out.done); behind the last byte goes our FIN (shut). With both the tunnel
 *         is over.
 */
#include "http/upstream_internal.h"

void tunnel_begin(struct cconn *cc)
{
	struct worker *w = cc->up->worker;
	/* What is left of the request's head goes first. */
	cc->out.framing = H1_BODY_TUNNEL;
	cc->out.head_done = true;
	cc->out.done = false;
	cc->tunnel = true;
	if (cc->call) /* how long it lasts says nothing of the server */
		tune_ended(cc->up, &cc->call->mark, LIMIT_UNSENT);
	io_timer_stop(w->loop, &cc->timer);
}

static void tunnel_over(struct cconn *cc)
{
	struct upstream *u = cc->up;
	struct call *call = cconn_detach(cc);
	if (!call)
		u->stats.drained++;
	cconn_close(cc, IO_CLOSE_FIN);
	if (call)
		call_finish(call, u, ERR_OK);
}

void tunnel_step(struct cconn *cc)
{
	bool written = cc->out.done && outbound_is_flushed(&cc->out);
	if (written && !cc->shut && !cc->write_failed) {
		enum err e = conn_shutdown(&cc->conn);
		if (e == ERR_OK)
			cc->shut = true;
		else
			cconn_write_failed(cc, e);
	}
	if (cc->shut && cc->eof)
		tunnel_over(cc);
	else
		cconn_rearm(cc);
}

void tunnel_on_eof(struct cconn *cc)
{
	if (cc->write_failed) { /* there is nobody any more */
		cconn_fail(cc, cc->failed);
		return;
	}
	cc->eof = true;
	if (cc->call && cc->call->ops->on_eof)
		cc->call->ops->on_eof(cc->call);
	if (cc->state != CCONN_CLOSED)
		tunnel_step(cc);
}

/* One made for a CONNECT: what its server owes it is an answer, as far as anybody can tell. */
static bool tunnel_is_raw(const struct cconn *cc)
{
	return cc->tunnel && cc->status == 0;
}

void tunnel_heard(struct cconn *cc, ns_t before)
{
	ns_t now = worker_now(cc->up->worker), asked_at = cc->conn.last_tx_at;
	if (tunnel_is_raw(cc) && asked_at > before)
		hangups_note_took(cc->up->hangups, now - asked_at, now);
}

/* Its server may be at work for a caller who has gone, as with a call. */
static void tunnel_cut(struct cconn *cc)
{
	if (!tunnel_is_raw(cc) || cc->conn.last_tx_at <= cc->conn.last_rx_at)
		return;
	cc->sent_at = cc->conn.last_tx_at;
	zombie_cut_short(cc);
}

void tunnel_abandon(struct cconn *cc)
{
	struct upstream *u = cc->up;
	if (cc->eof && cc->out.done && !cc->write_failed) {
		slot_enter(&u->slots, cc->slot, SLOT_DRAINING, 0);
		cconn_enter(cc, CCONN_DRAINING, u->cfg.drain_for);
		cc->paused = false;
		cconn_rearm(cc);
		cconn_do_later(cc);
		return;
	}
	race_end(cc);
	u->stats.closed_done++;
	tunnel_cut(cc);
	cconn_close(cc, IO_CLOSE_RESET);
}

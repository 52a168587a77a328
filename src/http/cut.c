/*
 * The end of a client's connection whose answer is not whole. A reset tells so where a FIN could
 * pass for the answer's end, but destroys what is still on its way: the answers before, if
 * requests came together. So it waits until those have arrived; there the kernel keeps them for
 * the client to read. This answer's own piece is worth no wait: its end is due now.
 */
#include "http/server_internal.h"

/* Without a byte arriving. As long as it lingers after an answer: a client that takes nothing would
 * not read that either. */
#define CUT_FOR (2 * NS_S)
#define CUT_LOOK_FIRST NS_MS

/* Bytes of answers before this one that have not arrived. */
static uint32_t before_left(struct sconn *c)
{
	const uint32_t own = (uint32_t)conn_sent(&c->conn) - c->sent_from;
	const uint32_t all = io_unacked(&c->conn.sock);
	return all > own ? all - own : 0;
}

void sconn_look_cut(struct sconn *c)
{
	const ns_t now = worker_now(c->server->worker);
	const uint32_t left = before_left(c);
	if (left < c->cut_left) {
		c->cut_left = left;
		c->cut_at = now;
	}
	const ns_t spent = now - c->cut_at;
	if (left == 0 || spent >= CUT_FOR)
		sconn_close(c, IO_CLOSE_RESET);
	else /* twice as late as the look before */
		sconn_deadline(c, ns_min(ns_max(CUT_LOOK_FIRST, spent), CUT_FOR - spent));
}

static void cut_begin(struct sconn *c)
{
	struct worker *w = c->server->worker;
	sconn_drop_head(c);
	inbound_relax(&c->in, w, true);
	outbound_reset(&c->out, w);
	c->blocked = false;
	c->cut_left = UINT32_MAX;
	sconn_enter(c, SCONN_CUT);
	sconn_look_cut(c);
	if (c->state == SCONN_CUT)
		sconn_rearm(c);
}

void sconn_cut(struct sconn *c)
{
	const bool whole = c->out.done && outbound_is_flushed(&c->out) && !c->broken &&
			   !c->tunnel;
	if (!c->out.sent_any || whole)
		sconn_close(c, IO_CLOSE_FIN);
	else if (c->broken || c->tunnel || c->server->stopping)
		sconn_close(c, IO_CLOSE_RESET);
	else
		cut_begin(c);
}

void sconn_close_now(struct sconn *c)
{
	sconn_close(c, c->state == SCONN_CUT ? IO_CLOSE_RESET : IO_CLOSE_FIN);
}

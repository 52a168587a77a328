/* The pace of a client while its request is with the app: what it owes, and since when. The
 * timer is not moved as bytes come and go: when it fires, the connection's last_rx_at and
 * last_tx_at tell. */
#include "http/server_internal.h"

/* Less of a body than this in a span of body_for is a drip. */
#define SERVER_BODY_STEP_BYTES 1024

static void sconn_restart_window(struct sconn *c)
{
	c->window_from = worker_now(c->server->worker);
	c->window_rx = (uint32_t)c->conn.rx_bytes;
}

void sconn_watch_pace(struct sconn *c, bool writing)
{
	const struct server_cfg *cfg = &c->server->cfg;
	struct worker *w = c->server->worker;
	uint8_t awaited = 0;
	if (writing)
		awaited |= AWAIT_WRITE;
	if (!c->body_done && !c->body_paused && !c->continue_due && !c->out.done)
		awaited |= AWAIT_BODY;
	if (awaited & ~c->awaited) {
		c->waits_from = worker_now(w);
		sconn_restart_window(c);
		if (!timer_is_set(&c->timer))
			io_timer_set(w->loop, &c->timer,
				ns_add(worker_now(w),
					ns_min(cfg->write_for, cfg->body_for)));
	}
	c->awaited = awaited;
}

enum err sconn_check_pace(struct sconn *c, ns_t now, ns_t *due)
{
	const struct server_cfg *cfg = &c->server->cfg;
	*due = NS_NEVER;
	if (c->awaited & AWAIT_WRITE)
		*due = ns_add(ns_max(c->waits_from, c->conn.last_tx_at), cfg->write_for);
	if (now >= *due)
		return ERR_SLOW_CLIENT;
	if (!(c->awaited & AWAIT_BODY))
		return ERR_OK;
	*due = ns_min(
		*due, ns_add(ns_max(c->waits_from, c->conn.last_rx_at), cfg->body_for));
	if (now >= *due)
		return ERR_REQ_TIMEOUT;
	if (now >= ns_add(c->window_from, cfg->body_for)) {
		if ((uint32_t)c->conn.rx_bytes - c->window_rx < SERVER_BODY_STEP_BYTES)
			return ERR_REQ_TIMEOUT;
		sconn_restart_window(c);
	}
	*due = ns_min(*due, ns_add(c->window_from, cfg->body_for));
	return ERR_OK;
}

/* A thread that was held up sees late what came early; the kernel does not know that a last
 * byte is TLS's goodbye. */
bool sconn_is_early_fin(struct sconn *c)
{
	ns_t since = ns_max(c->conn.last_rx_at, c->hears_from);
	ns_t within = c->server->cfg.fin_within;
	if (c->state != SCONN_BUSY || !c->body_done)
		return false;
	return worker_now(c->server->worker) - since < within ||
	       (!c->conn.tls && io_end_gap(&c->conn.sock) < within);
}

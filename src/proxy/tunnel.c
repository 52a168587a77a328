/*
 * tunnel: a forward whose bytes are not HTTP: behind a 101 (RFC 9110 7.8), or behind the 200
 * to a CONNECT (9.3.6).
 *
 * MODEL   Each end's bytes go to the other, with back-pressure; so does each end's FIN, behind
 *         them, and the other direction lives on. What resets one end resets the other.
 * RULES   1. The request's deadline is over with the 101 or 200. From then on the one bound is
 *            tunnel-idle-for: so long without a byte or an end, either way.
 */
#include "proxy/forward.h"

/* More than this in Upgrade fields is no offer. */
#define TUNNEL_OFFER_BYTES 1024

enum err tunnel_offer(struct forward *f, const struct h1_head *head)
{
	char buf[TUNNEL_OFFER_BYTES];
	struct wire w;
	/* With content the server would have to switch behind it: no client does that. */
	if (head->body == H1_BODY_CHUNKED || head->content_length > 0)
		return ERR_OK;
	wire_init(&w, buf, sizeof(buf));
	if (!h1_put_offer(&w, head))
		return w.over ? ERR_REQ_HEAD_LARGE : ERR_REQ_SYNTAX;
	if (w.len)
		f->offer = slice_dup((struct slice){ w.ptr, w.len });
	f->call.upgrade = slice_of(f->offer);
	return ERR_OK;
}

void tunnel_put_required(struct forward *f, const struct h1_head *head, struct wire *w)
{
	char buf[TUNNEL_OFFER_BYTES];
	struct wire offer;
	if (LIKELY(head->status != 426) || !head->upgrade)
		return;
	wire_init(&offer, buf, sizeof(buf));
	if (h1_put_offer(&offer, head) && offer.len)
		sconn_put_upgrade(f->client, w, (struct slice){ offer.ptr, offer.len });
}

static void tunnel_moved(struct forward *f)
{
	f->moved_at = proxy_now(f->proxy);
}

/* Neither end gets a FIN: what was said is not whole. */
static void tunnel_break(struct forward *f, enum err why)
{
	struct sconn *client = f->client;
	f->proxy->reasons[why]++;
	f->x.why = why;
	call_abandon(&f->call, f->x.route->upstream);
	forward_end(f);
	sconn_abort(client);
}

static void on_idle(struct timer *t)
{
	struct forward *f = CONTAINER_OF(t, struct forward, timer);
	ns_t due = ns_add(f->moved_at, f->x.route->tunnel_idle_for);
	if (proxy_now(f->proxy) >= due)
		tunnel_break(f, ERR_TUNNEL_IDLE);
	else
		io_timer_set(f->proxy->worker.loop, t, due);
}

/* --- the server's end --- */

static size_t on_call_data(struct call *call, struct slice data)
{
	struct forward *f = call_forward(call);
	size_t taken = sconn_data(f->client, data);
	f->x.bytes_out += taken;
	if (taken)
		tunnel_moved(f);
	return taken;
}

static void on_call_drain(struct call *call)
{
	sconn_body_resume(call_forward(call)->client);
}

static void on_call_flush(struct call *call)
{
	sconn_flush(call_forward(call)->client);
}

static void on_call_eof(struct call *call)
{
	struct forward *f = call_forward(call);
	tunnel_moved(f);
	sconn_end(f->client);
}

static void on_call_end(struct call *call, enum err why)
{
	/* With both of its directions over, the client's are about to be. */
	if (why != ERR_OK)
		tunnel_break(call_forward(call), why);
}

static const struct call_ops tunnel_call_ops = {
	.on_data = on_call_data,
	.on_drain = on_call_drain,
	.on_flush = on_call_flush,
	.on_eof = on_call_eof,
	.on_end = on_call_end,
};

/* --- the client's end --- */

static size_t on_body(struct sconn *client, struct slice data)
{
	struct forward *f = client_forward(client);
	size_t taken = call_data(&f->call, data);
	if (taken)
		tunnel_moved(f);
	return taken;
}

static void on_body_end(struct sconn *client)
{
	struct forward *f = client_forward(client);
	tunnel_moved(f);
	call_end(&f->call);
}

static void on_drain(struct sconn *client)
{
	call_resume(&client_forward(client)->call);
}

static void on_end(struct sconn *client, enum err why)
{
	struct forward *f = client_forward(client);
	if (why != ERR_OK)
		f->proxy->reasons[why]++;
	call_abandon(&f->call, f->x.route->upstream);
	forward_end(f);
}

static const struct server_ops tunnel_ops = {
	.on_body = on_body,
	.on_body_end = on_body_end,
	.on_drain = on_drain,
	.on_end = on_end,
};

/* --- how it begins --- */

/* The request's head is about to go: what is told of it later is noted now. */
static void tunnel_keep(struct forward *f, uint16_t status)
{
	f->x.status = status;
	access_keep(f->proxy, f->client, &f->x);
	explain_note(f->proxy, f->client, &f->x);
}

static void tunnel_begin(struct forward *f, uint16_t status)
{
	struct proxy *p = f->proxy;
	p->tunnels_now++;
	p->tunnels_total++;
	proxy_count_answer(p, status);
	f->x.ops = &tunnel_ops;
	f->call.ops = &tunnel_call_ops;
	f->x.tunnel = f->answering = true;
	f->timer.on_fire = on_idle;
	tunnel_moved(f);
	io_timer_set(p->worker.loop, &f->timer,
		ns_add(f->moved_at, f->x.route->tunnel_idle_for));
}

void tunnel_switch(struct forward *f, const struct h1_head *head)
{
	char buf[TUNNEL_OFFER_BYTES];
	struct wire w, to;
	wire_init(&to, buf, sizeof(buf));
	bool ok = h1_put_offer(&to, head) &&
		  sconn_begin(f->client, head->status, head->reason, &w);
	if (ok) {
		h1_put_fields(&w, head, 0);
		way_put_answer(&w, &f->x.route->plan->way, head);
		tunnel_keep(f, head->status);
		ok = sconn_tunnel(f->client, &w, (struct slice){ to.ptr, to.len });
	}
	if (ok)
		tunnel_begin(f, head->status);
	else
		forward_fail(f, ERR_RES_HEAD_LARGE);
}

static void on_raw_ready(struct call *call)
{
	struct forward *f = call_forward(call);
	struct wire w;
	tunnel_keep(f, 200);
	if (sconn_begin(f->client, 200, SLICE("Connection Established"), &w) &&
		sconn_tunnel(f->client, &w, SLICE_NONE))
		tunnel_begin(f, 200);
	else
		forward_fail(f, ERR_NO_MEMORY);
}

static void on_raw_end(struct call *call, enum err why)
{
	struct forward *f = call_forward(call);
	capture_detail(&f->capture, call->detail);
	proxy_note(f->x.route, f->client, why, &f->capture);
	forward_fail(f, why);
}

/* Until it is connected; then tunnel_call_ops. */
static const struct call_ops raw_call_ops = {
	.on_ready = on_raw_ready,
	.on_end = on_raw_end,
};

void tunnel_request(struct proxy *p, struct sconn *client, const struct h1_head *head,
	const struct route *r, ns_t begun_at)
{
	ns_t until;
	struct forward *f = forward_new(p, client, r, begun_at);
	if (!f)
		return;
	f->call.ops = &raw_call_ops;
	f->call.method = H1_CONNECT;
	f->call.raw = true;
	enum err why = proxy_until(r, head, begun_at, &until);
	if (why == ERR_OK)
		forward_submit(f, until);
	else
		forward_fail(f, why);
}

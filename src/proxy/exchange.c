/* The server's callbacks: a request is routed, then is a forward's or a gather's. */
#include "proxy/proxy.h"

void exchange_begin(struct proxy *p, struct exchange *x, const struct server_ops *ops,
	const struct route *r, ns_t begun_at)
{
	x->ops = ops;
	x->route = r;
	plan_ref(r->plan);
	x->begun_at = begun_at;
	p->exchanges_now++;
	if (r->host)
		egress_use(r->host);
}

void exchange_pass(struct proxy *p, struct exchange *x)
{
	struct plan *plan = x->route->plan;
	p->exchanges_now--;
	if (x->route->host)
		egress_leave(x->route->host); /* and the route may be gone with it */
	plan_unref(plan);
}

bool exchange_is_upstreams(const struct exchange *x)
{
	return x->why == ERR_OK && x->route;
}

void exchange_tell(struct proxy *p, struct sconn *client, const struct exchange *x)
{
	access_note(p, client, x);
	explain_note(p, client, x);
	if (!x->status || x->tunnel)
		return;
	durations_note(
		&p->took[exchange_is_upstreams(x) ? PROXY_BY_UPSTREAM : PROXY_BY_WEIR],
		x->begun_at ? proxy_now(p) - x->begun_at : 0);
}

void exchange_end(struct proxy *p, struct exchange *x, struct sconn *client)
{
	exchange_tell(p, client, x);
	mem_free(x->kept);
	exchange_pass(p, x);
}

static void on_request(struct sconn *client, const struct h1_head *head)
{
	struct proxy *p = server_ctx(sconn_server(client));
	const struct route *r = NULL;
	const bool forwards = sconn_mark(client) != EGRESS_REVERSE;
	p->exchanges_total++;
	/* RFC 9112 9.3, C.2.2: for one who takes it for a proxy the word may be another's, of an
	 * older proxy on the way that passed it on blindly. */
	if (forwards && head->minor == 0)
		sconn_set_close(client);
	if (way_ends_here(p, client, head))
		return;
	if (forwards) {
		egress_request(p, client, head);
		return;
	}
	r = plan_route(p->plan, head);
	if (!r)
		proxy_answer_reason(p, client, NULL, ERR_NO_ROUTE);
	else if (UNLIKELY(!plan_path_is_clear(p->plan, head, r)))
		proxy_answer_reason(p, client, NULL, ERR_REQ_PATH);
	else if (r->gather > 1 || r->parts)
		gather_request(p, client, head, r);
	else
		forward_request(p, client, head, r, proxy_now(p));
}

/* Without an exchange the request has been answered: what is left of it is dropped. */
static size_t on_body(struct sconn *client, struct slice data)
{
	struct exchange *x = sconn_ctx(client);
	if (!x)
		return data.len;
	x->bytes_in += data.len;
	size_t taken = x->ops->on_body(client, data);
	/* An exchange may be over with it, and then is not ours any more. */
	if (taken < data.len && sconn_ctx(client) == x)
		x->bytes_in -= data.len - taken;
	return taken;
}

static void on_body_end(struct sconn *client)
{
	struct exchange *x = sconn_ctx(client);
	if (x)
		x->ops->on_body_end(client);
}

static void on_drain(struct sconn *client)
{
	struct exchange *x = sconn_ctx(client);
	if (x)
		x->ops->on_drain(client);
}

static void on_end(struct sconn *client, enum err why)
{
	struct exchange *x = sconn_ctx(client);
	if (!x)
		return;
	if (x->why == ERR_OK)
		x->why = why;
	/* For what is wrong with a body the engine answers. */
	if (!x->status && why != ERR_STOPPING)
		x->status = err_status(why);
	x->ops->on_end(client, why);
}

/* The engine answers: what is left to do is to say so. Of a request that came so far as to be an
 * exchange, its end does the rest. */
static void on_refused(struct sconn *client, enum err why, struct server_words *words)
{
	struct proxy *p = server_ctx(sconn_server(client));
	struct exchange none = { .status = err_status(why), .why = why },
			*x = sconn_ctx(client);
	explain_put_fields(&words->fields, p, x ? x : &none);
	CHECK(!words->fields.over);
	text_addf(&words->body, "weir: %s (%s)\nto do: %s", err_text(why), err_label(why),
		explain_advice(why, EXPLAIN_GIVEN));
	if (sconn_head(client))
		return;
	p->heads_refused++;
	p->reasons[why]++;
	proxy_count_answer(p, err_status(why));
	access_note_refused(p, client, why);
	explain_note_refused(p, &none);
}

static bool on_accept(struct server *s, struct conn *c, const struct addr *peer)
{
	const struct proxy *p = server_ctx(s);
	bool secure = c->tls != NULL;
	struct visitor *v = visitor_new(&p->plan->way, access_is_on(p), secure, c, peer);
	sconn_set_conn_ctx(sconn_of(c), v);
	if (sconn_mark(sconn_of(c)) != EGRESS_REVERSE)
		sconn_set_mark(sconn_of(c), egress_mark(p, peer));
	return true;
}

static void on_close(struct sconn *client)
{
	struct visitor *v = sconn_conn_ctx(client);
	visitor_free(&v);
	sconn_set_conn_ctx(client, NULL);
}

static void on_drained(struct server *s)
{
	struct proxy *p = server_ctx(s);
	if (p->on_drained)
		p->on_drained(p);
}

const struct server_ops proxy_ops = {
	.on_accept = on_accept,
	.on_request = on_request,
	.on_body = on_body,
	.on_body_end = on_body_end,
	.on_drain = on_drain,
	.on_refused = on_refused,
	.on_end = on_end,
	.on_close = on_close,
	.on_drained = on_drained,
};

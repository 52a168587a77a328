/* The server's callbacks: a request is routed, then is a forward's or a gather's. */
#include "proxy/proxy.h"

void exchange_begin(struct proxy *p, struct exchange *x, const struct server_ops *ops,
	struct route *r)
{
	x->ops = ops;
	x->route = r;
	plan_ref(r->plan);
	p->exchanges_now++;
}

void exchange_end(struct proxy *p, struct exchange *x)
{
	p->exchanges_now--;
	plan_unref(x->route->plan);
}

static void on_request(struct sconn *client, const struct h1_head *head)
{
	struct proxy *p = server_ctx(sconn_server(client));
	struct route *r = plan_route(p->plan, head);
	p->exchanges_total++;
	if (!r)
		proxy_answer_reason(p, client, NULL, ERR_NO_ROUTE);
	else if (r->gather > 1)
		gather_request(p, client, head, r);
	else
		forward_request(p, client, head, r);
}

/* Without an exchange the request has been answered: what is left of it is dropped. */
static size_t on_body(struct sconn *client, struct slice data)
{
	struct exchange *x = sconn_ctx(client);
	return x ? x->ops->on_body(client, data) : data.len;
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
	if (x)
		x->ops->on_end(client, why);
}

static void on_close(struct sconn *client)
{
	proxy_client_closed(server_ctx(sconn_server(client)));
}

const struct server_ops proxy_ops = {
	.on_request = on_request,
	.on_body = on_body,
	.on_body_end = on_body_end,
	.on_drain = on_drain,
	.on_end = on_end,
	.on_close = on_close,
};

#include "admin/admin.h"

#include "admin/query.h"
#include "obs/metrics.h"

#define ADMIN_HEAD_FOR (10 * NS_S)
#define ADMIN_IDLE_FOR (60 * NS_S)
#define ADMIN_STALL_FOR \
	(10 * NS_S)      /* who sends, or takes, nothing makes room for others */
#define ADMIN_CLIENTS 16 /* they fit into FDS_SPARE */

struct admin {
	struct worker worker;
	struct server *server;
	struct admin_ops ops;
	void *ctx;
	/* Who waits for what is being fetched, and who came later and waits for the next. */
	struct list waiting, later;
	struct list asking; /* who has asked for an explanation */
	bool fetching;
};

#define JSON_TYPE SLICE("application/json")
#define TEXT_TYPE SLICE("text/plain; charset=utf-8")

/* In what form the gauges are shown. */
enum shown { SHOWN_NONE, SHOWN_JSON, SHOWN_SUMMARY, SHOWN_METRICS };

/* An answer that may be larger than what the kernel takes at once. */
struct reply {
	struct admin *admin;
	struct list_node node; /* on waiting, later or asking, until there is a body */
	struct list *on;
	struct sconn *client;
	uint64_t asked; /* ops->explain's number */
	enum shown shown;
	struct text body;
	size_t sent;
};

struct route {
	struct slice path, query;
	enum shown shown; /* by what there is to be shown */
	bool is_set, is_explain;
};

static enum shown shown_at(const struct admin_ops *ops, struct slice path)
{
	if (slice_eq(path, SLICE("/")) || slice_eq(path, SLICE("/status")))
		return SHOWN_JSON;
	if (ops->summary && slice_eq(path, SLICE("/summary")))
		return SHOWN_SUMMARY;
	if (ops->metrics && slice_eq(path, SLICE("/metrics")))
		return SHOWN_METRICS;
	return SHOWN_NONE;
}

static struct route route_of(const struct admin *a, const struct h1_head *head)
{
	size_t mark = slice_find(head->path, '?');
	struct route r = {
		.path = slice_cut(head->path, 0, mark),
		.query = slice_cut(head->path, mark + 1, head->path.len),
	};
	r.shown = shown_at(&a->ops, r.path);
	r.is_set = slice_eq(r.path, SLICE("/set"));
	r.is_explain = slice_eq(r.path, SLICE("/explain"));
	return r;
}

static void say(struct sconn *c, uint16_t status, struct slice fields, const char *what)
{
	struct text body;

	text_init(&body);
	text_addf(&body, "%s\n", what);
	sconn_answer(c, &(struct answer){
				.status = status,
				.type = TEXT_TYPE,
				.fields = fields,
				.body = text_slice(&body),
			});
	text_fini(&body);
}

static void send_rest(struct sconn *c, struct reply *reply)
{
	struct slice all = text_slice(&reply->body);

	reply->sent += sconn_data(c, slice_cut(all, reply->sent, all.len));
	if (reply->sent == all.len)
		sconn_end(c);
}

static void wait_on(struct reply *reply, struct list *l)
{
	if (reply->on)
		list_remove(reply->on, &reply->node);
	reply->on = l;
	if (l)
		list_push_back(l, &reply->node);
}

/* The client is gone, or nothing can be said to it. */
static void forget(struct reply *reply)
{
	wait_on(reply, NULL);
	sconn_set_ctx(reply->client, NULL);
	text_fini(&reply->body);
	mem_free(reply);
}

/* Its body is there. */
static void send_body(struct reply *reply, uint16_t status, struct slice type)
{
	struct sconn *c = reply->client;
	struct wire w;

	if (!sconn_begin(c, status, SLICE_NONE, &w)) {
		forget(reply);
		sconn_abort(c);
		return;
	}
	h1_put_field(&w, SLICE("Content-Type"), type);
	h1_put_field(&w, SLICE("Cache-Control"), SLICE("no-store"));
	CHECK(sconn_head_end(c, &w, H1_BODY_LENGTH, reply->body.len));
	send_rest(c, reply);
}

static void write_json(struct admin *a, struct text *body)
{
	struct json j;

	json_init(&j, body, true);
	json_object(&j, NULL);
	a->ops.status(a->ctx, &j);
	json_end(&j);
	text_add_char(body, '\n');
}

static void show_gauges(struct reply *reply)
{
	struct admin *a = reply->admin;

	switch (reply->shown) {
	case SHOWN_NONE:
		break;
	case SHOWN_JSON:
		write_json(a, &reply->body);
		send_body(reply, 200, JSON_TYPE);
		return;
	case SHOWN_SUMMARY:
		a->ops.summary(a->ctx, &reply->body);
		send_body(reply, 200, TEXT_TYPE);
		return;
	case SHOWN_METRICS:
		a->ops.metrics(a->ctx, &reply->body);
		send_body(reply, 200, SLICE(METRICS_TYPE));
		return;
	}
	CHECK(!"a form of the gauges");
}

static void show_all(struct admin *a)
{
	struct list_node *n;

	while ((n = list_front(&a->waiting))) {
		struct reply *reply = CONTAINER_OF(n, struct reply, node);
		wait_on(reply, NULL);
		show_gauges(reply);
	}
}

/* What is told must not be older than who asks for it. */
static void fetch(struct admin *a)
{
	struct list_node *n;

	while (!a->fetching && (n = list_front(&a->later))) {
		for (; n; n = list_front(&a->later))
			wait_on(CONTAINER_OF(n, struct reply, node), &a->waiting);
		a->fetching = a->ops.fetch && !a->ops.fetch(a->ctx);
		if (!a->fetching)
			show_all(a);
	}
}

void admin_fetched(struct admin *a)
{
	if (!a->fetching)
		return;
	a->fetching = false;
	show_all(a);
	fetch(a);
}

static struct reply *reply_new(struct sconn *c, struct admin *a, struct list *on)
{
	struct reply *reply = mem_zalloc(sizeof(*reply));

	reply->admin = a;
	reply->client = c;
	text_init(&reply->body);
	sconn_set_ctx(c, reply);
	wait_on(reply, on);
	return reply;
}

static void show(struct sconn *c, struct admin *a, enum shown shown)
{
	reply_new(c, a, &a->later)->shown = shown;
	fetch(a);
}

static struct slice wanted_id(const struct query *q)
{
	for (uint32_t i = 0; i < q->n; i++)
		if (slice_eq(q->pairs[i].name, SLICE("id")))
			return q->pairs[i].value;
	return SLICE_NONE;
}

static void explain(struct sconn *c, struct admin *a, struct slice text)
{
	struct query query;
	struct problem p = { 0 };
	char *buf = mem_alloc(text.len + 1);
	struct slice id = SLICE_NONE;

	if (query_parse(&query, text, buf, &p))
		id = wanted_id(&query);
	if (id.len)
		reply_new(c, a, &a->asking)->asked = a->ops.explain(a->ctx, id);
	else
		say(c, 400, SLICE_NONE,
			p.text[0] ? p.text : "which request? GET /explain?id=ID");
	mem_free(buf);
}

void admin_explained(struct admin *a, uint64_t asked, uint16_t status, struct slice json)
{
	LIST_EACH (&a->asking, n, after) {
		struct reply *reply = CONTAINER_OF(n, struct reply, node);
		if (reply->asked != asked)
			continue;
		wait_on(reply, NULL);
		text_add_slice(&reply->body, json);
		send_body(reply, status, JSON_TYPE);
		return;
	}
}

static void set_values(struct sconn *c, struct admin *a, struct slice text)
{
	struct query query;
	struct problem p = { 0 };
	char *buf = mem_alloc(text.len + 1);
	bool is_set = false;

	if (!a->ops.set)
		problem_set(&p, "nothing can be set here");
	else if (query_parse(&query, text, buf, &p)) {
		if (query.n == 0)
			problem_set(&p, "nothing to set: POST /set?name=value&...");
		else
			is_set = a->ops.set(a->ctx, query.pairs, query.n, &p);
	}
	mem_free(buf);
	if (is_set)
		show(c, a, SHOWN_JSON);
	else
		say(c, 400, SLICE_NONE, p.text);
}

static void on_request(struct sconn *c, const struct h1_head *head)
{
	(void)head;
	sconn_continue(c);
}

static size_t on_body(struct sconn *c, struct slice data)
{
	(void)c;
	return data.len;
}

static void on_body_end(struct sconn *c)
{
	struct admin *a = server_ctx(sconn_server(c));
	const struct h1_head *head = sconn_head(c);
	struct route route = route_of(a, head);

	if (route.shown != SHOWN_NONE) {
		if (head->method == H1_GET || head->method == H1_HEAD)
			show(c, a, route.shown);
		else
			say(c, 405, SLICE("Allow: GET, HEAD\r\n"),
				"this is read with GET; POST /set?name=value changes values");
	} else if (route.is_set) {
		if (head->method == H1_POST)
			set_values(c, a, route.query);
		else
			say(c, 405, SLICE("Allow: POST\r\n"),
				"values are changed with POST /set?name=value");
	} else if (route.is_explain && a->ops.explain) {
		if (head->method == H1_GET || head->method == H1_HEAD)
			explain(c, a, route.query);
		else
			say(c, 405, SLICE("Allow: GET, HEAD\r\n"),
				"this is read with GET");
	} else {
		say(c, 404, SLICE_NONE,
			a->ops.explain
				? "nothing here: GET /summary shows how it is, GET / "
				  "all gauges as JSON, GET /metrics the same for "
				  "Prometheus, GET /explain?id=ID what became of a "
				  "request"
				: "nothing here: GET / shows the gauges, POST "
				  "/set?name=value changes values");
	}
}

static void on_drain(struct sconn *c)
{
	struct reply *reply = sconn_ctx(c);

	if (reply && !reply->on)
		send_rest(c, reply);
}

static void on_end(struct sconn *c, enum err why)
{
	struct reply *reply = sconn_ctx(c);

	(void)why; /* whoever asked has the answer, or has left */
	if (reply)
		forget(reply);
}

static const struct server_ops admin_server_ops = {
	.on_request = on_request,
	.on_body = on_body,
	.on_body_end = on_body_end,
	.on_drain = on_drain,
	.on_end = on_end,
};

struct admin *admin_new(struct io_loop *loop, const struct addr *at,
	const struct admin_ops *ops, void *ctx, struct problem *p)
{
	const struct worker_cfg few = { .clients = ADMIN_CLIENTS, .servers = 1 };
	struct admin *a = mem_zalloc(sizeof(*a));
	struct server_cfg cfg = {
		.ops = &admin_server_ops,
		.ctx = a,
		.head_for = ADMIN_HEAD_FOR,
		.idle_for = ADMIN_IDLE_FOR,
		.body_for = ADMIN_STALL_FOR,
		.write_for = ADMIN_STALL_FOR,
		.gives_way = true,
		.add_date = true,
		.server_name = SLICE("weir"),
	};

	a->ops = *ops;
	a->ctx = ctx;
	list_init(&a->waiting);
	list_init(&a->later);
	list_init(&a->asking);
	worker_init(&a->worker, loop, &few);
	a->server = server_new(&a->worker, &cfg);
	if (!server_listen(a->server, at, p))
		admin_free(&a);
	return a;
}

void admin_free(struct admin **a)
{
	if (!*a)
		return;
	server_free(&(*a)->server);
	worker_fini(&(*a)->worker);
	mem_free(*a);
	*a = NULL;
}

const struct addr *admin_addr(const struct admin *a)
{
	return server_addr(a->server, 0);
}

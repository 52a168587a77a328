/*
 * gather: one request in, N calls out under the same cap and one deadline, admitted all or
 * none; the answers are merged as one JSON document, what is missing is named.
 *
 *     {"parts": [{"status": 200, "body": "..."},
 *                {"status": 503, "body": "..."},
 *                {"missing": "deadline", "why": "no answer within the deadline"}]}
 *
 * The status is 200 when every part is 2xx or 3xx, else that of the first part that is
 * not: 502 for an error answer, the error's own for a missing one.
 */
#include "base/json.h"
#include "proxy/proxy.h"

#define GATHER_REQUEST_BYTES 65536 /* a request body is held whole: it goes out N times */
#define GATHER_PART_BYTES (1 << 20) /* of one answer */

struct part {
	struct call call;
	struct gather *gather;
	struct text
		body; /* of its answer; or, when it is missing, what is known of that */
	size_t sent;  /* of the request's body */
	uint16_t status;
	bool over;
	enum err why;
};

struct gather {
	struct exchange x;
	struct proxy *proxy;
	struct sconn *client;
	struct timer deadline;
	struct text request_body;
	struct text merged; /* the answer's body while it is written */
	size_t merged_at;
	ns_t until;
	bool submitted, answering;
	uint32_t n, left;
	struct part parts[];
};

static struct part *call_part(struct call *call)
{
	return CONTAINER_OF(call, struct part, call);
}

static void gather_free(struct gather *g)
{
	io_timer_stop(g->proxy->worker.loop, &g->deadline);
	for (uint32_t i = 0; i < g->n; i++) {
		ns_t waited = access_queued_for(g->proxy, &g->parts[i].call);
		g->x.queued_for = ns_max(g->x.queued_for, waited);
		text_fini(&g->parts[i].body);
	}
	text_fini(&g->request_body);
	text_fini(&g->merged);
	exchange_end(g->proxy, &g->x, g->client);
	mem_free(g);
}

static void gather_abandon(struct gather *g, enum err why)
{
	for (uint32_t i = 0; i < g->n; i++) {
		struct part *part = &g->parts[i];
		if (part->over)
			continue;
		call_abandon(&part->call, g->x.route->upstream);
		part->over = true;
		part->why = why;
		text_reset(&part->body);
	}
	g->left = 0;
}

/* --- the merged answer --- */

static void part_json(struct json *j, const struct part *part)
{
	json_object(j, NULL);
	if (part->why == ERR_OK) {
		json_int(j, "status", part->status);
		json_str(j, "body", text_slice(&part->body));
	} else {
		json_cstr(j, "missing", err_label(part->why));
		json_str(j, "why",
			part->body.len ? text_slice(&part->body)
				       : slice_of(err_text(part->why)));
	}
	json_end(j);
}

static uint16_t part_verdict(const struct part *part)
{
	if (part->why != ERR_OK)
		return err_status(part->why) ? err_status(part->why) : 502;
	return part->status >= 200 && part->status < 400 ? 200 : 502;
}

static void gather_write(struct gather *g)
{
	struct slice rest = slice_cut(text_slice(&g->merged), g->merged_at, SIZE_MAX);
	g->merged_at += sconn_data(g->client, rest);
	g->x.bytes_out = g->merged_at;
	if (g->merged_at == g->merged.len)
		sconn_end(g->client);
}

/* Fills `merged`; the status of the whole, and why when it is not 200. */
static uint16_t gather_merge(struct gather *g, enum err *why)
{
	struct json j;
	uint16_t status = 200;
	*why = ERR_OK;
	json_init(&j, &g->merged, false);
	json_object(&j, NULL);
	json_array(&j, "parts");
	for (uint32_t i = 0; i < g->n; i++) {
		part_json(&j, &g->parts[i]);
		if (status != 200)
			continue;
		status = part_verdict(&g->parts[i]);
		if (status != 200)
			*why = g->parts[i].why == ERR_OK ? ERR_GATHER : g->parts[i].why;
	}
	json_end(&j);
	json_end(&j);
	text_add_char(&g->merged, '\n');
	return status;
}

static void gather_answer(struct gather *g)
{
	struct proxy *p = g->proxy;
	struct wire w;
	io_timer_stop(p->worker.loop, &g->deadline);
	g->answering = true;
	enum err why;
	uint16_t status = gather_merge(g, &why);
	bool ok = sconn_begin(g->client, status, SLICE_NONE, &w);
	if (ok) {
		h1_put_field(&w, SLICE("Date"), worker_date(&p->worker));
		h1_put_field(&w, SLICE("Content-Type"), SLICE("application/json"));
		if (status != 200) {
			p->reasons[why]++;
			h1_put_field(&w, SLICE("Weir-Reason"), slice_of(err_label(why)));
			explain_put_fields(&w, p, &g->x);
		}
		ok = sconn_head_end(g->client, &w, H1_BODY_LENGTH, g->merged.len);
	}
	if (!ok) {
		struct sconn *client = g->client;
		gather_free(g);
		sconn_abort(client);
		return;
	}
	g->x.status = status;
	g->x.why = why;
	proxy_count_answer(p, status);
	gather_write(g);
}

/* --- the parts --- */

static void part_over(struct part *part, enum err why)
{
	struct gather *g = part->gather;
	struct capture c;
	part->over = true;
	part->why = why;
	capture_begin(&c, part->status);
	capture_add(&c, text_slice(&part->body));
	if (why != ERR_OK) {
		capture_detail(&c, part->call.detail);
		text_reset(&part->body); /* from here on: why it is missing */
		text_add_slice(&part->body, part->call.detail);
	}
	proxy_note(g->x.route, g->client, why, &c);
	if (--g->left == 0)
		gather_answer(g);
}

/* The request's body, as far as the connection takes it; on_drain goes on. */
static void part_send(struct part *part)
{
	struct slice body = text_slice(&part->gather->request_body);
	if (part->sent < body.len)
		part->sent += call_data(
			&part->call, slice_cut(body, part->sent, SIZE_MAX));
	if (part->sent == body.len)
		call_end(&part->call);
}

static void on_part_ready(struct call *call)
{
	struct part *part = call_part(call);
	struct gather *g = part->gather;
	const struct h1_head *head = sconn_head(g->client);
	struct slice body = text_slice(&g->request_body);
	enum h1_body framing = head->body == H1_BODY_NONE ? H1_BODY_NONE : H1_BODY_LENGTH;
	if (!proxy_put_request(
		    g->x.route, call, g->client, framing, body.len, g->until)) {
		call_abandon(call, g->x.route->upstream);
		part_over(part, ERR_REQ_HEAD_LARGE);
		return;
	}
	part->sent = 0;
	part_send(part);
}

static void on_part_drain(struct call *call)
{
	part_send(call_part(call));
}

static void on_part_head(struct call *call, const struct h1_head *head)
{
	struct part *part = call_part(call);
	if (head->status < 200)
		return;
	part->status = head->status;
	text_reset(&part->body);
}

static size_t on_part_data(struct call *call, struct slice data)
{
	struct part *part = call_part(call);
	if (part->body.len + data.len > GATHER_PART_BYTES) {
		call_abandon(call, part->gather->x.route->upstream);
		part_over(part, ERR_GATHER);
		return data.len;
	}
	text_add_slice(&part->body, data);
	return data.len;
}

static void on_part_end(struct call *call, enum err why)
{
	part_over(call_part(call), why);
}

static const struct call_ops part_ops = {
	.on_ready = on_part_ready,
	.on_head = on_part_head,
	.on_data = on_part_data,
	.on_drain = on_part_drain,
	.on_end = on_part_end,
};

/* --- the client --- */

/* None of the calls was admitted: a short answer of our own. */
static void gather_refuse(struct gather *g, enum err why)
{
	struct sconn *client = g->client;
	struct proxy *p = g->proxy;
	proxy_answer_reason(p, client, g->x.route, why);
	sconn_set_ctx(client, NULL);
	gather_free(g);
}

static void on_deadline(struct timer *t)
{
	struct gather *g = CONTAINER_OF(t, struct gather, deadline);
	if (!g->submitted) {
		gather_refuse(g, ERR_REQ_TIMEOUT);
		return;
	}
	gather_abandon(g, ERR_DEADLINE);
	gather_answer(g);
}

static size_t on_body(struct sconn *client, struct slice data)
{
	struct gather *g = sconn_ctx(client);
	if (!g || g->answering)
		return data.len;
	if (g->request_body.len + data.len > GATHER_REQUEST_BYTES) {
		gather_refuse(g, ERR_REQ_BODY_LARGE);
		return data.len;
	}
	text_add_slice(&g->request_body, data);
	return data.len;
}

static void on_body_end(struct sconn *client)
{
	struct gather *g = sconn_ctx(client);
	if (!g || g->answering || g->submitted)
		return;
	struct call *calls[UPSTREAM_GATHER_MAX];
	for (uint32_t i = 0; i < g->n; i++)
		calls[i] = &g->parts[i].call;
	g->submitted = true;
	enum err why = upstream_submit(g->x.route->upstream, calls, g->n, g->until);
	if (why != ERR_OK)
		gather_refuse(g, why);
}

static void on_drain(struct sconn *client)
{
	struct gather *g = sconn_ctx(client);
	if (g && g->answering && g->merged_at < g->merged.len)
		gather_write(g);
}

static void on_end(struct sconn *client, enum err why)
{
	struct gather *g = sconn_ctx(client);
	if (!g)
		return;
	proxy_note_client(g->proxy, why, g->answering);
	gather_abandon(g, ERR_CLIENT_GONE);
	gather_free(g);
}

static const struct server_ops gather_ops = {
	.on_body = on_body,
	.on_body_end = on_body_end,
	.on_drain = on_drain,
	.on_end = on_end,
};

void gather_request(struct proxy *p, struct sconn *client, const struct h1_head *head,
	const struct route *r)
{
	uint32_t n = r->gather;
	ns_t until = NS_NEVER;
	enum err why = proxy_check_request(r, head, proxy_now(p), &until);
	if (why != ERR_OK) {
		proxy_answer_reason(p, client, r, why);
		return;
	}
	struct gather *g = mem_zalloc(sizeof(*g) + n * sizeof(g->parts[0]));
	exchange_begin(p, &g->x, &gather_ops, r, proxy_now(p));
	g->proxy = p;
	g->client = client;
	g->n = g->left = n;
	g->deadline.on_fire = on_deadline;
	text_init(&g->request_body);
	text_init(&g->merged);
	for (uint32_t i = 0; i < n; i++) {
		struct part *part = &g->parts[i];
		part->gather = g;
		part->call.ops = &part_ops;
		part->call.method = (enum h1_method)head->method;
		part->call.replayable = true;
		text_init(&part->body);
	}
	sconn_set_ctx(client, g);
	g->until = until;
	io_timer_set(p->worker.loop, &g->deadline, g->until);
	sconn_continue(client);
}

/* What forward and gather share: reasons, request heads. */
#include "proxy/proxy.h"

#define PROXY_REASON_BYTES 512 /* fields of an answer of our own */
#define PROXY_WORDS_BYTES 512  /* of what such an answer says, mostly */
#define PROXY_PATH_BYTES (WORKER_BUF_BYTES + 1024)

ns_t proxy_now(const struct proxy *p)
{
	return worker_now(&p->worker);
}

void proxy_count_answer(struct proxy *p, uint16_t status)
{
	if (status < PROXY_STATUS_MAX)
		p->answers[status]++;
}

/* In the exchange, for the access log and explain; or there at once, where it never became one:
 * then `x` is not the client's. */
static void answer(struct proxy *p, struct sconn *client, struct exchange *x,
	const struct answer *a, enum err why)
{
	proxy_count_answer(p, a->status);
	sconn_answer(client, a);
	x->status = a->status;
	x->why = why;
	x->bytes_out = a->body.len;
	if (sconn_ctx(client) == x)
		return;
	exchange_tell(p, client, x);
}

void proxy_answer(struct proxy *p, struct sconn *client, const struct answer *a)
{
	struct exchange none = { .route = NULL };
	answer(p, client, &none, a, ERR_OK);
}

void proxy_answer_reason(
	struct proxy *p, struct sconn *client, const struct route *r, enum err why)
{
	proxy_answer_detail(p, client, r, why, SLICE_NONE);
}

static ns_t paused_at(struct upstream *u, uint64_t caller)
{
	return ns_max(upstream_paused_for(u), upstream_caller_paused_for(u, caller));
}

/* So long the servers of its calls want to be left alone. */
static ns_t paused_for(const struct route *r, const struct sconn *client)
{
	if (!r || !r->upstream || !sconn_head(client))
		return 0;
	uint64_t caller = account_key(r, client);
	ns_t most = paused_at(r->upstream, caller);
	for (uint32_t i = 0; r->parts && i < r->gathered->count; i++)
		most = ns_max(most, paused_at(r->parts[i].upstream, caller));
	return most;
}

/* Not 0: who asks again at once is refused again. */
void proxy_put_retry_after(
	struct wire *w, const struct route *r, const struct sconn *client)
{
	uint64_t s = (uint64_t)ns_max(1, (paused_for(r, client) + NS_S - 1) / NS_S);
	h1_put_field_u64(w, SLICE("Retry-After"), s);
}

/* What it took too long for: "... within the connect timeout: 5 s". */
static void add_bound(struct text *t, const struct route *r, enum err why)
{
	const ns_t bound = r && r->upstream ? upstream_bound(r->upstream, why) : NS_NEVER;
	if (bound == NS_NEVER)
		return;
	text_add(t, ": ");
	text_add_duration(t, bound);
}

void proxy_answer_detail(struct proxy *p, struct sconn *client, const struct route *r,
	enum err why, struct slice detail)
{
	struct exchange none = { .route = r }, *x = sconn_ctx(client);
	char buf[PROXY_REASON_BYTES];
	struct wire fields;
	struct text body;
	uint16_t status = err_status(why) ? err_status(why) : 502;
	text_init(&body);
	text_reserve(&body, PROXY_WORDS_BYTES);
	wire_init(&fields, buf, sizeof(buf));
	x = x ? x : &none;
	text_add(&body, "weir: ");
	text_add_slice(&body, detail.len ? detail : slice_of(err_text(why)));
	if (why == ERR_DEADLINE && r) {
		ns_t budget;
		(void)!proxy_budget(r, sconn_head(client), &budget);
		text_add(&body, " of ");
		text_add_duration(&body, budget);
	}
	add_bound(&body, r, why);
	if (why == ERR_PAUSED) {
		text_add(&body, ": ");
		text_add_duration(&body, paused_for(r, client));
		text_add(&body, " more");
	}
	enum explain_limit limit = EXPLAIN_GIVEN;
	if (r && r->upstream)
		limit = explain_limit(upstream_tuner(r->upstream),
			slots_limit(upstream_slots(r->upstream)));
	text_add(&body, " (");
	text_add(&body, err_label(why));
	text_add(&body, ")\nto do: ");
	text_add(&body, explain_advice(why, limit));
	text_add_char(&body, '\n');
	h1_put_field(&fields, SLICE("Weir-Reason"), slice_of(err_label(why)));
	explain_put_fields(&fields, p, x);
	if (status == 503)
		proxy_put_retry_after(&fields, r, client);
	CHECK(!fields.over);
	p->reasons[why]++;
	const struct answer a = { .status = status,
		.type = SLICE("text/plain"),
		.fields = { fields.ptr, fields.len },
		.body = text_slice(&body),
		/* After a request that is not understood nothing else is read. */
		.close = err_fault(why) == FAULT_CLIENT };
	answer(p, client, x, &a, why);
	text_fini(&body);
}

enum err proxy_check_request(
	const struct route *r, const struct sconn *client, ns_t begun_at, ns_t *until)
{
	const struct h1_head *head = sconn_head(client);
	if (head->method == H1_CONNECT || head->form == H1_FORM_AUTHORITY)
		return ERR_REQ_METHOD;
	if (!r->forwards && sconn_is_misdirected(client))
		return ERR_REQ_MISDIRECTED;
	return proxy_until(r, head, begun_at, until);
}

void proxy_note_client(struct proxy *p, enum err why, bool answering)
{
	if (why == ERR_OK)
		return;
	p->reasons[why]++;
	/* The engine answers by itself for what is wrong with a body. */
	if (!answering && err_status(why) && why != ERR_STOPPING)
		proxy_count_answer(p, err_status(why));
}

/* The path upstream: the base of its URL, then the request's. What is asked of the server as a
 * whole (`*`, or an absolute form of OPTIONS without a path) is below no base. */
static struct slice proxy_path(
	const struct route *r, const struct proxy_request *q, char *buf, size_t cap)
{
	if (r->base.len == 0 || slice_eq(q->path, SLICE("*")))
		return q->path;
	struct wire w;
	wire_init(&w, buf, cap);
	wire_put_slice(&w, r->base);
	/* RFC 9110 4.2.3: no path is the path "/" */
	if (*q->path.ptr == '?')
		WIRE_LIT(&w, "/");
	wire_put_slice(&w, q->path);
	return (struct slice){ w.ptr, w.over ? 0 : w.len };
}

void proxy_put_answer_fields(
	struct wire *w, const struct route *r, const struct h1_head *head)
{
	const struct h1_field *date = h1_field_find(head, H1_FIELD_DATE);
	h1_put_fields(w, head, 0);
	way_put_answer(w, &r->plan->way, head);
	if (!date || date->hop) /* RFC 9110 6.6.1; and Connection may name it */
		h1_put_field(w, SLICE("Date"), worker_date(&r->plan->proxy->worker));
}

bool proxy_put_request_as(const struct route *r, struct call *call,
	const struct sconn *client, const struct proxy_request *q)
{
	const struct h1_head *head = q->head;
	const struct way *way = &r->plan->way;
	const struct visitor *visitor = sconn_conn_ctx(client);
	char buf[PROXY_PATH_BYTES];
	struct wire w;
	/* A caller of HTTP/1.0 may have sent none. */
	bool keep = r->preserve_host && head->authority.len;
	struct slice host = keep ? head->authority : call_endpoint(call);
	struct slice path = proxy_path(r, q, buf, sizeof(buf));
	if (path.len == 0 || !call_begin(call, q->method, path, &w))
		return false;
	h1_put_field(&w, SLICE("Host"), host);
	h1_put_fields(&w, head, PROXY_TIME_FIELDS | way_without(way, visitor, head));
	way_put_request(&w, way, visitor, head);
	proxy_put_time_left(&w, r->plan->proxy, head, q->until);
	return call_head_end(call, &w, q->framing, q->length);
}

bool proxy_put_request(const struct route *r, struct call *call,
	const struct sconn *client, enum h1_body framing, uint64_t length, ns_t until)
{
	const struct h1_head *head = sconn_head(client);
	const struct proxy_request q = { .head = head,
		.method = head->method_text,
		.path = head->path,
		.framing = framing,
		.length = length,
		.until = until };
	return proxy_put_request_as(r, call, client, &q);
}

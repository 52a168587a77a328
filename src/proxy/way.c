#include "proxy/way.h"

#include "proxy/proxy.h"

#define BIT(id) ((uint64_t)1 << H1_FIELD_##id)
#define X_FIELDS \
	(BIT(X_FORWARDED_FOR) | BIT(X_FORWARDED_PROTO) | BIT(X_FORWARDED_HOST) | \
		BIT(X_FORWARDED_PORT))
#define ALL_FIELDS (X_FIELDS | BIT(X_FORWARDED) | BIT(X_REAL_IP) | BIT(FORWARDED))

#define HOPS_MAX ((uint64_t)1000000000000000000)
#define ECHO_MAX 12288 /* sconn_answer's bound */

/* --- the way --- */

static void via_init(struct text via[2], const char *name, const char *token)
{
	for (int minor = 0; minor < 2; minor++) {
		text_addf(&via[minor], "Via: 1.%d %s", minor, name);
		if (token)
			text_addf(&via[minor], " %s", token);
		text_add(&via[minor], "\r\n");
	}
}

void way_init(struct way *way, const struct proxy_options *o, uint64_t id)
{
	struct problem why;
	way->forwarded = (enum way_forwarded)o->forwarded;
	for (uint32_t i = 0; i < o->forwarded_trust.n; i++)
		way->trust_count += addr_net_parse(slice_of(o->forwarded_trust.v[i]),
			&way->trust[way->trust_count], &why);
	if (!o->via || strcmp(o->via, "none") == 0)
		return;
	way->token = text_format("(%016llx)", (unsigned long long)id);
	via_init(way->via_request, o->via, way->token);
	via_init(way->via_answer, o->via, NULL);
}

void way_fini(struct way *way)
{
	mem_free(way->token);
	for (int minor = 0; minor < 2; minor++) {
		text_fini(&way->via_request[minor]);
		text_fini(&way->via_answer[minor]);
	}
}

bool way_is_name(struct slice s)
{
	return h1_is_token(s);
}

/* --- visitors --- */

static bool is_trusted(const struct way *way, const struct addr *peer)
{
	for (uint32_t i = 0; i < way->trust_count; i++)
		if (addr_net_has(&way->trust[i], peer))
			return true;
	return false;
}

static char *name_of(const struct addr *peer)
{
	struct text t;
	text_init(&t);
	text_add_addr(&t, peer);
	return text_take(&t);
}

/* Where a piece of the visitor's text began. */
static struct slice piece(const struct wire *w, size_t from)
{
	return (struct slice){ w->ptr + from, w->len - from };
}

/* RFC 7239 6: an IPv6 address stands in brackets, and so in quotes. */
static void put_element(struct wire *w, struct slice node, struct slice scheme)
{
	bool v6 = slice_find(node, ':') < node.len;
	WIRE_LIT(w, "for=");
	if (v6)
		WIRE_LIT(w, "\"[");
	wire_put_slice(w, node);
	if (v6)
		WIRE_LIT(w, "]\"");
	WIRE_LIT(w, ";proto=");
	wire_put_slice(w, scheme);
}

static void put_x_lines(struct wire *w, const struct visitor *v)
{
	h1_put_field(w, SLICE("X-Forwarded-For"), v->node);
	h1_put_field(w, SLICE("X-Forwarded-Proto"), v->scheme);
	if (v->port.len)
		h1_put_field(w, SLICE("X-Forwarded-Port"), v->port);
}

struct visitor *visitor_new(const struct way *way, bool named, bool secure,
	struct conn *c, const struct addr *peer)
{
	struct addr at = { 0 };
	struct wire w;
	size_t from;
	enum {
		TEXT_BYTES = 240
	}; /* an address stands in it three times: 46 bytes each */
	if (!named && way->forwarded == WAY_NONE && way->trust_count == 0)
		return NULL;
	struct visitor *v = mem_zalloc(sizeof(*v) + TEXT_BYTES);
	v->name = named ? name_of(peer) : NULL;
	v->trusted = is_trusted(way, peer);
	v->scheme = secure ? SLICE("https") : SLICE("http");
	wire_init(&w, (char *)(v + 1), TEXT_BYTES);
	wire_put_addr_ip(&w, peer);
	v->node = w.len ? piece(&w, 0) : SLICE("unknown");
	from = w.len;
	if (io_local_addr(&c->sock, &at) && addr_port(&at))
		wire_put_u64(&w, addr_port(&at));
	v->port = piece(&w, from);
	from = w.len;
	put_x_lines(&w, v);
	v->x_lines = piece(&w, from);
	from = w.len;
	put_element(&w, v->node, v->scheme);
	v->element = piece(&w, from);
	CHECK(!w.over);
	return v;
}

void visitor_free(struct visitor **v)
{
	if (*v)
		mem_free((*v)->name);
	mem_free(*v);
	*v = NULL;
}

/* --- requests --- */

/* A connection from before the options said that anybody would ask. */
static const struct visitor stranger = {
	.node = { "unknown", 7 },
	.scheme = { "http", 4 },
	.x_lines = { "X-Forwarded-For: unknown\r\n", 26 },
	.element = { "for=unknown", 11 },
};

static bool writes_x(const struct way *way)
{
	return way->forwarded == WAY_X || way->forwarded == WAY_BOTH;
}

static bool writes_rfc7239(const struct way *way)
{
	return way->forwarded == WAY_RFC7239 || way->forwarded == WAY_BOTH;
}

static bool is_hops_method(const struct h1_head *head)
{
	return head->method == H1_TRACE || head->method == H1_OPTIONS;
}

uint64_t way_without(
	const struct way *way, const struct visitor *v, const struct h1_head *head)
{
	uint64_t without = is_hops_method(head) ? BIT(MAX_FORWARDS) : 0;
	if (!v || !v->trusted)
		return without | ALL_FIELDS;
	if (writes_x(way))
		without |= X_FIELDS | BIT(X_FORWARDED);
	if (writes_rfc7239(way))
		without |= BIT(FORWARDED);
	return without;
}

/* The values of all such fields, each with ", " behind it. */
static void put_values(struct wire *w, const struct h1_head *head, enum h1_field_id id)
{
	for (uint16_t i = 0; i < head->field_count; i++) {
		const struct h1_field *f = &head->fields[i];
		if (f->id != id || f->value.len == 0)
			continue;
		wire_put_slice(w, f->value);
		WIRE_LIT(w, ", ");
	}
}

/* The client's own, if it has said anything: what it heard is nearer to the truth. */
static void put_first_or(struct wire *w, const struct h1_head *head, enum h1_field_id id,
	struct slice name, struct slice ours)
{
	const struct h1_field *f = h1_field_find(head, id);
	struct slice value = f && f->value.len ? f->value : ours;
	if (value.len)
		h1_put_field(w, name, value);
}

/* Those of X-Forwarded-* that weir does not write, as they came; none that some server would
 * take for one that it does. */
static void put_others(struct wire *w, const struct h1_head *head)
{
	if (!(head->seen & BIT(X_FORWARDED)))
		return;
	for (uint16_t i = 0; i < head->field_count; i++) {
		const struct h1_field *f = &head->fields[i];
		if (f->id == H1_FIELD_X_FORWARDED && !f->hop &&
			slice_find(f->name, '_') == f->name.len)
			h1_put_field(w, f->name, f->value);
	}
}

static void put_x_trusted(
	struct wire *w, const struct visitor *v, const struct h1_head *head)
{
	WIRE_LIT(w, "X-Forwarded-For: ");
	put_values(w, head, H1_FIELD_X_FORWARDED_FOR);
	wire_put_slice(w, v->node);
	WIRE_LIT(w, "\r\n");
	put_first_or(w, head, H1_FIELD_X_FORWARDED_PROTO, SLICE("X-Forwarded-Proto"),
		v->scheme);
	put_first_or(
		w, head, H1_FIELD_X_FORWARDED_PORT, SLICE("X-Forwarded-Port"), v->port);
	put_first_or(w, head, H1_FIELD_X_FORWARDED_HOST, SLICE("X-Forwarded-Host"),
		head->authority);
	put_others(w, head);
}

static void put_x(struct wire *w, const struct visitor *v, const struct h1_head *head)
{
	if (v->trusted) {
		put_x_trusted(w, v, head);
		return;
	}
	wire_put_slice(w, v->x_lines);
	if (head->authority.len)
		h1_put_field(w, SLICE("X-Forwarded-Host"), head->authority);
}

/* An authority has neither " nor \ (RFC 3986 3.2.2). */
static void put_rfc7239(
	struct wire *w, const struct visitor *v, const struct h1_head *head)
{
	WIRE_LIT(w, "Forwarded: ");
	if (v->trusted)
		put_values(w, head, H1_FIELD_FORWARDED);
	wire_put_slice(w, v->element);
	if (head->authority.len) {
		WIRE_LIT(w, ";host=\"");
		wire_put_slice(w, head->authority);
		WIRE_LIT(w, "\"");
	}
	WIRE_LIT(w, "\r\n");
}

/* RFC 9110 7.6.2: Max-Forwards = 1*DIGIT, once; more than we can count is as much as we can.
 * False: it is not. */
static bool hops_left(const struct h1_head *head, uint64_t *hops)
{
	const struct h1_field *first = h1_field_find(head, H1_FIELD_MAX_FORWARDS);
	*hops = 0;
	for (uint16_t i = 0; i < head->field_count; i++)
		if (head->fields[i].id == H1_FIELD_MAX_FORWARDS &&
			&head->fields[i] != first)
			return false;
	if (first->value.len == 0)
		return false;
	for (size_t i = 0; i < first->value.len; i++) {
		char c = first->value.ptr[i];
		if (c < '0' || c > '9')
			return false;
		if (*hops < HOPS_MAX)
			*hops = *hops * 10 + (uint64_t)(c - '0');
	}
	*hops = *hops < HOPS_MAX ? *hops : HOPS_MAX;
	return true;
}

void way_put_request(struct wire *w, const struct way *way, const struct visitor *v,
	const struct h1_head *head)
{
	uint64_t hops;
	if (!v)
		v = &stranger;
	/* way_ends_here has seen that it is above 0. */
	if ((head->seen & BIT(MAX_FORWARDS)) && is_hops_method(head) &&
		hops_left(head, &hops))
		h1_put_field_u64(w, SLICE("Max-Forwards"), hops - 1);
	if (writes_x(way))
		put_x(w, v, head);
	if (writes_rfc7239(way))
		put_rfc7239(w, v, head);
	wire_put_slice(w, text_slice(&way->via_request[head->minor]));
}

/* --- requests that go no further --- */

static bool has_been_here(const struct way *way, const struct h1_head *head)
{
	if (!way->token)
		return false;
	for (uint16_t i = 0; i < head->field_count; i++) {
		const struct h1_field *f = &head->fields[i];
		if (f->id == H1_FIELD_VIA && f->value.len &&
			memmem(f->value.ptr, f->value.len, way->token,
				strlen(way->token)))
			return true;
	}
	return false;
}

/* RFC 9110 9.3.8: the head as it came, without what is the client's secret. */
static void echo_head(struct text *t, const struct h1_head *head)
{
	static const uint64_t secrets = BIT(AUTHORIZATION) | BIT(COOKIE) |
					BIT(PROXY_AUTHORIZATION);
	text_addf(t, "TRACE %.*s HTTP/1.%d\r\n", SLICE_ARG(head->target), head->minor);
	for (uint16_t i = 0; i < head->field_count; i++) {
		const struct h1_field *f = &head->fields[i];
		if (!(secrets >> f->id & 1))
			text_addf(t, "%.*s: %.*s\r\n", SLICE_ARG(f->name),
				SLICE_ARG(f->value));
	}
	text_add(t, "\r\n");
}

static void answer_trace(
	struct proxy *p, struct sconn *client, const struct h1_head *head)
{
	struct text echo;
	text_init(&echo);
	echo_head(&echo, head);
	const struct answer a = {
		.status = 200, .type = SLICE("message/http"), .body = text_slice(&echo)
	};
	if (echo.len > ECHO_MAX)
		proxy_answer_reason(p, client, NULL, ERR_REQ_HEAD_LARGE);
	else
		proxy_answer(p, client, &a);
	text_fini(&echo);
}

static void answer_options(struct proxy *p, struct sconn *client)
{
	const struct answer a = { .status = 200,
		.fields = SLICE("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, "
				"TRACE\r\n") };
	proxy_answer(p, client, &a);
}

bool way_ends_here(struct proxy *p, struct sconn *client, const struct h1_head *head)
{
	uint64_t hops;
	if (LIKELY(!(head->seen & (BIT(VIA) | BIT(MAX_FORWARDS)))))
		return false;
	if (has_been_here(&p->plan->way, head)) {
		proxy_answer_reason(p, client, NULL, ERR_LOOP);
		return true;
	}
	if (!(head->seen & BIT(MAX_FORWARDS)) || !is_hops_method(head))
		return false;
	if (!hops_left(head, &hops)) {
		proxy_answer_reason(p, client, NULL, ERR_REQ_HOPS);
		return true;
	}
	if (hops > 0)
		return false;
	if (head->method == H1_TRACE)
		answer_trace(p, client, head);
	else
		answer_options(p, client);
	return true;
}

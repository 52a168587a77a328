/* The calls of a gather, from the client's request to the merged answer on its way. */
#include "proxy/gather.h"

static struct part *call_part(struct call *call)
{
	return CONTAINER_OF(call, struct part, call);
}

/* Of a named part: whether the request's body goes with it. */
static bool part_has_body(const struct part *part)
{
	return part->call.method == H1_POST || part->call.method == H1_PUT ||
	       part->call.method == H1_PATCH;
}

/* Its answer is not kept: others may have the room. */
static void part_forget(struct part *part)
{
	part->gather->held -= part->body.len;
	part->gather->proxy->gathered_bytes -= part->body.len;
	text_fini(&part->body);
}

static void gather_free(struct gather *g)
{
	io_timer_stop(g->proxy->worker.loop, &g->deadline);
	io_defer_cancel(g->proxy->worker.loop, &g->later);
	for (uint32_t i = 0; i < g->n; i++) {
		struct part *part = &g->parts[i];
		ns_t waited = access_queued_for(g->proxy, &part->call);
		g->x.queued_for = ns_max(g->x.queued_for, waited);
		g->x.attempts += call_attempts(&part->call);
		text_fini(&part->path);
		text_fini(&part->body);
		text_fini(&part->type);
		text_fini(&part->coding);
	}
	g->proxy->gathered_bytes -= g->held;
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
		call_abandon(&part->call, part->route->upstream);
		part->over = true;
		part->why = why;
		part_forget(part);
		g->last = part;
	}
	g->left = 0;
}

/* --- the merged answer --- */

static void gather_write(struct gather *g)
{
	struct slice rest = slice_cut(text_slice(&g->merged), g->merged_at, SIZE_MAX);
	g->merged_at += sconn_data(g->client, rest);
	g->x.bytes_out = g->merged_at;
	if (g->merged_at == g->merged.len)
		sconn_end(g->client);
}

/* What is not whole is not to be kept by a cache; nor is it for who accepts something else. */
static void put_fields(
	struct gather *g, struct gather_verdict v, struct slice type, struct wire *w)
{
	const struct config_gather *cfg = g->x.route->gathered;
	struct text missing;
	text_init(&missing);
	gather_name_missing(g, &missing);
	h1_put_field(w, SLICE("Date"), worker_date(&g->proxy->worker));
	h1_put_field(w, SLICE("Content-Type"), type);
	if (cfg && cfg->as == CONFIG_AS_ACCEPT)
		h1_put_field(w, SLICE("Vary"), SLICE("Accept"));
	if (missing.len) {
		h1_put_field(w, SLICE("Weir-Missing"), text_slice(&missing));
		h1_put_field(w, SLICE("Cache-Control"), SLICE("no-store"));
	}
	if (v.status != 200)
		h1_put_field(w, SLICE("Weir-Reason"), slice_of(err_label(v.why)));
	if (v.status != 200 || g->x.parts_missing || g->x.route->server_timing)
		explain_put_fields(w, g->proxy, &g->x);
	if (v.status == 503)
		proxy_put_retry_after(w, g->x.route, g->client);
	text_fini(&missing);
}

static bool put_head(struct gather *g, struct gather_verdict v)
{
	struct text type;
	struct wire w;
	text_init(&type);
	gather_merge(g, &type);
	bool ok = sconn_begin(g->client, v.status, SLICE_NONE, &w);
	if (ok) {
		put_fields(g, v, text_slice(&type), &w);
		ok = sconn_head_end(g->client, &w, H1_BODY_LENGTH, g->merged.len);
	}
	text_fini(&type);
	return ok;
}

/* The part that explain tells of; NULL: none. */
static void note_told(struct gather *g, const struct part *told)
{
	g->x.told = told ? told->route : NULL;
	g->x.part = told && told->cfg ? told->cfg->name : NULL;
}

/* For explain: which part decided; if none did, which one all waited for. */
static void note_verdict(struct gather *g, struct gather_verdict v)
{
	const struct part *told = v.blamed ? v.blamed : g->last;
	for (uint32_t i = 0; i < g->n; i++)
		if (g->parts[i].why != ERR_OK)
			g->x.parts_missing++;
	g->x.parts = (uint8_t)g->n;
	g->x.call = told ? &told->call : NULL;
	note_told(g, told);
}

static void gather_answer(struct gather *g)
{
	struct proxy *p = g->proxy;
	struct sconn *client = g->client;
	struct gather_verdict v = gather_judge(g);
	note_verdict(g, v);
	io_timer_stop(p->worker.loop, &g->deadline);
	g->answering = true;
	if (!put_head(g, v)) {
		gather_free(g);
		sconn_abort(client);
		return;
	}
	if (v.why != ERR_OK)
		p->reasons[v.why]++;
	g->x.status = v.status;
	g->x.why = v.why;
	proxy_count_answer(p, v.status);
	gather_write(g);
}

/* At the end of the turn, for a batch may be in the middle of telling its calls. */
static void on_later(struct io_defer *d)
{
	struct gather *g = CONTAINER_OF(d, struct gather, later);
	if (g->answering)
		return;
	gather_abandon(g, ERR_ABANDONED);
	gather_answer(g);
}

/* --- the parts --- */

/* What is known of a missing part takes its body's place. */
static void part_explain(struct part *part)
{
	part_forget(part);
	if (part->why == ERR_PART_STATUS)
		text_addf(&part->body, "the server answered with %u", part->status);
	else
		text_add_slice(&part->body, part->call.detail);
}

/* What it was answered with is forgotten only then. */
static bool part_again(struct part *part, enum err why)
{
	bool failed = why != ERR_OK || part->status >= 500 || part->status == 429;
	if (!failed || call_again(&part->call, part->route->upstream, why) != RETRY_GO)
		return false;
	part_forget(part);
	part->status = 0;
	return true;
}

static void part_over(struct part *part, enum err why)
{
	struct gather *g = part->gather;
	struct capture c;
	bool bad_status = part->cfg && (part->status < 200 || part->status >= 300);
	capture_begin(&c, part->status);
	c.coded = part->coded;
	capture_add(&c, text_slice(&part->body));
	if (why != ERR_OK)
		capture_detail(&c, part->call.detail);
	if (!part->call.gave_up)
		proxy_note(part->route, g->client, why, &c);
	if (part_again(part, why))
		return;
	part->over = true;
	g->last = part;
	part->why = why == ERR_OK && bad_status ? ERR_PART_STATUS : why;
	if (part->why != ERR_OK)
		part_explain(part);
	if (--g->left == 0)
		gather_answer(g);
	else if (part->why != ERR_OK && part->cfg && !part->cfg->optional)
		io_defer(g->proxy->worker.loop, &g->later);
}

/* A part by its config, in the words of the client's request. */
static bool is_dropped(const struct part *part, struct slice name)
{
	/* Parts are whole or missing, and their bodies are looked into. */
	static const char *const names[] = { "Accept-Encoding", "Range", "If-Range",
		"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since" };
	const struct slice content = SLICE("Content-");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (slice_eq_nocase(name, slice_of(names[i])))
			return true;
	if (part->gather->x.route->gathered->as == CONFIG_AS_ACCEPT &&
		slice_eq_nocase(name, SLICE("Accept")))
		return true;
	return !part_has_body(part) &&
	       slice_eq_nocase(slice_cut(name, 0, content.len), content);
}

static bool put_named(struct part *part)
{
	struct gather *g = part->gather;
	struct h1_head head = *sconn_head(g->client);
	bool body = part_has_body(part);
	head.form = H1_FORM_ORIGIN;
	for (uint16_t i = 0; i < head.field_count; i++)
		if (is_dropped(part, head.fields[i].name))
			head.fields[i].hop = true; /* goes no further */
	const struct proxy_request q = { .head = &head,
		.method = slice_of(part->cfg->method),
		.path = text_slice(&part->path),
		.framing = body ? H1_BODY_LENGTH : H1_BODY_NONE,
		.length = body ? g->request_body.len : 0,
		.until = g->until };
	return proxy_put_request_as(part->route, &part->call, g->client, &q);
}

static bool put_alike(struct part *part)
{
	struct gather *g = part->gather;
	const struct h1_head *head = sconn_head(g->client);
	enum h1_body framing = head->body == H1_BODY_NONE ? H1_BODY_NONE : H1_BODY_LENGTH;
	return proxy_put_request(part->route, &part->call, g->client, framing,
		g->request_body.len, g->until);
}

/* The request's body, as far as the connection takes it; on_drain goes on. */
static void part_send(struct part *part)
{
	struct slice body = text_slice(&part->gather->request_body);
	if (part->cfg && !part_has_body(part))
		body = SLICE_NONE;
	if (part->sent < body.len)
		part->sent += call_data(
			&part->call, slice_cut(body, part->sent, SIZE_MAX));
	if (part->sent == body.len)
		call_end(&part->call);
}

static void part_give_up(struct part *part, enum err why)
{
	call_abandon(&part->call, part->route->upstream);
	part_over(part, why);
}

static void on_part_ready(struct call *call)
{
	struct part *part = call_part(call);
	if (part->cfg ? !put_named(part) : !put_alike(part)) {
		part_give_up(part, ERR_REQ_HEAD_LARGE);
		return;
	}
	part->sent = 0;
	part_send(part);
}

static void on_part_drain(struct call *call)
{
	part_send(call_part(call));
}

/* One that is too long to be a type is left out. */
static void note_field(struct text *t, const struct h1_field *field)
{
	text_reset(t);
	if (field && field->value.len <= GATHER_TYPE_BYTES)
		text_add_slice(t, field->value);
}

static void on_part_head(struct call *call, const struct h1_head *head)
{
	struct part *part = call_part(call);
	if (head->status < 200)
		return;
	part->status = head->status;
	part->coded = capture_is_coded(head);
	part_forget(part);
	if (!part->cfg)
		return;
	note_field(&part->type, h1_field_find(head, H1_FIELD_CONTENT_TYPE));
	note_field(&part->coding,
		part->coded ? h1_field_named(head, SLICE("Content-Encoding")) : NULL);
}

static enum err gather_hold(struct part *part, size_t bytes)
{
	struct gather *g = part->gather;
	if (part->body.len + bytes > GATHER_PART_BYTES || g->held + bytes > GATHER_BYTES)
		return ERR_PART_LARGE;
	if (g->proxy->gathered_bytes + bytes > GATHER_ALL_BYTES)
		return ERR_GATHER_FULL;
	g->held += bytes;
	g->proxy->gathered_bytes += bytes;
	return ERR_OK;
}

static size_t on_part_data(struct call *call, struct slice data)
{
	struct part *part = call_part(call);
	enum err why = gather_hold(part, data.len);
	if (why == ERR_OK)
		text_add_slice(&part->body, data);
	else
		part_give_up(part, why);
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
static void gather_refuse(struct gather *g, enum err why, struct slice detail)
{
	struct sconn *client = g->client;
	struct proxy *p = g->proxy;
	proxy_answer_detail(p, client, g->x.route, why, detail);
	sconn_set_ctx(client, NULL);
	gather_free(g);
}

static void on_deadline(struct timer *t)
{
	struct gather *g = CONTAINER_OF(t, struct gather, deadline);
	if (!g->submitted) {
		gather_refuse(g, ERR_REQ_TIMEOUT, SLICE_NONE);
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
		gather_refuse(g, ERR_REQ_BODY_LARGE, SLICE_NONE);
		return data.len;
	}
	text_add_slice(&g->request_body, data);
	return data.len;
}

static bool is_required(const struct part *part)
{
	return !part->cfg || !part->cfg->optional;
}

/* The calls to the upstream of parts[from]. *required: the first of them that must not be
 * missing; NULL: all may. */
static enum err submit_from(struct gather *g, uint32_t from, const struct part **required)
{
	struct call *calls[UPSTREAM_GATHER_MAX];
	struct upstream *to = g->parts[from].route->upstream;
	uint32_t n = 0;
	*required = NULL;
	for (uint32_t i = from; i < g->n; i++) {
		if (g->parts[i].route->upstream != to)
			continue;
		calls[n++] = &g->parts[i].call;
		if (!*required && is_required(&g->parts[i]))
			*required = &g->parts[i];
	}
	return upstream_submit(to, calls, n, g->until);
}

/* None of the calls to that upstream was taken, and the rest can do without. */
static void miss_from(struct gather *g, uint32_t from, enum err why)
{
	const struct upstream *to = g->parts[from].route->upstream;
	for (uint32_t i = from; i < g->n; i++) {
		struct part *part = &g->parts[i];
		if (part->route->upstream != to)
			continue;
		part->over = true;
		part->why = why;
		g->left--;
	}
}

/* Every upstream is asked in this turn; nothing is sent before it is over. */
static enum err gather_submit(struct gather *g)
{
	for (uint32_t i = 0; i < g->n; i++) {
		const struct part *required;
		if (g->parts[i].call.state != CALL_NEW || g->parts[i].over)
			continue; /* with one before it */
		enum err why = submit_from(g, i, &required);
		if (why != ERR_OK && required) {
			note_told(g, required);
			return why;
		}
		if (why != ERR_OK)
			miss_from(g, i, why);
	}
	return ERR_OK;
}

static void on_body_end(struct sconn *client)
{
	struct gather *g = sconn_ctx(client);
	if (!g || g->answering || g->submitted)
		return;
	g->submitted = true;
	enum err why = gather_submit(g);
	if (why != ERR_OK) {
		gather_abandon(g, why);
		gather_refuse(g, why, SLICE_NONE);
	} else if (g->left == 0) {
		gather_answer(g);
	}
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

/* --- how it begins --- */

/* What the * of the route's path stands for. */
static struct slice rest_of(const struct route *r, struct slice path)
{
	const char *pattern = r->cfg->path;
	size_t len = pattern ? strlen(pattern) : 0;
	return len ? slice_cut(path, len - 1, SIZE_MAX) : SLICE_NONE;
}

static bool fill_paths(struct gather *g, const struct h1_head *head, struct problem *why)
{
	size_t mark = slice_find(head->path, '?');
	struct slice rest = rest_of(g->x.route, slice_cut(head->path, 0, mark));
	struct slice query = slice_cut(head->path, mark + 1, SIZE_MAX);
	for (uint32_t i = 0; i < g->n; i++) {
		struct part *part = &g->parts[i];
		if (!template_expand(&part->cfg->path, rest, query, &part->path, why))
			return false;
	}
	return true;
}

static void part_init(
	struct gather *g, struct part *part, const struct h1_head *head, uint32_t nth)
{
	const struct route *r = g->x.route;
	part->gather = g;
	part->route = r->parts ? &r->parts[nth] : r;
	part->cfg = r->parts ? &r->gathered->parts[nth] : NULL;
	part->call.ops = &part_ops;
	part->call.method = part->cfg ? h1_method_of(slice_of(part->cfg->method))
				      : (enum h1_method)head->method;
	part->call.replayable = true;
	account_call(r, g->client, &part->call);
	text_init(&part->path);
	text_init(&part->body);
	text_init(&part->type);
	text_init(&part->coding);
}

static struct gather *gather_new(struct proxy *p, struct sconn *client,
	const struct h1_head *head, const struct route *r)
{
	uint32_t n = r->parts ? r->gathered->count : r->gather;
	struct gather *g = mem_zalloc(sizeof(*g) + n * sizeof(g->parts[0]));
	exchange_begin(p, &g->x, &gather_ops, r, proxy_now(p));
	g->proxy = p;
	g->client = client;
	g->n = g->left = n;
	g->deadline.on_fire = on_deadline;
	g->later.fn = on_later;
	text_init(&g->request_body);
	text_init(&g->merged);
	for (uint32_t i = 0; i < n; i++)
		part_init(g, &g->parts[i], head, i);
	sconn_set_ctx(client, g);
	return g;
}

void gather_request(struct proxy *p, struct sconn *client, const struct h1_head *head,
	const struct route *r)
{
	struct problem problem = { "" };
	ns_t until = NS_NEVER;
	enum err why = proxy_check_request(r, client, proxy_now(p), &until);
	if (why == ERR_OK && head->content_length > GATHER_REQUEST_BYTES)
		why = ERR_REQ_BODY_LARGE; /* before it is asked for with 100 */
	if (why != ERR_OK) {
		proxy_answer_reason(p, client, r, why);
		return;
	}
	struct gather *g = gather_new(p, client, head, r);
	if (r->parts && !fill_paths(g, head, &problem)) {
		gather_refuse(g, ERR_REQ_PIECES, slice_of(problem.text));
		return;
	}
	g->until = until;
	io_timer_set(p->worker.loop, &g->deadline, g->until);
	sconn_continue(client);
}

#include "admin/alert.h"

#include "base/rng.h"
#include "http/names.h"
#include "proto/retry_after.h"

#define FIRST_WAIT NS_S
#define LONGEST_WAIT (60 * NS_S)

struct alert {
	struct io_loop *loop;
	char *url, *ca_file, *dns_servers;
	struct addr_url to; /* in url */
	struct text target; /* path and query */
	struct worker worker;
	struct dns *dns;
	struct names *names;
	struct tls_client *tls;
	struct upstream *up;
	struct rng rng;
	/* Messages as JSON: the first is on its way, or waits to be. */
	struct text queue[ALERT_QUEUE];
	uint32_t len;
	struct call call;
	bool busy;
	size_t written; /* of the message */
	uint32_t tries;
	ns_t asked; /* by Retry-After */
	struct timer timer;
	ns_t tokens_at; /* as if since then one came each ALERT_EVERY */
	uint64_t sent, failed, dropped, suppressed;
	uint64_t untold; /* suppressed since the last message */
	char last_error[160];
};

/* --- pure --- */

ns_t alert_wait(uint32_t tries, double unit, ns_t asked)
{
	ns_t wait = FIRST_WAIT;
	for (uint32_t i = 1; i < tries && wait < LONGEST_WAIT; i++)
		wait *= 2;
	wait = ns_min(wait, LONGEST_WAIT);
	wait = wait / 2 + (ns_t)((double)(wait / 2) * unit);
	return ns_min(ns_max(wait, asked), ALERT_WAIT_MAX);
}

void alert_escape(struct text *t, struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '&')
			text_add(t, "&amp;");
		else if (s.ptr[i] == '<')
			text_add(t, "&lt;");
		else if (s.ptr[i] == '>')
			text_add(t, "&gt;");
		else
			text_add_char(t, s.ptr[i]);
	}
}

bool alert_url_read(
	struct slice url, struct addr_url *to, struct text *target, struct problem *p)
{
	const bool local = slice_starts(url, SLICE("unix:"));
	const struct slice base = local ? url : slice_cut(url, 0, slice_find(url, '?'));
	const struct slice query = slice_cut(url, base.len, SIZE_MAX);
	if (!addr_url_parse(base, to, p))
		return false;
	for (size_t i = 0; i < query.len; i++)
		if (query.ptr[i] <= ' ' || query.ptr[i] >= 0x7f || query.ptr[i] == '#')
			return problem_set(p,
				"the query has a #, a space, a control byte or one outside "
				"ASCII");
	text_add_slice(target, to->path.len ? to->path : SLICE("/"));
	text_add_slice(target, query);
	return true;
}

/* --- the first message's way --- */

static void pop(struct alert *a)
{
	struct text first = a->queue[0];
	a->len--;
	memmove(a->queue, a->queue + 1, a->len * sizeof(first));
	text_reset(&first);
	a->queue[a->len] = first; /* its memory is kept */
	a->tries = 0;
}

static void go_on(struct alert *a, ns_t wait)
{
	if (a->len)
		io_timer_set(a->loop, &a->timer, ns_add(io_now(a->loop), wait));
}

static void note_error(struct alert *a, enum err why, uint16_t status)
{
	if (why == ERR_OK)
		snprintf(a->last_error, sizeof(a->last_error), "answered %u", status);
	else
		snprintf(a->last_error, sizeof(a->last_error), "%s%s%.*s", err_text(why),
			a->call.detail.len ? ": " : "", SLICE_ARG(a->call.detail));
}

static bool may_pass(enum err why, uint16_t status)
{
	return why != ERR_OK || status == 408 || status == 429 || status >= 500;
}

/* The try is over. */
static void settle(struct alert *a, enum err why)
{
	uint16_t status = a->call.status;
	ns_t wait = 0;
	a->busy = false;
	io_timer_stop(a->loop, &a->timer);
	if (why == ERR_OK && status >= 200 && status < 300) {
		a->sent++;
		pop(a);
		go_on(a, 0);
		return;
	}
	note_error(a, why, status);
	if (may_pass(why, status) && ++a->tries < ALERT_TRIES) {
		wait = alert_wait(a->tries, rng_unit(&a->rng), a->asked);
	} else {
		a->failed++;
		pop(a);
	}
	go_on(a, wait);
}

static void write_rest(struct alert *a)
{
	struct slice body = text_slice(&a->queue[0]);
	a->written += call_data(&a->call, slice_cut(body, a->written, SIZE_MAX));
	if (a->written == body.len)
		call_end(&a->call);
}

static struct alert *alert_of(struct call *call)
{
	return CONTAINER_OF(call, struct alert, call);
}

static void on_ready(struct call *call)
{
	struct alert *a = alert_of(call);
	struct wire w;
	a->written = 0;
	bool ok = call_begin(call, SLICE("POST"), text_slice(&a->target), &w);
	if (ok) {
		h1_put_field(&w, SLICE("Host"), call_endpoint(call));
		h1_put_field(&w, SLICE("User-Agent"), SLICE("weir"));
		h1_put_field(&w, SLICE("Content-Type"), SLICE("application/json"));
		ok = call_head_end(call, &w, H1_BODY_LENGTH, a->queue[0].len);
	}
	if (ok) {
		write_rest(a);
		return;
	}
	call_abandon(call, a->up);
	settle(a, ERR_NO_MEMORY);
}

static void on_head(struct call *call, const struct h1_head *head)
{
	struct alert *a = alert_of(call);
	a->asked = retry_after_of(head, io_wall_s(a->loop)).in;
}

static size_t on_data(struct call *call, struct slice data)
{
	(void)call; /* "ok" */
	return data.len;
}

static void on_drain(struct call *call)
{
	write_rest(alert_of(call));
}

static void on_end(struct call *call, enum err why)
{
	settle(alert_of(call), why);
}

static const struct call_ops alert_ops = {
	.on_ready = on_ready,
	.on_head = on_head,
	.on_data = on_data,
	.on_drain = on_drain,
	.on_end = on_end,
};

static void submit(struct alert *a)
{
	struct call *calls[] = { &a->call };
	ns_t until = ns_add(io_now(a->loop), ALERT_ANSWER_FOR);
	a->call = (struct call){
		.ops = &alert_ops, .method = H1_POST, .replayable = true
	};
	a->asked = 0;
	a->busy = true;
	enum err why = upstream_submit(a->up, calls, 1, until);
	if (why == ERR_OK)
		io_timer_set(a->loop, &a->timer, until);
	else
		settle(a, why);
}

/* Too late, or time for a try. */
static void on_timer(struct timer *t)
{
	struct alert *a = CONTAINER_OF(t, struct alert, timer);
	if (!a->busy) {
		submit(a);
		return;
	}
	call_abandon(&a->call, a->up);
	settle(a, ERR_DEADLINE);
}

/* --- messages --- */

static bool take_token(struct alert *a)
{
	ns_t now = io_now(a->loop);
	a->tokens_at = ns_max(a->tokens_at, now - ALERT_BURST * ALERT_EVERY);
	if (a->tokens_at + ALERT_EVERY > now)
		return false;
	a->tokens_at += ALERT_EVERY;
	return true;
}

void alert_send(struct alert *a, struct slice text)
{
	struct text whole;
	struct json j;
	if (a->len == ALERT_QUEUE) {
		a->dropped++;
		return;
	}
	if (!take_token(a)) {
		a->suppressed++;
		a->untold++;
		return;
	}
	text_init(&whole);
	text_add_slice(&whole, text);
	if (a->untold)
		text_addf(&whole, "\n(%llu more were not sent: too many at once)",
			(unsigned long long)a->untold);
	a->untold = 0;
	json_init(&j, &a->queue[a->len], false);
	json_object(&j, NULL);
	json_str(&j, "text", text_slice(&whole));
	json_end(&j);
	text_fini(&whole);
	if (a->len++ == 0)
		go_on(a, 0);
}

void alert_json(struct json *j, const char *key, const struct alert *a)
{
	if (!a) {
		json_null(j, key);
		return;
	}
	json_object(j, key);
	json_str(j, "to", a->to.authority);
	json_int(j, "sent", (int64_t)a->sent);
	json_int(j, "failed", (int64_t)a->failed);
	json_int(j, "dropped", (int64_t)a->dropped);
	json_int(j, "suppressed", (int64_t)a->suppressed);
	json_int(j, "waiting", a->len);
	json_cstr(j, "last_error", a->last_error[0] ? a->last_error : NULL);
	json_end(j);
}

/* --- life --- */

static char *copy(const char *text)
{
	return text ? mem_strdup(text) : NULL;
}

bool alert_is(const struct alert *a, const struct alert_cfg *cfg)
{
	return str_eq(a->url, cfg->url) && str_eq(a->ca_file, cfg->ca_file) &&
	       str_eq(a->dns_servers, cfg->dns);
}

static void on_settled(void *ctx)
{
	struct alert *a = ctx;
	names_attach(a->names, a->up);
}

static void make_upstream(struct alert *a)
{
	const struct worker_cfg few = { .clients = 1, .servers = 4 };
	const struct upstream_cfg cfg = {
		.tls = a->tls,
		.limit = SLOTS_NO_LIMIT,
		.drain_share = 1,
		.queue_max = 1,
		.queue_for = ALERT_ANSWER_FOR,
		.connections = UPSTREAM_POOL,
		.abandon = ABANDON_RESET,
		.connect_for = ALERT_ANSWER_FOR / 2,
		.drain_for = NS_S,
		.idle_for = 30 * NS_S,
	};
	worker_init(&a->worker, a->loop, &few);
	a->up = upstream_new(&a->worker, &cfg);
}

static bool make_names(struct alert *a, struct problem *p)
{
	const struct dns_cfg dns = { .servers = a->dns_servers };
	struct names_source source;
	names_source_of(&a->to, &source);
	if (names_source_is_name(&source) && !(a->dns = dns_new(a->loop, &dns, p)))
		return false;
	a->names = names_new(&(struct names_cfg){ .loop = a->loop,
		.dns = a->dns,
		.sources = &source,
		.count = 1,
		.on_settled = on_settled,
		.ctx = a });
	return true;
}

static bool make_all(struct alert *a, struct problem *p)
{
	const struct tls_client_cfg tls = { .ca_file = a->ca_file,
		.handshake_for = ALERT_ANSWER_FOR / 2 };
	if (!alert_url_read(slice_of(a->url), &a->to, &a->target, p))
		return false;
	if (a->to.tls && !(a->tls = tls_client_new(&tls, p)))
		return false;
	make_upstream(a);
	if (!make_names(a, p))
		return false;
	if (names_are_settled(a->names))
		on_settled(a);
	return true;
}

struct alert *alert_new(
	struct io_loop *loop, const struct alert_cfg *cfg, struct problem *p)
{
	struct alert *a = mem_zalloc(sizeof(*a));
	struct problem cause = { "" };
	a->loop = loop;
	a->url = mem_strdup(cfg->url);
	a->ca_file = copy(cfg->ca_file);
	a->dns_servers = copy(cfg->dns);
	text_init(&a->target);
	a->timer.on_fire = on_timer;
	a->tokens_at = io_now(loop) - ALERT_BURST * ALERT_EVERY;
	rng_init(&a->rng, (uint64_t)io_now(loop));
	if (make_all(a, &cause))
		return a;
	problem_fill(p, "alert-url: %s", cause.text);
	alert_free(&a);
	return NULL;
}

void alert_free(struct alert **handle)
{
	struct alert *a = *handle;
	*handle = NULL;
	if (!a)
		return;
	io_timer_stop(a->loop, &a->timer);
	if (a->busy)
		call_abandon(&a->call, a->up);
	if (a->names)
		names_free(&a->names);
	if (a->up) {
		upstream_free(&a->up);
		worker_fini(&a->worker);
	}
	dns_free(&a->dns);
	tls_client_unref(&a->tls);
	for (uint32_t i = 0; i < ALERT_QUEUE; i++)
		text_fini(&a->queue[i]);
	text_fini(&a->target);
	mem_free(a->url);
	mem_free(a->ca_file);
	mem_free(a->dns_servers);
	mem_free(a);
}

#include "proxy/explain.h"

#include "flow/share.h"
#include "obs/mask.h"
#include "proxy/proxy.h"

struct explain_ring {
	uint64_t made;
	struct explain_record records[EXPLAIN_RECORDS];
};

/* --- the ring --- */

struct explain_ring *explain_new(void)
{
	return mem_zalloc(sizeof(struct explain_ring));
}

void explain_free(struct explain_ring **e)
{
	mem_free(*e);
	*e = NULL;
}

struct explain_record *explain_next(struct explain_ring *e)
{
	struct explain_record *r = &e->records[e->made++ % EXPLAIN_RECORDS];
	*r = (struct explain_record){ .status = 0 };
	return r;
}

static bool is_named(const struct explain_record *r, struct slice id)
{
	return slice_eq(slice_of(r->weir_id), id) ||
	       slice_eq(slice_of(r->id), slice_cut(id, 0, EXPLAIN_ID_BYTES - 1));
}

const struct explain_record *explain_find(const struct explain_ring *e, struct slice id)
{
	uint64_t kept = e->made < EXPLAIN_RECORDS ? e->made : EXPLAIN_RECORDS;
	for (uint64_t i = 1; i <= kept && id.len; i++) {
		const struct explain_record
			*r = &e->records[(e->made - i) % EXPLAIN_RECORDS];
		if (is_named(r, id))
			return r;
	}
	return NULL;
}

/* --- what is noted --- */

static ns_t span(ns_t from, ns_t to, ns_t now)
{
	if (!from)
		return NS_NEVER;
	return (to ? to : now) - from;
}

/* Without TLS its handshake takes no time, once there is a connection. */
static ns_t tls_span(const struct call *call, ns_t now)
{
	if (call->tls_at)
		return span(call->tls_at, call->sent_at, now);
	return call->sent_at ? 0 : NS_NEVER;
}

struct explain_spans explain_spans_of(const struct call *call, ns_t now)
{
	const struct explain_spans none = { NS_NEVER, NS_NEVER, NS_NEVER, NS_NEVER,
		NS_NEVER };
	if (call->between) /* there is no last one yet */
		return none;
	struct explain_spans s = {
		.queue = span(call->queued_at, call->granted_at, now),
		.connect = span(call->granted_at,
			call->tls_at ? call->tls_at : call->sent_at, now),
		.tls = tls_span(call, now),
		.first_byte = span(call->sent_at, call->first_byte_at, now),
		.body = span(call->first_byte_at, 0, now),
	};
	return s;
}

static void keep_text(char *out, size_t cap, struct slice s)
{
	s = slice_cut(s, 0, cap - 1);
	if (s.len)
		memcpy(out, s.ptr, s.len);
	out[s.len] = '\0';
}

/* Of a gather, the part's that all ended by; if none did, the one's that all waited for. */
static const struct route *told(const struct exchange *x)
{
	return x->told ? x->told : x->route;
}

static void note_limits(
	struct explain_record *r, const struct exchange *x, const struct h1_head *head)
{
	const struct upstream *u = told(x)->upstream;
	const struct slots *slots = upstream_slots(u);
	const struct queue *queue = upstream_queue(u);
	const struct share *share = slots->share;
	r->limit = slots_limit(slots);
	if (upstream_tuner(u)) {
		struct tuner_view v = tuner_view(upstream_tuner(u), r->ended_at);
		r->limit_because = v.because;
		r->limit_for = v.for_ns;
	}
	r->unit = slots->unit;
	r->abandon = upstream_abandon_label(
		upstream_abandon(u), hangups_frees(upstream_hangups(u)));
	r->bound = upstream_bound(u, r->why);
	r->drain_share = upstream_drain_share(u);
	r->longest = hangups_longest(upstream_hangups(u));
	r->used = share ? share_used(share) : slots_used(slots);
	r->waiting = share ? share_waiting(share) : queue->waiting;
	r->queue_max = queue->max;
	r->queue_for = queue->wait_for;
	r->endpoints = upstream_endpoints(u);
	for (uint32_t i = 0; i < r->endpoints; i++)
		r->endpoints_out += upstream_endpoint(u, i).health.state != HEALTH_IN;
	r->paused_for = upstream_paused_for(u);
	if (r->paused_for)
		r->plea = brake_view(upstream_brake(u), r->ended_at).plea;
	if (proxy_budget(x->route, head, &r->timeout) != ERR_OK)
		r->timeout = x->route->timeout;
}

static void put_weir_id(struct wire *w, const struct proxy *p, const struct exchange *x)
{
	wire_put_hex(w, (uint64_t)p->started_at / NS_US);
	WIRE_LIT(w, "-");
	wire_put_hex(w, p->seat.nth);
	WIRE_LIT(w, "-");
	wire_put_hex(w, x->weir_id);
}

static void note_request(
	struct explain_record *r, const struct proxy *p, const struct h1_head *head)
{
	const struct h1_field *id = h1_field_find(head, H1_FIELD_X_REQUEST_ID);
	struct wire w;
	keep_text(r->id, sizeof(r->id), id ? id->value : SLICE_NONE);
	keep_text(r->method, sizeof(r->method), head->method_text);
	wire_init(&w, r->target, sizeof(r->target) - 1);
	mask_target(&w, head->target, p->opt->ledger_query == LEDGER_KEEP);
}

static void note_call(struct explain_record *r, const struct exchange *x)
{
	r->has_call = true;
	if (x->route && told(x)->upstream)
		r->paused_for = ns_max(
			r->paused_for, upstream_caller_paused_for(
					       told(x)->upstream, x->call->caller_key));
	r->reused = x->call->reused;
	r->replayed = x->call->replayed;
	r->past = x->call->past;
	r->verdict = x->call->verdict;
	memcpy(r->tries, x->call->tries, sizeof(r->tries));
	r->spans = explain_spans_of(x->call, r->ended_at);
}

/* head: NULL where there was none. */
static void fill(struct explain_record *r, const struct proxy *p,
	const struct h1_head *head, const struct exchange *x)
{
	struct wire w;
	if (head)
		note_request(r, p, head);
	keep_text(r->upstream, sizeof(r->upstream),
		slice_of(x->route ? told(x)->name : NULL));
	keep_text(r->part, sizeof(r->part), slice_of(x->part));
	r->parts = x->parts;
	r->parts_missing = x->parts_missing;
	wire_init(&w, r->weir_id, sizeof(r->weir_id) - 1);
	if (x->weir_id)
		put_weir_id(&w, p, x);
	r->status = x->status;
	r->why = x->why;
	r->ours = !exchange_is_upstreams(x);
	r->ended_at = proxy_now(p);
	r->begun_at = x->begun_at ? x->begun_at : r->ended_at;
	if (x->route && told(x)->upstream)
		note_limits(r, x, head);
	if (x->call)
		note_call(r, x);
}

void explain_note(struct proxy *p, const struct sconn *client, const struct exchange *x)
{
	const struct h1_head *head = sconn_head(client);
	const uint64_t named = (uint64_t)1 << H1_FIELD_X_REQUEST_ID;
	if (head && (x->weir_id || head->seen & named))
		fill(explain_next(p->explain), p, head, x);
}

void explain_note_refused(struct proxy *p, const struct exchange *x)
{
	fill(explain_next(p->explain), p, NULL, x);
}

/* --- what answers carry --- */

/* "name;dur=12.345", in milliseconds (Server Timing, W3C). Nothing where it never came. */
static void put_dur(struct wire *w, const char *name, ns_t dur)
{
	uint64_t us = (uint64_t)dur / NS_US;
	const char digits[] = { '.', (char)('0' + us / 100 % 10),
		(char)('0' + us / 10 % 10), (char)('0' + us % 10) };
	if (dur == NS_NEVER)
		return;
	wire_put_slice(w, slice_of(name));
	WIRE_LIT(w, ";dur=");
	wire_put_u64(w, us / 1000);
	wire_put(w, digits, sizeof(digits));
}

static void put_timing(struct wire *w, const struct proxy *p, const struct exchange *x)
{
	if (!x->call || !x->call->queued_at || x->call->between)
		return;
	struct explain_spans s = explain_spans_of(x->call, proxy_now(p));
	WIRE_LIT(w, "Server-Timing: ");
	put_dur(w, "weir-queue", s.queue);
	put_dur(w, ", weir-connect", s.connect);
	if (x->call->tls_at)
		put_dur(w, ", weir-tls", s.tls);
	put_dur(w, ", upstream", s.first_byte);
	WIRE_LIT(w, "\r\n");
}

void explain_put_fields(struct wire *w, struct proxy *p, struct exchange *x)
{
	if (!x->weir_id)
		x->weir_id = ++p->weir_ids;
	WIRE_LIT(w, "Weir-Id: ");
	put_weir_id(w, p, x);
	WIRE_LIT(w, "\r\n");
	if (x->route && x->route->server_timing)
		put_timing(w, p, x);
}

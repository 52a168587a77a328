/*
 * How calls to each of several endpoints end, and what becomes of those that do badly: binds
 * http/vitals.h to an upstream.
 */
#include "http/upstream_internal.h"

/* So long after its time any call may try an endpoint; before, one that could be sent again. */
#define HEALTH_LATE_FOR (30 * NS_S)

void health_start(struct upstream *u)
{
	u->vitals = u->cfg.vitals;
	if (u->vitals)
		vitals_ref(u->vitals);
	else
		u->vitals = vitals_new();
}

static bool is_judged(const struct upstream *u)
{
	return u->endpoint_count > 1 && u->cfg.eject_share > 0;
}

static struct endpoint *endpoint_of(const struct upstream *u, uint32_t id)
{
	for (uint32_t i = 0; i < u->endpoint_count; i++)
		if (u->endpoints[i]->id == id)
			return u->endpoints[i];
	return NULL;
}

static void close_idle_of(struct upstream *u, const struct endpoint *e)
{
	park_end(u, UINT32_MAX);
	LIST_EACH (&u->conns[CCONN_IDLE], n, after) {
		struct cconn *cc = CONTAINER_OF(n, struct cconn, node);
		if (cc->endpoint == e)
			cconn_close_idle(cc);
	}
}

bool endpoint_keeps(const struct endpoint *e)
{
	return e->live && vital_state(e->vital) != HEALTH_OUT;
}

/* --- evidence --- */

void health_look(struct upstream *u)
{
	uint64_t changes = vitals_changes(u->vitals);
	if (LIKELY(changes == u->vitals_seen))
		return;
	u->vitals_seen = changes;
	for (uint32_t i = 0; i < u->endpoint_count; i++)
		if (vital_state(u->endpoints[i]->vital) == HEALTH_OUT)
			close_idle_of(u, u->endpoints[i]);
}

static void tell(struct upstream *u)
{
	health_look(u);
	seat_ring_others(u);
	upstream_poke(u);
}

static void note(
	struct upstream *u, struct endpoint *e, enum health_sign sign, ns_t sent_at)
{
	struct health_set set = { .n = u->endpoint_count, .share = u->cfg.eject_share };
	for (uint32_t i = 0; i < u->endpoint_count; i++)
		set.all[i] = &u->endpoints[i]->vital->health;
	if (vitals_note(u->vitals, e->vital, &set, sign, sent_at, worker_now(u->worker)))
		tell(u);
}

void health_note_connect(struct cconn *cc, enum err why)
{
	struct upstream *u = cc->up;
	bool gone = why == ERR_REFUSED || why == ERR_UNREACHABLE ||
		    why == ERR_CONNECT_TIMEOUT;
	if (!is_judged(u) || !cc->endpoint->live || err_fault(why) != FAULT_UPSTREAM)
		return;
	note(u, cc->endpoint, gone ? HEALTH_GONE : HEALTH_BAD, cc->attempt_at);
}

static bool is_gateways(uint16_t status)
{
	return status == 502 || status == 503 || status == 504;
}

struct health_end health_end_of(
	const struct upstream *u, const struct call *c, enum err why)
{
	struct health_end end = { .at = 0 };
	if (!is_judged(u) || !c->sent_at)
		return end;
	/* A kept connection that has died while it was idle says nothing. */
	if (why != ERR_OK &&
		(err_fault(why) != FAULT_UPSTREAM ||
			(c->reused && !c->first_byte_at &&
				(why == ERR_EOF || why == ERR_RESET || why == ERR_PIPE))))
		return end;
	end.at = c->at;
	end.sent_at = c->sent_at;
	end.bad = why != ERR_OK || is_gateways(c->status);
	end.told_to_wait = c->told_to_wait;
	return end;
}

/* Who refuses for want of slots, or asks for time, is well. But nobody answers as fast as who
 * refuses: he would have the fewest connections, and so most of the calls. */
void health_note_end(struct upstream *u, const struct health_end *end, bool refused)
{
	struct endpoint *e = end->at ? endpoint_of(u, end->at) : NULL;
	if (e && end->bad && refused)
		endpoint_is_full(u, e);
	if (!e || (end->bad && (refused || end->told_to_wait)))
		return;
	note(u, e, end->bad ? HEALTH_BAD : HEALTH_GOOD, end->sent_at);
}

/* --- it asks itself --- */

static ns_t first_back(const struct upstream *u)
{
	ns_t first = NS_NEVER;
	for (uint32_t i = 0; i < u->endpoint_count; i++) {
		const struct health h = vital_verdict(u->endpoints[i]->vital);
		if (h.state != HEALTH_OUT)
			return 0;
		first = ns_min(first, h.until);
	}
	return first;
}

ns_t health_ask_for(struct upstream *u, uint32_t at, ns_t in)
{
	struct endpoint *e = endpoint_of(u, at);
	ns_t now = worker_now(u->worker);
	if (!e) /* it is the server's no longer */
		return 0;
	if (u->endpoint_count < 2)
		return in;
	vitals_ask(u->vitals, e->vital, ns_add(now, in), now);
	tell(u);
	ns_t first = first_back(u);
	return first > now ? first - now : 0;
}

/* --- trials --- */

static bool may_try(const struct call *call)
{
	return call->lone && !call->raw && call->replayable &&
	       h1_is_idempotent(call->method);
}

struct endpoint *health_due(const struct upstream *u, const struct call *call)
{
	if (LIKELY(u->endpoint_count < 2))
		return NULL;
	ns_t now = worker_now(u->worker);
	bool may = may_try(call), all_out = true;
	struct endpoint *due = NULL;
	for (uint32_t i = 0; i < u->endpoint_count; i++) {
		struct endpoint *e = u->endpoints[i];
		const struct health h = vital_verdict(e->vital);
		all_out &= h.state == HEALTH_OUT;
		if (health_is_due(&h, now) &&
			(may || (call->lone && now >= ns_add(h.until, HEALTH_LATE_FOR))))
			due = e;
	}
	/* With none left the usual order decides. */
	return all_out ? NULL : due;
}

void health_note_start(struct cconn *cc)
{
	if (cc->call)
		vitals_try(
			cc->up->vitals, cc->endpoint->vital, worker_now(cc->up->worker));
}

uint32_t upstream_endpoints(const struct upstream *u)
{
	return u->endpoint_count;
}

struct upstream_endpoint_view upstream_endpoint(const struct upstream *u, uint32_t nth)
{
	const struct endpoint *e = u->endpoints[nth];
	return (struct upstream_endpoint_view){ .host = text_slice(&e->host),
		.addr = e->addr,
		.health = vital_view(u->vitals, e->vital),
		.conns = e->conns };
}

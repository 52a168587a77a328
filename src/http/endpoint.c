/* Where the server is: the addresses that calls may go to, which change while it runs. */
#include "http/upstream_internal.h"

/* So long an address that could not be reached comes last. */
#define ENDPOINT_AVOID_FOR (10 * NS_S)
/* And one that has no slot free. As long as no call is sent again after a refusal. */
#define ENDPOINT_FULL_FOR RETRY_HOLD

static void endpoint_set_tls(struct endpoint *e, struct tls_client *tls)
{
	struct tls_peer *peer = tls ? tls_peer_new(tls, text_slice(&e->host)) : NULL;
	tls_peer_unref(&e->tls);
	e->tls = peer;
}

static void endpoint_add_host(struct text *host, const struct upstream_endpoint *from)
{
	if (from->name.len)
		text_add_slice(host, from->name);
	else if (addr_is_unix(&from->addr))
		text_add(host, "localhost");
	else
		text_add_addr(host, &from->addr);
}

static struct endpoint *endpoint_new(
	struct upstream *u, const struct upstream_endpoint *from)
{
	struct endpoint *e = mem_zalloc(sizeof(*e));
	e->addr = from->addr;
	e->id = ++u->endpoints_made;
	text_init(&e->host);
	endpoint_add_host(&e->host, from);
	e->vital = vitals_take(
		u->vitals, &e->addr, text_slice(&e->host), worker_now(u->worker));
	endpoint_set_tls(e, u->cfg.tls);
	local_hold(u, e);
	list_push_back(&u->gone, &e->node);
	return e;
}

static void endpoint_free_if_done(struct upstream *u, struct endpoint *e)
{
	if (e->live || e->conns > 0)
		return;
	list_remove(&u->gone, &e->node);
	tls_peer_unref(&e->tls);
	local_unhold(u, e);
	vitals_give(u->vitals, &e->vital);
	text_fini(&e->host);
	mem_free(e);
}

void endpoint_take(struct cconn *cc, struct endpoint *e)
{
	cc->endpoint = e;
	e->conns++;
}

void endpoint_give(struct cconn *cc)
{
	struct endpoint *e = cc->endpoint;
	cc->endpoint = NULL;
	e->conns--;
	endpoint_free_if_done(cc->up, e);
}

void endpoint_avoid(struct upstream *u, struct endpoint *e)
{
	vital_note_away(e->vital, ns_add(worker_now(u->worker), ENDPOINT_AVOID_FOR));
}

void endpoint_is_full(struct upstream *u, struct endpoint *e)
{
	vital_note_full(e->vital, ns_add(worker_now(u->worker), ENDPOINT_FULL_FOR));
}

/* Lower is better. */
#define RANK_ASKED 6
static int rank(const struct endpoint *e, const struct call *call, ns_t now)
{
	const struct health h = vital_verdict(e->vital);
	int out = h.state == HEALTH_IN     ? 0
		  : health_is_due(&h, now) ? 1
		  : health_is_asked(&h)    ? 3
					   : 2;
	return 2 * out + (vital_is_avoided(e->vital, now) || e->id == call->shun);
}

static bool comes_before(const struct endpoint *a, const struct endpoint *b,
	const struct call *call, ns_t now)
{
	int of_a = rank(a, call, now), of_b = rank(b, call, now);
	return of_a != of_b ? of_a < of_b : a->conns < b->conns;
}

struct endpoint *endpoint_pick(struct upstream *u, struct call *call)
{
	ns_t now = worker_now(u->worker);
	const struct endpoint *due = health_due(u, call);
	uint32_t n = u->endpoint_count, best = n;
	bool again = call->tried && call->tried_of == u->endpoints_set;
	if (call->tried_of != u->endpoints_set) { /* they are others by now */
		call->tried_of = u->endpoints_set;
		call->tried = 0;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = (u->next_endpoint + i) % n;
		if (call->tried & 1u << at)
			continue;
		/* Who asked to be left alone does not stand in for one that is away. */
		if (again && rank(u->endpoints[at], call, now) >= RANK_ASKED)
			continue;
		if (best == n || u->endpoints[at] == due ||
			(u->endpoints[best] != due &&
				comes_before(
					u->endpoints[at], u->endpoints[best], call, now)))
			best = at;
	}
	if (best == n)
		return NULL;
	call->tried |= 1u << best;
	u->next_endpoint = (best + 1) % n;
	return u->endpoints[best];
}

struct endpoint *endpoint_pick_well(const struct upstream *u)
{
	ns_t now = worker_now(u->worker);
	struct endpoint *best = NULL;
	for (uint32_t i = 0; i < u->endpoint_count; i++) {
		struct endpoint *e = u->endpoints[i];
		bool well = vital_state(e->vital) == HEALTH_IN &&
			    !vital_is_avoided(e->vital, now);
		if (well && (!best || e->conns < best->conns))
			best = e;
	}
	return best;
}

/* The one there is for it, be it on its way out. */
static struct endpoint *endpoint_find(
	const struct upstream *u, const struct upstream_endpoint *from)
{
	struct endpoint *found = NULL;
	struct text host;
	text_init(&host);
	endpoint_add_host(&host, from);
	for (uint32_t i = 0; i < u->endpoint_count && !found; i++) {
		struct endpoint *e = u->endpoints[i];
		if (addr_eq(&e->addr, &from->addr) &&
			slice_eq(text_slice(&e->host), text_slice(&host)))
			found = e;
	}
	LIST_EACH (&u->gone, n, after) {
		struct endpoint *e = CONTAINER_OF(n, struct endpoint, node);
		if (!found && addr_eq(&e->addr, &from->addr) &&
			slice_eq(text_slice(&e->host), text_slice(&host)))
			found = e;
	}
	text_fini(&host);
	return found;
}

struct endpoint *endpoint_for(
	struct upstream *u, const struct addr *addr, struct slice host)
{
	const struct upstream_endpoint from = { *addr, host };
	struct endpoint *e = endpoint_find(u, &from);
	return e ? e : endpoint_new(u, &from);
}

static void close_idle_of_gone(struct upstream *u)
{
	park_end(u, UINT32_MAX);
	LIST_EACH (&u->conns[CCONN_IDLE], n, after) {
		struct cconn *cc = CONTAINER_OF(n, struct cconn, node);
		if (!cc->endpoint->live)
			cconn_close_idle(cc);
	}
}

static void endpoints_replace(
	struct upstream *u, const struct upstream_endpoint *list, uint32_t n)
{
	struct endpoint *next[UPSTREAM_ENDPOINTS_MAX], *before[UPSTREAM_ENDPOINTS_MAX];
	uint32_t count = u->endpoint_count;
	for (uint32_t i = 0; i < n; i++) {
		struct endpoint *e = endpoint_find(u, &list[i]);
		next[i] = e ? e : endpoint_new(u, &list[i]);
	}
	for (uint32_t i = 0; i < count; i++) {
		before[i] = u->endpoints[i];
		before[i]->live = false;
		list_push_back(&u->gone, &before[i]->node);
	}
	u->endpoint_count = 0;
	memset(u->endpoints, 0, sizeof(u->endpoints));
	for (uint32_t i = 0; i < n; i++) {
		if (next[i]->live) /* twice in the list */
			continue;
		next[i]->live = true;
		list_remove(&u->gone, &next[i]->node);
		u->endpoints[u->endpoint_count++] = next[i];
	}
	bool changed = count != u->endpoint_count;
	for (uint32_t i = 0; i < count; i++) {
		changed |= before[i] != u->endpoints[i];
		endpoint_free_if_done(u, before[i]);
	}
	u->endpoints_set += changed;
}

void upstream_set_endpoints(
	struct upstream *u, const struct upstream_endpoint *list, uint32_t n)
{
	CHECK(n > 0 && n <= UPSTREAM_ENDPOINTS_MAX);
	endpoints_replace(u, list, n);
	close_idle_of_gone(u);
	upstream_poke(u);
}

void endpoints_configure(struct upstream *u)
{
	for (uint32_t i = 0; i < u->endpoint_count; i++) {
		endpoint_set_tls(u->endpoints[i], u->cfg.tls);
		local_unhold(u, u->endpoints[i]);
		local_hold(u, u->endpoints[i]);
	}
}

void endpoints_fini(struct upstream *u)
{
	endpoints_replace(u, NULL, 0);
	CHECK(u->gone.len == 0);
}

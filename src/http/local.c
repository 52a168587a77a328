/*
 * The local end of a connection: which of our addresses it comes from, and the port it takes
 * there (http/ports.h).
 */

#include "base/units.h"
#include "http/upstream_internal.h"

static struct ports_way *way_new(
	struct ports *ports, const struct addr *source, const struct addr *to)
{
	char ip[INET6_ADDRSTRLEN];
	struct wire w;
	struct text name;
	text_init(&name);
	if (source) {
		wire_init(&w, ip, sizeof(ip));
		wire_put_addr_ip(&w, source);
		text_addf(&name, "%.*s to ", (int)w.len, ip);
	}
	text_add_addr(&name, to);
	struct ports_way *way = ports_hold(
		ports, text_slice(&name), addr_is_loopback(to));
	text_fini(&name);
	return way;
}

static bool goes_with(const struct addr *source, const struct addr *to)
{
	return source->sa.sa_family == to->sa.sa_family;
}

void local_hold(struct upstream *u, struct endpoint *e)
{
	const struct upstream_cfg *cfg = &u->cfg;
	if (!cfg->ports || addr_is_unix(&e->addr))
		return;
	if (!cfg->source_count)
		e->ways[0] = way_new(cfg->ports, NULL, &e->addr);
	for (uint32_t i = 0; i < cfg->source_count; i++)
		if (goes_with(&cfg->sources[i], &e->addr))
			e->ways[i] = way_new(cfg->ports, &cfg->sources[i], &e->addr);
}

void local_unhold(struct upstream *u, struct endpoint *e)
{
	for (uint32_t i = 0; u->cfg.ports && i < UPSTREAM_SOURCES_MAX; i++)
		ports_unhold(u->cfg.ports, &e->ways[i]);
}

/* The one with the most ports left; without a ledger, and among equals, by turns. -1: none
 * speaks the endpoint's protocol. */
static int pick_source(struct upstream *u, const struct endpoint *e)
{
	uint32_t n = u->cfg.source_count, most = 0;
	int best = -1;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = (u->next_source + i) % n, left = 0;
		if (!goes_with(&u->cfg.sources[at], &e->addr))
			continue;
		if (e->ways[at])
			left = ports_left(
				u->cfg.ports, e->ways[at], worker_now(u->worker));
		if (best < 0 || left > most) {
			best = (int)at;
			most = left;
		}
	}
	u->next_source = (uint32_t)(best + 1);
	return best;
}

enum err local_connect(struct cconn *cc)
{
	struct upstream *u = cc->up;
	struct endpoint *e = cc->endpoint;
	const struct addr *from = NULL;
	int at = 0;
	if (u->cfg.source_count && !addr_is_unix(&e->addr)) {
		at = pick_source(u, e);
		if (at < 0)
			return ERR_UNREACHABLE;
		from = &u->cfg.sources[at];
	}
	struct ports_way *way = e->ways[at];
	ns_t now = worker_now(u->worker);
	if (way && !ports_take(u->cfg.ports, way, now))
		return ERR_NO_PORTS;
	enum err why = conn_connect(&cc->conn, u->worker->loop, &e->addr, from);
	if (why == ERR_OK)
		cc->way = way;
	else if (way && why == ERR_NO_PORTS)
		ports_give_none(u->cfg.ports, way, now);
	else if (way)
		ports_give(u->cfg.ports, way, false, now);
	return why;
}

void local_closed(struct cconn *cc, enum io_close how)
{
	struct upstream *u = cc->up;
	/* Whose FIN comes first keeps the port: in TIME_WAIT, or FIN_WAIT2 with no owner. */
	bool first = !cc->gone || cc->shut;
	bool lingers = first && how == IO_CLOSE_FIN && !cc->conn.sock.connecting;
	if (cc->way)
		ports_give(u->cfg.ports, cc->way, lingers, worker_now(u->worker));
	cc->way = NULL;
}

void local_tell(struct upstream *u, const struct endpoint *e)
{
	struct text t;
	uint32_t taken = 0, range = 0, ways = 0;
	for (uint32_t i = 0; i < UPSTREAM_SOURCES_MAX; i++) {
		struct ports_view v;
		if (!e->ways[i])
			continue;
		ports_view(u->cfg.ports, e->ways[i], worker_now(u->worker), &v);
		taken += v.open + v.lingering;
		range += v.range;
		ways++;
	}
	if (!ways)
		return;
	text_init(&t);
	text_add(&t, "no local port left to ");
	text_add_addr(&t, &e->addr);
	text_add(&t, ": ");
	text_add_count(&t, taken);
	text_add(&t, " of ");
	text_add_count(&t, range);
	text_add(&t, taken < range ? " taken by weir, the others by other programs"
				   : " taken");
	if (ways > 1)
		text_addf(&t, ", over %u source addresses", ways);
	snprintf(u->detail, sizeof(u->detail), "%s", t.ptr);
	text_fini(&t);
}

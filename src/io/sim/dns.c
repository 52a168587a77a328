/* The resolver of the simulated world: a table of names, an answer after a round trip. */
#include "io/dns_answer.h"
#include "io/sim/world.h"

#define SILENT_FOR (4 * NS_S) /* until a lookup that nobody answers is given up */

struct sim_name {
	struct list_node node; /* on sim.names */
	char *name;
	char *ips; /* NULL: no such name */
	ns_t ttl;
	bool silent;
};

struct dns {
	struct io_loop *host;
	struct list queries;
};

struct dns_query {
	struct list_node node;
	struct dns *dns;
	struct dns_lookup *lookup;
	struct text name;
	uint16_t port;
	struct timer timer;
};

static struct sim_name *find_name(const struct sim *sim, struct slice name)
{
	LIST_EACH (&sim->names, n, after) {
		struct sim_name *row = CONTAINER_OF(n, struct sim_name, node);
		if (slice_eq_nocase(slice_of(row->name), name))
			return row;
	}
	return NULL;
}

static struct sim_name *make_name(struct sim *sim, const char *name)
{
	struct sim_name *row = find_name(sim, slice_of(name));

	if (!row) {
		row = mem_zalloc(sizeof(*row));
		row->name = mem_strdup(name);
		list_push_back(&sim->names, &row->node);
	}
	mem_free(row->ips);
	row->ips = NULL;
	row->silent = false;
	return row;
}

void sim_dns_set(struct sim *sim, const char *name, const char *ips, ns_t ttl)
{
	struct sim_name *row = make_name(sim, name);
	row->ips = ips ? mem_strdup(ips) : NULL;
	row->ttl = ttl;
}

void sim_dns_silence(struct sim *sim, const char *name)
{
	make_name(sim, name)->silent = true;
}

void sim_dns_fini(struct sim *sim)
{
	struct list_node *n;

	while ((n = list_pop_front(&sim->names))) {
		struct sim_name *row = CONTAINER_OF(n, struct sim_name, node);
		mem_free(row->name);
		mem_free(row->ips);
		mem_free(row);
	}
}

static void find_ips(const struct sim_name *row, uint16_t port, struct dns_answer *out)
{
	struct slice rest = slice_of(row->ips), item;
	struct dns_found found;
	struct dns_answer one;

	dns_found_init(&found);
	while (slice_next_item(&rest, &item)) {
		CHECK(dns_literal(item, port, &one) && !addr_is_unix(&one.addrs[0]));
		const struct addr *a = &one.addrs[0];
		bool v4 = a->sa.sa_family == AF_INET;
		dns_found_add(&found, a->sa.sa_family,
			v4 ? (const void *)&a->in.sin_addr : &a->in6.sin6_addr, row->ttl);
	}
	dns_found_merge(&found, port, out);
}

static void query_free(struct dns_query *q)
{
	q->lookup->query = NULL;
	list_remove(&q->dns->queries, &q->node);
	io_timer_stop(q->dns->host, &q->timer);
	text_fini(&q->name);
	mem_free(q);
}

static void on_answer(struct timer *t)
{
	struct dns_query *q = CONTAINER_OF(t, struct dns_query, timer);
	const struct sim_name *row = find_name(q->dns->host->sim, text_slice(&q->name));
	struct dns_lookup *l = q->lookup;
	struct dns_answer answer;

	if (dns_literal(text_slice(&q->name), q->port, &answer))
		;
	else if (row && row->silent)
		dns_answer_none(&answer, DNS_FAILED, 0, "nobody answers");
	else if (row && row->ips)
		find_ips(row, q->port, &answer);
	else
		dns_answer_none(&answer, DNS_NO_NAME, row ? row->ttl : 0, "no such name");
	query_free(q);
	l->on_done(l, &answer);
}

void dns_lookup(struct dns *d, struct dns_lookup *l, struct slice host, uint16_t port)
{
	struct dns_query *q = mem_zalloc(sizeof(*q));
	const struct sim_name *row = find_name(d->host->sim, host);
	struct dns_answer ignored;
	ns_t in = row && row->silent ? SILENT_FOR : 2 * d->host->sim->cfg.latency;

	CHECK(!l->query && l->on_done);
	q->dns = d;
	q->lookup = l;
	q->port = port;
	q->timer.on_fire = on_answer;
	text_init(&q->name);
	text_add_slice(&q->name, host);
	list_push_back(&d->queries, &q->node);
	l->query = q;
	if (dns_literal(host, port, &ignored))
		in = 0;
	io_timer_set(d->host, &q->timer, ns_add(io_now(d->host), in));
}

void dns_cancel(struct dns_lookup *l)
{
	if (l->query)
		query_free(l->query);
}

struct dns *dns_new(struct io_loop *loop, const struct dns_cfg *cfg, struct problem *p)
{
	struct dns *d = mem_zalloc(sizeof(*d));

	(void)cfg;
	(void)p;
	d->host = loop;
	list_init(&d->queries);
	return d;
}

void dns_free(struct dns **handle)
{
	struct dns *d = *handle;

	if (!d)
		return;
	LIST_EACH (&d->queries, n, after)
		query_free(CONTAINER_OF(n, struct dns_query, node));
	mem_free(d);
	*handle = NULL;
}

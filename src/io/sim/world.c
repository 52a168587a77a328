#include "io/sim/world.h"

static void apply(struct sim *sim, const struct sim_cfg *cfg)
{
	sim->cfg.latency = cfg->latency > 0 ? cfg->latency : 100 * NS_US;
	sim->cfg.jitter = cfg->jitter;
	sim->cfg.lose_rst = cfg->lose_rst;
	sim->cfg.write_max = cfg->write_max;
	sim->cfg.fd_max = cfg->fd_max;
}

struct sim *sim_new(const struct sim_cfg *cfg)
{
	struct sim *sim = mem_zalloc(sizeof(*sim));

	CHECK(cfg->ports <= 28232); /* what there is above 32768 by default */
	apply(sim, cfg);
	sim->cfg.seed = cfg->seed;
	sim->cfg.buf_bytes = cfg->buf_bytes ? cfg->buf_bytes : 64 * 1024;
	sim->cfg.ports = cfg->ports ? cfg->ports : 28232;
	sim->next_fd = 3;
	rng_init(&sim->rng, cfg->seed);
	events_init(&sim->queue);
	list_init(&sim->hosts);
	list_init(&sim->conns);
	list_init(&sim->unix_listeners);
	list_init(&sim->names);
	slab_init(&sim->conn_slab, sizeof(struct sim_conn), 0);
	return sim;
}

void sim_set(struct sim *sim, const struct sim_cfg *cfg)
{
	apply(sim, cfg);
}

ns_t sim_now(const struct sim *sim)
{
	return sim->now;
}

static void parse_ip(const char *ip, struct addr *out)
{
	struct text t;
	struct problem p = { 0 };

	text_init(&t);
	text_addf(&t, strchr(ip, ':') ? "[%s]:0" : "%s:0", ip);
	CHECK(addr_parse(text_slice(&t), out, &p));
	text_fini(&t);
}

struct io_loop *sim_host(struct sim *sim, const char *ip)
{
	struct io_loop *host = mem_zalloc(sizeof(*host));

	host->sim = sim;
	parse_ip(ip, &host->ip);
	CHECK(!host_find(sim, &host->ip));
	host->wheel = wheel_new(sim->now, 64 * NS_US);
	host->last_turn = -NS_S;
	host->next_listen_port = 20000;
	turn_init(&host->turn);
	list_init(&host->ready);
	list_init(&host->listeners);
	list_init(&host->ports);
	host_enlist(host);
	return host;
}

struct io_loop *host_find(const struct sim *sim, const struct addr *a)
{
	struct addr ip = *a;

	addr_set_port(&ip, 0);
	LIST_EACH (&sim->hosts, n, after) {
		struct io_loop *host = CONTAINER_OF(n, struct io_loop, node);
		if (addr_eq(&host->ip, &ip))
			return host;
	}
	return NULL;
}

static void free_host(struct io_loop *host)
{
	struct list_node *n;

	CHECK(host->sock_count == 0);
	turn_fini(&host->turn);
	wheel_free(&host->wheel);
	while ((n = list_pop_front(&host->ports)))
		mem_free(CONTAINER_OF(n, struct sim_ports, node));
	mem_free(host);
}

/* Connections that live on without an owner (TIME_WAIT, events on their way) go too. */
void sim_free(struct sim **handle)
{
	struct sim *sim = *handle;
	struct list_node *n;

	if (!sim)
		return;
	LIST_EACH (&sim->hosts, h, after)
		CHECK(CONTAINER_OF(h, struct io_loop, node)->sock_count == 0);
	while ((n = list_front(&sim->conns))) {
		struct sim_conn *c = CONTAINER_OF(n, struct sim_conn, node);
		c->claims = 1;
		conn_drop(c);
	}
	while ((n = list_pop_front(&sim->hosts)))
		free_host(CONTAINER_OF(n, struct io_loop, node));
	sim_dns_fini(sim);
	events_fini(&sim->queue);
	slab_fini(&sim->conn_slab);
	mem_free(sim->wakes);
	mem_free(sim);
	*handle = NULL;
}

/* Runs what comes first of the network's events and the hosts' turns; false: nothing does
 * until `until`. */
static bool step(struct sim *sim, ns_t until)
{
	const struct event_entry *top = sim->queue.len ? &sim->queue.heap[0] : NULL;
	struct io_loop *host = sim->hosts.len ? sim->wakes[0] : NULL;
	bool turn = host && host->wakes_at != NS_NEVER &&
		    (!top || host->wakes_at < top->at ||
			    (host->wakes_at == top->at && host->wake_order < top->order));
	ns_t at = turn ? host->wakes_at : top ? top->at : NS_NEVER;

	if (at == NS_NEVER || at > until)
		return false;
	sim->now = at;
	sim->events++;
	if (turn) {
		host_turn(host);
	} else {
		struct event ev = events_pop(&sim->queue);
		tcp_event(&ev);
	}
	return true;
}

bool sim_run(struct sim *sim, ns_t until)
{
	CHECK(until >= sim->now);
	while (step(sim, until))
		;
	if (until != NS_NEVER)
		sim->now = until;
	return sim->queue.len > 0 ||
	       (sim->hosts.len > 0 && sim->wakes[0]->wakes_at != NS_NEVER);
}

static bool touches(
	const struct sim_conn *c, const struct io_loop *a, const struct io_loop *b)
{
	const struct io_loop *x = c->ends[0].host, *y = c->ends[1].host;

	if (b)
		return (x == a && y == b) || (x == b && y == a);
	return x == a || y == a;
}

static bool cut_end(struct end *e)
{
	if (e->state == END_CLOSED || e->state == END_TIME_WAIT)
		return false;
	tcp_reset_now(e);
	return true;
}

uint32_t sim_cut(struct sim *sim, const struct io_loop *a, const struct io_loop *b)
{
	uint32_t count = 0;

	LIST_EACH (&sim->conns, n, after) {
		struct sim_conn *c = CONTAINER_OF(n, struct sim_conn, node);
		if (c->is_local || !touches(c, a, b))
			continue;
		conn_claim(c);
		bool client = cut_end(&c->ends[0]), server = cut_end(&c->ends[1]);
		count += client || server;
		conn_drop(c);
	}
	return count;
}

void sim_count(const struct sim *sim, const struct io_loop *host, struct sim_counts *out)
{
	*out = (struct sim_counts){
		.established = host->in_state[END_ESTABLISHED],
		.time_wait = host->in_state[END_TIME_WAIT],
		.fin_wait2 = host->in_state[END_FIN_WAIT2],
		.close_wait = host->in_state[END_CLOSE_WAIT],
		.connects = host->connects,
		.accepts = host->accepts,
		.resets_sent = host->resets_sent,
		.events = sim->events,
	};
	LIST_EACH (&host->ports, n, after)
		out->ports_used += CONTAINER_OF(n, struct sim_ports, node)->used;
}

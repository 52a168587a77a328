/* The proxy put together on a given loop: main.c does it on the real one, the simulator's
 * tests on theirs. */
#include "proxy/proxy.h"
#include "proxy/source.h"

static void proxy_fill_retry(const struct proxy_options *o, struct upstream_cfg *u)
{
	u->retry.max = (uint32_t)o->retries;
	u->retry.share = o->retry_budget;
	/* It has been checked. */
	struct slice ignored;
	(void)!retry_parse_on(slice_of(o->retry_on), &u->retry.on, &ignored);
	(void)!config_hedge(o, &u->hedge_for, &u->hedge_p95);
}

void proxy_fill_upstream(const struct proxy_options *o, struct upstream_cfg *u)
{
	u->limit = o->limit == UINT64_MAX ? SLOTS_NO_LIMIT : (uint32_t)o->limit;
	u->limit_auto = o->limit == OPTS_AUTO;
	if (u->limit_auto)
		u->limit = (uint32_t)o->limit_max;
	u->unit = (enum slot_unit)o->limit_unit;
	u->pause_max = o->obey_retry_after == 0 ? o->pause_max : 0;
	u->pause_caller = o->pause_scope == 1;
	u->eject_share = o->eject_share;
	u->drain_share = o->drain_share;
	u->queue_max = o->queue;
	u->queue_for = o->queue_for;
	u->connections = (enum upstream_connections)o->connections;
	u->abandon = (enum upstream_abandon)o->abandon;
	u->connect_for = o->connect_timeout;
	u->first_byte_for = o->first_byte_timeout;
	u->stall_for = o->idle_timeout;
	u->drain_for = o->drain_for;
	u->ghost_for = o->ghost_for;
	u->settle_for = o->settle_for;
	u->idle_for = o->idle_for;
	u->idle_fin = o->close_idle == 1;
	u->reads_bodies = o->odd_bodies == 1;
	u->tended = true;
	proxy_fill_retry(o, u);
	struct problem ignored = { "" };
	uint32_t nth;
	(void)!sources_read(&o->source, u, &nth, &ignored); /* it has been checked */
	u->age_max = o->connection_age;
	u->connects_max = o->connecting < UINT32_MAX ? (uint32_t)o->connecting : 0;
	u->preconnect = (uint32_t)o->preconnect;
	u->requests_max = o->connection_requests < UINT32_MAX
				  ? (uint32_t)o->connection_requests
				  : 0;
}

/* As with `printf ... | nc -N`: what is asked, and its end, at once. */
#define PROXY_FIN_WITHIN (10 * NS_MS)

void proxy_fill_server(const struct proxy_options *o, struct server_cfg *s)
{
	s->head_for = o->client_head_for;
	s->idle_for = o->client_idle_for;
	s->body_for = o->client_body_for;
	s->write_for = o->client_write_for;
	s->fin_within = PROXY_FIN_WITHIN;
}

static void on_reap(struct timer *t)
{
	targets_reap(CONTAINER_OF(t, struct proxy, reap));
}

void proxy_start(
	struct proxy *p, struct io_loop *loop, struct plan *plan, uint32_t servers)
{
	const struct proxy_options *o = plan->opt;
	const struct worker_cfg worker = { .clients = (uint32_t)o->clients,
		.servers = servers,
		.all_clients = p->seat.clients,
		.all_servers = p->seat.servers };
	struct server_cfg server = { .ops = &proxy_ops, .ctx = p, .tls = plan->tls };
	proxy_fill_server(o, &server);
	worker_init(&p->worker, loop, &worker);
	p->started_at = proxy_now(p);
	p->words = words_new();
	p->explain = explain_new();
	text_init(&p->log_line);
	list_init(&p->targets);
	list_init(&p->retired);
	past_init(&p->past);
	p->reap.on_fire = on_reap;
	egress_init(p);
	proxy_init_exchanges(p, (uint32_t)o->clients);
	plan_open(p, plan);
	p->server = server_new(&p->worker, &server);
}

void proxy_make(struct proxy *p, struct io_loop *loop,
	const struct upstream_cfg *upstream, uint32_t servers)
{
	proxy_start(p, loop, plan_of(p->opt, upstream), servers);
}

void proxy_unmake(struct proxy *p)
{
	server_free(&p->server);
	egress_fini(p);
	/* The exchanges are over: the plans before this one are gone. */
	plan_unref(p->plan);
	p->plan = NULL;
	io_timer_stop(p->worker.loop, &p->reap);
	targets_free(p);
	past_fini(&p->past);
	dns_free(&p->dns);
	mem_free(p->dns_servers);
	slab_fini(&p->forwards);
	words_free(&p->words);
	explain_free(&p->explain);
	text_fini(&p->log_line);
	worker_fini(&p->worker);
}

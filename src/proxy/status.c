/* The admin endpoint's view of the proxy: docs/json/proxy.md. */
#include <unistd.h>

#include "proxy/proxy.h"

/* What one upstream shows, or all of them together. */
struct gauges {
	uint32_t used, in[SLOT_STATES], peak;
	uint64_t waiting, waiting_peak;
	struct upstream_stats stats;
	uint64_t limit; /* UINT64_MAX: none */
};

static void gauges_add(struct gauges *g, const struct upstream *u)
{
	const struct slots *slots = upstream_slots(u);
	const struct queue *queue = upstream_queue(u);
	const struct upstream_stats *s = upstream_stats(u);
	g->used += slots_used(slots);
	g->peak += slots->peak;
	for (int i = SLOT_FREE + 1; i < SLOT_STATES; i++)
		g->in[i] += slots->in[i].len;
	g->waiting += queue->waiting;
	g->waiting_peak += queue->peak;
	g->stats.sent += s->sent;
	g->stats.answered += s->answered;
	g->stats.failed += s->failed;
	g->stats.abandoned += s->abandoned;
	g->stats.drained += s->drained;
	g->stats.refused += s->refused;
	g->stats.replayed += s->replayed;
	g->stats.connects += s->connects;
	g->stats.connects_failed += s->connects_failed;
	g->stats.closed_by_peer += s->closed_by_peer;
	g->stats.closed_reset += s->closed_reset;
	g->stats.closed_idle += s->closed_idle;
	g->stats.closed_done += s->closed_done;
	g->stats.closed_error += s->closed_error;
	g->stats.sockets += s->sockets;
	if (slots->limit == SLOTS_NO_LIMIT)
		g->limit = UINT64_MAX;
	else if (g->limit != UINT64_MAX)
		g->limit += slots->limit;
}

static const char *unit_text(const struct upstream *u)
{
	return upstream_slots(u)->unit == SLOT_UNIT_CONNECTION ? "connection" : "request";
}

static void json_limit(struct json *j, const struct gauges *g, const char *unit)
{
	if (g->limit == UINT64_MAX)
		json_null(j, "limit");
	else
		json_int(j, "limit", (int64_t)g->limit);
	json_cstr(j, "limit_unit", unit);
}

static void json_slots(struct json *j, const struct gauges *g)
{
	json_object(j, "slots");
	json_int(j, "used", g->used);
	for (int i = SLOT_FREE + 1; i < SLOT_STATES; i++)
		json_int(j, slot_state_label((enum slot_state)i), g->in[i]);
	json_int(j, "peak", g->peak);
	json_end(j);
	json_object(j, "queue");
	json_int(j, "waiting", (int64_t)g->waiting);
	json_int(j, "peak", (int64_t)g->waiting_peak);
	json_end(j);
}

static void json_answers(struct json *j, const struct proxy *p)
{
	char key[16];
	json_object(j, "answers");
	for (int i = 0; i < PROXY_STATUS_MAX; i++) {
		if (!p->answers[i])
			continue;
		snprintf(key, sizeof(key), "%d", i);
		json_int(j, key, (int64_t)p->answers[i]);
	}
	json_end(j);
	json_object(j, "reasons");
	for (int i = 0; i < ERR_COUNT; i++)
		if (p->reasons[i])
			json_int(j, err_label((enum err)i), (int64_t)p->reasons[i]);
	json_end(j);
}

static void json_calls(struct json *j, const struct upstream_stats *s)
{
	json_object(j, "calls");
	json_int(j, "sent", (int64_t)s->sent);
	json_int(j, "answered", (int64_t)s->answered);
	json_int(j, "failed", (int64_t)s->failed);
	json_int(j, "abandoned", (int64_t)s->abandoned);
	json_int(j, "drained", (int64_t)s->drained);
	json_int(j, "refused", (int64_t)s->refused);
	json_int(j, "replayed", (int64_t)s->replayed);
	json_end(j);
	json_int(j, "connects", (int64_t)s->connects);
	json_int(j, "connects_failed", (int64_t)s->connects_failed);
	json_object(j, "closes");
	json_int(j, "peer", (int64_t)s->closed_by_peer);
	json_int(j, "reset", (int64_t)s->closed_reset);
	json_int(j, "idle", (int64_t)s->closed_idle);
	json_int(j, "done", (int64_t)s->closed_done);
	json_int(j, "error", (int64_t)s->closed_error);
	json_end(j);
}

static void json_tls(struct json *j, const char *key, const struct tls_counts *counts)
{
	if (!counts) {
		json_null(j, key);
		return;
	}
	json_object(j, key);
	json_int(j, "handshakes", (int64_t)counts->handshakes);
	json_int(j, "resumed", (int64_t)counts->resumed);
	json_int(j, "failed", (int64_t)counts->failed);
	json_end(j);
}

/* Of the same name there are two for a while when a reload has changed its URLs. */
static void json_upstream(struct json *j, const struct target *t, bool retired)
{
	struct gauges g = { 0 };
	gauges_add(&g, t->up);
	json_object(j, NULL);
	json_cstr(j, "name", t->name);
	json_tls(j, "tls", upstream_tls_counts(t->up));
	json_bool(j, "retired", retired);
	names_json(j, "names", t->names);
	json_limit(j, &g, unit_text(t->up));
	json_slots(j, &g);
	json_int(j, "sockets", g.stats.sockets);
	json_calls(j, &g.stats);
	json_end(j);
}

static void json_upstreams(struct json *j, const struct proxy *p)
{
	json_array(j, "upstreams");
	LIST_EACH (&p->targets, n, after)
		json_upstream(j, CONTAINER_OF(n, struct target, node), false);
	LIST_EACH (&p->retired, n, after)
		json_upstream(j, CONTAINER_OF(n, struct target, node), true);
	json_end(j);
}

static const char *common_unit(const struct proxy *p)
{
	const char *unit = NULL;
	LIST_EACH (&p->targets, n, after) {
		const char *it = unit_text(CONTAINER_OF(n, struct target, node)->up);
		if (unit && strcmp(unit, it) != 0)
			return NULL;
		unit = it;
	}
	return unit;
}

static void json_config(struct json *j, const struct proxy *p)
{
	const struct config *c = p->plan->config;
	json_object(j, "config");
	json_cstr(j, "file", c && c->conf ? conf_name(c->conf) : NULL);
	json_int(j, "routes", p->plan->route_count);
	json_int(j, "reloads", (int64_t)p->reloads);
	json_int(j, "reloads_failed", (int64_t)p->reloads_failed);
	json_end(j);
}

static void json_log(struct json *j, const struct proxy *p)
{
	struct accesslog_counts n = { 0 };
	if (p->log)
		n = accesslog_counts(p->log);
	json_object(j, "access_log");
	json_cstr(j, "file", p->opt->access_log);
	json_int(j, "written", (int64_t)n.written);
	json_int(j, "dropped", (int64_t)n.dropped);
	json_int(j, "failed", (int64_t)n.failed);
	json_end(j);
}

static void proxy_status(void *ctx, struct json *j)
{
	struct proxy *p = ctx;
	struct gauges all = { 0 };
	LIST_EACH (&p->targets, n, after)
		gauges_add(&all, CONTAINER_OF(n, struct target, node)->up);
	uint64_t limit = all.limit; /* what the retired may still hold is no promise */
	LIST_EACH (&p->retired, n, after)
		gauges_add(&all, CONTAINER_OF(n, struct target, node)->up);
	all.limit = limit;
	json_cstr(j, "schema", "weir.proxy/1");
	json_int(j, "pid", getpid());
	json_ms(j, "uptime_ms", proxy_now(p) - p->started_at);
	json_config(j, p);
	json_limit(j, &all, common_unit(p));
	json_slots(j, &all);
	json_object(j, "sockets");
	json_int(j, "client", server_conn_count(p->server));
	json_int(j, "upstream", all.stats.sockets);
	json_end(j);
	json_tls(j, "client_tls", server_tls_counts(p->server));
	json_object(j, "exchanges");
	json_int(j, "now", (int64_t)p->exchanges_now);
	json_int(j, "total", (int64_t)p->exchanges_total);
	json_end(j);
	json_object(j, "tunnels");
	json_int(j, "now", (int64_t)p->tunnels_now);
	json_int(j, "total", (int64_t)p->tunnels_total);
	json_end(j);
	json_answers(j, p);
	json_calls(j, &all.stats);
	json_upstreams(j, p);
	json_ms(j, "lag_max_ms", io_loop_lag_max(p->worker.loop));
	io_loop_lag_reset(p->worker.loop);
	json_log(j, p);
	words_json(j, "words", p->words, p->started_at);
}

const struct admin_ops proxy_admin_ops = { .status = proxy_status };

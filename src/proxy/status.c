/* The admin endpoint's view of the proxy: docs/json/proxy.md. */
#include <unistd.h>

#include "proxy/alerts.h"
#include "proxy/crew.h"
#include "proxy/source.h"

/* --- fetching: each hand fills in a report of its own, hand 0 last --- */

static bool ask_all(void *crew);

static void on_read_report(struct io_letter *l)
{
	struct crew *c = CONTAINER_OF(l, struct hand, ask)->crew;
	if (--c->reports_due > 0)
		return;
	if (c->ask_again) { /* by an admin that has come since */
		c->ask_again = false;
		if (!ask_all(c))
			return;
	}
	if (c->admin)
		admin_fetched(c->admin);
}

static void on_read_ask(struct io_letter *l)
{
	struct hand *h = CONTAINER_OF(l, struct hand, ask);
	h->report = report_new();
	report_fill(h->report, &h->proxy);
	l->on_read = on_read_report;
	io_mail(crew_main(h->crew)->mail, l);
}

/* Fills in all reports: true, or admin_fetched follows. */
static bool ask_all(void *ctx)
{
	struct crew *c = ctx;
	if (c->reports_due > 0) {
		c->ask_again = true;
		return false;
	}
	for (uint32_t i = 1; i < c->count; i++) {
		struct hand *h = &c->hands[i];
		report_free(&h->report);
		h->ask.on_read = on_read_ask;
		io_mail(h->mail, &h->ask);
		c->reports_due++;
	}
	return c->reports_due == 0;
}

/* --- as JSON --- */

static const char *unit_text(enum slot_unit unit)
{
	return unit == SLOT_UNIT_CONNECTION ? "connection" : "request";
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
	json_int(j, "used", (int64_t)g->used);
	for (int i = SLOT_FREE + 1; i < SLOT_STATES; i++)
		json_int(j, slot_state_label((enum slot_state)i), (int64_t)g->in[i]);
	json_int(j, "peak", (int64_t)g->peak);
	json_end(j);
	json_object(j, "queue");
	json_int(j, "waiting", (int64_t)g->waiting);
	json_int(j, "peak", (int64_t)g->waiting_peak);
	json_end(j);
}

static void json_answers(struct json *j, const struct report *r)
{
	char key[16];
	json_object(j, "answers");
	for (int i = 0; i < PROXY_STATUS_MAX; i++) {
		if (!r->answers[i])
			continue;
		snprintf(key, sizeof(key), "%d", i);
		json_int(j, key, (int64_t)r->answers[i]);
	}
	json_end(j);
	json_object(j, "reasons");
	for (int i = 0; i < ERR_COUNT; i++)
		if (r->reasons[i])
			json_int(j, err_label((enum err)i), (int64_t)r->reasons[i]);
	json_end(j);
}

static void json_not_retried(struct json *j, const struct upstream_stats *s)
{
	json_object(j, "not_retried");
	for (int i = 0; i < RETRY_VERDICTS; i++)
		if (s->denied[i])
			json_int(j, retry_label((enum retry_verdict)i),
				(int64_t)s->denied[i]);
	json_end(j);
}

static void json_calls(struct json *j, const struct upstream_stats *s)
{
	json_object(j, "calls");
	json_int(j, "admitted", (int64_t)s->admitted);
	json_int(j, "sent", (int64_t)s->sent);
	json_int(j, "answered", (int64_t)s->answered);
	json_int(j, "failed", (int64_t)s->failed);
	json_int(j, "abandoned", (int64_t)s->abandoned);
	json_int(j, "hung_up", (int64_t)s->hung_up);
	json_int(j, "drained", (int64_t)s->drained);
	json_int(j, "refused", (int64_t)s->refused);
	json_int(j, "replayed", (int64_t)s->replayed);
	json_int(j, "retried", (int64_t)s->retried);
	json_int(j, "requeued", (int64_t)s->requeued);
	json_int(j, "stalled", (int64_t)s->stalled);
	json_not_retried(j, s);
	json_int(j, "hedged", (int64_t)s->hedged);
	json_int(j, "hedges_won", (int64_t)s->hedges_won);
	if (s->admitted)
		json_real(j, "amplification", (double)s->sent / (double)s->admitted);
	else
		json_null(j, "amplification");
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

static void json_pool(struct json *j, const struct gauges *g)
{
	json_object(j, "pool");
	json_ms(j, "hinted_ms", g->pool.hinted);
	json_ms(j, "learned_ms", g->pool.learned);
	json_ms(j, "window_ms", g->pool.window);
	json_int(j, "connecting", g->pool.connecting);
	json_int(j, "pending", g->pool.pending);
	json_int(j, "reaped", (int64_t)g->stats.reaped);
	json_int(j, "yielded", (int64_t)g->stats.yielded);
	json_int(j, "aged", (int64_t)g->stats.aged);
	json_cstr(j, "close_idle", g->pool.fin ? "fin" : "reset");
	json_cstr(j, "close_idle_because",
		g->pool.fin_learned ? "the server refused a call within the limit: a "
				      "reset may not have reached it"
				    : NULL);
	json_end(j);
}

static void json_trials(struct json *j, const char *key, const struct hangup_count *c)
{
	json_object(j, key);
	json_int(j, "soon", c->soon);
	json_int(j, "late", c->late);
	json_end(j);
}

static void json_abandon(struct json *j, const struct gauges *g, ns_t now)
{
	const struct hangup *h = &g->hangup;
	struct text why;
	text_init(&why);
	json_object(j, "abandon");
	json_cstr(j, "does", upstream_abandon_label(g->abandon, h->frees));
	json_ms(j, "longest_ms", hangup_longest(h) ? hangup_longest(h) : NS_NEVER);
	if (g->abandon == ABANDON_AUTO) {
		hangup_because(h, &why);
		json_str(j, "because", text_slice(&why));
		json_ms(j, "since_ms", h->since ? ns_max(0, now - h->since) : NS_NEVER);
		json_int(j, "changes", h->changes);
		json_trials(j, "hung_up", &h->tried);
		json_trials(j, "left", &h->left);
	}
	json_end(j);
	text_fini(&why);
}

static void json_handshakes(
	struct json *j, uint64_t handshakes, uint64_t resumed, uint64_t failed)
{
	json_int(j, "handshakes", (int64_t)handshakes);
	json_int(j, "resumed", (int64_t)resumed);
	json_int(j, "failed", (int64_t)failed);
	json_end(j);
}

static void json_endpoints(struct json *j, const struct report_target *t)
{
	json_array(j, "endpoints");
	for (uint32_t i = 0; i < t->endpoint_count; i++) {
		const struct report_endpoint *e = &t->endpoints[i];
		json_object(j, NULL);
		json_cstr(j, "address", e->at);
		json_cstr(j, "state", health_state_label(e->state));
		json_cstr(j, "because",
			e->why == HEALTH_WELL ? NULL : health_why_text(e->why));
		json_ms(j, "back_in_ms", e->back_for);
		json_int(j, "times_out", (int64_t)e->times);
		json_int(j, "connections", e->conns);
		json_end(j);
	}
	json_end(j);
}

/* Of the same name there are two for a while when a reload has changed its URLs. */
static void json_upstreams(struct json *j, const struct proxy *p, const struct report *r)
{
	json_array(j, "upstreams");
	LIST_EACH (&r->targets, n, after) {
		const struct report_target *t = CONTAINER_OF(
			n, struct report_target, node);
		json_object(j, NULL);
		json_cstr(j, "name", t->name);
		if (t->has_tls) {
			json_object(j, "tls");
			json_handshakes(j, t->handshakes, t->resumed, t->failed);
		} else {
			json_null(j, "tls");
		}
		json_bool(j, "retired", t->retired);
		/* What hand 0 alone looks up, or is one over all hands. */
		const struct target *own = target_find(p, t->key);
		struct tuner *tuner = own ? upstream_tuner(own->up) : NULL;
		names_json(j, "names", own ? own->names : NULL);
		json_limit(j, &t->gauges, unit_text(t->unit));
		if (tuner)
			tuner_json(j, "limit_auto", tuner, proxy_now(p));
		else
			json_null(j, "limit_auto");
		brake_json(
			j, "pause", own ? upstream_brake(own->up) : NULL, proxy_now(p));
		json_int(j, "callers_paused", t->callers_paused);
		json_endpoints(j, t);
		json_slots(j, &t->gauges);
		json_int(j, "sockets", t->gauges.stats.sockets);
		json_calls(j, &t->gauges.stats);
		json_pool(j, &t->gauges);
		json_abandon(j, &t->gauges, proxy_now(p));
		json_end(j);
	}
	json_end(j);
}

/* NULL: not all have the same. */
static const char *common_unit(const struct report *r)
{
	const char *unit = NULL;
	LIST_EACH (&r->targets, n, after) {
		const struct report_target *t = CONTAINER_OF(
			n, struct report_target, node);
		if (!t->in_force)
			continue;
		const char *it = unit_text(t->unit);
		if (unit && unit != it)
			return NULL;
		unit = it;
	}
	return unit;
}

static void json_config(struct json *j, const struct crew *c)
{
	const struct plan *plan = c->hands[0].proxy.plan;
	const struct config *config = plan->config;
	json_object(j, "config");
	json_cstr(j, "file", config && config->conf ? conf_name(config->conf) : NULL);
	json_int(j, "routes", plan->route_count);
	json_int(j, "reloads", (int64_t)c->reloads);
	json_int(j, "reloads_failed", (int64_t)c->reloads_failed);
	json_end(j);
}

static void json_forward(struct json *j, const struct report *r)
{
	json_object(j, "forward");
	json_int(j, "hosts", r->hosts);
	json_int(j, "hosts_total", (int64_t)r->hosts_total);
	json_int(j, "sockets", r->hosts_sockets);
	json_end(j);
}

static void json_log(struct json *j, const struct crew *c)
{
	struct accesslog_counts n = { 0 };
	if (c->log)
		n = accesslog_counts(c->log);
	json_object(j, "access_log");
	json_cstr(j, "file", c->hands[0].proxy.opt->access_log);
	json_int(j, "written", (int64_t)n.written);
	json_int(j, "dropped", (int64_t)n.dropped);
	json_int(j, "failed", (int64_t)n.failed);
	json_end(j);
}

static void json_threads(struct json *j, const struct crew *c)
{
	json_array(j, "threads");
	for (uint32_t i = 0; i < c->count; i++) {
		const struct report *r = c->hands[i].report;
		json_object(j, NULL);
		json_int(j, "clients", r->clients);
		json_int(j, "exchanges", (int64_t)r->exchanges_now);
		json_ms(j, "lag_max_ms", r->lag);
		json_end(j);
	}
	json_end(j);
}

static void json_report(struct json *j, struct crew *c, struct report *r)
{
	const struct proxy *p = &crew_main(c)->proxy;
	const struct tls_counts *tls = server_tls_counts(p->server);
	struct gauges all;
	report_sum(r, &all);
	json_cstr(j, "schema", "weir.proxy/1");
	json_int(j, "pid", getpid());
	json_ms(j, "uptime_ms", proxy_now(p) - p->started_at);
	json_config(j, c);
	json_limit(j, &all, common_unit(r));
	json_slots(j, &all);
	json_object(j, "sockets");
	json_int(j, "client", r->clients);
	json_int(j, "upstream", all.stats.sockets);
	json_end(j);
	if (tls) {
		json_object(j, "client_tls");
		json_handshakes(j, tls->handshakes, tls->resumed, tls->failed);
	} else {
		json_null(j, "client_tls");
	}
	json_object(j, "exchanges");
	json_int(j, "now", (int64_t)r->exchanges_now);
	json_int(j, "total", (int64_t)r->exchanges_total);
	json_end(j);
	json_forward(j, r);
	json_object(j, "tunnels");
	json_int(j, "now", (int64_t)r->tunnels_now);
	json_int(j, "total", (int64_t)r->tunnels_total);
	json_end(j);
	json_answers(j, r);
	json_calls(j, &all.stats);
	json_upstreams(j, p, r);
	ports_json(j, "ports", c->ports, proxy_now(p));
	json_ms(j, "lag_max_ms", r->lag);
	json_threads(j, c);
	json_log(j, c);
	alerts_json(j, "alerts", c->alerts);
	words_json(j, "words", r->words, p->started_at);
}

static void fill_anew(struct hand *h)
{
	report_free(&h->report);
	h->report = report_new();
	report_fill(h->report, &h->proxy);
}

static struct report *sum_of_hands(const struct crew *c)
{
	struct report *sum = report_new();
	for (uint32_t i = 0; i < c->count; i++)
		report_add(sum, c->hands[i].report);
	report_seal(sum);
	return sum;
}

struct report *crew_sum(struct crew *c)
{
	for (uint32_t i = 0; i < c->count; i++)
		fill_anew(&c->hands[i]);
	return sum_of_hands(c);
}

/* As the others were asked last, and hand 0 as it is. */
static struct report *crew_report(struct crew *c)
{
	fill_anew(crew_main(c));
	return sum_of_hands(c);
}

static void crew_status(void *ctx, struct json *j)
{
	struct crew *c = ctx;
	struct report *sum = crew_report(c);
	json_report(j, c, sum);
	report_free(&sum);
}

static void crew_summary(void *ctx, struct text *t)
{
	struct crew *c = ctx;
	struct report *sum = crew_report(c);
	summary_write(t, c, sum);
	report_free(&sum);
}

static void crew_metrics(void *ctx, struct text *t)
{
	struct crew *c = ctx;
	struct report *sum = crew_report(c);
	metrics_write(t, c, sum);
	report_free(&sum);
}

const struct admin_ops crew_admin_ops = {
	.fetch = ask_all,
	.status = crew_status,
	.summary = crew_summary,
	.metrics = crew_metrics,
	.explain = crew_explain,
};

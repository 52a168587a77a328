/* GET /metrics of the admin: the gauges for Prometheus. docs/metrics.md tells of each. */
#include "proxy/crew.h"

/* All targets of a name, those that are gone too: a reload leaves one behind for a while, as its
 * calls end. */
struct group {
	struct map_node by_name;
	const char *name;
	struct gauges gauges;
	/* That new requests go to: a limit, and places. NULL: none is, or they are hosts */
	const struct report_target *live;
	uint32_t callers_paused;
};

struct groups {
	struct text *out;
	struct group *v;
	uint32_t n;
	struct map by_name;
};

static struct group *group_find(const struct groups *all, const char *name)
{
	struct map_node *n = map_get(&all->by_name, name);

	return n ? CONTAINER_OF(n, struct group, by_name) : NULL;
}

static struct group *group_of(struct groups *all, const char *name)
{
	struct group *found = group_find(all, name);

	if (found)
		return found;
	struct group *g = &all->v[all->n++];
	*g = (struct group){ .name = name, .gauges.limit = UINT64_MAX };
	map_put(&all->by_name, &g->by_name, name);
	return g;
}

static void add_target(struct groups *all, const struct report_target *t)
{
	struct group *g = group_of(all, t->on_demand ? PAST_HOSTS : t->name);

	gauges_add(&g->gauges, &t->gauges);
	if (t->on_demand) {
		g->callers_paused += t->callers_paused;
	} else if (t->in_force && !g->live) {
		g->live = t;
		g->gauges.limit = t->gauges.limit;
		g->callers_paused = t->callers_paused;
	}
}

/* The hosts stay when none is left; an upstream that nobody names any more goes with its last
 * target. */
static void add_past(struct groups *all, const struct past_sum *s)
{
	struct group *g = strcmp(s->name, PAST_HOSTS) == 0 ? group_of(all, s->name)
							   : group_find(all, s->name);
	if (g)
		upstream_stats_add(&g->gauges.stats, &s->stats);
}

static void groups_init(struct groups *all, struct text *out, const struct report *r)
{
	*all = (struct groups){ .out = out };
	all->v = mem_alloc((r->targets.len + 1) * sizeof(*all->v));
	LIST_EACH (&r->targets, n, after)
		add_target(all, CONTAINER_OF(n, struct report_target, node));
	LIST_EACH (&r->past.sums, n, after)
		add_past(all, CONTAINER_OF(n, struct past_sum, node));
}

static void groups_fini(struct groups *all)
{
	for (uint32_t i = 0; i < all->n; i++)
		map_remove(&all->by_name, &all->v[i].by_name);
	map_fini(&all->by_name);
	mem_free(all->v);
}

/* --- families of one number --- */

static void add_proxy(struct text *t, const struct report *r)
{
#define PROXY(kind, name, help, value) \
	metrics_family(t, name, METRIC_##kind, help); \
	metrics_count(t, name, NULL, value);
#define UPSTREAM(kind, name, help, value)
#include "proxy/metrics.def"
#undef PROXY
#undef UPSTREAM
}

static struct metric_labels of_group(const struct group *g)
{
	return (struct metric_labels){ 1, { { "upstream", g->name } } };
}

static void add_upstreams(const struct groups *all)
{
#define PROXY(kind, name, help, value)
#define UPSTREAM(kind, name, help, value) \
	metrics_family(all->out, name, METRIC_##kind, help); \
	for (uint32_t i = 0; i < all->n; i++) { \
		const struct metric_labels of = of_group(&all->v[i]); \
		const struct gauges *g = &all->v[i].gauges; \
		metrics_count(all->out, name, &of, value); \
	}
#include "proxy/metrics.def"
#undef PROXY
#undef UPSTREAM
}

/* --- families with labels --- */

/* A sample with one more label. */
static void add_with(struct text *t, const char *family, struct metric_labels labels,
	const char *name, const char *value, uint64_t count)
{
	labels.v[labels.n].name = name;
	labels.v[labels.n++].value = value;
	metrics_count(t, family, &labels, count);
}

static void add_answers(struct text *t, const struct report *r)
{
	const struct metric_labels none = { 0 };
	char status[16];

	metrics_family(t, "weir_proxy_answers_total", METRIC_COUNTER,
		"Answers to clients, by status.");
	for (int i = 0; i < PROXY_STATUS_MAX; i++) {
		snprintf(status, sizeof(status), "%d", i);
		if (r->answers[i])
			add_with(t, "weir_proxy_answers_total", none, "status", status,
				r->answers[i]);
	}
	metrics_family(t, "weir_proxy_reasons_total", METRIC_COUNTER,
		"Requests that did not end with the upstream's whole answer, by why.");
	for (int i = 0; i < ERR_COUNT; i++)
		if (r->reasons[i])
			add_with(t, "weir_proxy_reasons_total", none, "reason",
				err_label((enum err)i), r->reasons[i]);
}

static void add_took(struct text *t, const struct report *r)
{
	static const char *const by[PROXY_DECIDERS] = { "upstream", "weir" };

	metrics_family(t, "weir_proxy_request_seconds", METRIC_HISTOGRAM,
		"From a request to the end of its answer, by whose answer it is.");
	for (int i = 0; i < PROXY_DECIDERS; i++) {
		const struct metric_labels labels = { 1, { { "decided_by", by[i] } } };
		metrics_durations(t, "weir_proxy_request_seconds", &labels, &r->took[i]);
	}
}

static void add_limits(const struct groups *all)
{
	metrics_family(all->out, "weir_upstream_limit", METRIC_GAUGE,
		"Calls at once at most, found out or set; none where there is no limit.");
	for (uint32_t i = 0; i < all->n; i++) {
		const struct metric_labels of = of_group(&all->v[i]);
		if (all->v[i].live && all->v[i].gauges.limit != UINT64_MAX)
			metrics_count(all->out, "weir_upstream_limit", &of,
				all->v[i].gauges.limit);
	}
	metrics_family(all->out, "weir_upstream_callers_paused", METRIC_GAUGE,
		"Callers whose calls wait for a rate limit of their own.");
	for (uint32_t i = 0; i < all->n; i++) {
		const struct metric_labels of = of_group(&all->v[i]);
		metrics_count(all->out, "weir_upstream_callers_paused", &of,
			all->v[i].callers_paused);
	}
}

static void add_slots(const struct groups *all)
{
	metrics_family(all->out, "weir_upstream_slots", METRIC_GAUGE, "Slots, by state.");
	for (uint32_t i = 0; i < all->n; i++)
		for (int k = SLOT_FREE + 1; k < SLOT_STATES; k++)
			add_with(all->out, "weir_upstream_slots", of_group(&all->v[i]),
				"state", slot_state_label((enum slot_state)k),
				all->v[i].gauges.in[k]);
}

static void add_closes(const struct groups *all)
{
	metrics_family(all->out, "weir_upstream_closes_total", METRIC_COUNTER,
		"Connections closed, by who and why.");
	for (uint32_t i = 0; i < all->n; i++) {
		const struct upstream_stats *s = &all->v[i].gauges.stats;
		const struct {
			const char *by;
			uint64_t count;
		} rows[] = {
			{ "peer", s->closed_by_peer },
			{ "reset", s->closed_reset },
			{ "idle", s->closed_idle },
			{ "done", s->closed_done },
			{ "error", s->closed_error },
		};
		for (size_t k = 0; k < ARRAY_LEN(rows); k++)
			add_with(all->out, "weir_upstream_closes_total",
				of_group(&all->v[i]), "by", rows[k].by, rows[k].count);
	}
}

static void add_not_retried(const struct groups *all)
{
	metrics_family(all->out, "weir_upstream_not_retried_total", METRIC_COUNTER,
		"Calls that failed and were not sent again, by why.");
	for (uint32_t i = 0; i < all->n; i++) {
		const struct upstream_stats *s = &all->v[i].gauges.stats;
		for (int k = 0; k < RETRY_VERDICTS; k++)
			if (s->denied[k])
				add_with(all->out, "weir_upstream_not_retried_total",
					of_group(&all->v[i]), "why",
					retry_label((enum retry_verdict)k), s->denied[k]);
	}
}

static bool is_first_at(const struct report_target *t, uint32_t nth)
{
	for (uint32_t i = 0; i < nth; i++)
		if (strcmp(t->endpoints[i].at, t->endpoints[nth].at) == 0)
			return false;
	return true;
}

/* Of each place of the live targets a number: by its address alone, where there may be several
 * hosts. */
static void add_endpoints(const struct groups *all, const char *family, const char *help,
	uint64_t (*value)(const struct report_target *t, const char *at))
{
	metrics_family(all->out, family, METRIC_GAUGE, help);
	for (uint32_t k = 0; k < all->n; k++) {
		const struct report_target *t = all->v[k].live;
		for (uint32_t i = 0; t && i < t->endpoint_count; i++)
			if (is_first_at(t, i))
				add_with(all->out, family, of_group(&all->v[k]),
					"endpoint", t->endpoints[i].at,
					value(t, t->endpoints[i].at));
	}
}

static uint64_t is_any_in(const struct report_target *t, const char *at)
{
	for (uint32_t i = 0; i < t->endpoint_count; i++)
		if (strcmp(t->endpoints[i].at, at) == 0 &&
			t->endpoints[i].state == HEALTH_IN)
			return 1;
	return 0;
}

static uint64_t conns_at(const struct report_target *t, const char *at)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < t->endpoint_count; i++)
		if (strcmp(t->endpoints[i].at, at) == 0)
			sum += t->endpoints[i].conns;
	return sum;
}

/* --- what the process has --- */

struct ways {
	struct text *out;
	const char *family;
	uint32_t (*value)(const struct ports_view *v);
};

static void add_way(void *ctx, const struct ports_view *v)
{
	const struct ways *ways = ctx;
	const struct metric_labels to = { 1, { { "to", v->name } } };

	metrics_count(ways->out, ways->family, &to, ways->value(v));
}

static uint32_t ports_open(const struct ports_view *v)
{
	return v->open;
}

static uint32_t ports_lingering(const struct ports_view *v)
{
	return v->lingering;
}

static uint32_t ports_range(const struct ports_view *v)
{
	return v->range;
}

static void add_ports(struct text *t, struct ports *ports, ns_t now)
{
	static const struct {
		const char *family, *help;
		uint32_t (*value)(const struct ports_view *v);
	} rows[] = {
		{ "weir_ports_open", "Local ports taken by connections, by destination.",
			ports_open },
		{ "weir_ports_lingering",
			"Local ports taken by connections that weir closed first.",
			ports_lingering },
		{ "weir_ports_range", "Local ports there are towards it; 0: not known.",
			ports_range },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ways ways = { t, rows[i].family, rows[i].value };
		metrics_family(t, rows[i].family, METRIC_GAUGE, rows[i].help);
		ports_each(ports, now, add_way, &ways);
	}
}

static void add_crew(struct text *t, const struct crew *c, const struct report *r)
{
	const struct metric_labels none = { 0 };
	const struct proxy *p = &c->hands[0].proxy;
	struct accesslog_counts n = { 0 };

	if (c->log)
		n = accesslog_counts(c->log);
	metrics_family(t, "weir_proxy_uptime_seconds", METRIC_GAUGE, "Since it began.");
	metrics_seconds(
		t, "weir_proxy_uptime_seconds", NULL, proxy_now(p) - p->started_at);
	metrics_family(t, "weir_proxy_timer_lag_seconds", METRIC_GAUGE,
		"The longest delay of a timer since the gauges were last read.");
	metrics_seconds(t, "weir_proxy_timer_lag_seconds", NULL, r->lag);
	metrics_family(t, "weir_proxy_reloads_total", METRIC_COUNTER,
		"Configurations on SIGHUP, by what became of them.");
	add_with(t, "weir_proxy_reloads_total", none, "result", "taken", c->reloads);
	add_with(t, "weir_proxy_reloads_total", none, "result", "refused",
		c->reloads_failed);
	metrics_family(t, "weir_proxy_access_log_lines_total", METRIC_COUNTER,
		"Lines of the access log, by what became of them.");
	add_with(t, "weir_proxy_access_log_lines_total", none, "result", "written",
		n.written);
	add_with(t, "weir_proxy_access_log_lines_total", none, "result", "dropped",
		n.dropped);
	add_with(t, "weir_proxy_access_log_lines_total", none, "result", "failed",
		n.failed);
}

void metrics_write(struct text *t, const struct crew *c, const struct report *r)
{
	struct groups all;

	groups_init(&all, t, r);
	add_crew(t, c, r);
	add_proxy(t, r);
	add_answers(t, r);
	add_took(t, r);
	add_limits(&all);
	add_slots(&all);
	add_upstreams(&all);
	add_closes(&all);
	add_not_retried(&all);
	add_endpoints(&all, "weir_upstream_endpoint_in",
		"1: calls go there; 0: it is left out, or on trial.", is_any_in);
	add_endpoints(&all, "weir_upstream_endpoint_connections",
		"Connections open or opening.", conns_at);
	add_ports(t, c->ports, proxy_now(&c->hands[0].proxy));
	groups_fini(&all);
}

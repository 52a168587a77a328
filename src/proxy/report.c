#include "proxy/report.h"

#include "base/units.h"

struct report *report_new(void)
{
	struct report *r = mem_zalloc(sizeof(*r));
	r->words = words_new();
	list_init(&r->targets);
	past_init(&r->past);
	return r;
}

static void free_target(struct report *r, struct report_target *t)
{
	map_remove(&r->targets_by_key, &t->by_key);
	mem_free(t->key);
	mem_free(t->name);
	share_unref(&t->share);
	mem_free(t);
}

void report_free(struct report **handle)
{
	struct report *r = *handle;
	struct list_node *n;
	if (!r)
		return;
	while ((n = list_pop_front(&r->targets)))
		free_target(r, CONTAINER_OF(n, struct report_target, node));
	map_fini(&r->targets_by_key);
	past_fini(&r->past);
	words_free(&r->words);
	mem_free(r);
	*handle = NULL;
}

/* --- what a proxy has --- */

static uint64_t limit_of(const struct slots *s)
{
	uint32_t limit = slots_limit(s);
	return limit == SLOTS_NO_LIMIT ? UINT64_MAX : limit;
}

static void gauges_fill(struct gauges *g, struct upstream *u)
{
	const struct slots *slots = upstream_slots(u);
	const struct queue *queue = upstream_queue(u);
	g->used = slots_used(slots);
	g->peak = slots->peak;
	for (int i = SLOT_FREE + 1; i < SLOT_STATES; i++)
		g->in[i] = slots->in[i].len;
	g->waiting = queue->waiting;
	g->waiting_peak = queue->peak;
	g->stats = *upstream_stats(u);
	g->limit = limit_of(slots);
	g->abandon = upstream_abandon(u);
	g->hangup = hangups_view(upstream_hangups(u));
	upstream_pool(u, &g->pool);
}

static void fill_endpoints(struct report_target *t, const struct target *from)
{
	const ns_t now = proxy_now(from->proxy);
	t->endpoint_count = upstream_endpoints(from->up);
	for (uint32_t i = 0; i < t->endpoint_count; i++) {
		const struct upstream_endpoint_view v = upstream_endpoint(from->up, i);
		struct report_endpoint *e = &t->endpoints[i];
		struct text at;
		text_init(&at);
		text_add_addr(&at, &v.addr);
		snprintf(e->at, sizeof(e->at), "%s", at.ptr);
		text_fini(&at);
		e->conns = v.conns;
		e->state = v.health.state;
		e->why = v.health.why;
		if (v.health.state == HEALTH_OUT)
			e->back_for = ns_max(v.health.until - now, 0);
		e->times = v.health.out;
	}
}

/* One like it, with texts and a hold of its own. */
static struct report_target *add_target(
	struct report *r, const struct report_target *like)
{
	struct report_target *t = mem_alloc(sizeof(*t));
	*t = *like;
	t->key = mem_strdup(like->key);
	t->name = mem_strdup(like->name);
	if (t->share)
		share_ref(t->share);
	t->node = (struct list_node){ NULL, NULL };
	list_push_back(&r->targets, &t->node);
	map_put(&r->targets_by_key, &t->by_key, t->key);
	return t;
}

static bool is_in_force(const struct target *t)
{
	const struct plan *plan = t->proxy->plan;
	for (uint32_t i = 0; i < plan->upstream_count; i++)
		if (plan->upstreams[i].target == t)
			return true;
	return false;
}

static void fill_target(struct report *r, const struct target *from, bool retired)
{
	const struct tls_counts *tls = upstream_tls_counts(from->up);
	const struct report_target plain = { .key = from->key,
		.name = from->name,
		.retired = retired,
		.in_force = is_in_force(from),
		.on_demand = from->guard != NULL,
		.found_out = upstream_tuner(from->up) != NULL,
		.unit = upstream_slots(from->up)->unit,
		.share = from->share,
		.callers_paused = upstream_callers_paused(from->up),
		.has_tls = tls != NULL };
	struct report_target *t = add_target(r, &plain);
	gauges_fill(&t->gauges, from->up);
	fill_endpoints(t, from);
	if (!tls)
		return;
	t->handshakes = tls->handshakes;
	t->resumed = tls->resumed;
	t->failed = tls->failed;
}

void report_fill(struct report *r, struct proxy *p)
{
	r->clients = server_conn_count(p->server);
	r->exchanges_now = p->exchanges_now;
	r->exchanges_total = p->exchanges_total;
	r->heads_refused = p->heads_refused;
	r->tunnels_now = p->tunnels_now;
	r->tunnels_total = p->tunnels_total;
	memcpy(r->answers, p->answers, sizeof(r->answers));
	memcpy(r->reasons, p->reasons, sizeof(r->reasons));
	memcpy(r->took, p->took, sizeof(r->took));
	r->hosts = p->egress.hosts.len;
	r->hosts_total = p->egress.hosts_total;
	r->hosts_sockets = p->egress.group.conns;
	r->lag = io_loop_lag_max(p->worker.loop);
	io_loop_lag_reset(p->worker.loop);
	words_merge(r->words, p->words);
	past_merge(&r->past, &p->past);
	LIST_EACH (&p->targets, n, after)
		fill_target(r, CONTAINER_OF(n, struct target, node), false);
	LIST_EACH (&p->retired, n, after)
		fill_target(r, CONTAINER_OF(n, struct target, node), true);
}

/* --- sums --- */

static void pool_add(struct upstream_pool *sum, const struct upstream_pool *p)
{
	sum->learned = ns_min(sum->learned, p->learned);
	sum->hinted = ns_min(sum->hinted, p->hinted);
	sum->fin |= p->fin;
	sum->fin_learned |= p->fin_learned;
	sum->connecting += p->connecting;
	sum->pending += p->pending;
	sum->window = ns_max(sum->window, p->window);
}

void gauges_add(struct gauges *sum, const struct gauges *g)
{
	sum->used += g->used;
	sum->peak += g->peak;
	for (int i = SLOT_FREE + 1; i < SLOT_STATES; i++)
		sum->in[i] += g->in[i];
	sum->waiting += g->waiting;
	sum->waiting_peak += g->waiting_peak;
	upstream_stats_add(&sum->stats, &g->stats);
	pool_add(&sum->pool, &g->pool);
}

/* Threads have the same ones in the same order, but for a moment when names lead elsewhere. NULL:
 * there is none there. */
static struct report_endpoint *endpoint_at(
	struct report_target *t, const char *at, uint32_t nth)
{
	if (nth < t->endpoint_count && strcmp(t->endpoints[nth].at, at) == 0)
		return &t->endpoints[nth];
	for (uint32_t i = 0; i < t->endpoint_count; i++)
		if (strcmp(t->endpoints[i].at, at) == 0)
			return &t->endpoints[i];
	return NULL;
}

static void merge_endpoint(
	struct report_target *t, const struct report_target *from, uint32_t nth)
{
	const struct report_endpoint *add = &from->endpoints[nth];
	struct report_endpoint *e = endpoint_at(t, add->at, nth);
	if (e)
		e->conns += add->conns;
	else if (t->endpoint_count < UPSTREAM_ENDPOINTS_MAX)
		t->endpoints[t->endpoint_count++] = *add;
}

/* TLS counts are one for all threads: those of the first. */
static void merge_target(struct report *sum, const struct report_target *from)
{
	struct map_node *n = map_get(&sum->targets_by_key, from->key);
	if (!n) {
		(void)add_target(sum, from);
		return;
	}
	struct report_target *t = CONTAINER_OF(n, struct report_target, by_key);
	gauges_add(&t->gauges, &from->gauges);
	if (from->callers_paused > t->callers_paused)
		t->callers_paused = from->callers_paused;
	for (uint32_t i = 0; i < from->endpoint_count; i++)
		merge_endpoint(t, from, i);
	t->retired &= from->retired;
	t->in_force |= from->in_force;
}

void report_add(struct report *sum, const struct report *r)
{
	sum->clients += r->clients;
	sum->exchanges_now += r->exchanges_now;
	sum->exchanges_total += r->exchanges_total;
	sum->heads_refused += r->heads_refused;
	sum->tunnels_now += r->tunnels_now;
	sum->tunnels_total += r->tunnels_total;
	for (int i = 0; i < PROXY_STATUS_MAX; i++)
		sum->answers[i] += r->answers[i];
	for (int i = 0; i < ERR_COUNT; i++)
		sum->reasons[i] += r->reasons[i];
	for (int i = 0; i < PROXY_DECIDERS; i++)
		durations_add(&sum->took[i], &r->took[i]);
	sum->hosts += r->hosts;
	sum->hosts_total += r->hosts_total;
	sum->hosts_sockets += r->hosts_sockets;
	sum->lag = ns_max(sum->lag, r->lag);
	words_merge(sum->words, r->words);
	past_merge(&sum->past, &r->past);
	LIST_EACH (&r->targets, n, after)
		merge_target(sum, CONTAINER_OF(n, struct report_target, node));
}

void report_seal(struct report *sum)
{
	LIST_EACH (&sum->targets, n, after) {
		struct report_target *t = CONTAINER_OF(n, struct report_target, node);
		if (!t->share)
			continue;
		t->gauges.used = share_used(t->share);
		t->gauges.peak = share_peak(t->share);
		t->gauges.waiting = share_waiting(t->share);
		t->gauges.waiting_peak = share_waiting_peak(t->share);
	}
}

void report_sum(const struct report *r, struct gauges *sum)
{
	uint32_t counted = 0;
	*sum = (struct gauges){ .used = 0 };
	LIST_EACH (&r->targets, n, after) {
		const struct report_target *t = CONTAINER_OF(
			n, struct report_target, node);
		gauges_add(sum, &t->gauges);
		/* What hosts and former URLs may hold is no promise. */
		if (!t->in_force)
			continue;
		counted++;
		if (t->gauges.limit == UINT64_MAX)
			sum->limit = UINT64_MAX;
		else if (sum->limit != UINT64_MAX)
			sum->limit += t->gauges.limit;
	}
	if (!counted)
		sum->limit = UINT64_MAX;
}

/* --- in words --- */

#define REASONS_TOLD 3 /* a line is to be read */

int report_next_reason(const struct report *r, const bool told[ERR_COUNT])
{
	int most = ERR_COUNT;
	for (int i = 0; i < ERR_COUNT; i++)
		if (!told[i] && r->reasons[i] &&
			(most == ERR_COUNT || r->reasons[i] > r->reasons[most]))
			most = i;
	return most;
}

static void add_reasons(struct text *t, const struct report *r)
{
	bool told[ERR_COUNT] = { false };
	int most;
	for (int n = 0; (most = report_next_reason(r, told)) < ERR_COUNT; n++) {
		if (n == REASONS_TOLD) {
			text_add(t, " ...");
			break;
		}
		told[most] = true;
		text_add(t, n ? ", " : " (");
		text_add_count(t, r->reasons[most]);
		text_addf(t, " %s", err_label((enum err)most));
	}
	text_add(t, ")");
}

void report_last(const struct report *r, struct text *t)
{
	struct gauges all;
	uint64_t without = 0;
	report_sum(r, &all);
	for (int i = 0; i < ERR_COUNT; i++)
		without += r->reasons[i];
	text_add_counted(t, r->exchanges_total + r->heads_refused, "request", "requests");
	text_add(t, ", ");
	text_add_count(t, without);
	text_add(t, " without the server's whole answer");
	if (without)
		add_reasons(t, r);
	uint64_t left = all.in[SLOT_BUSY] + all.in[SLOT_DRAINING] + all.in[SLOT_GHOST];
	if (!left)
		return;
	text_add(t, "; ");
	text_add_counted(t, left, "call", "calls");
	text_add(t,
		" without an answer yet: the server may be at work on them for a while");
}

/*
 * Targets: the upstreams of a proxy as live objects, by name, unit and URLs. A plan takes those it
 * names, be they there already, retired, or new; who is named no more ends in its own time.
 */
#include "proxy/proxy.h"
#include "proxy/shares.h"

#define REAP_EVERY (100 * NS_MS)

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_place(struct text *t, const struct plan_upstream *u, uint32_t nth)
{
	const char *scheme = u->up.tls ? "https" : "http";
	if (u->source_count) {
		const struct names_source *s = &u->sources[nth];
		text_addf(t, "%s %.*s %.*s %u", scheme, SLICE_ARG(s->authority),
			SLICE_ARG(s->host), s->port);
		return;
	}
	text_addf(t, "%s %.*s ", scheme, SLICE_ARG(u->up.names[nth]));
	text_add_addr(t, &u->up.endpoints[nth]);
}

/* The same for the same URLs, in whatever order they came. */
static char *target_key(const struct plan_upstream *u)
{
	uint32_t n = u->source_count ? u->source_count : u->up.endpoint_count;
	char *each[UPSTREAM_ENDPOINTS_MAX];
	struct text t;
	for (uint32_t i = 0; i < n; i++) {
		text_init(&t);
		add_place(&t, u, i);
		each[i] = text_take(&t);
	}
	qsort(each, n, sizeof(each[0]), by_text);
	text_init(&t);
	text_addf(&t, "%s %s %u\n", u->name,
		u->up.unit == SLOT_UNIT_CONNECTION ? "connection" : "request", u->rules);
	for (uint32_t i = 0; i < n; i++) {
		text_addf(&t, "%s\n", each[i]);
		mem_free(each[i]);
	}
	return text_take(&t);
}

struct target *target_find(const struct proxy *p, const char *key)
{
	struct map_node *n = map_get(&p->targets_by_key, key);
	return n ? CONTAINER_OF(n, struct target, by_key) : NULL;
}

bool target_is_there(const struct proxy *p, const struct plan_upstream *u)
{
	char *key = target_key(u);
	const struct target *t = target_find(p, key);
	mem_free(key);
	return t && t->plans > 0;
}

static void on_told(void *ctx)
{
	struct target *t = ctx;
	if (t->proxy->seat.on_endpoints)
		t->proxy->seat.on_endpoints(t);
}

/* Said where a person looks for it, for it changes what the server sees. */
static void on_mind(void *ctx)
{
	const struct target *t = ctx;
	const struct hangup h = hangups_view(upstream_hangups(t->up));
	struct text why;
	text_init(&why);
	hangup_because(&h, &why);
	fprintf(stderr, "weir proxy: upstream %s: %s: %s\n", t->name,
		h.frees ? "it frees the slots of calls that are hung up on, so they are"
			: "calls that nobody waits for are drained again",
		why.ptr);
	text_fini(&why);
}

static void on_fin(void *ctx)
{
	const struct target *t = ctx;
	fprintf(stderr,
		"weir proxy: upstream %s: it refused a call within the limit. If it goes on, "
		"the limit is too high: lower it, or let weir find it out (limit: auto). A "
		"reset may not have reached it, too: connections are closed by FIN from now "
		"on\n",
		t->name);
}

static void on_stall(void *ctx)
{
	const struct target *t = ctx;
	const struct tuner_view v = tuner_view(
		upstream_tuner(t->up), proxy_now(t->proxy));
	struct text patience;
	text_init(&patience);
	text_add_duration(&patience, v.stalled.patience);
	fprintf(stderr,
		"weir proxy: upstream %s: connections above %u are taken and never answered: "
		"%u new ones had no answer for %s, while those that had been answered before "
		"were: the limit is %u from now on\n",
		t->name, v.stands, v.stalled.connections, patience.ptr, v.stands);
	text_fini(&patience);
}

static void seat_upstream(struct target *t, struct upstream_cfg *up)
{
	up->on_mind = on_mind;
	up->on_stall = on_stall;
	up->on_fin = on_fin;
	up->on_mind_ctx = t;
	up->seat = t->proxy->seat.nth;
	up->mail = t->proxy->seat.mail;
	up->ports = t->proxy->seat.ports;
	if (t->share)
		shares_fill(t->proxy->seat.shares, t->key, up, proxy_now(t->proxy));
}

/* Takes `key`, and the names that were found for it. */
static struct target *target_new(struct proxy *p, struct plan_upstream *u, char *key)
{
	const struct proxy_seat *seat = &p->seat;
	struct target *t = mem_zalloc(sizeof(*t));
	t->proxy = p;
	t->name = mem_strdup(u->name);
	t->key = key;
	t->share = seat->shares ? shares_take(seat->shares, key) : NULL;
	seat_upstream(t, &u->up);
	t->up = upstream_new(&p->worker, &u->up);
	t->names = u->names;
	t->guard = u->guard;
	u->names = NULL;
	u->guard = NULL;
	if (t->names) {
		names_attach(t->names, t->up);
		if (!t->guard) /* a host's are looked up on each thread that asks */
			names_watch(t->names, on_told, t);
	}
	list_push_back(&p->targets, &t->node);
	map_put(&p->targets_by_key, &t->by_key, key);
	return t;
}

/* One that is there goes on; where it leads may have changed while nobody here was told. */
static void target_go_on(struct target *t, struct plan_upstream *u)
{
	struct upstream_endpoint list[UPSTREAM_ENDPOINTS_MAX];
	seat_upstream(t, &u->up);
	upstream_reconfigure(t->up, &u->up);
	for (uint32_t i = 0; i < u->up.endpoint_count; i++)
		list[i] = (struct upstream_endpoint){ u->up.endpoints[i],
			u->up.names[i] };
	if (!t->names && u->up.endpoint_count)
		upstream_set_endpoints(t->up, list, u->up.endpoint_count);
}

struct target *target_take(struct proxy *p, struct plan_upstream *u)
{
	char *key = target_key(u);
	struct target *t = target_find(p, key);
	if (t && t->plans == 0) {
		list_remove(&p->retired, &t->node);
		list_push_back(&p->targets, &t->node);
	}
	if (t) {
		target_go_on(t, u);
		mem_free(key);
	} else {
		t = target_new(p, u, key);
	}
	t->plans++;
	return t;
}

static void target_free(struct list *l, struct target *t)
{
	past_add(&t->proxy->past, t->guard ? PAST_HOSTS : t->name, upstream_stats(t->up));
	list_remove(l, &t->node);
	map_remove(&t->proxy->targets_by_key, &t->by_key);
	names_free(&t->names);
	mem_free(t->guard);
	upstream_free(&t->up);
	shares_give(t->proxy->seat.shares, t->key, &t->share);
	mem_free(t->key);
	mem_free(t->name);
	mem_free(t);
}

void target_give(struct proxy *p, struct target *t)
{
	if (--t->plans > 0)
		return;
	list_remove(&p->targets, &t->node);
	list_push_back(&p->retired, &t->node);
	upstream_retire(t->up);
	if (!timer_is_set(&p->reap))
		io_timer_set(p->worker.loop, &p->reap, ns_add(proxy_now(p), REAP_EVERY));
}

void targets_reap(struct proxy *p)
{
	LIST_EACH (&p->retired, n, after) {
		struct target *t = CONTAINER_OF(n, struct target, node);
		if (upstream_is_spent(t->up))
			target_free(&p->retired, t);
	}
	if (p->retired.len)
		io_timer_set(p->worker.loop, &p->reap, ns_add(proxy_now(p), REAP_EVERY));
}

void targets_free(struct proxy *p)
{
	struct list_node *n;
	while ((n = list_front(&p->targets)))
		target_free(&p->targets, CONTAINER_OF(n, struct target, node));
	while ((n = list_front(&p->retired)))
		target_free(&p->retired, CONTAINER_OF(n, struct target, node));
	map_fini(&p->targets_by_key);
}

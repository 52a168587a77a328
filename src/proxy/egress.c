#include "proxy/egress.h"

#include "proxy/proxy.h"

#define SWEEP_EVERY (5 * NS_S)

struct egress_host {
	struct list_node node; /* on egress.hosts, unless stale */
	struct list_node chain;
	struct proxy *proxy;
	struct egress_want want;
	char *name;      /* "https://example.com:8443", "example.com:443" */
	char *authority; /* for Host: no port where it is the scheme's own */
	struct route route;
	struct plan_upstream up;
	struct list waits; /* struct wait: until it is looked up */
	uint32_t users;    /* exchanges */
	ns_t used_at;
	bool stale; /* its plan is not the proxy's any more: gone with the last user */
};

/* An exchange whose host is being looked up. */
struct wait {
	struct exchange x;
	struct list_node node; /* on host.waits, unless over */
	struct sconn *client;
	struct timer deadline;
};

/* Whose addresses are judged: lives as long as the names do, which is longer than the host. */
struct guard {
	struct proxy *proxy;
	struct egress_want want;
};

/* --- refusals --- */

static void refuse(
	struct proxy *p, struct sconn *client, enum err why, const struct text *words)
{
	proxy_answer_detail(p, client, NULL, why, text_slice(words));
}

/* --- hosts: the table --- */

static uint32_t bucket_of(const struct egress_want *want)
{
	uint32_t h = 2166136261u; /* FNV-1a */
	for (const char *c = want->host; *c; c++)
		h = (h ^ (uint8_t)*c) * 16777619u;
	h = (h ^ want->port) * 16777619u;
	h = (h ^ want->kind) * 16777619u;
	return h % EGRESS_BUCKETS;
}

static struct egress_host *host_find(struct egress *e, const struct egress_want *want)
{
	LIST_EACH (&e->buckets[bucket_of(want)], n, after) {
		struct egress_host *h = CONTAINER_OF(n, struct egress_host, chain);
		if (h->want.kind == want->kind && h->want.port == want->port &&
			strcmp(h->want.host, want->host) == 0)
			return h;
	}
	return NULL;
}

static void host_unlist(struct egress *e, struct egress_host *h)
{
	list_remove(&e->hosts, &h->node);
	list_remove(&e->buckets[bucket_of(&h->want)], &h->chain);
}

/* It is on no list. */
static void host_free(struct egress_host *h)
{
	CHECK(h->users == 0 && h->waits.len == 0);
	if (h->up.target)
		target_give(h->proxy, h->up.target);
	names_free(&h->up.names);
	mem_free(h->up.guard);
	mem_free(h->name);
	mem_free(h->authority);
	mem_free(h);
}

void egress_use(struct egress_host *h)
{
	h->users++;
}

void egress_leave(struct egress_host *h)
{
	h->used_at = proxy_now(h->proxy);
	if (--h->users == 0 && h->stale)
		host_free(h);
}

/* --- hosts: made on demand --- */

static bool on_address(void *ctx, const struct addr *a)
{
	struct guard *g = ctx;
	return egress_judge(g->proxy, &g->want, a, NULL) == ERR_OK;
}

static void add_authority(struct text *t, const struct egress_want *want)
{
	bool v6 = strchr(want->host, ':') != NULL;
	bool own = (want->kind == EGRESS_HTTP && want->port == 80) ||
		   (want->kind == EGRESS_HTTPS && want->port == 443);
	text_addf(t, v6 ? "[%s]" : "%s", want->host);
	if (!own)
		text_addf(t, ":%u", want->port);
}

static void host_name(struct egress_host *h)
{
	static const char *const schemes[] = { [EGRESS_HTTP] = "http://",
		[EGRESS_HTTPS] = "https://",
		[EGRESS_TUNNEL] = "" };
	struct text t;
	text_init(&t);
	add_authority(&t, &h->want);
	h->authority = text_take(&t);
	text_addf(&t, "%s%s", schemes[h->want.kind], h->authority);
	h->name = text_take(&t);
}

static void host_fill(struct egress_host *h, const struct plan *plan)
{
	struct egress *e = &h->proxy->egress;
	struct plan_upstream *u = &h->up;
	u->name = h->name;
	u->rules = e->rules;
	proxy_fill_upstream(plan->opt, &u->up);
	u->up.group = &e->group;
	if (h->want.kind == EGRESS_HTTPS)
		u->tls = u->up.tls = plan->egress->tls;
	u->sources[0] = (struct names_source){ slice_of(h->want.host), h->want.port,
		slice_of(h->authority) };
	u->source_count = 1;
	plan_fill_route(&h->route, plan->opt);
	h->route.base = SLICE_NONE;
	h->route.gather = 1;
	h->route.forwards = true;
	h->route.plan = h->proxy->plan;
	h->route.host = h;
	h->route.name = h->name;
}

static void host_ready(struct egress_host *h)
{
	h->up.target = target_take(h->proxy, &h->up);
	h->route.upstream = h->up.target->up;
}

static void on_settled(void *ctx);

/* From here on either its target is there, or on_settled comes. */
static void host_look_up(struct egress_host *h)
{
	struct proxy *p = h->proxy;
	if (!target_is_there(p, &h->up)) {
		struct guard *g = mem_zalloc(sizeof(*g));
		*g = (struct guard){ p, h->want };
		h->up.guard = g;
		h->up.names = names_new(&(struct names_cfg){ .loop = p->worker.loop,
			.dns = p->dns,
			.sources = h->up.sources,
			.count = 1,
			.on_settled = on_settled,
			.ctx = h,
			.may = on_address,
			.may_ctx = g });
		if (!names_are_settled(h->up.names))
			return;
	}
	host_ready(h);
}

/* The one that nobody has used for longest gives way. */
static bool make_room(struct proxy *p)
{
	struct egress *e = &p->egress;
	if (e->hosts.len < EGRESS_HOSTS_MAX)
		return true;
	if (p->retired.len >= EGRESS_HOSTS_MAX)
		return false;
	LIST_EACH (&e->hosts, n, after) {
		struct egress_host *h = CONTAINER_OF(n, struct egress_host, node);
		if (h->users > 0)
			continue;
		host_unlist(e, h);
		host_free(h);
		return true;
	}
	return false;
}

/* NULL: there are too many. */
static struct egress_host *host_new(struct proxy *p, const struct egress_want *want)
{
	struct egress *e = &p->egress;
	if (!make_room(p))
		return NULL;
	struct egress_host *h = mem_zalloc(sizeof(*h));
	h->proxy = p;
	h->want = *want;
	list_init(&h->waits);
	host_name(h);
	host_fill(h, p->plan);
	list_push_back(&e->hosts, &h->node);
	list_push_back(&e->buckets[bucket_of(want)], &h->chain);
	e->hosts_total++;
	host_look_up(h);
	if (!timer_is_set(&e->sweep))
		io_timer_set(
			p->worker.loop, &e->sweep, ns_add(proxy_now(p), SWEEP_EVERY));
	return h;
}

static void on_sweep(struct timer *t)
{
	struct egress *e = CONTAINER_OF(t, struct egress, sweep);
	struct proxy *p = CONTAINER_OF(e, struct proxy, egress);
	ns_t now = proxy_now(p), keep = ns_max(EGRESS_KEEP_FOR, p->opt->idle_for);
	LIST_EACH (&e->hosts, n, after) {
		struct egress_host *h = CONTAINER_OF(n, struct egress_host, node);
		if (h->users > 0 || now < ns_add(h->used_at, keep))
			continue;
		host_unlist(e, h);
		host_free(h);
	}
	if (e->hosts.len)
		io_timer_set(p->worker.loop, &e->sweep, ns_add(now, SWEEP_EVERY));
}

/* All connections there may be are open: an idle one, to the host that was used longest ago,
 * makes room. */
static void spare_connection(struct egress *e, const struct egress_host *wanted)
{
	if (e->group.conns < e->group.conns_max)
		return;
	LIST_EACH (&e->hosts, n, after) {
		struct egress_host *h = CONTAINER_OF(n, struct egress_host, node);
		if (h != wanted && h->up.target && upstream_drop_idle(h->up.target->up))
			return;
	}
}

/* --- requests --- */

static void go(
	struct proxy *p, struct sconn *client, const struct route *r, ns_t begun_at)
{
	const struct h1_head *head = sconn_head(client);
	if (head->method == H1_CONNECT)
		tunnel_request(p, client, head, r, begun_at);
	else
		forward_request(p, client, head, r, begun_at);
}

/* Its host has been looked up: to it, or not. */
static void go_to(struct egress_host *h, struct sconn *client, ns_t begun_at)
{
	struct proxy *p = h->proxy;
	const struct names *names = h->up.target->names;
	struct text words;
	enum err why = ERR_OK;
	text_init(&words);
	if (names_state(names, 0) == NAMES_BARRED) {
		why = egress_judge(p, &h->want, names_barred(names, 0), &words);
		if (why == ERR_OK) /* other rules have come meanwhile */
			why = ERR_RESOLVE;
	} else if (names_state(names, 0) == NAMES_LOST) {
		why = ERR_RESOLVE;
		text_addf(&words, "cannot resolve '%s': %s", h->want.host,
			names_why(names, 0));
	}
	if (why == ERR_OK) {
		spare_connection(&p->egress, h);
		go(p, client, &h->route, begun_at);
	} else {
		refuse(p, client, why, &words);
	}
	text_fini(&words);
}

/* --- requests that wait --- */

static struct wait *client_wait(struct sconn *client)
{
	return sconn_ctx(client);
}

static struct egress_host *wait_host(const struct wait *w)
{
	return w->x.route->host;
}

/* Out of the list; what follows is an answer, or another exchange. */
static void wait_over(struct wait *w)
{
	struct egress_host *h = wait_host(w);
	io_timer_stop(h->proxy->worker.loop, &w->deadline);
	if (list_on(&w->node))
		list_remove(&h->waits, &w->node);
}

static void on_deadline(struct timer *t)
{
	struct wait *w = CONTAINER_OF(t, struct wait, deadline);
	wait_over(w);
	proxy_answer_reason(wait_host(w)->proxy, w->client, w->x.route, ERR_DEADLINE);
}

/* As with a request that has no slot yet, its body waits with it. */
static size_t on_body(struct sconn *client, struct slice data)
{
	return client_wait(client)->x.status ? data.len : 0;
}

static void on_nothing(struct sconn *client)
{
	(void)client;
}

static void on_end(struct sconn *client, enum err why)
{
	struct wait *w = client_wait(client);
	struct proxy *p = wait_host(w)->proxy;
	proxy_note_client(p, why, w->x.status != 0);
	wait_over(w);
	exchange_end(p, &w->x, client);
	mem_free(w);
}

static const struct server_ops wait_ops = {
	.on_body = on_body,
	.on_body_end = on_nothing,
	.on_drain = on_nothing,
	.on_end = on_end,
};

static void wait_for(struct egress_host *h, struct sconn *client)
{
	struct proxy *p = h->proxy;
	ns_t until;
	enum err why = proxy_until(&h->route, sconn_head(client), proxy_now(p), &until);
	if (why != ERR_OK) {
		proxy_answer_reason(p, client, &h->route, why);
		return;
	}
	struct wait *w = mem_zalloc(sizeof(*w));
	exchange_begin(p, &w->x, &wait_ops, &h->route, proxy_now(p));
	w->client = client;
	w->deadline.on_fire = on_deadline;
	io_timer_set(p->worker.loop, &w->deadline, until);
	list_push_back(&h->waits, &w->node);
	sconn_set_ctx(client, w);
}

static void on_settled(void *ctx)
{
	struct egress_host *h = ctx;
	struct list_node *n;
	egress_use(h); /* stays until all have gone on */
	host_ready(h);
	while ((n = list_front(&h->waits))) {
		struct wait *w = CONTAINER_OF(n, struct wait, node);
		wait_over(w);
		sconn_set_ctx(w->client, NULL);
		go_to(h, w->client, w->x.begun_at);
		exchange_pass(h->proxy, &w->x);
		mem_free(w);
	}
	egress_leave(h);
}

/* --- a configured upstream --- */

static bool is_url_of(const struct plan_upstream *u, const struct egress_want *want)
{
	char host[ALLOW_HOST_MAX + 1];
	bool tls = u->up.tls != NULL;
	if (u->source_count != 1 || u->sources[0].port != want->port ||
		want->kind != (tls ? EGRESS_HTTPS : EGRESS_HTTP))
		return false;
	struct slice its = u->sources[0].host;
	return slice_eq(its, slice_of(want->host)) ||
	       (allow_host(its, host) && strcmp(host, want->host) == 0);
}

static const struct plan_upstream *configured(
	const struct plan *plan, const struct egress_want *want)
{
	for (uint32_t i = 0; i < plan->upstream_count; i++)
		if (is_url_of(&plan->upstreams[i], want))
			return &plan->upstreams[i];
	return NULL;
}

/* Where it leads was the configuration's choice, and who may go there is the policy's. */
static void go_configured(struct proxy *p, struct sconn *client,
	const struct plan_upstream *u, const struct egress_want *want)
{
	const struct addr *at;
	struct text words;
	enum err why = ERR_OK;
	text_init(&words);
	for (uint32_t k = 0; why == ERR_OK && (at = upstream_address(u->target->up, k));
		k++)
		why = egress_judge(p, want, at, &words);
	if (why == ERR_OK)
		go(p, client, &u->as_egress, proxy_now(p));
	else
		refuse(p, client, why, &words);
	text_fini(&words);
}

/* --- what comes in --- */

static void go_anywhere(
	struct proxy *p, struct sconn *client, const struct egress_want *want)
{
	struct egress *e = &p->egress;
	struct egress_host *h = host_find(e, want);
	if (h) { /* to the end of those used longest ago */
		list_remove(&e->hosts, &h->node);
		list_push_back(&e->hosts, &h->node);
	} else if (!(h = host_new(p, want))) {
		proxy_answer_reason(p, client, NULL, ERR_EGRESS_FULL);
		return;
	}
	h->used_at = proxy_now(p);
	if (h->up.target)
		go_to(h, client, proxy_now(p));
	else
		wait_for(h, client);
}

/* All that can be said before anything is looked up. */
static enum err judge_early(const struct proxy *p, const struct sconn *client,
	const struct egress_want *want, struct text *words)
{
	struct addr at;
	if (sconn_mark(client) != EGRESS_FORWARD)
		return ERR_EGRESS_CLIENT;
	bool known = want->literal &&
		     dns_is_literal(slice_of(want->host), want->port, &at);
	return egress_judge(p, want, known ? &at : NULL, words);
}

void egress_request(struct proxy *p, struct sconn *client, const struct h1_head *head)
{
	struct egress_want want;
	struct text words;
	enum err why = egress_read(head, &want);
	text_init(&words);
	if (why == ERR_OK)
		why = judge_early(p, client, &want, &words);
	if (why == ERR_OK && !want.literal && !p->dns)
		why = ERR_RESOLVE;
	const struct plan_upstream *u = why == ERR_OK ? configured(p->plan, &want) : NULL;
	if (why != ERR_OK)
		refuse(p, client, why, &words);
	else if (u)
		go_configured(p, client, u, &want);
	else
		go_anywhere(p, client, &want);
	text_fini(&words);
}

/* --- life --- */

static bool same_rules(const struct plan *a, const struct plan *b)
{
	return a && a->egress && b->egress &&
	       strcmp(a->egress->text, b->egress->text) == 0;
}

/* Its like, under the plan of now, so that its target stays. */
static void host_renew(struct proxy *p, const struct egress_host *h)
{
	struct egress_host *next = host_new(p, &h->want);
	if (next)
		next->used_at = h->used_at;
}

static uint32_t conns_of_thread(const struct plan *plan)
{
	uint32_t all = plan->egress ? plan->egress->conns_max : 0;
	return (all + plan->threads - 1) / plan->threads;
}

void egress_switch(struct proxy *p, const struct plan *before)
{
	struct egress *e = &p->egress;
	bool same = same_rules(before, p->plan);
	e->rules += !same;
	e->group.conns_max = conns_of_thread(p->plan);
	for (uint32_t left = e->hosts.len; left > 0; left--) {
		struct egress_host *h = CONTAINER_OF(
			list_front(&e->hosts), struct egress_host, node);
		host_unlist(e, h);
		h->stale = true;
		if (same && h->up.target)
			host_renew(p, h);
		if (h->users == 0)
			host_free(h);
	}
}

void egress_init(struct proxy *p)
{
	struct egress *e = &p->egress;
	list_init(&e->hosts);
	for (size_t i = 0; i < EGRESS_BUCKETS; i++)
		list_init(&e->buckets[i]);
	upstream_group_init(&e->group, 0);
	e->sweep.on_fire = on_sweep;
}

void egress_fini(struct proxy *p)
{
	struct egress *e = &p->egress;
	struct list_node *n;
	io_timer_stop(p->worker.loop, &e->sweep);
	while ((n = list_front(&e->hosts))) {
		struct egress_host *h = CONTAINER_OF(n, struct egress_host, node);
		host_unlist(e, h);
		host_free(h);
	}
}

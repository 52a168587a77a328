#include "proxy/plan.h"

#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/rng.h"
#include "io/fds.h"
#include "proto/path.h"
#include "proxy/proxy.h"
#include "proxy/source.h"

/* Bytes to read for one path, in all its readings: 512 B of the oddest, 8 KiB of most. */
#define PATH_WORK_MAX (128u * 1024)
#define FDS_A_THREAD 8 /* its loop's; and its listeners come on top */

/* --- from a config --- */

_Static_assert(OPT_TEXTS_MAX <= UPSTREAM_ENDPOINTS_MAX, "each URL has its source");

static void add_source(struct config *c, struct plan_upstream *u, uint32_t nth)
{
	const char *text = u->cfg->at.opt.upstream.v[nth];
	struct problem why = { "" };
	struct addr_url url;
	if (addr_url_parse(slice_of(text), &url, &why))
		names_source_of(&url, &u->sources[u->source_count++]);
	else
		config_complain(c, (struct config_option){ &u->cfg->at, "upstream", nth },
			" %s: %s", text, why.text);
}

/* The path of its URL, without the / at its end. */
static struct slice base_of(const struct proxy_options *o)
{
	struct addr_url url;
	struct problem why = { "" };
	if (!o->upstream.n || !addr_url_parse(slice_of(o->upstream.v[0]), &url, &why))
		return SLICE_NONE;
	if (url.path.len && url.path.ptr[url.path.len - 1] == '/')
		url.path.len--;
	return url.path;
}

void plan_fill_route(struct route *r, const struct proxy_options *o)
{
	r->base = base_of(o);
	r->timeout = o->timeout;
	r->tunnel_idle_for = o->tunnel_idle_for;
	r->gather = (uint32_t)o->gather;
	r->preserve_host = o->preserve_host;
	r->server_timing = o->server_timing;
	account_route(r, o);
}

static void add_places(struct config *c, struct plan *plan, const char *name,
	const struct opt_texts *texts, struct server_place like)
{
	uint32_t n;
	for (uint32_t i = 0; i < texts->n; i++) {
		struct problem why = { "" };
		struct server_place *place = &plan->places[plan->place_count++];
		*place = like;
		if (!addr_resolve(slice_of(texts->v[i]), &place->at, 1, &n, &why))
			config_complain(c, (struct config_option){ &c->at, name, i },
				": %s", why.text);
	}
}

static void resolve_addrs(struct config *c, struct plan *plan)
{
	const struct proxy_options *o = &c->at.opt;
	uint32_t n;
	add_places(c, plan, "listen", &o->listen,
		(struct server_place){ .mark = EGRESS_REVERSE });
	add_places(c, plan, "forward-listen", &o->forward_listen,
		(struct server_place){
			.mark = EGRESS_FORWARD, .plain = !o->forward_tls });
	struct problem why = { "" };
	if (o->admin && !addr_resolve(slice_of(o->admin), &plan->admin, 1, &n, &why))
		config_complain(c, (struct config_option){ &c->at, "admin", 0 }, ": %s",
			why.text);
}

/* --- certificates --- */

/* Problems begin with the name of the file that is at fault. */
static bool is_about(const struct problem *why, const char *file)
{
	size_t len = file ? strlen(file) : 0;
	return len && strncmp(why->text, file, len) == 0 && why->text[len] == ':';
}

/* It is told where that file is asked for; the last of them need not be looked at. */
static void complain_file(struct config *c, const struct config_level *at,
	const char *const *options, const char *const *files, const struct problem *why)
{
	uint32_t nth = 0;
	while (options[nth + 1] && !is_about(why, files[nth]))
		nth++;
	config_complain(
		c, (struct config_option){ at, options[nth], 0 }, " %s", why->text);
}

static void complain_server(struct config *c, const struct problem *why)
{
	const struct proxy_options *o = &c->at.opt;
	struct config_option at = { &c->at, "cert", 0 };
	while (at.item + 1 < o->cert.n && !is_about(why, o->cert.v[at.item]) &&
		!is_about(why, o->key.v[at.item]))
		at.item++;
	/* Both may be in one file, which the certificate is the first to be asked of. */
	if (!is_about(why, o->cert.v[at.item]) && is_about(why, o->key.v[at.item]))
		at.name = "key";
	config_complain(c, at, " %s", why->text);
}

static void load_server(struct config *c, struct plan *plan)
{
	const struct proxy_options *o = &c->at.opt;
	struct problem why = { "" };
	if (!o->cert.n)
		return;
	struct tls_files *files = mem_alloc(o->cert.n * sizeof(*files));
	for (uint32_t i = 0; i < o->cert.n; i++)
		files[i] = (struct tls_files){ o->cert.v[i], o->key.v[i] };
	const struct tls_server_cfg cfg = { .first = files[0],
		.handshake_for = o->tls_timeout,
		.others = files + 1,
		.other_count = o->cert.n - 1 };
	plan->tls = tls_server_new(&cfg, &why);
	mem_free(files);
	if (!plan->tls)
		complain_server(c, &why);
}

static void load_client(struct config *c, struct plan_upstream *u)
{
	const struct proxy_options *o = &u->cfg->at.opt;
	const struct tls_client_cfg cfg = { .ca_file = o->upstream_ca,
		.cert_file = o->upstream_cert,
		.key_file = o->upstream_key,
		.insecure = o->upstream_insecure,
		.handshake_for = o->tls_timeout };
	struct problem why = { "" };
	struct addr_url url;
	if (!o->upstream.n || !addr_url_parse(slice_of(o->upstream.v[0]), &url, &why) ||
		!url.tls)
		return;
	u->tls = u->up.tls = tls_client_new(&cfg, &why);
	if (!u->tls)
		complain_file(c, &u->cfg->at,
			(const char *[]){
				"upstream-ca", "upstream-cert", "upstream-key", NULL },
			(const char *[]){
				o->upstream_ca, o->upstream_cert, o->upstream_key },
			&why);
}

static void check_sources(struct config *c, const struct plan_upstream *u)
{
	struct problem why = { "" };
	if (!sources_check(&u->up, &why))
		config_complain(c, (struct config_option){ &u->cfg->at, "source", 0 },
			": %s", why.text);
}

/* --- plans --- */

static struct plan *plan_alloc(
	const struct proxy_options *o, uint32_t upstreams, uint32_t routes)
{
	struct plan *plan = mem_zalloc(sizeof(*plan));
	plan->refs = 1;
	plan->opt = o;
	plan->upstreams = mem_zalloc(upstreams * sizeof(*plan->upstreams));
	plan->upstream_count = upstreams;
	plan->routes = mem_zalloc(routes * sizeof(*plan->routes));
	plan->route_count = routes;
	return plan;
}

static void plan_free(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->upstream_count; i++) {
		names_free(&plan->upstreams[i].names);
		tls_client_unref(&plan->upstreams[i].tls);
	}
	dns_free(&plan->dns);
	tls_server_unref(&plan->tls);
	egress_policy_free(&plan->egress);
	way_fini(&plan->way);
	config_unref(&plan->config);
	for (uint32_t i = 0; i < plan->route_count; i++)
		mem_free(plan->routes[i].parts);
	mem_free(plan->upstreams);
	mem_free(plan->routes);
	mem_free(plan);
}

/* No other plan has it, but for its copies. Where the kernel has nothing to draw from,
 * the time will do. */
static uint64_t draw_id(void)
{
	uint64_t id = 0;
	if (getrandom(&id, sizeof(id), GRND_NONBLOCK) != sizeof(id))
		id = rng_mix((uint64_t)getpid(), (uint64_t)time(NULL));
	return id;
}

static void add_parts(struct route *r, const struct config *c)
{
	r->gathered = r->cfg->parts;
	r->parts = mem_zalloc(r->gathered->count * sizeof(*r->parts));
	for (uint32_t i = 0; i < r->gathered->count; i++) {
		struct route *part = &r->parts[i];
		const uint32_t upstream = r->gathered->parts[i].upstream;
		*part = *r;
		part->parts = NULL;
		part->index = upstream;
		part->base = base_of(&c->upstreams[upstream].at.opt);
	}
}

static void copy_parts(struct route *r)
{
	const struct route *from = r->parts;
	r->parts = mem_zalloc(r->gathered->count * sizeof(*r->parts));
	for (uint32_t i = 0; i < r->gathered->count; i++) {
		r->parts[i] = from[i];
		r->parts[i].plan = r->plan;
		r->parts[i].upstream = NULL;
	}
}

struct plan *plan_new(struct config *c)
{
	struct plan *plan = plan_alloc(&c->at.opt, c->upstream_count, c->route_count);
	plan->id = draw_id();
	way_init(&plan->way, plan->opt, plan->id);
	resolve_addrs(c, plan);
	load_server(c, plan);
	plan->egress = egress_policy_new(c);
	for (uint32_t i = 0; i < c->upstream_count; i++) {
		struct plan_upstream *u = &plan->upstreams[i];
		u->cfg = &c->upstreams[i];
		u->name = u->cfg->name;
		proxy_fill_upstream(&u->cfg->at.opt, &u->up);
		for (uint32_t k = 0; k < u->cfg->at.opt.upstream.n; k++)
			add_source(c, u, k);
		load_client(c, u);
		check_sources(c, u);
	}
	for (uint32_t i = 0; i < c->route_count; i++) {
		const struct config_route *from = &c->routes[i];
		struct route *r = &plan->routes[i];
		r->plan = plan;
		r->cfg = from;
		r->index = from->upstream;
		r->takes_all = !from->host && !from->path && !from->method_count;
		plan_fill_route(r, &from->at.opt);
		if (from->parts)
			add_parts(r, c);
	}
	if (!config_is_good(c)) {
		plan_free(plan);
		return NULL;
	}
	plan->threads = config_threads(&c->at.opt);
	plan->config = c;
	return plan;
}

struct plan *plan_of(const struct proxy_options *o, const struct upstream_cfg *upstream)
{
	struct plan *plan = plan_alloc(o, 1, 1);
	way_init(&plan->way, o, 0); /* no two runs differ */
	plan->threads = 1;
	plan->upstreams->up = *upstream;
	plan->upstreams->name = "default";
	plan->routes->plan = plan;
	plan->routes->takes_all = true;
	plan_fill_route(plan->routes, o);
	return plan;
}

/* The texts are the config's: the names that were found may go before the copy is opened. */
static void copy_endpoints(struct plan_upstream *u)
{
	const struct names *names = u->target->names;
	u->up.endpoint_count = 0;
	for (uint32_t i = 0; names && i < u->source_count; i++) {
		const struct addr *found;
		uint32_t n = names_addrs(names, i, &found);
		for (uint32_t k = 0; k < n; k++) {
			if (u->up.endpoint_count == UPSTREAM_ENDPOINTS_MAX)
				return;
			u->up.endpoints[u->up.endpoint_count] = found[k];
			u->up.names[u->up.endpoint_count++] = u->sources[i].authority;
		}
	}
}

struct plan *plan_copy(const struct plan *plan)
{
	struct plan *copy = plan_alloc(
		plan->opt, plan->upstream_count, plan->route_count);
	copy->config = config_ref(plan->config);
	copy->id = plan->id;
	way_init(&copy->way, copy->opt, copy->id);
	memcpy(copy->places, plan->places, sizeof(copy->places));
	copy->place_count = plan->place_count;
	copy->threads = plan->threads;
	copy->egress = egress_policy_copy(plan->egress, plan->opt);
	copy->tls = plan->tls;
	if (copy->tls)
		tls_server_ref(copy->tls);
	for (uint32_t i = 0; i < plan->upstream_count; i++) {
		struct plan_upstream *u = &copy->upstreams[i];
		*u = plan->upstreams[i];
		copy_endpoints(u);
		if (u->tls)
			tls_client_ref(u->tls);
		u->names = NULL;
		u->target = NULL;
	}
	for (uint32_t i = 0; i < plan->route_count; i++) {
		copy->routes[i] = plan->routes[i];
		copy->routes[i].plan = copy;
		copy->routes[i].upstream = NULL;
		if (copy->routes[i].parts)
			copy_parts(&copy->routes[i]);
	}
	return copy;
}

/* --- descriptors --- */

static bool is_capped(const struct upstream_cfg *u)
{
	return u->limit != SLOTS_NO_LIMIT && u->unit == SLOT_UNIT_CONNECTION;
}

/* How many calls of one request go to that upstream together. */
static uint32_t calls_to(const struct route *r, uint32_t upstream)
{
	uint32_t n = 0;
	if (!r->parts)
		return r->index == upstream ? r->gather : 0;
	for (uint32_t i = 0; i < r->gathered->count; i++)
		n += r->parts[i].index == upstream;
	return n;
}

static uint32_t largest_gather(const struct plan *plan, uint32_t upstream)
{
	uint32_t most = 1;
	for (uint32_t i = 0; i < plan->route_count; i++) {
		uint32_t n = calls_to(&plan->routes[i], upstream);
		most = n > most ? n : most;
	}
	return most;
}

/* What more threads than one have open besides connections. */
static uint64_t files_beside(const struct plan *plan)
{
	return (plan->threads - 1) * (FDS_A_THREAD + (uint64_t)plan->place_count);
}

static uint32_t share_of(uint64_t each, uint64_t clients, uint32_t least)
{
	uint64_t share = each < clients ? each : clients;
	return share > least ? (uint32_t)share : least;
}

/* A cap in connections is what that upstream gets; the others share what is left. */
bool plan_share_files(struct plan *plan, uint64_t *servers, struct problem *p)
{
	uint64_t clients = plan->opt->clients, fit = fds_fit(), sum = 0;
	uint64_t beside = files_beside(plan);
	uint64_t left = fit > clients + beside ? fit - clients - beside : 0;
	uint32_t open_ended = 0;
	char what[128];
	for (uint32_t i = 0; i < plan->upstream_count; i++) {
		const struct upstream_cfg *u = &plan->upstreams[i].up;
		open_ended += !is_capped(u);
		if (is_capped(u))
			left = left > u->limit ? left - u->limit : 0;
	}
	open_ended += plan->egress != NULL; /* all hosts of the forward proxy together */
	uint64_t each = open_ended ? left / open_ended : 0;
	for (uint32_t i = 0; i < plan->upstream_count; i++) {
		struct upstream_cfg *u = &plan->upstreams[i].up;
		uint32_t least = largest_gather(plan, i);
		u->sockets_max = is_capped(u) ? u->limit : share_of(each, clients, least);
		sum += u->sockets_max;
	}
	if (plan->egress) {
		plan->egress->conns_max = share_of(each, clients, 1);
		sum += plan->egress->conns_max;
	}
	*servers = sum;
	snprintf(what, sizeof(what),
		"--clients %llu and %llu connections to the upstream%s",
		(unsigned long long)clients, (unsigned long long)sum,
		plan->upstream_count + (plan->egress != NULL) > 1 ? "s" : "");
	return fds_ensure(clients + sum + beside, what, p);
}

/* --- life --- */

static void fill_egress_route(struct plan *plan, struct plan_upstream *u)
{
	struct route *r = &u->as_egress;
	plan_fill_route(r, u->cfg ? &u->cfg->at.opt : plan->opt);
	r->plan = plan;
	r->upstream = u->target->up;
	r->name = u->name;
	r->base = SLICE_NONE;
	r->gather = 1;
	r->forwards = true;
}

static void lead_route(const struct plan *plan, struct route *r)
{
	r->upstream = plan->upstreams[r->index].target->up;
	r->name = plan->upstreams[r->index].name;
}

void plan_open(struct proxy *p, struct plan *plan)
{
	struct plan *before = p->plan;
	plan->proxy = p;
	plan_open_dns(plan, p);
	for (uint32_t i = 0; i < plan->upstream_count; i++) {
		struct plan_upstream *u = &plan->upstreams[i];
		u->target = target_take(p, u);
		fill_egress_route(plan, u);
	}
	for (uint32_t i = 0; i < plan->route_count; i++) {
		struct route *r = &plan->routes[i];
		lead_route(plan, r);
		for (uint32_t k = 0; r->parts && k < r->gathered->count; k++)
			lead_route(plan, &r->parts[k]);
		if (r->parts)
			r->name = r->gathered->upstreams;
	}
	p->plan = plan;
	p->opt = plan->opt;
	p->upstream = plan->route_count ? plan->routes->upstream : NULL;
	egress_switch(p, before);
	if (before)
		plan_unref(before);
}

void plan_ref(struct plan *plan)
{
	plan->refs++;
}

void plan_unref(struct plan *plan)
{
	if (--plan->refs > 0)
		return;
	for (uint32_t i = 0; i < plan->upstream_count; i++)
		if (plan->upstreams[i].target)
			target_give(plan->proxy, plan->upstreams[i].target);
	plan_free(plan);
}

/* --- routing --- */

/* "host", "host:port", "[v6]:port"; "host." is the same name. */
static struct slice host_of(struct slice authority)
{
	size_t from = authority.len && authority.ptr[0] == '['
			      ? slice_find(authority, ']')
			      : 0;
	struct slice rest = slice_cut(authority, from, SIZE_MAX);
	struct slice host = slice_cut(authority, 0, from + slice_find(rest, ':'));
	const bool rooted = host.len > 1 && host.ptr[host.len - 1] == '.';
	return slice_cut(host, 0, host.len - rooted);
}

static struct slice path_of(struct slice target)
{
	struct slice path = slice_cut(target, 0, slice_find(target, '?'));
	return path.len ? path : SLICE("/");
}

static bool route_takes(
	const struct config_route *r, const struct h1_head *head, struct slice path)
{
	bool method = r->method_count == 0;
	for (uint32_t i = 0; i < r->method_count && !method; i++)
		method = slice_eq(slice_of(r->methods[i]), head->method_text);
	return method &&
	       (!r->host || config_host_matches(r->host, host_of(head->authority))) &&
	       (!r->path || config_path_matches(r->path, path));
}

static const struct route *route_of(
	const struct plan *plan, const struct h1_head *head, struct slice path)
{
	for (uint32_t i = 0; i < plan->route_count; i++) {
		const struct route *r = &plan->routes[i];
		if (LIKELY(r->takes_all) || route_takes(r->cfg, head, path))
			return r;
	}
	return NULL;
}

const struct route *plan_route(const struct plan *plan, const struct h1_head *head)
{
	return route_of(plan, head, path_of(head->path));
}

bool plan_path_is_clear(
	const struct plan *plan, const struct h1_head *head, const struct route *r)
{
	bool clear = true, climbs;
	if (r->parts || (r->takes_all && r == plan->routes && r->base.len == 0))
		return true; /* wherever it leads */
	const struct slice path = path_of(head->path);
	if (LIKELY(path_is_plain(path)))
		return true;
	const unsigned all = path_ways(path);
	if (path.len << __builtin_popcount(all) > PATH_WORK_MAX)
		return false;
	char *buf = mem_alloc(path.len + 1);
	for (unsigned ways = all; ways && clear; ways = path_next(ways, all)) {
		const struct slice other = path_read(path, ways, buf, &climbs);
		clear = route_of(plan, head, other) == r && !(climbs && r->base.len);
	}
	mem_free(buf);
	return clear;
}

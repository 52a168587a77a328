/* What the values mean, alone and together. */
#include "admin/alert.h"
#include "base/ascii.h"
#include "flow/allow.h"
#include "http/upstream.h"
#include "io/addr.h"
#include "io/dns.h"
#include "io/thread.h"
#include "proto/h1.h"
#include "proto/path.h"
#include "proxy/config_internal.h"
#include "proxy/source.h"
#include "proxy/way.h"

#define LIMIT_MAX 1000000
#define HOST_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.[]:"

static struct config_option option(const struct config_level *at, const char *name)
{
	return (struct config_option){ at, name, 0 };
}

/* What an option takes beside numbers may have been meant. Of several words `said` is the one that
 * is none; " of: write a duration above zero, p95, or off; did you mean off?" */
static void complain_of_word(struct config *c, struct config_option at, struct slice said,
	const char *const *words, const char *takes)
{
	size_t n = 0;
	while (words[n])
		n++;
	const bool is_number = said.len && said.ptr[0] >= '0' && said.ptr[0] <= '9';
	const char *meant = is_number ? NULL : units_nearest(said, words, n);
	if (meant && slice_eq(said, slice_of(meant)))
		meant = NULL; /* known, but out of place */
	config_complain(c, at, " %.*s: %s%s%s%s", SLICE_ARG(said), takes,
		meant ? "; did you mean " : "", meant ? meant : "", meant ? "?" : "");
}

/* A bound of zero would be met by nothing. */
static void check_bound(struct config *c, const struct config_level *at, const char *name,
	ns_t value, const char *then)
{
	if (value == 0)
		config_complain(c, option(at, name),
			" 0: %s; write a duration above zero, or none", then);
}

/* A slot that is charged without an end is lost for good. */
static void check_charge(
	struct config *c, const struct config_level *at, const char *name, ns_t value)
{
	if (value == NS_NEVER)
		config_complain(c, option(at, name),
			" none: such slots would never be free again; write 0ms if they "
			"are at once");
}

/* --- the process --- */

static bool check_addr(const char *text, struct problem *p)
{
	struct slice s = slice_of(text), host;
	struct addr ignored;
	uint16_t port;
	if (slice_starts(s, SLICE("unix:")))
		return addr_parse(s, &ignored, p);
	return addr_split(s, &host, &port, p);
}

static void check_places(
	struct config *c, const char *name, const struct opt_texts *listen)
{
	for (uint32_t i = 0; i < listen->n; i++) {
		struct config_option at = { &c->at, name, i };
		struct problem why = { "" };
		if (!check_addr(listen->v[i], &why))
			config_complain(c, at, ": %s", why.text);
		for (uint32_t k = 0; k < i; k++)
			if (strcmp(listen->v[i], listen->v[k]) == 0)
				config_complain(
					c, at, ": %s is there twice", listen->v[i]);
	}
}

static void check_networks(
	struct config *c, const char *name, const struct opt_texts *texts)
{
	struct addr_net ignored;
	for (uint32_t i = 0; i < texts->n; i++) {
		struct problem why = { "" };
		if (!addr_net_parse(slice_of(texts->v[i]), &ignored, &why))
			config_complain(c, (struct config_option){ &c->at, name, i },
				": %s", why.text);
	}
}

static void check_alerts(struct config *c)
{
	const struct proxy_options *o = &c->at.opt;
	struct problem why = { "" };
	struct addr_url ignored;
	struct text target;
	text_init(&target);
	if (o->alert_url &&
		!alert_url_read(slice_of(o->alert_url), &ignored, &target, &why))
		config_complain(c, option(&c->at, "alert-url"), ": %s", why.text);
	text_fini(&target);
}

static void check_way(struct config *c)
{
	const struct config_level *at = &c->at;
	const struct opt_texts *trust = &at->opt.forwarded_trust;
	if (!way_is_name(slice_of(at->opt.via)))
		config_complain(c, option(at, "via"),
			": '%s' is no name: letters, digits and - make one, or none",
			at->opt.via ? at->opt.via : "");
	check_networks(c, "forwarded-trust", trust);
}

/* The kernel chooses one. */
static bool is_any_port(const char *addr)
{
	size_t n = strlen(addr);
	return n >= 2 && strcmp(addr + n - 2, ":0") == 0;
}

/* One address is for one or the other. */
static void check_both_listen(struct config *c)
{
	const struct opt_texts *listen = &c->at.opt.listen,
			       *forward = &c->at.opt.forward_listen;
	for (uint32_t i = 0; i < forward->n; i++)
		for (uint32_t k = 0; k < listen->n; k++)
			if (strcmp(forward->v[i], listen->v[k]) == 0 &&
				!is_any_port(forward->v[i]))
				config_complain(c,
					(struct config_option){
						&c->at, "forward-listen", i },
					": %s is an address of `listen`: give the forward "
					"proxy one of its own",
					forward->v[i]);
}

static void check_listen(struct config *c)
{
	const struct proxy_options *o = &c->at.opt;
	if (!o->listen.n && !o->forward_listen.n)
		config_complain(c, option(&c->at, "listen"),
			" is missing: where do clients come in? For example :8080");
	check_places(c, "listen", &o->listen);
	check_places(c, "forward-listen", &o->forward_listen);
	check_both_listen(c);
}

static void check_patterns(
	struct config *c, const char *name, const struct opt_texts *texts)
{
	struct allow_list list = { .n = 0 };
	for (uint32_t i = 0; i < texts->n; i++) {
		struct problem why = { "" };
		if (!allow_add(&list, texts->v[i], &why))
			config_complain(c, (struct config_option){ &c->at, name, i },
				": %s", why.text);
	}
	allow_fini(&list);
}

/* What is said of a forward proxy where there is none is a mistake. */
static void check_idle(struct config *c, const char *name, bool given)
{
	if (given && !c->at.opt.forward_listen.n)
		config_complain(c, option(&c->at, name),
			" is for the forward proxy, and there is none: give it an "
			"address, forward-listen");
}

static void check_forward(struct config *c)
{
	const struct proxy_options *o = &c->at.opt;
	check_networks(c, "forward-clients", &o->forward_clients);
	check_patterns(c, "forward-allow", &o->forward_allow);
	check_patterns(c, "forward-deny", &o->forward_deny);
	check_idle(c, "forward-clients", o->forward_clients.n);
	check_idle(c, "forward-allow", o->forward_allow.n);
	check_idle(c, "forward-deny", o->forward_deny.n);
	check_idle(c, "forward-tls", o->forward_tls);
	if (o->forward_tls && !o->cert.n)
		config_complain(c, option(&c->at, "forward-tls"),
			" needs a certificate: give cert and key");
}

uint32_t config_threads(const struct proxy_options *o)
{
	struct problem ignored = { "" };
	uint64_t n = 0;
	if (strcmp(o->threads, "auto") == 0)
		n = io_cpus() < PROXY_THREADS_MAX ? io_cpus() : PROXY_THREADS_MAX;
	else if (!units_count(slice_of(o->threads), &n, &ignored) ||
		 n > PROXY_THREADS_MAX)
		return 0;
	return (uint32_t)n;
}

static void check_threads(struct config *c)
{
	static const char *const words[] = { "auto", NULL };
	const struct slice said = slice_of(c->at.opt.threads);
	char takes[64];
	snprintf(takes, sizeof(takes),
		"write a number from 1 to %d, or auto for one a CPU", PROXY_THREADS_MAX);
	if (!config_threads(&c->at.opt))
		complain_of_word(c, option(&c->at, "threads"), said, words, takes);
}

static void check_process(struct config *c)
{
	const struct config_level *at = &c->at;
	const struct proxy_options *o = &at->opt;
	struct problem why = { "" };
	check_listen(c);
	check_forward(c);
	if (o->admin && !check_addr(o->admin, &why))
		config_complain(c, option(at, "admin"), ": %s", why.text);
	if (o->dns && !dns_servers_check(o->dns, &why))
		config_complain(c, option(at, "dns"), ": %s", why.text);
	if (o->clients == 0 || o->clients > LIMIT_MAX)
		config_complain(c, option(at, "clients"),
			": between 1 and 1,000,000 (with 0 nobody could come in)");
	check_alerts(c);
	check_way(c);
	check_threads(c);
	check_bound(c, at, "client-head-for", o->client_head_for,
		"every request would be too late");
	check_bound(c, at, "client-body-for", o->client_body_for,
		"every body would be refused");
	check_bound(c, at, "client-write-for", o->client_write_for,
		"every client would be cut");
	if (o->cert.n != o->key.n)
		config_complain(c, option(at, o->cert.n > o->key.n ? "cert" : "key"),
			": a certificate and its key go together: give both");
}

/* --- an upstream --- */

/* All endpoints of an upstream are the same API: one path, under one name of theirs. */
static void check_urls(struct config *c, const struct config_upstream *u)
{
	const struct opt_texts *urls = &u->at.opt.upstream;
	struct slice path = SLICE_NONE;
	bool tls = false;
	for (uint32_t i = 0; i < urls->n; i++) {
		struct config_option at = { &u->at, "upstream", i };
		struct problem why = { "" };
		struct addr_url url;
		if (!addr_url_parse(slice_of(urls->v[i]), &url, &why)) {
			config_complain(c, at, ": %s", why.text);
			continue;
		}
		if (i > 0 && !slice_eq(path, url.path))
			config_complain(c, at, " %s: all endpoints must have one path",
				urls->v[i]);
		if (i > 0 && tls != url.tls)
			config_complain(c, at,
				" %s: all endpoints must be https, or none", urls->v[i]);
		path = url.path;
		tls = url.tls;
	}
}

bool config_hedge(const struct proxy_options *o, ns_t *after, bool *p95)
{
	const struct slice said = slice_of(o->hedge_after);
	*after = 0;
	*p95 = slice_eq(said, SLICE("p95"));
	if (*p95 || slice_eq(said, SLICE("off")))
		return true;
	return units_duration(said, after, NULL) && *after > 0 && *after != NS_NEVER;
}

static void check_retries(struct config *c, const struct config_level *at)
{
	static const char *const hedges[] = { "p95", "off", NULL };
	const struct proxy_options *o = &at->opt;
	const char *words[RETRY_WORDS + 1] = { NULL };
	struct slice wrong;
	uint32_t on;
	if (!retry_parse_on(slice_of(o->retry_on), &on, &wrong)) {
		retry_words(words);
		complain_of_word(c, option(at, "retry-on"), wrong, words,
			"write connect, reset, first-byte, 502, 503, 504, several with "
			"commas; or none, alone");
	}
	ns_t after;
	bool p95;
	if (!config_hedge(o, &after, &p95))
		complain_of_word(c, option(at, "hedge-after"), slice_of(o->hedge_after),
			hedges, "write a duration above zero, p95, or off");
	if (o->retries > RETRIES_MAX)
		config_complain(
			c, option(at, "retries"), ": between 0 and %d", RETRIES_MAX);
}

static void check_sources(struct config *c, const struct config_level *at)
{
	struct upstream_cfg ignored = { .source_count = 0 };
	struct problem why = { "" };
	uint32_t nth;
	if (!sources_read(&at->opt.source, &ignored, &nth, &why))
		config_complain(
			c, (struct config_option){ at, "source", nth }, ": %s", why.text);
}

static void check_upstream(struct config *c, const struct config_upstream *u)
{
	const struct config_level *at = &u->at;
	const struct proxy_options *o = &at->opt;
	bool in_file = c->conf && conf_get(conf_root(c->conf), "upstreams");
	if (!o->upstream.n && !in_file)
		config_complain(c, option(at, "upstream"),
			" is missing: where is the API? For example "
			"http://api.example.com");
	check_urls(c, u);
	bool fixed = o->limit != UINT64_MAX && o->limit != OPTS_AUTO;
	if (fixed && (o->limit == 0 || o->limit > LIMIT_MAX))
		config_complain(c, option(at, "limit"),
			": between 1 and 1,000,000, or auto, or none (0 would let nothing "
			"through)");
	if (o->limit_max == 0 || o->limit_max > LIMIT_MAX)
		config_complain(c, option(at, "limit-max"), ": between 1 and 1,000,000");
	check_bound(c, at, "connect-timeout", o->connect_timeout,
		"every connect would be too late");
	check_bound(c, at, "first-byte-timeout", o->first_byte_timeout,
		"every answer would be too late");
	check_bound(c, at, "idle-timeout", o->idle_timeout, "every answer would be cut");
	check_bound(c, at, "connection-age", o->connection_age,
		"no connection would be used twice; see connections");
	check_charge(c, at, "ghost-for", o->ghost_for);
	check_charge(c, at, "settle-for", o->settle_for);
	check_sources(c, at);
	if (o->connecting == 0)
		config_complain(c, option(at, "connecting"),
			": at least 1, or none for no bound");
	if (o->preconnect > LIMIT_MAX)
		config_complain(c, option(at, "preconnect"), ": at most 1,000,000");
	if (o->connection_requests == 0)
		config_complain(c, option(at, "connection-requests"),
			": at least 1, or none for no bound");
	check_bound(
		c, at, "tls-timeout", o->tls_timeout, "every handshake would be late");
	check_retries(c, at);
	if (!o->upstream_cert != !o->upstream_key)
		config_complain(c,
			option(at, o->upstream_cert ? "upstream-cert" : "upstream-key"),
			": a certificate and its key go together: give both");
}

/* --- a route --- */

static struct conf_place route_place(const struct config_route *r, const char *key)
{
	return conf_get(r->at.maps[0], key)->at;
}

static void check_host(struct config *c, const struct config_route *r)
{
	const char *name = strncmp(r->host, "*.", 2) == 0 ? r->host + 2 : r->host;
	size_t n = strspn(name, HOST_CHARS);
	if (n == 0 || name[n] || name[0] == '.')
		conf_complain(c->conf, route_place(r, "host"),
			"host: '%s' is neither a name nor \"*.name\"", r->host);
	else if (name[0] != '[' && strchr(name, ':'))
		conf_complain(c->conf, route_place(r, "host"),
			"host: '%s' has a port: write the name alone, it is matched "
			"whatever the port",
			r->host);
}

/* Another would take no request: what it is meant for is refused (plan_path_is_clear). */
static bool is_read_as_written(const char *path)
{
	char *buf = mem_alloc(strlen(path) + 1);
	bool same = true, climbs;
	const struct slice as_is = slice_of(path);
	const unsigned all = path_ways(as_is);
	for (unsigned ways = all; ways; ways = path_next(ways, all))
		same &= slice_eq(path_read(as_is, ways, buf, &climbs), as_is);
	mem_free(buf);
	return same;
}

static void check_path(struct config *c, const struct config_route *r)
{
	const char *star = strchr(r->path, '*');
	if (r->path[0] != '/')
		conf_complain(c->conf, route_place(r, "path"),
			"path: '%s' does not begin with /", r->path);
	else if (strpbrk(r->path, "?# \t"))
		conf_complain(c->conf, route_place(r, "path"),
			"path: '%s': a path alone is matched, with no ? or # or blank",
			r->path);
	else if (star && (star[1] || star[-1] != '/'))
		conf_complain(c->conf, route_place(r, "path"),
			"path: '%s': a * stands at the end, behind a /, as in /v1/*",
			r->path);
	else if (!is_read_as_written(r->path))
		conf_complain(c->conf, route_place(r, "path"),
			"path: '%s': write it as servers read it: without escapes, ;, \\, //, "
			"or dot segments",
			r->path);
}

static void check_method(struct config *c, const struct config_route *r, uint32_t nth)
{
	static const char *const known[] = { "GET", "HEAD", "POST", "PUT", "DELETE",
		"OPTIONS", "TRACE", "PATCH" };
	const char *method = r->methods[nth];
	struct slice s = slice_of(method);
	const struct conf_node *node = conf_get(r->at.maps[0], "method");
	char upper[16] = "";
	if (node->kind == CONF_LIST)
		for (node = node->first; nth > 0 && node->next; nth--)
			node = node->next;
	if (!h1_is_token(s)) {
		conf_complain(c->conf, node->at, "method: '%s' is no method", method);
		return;
	}
	for (size_t i = 0; i < s.len && i < sizeof(upper) - 1; i++)
		upper[i] = ascii_upper(s.ptr[i]);
	if (h1_method_of(s) != H1_OTHER)
		return;
	const char *meant = units_nearest(slice_of(upper), known, ARRAY_LEN(known));
	if (meant)
		conf_complain(c->conf, node->at, "method: unknown '%s': did you mean %s?",
			method, meant);
}

static bool has_method(const struct config_route *r, const char *method)
{
	for (uint32_t i = 0; i < r->method_count; i++)
		if (strcmp(r->methods[i], method) == 0)
			return true;
	return r->method_count == 0;
}

/* Whether `before` takes all that `r` would: seen for equal or absent patterns only. */
static bool route_covers(const struct config_route *before, const struct config_route *r)
{
	if ((before->host && !str_eq(before->host, r->host)) ||
		(before->path && !str_eq(before->path, r->path)))
		return false;
	if (before->method_count && !r->method_count)
		return false;
	for (uint32_t i = 0; i < r->method_count; i++)
		if (!has_method(before, r->methods[i]))
			return false;
	return true;
}

static void check_reach(struct config *c, uint32_t at)
{
	const struct config_route *r = &c->routes[at];
	for (uint32_t i = 0; i < at; i++) {
		if (!route_covers(&c->routes[i], r))
			continue;
		conf_complain(c->conf, r->at.maps[0]->at,
			"no request comes this far: the route in line %u takes them all",
			c->routes[i].at.maps[0]->at.line);
		return;
	}
}

/* Any name may be a field's; but one that is nearly another word of the option, with no - in it, is
 * a slip that would make all callers one in silence. */
static void check_fair_by(struct config *c, const struct config_route *r)
{
	static const char *const words[] = { "address", "route" };
	const char *said = r->at.opt.fair_by ? r->at.opt.fair_by : "";
	const struct slice s = slice_of(said);
	if (!h1_is_token(s)) {
		config_complain(c, option(&r->at, "fair-by"),
			" %s: write address, route, none, or the name of a request field "
			"such as X-Api-Key",
			said);
		return;
	}
	/* Fields may well be named Role or Rate. */
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!str_eq(said, words[i]) && units_is_slip(s, words[i]))
			config_complain(c, option(&r->at, "fair-by"),
				" '%s' would be a request field: did you mean %s?", said,
				words[i]);
}

static void check_route(struct config *c, uint32_t nth)
{
	const struct config_route *r = &c->routes[nth];
	const struct proxy_options *o = &r->at.opt;
	uint64_t limit = o->limit == OPTS_AUTO ? o->limit_max : o->limit;
	if (r->host)
		check_host(c, r);
	if (r->path)
		check_path(c, r);
	for (uint32_t i = 0; i < r->method_count; i++)
		check_method(c, r, i);
	if (o->gather == 0 || o->gather > UPSTREAM_GATHER_MAX)
		config_complain(c, option(&r->at, "gather"), ": between 1 and %d calls",
			UPSTREAM_GATHER_MAX);
	else if (o->gather > limit && limit > 0)
		config_complain(c, option(&r->at, "gather"),
			" %llu can never be admitted under a limit of %llu: raise the "
			"limit or gather fewer",
			(unsigned long long)o->gather, (unsigned long long)limit);
	check_fair_by(c, r);
	check_bound(c, &r->at, "timeout", o->timeout, "every request would be too late");
	check_bound(c, &r->at, "tunnel-idle-for", o->tunnel_idle_for,
		"every tunnel would be cut");
	check_reach(c, nth);
}

void config_check(struct config *c)
{
	check_process(c);
	for (uint32_t i = 0; i < c->upstream_count; i++)
		check_upstream(c, &c->upstreams[i]);
	for (uint32_t i = 0; i < c->route_count; i++)
		check_route(c, i);
}

/* --- matching --- */

bool config_host_matches(const char *pattern, struct slice host)
{
	struct slice p = slice_of(pattern);
	if (!slice_starts(p, SLICE("*.")))
		return slice_eq_nocase(p, host);
	p = slice_cut(p, 1, SIZE_MAX);
	return host.len > p.len &&
	       slice_eq_nocase(slice_cut(host, host.len - p.len, SIZE_MAX), p);
}

bool config_path_matches(const char *pattern, struct slice path)
{
	struct slice p = slice_of(pattern);
	if (p.len == 0 || p.ptr[p.len - 1] != '*')
		return slice_eq(p, path);
	return slice_starts(path, slice_cut(p, 0, p.len - 1));
}

/* weir proxy: options, start, run, drain, stop. */
#include <signal.h>

#include "io/fds.h"
#include "io/signals.h"
#include "proxy/proxy.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_MISUSE = 2 };

/* After SIGTERM exchanges may end by themselves for so long; a second signal ends them. */
#define PROXY_STOP_FOR (5 * NS_S)
#define PROXY_LIMIT_MAX 1000000

static const struct opt proxy_opts[] = {
#define OPT(kind, field, name, meta, dflt, help) \
	{ OPT_##kind, name, meta, dflt, help, offsetof(struct proxy_options, field) },
#define GROUP(title) { .kind = OPT_group, .name = title },
#include "proxy/options.def"
#undef OPT
#undef GROUP
};

struct run {
	struct proxy proxy;
	struct upstream_cfg upstream;
	struct addr listen[OPT_TEXTS_MAX], admin;
	struct io_signals signals;
	struct timer stop;
	uint64_t servers; /* connections to the server the descriptors allow */
};

/* --- what the options mean --- */

/* A bound of zero would be met by nothing. */
static bool check_durations(const struct proxy_options *o, struct problem *p)
{
	const struct {
		const char *name;
		ns_t value;
		const char *then;
	} rows[] = {
		{ "timeout", o->timeout, "every request would be too late" },
		{ "first-byte-timeout", o->first_byte_timeout,
			"every answer would be too late" },
		{ "idle-timeout", o->idle_timeout, "every answer would be cut" },
		{ "client-body-for", o->client_body_for, "every body would be refused" },
		{ "client-write-for", o->client_write_for, "every client would be cut" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].value == 0)
			return problem_set(p,
				"--%s 0: %s; write a duration above zero, or none",
				rows[i].name, rows[i].then);
	return true;
}

static bool check_options(
	const struct proxy_options *o, const struct opt_texts *words, struct problem *p)
{
	if (words->n)
		return problem_set(
			p, "'%s' is no option (there are none without --)", words->v[0]);
	if (!o->upstream.n)
		return problem_set(p, "--upstream is missing: write --upstream "
				      "http://api.example.com");
	if (!o->listen.n)
		return problem_set(p, "--listen is missing: write --listen :8080");
	if (o->gather == 0 || o->gather > UPSTREAM_GATHER_MAX)
		return problem_set(
			p, "--gather: between 1 and %d calls", UPSTREAM_GATHER_MAX);
	if (o->limit != UINT64_MAX && (o->limit == 0 || o->limit > PROXY_LIMIT_MAX))
		return problem_set(p,
			"--limit: between 1 and 1,000,000, or none (0 would "
			"let nothing through)");
	if (o->gather > o->limit)
		return problem_set(p,
			"--gather %llu can never be admitted under --limit %llu: "
			"raise the limit or gather fewer",
			(unsigned long long)o->gather, (unsigned long long)o->limit);
	if (o->clients == 0)
		return problem_set(p, "--clients 0: nobody could come in");
	return check_durations(o, p);
}

static bool add_endpoint(struct run *run, const struct addr *addr, struct problem *p)
{
	struct upstream_cfg *u = &run->upstream;
	for (uint32_t i = 0; i < u->endpoint_count; i++)
		if (addr_eq(&u->endpoints[i], addr))
			return true;
	if (u->endpoint_count == UPSTREAM_ENDPOINTS_MAX)
		return problem_set(
			p, "--upstream: more than %d addresses", UPSTREAM_ENDPOINTS_MAX);
	u->endpoints[u->endpoint_count++] = *addr;
	return true;
}

static bool resolve_upstream(struct run *run, const char *text, struct problem *p)
{
	struct addr_url url;
	struct addr found[UPSTREAM_ENDPOINTS_MAX];
	struct problem why = { "" };
	uint32_t n = 0;
	if (!addr_url_parse(slice_of(text), &url, &why))
		return problem_set(p, "--upstream: %s", why.text);
	if (url.tls)
		return problem_set(p,
			"--upstream %s: https is not there yet; put a TLS "
			"terminator between, or use http://",
			text);
	if (!addr_url_resolve(&url, found, ARRAY_LEN(found), &n, &why))
		return problem_set(p, "--upstream %s: %s", text, why.text);
	if (run->upstream.endpoint_count && !slice_eq(run->proxy.base, url.path))
		return problem_set(
			p, "--upstream %s: all endpoints must have one path", text);
	run->proxy.base = url.path;
	if (url.path.len && url.path.ptr[url.path.len - 1] == '/')
		run->proxy.base.len--;
	for (uint32_t i = 0; i < n; i++)
		if (!add_endpoint(run, &found[i], p))
			return false;
	return true;
}

static bool resolve_all(struct run *run, struct problem *p)
{
	const struct proxy_options *o = run->proxy.opt;
	struct problem why = { "" };
	uint32_t n;
	for (uint32_t i = 0; i < o->upstream.n; i++)
		if (!resolve_upstream(run, o->upstream.v[i], p))
			return false;
	for (uint32_t i = 0; i < o->listen.n; i++)
		if (!addr_resolve(slice_of(o->listen.v[i]), &run->listen[i], 1, &n, &why))
			return problem_set(p, "--listen: %s", why.text);
	if (o->admin && !addr_resolve(slice_of(o->admin), &run->admin, 1, &n, &why))
		return problem_set(p, "--admin: %s", why.text);
	return true;
}

/* Descriptors: clients as asked for, and the upstream's limit or what is left. */
static bool ensure_files(struct run *run, struct problem *p)
{
	const struct proxy_options *o = run->proxy.opt;
	char what[128];
	uint64_t fit = fds_fit();
	bool capped = o->limit != UINT64_MAX && o->limit_unit == SLOT_UNIT_CONNECTION;
	uint64_t left = fit > o->clients ? fit - o->clients : 0;
	run->servers = capped ? o->limit : left < o->clients ? left : o->clients;
	if (!capped && run->servers < o->gather)
		run->servers = o->gather;
	snprintf(what, sizeof(what),
		"--clients %llu and %llu connections to the upstream",
		(unsigned long long)o->clients, (unsigned long long)run->servers);
	return fds_ensure(o->clients + run->servers, what, p);
}

/* --- start and stop --- */

static void stop_now(struct run *run)
{
	io_loop_stop(run->proxy.worker.loop);
}

static void on_stop_timer(struct timer *t)
{
	stop_now(CONTAINER_OF(t, struct run, stop));
}

static void on_client_close(struct proxy *p)
{
	struct run *run = CONTAINER_OF(p, struct run, proxy);
	if (timer_is_set(&run->stop) && server_conn_count(p->server) == 0)
		stop_now(run);
}

static void on_signal(struct io_signals *s, int signum)
{
	struct run *run = CONTAINER_OF(s, struct run, signals);
	struct io_loop *loop = run->proxy.worker.loop;
	if (signum == SIGHUP)
		return;
	if (timer_is_set(&run->stop)) {
		stop_now(run);
		return;
	}
	server_drain(run->proxy.server);
	io_timer_set(loop, &run->stop, ns_add(io_now(loop), PROXY_STOP_FOR));
	on_client_close(&run->proxy);
}

static void make(struct run *run, struct io_loop *loop)
{
	struct proxy *p = &run->proxy;
	proxy_fill_upstream(p->opt, &run->upstream);
	proxy_make(p, loop, &run->upstream, (uint32_t)run->servers);
	p->on_client_close = on_client_close;
	run->signals.on_signal = on_signal;
	run->stop.on_fire = on_stop_timer;
	io_signals_watch(loop, &run->signals);
}

static void unmake(struct run *run)
{
	struct io_loop *loop = run->proxy.worker.loop;
	io_signals_unwatch(&run->signals);
	io_timer_stop(loop, &run->stop);
	proxy_unmake(&run->proxy);
	io_loop_free(&loop);
}

static bool open_addrs(struct run *run, struct problem *p)
{
	struct proxy *proxy = &run->proxy;
	for (uint32_t i = 0; i < proxy->opt->listen.n; i++)
		if (!server_listen(proxy->server, &run->listen[i], p))
			return false;
	if (!proxy->opt->admin)
		return true;
	proxy->admin = admin_new(&proxy->worker, &run->admin, &proxy_admin_ops, proxy, p);
	return proxy->admin != NULL;
}

static void say_limits(struct text *t, const struct proxy_options *o)
{
	text_add(t, o->timeout == NS_NEVER ? ", no timeout" : ", timeout ");
	if (o->timeout != NS_NEVER)
		text_add_duration(t, o->timeout);
	text_add(t, o->limit == UINT64_MAX ? ", no limit" : ", limit ");
	if (o->limit != UINT64_MAX) {
		text_add_count(t, o->limit);
		text_add(t, o->limit_unit == SLOT_UNIT_REQUEST ? " requests"
							       : " connections");
	}
	if (o->gather > 1)
		text_addf(t, ", %llu calls a request", (unsigned long long)o->gather);
}

static void say_start(const struct run *run)
{
	const struct addr *at;
	struct text t;
	text_init(&t);
	text_add(&t, "weir proxy: listening on ");
	for (uint32_t i = 0; (at = server_addr(run->proxy.server, i)); i++) {
		text_add(&t, i ? " " : "");
		text_add_addr(&t, at);
	}
	text_add(&t, ", upstream ");
	for (uint32_t i = 0; i < run->upstream.endpoint_count; i++) {
		text_add(&t, i ? " " : "");
		text_add_addr(&t, &run->upstream.endpoints[i]);
	}
	say_limits(&t, run->proxy.opt);
	if (run->proxy.admin) {
		text_add(&t, ", admin ");
		text_add_addr(&t, admin_addr(run->proxy.admin));
	}
	fprintf(stderr, "%s\n", t.ptr);
	text_fini(&t);
}

static int fail(int status, const struct problem *p)
{
	fprintf(stderr, "weir proxy: %s\n", p->text);
	if (status == EXIT_MISUSE)
		fprintf(stderr, "  `weir proxy --help` lists the options\n");
	return status;
}

static int proxy_main(const void *options, const struct opt_texts *words)
{
	struct problem p = { "" };
	struct run *run = mem_zalloc(sizeof(*run));
	int status = EXIT_DONE;
	run->proxy.opt = options;
	if (!check_options(run->proxy.opt, words, &p)) {
		status = fail(EXIT_MISUSE, &p);
	} else if (!resolve_all(run, &p) || !ensure_files(run, &p)) {
		status = fail(EXIT_FAILED, &p);
	} else {
		make(run, io_loop_new(&(struct io_loop_cfg){ 0 }));
		if (open_addrs(run, &p)) {
			say_start(run);
			io_loop_run(run->proxy.worker.loop);
		} else {
			status = fail(EXIT_FAILED, &p);
		}
		unmake(run);
	}
	mem_free(run);
	return status;
}

const struct verb proxy_verb = {
	.name = "proxy",
	.summary =
		"the middleware done right: deadlines, a cap that holds, a queue that ends",
	.usage = "weir proxy --listen ADDR --upstream URL [options]",
	.about =
		"Stands between programs that send many requests and an API that is slow and "
		"limited. Every request has one deadline; never more than --limit connections "
		"(or requests) count at the server, answers nobody waits for any more "
		"included; who cannot be served in time is told so at once. No kernel setting "
		"is touched.",
	.example = "weir proxy --listen :8080 --upstream http://api.example.com \\\n"
		   "    --timeout 800ms --limit 900 --admin 127.0.0.1:8081\n"
		   "curl http://127.0.0.1:8080/ && curl http://127.0.0.1:8081/",
	.opts = proxy_opts,
	.opt_count = ARRAY_LEN(proxy_opts),
	.options_size = sizeof(struct proxy_options),
	.main = proxy_main,
};

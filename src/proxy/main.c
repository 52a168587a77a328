/* weir proxy: start, run, drain, stop. */
#include <signal.h>

#include "io/signals.h"
#include "proxy/crew.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_MISUSE = 2 };

struct run {
	struct crew *crew;
	const struct proxy_options *given; /* command line and environment */
	struct io_signals signals;
	struct timer stop;
	bool stopping;
};

/* --- start and stop --- */

static void say_stopping(const struct proxy_options *o)
{
	struct text t;
	text_init(&t);
	text_add(&t,
		"weir proxy: stopping: nobody new comes in; what is under way may end");
	if (o->drain_timeout == NS_NEVER) {
		text_add(&t, ", however long it takes");
	} else {
		text_add(&t, " within ");
		text_add_duration(&t, o->drain_timeout);
	}
	fprintf(stderr, "%s; a second signal ends it at once\n", t.ptr);
	text_fini(&t);
}

/* All threads have ended. */
static void say_stopped(struct crew *c)
{
	struct report *r = crew_sum(c);
	struct text t;
	text_init(&t);
	text_add(&t, "weir proxy: stopped: ");
	report_last(r, &t);
	fprintf(stderr, "%s\n", t.ptr);
	text_fini(&t);
	report_free(&r);
}

static void on_stop_timer(struct timer *t)
{
	crew_stop(CONTAINER_OF(t, struct run, stop)->crew);
}

static void on_signal(struct io_signals *s, int signum)
{
	struct run *run = CONTAINER_OF(s, struct run, signals);
	const struct proxy *p = &crew_main(run->crew)->proxy;
	if (signum == SIGHUP) {
		if (!run->stopping)
			crew_reload(run->crew);
		return;
	}
	if (run->stopping) {
		crew_stop(run->crew);
		return;
	}
	run->stopping = true;
	say_stopping(p->opt);
	io_timer_set(
		p->worker.loop, &run->stop, ns_add(proxy_now(p), p->opt->drain_timeout));
	crew_drain(run->crew);
}

static void say_limits(struct text *t, const struct proxy_options *o)
{
	text_add(t, o->timeout == NS_NEVER ? ", no timeout" : ", timeout ");
	if (o->timeout != NS_NEVER)
		text_add_duration(t, o->timeout);
	text_add(t, o->limit == UINT64_MAX ? ", no limit" : ", limit ");
	if (o->limit == OPTS_AUTO)
		text_add(t, "auto: at most ");
	if (o->limit != UINT64_MAX) {
		text_add_count(t, o->limit == OPTS_AUTO ? o->limit_max : o->limit);
		text_add(t, o->limit_unit == SLOT_UNIT_REQUEST ? " requests"
							       : " connections");
	}
	if (o->gather > 1)
		text_addf(t, ", %llu calls a request", (unsigned long long)o->gather);
}

static void say_upstreams(struct text *t, const struct plan *plan)
{
	if (plan->upstream_count == 0)
		return;
	if (plan->upstream_count > 1) {
		text_add(t, ", ");
		text_add_config(t, plan->config);
		return;
	}
	text_add(t, ", upstream ");
	text_add_names(t, plan->upstreams->target->names);
	say_limits(t, &plan->config->routes->at.opt);
}

static void say_start(struct crew *c)
{
	const struct proxy *p = &crew_main(c)->proxy;
	const struct addr *at;
	struct text t;
	text_init(&t);
	text_add(&t, "weir proxy: listening on ");
	for (uint32_t i = 0; (at = server_addr(p->server, i)); i++) {
		text_add(&t, i ? " " : "");
		text_add_addr(&t, at);
		if (server_mark(p->server, i) == EGRESS_FORWARD)
			text_add(&t, " (forward)");
	}
	if (p->plan->tls)
		text_add(&t, ", TLS");
	if (c->count > 1)
		text_addf(&t, ", %u threads", c->count);
	say_upstreams(&t, p->plan);
	if (c->admin) {
		text_add(&t, ", admin ");
		text_add_addr(&t, admin_addr(c->admin));
	}
	fprintf(stderr, "%s\n", t.ptr);
	text_fini(&t);
}

static int fail(int status, const char *why)
{
	fprintf(stderr, "weir proxy: %s\n", why);
	if (status == EXIT_MISUSE)
		fprintf(stderr, "  `weir proxy --help` lists the options\n");
	return status;
}

/* What is wrong with the configuration: outside the file one thing, inside it all. */
static int fail_config(int status, struct config *c)
{
	struct text t;
	text_init(&t);
	if (c->problem.text[0]) {
		fail(status, c->problem.text);
		c->problem.text[0] = '\0';
	}
	config_show(c, &t);
	if (t.len)
		fprintf(stderr, "%s", t.ptr);
	text_fini(&t);
	return status;
}

static void on_found(struct plan *plan)
{
	io_loop_stop(plan->proxy->worker.loop);
}

/* Before anybody can come in: names that do not exist are mistakes. */
static int find_names(struct crew *c, struct plan *plan)
{
	struct io_loop *loop = crew_main(c)->loop;
	struct problem p = { "" };
	struct text warnings;
	plan->on_found = on_found;
	if (!plan_look_up(plan, &crew_main(c)->proxy, loop, &p))
		return fail(EXIT_FAILED, p.text);
	if (!plan_is_found(plan))
		io_loop_run(loop);
	text_init(&warnings);
	bool good = plan_check_names(plan, &warnings);
	if (good && warnings.len)
		fprintf(stderr, "%s", warnings.ptr);
	text_fini(&warnings);
	return good ? EXIT_DONE : fail_config(EXIT_FAILED, plan->config);
}

static int serve(struct run *run, struct plan *plan, uint64_t servers)
{
	struct io_loop *loop = crew_main(run->crew)->loop;
	struct problem p = { "" };
	crew_equip(run->crew, plan, (uint32_t)servers);
	if (!crew_open(run->crew, plan, &p))
		return fail(EXIT_FAILED, p.text);
	run->signals.on_signal = on_signal;
	run->stop.on_fire = on_stop_timer;
	io_signals_watch(loop, &run->signals);
	say_start(run->crew);
	crew_run(run->crew);
	say_stopped(run->crew);
	io_signals_unwatch(&run->signals);
	io_timer_stop(loop, &run->stop);
	return EXIT_DONE;
}

static int run_plan(struct run *run, struct plan *plan)
{
	struct problem p = { "" };
	uint64_t servers = 0;
	if (!plan_share_files(plan, &servers, &p)) {
		plan_unref(plan);
		return fail(EXIT_FAILED, p.text);
	}
	run->crew = crew_new(run->given, plan->threads);
	int status = find_names(run->crew, plan);
	if (status == EXIT_DONE)
		status = serve(run, plan, servers);
	else
		plan_unref(plan);
	crew_free(&run->crew);
	return status;
}

static int proxy_main(const void *options, const struct opt_texts *words)
{
	if (words->n) {
		struct problem p = { "" };
		problem_set(
			&p, "'%s' is no option (there are none without --)", words->v[0]);
		return fail(EXIT_MISUSE, p.text);
	}
	struct config *c = config_read(options);
	bool misused = !config_is_good(c);
	struct plan *plan = misused ? NULL : plan_new(c);
	if (!plan) {
		int failed = fail_config(misused ? EXIT_MISUSE : EXIT_FAILED, c);
		config_unref(&c);
		return failed;
	}
	struct run *run = mem_zalloc(sizeof(*run));
	run->given = options;
	int status = run_plan(run, plan);
	mem_free(run);
	return status;
}

const struct verb proxy_verb = {
	.name = "proxy",
	.summary =
		"the middleware done right: deadlines, a cap that holds, a queue that ends",
	.usage = "weir proxy --listen ADDR --upstream URL [options]\n"
		 "       weir proxy --config FILE [options]",
	.about =
		"Stands between programs that send many requests and an API that is slow and "
		"limited. Every request has one deadline; never more than --limit connections "
		"(or requests) count at the server, answers nobody waits for any more "
		"included; who cannot be served in time is told so at once. No kernel setting "
		"is touched. Each option is also a key of the file and, as "
		"WEIR_PROXY_QUEUE_FOR for --queue-for, a variable of the environment; the "
		"command line is the strongest, then the environment.",
	.example = "weir proxy --listen :8080 --upstream http://api.example.com \\\n"
		   "    --timeout 800ms --limit 900 --admin 127.0.0.1:8081\n"
		   "curl http://127.0.0.1:8080/ && curl http://127.0.0.1:8081/summary",
	.opts = proxy_opts,
	.opt_count = PROXY_OPT_COUNT,
	.options_size = sizeof(struct proxy_options),
	.env = PROXY_ENV,
	.froms_offset = offsetof(struct proxy_options, froms),
	.main = proxy_main,
};

/*
 * A day of the proxy on the virtual clock: a million exchanges under a limit, while whatever can
 * go wrong does so at random, drawn from one seed.
 *
 *     test_day [EXCHANGES]     the days, of so many exchanges together
 *     test_day mutant          linked with an engine that has one fault: the server must see the
 *                              limit exceeded
 *
 * MODEL   Every half a minute or so all dials are set anew, each to calm or to some fault:
 *         how many come, how patient they are, how slow the server is, how it ends its
 *         answers and connections, the network. Between them come restarts of the server,
 *         clients cut off, and reloads with another limit.
 * RULES   1. The server, as it counts at accept (or, by request, as a handler begins), never
 *            has more than the limit; after a reload that lowers it, never more once the
 *            proxy has come down to it.
 *         2. Every client gets one whole answer, but for those that left, were cut off by the
 *            network, or whose answer the server itself cut.
 *         3. A POST is handled at most once. Of the rest no more than 1.2 times as many are
 *            handled as come.
 *         4. In the end no gauge shows anything.
 */
#include "tests/sim/stage.h"
#include "tests/unit/base/unit.h"

#define LIMIT 50
#define EXCHANGES 1000000

struct day_cfg {
	const char *name, *options;
	bool by_request;
	double share; /* of the exchanges */
};

/*
 * A FIN is under way for up to 20 ms (see the dials), and the server takes up to 10 ms to free its
 * slot. An RST may be lost, so idle connections are closed with FIN. What is reset after 8 s of
 * draining may run for 20 s in all.
 */
#define COMMON \
	"--limit 50 --timeout 800ms --queue 100 --queue-for 200ms --settle-for 40ms " \
	"--close-idle fin --drain-for 8s --ghost-for 20s --idle-for 5s " \
	"--client-idle-for 5s "

static const struct day_cfg days[] = {
	{ "a day of single calls", COMMON, .share = 0.7 },
	{ "a day of hang-ups", COMMON "--abandon auto", .share = 0.1 },
	{ "a day of gathers", COMMON "--gather 3", .share = 0.1 },
	{ "a day at a server that counts requests", COMMON "--limit-unit request",
		.by_request = true, .share = 0.1 },
};

struct day {
	struct stage stage;
	const struct day_cfg *cfg;
	struct sim_cfg sim;
	struct rng rng;
	struct timer fate;
	uint64_t seed;
	uint32_t limit; /* as of the last reload */
	uint32_t bound; /* what the server may see */
	uint64_t exceeded;
	ns_t exceeded_at; /* first; 0: never */
	uint64_t reloads, restarts, cut_off;
};

/* --- the dials --- */

static uint64_t below(struct day *d, uint64_t n)
{
	return rng_below(&d->rng, n);
}

static bool chance(struct day *d, double p)
{
	return rng_unit(&d->rng) < p;
}

/* `calm`, or at times one of three. */
static double dial(struct day *d, double calm, double a, double b, double c)
{
	const double others[] = { a, b, c };
	return chance(d, 0.6) ? calm : others[below(d, 3)];
}

static ns_t dial_ms(struct day *d, double calm, double a, double b, double c)
{
	return (ns_t)(dial(d, calm, a, b, c) * (double)NS_MS);
}

static void set_network(struct day *d)
{
	d->sim.latency = dial_ms(d, 0.1, 1, 5, 10);
	d->sim.jitter = dial_ms(d, 0, 1, 5, 10);
	d->sim.lose_rst = dial(d, 0, 0.1, 0.5, 1);
	d->sim.write_max = (uint32_t)dial(d, 0, 1, 7, 60);
	sim_set(d->stage.sim, &d->sim);
}

static void set_crowd(struct day *d)
{
	struct crowd_cfg *c = &d->stage.crowd.cfg;
	bool gathers = d->stage.opt.gather > 1;
	c->rate = dial(d, 4, 1, 12, 60) / (gathers ? 3 : 1);
	c->impatient = dial(d, 0, 0.1, 0.5, 1);
	c->impatient_for = dial_ms(d, 1000, 20, 300, 3000);
	c->half_open = dial(d, 0, 0.1, 0.5, 1);
}

static void set_server(struct day *d)
{
	struct api_cfg *a = &d->stage.api.cfg;
	a->quick = dial(d, 0.95, 1, 0.8, 0);
	a->quick_for = dial_ms(d, 50, 1, 20, 250);
	a->min_for = dial_ms(d, 3000, 0, 700, 5000);
	a->max_for = a->min_for + dial_ms(d, 2000, 0, 200, 15000);
	a->free_in = dial_ms(d, 10, 0, 1, 5);
	a->close_each = chance(d, 0.1);
	a->idle_max = dial_ms(d, 0, 20, 1000, 6000);
	a->resets = dial(d, 0, 0, 0.01, 0.2);
	a->cuts = dial(d, 0, 0, 0.01, 0.2);
	a->half_closes = dial(d, 0, 0, 0.1, 1);
	/* Where hang-ups are tried: mostly seen. */
	a->notices = d->stage.upstream.abandon == ABANDON_AUTO ? dial(d, 1, 0, 0.5, 0.9)
							       : dial(d, 0, 0.5, 0.9, 1);
}

/* --- what happens at once --- */

static void restart(struct day *d)
{
	ns_t down_for = (ns_t)below(d, 3000) * NS_MS;
	d->restarts++;
	api_restart(
		&d->stage.api, chance(d, 0.5) ? IO_CLOSE_FIN : IO_CLOSE_RESET, down_for);
}

static void reload(struct day *d)
{
	struct upstream_cfg *u = &d->stage.upstream;
	uint32_t least = (uint32_t)d->stage.opt.gather;
	d->reloads++;
	d->limit = u->limit = chance(d, 0.3) ? LIMIT : least + (uint32_t)below(d, LIMIT);
	d->limit = u->limit = u->limit > LIMIT ? LIMIT : u->limit;
	if (d->limit > d->bound)
		d->bound = d->limit;
	u->drain_share = dial(d, 1, 0.2, 0.5, 0.9);
	u->queue_max = (uint64_t)dial(d, 100, 1, 10, 1000);
	u->queue_for = dial_ms(d, 200, 10, 500, 2000);
	u->idle_for = dial_ms(d, 5000, 3, 50, 1000);
	upstream_reconfigure(d->stage.proxy.upstream, u);
}

static void on_fate(struct timer *t)
{
	struct day *d = CONTAINER_OF(t, struct day, fate);
	struct stage *s = &d->stage;
	set_network(d);
	set_crowd(d);
	set_server(d);
	if (chance(d, 0.1))
		restart(d);
	if (chance(d, 0.1))
		d->cut_off += sim_cut(s->sim, s->crowd_host, s->proxy_host);
	if (chance(d, 0.2))
		reload(d);
	ns_t in = (ns_t)rng_exponential(&d->rng, 30 * (double)NS_S);
	io_timer_set(s->crowd_host, t, ns_add(sim_now(s->sim), in));
}

/* --- what is judged --- */

static void on_take(struct api *a)
{
	struct day *d = a->ctx;
	/* What the proxy has come down to, the server is below already. */
	uint32_t used = slots_used(upstream_slots(d->stage.proxy.upstream));
	if (d->bound > d->limit && used <= d->limit)
		d->bound = d->limit;
	if (a->used <= d->bound)
		return;
	if (!d->exceeded++)
		d->exceeded_at = sim_now(d->stage.sim);
}

static void report(const struct day *d)
{
	const struct crowd *c = &d->stage.crowd;
	const struct api *a = &d->stage.api;
	const struct upstream_stats *u = upstream_stats(d->stage.proxy.upstream);
#define N(x) ((unsigned long long)(x))
	print_message(
		"%s, seed %llu: %.1f h; %llu came: %llu good, %llu errors, %llu left, "
		"%llu broken; server: %llu requests, peak %u, %llu accepted, "
		"%llu refused, %llu cut; weir: %llu sent, %llu abandoned, %llu hung up on, %llu "
		"drained, %llu replayed, %llu connects; %llu reloads, %llu "
		"restarts, %llu cut off; exceeded %llu times, first at %.6f s\n",
		d->cfg->name, N(d->seed), (double)sim_now(d->stage.sim) / 3600e9,
		N(c->arrived), N(c->good), N(crowd_errors(c)), N(c->left), N(c->broken),
		N(a->requests), a->peak, N(a->accepted), N(a->refused), N(a->cut),
		N(u->sent), N(u->abandoned), N(u->hung_up), N(u->drained), N(u->replayed),
		N(u->connects), N(d->reloads), N(d->restarts), N(d->cut_off),
		N(d->exceeded), (double)d->exceeded_at / 1e9);
#undef N
}

static void must(struct day *d, bool ok, const char *what)
{
	if (ok)
		return;
	report(d);
	fail_msg("%s, seed %llu: %s", d->cfg->name, (unsigned long long)d->seed, what);
}
#define MUST(d, ok) must(d, ok, #ok)

/* Each call of a request's is one. */
static void judge_handled(struct day *d)
{
	const struct stage *s = &d->stage;
	uint64_t calls = s->opt.gather, handled = 0, wanted = calls * s->crowd.arrived;
	for (uint64_t i = 0; i < s->crowd.arrived; i++) {
		handled += s->api.handled[i];
		if (s->api.handled[i] > calls)
			MUST(d, !crowd_posts(&s->crowd, i));
	}
	MUST(d, handled == s->api.requests);
	MUST(d, handled <= upstream_stats(s->proxy.upstream)->sent);
	MUST(d, (double)handled <= 1.2 * (double)wanted);
}

static void judge(struct day *d)
{
	const struct crowd *c = &d->stage.crowd;
	const struct api *a = &d->stage.api;
	const struct upstream_stats *u = upstream_stats(d->stage.proxy.upstream);
	MUST(d, d->exceeded == 0);
	MUST(d, a->refused == 0);
	MUST(d, c->good + crowd_errors(c) + c->left + c->broken == c->arrived);
	MUST(d, c->twice == 0);
	MUST(d, c->broken <= d->cut_off + a->cut);
	judge_handled(d);
	/* It was a day, and not a day off. */
	MUST(d, c->good * 10 > c->arrived);
	MUST(d, c->left && u->abandoned && u->drained && u->connects);
	const char *leak = stage_leak(&d->stage);
	must(d, !leak, leak);
}

/* --- days --- */

static struct day *day_new(const struct day_cfg *cfg, uint64_t seed, uint32_t exchanges)
{
	struct day *d = mem_zalloc(sizeof(*d));
	struct stage *s = &d->stage;
	const struct api_cfg api = { .limit = LIMIT,
		.by_request = cfg->by_request,
		.ids = 2 * exchanges + 10000,
		.seed = seed + 1 };
	const struct crowd_cfg crowd = { .rate = 1,
		.for_ns = NS_NEVER,
		.posts = 0.2,
		/* the RST behind half an answer was lost */
		.broken_after = 60 * NS_S,
		.seed = seed + 2 };
	struct upstream_endpoint two[2] = { { .name = SLICE("one") },
		{ .name = SLICE("two") } };
	d->cfg = cfg;
	d->seed = d->sim.seed = seed;
	d->limit = d->bound = LIMIT;
	rng_init(&d->rng, seed + 3);
	stage_init(s, &d->sim, cfg->options, &api, &crowd);
	api_listen(&s->api, sim_host(s->sim, "10.0.0.4"), "10.0.0.4:80");
	s->api.on_take = on_take;
	s->api.ctx = d;
	raw_addr("10.0.0.3:80", &two[0].addr);
	raw_addr("10.0.0.4:80", &two[1].addr);
	upstream_set_endpoints(s->proxy.upstream, two, ARRAY_LEN(two));
	d->fate.on_fire = on_fate;
	io_timer_set(s->crowd_host, &d->fate, 0);
	return d;
}

/* Until so many have come, or the limit is exceeded. */
static void day_run(struct day *d, uint32_t n)
{
	struct stage *s = &d->stage;
	while (s->crowd.arrived < n && !d->exceeded)
		stage_run(s, sim_now(s->sim) + 10 * NS_S);
	s->crowd.ends_at = sim_now(s->sim);
	io_timer_stop(s->crowd_host, &d->fate);
}

static void day_free(struct day *d)
{
	stage_fini(&d->stage);
	mem_free(d);
}

static uint64_t first_seed;
static uint32_t exchanges = EXCHANGES;

static void test_days(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(days); i++) {
		uint32_t n = (uint32_t)(days[i].share * exchanges);
		struct day *d = day_new(&days[i], first_seed + 10 * i, n);
		day_run(d, n);
		/* past every handler, drain, ghost, linger and idle time */
		stage_run(&d->stage, sim_now(d->stage.sim) + 180 * NS_S);
		judge(d);
		report(d);
		day_free(d);
	}
}

static void test_mutant_is_caught(void **state)
{
	(void)state;
	struct day *d = day_new(&days[0], first_seed, 100000);
	day_run(d, 100000);
	report(d);
	assert_true(d->exceeded > 0);
	day_free(d);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest whole[] = { TEST(test_days) };
	const struct CMUnitTest mutant[] = { TEST(test_mutant_is_caught) };
	first_seed = test_seed(1);
	if (argc > 1 && strcmp(argv[1], "mutant") == 0)
		return cmocka_run_group_tests(mutant, NULL, NULL);
	if (argc > 1)
		exchanges = (uint32_t)strtoul(argv[1], NULL, 10);
	return cmocka_run_group_tests(whole, NULL, NULL);
}

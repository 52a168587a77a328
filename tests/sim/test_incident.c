/*
 * The incident at 1/20 of its scale on the virtual clock: 8 requests/s of three calls each, an
 * API with 50 slots that takes 3 to 5 s, refuses as fasthttp does and never notices hang-ups.
 *
 *     test_incident            every scene, several seeds
 *     test_incident mutant SCENE...
 *                              linked with an engine that has one fault: in each of these the
 *                              server must count refusals
 *     test_incident bench      how fast virtual time passes
 *
 * What is judged is what the server and the clients count, not the proxy's own gauges; only
 * that they are zero in the end is asked of those.
 */
#include "tests/sim/stage.h"
#include "tests/unit/base/unit.h"

#define LIMIT "50"

struct scene {
	const char *name, *options;
	struct api_cfg api;
	struct crowd_cfg crowd;
	struct sim_cfg sim;
	/* of the clients, at least such a share of all: 0 where it is not the matter */
	double good;
	uint64_t refused_max;
	enum { ANY, HOLDS, FREES } learns; /* with --abandon auto, in the end */
};

#define SLOW .min_for = 3 * NS_S, .max_for = 5 * NS_S
#define API .limit = 50, .free_in = 10 * NS_MS
#define GATHER "--gather 3 --limit " LIMIT " --idle-for 5s --client-idle-for 5s "
#define FORWARD "--limit " LIMIT " --idle-for 5s --client-idle-for 5s "

static const struct scene scenes[] = {
	{ .name = "6 s of patience",
		.options = GATHER "--timeout 6s",
		.api = { API, SLOW },
		.crowd = { .rate = 8 },
		.good = 0.45 },
	{ .name = "1 s of patience: zombies all over",
		.options = GATHER "--timeout 1s",
		.api = { API, SLOW },
		.crowd = { .rate = 8 } },
	{ .name = "overload",
		.options = GATHER "--timeout 1s --queue 60",
		.api = { API, SLOW },
		.crowd = { .rate = 30 } },
	{ .name = "every fifth call is slow",
		.options = FORWARD "--timeout 500ms --queue-for 100ms",
		.api = { API, .quick = 0.8, .quick_for = 50 * NS_MS, SLOW },
		.crowd = { .rate = 55 },
		.good = 0.6 },
	{ .name = "the server closes after each answer",
		.options = GATHER "--timeout 6s",
		.api = { API, SLOW, .close_each = true },
		.crowd = { .rate = 8 },
		.good = 0.4 },
	{ .name = "quick answers, each on its own connection",
		.options = FORWARD "--timeout 1s --connections close",
		.api = { API, .min_for = 50 * NS_MS, .max_for = 150 * NS_MS,
			.close_each = true },
		.crowd = { .rate = 380 },
		.good = 0.9 },
	{ .name = "weir closes after each answer",
		.options = FORWARD "--timeout 1s --connections pretend",
		.api = { API, .min_for = 50 * NS_MS, .max_for = 150 * NS_MS },
		.crowd = { .rate = 380 },
		.good = 0.9 },
	{ .name = "the server closes idle connections soon",
		.options = FORWARD "--timeout 1s",
		.api = { API, .quick = 0.97, .quick_for = 5 * NS_MS, SLOW,
			.idle_max = 20 * NS_MS },
		.crowd = { .rate = 60 },
		.good = 0.6 },
	{ .name = "weir closes idle connections soon",
		.options = FORWARD "--timeout 1s --idle-for 3ms",
		.api = { API, .quick = 0.97, .quick_for = 5 * NS_MS, SLOW },
		.crowd = { .rate = 60 },
		.good = 0.6 },
	{ .name = "far away, with jitter",
		.options = GATHER "--timeout 1s",
		.api = { API, SLOW },
		.crowd = { .rate = 8 },
		.sim = { .latency = 20 * NS_MS, .jitter = 30 * NS_MS } },
	{ .name = "far away, each answer on its own connection",
		.options = FORWARD "--timeout 1s --connections close",
		.api = { API, .min_for = 0, .max_for = 30 * NS_MS, .close_each = true },
		.crowd = { .rate = 150 },
		.sim = { .latency = 20 * NS_MS, .jitter = 30 * NS_MS },
		.good = 0.9 },
	{ .name = "resets are lost",
		.options = GATHER "--timeout 1s --close-idle fin",
		.api = { API, SLOW },
		.crowd = { .rate = 8 },
		.sim = { .lose_rst = 0.5 } },
	{ .name = "drained for 2 s, then ghosts",
		.options = GATHER "--timeout 500ms --drain-for 2s --ghost-for 5s",
		.api = { API, SLOW },
		.crowd = { .rate = 8 } },
	{ .name = "ghosts, resets lost, jitter",
		.options = FORWARD "--timeout 500ms --drain-for 1s --ghost-for 6s "
				   "--close-idle fin",
		.api = { API, .quick = 0.8, .quick_for = 50 * NS_MS, SLOW },
		.crowd = { .rate = 30 },
		.sim = { .lose_rst = 0.5, .jitter = 5 * NS_MS } },
	{ .name = "half of the clients hang up",
		.options = GATHER "--timeout 2s",
		.api = { API, SLOW },
		.crowd = { .rate = 12, .impatient = 0.5, .impatient_for = 3 * NS_S } },
	{ .name = "hang-ups while it is quick",
		.options = FORWARD "--timeout 2s",
		.api = { API, .min_for = 0, .max_for = 200 * NS_MS },
		.crowd = { .rate = 400,
			.impatient = 0.5,
			.impatient_for = 300 * NS_MS } },
	{ .name = "zombies may hold half",
		.options = FORWARD "--timeout 500ms --drain-share 50%",
		.api = { API, SLOW },
		.crowd = { .rate = 40 } },
	{ .name = "zombies may hold a fifth",
		.options = FORWARD "--timeout 500ms --queue-for 100ms --drain-share 20%",
		.api = { API, .quick = 0.8, .quick_for = 50 * NS_MS, SLOW },
		.crowd = { .rate = 55 } },
	{ .name = "the server counts requests",
		.options = FORWARD "--limit-unit request --timeout 500ms",
		.api = { API, .by_request = true, .quick = 0.8, .quick_for = 50 * NS_MS,
			SLOW },
		.crowd = { .rate = 60 } },
	{ .name = "writes go out byte by byte",
		.options = GATHER "--timeout 1s",
		.api = { API, .quick = 0.5, .quick_for = 5 * NS_MS, SLOW },
		.crowd = { .rate = 8 },
		.sim = { .write_max = 1 } },
};

static uint64_t first_seed;
static bool quiet;

static void report(const struct scene *scene, uint64_t seed, const struct stage *s)
{
	const struct crowd *c = &s->crowd;
	const struct upstream_stats *u = upstream_stats(s->proxy.upstream);
	print_message(
		"%s, seed %llu: %llu in, %llu good, %llu errors (503: %llu, 504: %llu), "
		"%llu left, %llu broken; server: peak %u, %llu accepted, %llu refused, "
		"%llu requests; weir: %llu abandoned, %llu hung up on, %llu drained, %llu replayed, "
		"%llu requeued; %llu told of a refusal\n",
		scene->name, (unsigned long long)seed, (unsigned long long)c->arrived,
		(unsigned long long)c->good, (unsigned long long)crowd_errors(c),
		(unsigned long long)c->errors[503], (unsigned long long)c->errors[504],
		(unsigned long long)c->left, (unsigned long long)c->broken, s->api.peak,
		(unsigned long long)s->api.accepted, (unsigned long long)s->api.refused,
		(unsigned long long)s->api.requests, (unsigned long long)u->abandoned,
		(unsigned long long)u->hung_up, (unsigned long long)u->drained,
		(unsigned long long)u->replayed, (unsigned long long)u->requeued,
		(unsigned long long)c->refusals);
}

static void fail_unless(bool ok, const char *what, const struct scene *scene,
	uint64_t seed, const struct stage *s)
{
	if (ok)
		return;
	report(scene, seed, s);
	fail_msg("%s, seed %llu: %s", scene->name, (unsigned long long)seed, what);
}

static void stage_set(
	struct stage *s, const struct scene *scene, uint64_t seed, ns_t for_ns)
{
	struct sim_cfg sim = scene->sim;
	struct api_cfg api = scene->api;
	struct crowd_cfg crowd = scene->crowd;
	sim.seed = seed;
	api.seed = seed + 1;
	crowd.seed = seed + 2;
	crowd.for_ns = for_ns;
	stage_init(s, &sim, scene->options, &api, &crowd);
}

/* Each request was handled at most once a call: none was forwarded twice. */
static bool none_twice(const struct stage *s)
{
	for (uint64_t i = 0; i < s->crowd.arrived && i < API_IDS; i++)
		if (s->api.handled[i] > s->opt.gather)
			return false;
	return true;
}

enum play { CAP_HOLDS, CAP_FAILS, CAP_FOUND_OUT };

static void play(const struct scene *scene, uint64_t seed, enum play how)
{
	struct stage *s = mem_alloc(sizeof(*s));
	const ns_t for_ns = 60 * NS_S;
	stage_set(s, scene, seed, for_ns);
	stage_run(s, for_ns);
	/* past every handler, drain, ghost, linger and idle time */
	stage_run(s, for_ns + 180 * NS_S);
	const struct crowd *c = &s->crowd;
#define MUST(ok) fail_unless(ok, #ok, scene, seed, s)
	if (how != CAP_HOLDS)
		MUST(s->api.refused > 0);
	if (how != CAP_FAILS) {
		MUST(s->api.refused <= scene->refused_max);
		MUST(s->api.peak <= scene->api.limit);
	}
	if (how == CAP_FOUND_OUT)
		MUST(c->refusals == 0);
	MUST(c->arrived > for_ns / NS_S);
	MUST(c->good + crowd_errors(c) + c->left + c->broken == c->arrived);
	MUST(c->twice == 0);
	MUST(c->broken == 0);
	MUST(c->left == 0 || c->cfg.impatient > 0);
	MUST(none_twice(s));
	const struct hangups *h = upstream_hangups(s->proxy.upstream);
	MUST(scene->learns == ANY || hangups_frees(h) == (scene->learns == FREES));
	MUST((double)c->good >= scene->good * (double)c->arrived);
	const char *leak = stage_leak(s);
	fail_unless(!leak, leak, scene, seed, s);
#undef MUST
	if (!quiet)
		report(scene, seed, s);
	stage_fini(s);
	mem_free(s);
}

static void test_the_cap_holds(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scenes); i++)
		for (uint64_t seed = 0; seed < 3; seed++)
			play(&scenes[i], first_seed + 10 * seed, CAP_HOLDS);
}

/* --- hang-ups, by --abandon auto --- */

#define FIFTH API, .quick = 0.8, .quick_for = 50 * NS_MS, SLOW
#define AUTO FORWARD "--timeout 500ms --queue-for 100ms --abandon auto "

static const struct scene hang_ups[] = {
	{ .name = "auto: hang-ups go unseen",
		.options = AUTO,
		.api = { FIFTH },
		.crowd = { .rate = 55 },
		.good = 0.6,
		.learns = HOLDS },
	{ .name = "auto: hang-ups are seen",
		.options = AUTO,
		.api = { FIFTH, .notices = 1 },
		.crowd = { .rate = 80 },
		.good = 0.61,
		.learns = FREES },
	{ .name = "auto: seen, far away, resets lost",
		.options = AUTO "--close-idle fin --settle-for 60ms",
		.api = { FIFTH, .notices = 1 },
		.crowd = { .rate = 80 },
		.sim = { .latency = 10 * NS_MS, .jitter = 10 * NS_MS, .lose_rst = 0.5 },
		.good = 0.6,
		.learns = FREES },
	{ .name = "auto: seen at times",
		.options = AUTO,
		.api = { FIFTH, .notices = 0.5 },
		.crowd = { .rate = 55 },
		.good = 0.6 },
	{ .name = "auto: almost always seen",
		.options = AUTO,
		.api = { FIFTH, .notices = 0.95 },
		.crowd = { .rate = 80 },
		.good = 0.4 },
	{ .name = "auto: seen, and it counts requests",
		.options = AUTO "--limit-unit request",
		.api = { FIFTH, .by_request = true, .notices = 1 },
		.crowd = { .rate = 80 },
		.good = 0.58, /* 0.60 to 0.70: the lot says how soon it is learned */
		.learns = FREES },
	{ .name = "auto: a proxy sees them, the server behind it does not",
		.options = AUTO,
		.api = { FIFTH, .stands_in = true },
		.crowd = { .rate = 80 },
		.good = 0.4,
		.refused_max = 1 },
	{ .name = "auto: with little load, all calls are quick",
		.options = AUTO,
		.api = { API, .min_for = 0, .max_for = 200 * NS_MS },
		.crowd = { .rate = 200, .impatient = 0.5, .impatient_for = 300 * NS_MS },
		.learns = HOLDS },
};

static void test_abandon_auto(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hang_ups); i++)
		for (uint64_t seed = 0; seed < 5; seed++)
			play(&hang_ups[i], first_seed + 10 * seed, CAP_HOLDS);
}

/* --- what it is like without --- */

/* Says keep-alive, closes after each answer, no cap: refusals, and TIME_WAIT on its host at
 * closes/s * 60 (Little). */
static void test_naive(void **state)
{
	(void)state;
	static const struct scene naive = { .name = "naive",
		.options =
			"--gather 3 --connections pretend --timeout none --queue-for none",
		.api = { API, SLOW },
		.crowd = { .rate = 8 } };
	struct stage *s = mem_alloc(sizeof(*s));
	struct sim_counts counts;
	stage_set(s, &naive, first_seed, 90 * NS_S);
	stage_run(s, 85 * NS_S);
	sim_count(s->sim, s->proxy_host, &counts);
	double closes = (double)s->api.answered / 85 * 60;
	print_message("naive: %u ESTABLISHED, %u TIME_WAIT (%.0f closes in 60 s), "
		      "%llu of %llu connections refused\n",
		counts.established, counts.time_wait, closes,
		(unsigned long long)s->api.refused, (unsigned long long)s->api.accepted);
	assert_true(s->api.refused * 10 > s->api.accepted);
	assert_int_equal(s->api.peak, 50);
	/* 50 slots / 4 s = 12.5 closes/s; the answers to clients are closed by clients */
	assert_true(counts.time_wait > 0.85 * 60 * 12.5 && counts.time_wait < 1200);
	stage_run(s, 300 * NS_S);
	assert_null(stage_leak(s));
	stage_fini(s);
	mem_free(s);
}

/* The story's cure alone: a deadline that closes. The callers are let go, the slots are not. */
static void test_timeout_alone(void **state)
{
	(void)state;
	static const struct scene timeout = { .name = "timeout alone",
		.options =
			"--gather 3 --connections pretend --timeout 1s --abandon close",
		.api = { API, SLOW },
		.crowd = { .rate = 8 } };
	struct stage *s = mem_alloc(sizeof(*s));
	struct sim_counts proxy, api;
	stage_set(s, &timeout, first_seed, 60 * NS_S);
	stage_run(s, 55 * NS_S);
	sim_count(s->sim, s->proxy_host, &proxy);
	sim_count(s->sim, s->api_host, &api);
	print_message(
		"timeout alone: %u FIN_WAIT2 here, %u CLOSE_WAIT there, %llu refused\n",
		proxy.fin_wait2, api.close_wait, (unsigned long long)s->api.refused);
	assert_true(s->api.refused * 10 > s->api.accepted);
	assert_int_equal(s->crowd.good, 0);
	assert_true(proxy.fin_wait2 > 20 && api.close_wait > 20);
	stage_run(s, 300 * NS_S);
	assert_null(stage_leak(s));
	stage_fini(s);
	mem_free(s);
}

/* --- a limit that is found out --- */

static void play_halved(const struct scene *scene, uint64_t seed)
{
	struct stage *s = mem_alloc(sizeof(*s));
	stage_set(s, scene, seed, 60 * NS_S);
	stage_run(s, 20 * NS_S);
	const struct upstream *u = s->proxy.upstream;
	const struct slots *slots = upstream_slots(u);
	uint64_t refused = s->api.refused, closed = upstream_stats(u)->closed_idle;
	assert_in_range(slots_limit(slots), 45, 51);
	s->api.cfg.limit = 25;
	for (ns_t at = 20 * NS_S; at < 30 * NS_S; at += 100 * NS_MS) {
		stage_run(s, at);
		assert_true(slots_limit(slots) >= 0.85 * 25);
	}
	refused = s->api.refused - refused;
	print_message("%s: %llu refused, %llu told\n", scene->name,
		(unsigned long long)refused, (unsigned long long)s->crowd.refusals);
	assert_in_range(slots_limit(slots), 23, 27);
	/* One more is tried now and then, and may still be at work as the limit stands again. */
	assert_true(slots_used(slots) <= slots_limit(slots) + 1);
	assert_true(refused <= scene->refused_max);
	if (!scene->api.by_request)
		assert_int_equal(upstream_stats(u)->closed_idle, closed);
	stage_run(s, 300 * NS_S);
	assert_null(stage_leak(s));
	stage_fini(s);
	mem_free(s);
}

/* The server's limit is halved. One that counts connections lets those live on that it took
 * before, for ten calls each: they are used up, and none is closed for the limit's sake. */
static void test_limit_halved(void **state)
{
	(void)state;
	static const struct scene rows[] = {
		{ .name = "halved, connections",
			.options = "--limit auto --timeout 500ms "
				   "--connection-requests 10 --client-idle-for 5s",
			.api = { FIFTH },
			.crowd = { .rate = 80 },
			.refused_max = 20 },
		{ .name = "halved, requests, taken for connections",
			.options = "--limit auto --timeout 500ms --client-idle-for 5s",
			.api = { FIFTH, .by_request = true },
			.crowd = { .rate = 80 },
			.refused_max = 60 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (uint64_t seed = 0; seed < 5; seed++)
			play_halved(&rows[i], first_seed + seed);
}

/* --- whom that costs his answer --- */

/* The server refuses now and then, and no caller ever hears of it. */
static void test_refusals_are_nobodys(void **state)
{
	(void)state;
#define AUTO_LIMIT "--limit auto --timeout 500ms --client-idle-for 5s "
	static const struct scene rows[] = {
		{ .name = "auto, the wall",
			.options = AUTO_LIMIT,
			.api = { FIFTH },
			.crowd = { .rate = 80, .posts = 0.5 },
			.refused_max = 30,
			.good = 0.4 },
		{ .name = "auto, the wall, far away",
			.options = AUTO_LIMIT,
			.api = { FIFTH },
			.crowd = { .rate = 120, .posts = 0.5 },
			.sim = { .latency = 10 * NS_MS, .jitter = 5 * NS_MS },
			.refused_max = 40,
			.good = 0.3 },
		{ .name = "auto, requests",
			.options = AUTO_LIMIT "--limit-unit request",
			.api = { FIFTH, .by_request = true },
			.crowd = { .rate = 80 },
			.refused_max = 30,
			.good = 0.4 },
		{ .name = "auto, batches",
			.options = AUTO_LIMIT "--gather 3",
			.api = { FIFTH },
			.crowd = { .rate = 40 },
			.refused_max = 30 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (uint64_t seed = 0; seed < 3; seed++)
			play(&rows[i], first_seed + 10 * seed, CAP_FOUND_OUT);
}

/* --- the mutant --- */

static int caught_len;
static char **caught;

static void test_mutant_is_caught(void **state)
{
	(void)state;
	for (int i = 0; i < caught_len; i++) {
		const struct scene *scene = scenes;
		while (strcmp(scene->name, caught[i]) != 0)
			CHECK(++scene < scenes + ARRAY_LEN(scenes));
		struct scene any_good = *scene;
		any_good.good = 0;
		play(&any_good, first_seed, CAP_FAILS);
	}
}

/* --- the bench --- */

static double real_s(void)
{
	struct timespec t;
	CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int bench(void)
{
	struct stage *s = mem_alloc(sizeof(*s));
	struct sim_counts counts;
	ns_t until = 7200 * NS_S;
	stage_set(s, &scenes[1], 1, until);
	double began = real_s();
	stage_run(s, until);
	double took = real_s() - began;
	sim_count(s->sim, s->proxy_host, &counts);
	printf("sim: %.0f virtual seconds of the incident at 1/20 (24 calls/s, 50 slots) in "
	       "%.2f s of CPU: %.0f virtual seconds a second, %.2f million events/s\n",
		(double)until / 1e9, took, (double)until / 1e9 / took,
		(double)counts.events / took / 1e6);
	stage_fini(s);
	mem_free(s);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_cap_holds),
		TEST(test_abandon_auto),
		TEST(test_naive),
		TEST(test_timeout_alone),
		TEST(test_limit_halved),
		TEST(test_refusals_are_nobodys),
	};
	const struct CMUnitTest mutant[] = { TEST(test_mutant_is_caught) };
	if (argc > 1 && strcmp(argv[1], "bench") == 0)
		return bench();
	first_seed = test_seed(1);
	if (argc > 1 && strcmp(argv[1], "mutant") == 0) {
		caught_len = argc - 2;
		caught = argv + 2;
		return cmocka_run_group_tests(mutant, NULL, NULL);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

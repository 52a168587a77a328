/*
 * A server that lets connections above its limit stall, behind the real proxy with a limit that is
 * found out: on the virtual clock, several seeds each.
 */
#include "tests/sim/stage.h"
#include "tests/unit/base/unit.h"

#define SEEDS 3
#define TWO_KINDS \
	.quick = 0.8, .quick_for = 50 * NS_MS, .min_for = 4 * NS_S, .max_for = 4 * NS_S
#define OPTIONS "--limit auto --timeout 500ms"

struct scene {
	const char *name, *options;
	struct api_cfg api;
	double rate;
	uint32_t limit_min, limit_max; /* from 20 s on */
	uint64_t stalled_max;          /* connections, from then on */
};

static const struct scene scenes[] = {
	{ .name = "50 slots, 1.3 times what they do",
		.options = OPTIONS,
		.api = { .limit = 50, .stalls = true, TWO_KINDS },
		.rate = 77,
		.limit_min = 45,
		.limit_max = 55,
		.stalled_max = 6 },
	{ .name = "50 slots, 3 times what they do",
		.options = OPTIONS,
		.api = { .limit = 50, .stalls = true, TWO_KINDS },
		.rate = 180,
		.limit_min = 45,
		.limit_max = 55,
		.stalled_max = 6 },
	{ .name = "answers that are all quick",
		.options = OPTIONS,
		.api = { .limit = 20,
			.stalls = true,
			.min_for = 40 * NS_MS,
			.max_for = 60 * NS_MS },
		.rate = 800,
		.limit_min = 18,
		.limit_max = 22,
		.stalled_max = 20 },
};

struct run {
	struct stage s;
	ns_t began;
};

static void run_to(struct run *r, double seconds)
{
	stage_run(&r->s, r->began + (ns_t)(seconds * (double)NS_S));
}

static void begin(struct run *r, const struct scene *scene, uint64_t seed, ns_t for_ns)
{
	struct api_cfg api = scene->api;
	struct crowd_cfg crowd = { .rate = scene->rate, .for_ns = for_ns, .seed = seed };
	const struct sim_cfg sim = { .seed = seed };
	api.seed = seed;
	stage_init(&r->s, &sim, scene->options, &api, &crowd);
	r->began = io_now(r->s.proxy_host);
}

static uint32_t limit_of(const struct run *r)
{
	return slots_limit(upstream_slots(r->s.proxy.upstream));
}

static void play(const struct scene *scene, uint64_t seed)
{
	struct run r;
	begin(&r, scene, seed, 60 * NS_S);
	run_to(&r, 20);
	const struct upstream_stats *stats = upstream_stats(r.s.proxy.upstream);
	uint64_t stalled = stats->stalled;
	assert_true(stalled > 0);
	for (int i = 20; i < 60; i++) {
		run_to(&r, i);
		assert_in_range(limit_of(&r), scene->limit_min, scene->limit_max);
	}
	assert_true(stats->stalled - stalled <= scene->stalled_max);
	run_to(&r, 400);
	assert_null(stage_leak(&r.s));
	stage_fini(&r.s);
}

static void test_the_wall_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scenes); i++)
		for (uint64_t seed = 1; seed <= SEEDS; seed++) {
			print_message("%s\n", scenes[i].name);
			play(&scenes[i], test_seed(seed));
		}
}

/* What is lifted is climbed, a trial each. */
static void test_the_wall_is_lifted(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct run r;
		begin(&r, &scenes[1], test_seed(seed), 100 * NS_S);
		run_to(&r, 20);
		assert_in_range(limit_of(&r), 45, 55);
		r.s.api.cfg.limit = 100;
		run_to(&r, 70);
		assert_in_range(limit_of(&r), 90, 120);
		run_to(&r, 400);
		assert_null(stage_leak(&r.s));
		stage_fini(&r.s);
	}
}

/* As many slots as are asked for: slow calls on new connections are no wall. */
static void test_no_wall(void **state)
{
	(void)state;
	struct scene open = scenes[1];
	open.api.limit = 1000;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct run r;
		begin(&r, &open, test_seed(seed), 60 * NS_S);
		run_to(&r, 60);
		assert_int_equal(upstream_stats(r.s.proxy.upstream)->stalled, 0);
		run_to(&r, 400);
		assert_null(stage_leak(&r.s));
		stage_fini(&r.s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_wall_is_found),
		TEST(test_the_wall_is_lifted),
		TEST(test_no_wall),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

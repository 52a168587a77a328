/*
 * The limit that finds itself, on a modelled server in virtual time: what it must reach, over
 * several seeds each. With the argument `table` it prints what it measured.
 */
#include "tests/sim/model.h"
#include "tests/unit/base/unit.h"

#define SEEDS 4

static bool wants_table;

struct span {
	double seconds, good_rate, answer_rate, refused_share, p50_ms;
};

/* Runs for so long, and tells what happened meanwhile. */
static struct span span(struct model *m, double seconds)
{
	struct model_count before = m->count;
	hist_reset(m->took);
	model_run(m, m->now + (ns_t)(seconds * (double)NS_S));
	double sent = (double)(m->count.sent - before.sent);
	return (struct span){
		.seconds = seconds,
		.good_rate = (double)(m->count.good - before.good) / seconds,
		.answer_rate = (double)hist_count(m->took) / seconds,
		.refused_share = (double)(m->count.refused - before.refused) /
				 (sent > 0 ? sent : 1),
		.p50_ms = (double)hist_quantile(m->took, 0.5) / (double)NS_MS,
	};
}

static void show(const char *what, const struct model *m, struct span s)
{
	if (wants_table)
		print_message("%-44s %-9s limit %5u  %7.1f answers/s  p50 %7.1f ms  "
			      "refused %.3f %%\n",
			what, limit_state_label(limit_state(&m->limit)), m->limit.now,
			s.answer_rate, s.p50_ms, 100 * s.refused_share);
}

#define SHOWN(m, s) show(__func__, m, s)

static void begin(struct model *m, uint64_t seed)
{
	model_init(m, test_seed(seed));
}

#define EACH_SEED(seed) for (uint64_t seed = 1; seed <= SEEDS; seed++)

static void assert_near(const struct model *m, double limit)
{
	assert_true(m->limit.stand >= 0.9 * limit);
	assert_true(m->limit.stand <= 1.1 * limit);
}

#define REFUSED_MAX 0.005

/* --- the wall --- */

static void test_wall_of_slow_answers(void **state)
{
	(void)state;
	static const double rates[] = { 300, 1000, 5000 };
	EACH_SEED(seed)
	{
		for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
			struct model m;
			begin(&m, seed);
			m.service = "4s";
			m.deadline = m.queue_for = 10 * NS_S;
			m.rate = rates[i];
			while (!m.wanted_more_at)
				model_run(&m, m.now + 10 * NS_MS);
			span(&m, 5);
			assert_near(&m, 1000);
			struct span s = span(&m, 60);
			SHOWN(&m, s);
			assert_near(&m, 1000);
			assert_int_equal(limit_state(&m.limit), LIMIT_WALL);
			assert_true(s.refused_share <= REFUSED_MAX);
			assert_true(s.answer_rate >= 0.97 * 250);
			model_fini(&m);
		}
	}
}

/* One call in five takes 80 times as long: that is not a queue. */
static void test_two_kinds_of_calls(void **state)
{
	(void)state;
	static const struct {
		const char *service;
		uint32_t slots;
		double rate;
	} rows[] = {
		{ "mix(80%: 50ms, 20%: 4s)", 50, 70 },
		{ "mix(80%: 50ms, 20%: 4s)", 50, 200 },
		{ "mix(80%: 50ms, 20%: 4s)", 1000, 2400 },
		{ "mix(80%: exponential(50ms), 20%: exponential(4s))", 1000, 2400 },
	};
	EACH_SEED(seed)
	{
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			struct model m;
			begin(&m, seed);
			m.service = rows[i].service;
			m.slots = rows[i].slots;
			m.rate = rows[i].rate;
			m.deadline = 500 * NS_MS;
			span(&m, 10);
			struct span s = span(&m, 110);
			SHOWN(&m, s);
			assert_near(&m, rows[i].slots);
			assert_true(s.refused_share <= REFUSED_MAX);
			model_fini(&m);
		}
	}
}

/* Its slots are halved while it runs, and come back. */
static void test_wall_that_moves(void **state)
{
	(void)state;
	static const char *const service[] = { "1s", "uniform(500ms, 2s)", "100ms" };
	EACH_SEED(seed)
	{
		for (size_t i = 0; i < ARRAY_LEN(service); i++) {
			struct model m;
			begin(&m, seed);
			m.service = service[i];
			m.deadline = 10 * NS_S;
			m.rate = i == 2 ? 20000 : 2500;
			span(&m, 10);
			m.slots = 500;
			span(&m, 5);
			assert_near(&m, 500);
			struct span s = span(&m, 20);
			SHOWN(&m, s);
			assert_true(s.refused_share <= REFUSED_MAX);
			assert_near(&m, 500);
			m.slots = 1000;
			span(&m, 5);
			assert_near(&m, 1000);
			s = span(&m, 20);
			assert_true(s.refused_share <= REFUSED_MAX);
			model_fini(&m);
		}
	}
}

/* Every fifth call is slow, and the limit is halved: calls from before fill the server for
 * seconds. Few more are refused, and the limit ends little below; and it comes back. */
static void test_wall_halved_under_slow_calls(void **state)
{
	(void)state;
	EACH_SEED(seed)
	{
		struct model m;
		begin(&m, seed);
		m.service = "mix(80%: 50ms, 20%: 4s)";
		m.slots = 50;
		m.rate = 600;
		m.deadline = 500 * NS_MS;
		span(&m, 20);
		assert_near(&m, 50);
		uint64_t refused = m.count.refused;
		m.slots = 25;
		for (int i = 0; i < 50; i++) {
			span(&m, 0.1);
			assert_true(m.limit.stand >= 0.85 * 25);
		}
		assert_near(&m, 25);
		assert_true(m.count.refused - refused <= 16);
		struct span s = span(&m, 60);
		SHOWN(&m, s);
		assert_near(&m, 25);
		assert_true(s.refused_share <= REFUSED_MAX);
		m.slots = 50;
		span(&m, 12); /* of 30 calls a second, a trial in 7.5 s: flow/wall.h */
		assert_near(&m, 50);
		model_fini(&m);
	}
}

/* What it costs to follow a wall within 5 s: one call in 220 of a server that does 60 a second,
 * and less than one in 1,000 of one that does 250 or more. */
static void test_cost_of_following(void **state)
{
	(void)state;
	static const struct {
		const char *service;
		double rate, answer_rate, refused_max;
	} rows[] = {
		{ "mix(80%: 50ms, 20%: 4s)", 600, 59.5, 0.005 },
		{ "125ms", 600, 397, 0.001 },
		{ "50ms", 2000, 980, 0.001 },
	};
	EACH_SEED(seed)
	{
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			struct model m;
			begin(&m, seed);
			m.service = rows[i].service;
			m.slots = 50;
			m.rate = rows[i].rate;
			span(&m, 10);
			struct span s = span(&m, 120);
			SHOWN(&m, s);
			assert_near(&m, 50);
			assert_true(s.answer_rate >= 0.94 * rows[i].answer_rate);
			assert_true(s.refused_share <= rows[i].refused_max);
			m.slots = 100;
			span(&m, 5);
			assert_near(&m, 100);
			model_fini(&m);
		}
	}
}

/* From nothing known: 50 slots of quick answers are found within 0.7 s. */
static void test_cold_start(void **state)
{
	(void)state;
	EACH_SEED(seed)
	{
		struct model m;
		begin(&m, seed);
		m.service = "mix(80%: 50ms, 20%: 4s)";
		m.slots = 50;
		m.rate = 600;
		m.deadline = 500 * NS_MS;
		span(&m, 0.7);
		assert_near(&m, 50);
		model_fini(&m);
	}
}

/* Others take half of the slots, and leave. */
static void test_others(void **state)
{
	(void)state;
	EACH_SEED(seed)
	{
		struct model m;
		begin(&m, seed);
		m.service = "uniform(500ms, 1500ms)";
		m.deadline = 10 * NS_S;
		m.rate = 2000;
		span(&m, 10);
		m.others_want = 500;
		span(&m, 5);
		struct span s = span(&m, 20);
		SHOWN(&m, s);
		assert_near(&m, 500);
		assert_true(s.refused_share <= REFUSED_MAX);
		m.others_want = 0;
		span(&m, 5);
		assert_near(&m, 1000);
		model_fini(&m);
	}
}

/* Others come and go all the time: the limit keeps to what is left for sure. */
static void test_restless_others(void **state)
{
	(void)state;
	EACH_SEED(seed)
	{
		struct model m;
		struct rng rng;
		struct span s = { 0 };
		uint64_t refused = 0, sent = 0;
		begin(&m, seed);
		rng_init(&rng, seed);
		m.service = "exponential(200ms)";
		m.slots = 200;
		m.rate = 2000;
		span(&m, 10);
		for (int i = 0; i < 600; i++) {
			struct model_count before = m.count;
			m.others_want = (uint32_t)rng_below(&rng, 20);
			s = span(&m, 0.1);
			refused += m.count.refused - before.refused;
			sent += m.count.sent - before.sent;
		}
		s.refused_share = (double)refused / (double)sent;
		SHOWN(&m, s);
		assert_true(s.refused_share <= REFUSED_MAX);
		assert_true(m.limit.stand >= 150);
		model_fini(&m);
	}
}

/* Some closed connections keep their slot for long, as after a RST that was lost. */
static void test_lost_resets(void **state)
{
	(void)state;
	EACH_SEED(seed)
	{
		struct model m;
		begin(&m, seed);
		m.slots = 100;
		m.rate = 2500;
		m.lost = 0.0005;
		m.lost_for = 20 * NS_S;
		span(&m, 10);
		struct span s = span(&m, 60);
		SHOWN(&m, s);
		assert_true(s.refused_share <= REFUSED_MAX);
		assert_true(m.limit.stand + m.held - m.used >= 90);
		m.lost = 0;
		span(&m, 25);
		assert_near(&m, 100);
		model_fini(&m);
	}
}

/* --- the knee --- */

static void test_workers_behind_slots(void **state)
{
	(void)state;
	static const char *const service[] = { "48ms", "uniform(24ms, 72ms)",
		"normal(48ms, 5ms)" };
	EACH_SEED(seed)
	{
		for (size_t i = 0; i < ARRAY_LEN(service); i++) {
			struct model m;
			begin(&m, seed);
			m.service = service[i];
			m.workers = 12;
			span(&m, 5);
			struct span s = span(&m, 115);
			SHOWN(&m, s);
			assert_int_equal(limit_state(&m.limit), LIMIT_KNEE);
			assert_true(s.answer_rate >= 0.97 * 250);
			assert_true(s.p50_ms <= 2 * 48);
			assert_true(s.refused_share <= REFUSED_MAX);
			assert_true(s.good_rate >= 0.99 * s.answer_rate);
			model_fini(&m);
		}
	}
}

/* Whatever chance does to the times, for half an hour: it creeps neither up nor down. */
static void test_knee_for_long(void **state)
{
	(void)state;
	EACH_SEED(seed)
	{
		struct model m;
		begin(&m, seed);
		m.service = "exponential(48ms)";
		m.workers = 12;
		span(&m, 5);
		struct span s = span(&m, 1800);
		SHOWN(&m, s);
		assert_true(s.answer_rate >= 0.93 * 250);
		assert_true(s.p50_ms <= 2 * 48);
		model_fini(&m);
	}
}

/* Four times the workers: found by stepping up. */
static void test_knee_that_moves(void **state)
{
	(void)state;
	EACH_SEED(seed)
	{
		struct model m;
		begin(&m, seed);
		m.service = "normal(48ms, 5ms)";
		m.workers = 12;
		m.rate = 1500;
		span(&m, 10);
		m.workers = 48;
		span(&m, 5);
		assert_true(m.limit.stand >= 30);
		span(&m, 10);
		struct span s = span(&m, 30);
		SHOWN(&m, s);
		assert_true(s.answer_rate >= 0.9 * 1000);
		assert_true(s.p50_ms <= 2 * 48);
		model_fini(&m);
	}
}

/* --- speed --- */

/* Ten times as slow, and back, with a slot for each: that is no knee, and cuts nothing. */
static void test_speed_is_no_knee(void **state)
{
	(void)state;
	EACH_SEED(seed)
	{
		struct model m;
		begin(&m, seed);
		m.service = "normal(100ms, 20ms)";
		m.slots = 200;
		m.rate = 3000;
		span(&m, 8);
		for (int i = 0; i < 2; i++) {
			m.slowness = i ? 0.1 : 10;
			span(&m, 5);
			assert_near(&m, 200);
			struct span s = span(&m, 20);
			SHOWN(&m, s);
			assert_near(&m, 200);
			assert_int_equal(limit_state(&m.limit), LIMIT_WALL);
		}
		model_fini(&m);
	}
}

/* The same at a server that queues: its knee is where it was. */
static void test_speed_at_the_knee(void **state)
{
	(void)state;
	EACH_SEED(seed)
	{
		struct model m;
		begin(&m, seed);
		m.service = "normal(48ms, 5ms)";
		m.workers = 12;
		span(&m, 10);
		m.slowness = 10;
		span(&m, 5);
		struct span s = span(&m, 30);
		SHOWN(&m, s);
		assert_true(s.answer_rate >= 0.9 * 25);
		assert_true(m.limit.stand <= 30);
		m.slowness = 1;
		span(&m, 5);
		s = span(&m, 30);
		SHOWN(&m, s);
		assert_true(s.answer_rate >= 0.97 * 250);
		model_fini(&m);
	}
}

/* --- brown-outs --- */

/* All calls are slow for ten seconds: when slots come free, they are used. */
static void test_all_slow_and_back(void **state)
{
	(void)state;
	EACH_SEED(seed)
	{
		struct model m;
		begin(&m, seed);
		m.service = "normal(48ms, 5ms)";
		m.slots = 50;
		m.rate = 1200;
		m.deadline = 500 * NS_MS;
		span(&m, 8);
		m.service = "uniform(3s, 5s)";
		span(&m, 10);
		m.service = "normal(48ms, 5ms)";
		while (m.count.good < 1 || m.held == m.slots)
			model_run(&m, m.now + 10 * NS_MS); /* until a slot is free */
		span(&m, 5);
		struct span s = span(&m, 1);
		SHOWN(&m, s);
		assert_true(s.good_rate >= 0.9 * 1000);
		model_fini(&m);
	}
}

/* It refuses every call for ten seconds, as when it starts anew. */
static void test_all_refused_and_back(void **state)
{
	(void)state;
	EACH_SEED(seed)
	{
		struct model m;
		begin(&m, seed);
		m.service = "normal(100ms, 10ms)";
		m.slots = 200;
		m.rate = 3000;
		span(&m, 8);
		m.refuses_all = true;
		span(&m, 5);
		uint64_t refused = m.count.refused;
		span(&m, 5);
		assert_int_equal(limit_state(&m.limit), LIMIT_BROWN_OUT);
		assert_true(m.count.refused - refused >= 5);
		assert_true(m.count.refused - refused <= 30);
		m.refuses_all = false;
		span(&m, 1);
		struct span s = span(&m, 1);
		SHOWN(&m, s);
		assert_true(s.good_rate >= 0.9 * 2000);
		model_fini(&m);
	}
}

/* It takes every call and answers none: not ever more are sent. */
static void test_silence(void **state)
{
	(void)state;
	EACH_SEED(seed)
	{
		struct model m;
		begin(&m, seed);
		m.service = "1h";
		m.slots = 1000000;
		m.max = 1000000;
		m.rate = 5000;
		m.queue_for = 10 * NS_S;
		span(&m, 8);
		uint64_t sent = m.count.sent;
		span(&m, 60);
		assert_int_equal(m.count.sent, sent);
		assert_int_equal(limit_state(&m.limit), LIMIT_BROWN_OUT);
		model_fini(&m);
	}
}

/* --- bounds --- */

static void test_max(void **state)
{
	(void)state;
	struct model m;
	begin(&m, 1);
	m.max = 40;
	m.rate = 3000;
	span(&m, 30);
	assert_int_equal(m.held_peak, 40);
	assert_int_equal(m.limit.cause, LIMIT_BY_MAX);
	model_fini(&m);
}

/* It grows only while it binds. */
static void test_unused(void **state)
{
	(void)state;
	struct model m;
	begin(&m, 1);
	m.rate = 20; /* one at a time, mostly */
	span(&m, 60);
	assert_true(m.limit.now < 20);
	assert_int_equal(m.count.left, 0);
	model_fini(&m);
}

/* --- mutants: wrong in one thing each, they fail --- */

static void test_mutant_growth_by_answers(void **state)
{
	(void)state;
	struct model m;
	begin(&m, 1);
	m.grows_by_answer = true;
	m.service = "4s";
	m.deadline = m.queue_for = 10 * NS_S;
	m.rate = 1000;
	while (!m.wanted_more_at)
		model_run(&m, m.now + 10 * NS_MS);
	span(&m, 5);
	assert_true(m.limit.stand < 900);
	model_fini(&m);
}

static void test_mutant_refusals_as_answers(void **state)
{
	(void)state;
	struct model m;
	begin(&m, 1);
	m.reads_refusals_as_answers = true;
	m.service = "1s";
	m.rate = 2000;
	span(&m, 10);
	struct span s = span(&m, 20);
	SHOWN(&m, s);
	assert_true(s.refused_share > 0.1);
	model_fini(&m);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_wall_of_slow_answers),
		TEST(test_two_kinds_of_calls),
		TEST(test_wall_that_moves),
		TEST(test_wall_halved_under_slow_calls),
		TEST(test_cost_of_following),
		TEST(test_cold_start),
		TEST(test_others),
		TEST(test_restless_others),
		TEST(test_lost_resets),
		TEST(test_workers_behind_slots),
		TEST(test_knee_for_long),
		TEST(test_knee_that_moves),
		TEST(test_speed_is_no_knee),
		TEST(test_speed_at_the_knee),
		TEST(test_all_slow_and_back),
		TEST(test_all_refused_and_back),
		TEST(test_silence),
		TEST(test_max),
		TEST(test_unused),
		TEST(test_mutant_growth_by_answers),
		TEST(test_mutant_refusals_as_answers),
	};
	wants_table = argc > 1 && strcmp(argv[1], "table") == 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/unit/base/unit.h"
#include "lab/verdict.h"

static struct lab_measure once(double value)
{
	return (struct lab_measure){ true, value, value, value };
}

static struct lab_measure between(double low, double median, double high)
{
	return (struct lab_measure){ true, median, low, high };
}

static char naive[] = "naive", pool[] = "pool", cure[] = "weir", node[] = "node",
	    full[] = "Server.Concurrency limit exceeded",
	    late[] = "the callers were late";

/* An overloaded server. */
static struct lab_figures fault(void)
{
	return (struct lab_figures){ .label = naive,
		.is_fault = true,
		.valid = true,
		.started = once(1000),
		.good = once(350),
		.good_share = once(0.35),
		.late = once(0),
		.failed = once(650),
		.unanswered = once(0),
		.p50 = once(4130),
		.p99 = once(5000),
		.calls = once(3000),
		.refused = once(1400),
		.slots_limit = once(1000),
		.slots_peak = once(1000),
		.abandoned = once(0),
		.in_established = once(500),
		.established = once(1000),
		.time_wait = once(15520),
		.ended = once(3000),
		.closed_middleware = once(0.53),
		.closed_reset = once(0.47),
		.words = full,
		.words_count = 1400,
		.words_status = 503 };
}

static struct lab_figures better(double good)
{
	struct lab_figures f = fault();
	f.label = cure;
	f.is_fault = false;
	f.good = once(good);
	f.good_share = once(good / 1000);
	f.failed = once(1000 - good);
	f.refused = once(0);
	f.p99 = once(5700);
	f.words = NULL;
	return f;
}

static struct lab_verdict judge(struct lab_figures *f, size_t n)
{
	struct lab_verdict v;
	struct lab_act_figures a = { .repetitions = 1, .v = f, .n = n };
	lab_verdict_init(&v, &a);
	return v;
}

static void test_a_full_server(void **state)
{
	struct lab_figures f[] = { fault(), better(520) };
	struct lab_verdict v = judge(f, 2);
	(void)state;
	assert_null(v.invalid);
	assert_string_equal(v.wrong,
		"With naive only 350 of 1,000 requests got a good answer in time: the server "
		"was full (1,000 of 1,000 slots taken at the peak) and refused 1,400 of "
		"3,000 calls.");
	assert_string_equal(v.shows,
		"The error answers say so themselves, 1,400 times: “Server.Concurrency limit "
		"exceeded”; the 15,520 sockets in TIME_WAIT towards the server tell only "
		"that the middleware closed first, 53% of the 3,000 connections that ended "
		"(47% ended in a reset, which leaves nothing behind).");
	assert_string_equal(v.cures,
		"weir helps most of what was tried: 520 of 1,000 good answers instead of 350, "
		"0 refusals by the server instead of 1,400; the price: 480 requests still got "
		"none in time, the 99th percentile went from 5 s to 5.7 s.");
	lab_verdict_fini(&v);
}

static void test_what_cures_wholly_and_costs_nothing(void **state)
{
	struct lab_figures f[] = { fault(), better(1000) };
	(void)state;
	f[1].p99 = once(900);
	f[1].p50 = once(51.4);
	struct lab_verdict v = judge(f, 2);
	assert_string_equal(v.cures,
		"weir cures it: 1,000 of 1,000 good answers instead of 350, 0 refusals by the "
		"server instead of 1,400, a median wait of 51.4 ms instead of 4.13 s; no "
		"figure compared got worse.");
	lab_verdict_fini(&v);
}

/* Slots were left and nothing was refused: what was short was not the server. */
static void test_a_pool_too_small(void **state)
{
	struct lab_figures f[] = { fault() };
	(void)state;
	f[0].label = pool;
	f[0].late = once(600);
	f[0].failed = once(50);
	f[0].refused = once(0);
	f[0].slots_peak = once(50);
	f[0].time_wait = once(0);
	f[0].in_established = once(412);
	f[0].established = once(5);
	f[0].words = NULL;
	struct lab_verdict v = judge(f, 1);
	assert_non_null(strstr(v.wrong,
		": yet the server had room (50 of 1,000 slots taken at the peak) and refused "
		"nothing, so what was short lay before it; half of all answers took 4.13 s "
		"or more."));
	assert_string_equal(v.shows,
		"At the peak 412 connections stood open from callers to the middleware, and "
		"5 from there to the server.");
	assert_string_equal(v.cures, "Nothing ran that it could be compared with.");
	lab_verdict_fini(&v);
}

static void test_what_is_not_known_is_not_told(void **state)
{
	const struct lab_measure none = { 0 };
	struct lab_figures f[] = { fault(), better(520) };
	(void)state;
	f[0].refused = f[0].calls = f[0].slots_peak = f[0].time_wait = f[0].p50 = none;
	f[0].in_established = f[0].established = none;
	f[0].words = NULL;
	f[1].refused = f[1].abandoned = none;
	struct lab_verdict v = judge(f, 2);
	assert_string_equal(v.wrong,
		"With naive only 350 of 1,000 requests got a good answer in time.");
	assert_null(strstr(v.shows, "peak"));
	assert_null(strstr(v.cures, "refusal"));
	assert_null(strstr(v.cures, "median"));
	lab_verdict_fini(&v);
	f[0].good = none;
	v = judge(f, 2);
	assert_string_equal(v.wrong, "What callers of naive got was not measured.");
	assert_string_equal(v.cures, "Nothing ran that it could be compared with.");
	lab_verdict_fini(&v);
}

static void test_invalid_runs_come_first_and_are_left_out(void **state)
{
	struct lab_figures f[] = { fault(), better(520), better(900) };
	(void)state;
	f[2].label = node;
	f[2].valid = false;
	f[2].invalid_why = late;
	struct lab_verdict v = judge(f, 3);
	assert_string_equal(v.invalid,
		"Not valid: node (the callers were late). The verdict leaves that out.");
	assert_non_null(strstr(v.cures, "weir helps most"));
	lab_verdict_fini(&v);
	f[0].valid = false;
	v = judge(f, 3);
	assert_string_equal(v.invalid,
		"Not valid: naive, node (no reason is told). There is no verdict, for it "
		"would be about naive.");
	assert_null(v.wrong);
	assert_null(v.cures);
	lab_verdict_fini(&v);
}

static void test_words_are_of_all_runs(void **state)
{
	struct lab_figures f[] = { fault() };
	struct lab_act_figures a = { .repetitions = 3, .v = f, .n = 1 };
	struct lab_verdict v;
	(void)state;
	lab_verdict_init(&v, &a);
	assert_non_null(strstr(v.shows, "1,400 times in 3 runs: “"));
	lab_verdict_fini(&v);
}

/* Better in the median only is not better. */
static void test_spreads_that_overlap(void **state)
{
	struct lab_figures f[] = { fault(), better(400) };
	(void)state;
	f[0].good_share = between(0.30, 0.35, 0.42);
	f[1].good_share = between(0.33, 0.40, 0.45);
	struct lab_verdict v = judge(f, 2);
	assert_string_equal(v.cures,
		"Nothing that was tried helps: weir, the best of 1, got 400 of 1,000.");
	lab_verdict_fini(&v);
}

/* As many good answers, but sooner; at another point of what all sweep, it is no cure. */
static void test_sooner_helps_and_groups_are_kept_apart(void **state)
{
	struct lab_figures f[] = { fault(), better(350) };
	(void)state;
	f[1].p50 = once(1000);
	struct lab_verdict v = judge(f, 2);
	assert_non_null(strstr(v.cures, "a median wait of 1 s instead of 4.13 s"));
	lab_verdict_fini(&v);
	f[1].group = 1;
	v = judge(f, 2);
	assert_string_equal(v.cures, "Nothing ran that it could be compared with.");
	lab_verdict_fini(&v);
}

static void test_nothing_wrong(void **state)
{
	struct lab_figures f[] = { better(1000), better(990) };
	(void)state;
	f[0].label = pool;
	f[0].time_wait = once(0);
	f[0].established = once(600);
	struct lab_verdict v = judge(f, 2);
	assert_string_equal(v.wrong,
		"Nothing went wrong with pool: all 1,000 requests got a good answer in time, "
		"and half of all answers took 4.13 s or more.");
	assert_string_equal(
		v.cures, "Nothing needs a cure: weir, the best of 1, got 990 of 1,000.");
	assert_null(strstr(v.shows, "TIME_WAIT"));
	lab_verdict_fini(&v);
	/* What is left behind is told all the same. */
	f[0].time_wait = once(240);
	f[0].closed_middleware = once(1);
	f[0].ended = once(240);
	v = judge(f, 2);
	assert_non_null(strstr(v.shows,
		". The 240 sockets in TIME_WAIT towards the server tell only that the "
		"middleware closed first, 100% of the 240 connections that ended."));
	lab_verdict_fini(&v);
}

/* Cut between characters, on one line. */
static void test_long_words(void **state)
{
	struct lab_figures f[] = { fault() };
	char words[400];
	(void)state;
	words[0] = '\n';
	for (size_t i = 1; i + 2 < sizeof(words); i += 2)
		memcpy(&words[i], "é", 3);
	words[sizeof(words) - 1] = '\0';
	f[0].words = words;
	struct lab_verdict v = judge(f, 1);
	assert_null(strchr(v.shows, '\n'));
	assert_non_null(strstr(v.shows, "é…”"));
	assert_true(strlen(v.shows) < 450);
	lab_verdict_fini(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_full_server),
		TEST(test_what_cures_wholly_and_costs_nothing),
		TEST(test_a_pool_too_small),
		TEST(test_what_is_not_known_is_not_told),
		TEST(test_invalid_runs_come_first_and_are_left_out),
		TEST(test_words_are_of_all_runs),
		TEST(test_spreads_that_overlap),
		TEST(test_sooner_helps_and_groups_are_kept_apart),
		TEST(test_nothing_wrong),
		TEST(test_long_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

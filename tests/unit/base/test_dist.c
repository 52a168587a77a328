#include "unit.h"

#include "base/dist.h"

#include <math.h>

static struct dist *parse(const char *text)
{
	struct problem p = { "" };
	struct dist *d = dist_parse(slice_of(text), &p);
	assert_string_equal(p.text, "");
	assert_non_null(d);
	return d;
}

enum { DRAWS = 100000 };

/* Of all draws, within 1.5 %. */
static void check_mean(const char *text, double mean_ms)
{
	struct dist *d = parse(text);
	struct rng r;
	double sum = 0;

	rng_init(&r, 1);
	for (uint64_t i = 0; i < DRAWS; i++)
		sum += (double)dist_sample(d, &r, i);
	assert_true(fabs(sum / DRAWS / NS_MS - mean_ms) <= 0.015 * mean_ms + 1e-6);
	dist_free(&d);
	assert_null(d);
	dist_free(&d);
}

static void test_means(void **state)
{
	(void)state;
	check_mean("50ms", 50);
	check_mean(" 50ms ", 50);
	check_mean("0", 0);
	check_mean("fixed(50ms)", 50);
	check_mean("fixed ( 50ms )", 50);
	check_mean("uniform(3s, 5s)", 4000);
	check_mean("uniform(3s,3s)", 3000);
	check_mean("exponential(50ms)", 50);
	check_mean("normal(50ms, 10ms)", 50);
	check_mean("normal(50ms, 0)", 50);
	check_mean("normal(0, 10ms)", 3.989); /* half of it is cut at 0 */
	check_mean("lognormal(50ms, 50ms)", 50);
	check_mean("lognormal(50ms, 200ms)", 59.713);
	check_mean("mix(80%: 50ms, 20%: uniform(3s, 5s))", 840);
	check_mean("mix(100%: 7ms)", 7);
	check_mean("mix(50%: mix(50%: 10ms, 50%: 20ms), 50%: mix(100%: 40ms))", 27.5);
	check_mean("mix(0%: 1h, 33.4%: 3ms, 66.6%: 3ms)", 3);
	check_mean("mix(10%:1ms,20%:2ms,30%:3ms,40%:4ms)", 3);
}

static void test_text(void **state)
{
	(void)state;
	struct dist *d = parse("  mix(80%: 50ms, 20%: uniform(3s, 5s)) ");
	struct text t;
	text_init(&t);
	text_add_dist(&t, d);
	struct dist *again = parse(t.ptr);
	assert_text(&t, "mix(80%: 50ms, 20%: uniform(3s, 5s))");
	text_add_dist(&t, again);
	assert_text(&t, "mix(80%: 50ms, 20%: uniform(3s, 5s))");
	text_fini(&t);
	dist_free(&d);
	dist_free(&again);
}

static void check_problem(const char *text, const char *problem)
{
	struct problem p = { "" };
	struct dist *d = dist_parse(slice_of(text), &p);
	assert_null(d);
	assert_string_equal(p.text, problem);
}

static void test_problems(void **state)
{
	(void)state;
	check_problem("", "column 1: a duration is missing: write one such as 50ms");
	check_problem("50", "column 1: '50' has no unit: write 50ms or 50s");
	check_problem("none",
		"column 1: unknown distribution 'none': write a duration, fixed, "
		"uniform, exponential, normal, lognormal, mix or turns");
	check_problem("unifrom(3s, 5s)",
		"column 1: unknown distribution 'unifrom': did you mean uniform?");
	check_problem("pareto(3s)", "column 1: unknown distribution 'pareto': write a "
				    "duration, fixed, uniform, exponential, normal, "
				    "lognormal, mix or turns");
	check_problem("uniform", "column 1: write uniform(3s, 5s)");
	check_problem(
		"uniform(3s)", "column 11: uniform takes 2 durations: uniform(3s, 5s)");
	check_problem("uniform(3s, 5s, 7s)",
		"column 15: uniform takes 2 durations: uniform(3s, 5s)");
	check_problem("exponential(1s, 2s)",
		"column 15: exponential takes 1 duration: exponential(50ms)");
	check_problem("uniform(3s, 5)", "column 13: '5' has no unit: write 5ms or 5s");
	check_problem("uniform(, 5s)",
		"column 9: a duration is missing: write one such as 50ms");
	check_problem("uniform(3s, none)", "column 13: 'none' is too long");
	check_problem("uniform(5s, 3s)",
		"column 1: uniform goes from the shorter to the longer");
	check_problem("lognormal(0, 3s)",
		"column 1: lognormal takes its median, above 0, "
		"and its p99, not below the median");
	check_problem(
		"uniform(3s, 5s", "column 15: ')' is missing after the last duration");
	check_problem("uniform(3s, 5s:",
		"column 15: ':' after the last duration, where ')' "
		"should be");
	check_problem("50ms 60ms",
		"column 1: '50ms 60ms': unknown unit 'ms 60ms': write ns, "
		"us, ms, s, m, h or d");
	check_problem("50ms)", "column 5: ')' is too much");
	check_problem("fixed(50ms) x", "column 13: 'x' is too much");
	check_problem("50ms, 60ms", "column 5: ', 60ms' is too much");
}

static void test_turns(void **state)
{
	(void)state;
	static const ns_t expected[] = { 1, 20, 3, 1, 30, 3, 1, 20, 3 };
	struct dist *d = parse("turns(1ms, turns(20ms, 30ms), mix(100%: 3ms))");
	struct rng r;
	rng_init(&r, 1);
	for (uint64_t n = 0; n < ARRAY_LEN(expected); n++)
		assert_int_equal(dist_sample(d, &r, n), expected[n] * NS_MS);
	dist_free(&d);
	check_mean("turns(50ms, 50ms, 50ms, 50ms, 4s)", 840);
	check_mean("turns(7ms)", 7);
	check_mean("mix(50%: turns(1ms, 3ms), 50%: 4ms)", 3);
	check_problem("turns", "column 1: write turns(50ms, 50ms, 3s)");
	check_problem(
		"turns()", "column 7: a duration is missing: write one such as 50ms");
	check_problem("turns(1ms,)",
		"column 11: a duration is missing: write one such as 50ms");
}

static void test_mix_problems(void **state)
{
	(void)state;
	check_problem(
		"mix()", "column 5: a share is missing: write mix(80%: 50ms, 20%: 3s)");
	check_problem("mix", "column 1: write mix(80%: 50ms, 20%: 3s)");
	check_problem("mix(80%: 50ms)",
		"column 1: the shares of this mix add up to 80%, not 100%");
	check_problem("mix(80%: 50ms, 30%: 3s)",
		"column 1: the shares of this mix add up to 110%, not 100%");
	check_problem("mix(50%: 1s, 50%: mix(10%: 1s, 80%: 2s))",
		"column 19: the shares of this mix add up to 90%, not 100%");
	check_problem("mix(80: 50ms, 20%: 3s)",
		"column 5: '80' has no unit: write a share as percent, such as 20%");
	check_problem(
		"mix(50ms, 20%: 3s)", "column 5: '50ms': unknown unit 'ms': write 50%");
	check_problem(
		"mix(80%, 20%)", "column 8: ',' after the share, where ':' should be");
	check_problem("mix(80%: 50ms, 20%: 3s",
		"column 23: ')' is missing after a part of the mix");
	check_problem("mix(80%: 50ms 20%: 3s)",
		"column 10: '50ms 20%': unknown unit 'ms 20%': write ns, us, ms, s, m, h or d");
	check_problem("mix(80%: , 20%: 3s)",
		"column 10: a duration is missing: write one such as 50ms");
	check_problem(
		"mix(100%: mix(100%: mix(100%: mix(100%: mix(100%: mix(100%: mix(100%: "
		"mix(100%: mix(100%: 1s)))))))))",
		"column 81: mixes more than 8 deep");
}

static void test_too_many_parts(void **state)
{
	(void)state;
	struct text t;
	text_init(&t);
	text_add(&t, "mix(0%: 1s");
	for (int i = 0; i < 70; i++)
		text_add(&t, ", 0%: 1s");
	text_add(&t, ")");
	struct problem p = { "" };
	struct dist *d = dist_parse(text_slice(&t), &p);
	assert_null(d);
	assert_string_equal(p.text, "column 513: more than 64 parts");
	text_fini(&t);
}

/* Any bytes: a distribution or a problem, never both, never a crash. */
static void test_any_input(void **state)
{
	(void)state;
	static const char *const words[] = { "mix(", "uniform(", "normal(", "lognormal(",
		"fixed", "(", ")", ",", ":", "50%", "100%: ", "3s", "5ms", " ", "x",
		"\xff", "0", "none", "-", "1e9s" };
	struct rng r;
	rng_init(&r, test_seed(1));
	for (int i = 0; i < 20000; i++) {
		struct text t;
		struct problem p = { "" };
		text_init(&t);
		for (uint64_t n = rng_below(&r, 12); n-- > 0;)
			text_add(&t, words[rng_below(&r, ARRAY_LEN(words))]);
		if (rng_below(&r, 8) == 0)
			text_add_char(&t, '\0');
		struct dist *d = dist_parse(text_slice(&t), &p);
		assert_int_equal(d != NULL, p.text[0] == '\0');
		if (d)
			assert_true(dist_sample(d, &r, 0) >= 0);
		dist_free(&d);
		text_fini(&t);
	}
}

static int by_value(const void *a, const void *b)
{
	ns_t x = *(const ns_t *)a, y = *(const ns_t *)b;
	return x < y ? -1 : x > y;
}

/* Sorted. */
static ns_t *draw(const char *text)
{
	struct dist *d = parse(text);
	ns_t *draws = mem_alloc(DRAWS * sizeof(*draws));
	struct rng r;

	rng_init(&r, 1);
	for (size_t i = 0; i < DRAWS; i++) {
		draws[i] = dist_sample(d, &r, 0);
		assert_true(draws[i] >= 0);
	}
	qsort(draws, DRAWS, sizeof(*draws), by_value);
	dist_free(&d);
	return draws;
}

/* Quantile q of the draws is near `ms`. */
static void near(const ns_t *draws, double q, double ms)
{
	double got = (double)draws[(size_t)(q * (DRAWS - 1))] / NS_MS;
	assert_true(fabs(got - ms) <= 0.03 * ms);
}

static void test_samples(void **state)
{
	(void)state;
	ns_t *draws = draw("50ms");
	assert_int_equal(draws[0], 50 * NS_MS);
	assert_int_equal(draws[DRAWS - 1], 50 * NS_MS);
	mem_free(draws);

	draws = draw("uniform(3s, 5s)");
	assert_true(draws[0] >= 3 * NS_S && draws[DRAWS - 1] <= 5 * NS_S);
	near(draws, 0.25, 3500);
	near(draws, 0.75, 4500);
	mem_free(draws);

	draws = draw("exponential(50ms)");
	near(draws, 0.5, 50 * log(2));
	near(draws, 0.99, 50 * log(100));
	mem_free(draws);

	draws = draw("normal(50ms, 10ms)");
	near(draws, 0.1587, 40);
	near(draws, 0.8413, 60);
	mem_free(draws);

	draws = draw("normal(0, 10ms)");
	assert_int_equal(draws[DRAWS / 3], 0);
	near(draws, 0.8413, 10);
	mem_free(draws);

	draws = draw("lognormal(50ms, 200ms)");
	near(draws, 0.5, 50);
	near(draws, 0.99, 200);
	mem_free(draws);

	draws = draw("mix(80%: 50ms, 20%: uniform(3s, 5s))");
	near(draws, 0.79, 50);
	near(draws, 0.9, 4000);
	mem_free(draws);

	draws = draw("mix(10%: 1ms, 20%: 2ms, 30%: 3ms, 40%: 4ms)");
	near(draws, 0.09, 1);
	near(draws, 0.11, 2);
	near(draws, 0.29, 2);
	near(draws, 0.31, 3);
	near(draws, 0.59, 3);
	near(draws, 0.61, 4);
	mem_free(draws);
}

/* Rule 1. */
static void test_pure(void **state)
{
	(void)state;
	struct dist *d = parse("mix(50%: normal(1s, 300ms), 50%: lognormal(5ms, 80ms))");
	struct rng a, b;
	rng_init(&a, 9);
	rng_init(&b, 9);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(dist_sample(d, &a, 0), dist_sample(d, &b, 0));
	dist_free(&d);
}

static void test_far_tails(void **state)
{
	(void)state;
	struct dist *d = parse("lognormal(1ns, 8760h)");
	struct rng r;
	rng_init(&r, 1);
	for (int i = 0; i < 10000; i++)
		assert_true(dist_sample(d, &r, 0) >= 0);
	dist_free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_means),
		TEST(test_text),
		TEST(test_problems),
		TEST(test_turns),
		TEST(test_mix_problems),
		TEST(test_too_many_parts),
		TEST(test_any_input),
		TEST(test_samples),
		TEST(test_pure),
		TEST(test_far_tails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

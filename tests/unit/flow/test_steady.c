/* When a knee is tried, a rule at a time; what it gains and misses is in tests/sim/test_limit.c. */
#include "flow/steady.h"
#include "tests/unit/base/unit.h"

/* Of 256 calls that waited together. */
static struct gain_fact fact(double ms)
{
	double time = ms / 1000;
	return (struct gain_fact){
		.level = 16, .time = time, .spread = time, .error = time / 16
	};
}

static const double noise[] = { 0.02, -0.05, 0.06, -0.03, 0.05, -0.06, -0.02, 0.03 };

/* Facts about so many ms, off by up to `share` of 6 %; true: one of them was news. */
static bool note(struct steady *s, double ms, double share, int n)
{
	bool news = false;
	for (int i = 0; i < n; i++) {
		struct gain_fact f = fact(ms * (1 + share * noise[i % ARRAY_LEN(noise)]));
		news |= steady_note(s, &f);
	}
	return news;
}

static struct steady standing(double ms, double share)
{
	struct steady s = { 0 };
	steady_moved(&s);
	for (int i = 0; i < STEADY_SAME; i++)
		steady_stepped(&s, 16.6, 16.7);
	assert_false(note(&s, ms, share, 16));
	return s;
}

static void test_it_stands_after_some_steps(void **state)
{
	(void)state;
	const struct gain_fact clear = fact(48);
	struct steady s = { 0 };
	steady_moved(&s);
	assert_false(note(&s, 64, 0.1, 16));
	for (int i = 0; i < STEADY_SAME; i++) {
		assert_false(steady_stands(&s, &clear));
		steady_stepped(&s, 16.6, 16.8);
	}
	assert_true(steady_stands(&s, &clear));
	steady_stepped(&s, 16.8, 14); /* too many were let in */
	assert_false(steady_stands(&s, &clear));
	assert_false(note(&s, 60, 0.1, STEADY_FACTS));
	assert_false(steady_stands(&s, &clear));
	steady_stepped(&s, 14, 14.5);
	assert_true(steady_stands(&s, &clear));
	steady_stepped(&s, 14.5, 18); /* it can do more */
	assert_int_equal(s.same, 0);
}

/* One call more at the server is one more that waits. */
static void test_another_level_has_another_time(void **state)
{
	(void)state;
	const struct gain_fact clear = fact(48);
	struct steady s = standing(64, 0.1);
	steady_stepped(&s, 16.8, 17.1);
	assert_false(steady_stands(&s, &clear));
	assert_false(note(&s, 68, 0.1, STEADY_FACTS));
	assert_true(steady_stands(&s, &clear));
}

static void test_steps_are_rare_while_it_stands(void **state)
{
	(void)state;
	const struct gain_fact clear = fact(48);
	struct steady s = standing(64, 0.1);
	steady_step(&s);
	for (int i = 0; i < 8 * STEADY_CALLS; i++) {
		assert_false(steady_may_step(&s, &clear, 8));
		steady_sent(&s);
	}
	assert_true(steady_may_step(&s, &clear, 8));
	assert_false(steady_may_step(&s, &clear, 9));
	steady_step(&s);
	assert_false(steady_may_step(&s, &clear, 8));
	steady_moved(&s);
	assert_true(steady_may_step(&s, &clear, 8));
}

/* Where nothing waits, or noise is as large as what waits, time would show nothing. */
static void test_it_must_be_to_be_seen(void **state)
{
	(void)state;
	struct gain_fact clear = fact(48);
	struct steady quiet = standing(49, 0.1), noisy = standing(56, 1);
	assert_false(steady_stands(&quiet, &clear));
	assert_false(steady_stands(&noisy, &clear));
	struct steady s = standing(64, 0.1);
	assert_true(steady_stands(&s, &clear));
	clear.spread = 3 * clear.time; /* of 32 calls that differ much */
	clear.error = clear.spread / 5.6;
	assert_false(steady_stands(&s, &clear));
}

static void test_time_that_changes_is_news(void **state)
{
	(void)state;
	static const struct {
		double ms, share;
		int facts;
	} rows[] = { { 48, 0.1, 1 }, { 90, 0.1, 1 }, { 55, 1, 3 }, { 73, 1, 3 } };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct steady s = standing(64, rows[i].share);
		assert_true(note(&s, rows[i].ms, 0, rows[i].facts));
		assert_int_equal(s.same, STEADY_SAME - 1);
		assert_true(s.facts < STEADY_FACTS); /* anew */
	}
}

static void test_noise_is_no_news(void **state)
{
	(void)state;
	struct steady s = standing(64, 1);
	assert_false(note(&s, 64, 1, 2000));
	s = standing(64, 0);
	assert_false(note(&s, 64 * 1.01, 0, 2000));
}

/* Before some facts are there nothing is usual. */
static void test_first_facts_are_no_news(void **state)
{
	(void)state;
	struct steady s = { 0 };
	steady_moved(&s);
	for (int i = 0; i < STEADY_FACTS; i++)
		assert_false(note(&s, i % 2 ? 20 : 90, 0, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_it_stands_after_some_steps),
		TEST(test_another_level_has_another_time),
		TEST(test_steps_are_rare_while_it_stands),
		TEST(test_it_must_be_to_be_seen),
		TEST(test_time_that_changes_is_news),
		TEST(test_noise_is_no_news),
		TEST(test_first_facts_are_no_news),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

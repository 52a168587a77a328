#include "tests/unit/base/unit.h"
#include "flow/surge.h"

/* `n` a second for so many seconds; how many surges began. */
static int run(struct surge *s, ns_t *now, uint64_t n, int seconds)
{
	int began = 0;
	for (int i = 0; i < seconds; i++) {
		*now += NS_S;
		began += surge_add(s, n, *now);
	}
	return began;
}

static void test_a_steady_rate_is_none(void **state)
{
	struct surge s;
	ns_t now = 5 * NS_S;
	(void)state;
	surge_init(&s, now);
	assert_int_equal(run(&s, &now, 100, 1000), 0);
	assert_true(surge_fast(&s) > 99 && surge_fast(&s) < 112);
	assert_true(surge_slow(&s) > 99 && surge_slow(&s) < 105);
}

static void test_a_step_is_told_once(void **state)
{
	struct surge s;
	ns_t now = NS_S;
	(void)state;
	surge_init(&s, now);
	assert_int_equal(run(&s, &now, 2, 300), 0);
	assert_int_equal(run(&s, &now, 100, 5), 1);
	assert_true(s.on);
	assert_int_equal(run(&s, &now, 100, 2000), 0);
	assert_false(s.on);
}

static void test_it_may_come_again(void **state)
{
	struct surge s;
	ns_t now = NS_S;
	(void)state;
	surge_init(&s, now);
	assert_int_equal(run(&s, &now, 0, 100), 0);
	assert_int_equal(run(&s, &now, 50, 20), 1);
	assert_int_equal(run(&s, &now, 0, 1200), 0);
	assert_false(s.on);
	assert_int_equal(run(&s, &now, 50, 20), 1);
}

static void test_a_wavering_rate_is_told_once(void **state)
{
	struct surge s;
	ns_t now = NS_S;
	int began = 0;
	(void)state;
	surge_init(&s, now);
	run(&s, &now, 2, 300);
	for (int i = 0; i < 5; i++) {
		began += run(&s, &now, 60, 4);
		began += run(&s, &now, 30, 4);
	}
	assert_int_equal(began, 1);
}

static void test_few_are_none(void **state)
{
	struct surge s;
	ns_t now = NS_S;
	(void)state;
	surge_init(&s, now);
	run(&s, &now, 0, 1000);
	assert_int_equal(run(&s, &now, 1, 3), 0);
}

static void test_without_a_past_there_is_none(void **state)
{
	struct surge s;
	ns_t now = NS_S;
	(void)state;
	surge_init(&s, now);
	run(&s, &now, 0, 20);
	assert_int_equal(run(&s, &now, 1000, 30), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_steady_rate_is_none),
		TEST(test_a_step_is_told_once),
		TEST(test_it_may_come_again),
		TEST(test_a_wavering_rate_is_told_once),
		TEST(test_few_are_none),
		TEST(test_without_a_past_there_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

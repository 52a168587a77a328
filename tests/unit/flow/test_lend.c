/* What may be lent of the slots that are kept: by what is known of how long they are held. */
#include "flow/lend.h"
#include "tests/unit/base/unit.h"

#define LIMIT 50
#define KEPT 20
#define NOW (100 * NS_S)

static struct chance slots;

static int setup(void **state)
{
	(void)state;
	chance_init(&slots, 5 * NS_S);
	return 0;
}

/* Every fifth call takes 4 s, the others 50 ms. */
static void learn(void)
{
	for (int i = 0; i < 100; i++)
		chance_done(&slots, i % 5 ? 50 * NS_MS : 4 * NS_S, NOW);
}

static uint32_t lent(uint32_t running, ns_t age, double per_s, uint32_t elsewhere)
{
	const struct lend l = {
		.limit = LIMIT,
		.kept = KEPT,
		.elsewhere = elsewhere,
		.rate = per_s / (double)NS_S,
	};
	chance_running_begin(&slots);
	for (uint32_t i = 0; i < running; i++)
		chance_running(&slots, age);
	chance_refresh(&slots, NOW);
	return lend_slots(&slots, &l);
}

static void test_nothing_known_nothing_lent(void **state)
{
	(void)state;
	assert_int_equal(lent(0, 0, 10, 0), 0);
	assert_int_equal(lent(30, 20 * NS_MS, 10, 0), 0);
	assert_int_equal(lent(30, 10 * NS_S, 10, 0), 0); /* none has ended */
}

static void test_what_comes_back_at_once_is_lent(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		chance_done(&slots, 50 * NS_MS, NOW);
	assert_true(lent(30, 20 * NS_MS, 10, 0) > KEPT / 2);
	assert_true(lent(30, 20 * NS_MS, 10, 0) <= KEPT);
	assert_int_equal(lent(30, 20 * NS_MS, 1000, 0), 0); /* they need 50 of them */
}

/* Slots that are held for four more seconds are none to lend from; those that are back in a moment
 * are. */
static void test_it_goes_by_the_ages_of_calls(void **state)
{
	(void)state;
	learn();
	uint32_t young = lent(40, 500 * NS_MS, 15, 0),
		 old = lent(40, 3800 * NS_MS, 15, 0);
	assert_int_equal(young, 0);
	assert_true(old > KEPT / 2);
}

static void test_who_asks_for_more_has_less_lent(void **state)
{
	(void)state;
	learn();
	uint32_t few = lent(30, 3800 * NS_MS, 6, 0), many = lent(30, 3800 * NS_MS, 40, 0);
	assert_true(many < few);
}

/* Held by other threads: taken to be alike, and lent by them. */
static void test_elsewhere(void **state)
{
	(void)state;
	learn();
	uint32_t all = lent(30, 3800 * NS_MS, 6, 0);
	uint32_t half = lent(15, 3800 * NS_MS, 6, 15);
	assert_true(half >= all / 2 - 1 && half <= all / 2 + 1);
	assert_int_equal(lent(0, 0, 6, 30), 0); /* who holds nothing knows nothing */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_SETUP(test_nothing_known_nothing_lent),
		TEST_SETUP(test_what_comes_back_at_once_is_lent),
		TEST_SETUP(test_it_goes_by_the_ages_of_calls),
		TEST_SETUP(test_who_asks_for_more_has_less_lent),
		TEST_SETUP(test_elsewhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

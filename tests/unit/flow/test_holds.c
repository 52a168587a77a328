/* Slots that calls hold: what all of them say of what comes free. */
#include "flow/holds.h"
#include "tests/unit/base/unit.h"

#define NOW (100 * NS_S)
#define QUICK (50 * NS_MS)
#define SLOW (4 * NS_S)
#define SLOTS 10

static struct holds holds;
static struct slot slots[SLOTS];

static int setup(void **state)
{
	(void)state;
	memset(slots, 0, sizeof(slots));
	holds_init(&holds, 5 * NS_S);
	return 0;
}

static void take(uint32_t n, ns_t at)
{
	for (uint32_t i = 0; i < n; i++)
		holds_take(&holds, &slots[i], at);
}

static void give(uint32_t n, ns_t at)
{
	for (uint32_t i = 0; i < n; i++)
		holds_give(&holds, &slots[i], at);
}

static void test_those_held_are_seen(void **state)
{
	(void)state;
	take(SLOTS, NOW);
	assert_int_equal(holds.seen, 0); /* not looked yet */
	holds_look(&holds, NOW);
	assert_int_equal(holds.seen, SLOTS);
	give(3, NOW + QUICK);
	holds_look(&holds, NOW + QUICK);
	assert_int_equal(holds.seen, SLOTS - 3);
	assert_true(chance_knows_ends(&holds.chance));
}

/* What comes free within half a second, of ten slots. */
static double frees(ns_t age)
{
	for (int i = 0; i < 20; i++) {
		take(SLOTS, NOW - QUICK);
		give(SLOTS, NOW);
	}
	take(SLOTS, NOW - SLOW);
	give(SLOTS, NOW);
	take(SLOTS, NOW - age);
	holds_look(&holds, NOW);
	double mean = chance_frees(&holds.chance, 500 * NS_MS).mean;
	give(SLOTS, NOW);
	return mean;
}

static void test_what_has_lasted_long_comes_free_late(void **state)
{
	(void)state;
	assert_true(frees(QUICK / 2) > 50);
	setup(NULL);
	assert_true(frees(NS_S) < 5);
}

/* Another thread's clock is ahead by a turn. */
static void test_one_taken_a_moment_ahead(void **state)
{
	(void)state;
	take(1, NOW + NS_MS);
	holds_look(&holds, NOW);
	assert_int_equal(holds.seen, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_SETUP(test_those_held_are_seen),
		TEST_SETUP(test_what_has_lasted_long_comes_free_late),
		TEST_SETUP(test_one_taken_a_moment_ahead),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

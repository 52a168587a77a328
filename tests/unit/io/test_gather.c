/* When a thread lets events gather, and when it stops. */
#include "io/gather.h"

#include "tests/unit/base/unit.h"

/* Turns of so many events each for so long; whether it gathers after the last. */
static bool run(
	struct gather *g, ns_t *now, uint32_t turns_a_second, uint32_t events, ns_t span)
{
	ns_t step = NS_S / turns_a_second;
	bool on = g->on;
	for (ns_t end = *now + span; *now < end;) {
		*now += step;
		on = gather_turn(g, events, *now);
	}
	return on;
}

static void test_begins(void **state)
{
	struct gather g;
	ns_t now = NS_S;
	(void)state;
	gather_init(&g, now);
	assert_false(run(&g, &now, 2 * GATHER_TURNS, 3, GATHER_WINDOW / 2));
	assert_true(run(&g, &now, 2 * GATHER_TURNS, 3, GATHER_WINDOW));
}

/* Seldom; one by one, however often; many at once. */
static void test_is_not_for_all(void **state)
{
	static const struct {
		uint32_t turns, events;
	} calm[] = { { GATHER_TURNS / 2, GATHER_FEW }, { 10 * GATHER_TURNS, 1 },
		{ 2 * GATHER_TURNS, GATHER_MANY } };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(calm); i++) {
		struct gather g;
		ns_t now = NS_S;
		gather_init(&g, now);
		assert_false(run(&g, &now, calm[i].turns, calm[i].events, 5 * NS_S));
	}
}

/* Fewer turns are what it is for; fewer events end it. */
static void test_ends_with_the_load(void **state)
{
	struct gather g;
	ns_t now = NS_S;
	(void)state;
	gather_init(&g, now);
	assert_true(run(&g, &now, 2 * GATHER_TURNS, 3, 2 * GATHER_WINDOW));
	assert_true(run(&g, &now, GATHER_TURNS / 8, 30, 10 * GATHER_WINDOW));
	assert_false(run(&g, &now, GATHER_TURNS / 8, 3, 2 * GATHER_WINDOW));
}

/* Load that would no longer make it begin does not keep it. */
static void test_looks_again(void **state)
{
	struct gather g;
	ns_t now = NS_S;
	(void)state;
	gather_init(&g, now);
	assert_true(run(&g, &now, 2 * GATHER_TURNS, 3, 2 * GATHER_WINDOW));
	assert_true(run(&g, &now, 4 * GATHER_TURNS, 1, GATHER_FOR / 2));
	assert_false(run(&g, &now, 4 * GATHER_TURNS, 1, GATHER_FOR));
}

/* One turn after a long sleep is a window by itself. */
static void test_sleeps(void **state)
{
	struct gather g;
	ns_t now = NS_S;
	(void)state;
	gather_init(&g, now);
	assert_true(run(&g, &now, 2 * GATHER_TURNS, 3, 2 * GATHER_WINDOW));
	now += 3600 * NS_S;
	assert_false(gather_turn(&g, 5, now));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_begins),
		TEST(test_is_not_for_all),
		TEST(test_ends_with_the_load),
		TEST(test_looks_again),
		TEST(test_sleeps),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

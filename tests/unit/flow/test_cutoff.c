/* A server that ends new connections without a word: when that is a refusal. */
#include "flow/cutoff.h"
#include "tests/unit/base/unit.h"

static void answered(struct cutoff *c, ns_t now, uint32_t level, bool is_new)
{
	const struct cutoff_call call = { now - 50 * NS_MS, level };
	cutoff_note_answer(c, now, &call, is_new);
}

static bool ended(struct cutoff *c, ns_t now, ns_t took, uint32_t level)
{
	const struct cutoff_call call = { now - took, level };
	cutoff_note_opened(c, &call);
	cutoff_note_ended(c, &call);
	return cutoff_is_refusal(c, now, &call);
}

static void test_a_row_of_them_is_a_wall(void **state)
{
	(void)state;
	struct cutoff c = { 0 };
	ns_t now = 10 * NS_S;
	answered(&c, now, 50, true);
	for (int i = 1; i < CUTOFF_SURE; i++)
		assert_false(ended(&c, now, NS_MS, 51));
	/* what is answered below it, or on a connection that was there, says nothing */
	answered(&c, now, 50, true);
	answered(&c, now, 51, false);
	assert_true(ended(&c, now, NS_MS, 51));
	/* and from now on each is one */
	answered(&c, now + NS_S, 50, true);
	assert_true(ended(&c, now + NS_S, NS_MS, 60));
	answered(&c, now + NS_S, 51, true);
	assert_false(ended(&c, now + NS_S, NS_MS, 60));
}

/* Calls that the server cannot bear end at once, long before others are answered. */
static void test_others_are_at_work(void **state)
{
	(void)state;
	struct cutoff c = { 0 };
	ns_t now = 10 * NS_S;
	const struct cutoff_call below = { now - NS_S, 8 }, high = { now - NS_MS, 20 };
	answered(&c, now, 1, true);
	cutoff_note_opened(&c, &below);
	cutoff_note_opened(&c, &high);
	for (int i = 1; i < CUTOFF_SURE; i++)
		assert_false(ended(&c, now, NS_MS, 9));
	/* the one below them says nothing, the other one may yet end */
	assert_true(ended(&c, now, NS_MS, 9));
	assert_false(ended(&c, now + 50 * NS_MS, NS_MS, 9));
	cutoff_note_ended(&c, &high);
	for (int i = 1; i < CUTOFF_SURE; i++)
		assert_false(ended(&c, now + 50 * NS_MS, NS_MS, 9));
	assert_true(ended(&c, now + 50 * NS_MS, NS_MS, 9));
}

static void test_at_any_level_it_is_no_wall(void **state)
{
	(void)state;
	struct cutoff c = { 0 };
	for (uint32_t i = 0; i < 1000; i++) {
		ns_t now = NS_S + (ns_t)i * NS_MS;
		if (i % 3 == 0)
			answered(&c, now, 20, true);
		else
			assert_false(ended(&c, now, NS_MS, 1 + i * 7 % 20));
	}
}

static void test_a_server_that_is_down_refuses_nothing(void **state)
{
	(void)state;
	struct cutoff c = { 0 };
	ns_t now = 10 * NS_S;
	for (int i = 0; i < 3 * CUTOFF_SURE; i++)
		assert_false(ended(&c, now, NS_MS, 1));
	answered(&c, now, 1, false);
	assert_true(ended(&c, now + NS_S, NS_MS, 2));
	assert_false(ended(&c, now + 3 * NS_S, NS_MS, 2));
	/* one whose answers take long is not down between them */
	const struct cutoff_call slow = { now, 1 };
	cutoff_note_answer(&c, now + 4 * NS_S, &slow, false);
	assert_true(ended(&c, now + 11 * NS_S, NS_MS, 2));
}

static void test_what_takes_long_is_none(void **state)
{
	(void)state;
	struct cutoff c = { 0 };
	answered(&c, NS_S, 1, true);
	for (int i = 0; i < 3 * CUTOFF_SURE; i++)
		assert_false(ended(&c, 2 * NS_S, CUTOFF_SOON + NS_MS, 9));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_row_of_them_is_a_wall),
		TEST(test_others_are_at_work),
		TEST(test_at_any_level_it_is_no_wall),
		TEST(test_a_server_that_is_down_refuses_nothing),
		TEST(test_what_takes_long_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

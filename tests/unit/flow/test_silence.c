/* When answers are owed; what the limit makes of it is shown in tests/sim/test_limit.c. */
#include "flow/silence.h"
#include "tests/unit/base/unit.h"

/* One at a time. */
static void learn(struct silence *s, uint32_t answers, ns_t took)
{
	for (uint32_t i = 0; i < answers; i++) {
		silence_sent(s, NS_S);
		silence_ended(s);
		silence_answered(s, took);
	}
}

static void send(struct silence *s, ns_t now, uint32_t calls)
{
	for (uint32_t i = 0; i < calls; i++)
		silence_sent(s, now);
}

static void test_nothing_is_owed_at_first(void **state)
{
	(void)state;
	struct silence s;
	silence_init(&s);
	learn(&s, SILENCE_KNOWN - 1, 50 * NS_MS);
	send(&s, NS_S, 10);
	assert_true(silence_owed(&s, 70 * NS_S) == 0);
	assert_int_equal(silence_lasts(&s, 3 * NS_S), 2 * NS_S);
}

/* Ten calls of 50 ms in step, and then ten answers each 50 ms. */
static void test_owed(void **state)
{
	(void)state;
	struct silence s;
	silence_init(&s);
	learn(&s, SILENCE_KNOWN, 50 * NS_MS);
	assert_true(silence_owed(&s, 9 * NS_S) == 0);
	send(&s, 10 * NS_S, 10);
	assert_true(silence_owed(&s, 10 * NS_S + 99 * NS_MS) == 0);
	assert_float_equal(silence_owed(&s, 10 * NS_S + 100 * NS_MS), 20, 0.1);
	send(&s, 10 * NS_S + 100 * NS_MS, 10); /* the first one counts */
	assert_float_equal(silence_owed(&s, 10 * NS_S + 100 * NS_MS), 40, 0.1);
}

static void test_what_is_heard_ends_it(void **state)
{
	(void)state;
	struct silence s;
	silence_init(&s);
	learn(&s, SILENCE_KNOWN, 50 * NS_MS);
	send(&s, 10 * NS_S, 10);
	silence_broken(&s);
	assert_true(silence_owed(&s, 11 * NS_S) == 0);
	silence_sent(&s, 11 * NS_S);
	assert_int_equal(silence_lasts(&s, 12 * NS_S), NS_S);
	silence_ended(&s);
	silence_answered(&s, NS_S);
	assert_int_equal(silence_lasts(&s, 12 * NS_S), 0);
}

/* Callers who left are owed nothing, however long ago. */
static void test_an_idle_server_owes_nothing(void **state)
{
	(void)state;
	struct silence s;
	silence_init(&s);
	learn(&s, SILENCE_KNOWN, 50 * NS_MS);
	silence_sent(&s, 10 * NS_S);
	silence_ended(&s);
	assert_true(silence_owed(&s, 20 * NS_S) == 0);
	silence_sent(&s, 20 * NS_S);
	assert_int_equal(silence_lasts(&s, 21 * NS_S), NS_S);
}

/* A stop of 10 s with 40 calls at work: a few hundred answers later it is forgotten. */
static void test_a_stop_is_forgotten(void **state)
{
	(void)state;
	struct silence s;
	silence_init(&s);
	learn(&s, 1000, 50 * NS_MS);
	learn(&s, 40, 10 * NS_S);
	assert_true(silence_usual(&s) < 200 * NS_MS);
	learn(&s, 400, 50 * NS_MS);
	send(&s, 10 * NS_S, 10);
	assert_true(silence_owed(&s, 10 * NS_S + 200 * NS_MS) > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_is_owed_at_first),
		TEST(test_owed),
		TEST(test_what_is_heard_ends_it),
		TEST(test_an_idle_server_owes_nothing),
		TEST(test_a_stop_is_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

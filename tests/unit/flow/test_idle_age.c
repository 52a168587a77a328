/* At which age a server closes idle connections: learned from its closes, noise and all. */
#include "flow/idle_age.h"
#include "tests/unit/base/unit.h"

#define T (5 * NS_S)

static struct idle_age a;
static ns_t now;

static int setup(void **state)
{
	(void)state;
	a = (struct idle_age){ .moment = { 0 } };
	now = 1000 * NS_S;
	return 0;
}

static void closed(ns_t age)
{
	now += 10 * NS_S;
	idle_age_note_closed(&a, age, now);
}

static ns_t bound(void)
{
	now += NS_S;
	return idle_age_bound(&a, now);
}

static void test_three_moments_that_agree(void **state)
{
	(void)state;
	assert_true(bound() == NS_NEVER);
	closed(T);
	closed(T + 30 * NS_MS);
	assert_true(bound() == NS_NEVER);
	closed(T - 10 * NS_MS);
	assert_true(bound() == (T - 10 * NS_MS) * 9 / 10);
	assert_true(idle_age_learned(&a) == T - 10 * NS_MS);
	/* a long one: a second is enough */
	assert_true(idle_age_before(75 * NS_S) == 74 * NS_S);
}

/* All connections that a burst left behind, closed together, are seen once. */
static void test_a_burst_is_one_moment(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++)
		idle_age_note_closed(&a, T + i * NS_MS, now += NS_MS);
	assert_true(bound() == NS_NEVER);
	closed(T);
	closed(T);
	assert_true(bound() < T);
}

/* Of whatever age they are, all are closed. However often it stops, that is no timeout. */
static void test_a_server_that_stops_says_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		now += 60 * NS_S;
		for (int k = 1; k < 9; k++)
			idle_age_note_closed(&a, k * 3 * NS_S, now += NS_MS);
	}
	assert_true(bound() == NS_NEVER);
	/* nor does it make what is known any lower */
	for (int k = 0; k < 15; k++)
		closed(T);
	now += 60 * NS_S;
	for (int k = 1; k < 9; k++)
		idle_age_note_closed(&a, k * NS_S / 2, now += NS_MS);
	assert_true(bound() == T * 9 / 10);
	/* nor with one connection at a time */
	closed(NS_S / 2);
	closed(2 * NS_S);
	assert_true(bound() == T * 9 / 10);
}

/* One that looks at its connections once a second closes between T and T + 1 s. */
static void test_a_coarse_server(void **state)
{
	(void)state;
	struct rng r;
	rng_init(&r, test_seed(3));
	for (int i = 0; i < 20; i++)
		closed(T + (ns_t)rng_below(&r, NS_S));
	assert_true(idle_age_learned(&a) >= T && idle_age_learned(&a) < T + NS_S / 2);
	assert_true(bound() < T);
}

/* Ages without a timeout behind them: in the long run hardly ever three agree. */
static void test_noise(void **state)
{
	(void)state;
	struct rng r;
	uint32_t believed = 0;
	rng_init(&r, test_seed(4));
	for (int i = 0; i < 1000; i++) {
		if (i % 10 == 0)
			a = (struct idle_age){ .moment = { 0 } };
		closed((ns_t)rng_below(&r, 300 * NS_S));
		believed += bound() != NS_NEVER;
	}
	assert_in_range(believed, 0, 100);
}

static void test_two_servers_behind_one_address(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		closed(60 * NS_S);
		closed(T);
	}
	assert_true(bound() == T * 9 / 10);
}

/* What is closed early confirms nothing: after a while it is put to the test. */
static void test_a_server_that_changes(void **state)
{
	(void)state;
	closed(T);
	closed(T);
	closed(T);
	assert_true(bound() != NS_NEVER);
	now += IDLE_AGE_KEEP_FOR;
	assert_true(bound() == NS_NEVER);
	closed(T + NS_MS); /* as before: one will do */
	assert_true(bound() == T * 9 / 10);
	now += IDLE_AGE_KEEP_FOR;
	assert_true(bound() == NS_NEVER);
	for (int i = 0; i < IDLE_AGE_ENOUGH; i++) {
		assert_true(idle_age_learned(&a) == T);
		idle_age_note_lived(&a, 20 * NS_S);
	}
	assert_true(idle_age_learned(&a) == NS_NEVER); /* refuted */
	/* and it may close earlier than it did */
	setup(NULL);
	for (int i = 0; i < 6; i++)
		closed(i < 3 ? T : NS_S);
	assert_true(bound() == NS_S * 9 / 10);
}

/* A fit of twenty seconds is believed for no longer than that after it; what holds is tested
 * less and less, at most every ten minutes. */
static void test_believed_for_as_long_as_it_held(void **state)
{
	(void)state;
	closed(NS_S / 2);
	closed(NS_S / 2);
	closed(NS_S / 2);
	assert_true(bound() == NS_S / 2 * 9 / 10);
	now += 18 * NS_S;
	assert_true(bound() != NS_NEVER);
	now += 2 * NS_S;
	assert_true(bound() == NS_NEVER);
	uint32_t tests = 0;
	for (ns_t end = now + 24 * 3600 * NS_S; now < end; now += NS_S) {
		if (idle_age_bound(&a, now) != NS_NEVER)
			continue;
		idle_age_note_closed(&a, NS_S / 2, now);
		tests++;
	}
	assert_in_range(tests, 24 * 6 - 1, 24 * 6 + 5);
}

/* It closes after each answer, or each hundredth: no reason to keep no connection. */
static void test_closes_behind_answers_say_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++)
		closed(i * NS_MS);
	assert_true(bound() == NS_NEVER);
	assert_true(idle_age_learned(&a) == NS_NEVER);
}

/* A connection that lives within what is believed says nothing. */
static void test_one_that_lived_a_little_longer(void **state)
{
	(void)state;
	closed(T);
	closed(T);
	closed(T);
	for (int i = 0; i < 10; i++) {
		idle_age_note_lived(&a, T / 2);
		idle_age_note_lived(&a, T + T / 20);
	}
	assert_true(bound() == T * 9 / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_SETUP(test_three_moments_that_agree),
		TEST_SETUP(test_a_burst_is_one_moment),
		TEST_SETUP(test_a_server_that_stops_says_nothing),
		TEST_SETUP(test_a_coarse_server),
		TEST_SETUP(test_noise),
		TEST_SETUP(test_two_servers_behind_one_address),
		TEST_SETUP(test_a_server_that_changes),
		TEST_SETUP(test_believed_for_as_long_as_it_held),
		TEST_SETUP(test_closes_behind_answers_say_nothing),
		TEST_SETUP(test_one_that_lived_a_little_longer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/unit/base/unit.h"
#include "flow/pause_keys.h"

#define START (100 * NS_S)

static void test_nothing_is_held_unasked(void **state)
{
	struct pause p;
	(void)state;
	pause_init(&p);
	for (ns_t at = 0; at < NS_S; at += NS_MS)
		assert_true(pause_take(&p, 1, at));
	assert_int_equal(pause_next(&p, NS_S), NS_NEVER);
	assert_int_equal(pause_start(&p, 1000, NS_S), NS_S);
}

static void test_nothing_goes_until_then(void **state)
{
	struct pause p;
	(void)state;
	pause_init(&p);
	pause_ask(&p, START + 5 * NS_S, 0, START);
	for (ns_t at = START; at < START + 5 * NS_S; at += 10 * NS_MS) {
		assert_false(pause_take(&p, 1, at));
		assert_int_equal(pause_next(&p, at), START + 5 * NS_S);
		assert_int_equal(pause_start(&p, 0, at), START + 5 * NS_S);
	}
	/* then one, and no other while that is under way */
	assert_true(pause_take(&p, 1, START + 5 * NS_S));
	assert_int_equal(pause_look(&p, START + 5 * NS_S), PAUSE_PROBE);
	assert_false(pause_take(&p, 1, START + 5 * NS_S));
	assert_int_equal(pause_next(&p, START + 5 * NS_S), START + 6 * NS_S);
}

static void test_a_longer_one_wins(void **state)
{
	struct pause p;
	(void)state;
	pause_init(&p);
	pause_ask(&p, START + 5 * NS_S, 0, START);
	pause_ask(&p, START + 2 * NS_S, 0, START + NS_S);
	assert_false(pause_take(&p, 1, START + 4 * NS_S));
	pause_ask(&p, START + 9 * NS_S, 0, START + 4 * NS_S);
	assert_false(pause_take(&p, 1, START + 8 * NS_S));
	assert_true(pause_take(&p, 1, START + 9 * NS_S));
	assert_int_equal(p.times, 1);
}

static void test_the_probe_decides(void **state)
{
	struct pause p;
	ns_t then = START + NS_S;
	(void)state;
	pause_init(&p);
	pause_ask(&p, then, 0, START);
	assert_true(pause_take(&p, 1, then));
	/* one from before the pause is no evidence */
	pause_ended(&p, START - NS_S, then + NS_MS);
	assert_int_equal(p.state, PAUSE_PROBE);
	pause_ended(&p, then, then + 50 * NS_MS);
	assert_int_equal(p.state, PAUSE_RAMP);
	/* it asks again: shut again, and counted again */
	pause_ask(&p, then + 3 * NS_S, 0, then + 60 * NS_MS);
	assert_false(pause_take(&p, 1, then + 2 * NS_S));
	assert_int_equal(p.times, 2);
	/* a probe that did not go is none */
	assert_true(pause_take(&p, 1, then + 3 * NS_S));
	pause_untake(&p, 1, then + 3 * NS_S);
	assert_true(pause_take(&p, 1, then + 3 * NS_S));
	/* and one that takes long is not waited for */
	assert_false(pause_take(&p, 1, then + 4 * NS_S - 1));
	assert_true(pause_take(&p, 1, then + 4 * NS_S));
	assert_int_equal(p.state, PAUSE_RAMP);
}

/* Threads ask and take between a take and its end: it undoes no more than itself. */
static void test_what_is_undone_is_ones_own(void **state)
{
	struct pause p;
	const ns_t then = START + NS_S, soon = then + NS_MS;
	(void)state;
	pause_init(&p);
	assert_true(pause_take(&p, 4, START)); /* by a thread that is slow */
	pause_ask(&p, then, 0, START);
	assert_true(pause_take(&p, 1, then)); /* by another */
	pause_untake(&p, 4, START);
	assert_false(pause_take(&p, 1, soon));
	assert_true(pause_ended(&p, then, soon));
	pause_untake(&p, 4, START);
	assert_true(pause_take(&p, 1, soon)); /* the ramp's first */
	assert_false(pause_take(&p, 1, soon));
	pause_untake(&p, 1, soon);
	assert_true(pause_take(&p, 1, soon));
}

static void test_what_is_sent_once_more(void **state)
{
	struct pause p;
	const ns_t then = START + NS_S;
	(void)state;
	pause_init(&p);
	assert_true(pause_take_again(&p, START));
	pause_ask(&p, then, 0, START);
	assert_false(pause_take_again(&p, then - 1));
	/* it is the probe, if there was none */
	assert_true(pause_take_again(&p, then));
	assert_false(pause_take(&p, 1, then));
	pause_untake(&p, 0, then);
	assert_true(pause_take(&p, 1, then));
	/* or goes beside it: it may be the probe itself, whose connection died */
	assert_true(pause_take_again(&p, then + NS_MS));
	pause_untake(&p, 0, then + NS_MS);
	assert_false(pause_take(&p, 1, then + NS_MS));
}

/* How many go in a span, with always one more that waits. */
static int flood(struct pause *p, ns_t from, ns_t to)
{
	int n = 0;
	for (ns_t at = from; at < to; at += NS_MS)
		while (n < 1000000 && pause_take(p, 1, at))
			n++;
	return n;
}

static void test_the_ramp_does_not_burst(void **state)
{
	struct pause p;
	ns_t then = START + NS_S, ramp = then + NS_MS;
	(void)state;
	pause_init(&p);
	pause_ask(&p, then, 0, START);
	assert_true(pause_take(&p, 1, then));
	pause_ended(&p, then, ramp);
	assert_int_equal(flood(&p, ramp, ramp + NS_MS), 1);
	assert_in_range(flood(&p, ramp + NS_MS, ramp + 100 * NS_MS), 1, 2);
	assert_in_range(flood(&p, ramp + 100 * NS_MS, ramp + NS_S), 12, 15);
	assert_in_range(flood(&p, ramp + NS_S, ramp + 2 * NS_S), 27, 30); /* double */
	assert_in_range(flood(&p, ramp + 2 * NS_S, ramp + 3 * NS_S), 55, 60);
	(void)flood(&p, ramp + 3 * NS_S, ramp + PAUSE_RAMP_FOR);
	assert_int_equal(pause_look(&p, ramp + PAUSE_RAMP_FOR), PAUSE_OPEN);
	assert_int_equal(pause_next(&p, ramp + PAUSE_RAMP_FOR), NS_NEVER);
	/* who does not send saves nothing up */
	pause_ask(&p, ramp + 101 * NS_S, 0, ramp + 100 * NS_S);
	assert_true(pause_take(&p, 1, ramp + 101 * NS_S));
	pause_ended(&p, ramp + 101 * NS_S, ramp + 102 * NS_S);
	assert_in_range(flood(&p, ramp + 105 * NS_S, ramp + 105 * NS_S + NS_MS), 1, 2);
}

/* Each waiting call goes when it was told it could, within a turn. */
static void test_the_start_is_as_foretold(void **state)
{
	struct pause p;
	ns_t foretold[60], then = START + 2 * NS_S;
	uint64_t gone = 0;
	(void)state;
	pause_init(&p);
	pause_ask(&p, then, 0, START);
	for (uint64_t i = 0; i < 60; i++)
		foretold[i] = pause_start(&p, i, START);
	assert_int_equal(foretold[0], then);
	for (ns_t at = then; gone < 60;) {
		while (gone < 60 && pause_take(&p, 1, at)) {
			assert_in_range(at, foretold[gone], foretold[gone] + 12 * NS_MS);
			if (gone < 59)
				assert_in_range(pause_start(&p, 0, at), at,
					foretold[gone + 1] + 12 * NS_MS);
			gone++;
		}
		if (p.state == PAUSE_PROBE)
			pause_ended(&p, then, at);
		if (pause_next(&p, at) != NS_NEVER)
			at = pause_next(&p, at);
	}
	assert_int_equal(p.state, PAUSE_RAMP);
}

static void test_several_go_together(void **state)
{
	struct pause p;
	(void)state;
	pause_init(&p);
	pause_ask(&p, START + NS_S, 0, START);
	assert_true(pause_take(&p, 8, START + NS_S));
	pause_ended(&p, START + NS_S, START + NS_S);
	assert_true(pause_take(&p, 8, START + NS_S));
	/* and those behind wait for what they took */
	assert_false(pause_take(&p, 1, START + NS_S + 400 * NS_MS));
	assert_true(pause_take(&p, 1, START + NS_S + 700 * NS_MS));
}

/* A server with a quota of ten in five seconds that is sent as many as may go. */
static void test_it_finds_a_servers_rate(void **state)
{
	struct pause p;
	uint64_t answered = 0, refused = 0;
	ns_t window = START;
	int left = 10;
	(void)state;
	pause_init(&p);
	for (ns_t at = START; at < START + 60 * NS_S; at += NS_MS) {
		if (at - window >= 5 * NS_S) {
			window = at;
			left = 10;
		}
		if (!pause_take(&p, 1, at))
			continue;
		if (left > 0) {
			left--;
			answered++;
			pause_ended(&p, at, at);
		} else {
			refused++;
			pause_ask(&p, window + 5 * NS_S, answered, at);
		}
	}
	assert_in_range(answered, 110, 120);
	assert_in_range(refused, 1, 12); /* one a pause */
	assert_true(p.pace > 1.5 && p.pace < 2.5);
}

/* Who counts the answers may have begun anew: a program's first thread has ended, say. */
static void test_a_count_that_begins_anew(void **state)
{
	struct pause p;
	(void)state;
	pause_init(&p);
	pause_ask(&p, START + NS_S, 1000, START);
	assert_true(pause_take(&p, 1, START + NS_S));
	pause_ask(&p, START + 5 * NS_S, 3, START + 2 * NS_S);
	assert_true(p.pace >= PAUSE_PACE_MIN && p.pace <= PAUSE_PACE);
}

static void test_one_caller_alone(void **state)
{
	struct pause_keys all = { .count = 0 };
	(void)state;
	assert_int_equal(pause_keys_until(&all, 7, START), 0);
	pause_keys_ask(&all, 7, START + 5 * NS_S, START);
	pause_keys_ask(&all, 7, START + 2 * NS_S, START);
	assert_int_equal(pause_keys_until(&all, 7, START), START + 5 * NS_S);
	assert_int_equal(pause_keys_until(&all, 8, START), 0);
	const ns_t turn = START + 5 * NS_S, late = NS_NEVER;
	assert_int_equal(pause_keys_turn(&all, 7, late, START), turn);
	/* who could not use it takes no turn */
	for (int i = 0; i < 3; i++)
		assert_int_equal(pause_keys_turn(&all, 7, turn + 100 * NS_MS, START),
			turn + 100 * NS_MS);
	assert_int_equal(pause_keys_turn(&all, 7, late, START), turn + 100 * NS_MS);
	assert_int_equal(pause_keys_until(&all, 7, START + 5 * NS_S), 0);
	assert_int_equal(pause_keys_count(&all, START), 1);
	assert_int_equal(pause_keys_count(&all, START + 5 * NS_S), 0);
}

static void test_many_callers(void **state)
{
	struct pause_keys all = { .count = 0 };
	(void)state;
	for (uint64_t key = 0; key < PAUSE_KEYS_MAX + 2; key++)
		pause_keys_ask(&all, key, START + (ns_t)(key + 1) * NS_S, START);
	assert_int_equal(pause_keys_count(&all, START), PAUSE_KEYS_MAX);
	assert_int_equal(pause_keys_until(&all, 0, START), 0);
	assert_int_equal(pause_keys_until(&all, 1, START), 0);
	assert_int_equal(pause_keys_until(&all, 2, START), START + 3 * NS_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_is_held_unasked),
		TEST(test_nothing_goes_until_then),
		TEST(test_a_longer_one_wins),
		TEST(test_the_probe_decides),
		TEST(test_what_is_undone_is_ones_own),
		TEST(test_what_is_sent_once_more),
		TEST(test_the_ramp_does_not_burst),
		TEST(test_the_start_is_as_foretold),
		TEST(test_several_go_together),
		TEST(test_it_finds_a_servers_rate),
		TEST(test_a_count_that_begins_anew),
		TEST(test_one_caller_alone),
		TEST(test_many_callers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

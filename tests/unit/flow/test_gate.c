/* The gate: what is worth a slot, what is told so at once, and probes while nothing is. */
#include "flow/gate.h"
#include "tests/unit/base/unit.h"

#define BUDGET (500 * NS_MS)
#define LIMIT 50

static struct chance chance;
static struct gate gate;

static int setup(void **state)
{
	(void)state;
	chance_init(&chance, 5 * NS_S);
	gate_init(&gate, &chance, &chance);
	return 0;
}

static void see(int n, ns_t duration)
{
	for (int i = 0; i < n; i++)
		chance_done(&chance, duration, 0);
	chance_refresh(&chance, 0);
}

static enum gate_verdict ask(ns_t left, ns_t now)
{
	const struct gate_call call = { .budget = BUDGET, .left = left, .share = 1 };
	return gate_ask(&gate, &call, LIMIT, now);
}

static enum gate_verdict ask_to_wait(uint64_t ahead, double share)
{
	const struct gate_call call = { .budget = BUDGET,
		.left = BUDGET,
		.wait_max = NS_NEVER,
		.share = share,
		.ahead = ahead,
		.waits = true };
	return gate_ask(&gate, &call, LIMIT, 0);
}

static void test_nothing_is_refused_unknown(void **state)
{
	(void)state;
	assert_int_equal(ask(BUDGET, 0), GATE_GO);
	assert_int_equal(ask(1, 0), GATE_GO);
	assert_int_equal(ask_to_wait(1000, 1), GATE_GO);
}

static void test_too_little_time(void **state)
{
	(void)state;
	see(100, 100 * NS_MS);
	assert_int_equal(ask(BUDGET, 0), GATE_GO);
	assert_int_equal(ask(200 * NS_MS, 0), GATE_GO);
	assert_int_equal(ask(50 * NS_MS, 0), GATE_LATE);
}

/* One in five makes it, and that is as good as it gets: it is worth a slot. */
static void test_a_small_chance_is_one(void **state)
{
	(void)state;
	see(20, 100 * NS_MS);
	see(80, 4 * NS_S);
	assert_int_equal(ask(BUDGET, 0), GATE_GO);
	assert_int_equal(ask(50 * NS_MS, 0), GATE_LATE);
}

static void test_who_waits_must_come_in_time(void **state)
{
	(void)state;
	see(1000, 100 * NS_MS);
	chance_running_begin(&chance);
	for (int i = 0; i < 20; i++)
		chance_running(&chance, i * 5 * NS_MS);
	chance_refresh(&chance, 0);
	double frees = chance_frees(&chance, 400 * NS_MS).mean; /* about 80 */
	assert_true(frees > 60 && frees < 100);
	assert_int_equal(ask_to_wait(10, 1), GATE_GO);
	assert_int_equal(ask_to_wait((uint64_t)frees + 10, 1), GATE_LATE);
	assert_int_equal(ask_to_wait(10, 0.1), GATE_LATE); /* of few of them */
}

/* None of the last twenty is over that took 100 ms before: they may take as long as the longest. */
static void test_nobody_waits_while_it_is_in_question(void **state)
{
	(void)state;
	struct gate_call patient = { .budget = 20 * NS_S,
		.left = 20 * NS_S,
		.wait_max = NS_NEVER,
		.share = 1,
		.ahead = 2,
		.waits = true };
	see(100, 100 * NS_MS);
	see(50, 4 * NS_S);
	chance_running_begin(&chance);
	for (int i = 0; i < 5; i++)
		chance_running(&chance, 3900 * NS_MS);
	chance_refresh(&chance, 0);
	assert_int_equal(ask_to_wait(2, 1), GATE_GO);
	for (int i = 0; i < 9; i++)
		chance_running(&chance, 200 * NS_MS + i * 20 * NS_MS);
	chance_refresh(&chance, NS_S);
	assert_true(chance_is_in_question(&chance));
	assert_int_equal(ask_to_wait(2, 1), GATE_LATE);
	assert_int_equal(gate_ask(&gate, &patient, LIMIT, NS_S), GATE_GO);
	assert_int_equal(gate_ask_again(&gate, BUDGET, BUDGET), GATE_GO);
	chance_done(&chance, 100 * NS_MS, NS_S);
	assert_int_equal(ask_to_wait(2, 1), GATE_GO);
}

/* So that none comes free in time is of that chance: 0.2 to the power of how many are near their
 * end, of others that last. */
static enum gate_verdict ask_as_next(int near, uint32_t limit)
{
	const struct gate_call call = { .budget = BUDGET,
		.left = BUDGET,
		.wait_max = 100 * NS_MS,
		.share = 1,
		.waits = true };
	setup(NULL);
	see(80, 50 * NS_MS);
	see(20, 4 * NS_S);
	chance_running_begin(&chance);
	for (int i = 0; i < near; i++)
		chance_running(&chance, 20 * NS_MS);
	chance_refresh(&chance, 0);
	return gate_ask(&gate, &call, limit, 0);
}

/* It may fail the more often the fewer slots there are, for the longer one stands idle if nobody
 * waits for it. */
static void test_the_next_one_is_let_in_if_one_is_next_to_sure(void **state)
{
	(void)state;
	assert_int_equal(ask_as_next(1, 50), GATE_LATE);
	assert_int_equal(ask_as_next(3, 50), GATE_GO);
	assert_int_equal(ask_as_next(3, 1000), GATE_LATE);
	assert_int_equal(ask_as_next(1, 2), GATE_GO);
	assert_int_equal(ask_as_next(0, 2), GATE_LATE);
}

static void test_who_waits_is_asked_again(void **state)
{
	(void)state;
	see(100, 100 * NS_MS);
	assert_int_equal(gate_ask_again(&gate, BUDGET, BUDGET), GATE_GO);
	assert_int_equal(gate_ask_again(&gate, BUDGET, 200 * NS_MS), GATE_GO);
	assert_int_equal(gate_ask_again(&gate, BUDGET, 50 * NS_MS), GATE_LATE);
	setup(NULL);
	see(100, 4 * NS_S);
	assert_int_equal(gate_ask_again(&gate, BUDGET, BUDGET), GATE_SHUT);
}

static void test_margin_learns(void **state)
{
	(void)state;
	double before = gate.margin;
	for (int i = 0; i < GATE_TOLD_LATE; i++)
		gate_note_refused(&gate, false);
	double after = gate.margin;
	assert_true(after < before);
	gate_note_refused(&gate, true);
	assert_true(gate.margin > after && gate.margin < before + 1e-9);
	for (int i = 0; i < 1000; i++)
		gate_note_refused(&gate, true);
	assert_true(gate.margin <= GATE_MARGIN_MAX);
	for (int i = 0; i < 100000; i++)
		gate_note_refused(&gate, false);
	assert_true(gate.margin >= 0);
}

static void test_probes_while_shut(void **state)
{
	(void)state;
	see(100, 4 * NS_S);
	assert_int_equal(ask(BUDGET, 0), GATE_PROBE);
	gate_probe_sent(&gate, 0);
	assert_int_equal(ask(BUDGET, 0), GATE_SHUT);
	assert_int_equal(ask(BUDGET, GATE_PROBE_EVERY - 1), GATE_SHUT);
	/* However long the one before takes. */
	assert_int_equal(ask(BUDGET, GATE_PROBE_EVERY), GATE_PROBE);
	gate_probe_sent(&gate, GATE_PROBE_EVERY);
	assert_false(gate_probe_over(&gate, false));
	assert_false(gate_probe_over(&gate, false));
	assert_int_equal(ask(BUDGET, GATE_PROBE_EVERY + 1), GATE_PROBE);
}

/* What opens it are probes that come in time, however many long calls are at work meanwhile: those
 * are no news. */
static void test_long_calls_do_not_keep_it_shut(void **state)
{
	(void)state;
	see(1000, 4 * NS_S);
	chance_running_begin(&chance);
	for (int i = 0; i < 60; i++)
		chance_running(&chance, NS_S + i * 50 * NS_MS);
	chance_refresh(&chance, 0);
	assert_int_not_equal(ask(BUDGET, 0), GATE_GO);
	for (int i = 0; i < 20; i++) {
		gate_probe_sent(&gate, 0);
		see(1, 50 * NS_MS);
		assert_true(gate_probe_over(&gate, true));
		chance_doubt_late(&chance, BUDGET, 0.5);
	}
	chance_refresh(&chance, 0);
	assert_int_equal(ask(BUDGET, 0), GATE_GO);
}

static void test_no_probe_without_a_slot(void **state)
{
	(void)state;
	see(100, 4 * NS_S);
	assert_int_equal(ask_to_wait(0, 1), GATE_SHUT);
	assert_int_equal(ask(BUDGET, 0), GATE_PROBE);
}

/* For each that is in time two go: from one to 64 in six rounds. */
static void test_opens_by_doubling(void **state)
{
	(void)state;
	see(100, 4 * NS_S);
	uint32_t probes = 1;
	ns_t now = 0;
	gate_probe_sent(&gate, now);
	for (int round = 1; round <= 6; round++) {
		while (gate.probes)
			assert_true(gate_probe_over(&gate, true));
		for (probes = 0; ask(BUDGET, now) == GATE_PROBE; probes++)
			gate_probe_sent(&gate, now);
		assert_int_equal(probes, 1 << round);
	}
	assert_false(gate_probe_over(&gate, false)); /* one is late: none goes for it */
	assert_true(gate.probes > 1);
	assert_int_equal(ask(BUDGET, now), GATE_SHUT);
	while (gate.probes)
		gate_probe_over(&gate, false);
}

/* What probes were owed as it opened is not owed at the next spell. */
static void test_a_spell_begins_with_one_probe(void **state)
{
	(void)state;
	see(100, 4 * NS_S);
	gate_probe_sent(&gate, 0);
	gate_probe_sent(&gate, 0);
	assert_true(gate_probe_over(&gate, true) && gate_probe_over(&gate, true));
	see(1000, 100 * NS_MS);
	assert_int_equal(ask(BUDGET, 0), GATE_GO);
	see(1000000, 4 * NS_S);
	assert_int_equal(ask(BUDGET, 0), GATE_PROBE);
	gate_probe_sent(&gate, 0);
	assert_int_equal(ask(BUDGET, 0), GATE_SHUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_SETUP(test_nothing_is_refused_unknown),
		TEST_SETUP(test_too_little_time),
		TEST_SETUP(test_a_small_chance_is_one),
		TEST_SETUP(test_who_waits_must_come_in_time),
		TEST_SETUP(test_nobody_waits_while_it_is_in_question),
		TEST_SETUP(test_the_next_one_is_let_in_if_one_is_next_to_sure),
		TEST_SETUP(test_who_waits_is_asked_again),
		TEST_SETUP(test_margin_learns),
		TEST_SETUP(test_probes_while_shut),
		TEST_SETUP(test_long_calls_do_not_keep_it_shut),
		TEST_SETUP(test_no_probe_without_a_slot),
		TEST_SETUP(test_opens_by_doubling),
		TEST_SETUP(test_a_spell_begins_with_one_probe),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a step up gained, and the rules of the limit one at a time; how well it finds things is
 * shown in tests/sim/test_limit.c. */
#include "flow/limit.h"
#include "tests/unit/base/unit.h"

/* --- gain --- */

static struct gain_fact fact(double level, double ms, double rate)
{
	return (struct gain_fact){ .level = level,
		.time = ms / 1000,
		.rate = rate,
		.spread = ms / 1000,
		.error = ms / 1000 / 100,
		.at = 1 };
}

static void test_verdicts(void **state)
{
	(void)state;
	static const struct {
		struct gain_fact before, after;
		enum gain_verdict verdict;
	} rows[] = {
		{ { 10, .05, .0, .001, 200, 1 }, { 20, .05, .0, .001, 400, 2 },
			GAIN_WORKED },
		{ { 20, .08, .0, .001, 250, 1 }, { 40, .16, .0, .001, 250, 2 },
			GAIN_WAITED },
		{ { 20, .08, .0, .04, 250, 1 }, { 40, .12, .0, .04, 250, 2 }, GAIN_OPEN },
		{ { 20, .08, .0, .001, 250, 1 }, { 30, .8, .0, .001, 30, 2 },
			GAIN_SPEED },
		{ { 20, .8, .0, .001, 25, 1 }, { 30, .08, .0, .001, 300, 2 },
			GAIN_WORKED },
		{ { 20, .08, .0, .001, 250, 1 }, { 20, .16, .0, .001, 125, 2 },
			GAIN_NO_STEP },
		{ { 20, .08, .0, .001, 250, 1 }, { 10, .04, .0, .001, 250, 2 },
			GAIN_NO_STEP },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(gain_judge(&rows[i].before, &rows[i].after, NULL),
			rows[i].verdict);
}

static void test_verdicts_of_less(void **state)
{
	(void)state;
	static const struct {
		struct gain_fact before, after;
		double noise;
		enum gain_verdict verdict;
	} rows[] = {
		{ { 20, .16, .0, .01, 125, 1 }, { 16, .128, .0, .01, 125, 2 }, .25,
			GAIN_WAITED },
		{ { 20, .16, .0, .01, 125, 1 }, { 16, .16, .0, .01, 100, 2 }, .25,
			GAIN_WORKED },
		{ { 20, .16, .0, .01, 125, 1 }, { 16, .16, .0, .01, 100, 2 }, 1,
			GAIN_OPEN },
		{ { 20, .16, .0, .01, 125, 1 }, { 10, .16, .0, .01, 62, 2 }, 1,
			GAIN_WORKED },
		{ { 20, .16, .0, .01, 125, 1 }, { 16, .64, .0, .01, 25, 2 }, .25,
			GAIN_SPEED },
		{ { 20, .16, .0, .01, 125, 1 }, { 21, .16, .0, .01, 125, 2 }, .25,
			GAIN_NO_STEP },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(
			gain_judge_less(&rows[i].before, &rows[i].after, rows[i].noise),
			rows[i].verdict);
}

static void test_knee_between_the_steps(void **state)
{
	(void)state;
	double error;
	struct gain_fact clear = fact(6, 48, 125), before = fact(10, 48, 208);
	struct gain_fact after = fact(24, 96, 250); /* 12 workers */
	assert_int_equal((int)(gain_knee(&clear, &before, &after, &error) + 0.5), 12);
	before.level = 14; /* known to work */
	assert_int_equal((int)(gain_knee(&clear, &before, &after, &error) + 0.5), 14);
	assert_true(gain_calls_needed(&before, 2) > gain_calls_needed(&before, 20));
}

static void test_a_minority_of_slow_calls(void **state)
{
	(void)state;
	struct gain_step s;
	struct gain_fact f;
	gain_begin(&s, 1, 0, 0);
	for (int i = 0; i < 100; i++)
		assert_true(gain_sent(&s, 10));
	for (int i = 0; i < 59; i++)
		gain_done(&s, 50 * NS_MS);
	s.ended_at = 10 * NS_MS;
	assert_false(gain_know(&s, 100 * NS_MS, 59, &f)); /* six in ten have not ended */
	for (int i = 0; i < 11; i++)
		gain_done(&s, 50 * NS_MS);
	assert_false(gain_know(&s, 30 * NS_MS, 70, &f)); /* too early for all of them */
	assert_true(
		gain_know(&s, 100 * NS_MS, 70, &f)); /* the others may run on for ever */
	assert_true(f.time > 0.047 && f.time < 0.053);
	assert_int_equal((int)f.level, 10);
	assert_int_equal((int)f.rate, 700);
}

/* --- limit --- */

#define T0 NS_S

/* Callers wait all the time; nothing is answered. */
static ns_t crowd(struct limit *l, ns_t now, ns_t until, uint32_t *level)
{
	struct limit_mark mark;
	for (; now < until; now += NS_MS) {
		limit_look(l, now, *level, true);
		while (*level < l->now)
			limit_sent(l, now, ++*level, true, &mark);
	}
	return now;
}

static void test_growth_is_by_time(void **state)
{
	(void)state;
	struct limit l;
	uint32_t level = 0;
	limit_init(&l, 100000, T0);
	assert_int_equal(limit_look(&l, T0, 0, false), 8);
	crowd(&l, T0, T0 + 3 * NS_S, &level);
	assert_true(level > 8 * 900 && level < 8 * 1100); /* ten doublings */
}

/* Two threads look by turns, the one with a clock that is a little behind. */
static void test_clocks_that_are_apart(void **state)
{
	(void)state;
	struct limit l;
	limit_init(&l, 100000, T0);
	uint32_t was = 8;
	for (ns_t now = T0; now < T0 + 3 * NS_S; now += NS_MS) {
		limit_look(&l, now, l.now, true);
		assert_true(limit_look(&l, now - NS_MS / 2, l.now, true) >= was);
		was = l.now;
	}
	assert_true(was > 8 * 900 && was < 8 * 1100);
}

static void test_no_growth_unless_it_binds(void **state)
{
	(void)state;
	struct limit l;
	limit_init(&l, 1000, T0);
	for (ns_t now = T0; now < T0 + 10 * NS_S; now += NS_MS) {
		assert_int_equal(limit_look(&l, now, 8, false), 8); /* nobody waits */
		assert_int_equal(
			limit_look(&l, now, 7, true), 8); /* for something else */
		assert_int_equal(limit_look(&l, now, 17, true), 8); /* still above */
	}
}

static void test_refusal_cuts_below(void **state)
{
	(void)state;
	struct limit l;
	uint32_t level = 0;
	struct limit_mark burst[3];
	limit_init(&l, 1000, T0);
	ns_t now = crowd(&l, T0, T0 + 2 * NS_S, &level);
	uint32_t wall = level - 3;
	for (uint32_t i = 0; i < 3; i++) /* three were above the wall as they were sent */
		burst[i] = (struct limit_mark){ .sent_at = now, .level = wall + 1 + i };
	limit_ended(&l, now + 1, &burst[2], LIMIT_REFUSED);
	limit_ended(&l, now + 1, &burst[0], LIMIT_REFUSED);
	limit_ended(&l, now + 1, &burst[1], LIMIT_REFUSED);
	assert_int_equal(limit_look(&l, now + 2, wall, true), wall);
	assert_int_equal(limit_state(&l), LIMIT_WALL);
	assert_int_equal(l.wall.took, wall);
}

/* Refused again and again, of calls sent after the cut: the wall is on its way down. */
static void test_cuts_deepen(void **state)
{
	(void)state;
	struct limit l;
	uint32_t level = 0;
	limit_init(&l, 1000, T0);
	ns_t now = crowd(&l, T0, T0 + 2 * NS_S, &level);
	double before = l.stand;
	for (int i = 0; i < 6; i++) {
		now += 2 * NS_MS;
		struct limit_mark mark = { .sent_at = now - NS_MS,
			.level = (uint32_t)l.stand };
		limit_ended(&l, now, &mark, LIMIT_REFUSED);
	}
	assert_true(l.stand <= before - 6 - (1 + 2 + 4 + 8 + 16));
	assert_true(l.stand >= 1);
}

static void test_refusals_are_no_answers(void **state)
{
	(void)state;
	struct limit l;
	limit_init(&l, 1000, T0);
	for (int i = 0; i < 50; i++) {
		struct limit_mark mark;
		ns_t now = T0 + i * NS_MS;
		limit_look(&l, now, 0, true);
		limit_sent(&l, now, 1, true, &mark);
		limit_ended(&l, now + NS_US, &mark, LIMIT_REFUSED);
	}
	assert_int_equal(l.answered, 0);
	assert_int_equal(limit_state(&l), LIMIT_BROWN_OUT);
	assert_int_equal(l.now, 0);
}

static void test_brown_out_asks_one_by_one(void **state)
{
	(void)state;
	struct limit l;
	struct limit_mark mark = { .sent_at = T0, .level = 1 };
	uint32_t sent = 0;
	limit_init(&l, 1000, T0);
	limit_ended(&l, T0, &mark, LIMIT_REFUSED);
	for (ns_t now = T0; now < T0 + 10 * NS_S; now += NS_MS) {
		if (limit_look(&l, now, 0, true) == 0)
			continue;
		limit_sent(&l, now, 1, true, &mark);
		assert_int_equal(l.now, 0);
		limit_ended(&l, now, &mark, LIMIT_REFUSED);
		sent++;
	}
	assert_true(sent >= 40 && sent <= 50);
}

static void test_failures_stop_growth(void **state)
{
	(void)state;
	struct limit l;
	struct limit_mark mark;
	limit_init(&l, 1000, T0);
	for (ns_t now = T0; now < T0 + 5 * NS_S; now += NS_MS) {
		limit_look(&l, now, l.now, true);
		limit_sent(&l, now, l.now, true, &mark);
		limit_ended(&l, now, &mark, LIMIT_FAILED);
	}
	assert_true(l.now < 12);
}

/* More than the server is known to take: by growth, then one alone. */
static void test_who_tries_is_marked(void **state)
{
	(void)state;
	struct limit l;
	struct limit_mark mark;
	uint32_t level = 0, wall;
	limit_init(&l, 1000, T0);
	limit_look(&l, T0, 7, false);
	limit_sent(&l, T0, 8, false, &mark);
	assert_false(mark.tries); /* nobody waits: so many there may have been before */
	ns_t now = crowd(&l, T0, T0 + NS_S, &level);
	limit_look(&l, now, level, true);
	limit_sent(&l, now, level, true, &mark);
	assert_false(mark.tries); /* another one has ended */
	limit_sent(&l, now, level + 1, true, &mark);
	assert_true(mark.tries);
	limit_ended(&l, now + 1, &mark, LIMIT_REFUSED);
	wall = limit_look(&l, now + 2, level, true);
	assert_int_equal(limit_state(&l), LIMIT_WALL);
	limit_sent(&l, now + 2, wall, true, &mark);
	assert_false(mark.tries);
	for (; limit_look(&l, now, wall, true) == wall; now += NS_MS) {
		limit_sent(&l, now, wall, true, &mark);
		limit_ended(&l, now, &mark, LIMIT_ANSWERED);
	}
	limit_sent(&l, now, wall + 1, true, &mark);
	assert_true(mark.tries);
	limit_sent(&l, now, wall + 1, true, &mark);
	assert_true(mark.tries); /* not known yet */
}

/* --- at the knee, with callers waiting all the time --- */

#define ANSWER_IN (50 * NS_MS)
#define IN_FLIGHT 256

struct knee {
	struct limit l;
	ns_t now;
	bool left; /* calls of a step up end so that nobody knows how long they took */
	uint32_t probes;
	struct limit_mark calls[IN_FLIGHT]; /* the oldest first */
	uint32_t level;
};

static void knee_init(struct knee *k, uint32_t max, double stand)
{
	*k = (struct knee){ .now = T0 };
	limit_init(&k->l, max, T0);
	k->l.state = LIMIT_KNEE;
	k->l.cause = LIMIT_BY_QUEUE;
	k->l.knee = k->l.stand = stand;
	k->l.probe_up = 0.5;
	k->l.clear = fact(stand, 50, 20 * stand);
	k->l.before = k->l.clear;
	k->l.before.at = k->l.clear.at = T0;
}

static void knee_end_due(struct knee *k)
{
	uint32_t due = 0;
	while (due < k->level && k->now - k->calls[due].sent_at >= ANSWER_IN) {
		const struct limit_mark *mark = &k->calls[due++];
		bool left = k->left && mark->level > k->l.stand;
		limit_ended(&k->l, k->now, mark, left ? LIMIT_LEFT : LIMIT_ANSWERED);
	}
	k->level -= due;
	memmove(k->calls, k->calls + due, k->level * sizeof(*k->calls));
}

static void knee_run(struct knee *k, ns_t for_ns)
{
	for (ns_t until = k->now + for_ns; k->now < until; k->now += NS_MS) {
		bool probing = k->l.probing;
		knee_end_due(k);
		limit_look(&k->l, k->now, k->level, true);
		k->probes += k->l.probing && !probing;
		while (k->level < k->l.now) {
			struct limit_mark *mark = &k->calls[k->level++];
			limit_sent(&k->l, k->now, k->level, true, mark);
		}
	}
}

/* A step up that will never be known is given up: the next follows. */
static void test_a_step_of_which_nothing_is_known(void **state)
{
	(void)state;
	struct knee k;
	knee_init(&k, 1000, 20);
	k.left = true;
	knee_run(&k, 60 * NS_S);
	assert_true(k.probes >= 3);
	assert_int_equal(limit_state(&k.l), LIMIT_KNEE);
}

/* A step up has an end where there is hardly any room, or none any more: and what a call takes is
 * learned on. */
static void test_a_step_as_far_as_there_is_room(void **state)
{
	(void)state;
	static const struct {
		uint32_t max, then, probes;
		double stand;
	} rows[] = {
		{ 20, 20, 0, 19 },
		{ 2, 2, 1, 1 },
		{ 2, 2, 0, 2 },
		{ 1, 1, 0, 1 },
		{ 1000, 20, 1, 20 },
		{ 1000, 10, 1, 20 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct knee k;
		knee_init(&k, rows[i].max, rows[i].stand);
		k.l.probe_at = T0 + NS_S;
		knee_run(&k, NS_S + NS_MS);
		assert_int_equal(k.probes, rows[i].probes);
		limit_set_max(&k.l, rows[i].then);
		knee_run(&k, 60 * NS_S);
		assert_true(k.now - k.l.before.at < 30 * NS_S);
		assert_true(k.l.now <= rows[i].then);
	}
}

/* A knee from before is none where connections stall, nor is it gone back to from there. */
static void test_above_a_wall_that_stalls(void **state)
{
	(void)state;
	struct limit l;
	uint32_t level = 0;
	limit_init(&l, 1000, T0);
	ns_t now = crowd(&l, T0, T0 + NS_S, &level);
	l.state = LIMIT_KNEE;
	l.cause = LIMIT_BY_QUEUE;
	l.knee = l.stand = 40;
	limit_stalled(&l, now, false, 30);
	assert_int_equal(limit_look(&l, now, 30, true), 30);
	for (uint32_t proven = 31; limit_is_stalled(&l); proven++)
		limit_heard(&l, now, true, proven);
	assert_int_equal(limit_state(&l), LIMIT_SEARCH);
	level = 45;
	now = crowd(&l, now, now + NS_S, &level);
	assert_int_equal(limit_state(&l), LIMIT_SEARCH);
	assert_true(l.now > 45);
}

/* Several are open at once once it has climbed: that they end together is one failure. */
static void test_trials_that_end_together(void **state)
{
	(void)state;
	struct limit l;
	uint32_t level = 0;
	limit_init(&l, 1000, T0);
	ns_t now = crowd(&l, T0, T0 + NS_S, &level);
	limit_stalled(&l, now, false, 30);
	for (uint32_t proven = 31; proven <= 38; proven++)
		limit_heard(&l, now, true, proven);
	assert_int_equal(limit_look(&l, now, 38, true), 40);
	limit_trial_over(&l, now);
	limit_trial_over(&l, now);
	assert_int_equal(l.probe_at - now, STALL_TRY_EACH);
}

/* Where each call was refused, and then connections stall, one goes on to be let in. */
static void test_stalls_in_a_brown_out(void **state)
{
	(void)state;
	struct limit l;
	struct limit_mark mark = { .sent_at = T0, .level = 1 };
	limit_init(&l, 1000, T0);
	limit_ended(&l, T0, &mark, LIMIT_REFUSED);
	assert_int_equal(limit_state(&l), LIMIT_BROWN_OUT);
	limit_stalled(&l, T0 + NS_MS, false, 3);
	assert_true(limit_is_stalled(&l));
	assert_int_equal(limit_look(&l, T0 + NS_MS, 0, true), 1);
}

static void test_words(void **state)
{
	(void)state;
	struct limit l;
	limit_init(&l, 10, T0);
	assert_string_equal(limit_state_label(limit_state(&l)), "search");
	assert_string_equal(limit_because(&l), "it has not been met yet");
	limit_set_max(&l, 2);
	assert_int_equal(limit_look(&l, T0, 0, false), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_verdicts),
		TEST(test_verdicts_of_less),
		TEST(test_knee_between_the_steps),
		TEST(test_a_minority_of_slow_calls),
		TEST(test_growth_is_by_time),
		TEST(test_clocks_that_are_apart),
		TEST(test_no_growth_unless_it_binds),
		TEST(test_refusal_cuts_below),
		TEST(test_cuts_deepen),
		TEST(test_refusals_are_no_answers),
		TEST(test_brown_out_asks_one_by_one),
		TEST(test_failures_stop_growth),
		TEST(test_who_tries_is_marked),
		TEST(test_above_a_wall_that_stalls),
		TEST(test_trials_that_end_together),
		TEST(test_stalls_in_a_brown_out),
		TEST(test_a_step_of_which_nothing_is_known),
		TEST(test_a_step_as_far_as_there_is_room),
		TEST(test_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

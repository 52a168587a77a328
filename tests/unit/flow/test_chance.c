/* Chances: what was seen to be over in time, calls still at work, fading, what comes free. */
#include "flow/chance.h"

#include <math.h>

#include "tests/unit/base/unit.h"

#define HALF_LIFE (5 * NS_S)

static void assert_about(double got, double expected, double by)
{
	if (fabs(got - expected) > by)
		fail_msg("%g, expected %g ± %g", got, expected, by);
}

/* `n` calls of that duration, begun evenly over the last 20 s. */
static void see(struct chance *c, int n, ns_t duration, ns_t now)
{
	for (int i = 0; i < n; i++)
		chance_done(c, duration, now - 20 * NS_S * i / n);
}

static void test_unknown_is_tried(void **state)
{
	(void)state;
	struct chance c;
	chance_init(&c, HALF_LIFE);
	assert_false(chance_knows_ends(&c));
	assert_about(chance_within(&c, NS_MS), 1, 0);
	assert_int_equal(chance_time_for(&c, 0.9), 0);
	assert_int_equal(chance_mean(&c), 0);
}

static void test_share_in_time(void **state)
{
	(void)state;
	struct chance c;
	ns_t now = 1000 * NS_S;
	chance_init(&c, HALF_LIFE);
	for (int i = 0; i < 100; i++)
		chance_done(&c, i % 5 ? 50 * NS_MS : 80 * NS_MS, now);
	chance_refresh(&c, now);
	assert_about(chance_within(&c, 0), 0, 0);
	assert_about(chance_within(&c, 40 * NS_MS), 0, 0.01);
	assert_about(chance_within(&c, 64 * NS_MS), 0.8, 0.01);
	assert_about(chance_within(&c, 200 * NS_MS), 1, 0.01);
	ns_t half = chance_time_for(&c, 0.5);
	assert_true(half > 40 * NS_MS && half < 60 * NS_MS);
	assert_about((double)chance_mean(&c) / NS_MS, 56, 6);
}

static void test_never_falls_with_time(void **state)
{
	(void)state;
	struct chance c;
	struct rng r;
	double before = 0;
	rng_init(&r, test_seed(7));
	chance_init(&c, HALF_LIFE);
	for (int i = 0; i < 1000; i++)
		chance_done(&c, (ns_t)rng_exponential(&r, 3e8), i * NS_MS);
	chance_running_begin(&c);
	for (int i = 0; i < 100; i++)
		chance_running(&c, (ns_t)rng_exponential(&r, 1e9));
	chance_refresh(&c, NS_S);
	for (ns_t t = 0; t < 100 * NS_S; t += 1 + t / 16) {
		double p = chance_within(&c, t);
		assert_true(p >= before - 1e-12 && p <= 1);
		before = p;
	}
	for (double p = 0.01; p < 0.9; p += 0.01)
		assert_about(chance_within(&c, chance_time_for(&c, p)), p, 1e-6);
}

/* Before any call ends: none of those at work has been over in the time that they have had. */
static void test_silence_shows(void **state)
{
	(void)state;
	struct chance c;
	ns_t now = 1000 * NS_S;
	chance_init(&c, HALF_LIFE);
	see(&c, 400, 50 * NS_MS, now);
	chance_refresh(&c, now);
	assert_about(chance_within(&c, 500 * NS_MS), 1, 0.01);
	chance_running_begin(&c);
	for (int i = 0; i < 50; i++)
		chance_running(&c, 400 * NS_MS);
	chance_refresh(&c, now + 400 * NS_MS);
	double soon = chance_within(&c, 300 * NS_MS);
	assert_true(soon < 0.8);
	/* Fifty more each second, and none of them ends. */
	for (int s = 1; s < 10; s++) {
		chance_running_begin(&c);
		for (int i = 0; i < 50 * s; i++)
			chance_running(&c, (1 + i / 50) * NS_S);
		chance_refresh(&c, now + s * NS_S);
		assert_true(s == 1 || chance_within(&c, 300 * NS_MS) < soon);
		soon = chance_within(&c, 300 * NS_MS);
	}
	assert_true(soon < 0.3);
}

/* Of calls begun alike, 1 in 5 takes 4 s: those at work are nearly all such, and are no more
 * than 1 in 5 of what begins. */
static void test_long_ones_count_once(void **state)
{
	(void)state;
	struct chance c;
	ns_t step = 10 * NS_MS, now = 0;
	chance_init(&c, HALF_LIFE);
	for (int i = 0; i < 4000; i++, now += step) {
		if (i % 5 && i >= 5)
			chance_done(&c, 50 * NS_MS, now);
		if (i % 5 == 0 && i >= 400)
			chance_done(&c, 4 * NS_S, now);
	}
	chance_running_begin(&c);
	for (int i = 0; i < 400; i += 5)
		chance_running(&c, i * step);
	chance_refresh(&c, now);
	assert_about(chance_within(&c, NS_S), 0.8, 0.03);
	assert_about((double)chance_mean(&c) / NS_MS, 840, 90);
}

/* We hang up at 300 ms each time: what nobody saw the end of has lasted for so long at least. */
static void test_gone_is_not_over(void **state)
{
	(void)state;
	struct chance c;
	chance_init(&c, HALF_LIFE);
	for (int i = 0; i < 75; i++)
		chance_gone(&c, 300 * NS_MS, 0);
	for (int i = 0; i < 25; i++)
		chance_done(&c, 50 * NS_MS, 0);
	chance_refresh(&c, 0);
	assert_about(chance_within(&c, 200 * NS_MS), 0.25, 0.02);
	chance_init(&c, HALF_LIFE);
	for (int i = 0; i < 100; i++)
		chance_gone(&c, 300 * NS_MS, 0);
	chance_refresh(&c, 0);
	assert_about(chance_within(&c, 200 * NS_MS), 0, 0.02);
	assert_false(chance_knows_ends(&c));
}

static void test_what_was_seen_fades(void **state)
{
	(void)state;
	struct chance c;
	ns_t now = 1000 * NS_S;
	chance_init(&c, HALF_LIFE);
	for (int i = 0; i < 100; i++)
		chance_done(&c, 4 * NS_S, now);
	now += 20 * NS_S; /* four half-lives: one in sixteen of them is left */
	for (int i = 0; i < 10; i++)
		chance_done(&c, 50 * NS_MS, now);
	chance_refresh(&c, now);
	double old = 100.0 / 16 * exp2(-4.0 / 5), fresh = 10 * exp2(-0.01);
	assert_about(chance_within(&c, NS_S), fresh / (old + fresh), 0.02);
}

/* `n` calls begun one each 20 ms, none of them over at `now`; all else was over in 50 ms. */
static void see_at_work(struct chance *c, int n, ns_t now)
{
	chance_running_begin(c);
	for (int i = 0; i < n; i++)
		chance_running(c, 20 * NS_MS * i);
	chance_refresh(c, now);
}

/* Every fifth one is long, of which some are at work. */
static void learn(struct chance *c, ns_t now)
{
	chance_init(c, HALF_LIFE);
	for (int i = 0; i < 300; i++)
		chance_done(c, i % 5 ? 50 * NS_MS : 4 * NS_S, now);
	chance_refresh(c, now);
}

static void test_what_is_refuted_counts_no_more(void **state)
{
	(void)state;
	struct chance c;
	ns_t now = 1000 * NS_S;
	learn(&c, now);
	see_at_work(&c, 8, now + 160 * NS_MS); /* may be by chance */
	assert_true(chance_within(&c, NS_S) > 0.7);
	learn(&c, now);
	see_at_work(&c, 40, now + 800 * NS_MS);
	assert_true(chance_within(&c, NS_S / 2) < 0.1);
	/* Nothing is begun anew: the same does not count twice. */
	double after = c.over[0], at_50_ms = chance_within(&c, 60 * NS_MS);
	see_at_work(&c, 40, now + 800 * NS_MS);
	assert_true(c.over[0] >= after);
	assert_about(chance_within(&c, 60 * NS_MS), at_50_ms, 0.01);
}

/* Five in a row that should be over are enough, and one that ends, of those begun since, is too. */
static void test_what_is_in_question(void **state)
{
	(void)state;
	struct chance c;
	ns_t now = 1000 * NS_S;
	learn(&c, now);
	see_at_work(&c, 3, now + 200 * NS_MS);
	assert_false(chance_is_in_question(&c));
	see_at_work(&c, 8, now + 200 * NS_MS);
	assert_true(chance_is_in_question(&c));
	assert_true(chance_within(&c, NS_S) > 0.7);
	see_at_work(&c, 1, now + 200 * NS_MS);
	assert_true(chance_is_in_question(&c));
	chance_done(&c, 10 * NS_S, now + 200 * NS_MS); /* it was begun long before */
	assert_true(chance_is_in_question(&c));
	chance_done(&c, 50 * NS_MS, now + 200 * NS_MS);
	assert_false(chance_is_in_question(&c));
}

/* Those at work are older than one that has ended: long ones, of which nothing new is learned. */
static void test_what_was_overtaken_refutes_nothing(void **state)
{
	(void)state;
	struct chance c;
	ns_t now = 1000 * NS_S;
	learn(&c, now);
	chance_done(&c, 50 * NS_MS, now + 800 * NS_MS);
	see_at_work(&c, 40, now + 800 * NS_MS);
	assert_true(chance_within(&c, NS_S) > 0.6);
}

/* The weights grow without end; the answers stay. */
static void test_years_of_it(void **state)
{
	(void)state;
	struct chance c;
	ns_t now = 0;
	chance_init(&c, HALF_LIFE);
	for (int i = 0; i < 200000; i++, now += NS_S)
		chance_done(&c, i % 2 ? 50 * NS_MS : 300 * NS_MS, now);
	chance_refresh(&c, now);
	double p = chance_within(&c, 100 * NS_MS);
	assert_true(p > 0.4 && p < 0.9);
}

/* All run, none has ended: who has run for long is not taken to end soon. */
static void test_the_unseen_is_not_near(void **state)
{
	(void)state;
	struct chance c;
	ns_t now = 1000 * NS_S;
	chance_init(&c, HALF_LIFE);
	chance_running_begin(&c);
	for (int i = 0; i < 50; i++)
		chance_running(&c, 2 * NS_S);
	chance_refresh(&c, now);
	assert_about(chance_within(&c, 2 * NS_S), 0, 0.05);
	assert_about(chance_within(&c, 4 * NS_S), 0.5, 0.05);
	struct chance_frees soon = chance_frees(&c, 100 * NS_MS);
	assert_true(soon.mean > 0.5 && soon.mean < 5);
}

/* Calls that all take 4 s end when they are 4 s old, and not a tenth of a second before. */
static void test_ends_are_known_closely(void **state)
{
	(void)state;
	struct chance c;
	ns_t now = 1000 * NS_S;
	chance_init(&c, HALF_LIFE);
	see(&c, 100, 4 * NS_S, now);
	chance_running_begin(&c);
	for (int i = 0; i < 50; i++)
		chance_running(&c, 3500 * NS_MS);
	chance_refresh(&c, now);
	assert_true(chance_frees(&c, 440 * NS_MS).mean < 1);
	assert_true(chance_frees(&c, 560 * NS_MS).mean > 45);
}

/* 50 slots, calls of 100 ms, ages spread evenly: 500 come free a second. */
static void test_slots_come_free(void **state)
{
	(void)state;
	struct chance c;
	ns_t now = 1000 * NS_S;
	chance_init(&c, HALF_LIFE);
	see(&c, 1000, 100 * NS_MS, now);
	chance_running_begin(&c);
	for (int i = 0; i < 50; i++)
		chance_running(&c, i * 2 * NS_MS);
	chance_refresh(&c, now);
	assert_about(chance_frees(&c, NS_S).mean, 500, 60);
	assert_about(chance_frees(&c, NS_S / 2).mean, 250, 40);
	assert_about(chance_frees(&c, 0).mean, 0, 0);
	/* Much shorter than what is asked for: 50 slots of 1 ms. */
	chance_init(&c, HALF_LIFE);
	see(&c, 1000, NS_MS, now);
	chance_running_begin(&c);
	for (int i = 0; i < 50; i++)
		chance_running(&c, NS_MS / 2);
	chance_refresh(&c, now);
	assert_true(chance_frees(&c, NS_S).mean > 0.8 * 50000);
	/* All of them stuck in what is known to last for 4 s. */
	see(&c, 1000, 4 * NS_S, now);
	chance_running_begin(&c);
	for (int i = 0; i < 50; i++)
		chance_running(&c, NS_S);
	chance_refresh(&c, now);
	assert_about(chance_frees(&c, NS_S).mean, 0, 0.5);
}

/* --- how sure it is --- */

#define SLOTS 50

struct served {
	ns_t since[SLOTS], takes[SLOTS];
	uint64_t begun;
};

/* 20 s of 50 slots that are never free: every fifth call is long, in turns or by draw. The others take
 * 2 ms longer in every other half second: that is no reason to be less sure of what they all do. */
static void serve(struct chance *c, struct served *s, bool in_turns)
{
	for (ns_t now = NS_S; now < 21 * NS_S; now += NS_MS) {
		ns_t quick_for = (50 + 2 * (now / (NS_S / 2) % 2)) * NS_MS;
		for (int i = 0; i < SLOTS; i++) {
			if (s->since[i] && now - s->since[i] < s->takes[i])
				continue;
			if (s->since[i])
				chance_done(c, now - s->since[i], now);
			uint64_t n = s->begun++;
			bool is_long = (in_turns ? n : rng_mix(5, n)) % 5 == 4;
			s->since[i] = now;
			s->takes[i] = is_long ? 2 * NS_S : quick_for;
		}
		if (now % (20 * NS_MS))
			continue;
		chance_running_begin(c);
		for (int i = 0; i < SLOTS; i++)
			chance_running(c, now - s->since[i]);
		chance_refresh(c, now);
	}
}

static void test_calls_in_turns_are_surer(void **state)
{
	(void)state;
	struct chance turns, drawn;
	struct served s = { .begun = 0 }, t = { .begun = 0 };
	chance_init(&turns, HALF_LIFE);
	chance_init(&drawn, HALF_LIFE);
	assert_about(chance_scatter(&turns), 1, 0);
	serve(&turns, &s, true);
	serve(&drawn, &t, false);
	print_message("scatter: in turns %.3f, drawn %.3f\n", chance_scatter(&turns),
		chance_scatter(&drawn));
	assert_true(chance_scatter(&turns) < 0.4);
	assert_true(chance_scatter(&drawn) > 0.6);
	struct chance_frees a = chance_frees(&turns, NS_S),
			    b = chance_frees(&drawn, NS_S);
	assert_true(a.variance / a.mean < b.variance / b.mean / 2);
}

/* All of them last on, 2 s beyond the longest: what was learned is refuted, how sure it was too. */
static void test_no_longer_sure(void **state)
{
	(void)state;
	struct chance c;
	struct served s = { .begun = 0 };
	chance_init(&c, HALF_LIFE);
	serve(&c, &s, true);
	assert_true(chance_scatter(&c) < 0.4);
	for (ns_t now = 21 * NS_S; now < 24 * NS_S; now += 20 * NS_MS) {
		chance_running_begin(&c);
		for (int i = 0; i < SLOTS; i++)
			chance_running(&c, now - 21 * NS_S);
		chance_refresh(&c, now);
	}
	assert_about(chance_scatter(&c), 1, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_unknown_is_tried),
		TEST(test_share_in_time),
		TEST(test_never_falls_with_time),
		TEST(test_silence_shows),
		TEST(test_long_ones_count_once),
		TEST(test_gone_is_not_over),
		TEST(test_what_was_seen_fades),
		TEST(test_what_is_refuted_counts_no_more),
		TEST(test_what_is_in_question),
		TEST(test_what_was_overtaken_refutes_nothing),
		TEST(test_years_of_it),
		TEST(test_the_unseen_is_not_near),
		TEST(test_ends_are_known_closely),
		TEST(test_slots_come_free),
		TEST(test_calls_in_turns_are_surer),
		TEST(test_no_longer_sure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What refusals tell of a wall, a rule at a time; how well it is followed is shown in
 * tests/sim/test_limit.c. */
#include "flow/wall.h"
#include "tests/unit/base/unit.h"

#include <math.h>

#define T0 (100 * NS_S)

static struct wall made(void)
{
	struct wall w;
	wall_init(&w);
	return w;
}

/* As flow/limit.c does it. */
static double refuse(struct wall *w, ns_t now, double stand, struct wall_refusal r)
{
	double left = (double)r.level - 1 < stand ? wall_cut(w, now, stand, &r) : stand;
	wall_note_refused(w, now, &r);
	return left;
}

static struct wall_refusal at(ns_t sent_at, uint32_t level)
{
	return (struct wall_refusal){ sent_at, level, WALL_UNASKED };
}

static void test_a_cut_to_what_the_server_has(void **state)
{
	(void)state;
	struct wall w = made();
	assert_int_equal((int)refuse(&w, T0, 100, at(T0 - 1, 100)), 99);
	assert_int_equal(w.took, 99);
	/* Sent before the cut was in force: one by one, however many there are. */
	assert_int_equal((int)refuse(&w, T0 + 1, 99, at(T0 - 2, 98)), 97);
	assert_int_equal((int)refuse(&w, T0 + 2, 97, at(T0 - 2, 95)), 94);
	assert_int_equal((int)refuse(&w, T0 + 3, 94, at(T0 - 2, 99)), 94);
	assert_int_equal(w.took, 94);
}

/* A wall that is halved: few are refused, and it ends little below. */
static void test_a_series_deepens(void **state)
{
	(void)state;
	static const uint32_t walls[] = { 3, 25, 50, 500, 5000 };
	for (size_t i = 0; i < ARRAY_LEN(walls); i++) {
		struct wall w = made();
		double wall = walls[i], stand = 2 * wall;
		uint32_t refusals = 0;
		ns_t now = T0;
		while (stand > wall) {
			now += 100 * NS_MS;
			stand = refuse(&w, now, stand, at(now - 1, (uint32_t)stand));
			refusals++;
		}
		assert_true(stand >= wall * 7 / 8 - 1);
		assert_true(refusals <= 6 + 2 * log2(wall));
	}
}

/* The next one after a rest is news: it cuts to what the server has, no more. */
static void test_a_rest_ends_a_series(void **state)
{
	(void)state;
	struct wall w = made();
	double stand = refuse(&w, T0, 100, at(T0 - 1, 100));
	stand = refuse(&w, T0 + NS_MS, stand, at(T0, 99));
	assert_int_equal((int)stand, 97);
	w.over_at = T0 + 900 * NS_MS; /* the calls from before are still there */
	assert_int_equal(
		(int)refuse(&w, T0 + 1800 * NS_MS, stand, at(T0 + NS_S, 90)), 87);
	w.over_at = T0 + 1900 * NS_MS;
	assert_int_equal((int)refuse(&w, T0 + 3 * NS_S, 87, at(T0 + 2 * NS_S, 80)), 79);
}

/* From the first refusal that nobody asked for, until none has come for half a second. */
static void test_for_how_long_it_falls(void **state)
{
	(void)state;
	struct wall w = made();
	assert_false(wall_falls(&w, T0));
	double stand = refuse(
		&w, T0, 100, (struct wall_refusal){ T0 - 1, 100, WALL_BY_GROWTH });
	assert_false(wall_falls(&w, T0));
	stand = refuse(&w, T0 + NS_S, stand, at(T0 + NS_S - 1, 90));
	assert_true(wall_falls(&w, T0 + 1400 * NS_MS));
	assert_false(wall_falls(&w, T0 + 1600 * NS_MS));
	w.over_at = T0 + 1700 * NS_MS; /* the calls from before are still there */
	assert_true(wall_falls(&w, T0 + 2 * NS_S));
	struct wall held = w;
	wall_passed(&w, stand + 1);
	assert_false(wall_falls(&w, T0 + 2 * NS_S));
	wall_held(&held, T0 + 2 * NS_S); /* it falls on, whatever became of a trial */
	assert_true(wall_falls(&held, T0 + 2 * NS_S));
	wall_held(&held, T0 + 3 * NS_S);
	held.over_at = T0 + 3 * NS_S; /* the trial itself, on its way out */
	assert_false(wall_falls(&held, T0 + 3 * NS_S));
}

static void test_the_ceiling(void **state)
{
	(void)state;
	struct wall w = made();
	assert_true(w.ceiling > UINT32_MAX);
	refuse(&w, T0, 100, at(T0 - 2, 50));
	assert_int_equal((int)w.ceiling, 49);
	refuse(&w, T0, 49, at(T0 - 2, 60)); /* older news */
	assert_int_equal((int)w.ceiling, 49);
	wall_passed(&w, 45);
	assert_int_equal((int)w.ceiling, 49);
	wall_passed(&w, 50);
	assert_true(w.ceiling > UINT32_MAX);
}

static void test_trials_are_earned(void **state)
{
	(void)state;
	struct wall w = made();
	const struct wall_refusal trial = { T0, 101, WALL_BY_TRIAL };
	refuse(&w, T0, 101, trial); /* met for the first time: free */
	ns_t now = T0 + WALL_MOVED_FOR;
	for (int i = 0; i < WALL_CALLS_A_TRY - 1; i++)
		wall_sent(&w);
	assert_false(wall_may_try(&w, 100, now));
	wall_sent(&w);
	wall_sent(&w); /* a float's last bit */
	assert_true(wall_may_try(&w, 100, now));
	wall_note_refused(&w, now, &trial);
	assert_false(wall_may_try(&w, 100, now));
	for (int i = 0; i < 10 * WALL_CALLS_A_TRY; i++)
		wall_sent(&w);
	wall_note_refused(&w, now, &trial); /* none is saved up */
	assert_false(wall_may_try(&w, 100, now));
}

static void test_a_wall_that_came_down_is_asked_often(void **state)
{
	(void)state;
	static const int gaps[] = { 500, 1000, 2000, 4000, 4000 };
	struct wall w = made();
	refuse(&w, T0, 100, at(T0, 100));
	assert_false(wall_may_return(&w, 99, T0));
	assert_int_equal(wall_wait(&w, 99, T0), WALL_TRY_NEW);
	ns_t now = T0 + 60 * NS_S;
	refuse(&w, now, 99, at(now, 50)); /* a half of it is gone */
	double debt = w.tokens;
	for (size_t i = 0; i < ARRAY_LEN(gaps); i++) {
		assert_true(wall_may_try(&w, 49, now));
		assert_int_equal(wall_wait(&w, 49, now), gaps[i] * NS_MS);
		wall_note_refused(
			&w, now, &(struct wall_refusal){ now, 50, WALL_BY_TRIAL });
	}
	assert_true(w.tokens >= debt);
	now += WALL_MOVED_FOR;
	assert_false(wall_may_try(&w, 49, now));
	assert_int_equal(wall_wait(&w, 49, now), WALL_TRY_EACH);
}

/* Growing until refused is no news of a wall that came down. */
static void test_what_was_asked_for_has_not_moved(void **state)
{
	(void)state;
	struct wall w = made();
	ns_t now = T0 + 60 * NS_S;
	refuse(&w, T0, 100, at(T0, 100));
	refuse(&w, now, 99, (struct wall_refusal){ now, 60, WALL_BY_GROWTH });
	assert_false(wall_may_return(&w, 59, now));
}

/* Trials at `wall`, refused as they are due; returns how many calls were sent for the last. */
static uint32_t refuse_trials(struct wall *w, ns_t *now, uint32_t wall, int n)
{
	uint32_t sent = 0;
	for (int i = 0; i < n; i++) {
		*now += wall_wait(w, wall, *now);
		for (sent = 0; !wall_may_try(w, wall, *now); sent++)
			wall_sent(w);
		refuse(w, *now, wall,
			(struct wall_refusal){ *now, wall + 1, WALL_BY_TRIAL });
	}
	return sent;
}

/* It was met, and tried. */
static struct wall standing(ns_t *now, uint32_t wall)
{
	struct wall w = made();
	refuse(&w, *now, wall + 1,
		(struct wall_refusal){ *now, wall + 1, WALL_BY_GROWTH });
	*now += WALL_MOVED_FOR;
	refuse_trials(&w, now, wall, 1);
	return w;
}

static void test_a_wall_stands_after_a_trial(void **state)
{
	(void)state;
	ns_t now = T0;
	struct wall w = made();
	refuse(&w, now, 51, (struct wall_refusal){ now, 51, WALL_BY_GROWTH });
	now += WALL_MOVED_FOR;
	assert_false(wall_stands(&w, now));
	assert_true(refuse_trials(&w, &now, 50, 1) <= WALL_CALLS_A_TRY + 1);
	assert_true(wall_stands(&w, now));
	assert_int_equal(refuse_trials(&w, &now, 50, 1), WALL_CALLS_STANDING);
	assert_int_equal(refuse_trials(&w, &now, 50, 3), WALL_CALLS_STANDING);
}

/* A server that was gone may be back with another: one trial tells. */
static void test_a_wall_that_was_gone_is_tried(void **state)
{
	(void)state;
	ns_t now = T0;
	struct wall w = standing(&now, 50);
	for (int i = 0; i < 2 * WALL_CALLS_A_TRY; i++)
		wall_sent(&w);
	assert_false(wall_may_try(&w, 50, now));
	wall_doubt(&w);
	assert_true(wall_may_try(&w, 50, now));
	refuse(&w, now, 51, (struct wall_refusal){ now, 51, WALL_BY_TRIAL });
	wall_wait(&w, 50, now);
	assert_true(wall_stands(&w, now));
	assert_int_equal(refuse_trials(&w, &now, 50, 1), WALL_CALLS_STANDING);
}

/* Growing into a wall finds it; that it stands is shown by trials. */
static void test_growth_confirms_nothing(void **state)
{
	(void)state;
	struct wall w = made();
	for (int i = 0; i < 3; i++)
		refuse(&w, T0, 51, (struct wall_refusal){ T0, 51, WALL_BY_GROWTH });
	assert_false(wall_stands(&w, T0 + WALL_RESTLESS_FOR));
}

/* Moves within a tenth, or of one call: chance, or nothing to be late for. */
static void test_the_same_place(void **state)
{
	(void)state;
	static const struct {
		uint32_t from, to;
		bool same;
	} moves[] = { { 50, 53, true }, { 50, 57, false }, { 50, 46, true },
		{ 50, 40, false }, { 5, 6, true }, { 5, 7, false } };
	for (size_t i = 0; i < ARRAY_LEN(moves); i++) {
		ns_t now = T0;
		struct wall w = standing(&now, moves[i].from);
		wall_passed(&w, moves[i].from + 1);
		refuse_trials(&w, &now, moves[i].to, 2);
		assert_int_equal(wall_stands(&w, now), moves[i].same);
		assert_int_equal(w.restless_until > 0, !moves[i].same);
	}
}

/* However many trials find it there. */
static void test_a_wall_that_moved_is_restless(void **state)
{
	(void)state;
	ns_t now = T0, moved;
	struct wall w = standing(&now, 50);
	wall_passed(&w, 51);
	moved = now;
	refuse(&w, now, 101, (struct wall_refusal){ now, 101, WALL_BY_GROWTH });
	while (now + 10 * NS_S < moved + WALL_RESTLESS_FOR) {
		assert_true(refuse_trials(&w, &now, 100, 1) <= 2 * WALL_CALLS_A_TRY + 1);
		assert_false(wall_stands(&w, now));
	}
	assert_true(wall_stands(&w, moved + WALL_RESTLESS_FOR));
	refuse(&w, now, 100, at(now, 40)); /* and it falls */
	assert_false(wall_stands(&w, moved + WALL_RESTLESS_FOR));
	assert_true(w.restless_until == now + WALL_RESTLESS_FOR);
}

/* While it is met for the first time it is no wall that moves, however often it cuts; one that
 * takes less than a quarter of what was let in before is. */
static void test_a_first_meeting(void **state)
{
	(void)state;
	struct wall w = made();
	for (uint32_t level = 100; level > 60; level--)
		refuse(&w, T0, level, at(T0 - 1, level));
	assert_true(w.restless_until == 0);
	refuse(&w, T0, 61, at(T0 - 1, 10));
	assert_true(w.restless_until == T0 + WALL_RESTLESS_FOR);
}

/* A slot that the server was late to free: one trial more tells whether that was all. */
static void test_a_refusal_by_chance(void **state)
{
	(void)state;
	ns_t now = T0;
	struct wall w = standing(&now, 50);
	refuse(&w, now, 50, at(now, 50));
	assert_false(wall_stands(&w, now));
	assert_true(refuse_trials(&w, &now, 49, 1) <= 2 * WALL_CALLS_A_TRY + 1);
	assert_true(wall_stands(&w, now));
}

static void test_when_a_call_was_taken(void **state)
{
	(void)state;
	struct wall w = made();
	ns_t unknown = wall_taken_after(&w);
	refuse(&w, T0, 100, at(T0 - 100 * NS_MS, 100));
	assert_int_equal(wall_taken_after(&w), 300 * NS_MS);
	for (int i = 0; i < 100; i++)
		refuse(&w, T0, 1, at(T0 - 1, 100));
	assert_true(wall_taken_after(&w) < unknown);
	assert_true(wall_taken_after(&w) >= 10 * NS_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_cut_to_what_the_server_has),
		TEST(test_a_series_deepens),
		TEST(test_a_rest_ends_a_series),
		TEST(test_for_how_long_it_falls),
		TEST(test_the_ceiling),
		TEST(test_trials_are_earned),
		TEST(test_a_wall_that_came_down_is_asked_often),
		TEST(test_what_was_asked_for_has_not_moved),
		TEST(test_a_wall_stands_after_a_trial),
		TEST(test_a_wall_that_was_gone_is_tried),
		TEST(test_growth_confirms_nothing),
		TEST(test_the_same_place),
		TEST(test_a_wall_that_moved_is_restless),
		TEST(test_a_first_meeting),
		TEST(test_a_refusal_by_chance),
		TEST(test_when_a_call_was_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/unit/base/unit.h"
#include "flow/hangup.h"

#define LIMIT 50

struct world {
	struct hangup h;
	struct rng rng;
	ns_t now;
	double notices;    /* chance that a hang-up ends the call */
	double soon_alone; /* chance that a call ends soon by itself */
	uint32_t tried, trusted;
};

static void world_init(struct world *w, uint64_t seed, double notices, double soon_alone)
{
	*w = (struct world){ .now = NS_S, .notices = notices, .soon_alone = soon_alone };
	rng_init(&w->rng, seed);
	hangup_init(&w->h, seed);
}

/* A caller leaves, and HANGUP_SOON goes by. How often minds were changed. */
static int leave(struct world *w)
{
	enum hangup_arm arm = hangup_ask(&w->h, LIMIT, w->now + HANGUP_SOON, w->now);
	bool soon = rng_unit(&w->rng) < w->soon_alone;
	if (arm == HANGUP_TRIED || arm == HANGUP_TRUSTED)
		soon |= rng_unit(&w->rng) < w->notices;
	w->tried += arm == HANGUP_TRIED;
	w->trusted += arm == HANGUP_TRUSTED;
	w->now += HANGUP_SOON;
	return arm != HANGUP_OUT && hangup_ended(&w->h, arm, soon, w->now);
}

static int leave_many(struct world *w, int n)
{
	int changes = 0;
	for (int i = 0; i < n; i++)
		changes += leave(w);
	return changes;
}

static enum hangup_arm ask(struct world *w, ns_t in)
{
	return hangup_ask(&w->h, LIMIT, w->now + in + NS_S, w->now + in);
}

static void assert_says(const struct hangup *h, const char *said)
{
	struct text t;
	text_init(&t);
	hangup_because(h, &t);
	if (!strstr(t.ptr, said))
		fail_msg("'%s' does not say '%s'", t.ptr, said);
	text_fini(&t);
}

static void test_who_notices_is_believed(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct world w;
		world_init(&w, seed, 1, 0);
		assert_false(w.h.frees);
		assert_says(&w.h, "no call was hung up on yet");
		int n = 0;
		while (!leave(&w))
			assert_true(++n < 60);
		assert_true(w.h.frees && w.h.changes == 1);
		assert_int_equal(w.h.cause, HANGUP_BY_TRIAL);
		assert_true(hangup_chance(&w.h) <= HANGUP_CHANCE);
		assert_says(&w.h, "chance alone");
		assert_int_equal(ask(&w, 0), HANGUP_TRUSTED);
	}
}

static void test_who_does_not_is_left_alone(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct world w;
		world_init(&w, seed, 0, 0);
		assert_int_equal(leave_many(&w, 36000), 0); /* an hour */
		assert_false(w.h.frees);
		assert_int_equal(w.h.cause, HANGUP_BY_LATE);
		/* at 10 s, 20 s, 40 s ... */
		assert_true(w.tried >= 1 && w.tried <= 10);
	}
}

/* Calls that end soon by themselves are no evidence. */
static void test_quick_calls_prove_nothing(void **state)
{
	(void)state;
	int believed = 0;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct world w;
		world_init(&w, seed, 0, 0.9);
		believed += leave_many(&w, 2000) > 0;
		world_init(&w, seed, 0, 1);
		assert_int_equal(leave_many(&w, 2000), 0);
	}
	assert_true(believed <= 4);
}

/* The n-th time matters as much as the first. */
static void test_who_notices_at_times_is_not_trusted_for_long(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct world w;
		world_init(&w, seed, 0.5, 0);
		leave_many(&w, 36000);
		assert_true(w.trusted <= 20);
	}
}

static void believe(struct world *w)
{
	world_init(w, 1, 1, 0);
	while (!leave(w))
		;
}

static void test_one_late_end_is_enough(void **state)
{
	struct world w;
	(void)state;
	believe(&w);
	assert_false(hangup_ended(&w.h, HANGUP_TRUSTED, true, w.now));
	assert_true(hangup_ended(&w.h, HANGUP_TRUSTED, false, w.now));
	assert_false(w.h.frees);
	assert_says(&w.h, "had not ended after 100 ms");
	assert_int_equal(ask(&w, 0), HANGUP_OUT);
	assert_int_equal(ask(&w, HANGUP_PAUSE - 1), HANGUP_OUT);
	w.now += HANGUP_PAUSE;
	while (!leave(&w))
		;
	/* twice as long the next time */
	assert_true(hangup_ended(&w.h, HANGUP_TRUSTED, false, w.now));
	assert_int_equal(ask(&w, 2 * HANGUP_PAUSE - 1), HANGUP_OUT);
	assert_true(ask(&w, 2 * HANGUP_PAUSE) != HANGUP_OUT);
}

static void test_what_is_under_watch_is_bounded(void **state)
{
	struct hangup h;
	(void)state;
	hangup_init(&h, 1);
	assert_true(hangup_ask(&h, 5, NS_S, 1) != HANGUP_OUT);
	assert_int_equal(hangup_ask(&h, 5, NS_S, 1), HANGUP_OUT);
	for (int i = 0; i < 3; i++)
		assert_true(hangup_ask(&h, 1000, NS_S, 1) != HANGUP_OUT);
	assert_int_equal(hangup_ask(&h, 1000, NS_S, 1), HANGUP_OUT);
}

/* Of so many calls that leave at `at` and would end at `until`, how many are hung up on. */
static uint32_t hung_up(struct world *w, uint32_t n, ns_t until, ns_t at)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < n; i++)
		count += hangup_ask(&w->h, LIMIT, until, at) == HANGUP_TRUSTED;
	return count;
}

static void test_trust_grows_as_nothing_is_refused(void **state)
{
	struct world w;
	(void)state;
	believe(&w);
	ns_t at = w.now + NS_S;
	assert_int_equal(hung_up(&w, 10, at + 4 * NS_S, at), 1);
	assert_int_equal(hung_up(&w, 10, at + 4 * NS_S, at + 4 * NS_S - 1), 0);
	/* not by time alone */
	at += 4 * NS_S;
	assert_int_equal(hung_up(&w, 10, at + 4 * NS_S, at), 1);
	for (uint32_t trust = 2; trust < HANGUP_TRUST_MAX; trust *= 2) {
		hangup_note_served(&w.h);
		at += 4 * NS_S;
		assert_int_equal(hung_up(&w, 100, at + 4 * NS_S, at), trust);
	}
	/* nor for one of which nobody knows how long it takes */
	assert_int_equal(hung_up(&w, 10, 0, at), 0);
	hangup_note_served(&w.h);
	at += 4 * NS_S;
	assert_int_equal(hung_up(&w, 50, at + 4 * NS_S, at), 50);
	assert_int_equal(hung_up(&w, 100, 0, at), HANGUP_RATE_MAX - 50);
	assert_int_equal(hung_up(&w, 100, 0, at + NS_S), HANGUP_RATE_MAX);
}

static void test_a_refusal_is_paid_for(void **state)
{
	struct world w;
	ns_t until = 0;
	(void)state;
	believe(&w);
	/* none given back: it has other reasons */
	w.now += NS_S;
	hangup_note_took(&w.h, 4 * NS_S, w.now);
	assert_false(hangup_note_refused(&w.h, w.now));
	assert_true(w.h.frees);
	assert_true(hangup_owes(&w.h, w.now, &until));
	assert_int_equal(until, w.now + HANGUP_MARGIN * 4 * NS_S);
	assert_false(hangup_owes(&w.h, w.now, &until));
	w.now += NS_S;
	assert_int_equal(hung_up(&w, 1, w.now + 4 * NS_S, w.now), 1);
	assert_true(hangup_note_refused(&w.h, w.now + NS_S));
	assert_false(w.h.frees);
	assert_says(&w.h, "refused a call below the limit");
	assert_true(hangup_owes(&w.h, w.now + NS_S, &until));
	assert_true(until >= w.now + 4 * NS_S);
	assert_false(hangup_owes(&w.h, w.now + NS_S, &until));
}

static void test_the_longest(void **state)
{
	struct hangup h;
	(void)state;
	hangup_init(&h, 1);
	assert_int_equal(hangup_longest(&h), 0);
	hangup_note_took(&h, 4 * NS_S, NS_S);
	hangup_note_took(&h, NS_S, 3000 * NS_S);
	assert_int_equal(hangup_longest(&h), 4 * NS_S);
	hangup_note_took(&h, NS_S, 3602 * NS_S);
	assert_int_equal(hangup_longest(&h), 4 * NS_S);
	hangup_note_took(&h, NS_S, 7203 * NS_S);
	assert_int_equal(hangup_longest(&h), NS_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_who_notices_is_believed),
		TEST(test_who_does_not_is_left_alone),
		TEST(test_quick_calls_prove_nothing),
		TEST(test_who_notices_at_times_is_not_trusted_for_long),
		TEST(test_one_late_end_is_enough),
		TEST(test_what_is_under_watch_is_bounded),
		TEST(test_trust_grows_as_nothing_is_refused),
		TEST(test_a_refusal_is_paid_for),
		TEST(test_the_longest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

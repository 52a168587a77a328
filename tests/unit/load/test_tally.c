#include "tests/unit/base/unit.h"
#include "base/rng.h"
#include "load/tally.h"

#define START (1000 * NS_S)
#define PATIENCE (6 * NS_S)

static int setup(void **state)
{
	*state = tally_new(START, &(struct tally_cfg){ PATIENCE, NS_S, 0 });
	return 0;
}

static int teardown(void **state)
{
	struct tally *t = *state;
	tally_free(&t);
	assert_null(t);
	return 0;
}

static struct tally_times started(struct tally *t, ns_t offset, ns_t lateness)
{
	ns_t real = START + offset + lateness;
	struct tally_times times = { START + offset, real, real };
	tally_start(t, &times);
	return times;
}

static void answered(
	struct tally *t, const struct tally_times *times, uint16_t status, ns_t latency)
{
	tally_answer(t, times, status, SLICE_NONE, times->intended + latency);
}

static void test_good_late_failed(void **state)
{
	struct tally *t = *state;
	struct tally_times a = started(t, 0, 0), b = started(t, 1, 0),
			   c = started(t, 2, 0);
	struct tally_times d = started(t, 3, 0), e = started(t, 4, 0);
	answered(t, &a, 200, PATIENCE); /* just in time */
	answered(t, &b, 304, PATIENCE + 1);
	answered(t, &c, 503, 10);
	tally_failure(t, &d, ERR_RESET, 0, SLICE_NONE, START + 10);
	(void)e;
	tally_finish(t, NS_S);
	assert_int_equal(t->started, 5);
	assert_int_equal(t->good, 1);
	assert_int_equal(t->late, 1);
	assert_int_equal(t->failed, 2);
	assert_int_equal(t->open, 1);
	assert_int_equal(t->statuses[200], 1);
	assert_int_equal(t->statuses[304], 1);
	assert_int_equal(t->statuses[503], 1);
	assert_int_equal(hist_count(t->latency), 3);
	assert_int_equal(hist_count(t->latency_good), 1);
	assert_int_equal(hist_count(t->uncorrected), 3);
	assert_int_equal(hist_count(t->lateness), 5);
}

static void test_which_statuses_are_good(void **state)
{
	struct tally *t = *state;
	static const uint16_t failed[] = { 101, 400, 404, 429, 500, 503, 599, 999 };
	static const uint16_t good[] = { 200, 204, 299, 301, 399 };
	for (size_t i = 0; i < ARRAY_LEN(failed); i++) {
		struct tally_times times = started(t, 0, 0);
		answered(t, &times, failed[i], 1);
	}
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct tally_times times = started(t, 0, 0);
		answered(t, &times, good[i], 1);
	}
	assert_int_equal(t->failed, ARRAY_LEN(failed));
	assert_int_equal(t->good, ARRAY_LEN(good));
}

static void test_latency_counts_from_the_intended_start(void **state)
{
	struct tally *t = *state;
	struct tally_times times = started(t, 0, 30 * NS_MS);
	answered(t, &times, 200, 50 * NS_MS);
	assert_true(hist_max(t->latency) == 50 * NS_MS);
	assert_true(hist_max(t->latency_good) == 50 * NS_MS);
	assert_true(hist_max(t->uncorrected) == 20 * NS_MS);
	assert_true(hist_max(t->lateness) == 30 * NS_MS);
}

/* What was waited for a connection is the caller's loss and not the generator's. */
static void test_uncorrected_counts_from_the_sending(void **state)
{
	struct tally *t = *state;
	struct tally_times times = started(t, 0, NS_MS);
	times.sent = START + 45 * NS_MS;
	answered(t, &times, 200, 50 * NS_MS);
	assert_true(hist_max(t->latency) == 50 * NS_MS);
	assert_true(hist_max(t->uncorrected) == 5 * NS_MS);
	assert_true(hist_max(t->lateness) == NS_MS);
}

static void test_without_patience_nothing_is_late(void **state)
{
	(void)state;
	struct tally *t = tally_new(START, &(struct tally_cfg){ NS_NEVER, NS_S, 0 });
	struct tally_times times = started(t, 0, 0);
	answered(t, &times, 200, 3000 * NS_S);
	assert_int_equal(t->good, 1);
	tally_free(&t);
}

static void test_steps_hold_what_was_started_in_them(void **state)
{
	struct tally *t = *state;
	struct tally_times first[100], third;
	for (int i = 0; i < 100; i++)
		first[i] = started(t, i * NS_MS, 0);
	third = started(t, 2500 * NS_MS, 0);
	/* The answers come long after their step, in another order. */
	for (int i = 99; i >= 0; i--)
		answered(t, &first[i], 200, 3 * NS_S + (i + 1) * NS_MS);
	answered(t, &third, 200, 7 * NS_S);
	tally_finish(t, 5 * NS_S);

	assert_int_equal(t->step_count, 5);
	assert_int_equal(t->steps[0].started, 100);
	assert_int_equal(t->steps[0].good, 100);
	assert_true(t->steps[0].p50 == 3 * NS_S + 50 * NS_MS);
	assert_true(t->steps[0].p99 == 3 * NS_S + 99 * NS_MS);
	assert_true(t->steps[0].max == 3 * NS_S + 100 * NS_MS);
	assert_int_equal(t->steps[1].started, 0);
	assert_true(t->steps[1].p50 == NS_NEVER);
	assert_int_equal(t->steps[2].late, 1);
	assert_true(t->steps[2].p50 == 7 * NS_S);
	assert_int_equal(t->steps[4].started, 0);
}

/* A step that is over gives its samples back at once. */
static void test_steps_settle_as_the_run_goes_on(void **state)
{
	struct tally *t = *state;
	for (int second = 0; second < 100; second++) {
		struct tally_times times = started(t, second * NS_S, 0);
		answered(t, &times, 200, NS_MS);
	}
	for (int i = 0; i < 99; i++) {
		assert_true(t->steps[i].settled);
		assert_null(t->steps[i].samples_us);
	}
	assert_false(t->steps[99].settled); /* more may start in it */
}

static void test_error_texts_are_kept(void **state)
{
	struct tally *t = *state;
	struct slice refusal = SLICE("The connection cannot be served because "
				     "Server.Concurrency limit exceeded");
	for (int i = 0; i < 3; i++) {
		struct tally_times times = started(t, i, 0);
		tally_answer(t, &times, 503, refusal, START + 10 + i);
	}
	struct tally_times times = started(t, 5, 0);
	tally_failure(t, &times, ERR_DEADLINE, 0, SLICE_NONE, START + 20);
	const struct words_entry *e = words_nth(t->words, 0);
	assert_int_equal(e->count, 3);
	assert_int_equal(e->status, 503);
	assert_int_equal(e->kind, ERR_OK);
	assert_true(e->refusal);
	assert_int_equal(e->text_len, refusal.len);
	assert_memory_equal(e->text, refusal.ptr, refusal.len);
	e = words_nth(t->words, 1);
	assert_int_equal(e->kind, ERR_DEADLINE);
	assert_int_equal(e->count, 1);
	assert_false(e->refusal);
}

/* A good answer's text is nobody's failure. */
static void test_good_answers_leave_no_words(void **state)
{
	struct tally *t = *state;
	struct tally_times a = started(t, 0, 0), b = started(t, 0, 0);
	answered(t, &a, 200, 1);
	answered(t, &b, 200, PATIENCE + 1);
	assert_null(words_nth(t->words, 0));
}

/* Any order of events: the sums agree, over the run and over its steps. */
static void test_sums_agree_whatever_happens(void **state)
{
	struct tally *t = *state;
	enum { OPEN = 200, ROUNDS = 20000 };
	static struct tally_times open[OPEN];
	struct rng rng;
	uint32_t n = 0;
	ns_t at = 0;
	rng_init(&rng, 42);
	for (int i = 0; i < ROUNDS; i++) {
		if (n < OPEN && (n == 0 || rng_below(&rng, 2))) {
			at += (ns_t)rng_below(&rng, 3 * NS_MS);
			open[n++] = started(t, at, (ns_t)rng_below(&rng, NS_MS));
			continue;
		}
		uint32_t which = (uint32_t)rng_below(&rng, n);
		ns_t now = START + at + (ns_t)rng_below(&rng, 8 * NS_S);
		if (rng_below(&rng, 10) == 0)
			tally_failure(t, &open[which], ERR_EOF, 0, SLICE_NONE, now);
		else
			tally_answer(t, &open[which],
				(uint16_t)(200 + 100 * rng_below(&rng, 4)), SLICE_NONE,
				now);
		open[which] = open[--n];
	}
	tally_finish(t, at + 1);
	assert_int_equal(t->open, n);
	assert_int_equal(t->started, t->good + t->late + t->failed + n);
	uint64_t started_sum = 0, ended = 0, statuses = 0, told = words_dropped(t->words);
	for (uint32_t i = 0; i < t->step_count; i++) {
		const struct tally_step *s = &t->steps[i];
		started_sum += s->started;
		ended += s->good + s->late + s->failed;
		assert_true(s->settled);
	}
	for (int i = 0; i < TALLY_STATUSES; i++)
		statuses += t->statuses[i];
	const struct words_entry *e;
	for (uint32_t i = 0; (e = words_nth(t->words, i)); i++)
		told += e->count;
	assert_int_equal(started_sum, t->started);
	assert_int_equal(ended, t->started - n);
	assert_int_equal(statuses, hist_count(t->latency));
	assert_int_equal(told, t->failed);
}

/* What was due in the warm-up stands in the time line, and in no other figure. */
static void test_warm_up(void **state)
{
	struct tally *t = tally_new(
		START, &(struct tally_cfg){ NS_NEVER, NS_S, 2 * NS_S });
	struct tally_times early = { START + NS_S, START + NS_S, START + NS_S };
	struct tally_times later = { START + 2 * NS_S, START + 2 * NS_S,
		START + 2 * NS_S };
	(void)state;
	tally_start(t, &early);
	assert_int_equal(t->started, 0);
	tally_start(t, &later);
	assert_int_equal(t->started, 1);
	assert_int_equal(t->open, 2);
	assert_int_equal(tally_unanswered(t), 1);
	tally_answer(t, &early, 503, SLICE("full"), START + 3 * NS_S);
	tally_answer(t, &later, 200, SLICE(""), START + 3 * NS_S);
	tally_finish(t, 3 * NS_S);
	assert_int_equal(t->good, 1);
	assert_int_equal(t->failed, 0);
	assert_int_equal(t->statuses[503], 0);
	assert_int_equal(hist_count(t->latency), 1);
	assert_null(words_nth(t->words, 0));
	assert_int_equal(t->steps[1].failed, 1);
	assert_int_equal(t->steps[2].good, 1);
	tally_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_warm_up),
		TEST_AROUND(test_good_late_failed),
		TEST_AROUND(test_which_statuses_are_good),
		TEST_AROUND(test_latency_counts_from_the_intended_start),
		TEST_AROUND(test_uncorrected_counts_from_the_sending),
		TEST_AROUND(test_without_patience_nothing_is_late),
		TEST_AROUND(test_steps_hold_what_was_started_in_them),
		TEST_AROUND(test_steps_settle_as_the_run_goes_on),
		TEST_AROUND(test_error_texts_are_kept),
		TEST_AROUND(test_good_answers_leave_no_words),
		TEST_AROUND(test_sums_agree_whatever_happens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/unit/base/unit.h"
#include "flow/health.h"

#define START (100 * NS_S)

static struct health h[16];
static struct health_set set;

static void begin(uint32_t n)
{
	set = (struct health_set){ .n = n, .share = 0.5 };
	for (uint32_t i = 0; i < n; i++) {
		health_init(&h[i], START);
		set.all[i] = &h[i];
	}
}

static bool note(uint32_t nth, enum health_sign sign, ns_t at)
{
	return health_note(&set, &h[nth], sign, at, 0, at);
}

static uint32_t out(void)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < set.n; i++)
		n += h[i].state != HEALTH_IN;
	return n;
}

static void test_five_in_a_row(void **state)
{
	(void)state;
	begin(3);
	for (int i = 0; i < 4; i++)
		assert_false(note(0, HEALTH_BAD, START));
	assert_false(note(0, HEALTH_GOOD, START));
	for (int i = 0; i < 4; i++)
		assert_false(note(0, HEALTH_BAD, START));
	assert_true(note(0, HEALTH_BAD, START));
	assert_int_equal(h[0].state, HEALTH_OUT);
	assert_int_equal(h[0].why, HEALTH_FAILS);
	assert_int_equal(h[0].until, START + HEALTH_OUT_FOR);
}

static void test_one_connect_that_failed(void **state)
{
	(void)state;
	begin(2);
	assert_true(note(1, HEALTH_GONE, START));
	assert_int_equal(h[1].why, HEALTH_UNREACHABLE);
	/* the last one stays, whatever happens */
	for (int i = 0; i < 100; i++)
		assert_false(note(0, HEALTH_GONE, START));
}

static void test_alone_it_stays(void **state)
{
	(void)state;
	begin(1);
	for (int i = 0; i < 100; i++)
		assert_false(note(0, HEALTH_GONE, START));
	assert_int_equal(out(), 0);
}

static void test_no_more_than_half(void **state)
{
	(void)state;
	for (uint32_t n = 1; n <= 16; n++) {
		begin(n);
		for (uint32_t i = 0; i + 1 < n; i++)
			for (int k = 0; k < 20; k++)
				(void)note(i, k % 2 ? HEALTH_GONE : HEALTH_BAD, START);
		assert_int_equal(out(), n / 2);
	}
	begin(4);
	set.share = 0;
	assert_false(note(0, HEALTH_GONE, START));
	set.share = 1;
	for (uint32_t i = 0; i < 4; i++)
		(void)note(i, HEALTH_GONE, START);
	assert_int_equal(out(), 3);
}

/* A database behind all of them is down: none is to blame. */
static void test_what_befalls_all(void **state)
{
	(void)state;
	begin(4);
	for (int k = 0; k < 100; k++)
		for (uint32_t i = 0; i < 4; i++)
			assert_false(note(i, HEALTH_BAD, START + k * NS_MS));
	assert_int_equal(out(), 0);
}

static void test_it_comes_back_by_a_trial(void **state)
{
	ns_t at = START;
	(void)state;
	begin(3);
	assert_true(note(0, HEALTH_GONE, at));
	assert_false(health_is_due(&h[0], at + HEALTH_OUT_FOR - 1));
	at += HEALTH_OUT_FOR;
	assert_true(health_is_due(&h[0], at));
	/* one call at a time */
	health_try(&h[0], at);
	assert_false(health_is_due(&h[0], at));
	/* what was sent before tells nothing */
	assert_false(health_note(&set, &h[0], HEALTH_GOOD, START, 0, at + NS_MS));
	assert_int_equal(h[0].state, HEALTH_TRIAL);
	/* a trial nobody waits for any more is none */
	assert_true(health_is_due(&h[0], at + HEALTH_TRIAL_FOR));
	assert_true(note(0, HEALTH_GOOD, at + NS_S));
	assert_int_equal(h[0].state, HEALTH_IN);
}

static void test_out_for_twice_as_long_each_time(void **state)
{
	const int seconds[] = { 10, 20, 40, 80, 160, 300, 300 };
	ns_t at = START;
	(void)state;
	begin(3);
	assert_true(note(0, HEALTH_GONE, at));
	for (size_t i = 0; i < ARRAY_LEN(seconds); i++) {
		assert_int_equal(h[0].until - at, seconds[i] * NS_S);
		at = h[0].until;
		health_try(&h[0], at);
		assert_true(note(0, i % 2 ? HEALTH_BAD : HEALTH_GONE, at));
	}
	/* well for a moment: it goes on where it was */
	at = h[0].until;
	health_try(&h[0], at);
	assert_true(note(0, HEALTH_GOOD, at));
	assert_true(note(0, HEALTH_GONE, at + NS_S));
	assert_int_equal(h[0].until - at - NS_S, HEALTH_OUT_MOST);
	/* well for as long as it was out: anew */
	at = h[0].until;
	health_try(&h[0], at);
	assert_true(note(0, HEALTH_GOOD, at));
	at += HEALTH_OUT_MOST;
	assert_true(note(0, HEALTH_GONE, at));
	assert_int_equal(h[0].until - at, HEALTH_OUT_FOR);
	assert_int_equal(h[0].out, 10);
}

static void test_jitter(void **state)
{
	(void)state;
	begin(3);
	assert_true(health_note(&set, &h[0], HEALTH_GONE, START, 0.5, START));
	assert_int_equal(h[0].until - START, HEALTH_OUT_FOR * 105 / 100);
}

/* Of a hundred calls so many fail at the first, so many at each of the others. */
static bool compare(uint32_t first, uint32_t others, int calls)
{
	begin(3);
	for (int k = 0; k < calls; k++)
		for (uint32_t i = 0; i < 3; i++) {
			uint32_t fails = i == 0 ? first : others;
			/* spread evenly, never five in a row */
			bool bad = (uint32_t)k * 37 % 100 < fails;
			(void)note(i, bad ? HEALTH_BAD : HEALTH_GOOD, START);
		}
	assert_true(out() == (h[0].state == HEALTH_OUT));
	return h[0].state == HEALTH_OUT && h[0].why == HEALTH_OUTLIER;
}

static void test_worse_than_the_others(void **state)
{
	(void)state;
	assert_true(compare(50, 1, 200));
	assert_true(compare(30, 2, 200));
	assert_false(compare(8, 0, 1000)); /* not by much */
	assert_false(compare(60, 55, 1000));
	assert_false(compare(50, 50, 1000));
	assert_false(compare(50, 0, 15)); /* too few to tell */
}

static void test_it_asks_itself(void **state)
{
	(void)state;
	begin(2);
	health_ask(&h[0], START + 30 * NS_S, START);
	health_ask(&h[0], START + 20 * NS_S, START);
	health_ask(&h[1], START + 20 * NS_S, START); /* both may */
	assert_int_equal(out(), 2);
	assert_int_equal(h[0].until, START + 30 * NS_S);
	assert_true(health_is_due(&h[1], START + 20 * NS_S));
	health_try(&h[1], START + 20 * NS_S);
	assert_true(note(1, HEALTH_GOOD, START + 20 * NS_S));
	/* that another one has asked puts nobody out who would be the last */
	assert_false(note(1, HEALTH_GONE, START + 21 * NS_S));
	assert_int_equal(h[0].times, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_five_in_a_row),
		TEST(test_one_connect_that_failed),
		TEST(test_alone_it_stays),
		TEST(test_no_more_than_half),
		TEST(test_what_befalls_all),
		TEST(test_it_comes_back_by_a_trial),
		TEST(test_out_for_twice_as_long_each_time),
		TEST(test_jitter),
		TEST(test_worse_than_the_others),
		TEST(test_it_asks_itself),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

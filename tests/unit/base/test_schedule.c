#include "tests/unit/base/unit.h"

#include <math.h>

#include "base/schedule.h"

#define DAY (24 * 3600 * NS_S)

/* How many starts there will be; of Poisson arrivals the mean. */
static double expected(const struct schedule *s)
{
	return pace_mean(&s->pace) * ((double)s->run_for / (double)NS_S);
}

/* k / rate in exact arithmetic, for rates that are whole per second. */
static ns_t exact_at(uint64_t k, uint64_t rate)
{
	return (ns_t)(k / rate) * NS_S + (ns_t)(k % rate * (uint64_t)NS_S / rate);
}

static void constant_of(struct schedule *s, double rate, ns_t run_for)
{
	schedule_init(s, SCHEDULE_CONSTANT, rate, 1, run_for);
}

static void test_constant_is_exact_over_a_day(void **state)
{
	(void)state;
	struct schedule s;
	constant_of(&s, 997,
		DAY); /* prime: no start falls on a whole nanosecond but 1 in 997 */
	ns_t last = -1;
	uint64_t k = 0;
	for (; schedule_peek(&s) != NS_NEVER; k++) {
		ns_t at = schedule_peek(&s), off = at - exact_at(k, 997);
		if (off < -1 || off > 1 || at <= last)
			fail_msg("start %llu is at %lld, off by %lld ns",
				(unsigned long long)k, (long long)at, (long long)off);
		last = at;
		schedule_take(&s);
	}
	assert_int_equal(k, 997 * 24 * 3600);
	assert_int_equal(s.taken, k);
	assert_true(last < DAY);
}

static void test_constant_at_the_end_of_a_fast_day(void **state)
{
	(void)state;
	struct schedule s;
	constant_of(&s, 1e6 - 17, DAY);
	s.taken = (1000000 - 17) * 86400ULL - 2;
	schedule_take(&s); /* the last */
	ns_t off = schedule_peek(&s) - exact_at(s.taken, 1000000 - 17);
	assert_in_range(off + 1, 0, 2);
	schedule_take(&s);
	assert_true(schedule_peek(&s) == NS_NEVER);
}

static void test_constant_counts(void **state)
{
	(void)state;
	static const struct {
		double rate;
		ns_t run_for;
		uint64_t count;
	} cases[] = {
		{ 160, 10 * NS_S, 1600 },
		{ 1, 1 * NS_S, 1 },
		{ 0.5, 1 * NS_S, 1 }, /* the first is at 0 */
		{ 0.5, 2 * NS_S + 1, 2 },
		{ 3, 10 * NS_S, 30 },
		{ 1000, 1, 1 },
		{ 1e6, NS_MS, 1000 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct schedule s;
		uint64_t n = 0;
		constant_of(&s, cases[i].rate, cases[i].run_for);
		assert_true(schedule_peek(&s) == 0);
		for (; schedule_peek(&s) != NS_NEVER; n++)
			schedule_take(&s);
		assert_int_equal(n, cases[i].count);
	}
}

static void test_poisson_mean_and_spread(void **state)
{
	(void)state;
	struct schedule s;
	double rate = 700, mean = (double)NS_S / rate, sum = 0, squares = 0;
	uint64_t n = 0;
	ns_t last = 0;
	schedule_init(&s, SCHEDULE_POISSON, rate, 7, 1000 * NS_S);
	for (; schedule_peek(&s) != NS_NEVER; n++) {
		double gap = (double)(schedule_peek(&s) - last);
		assert_true(gap >= 0);
		sum += gap;
		squares += gap * gap;
		last = schedule_peek(&s);
		schedule_take(&s);
	}
	/* 700,000 gaps: the mean's own deviation is 0.12 %, that of the spread about 0.2 %. */
	double got = sum / (double)n;
	double deviation = sqrt(squares / (double)n - got * got);
	assert_true(fabs(got / mean - 1) < 0.006);
	assert_true(fabs(deviation / mean - 1) < 0.01);
	assert_true(fabs((double)n / expected(&s) - 1) < 0.006);
}

/* How many fall into each 10 ms varies as it should: variance equals the mean. */
static void test_poisson_counts_are_independent(void **state)
{
	(void)state;
	struct schedule s;
	double sum = 0, squares = 0;
	int cells = 0;
	schedule_init(&s, SCHEDULE_POISSON, 1000, 3, 100 * NS_S);
	for (ns_t end = 10 * NS_MS; end <= 100 * NS_S; end += 10 * NS_MS, cells++) {
		double n = 0;
		while (schedule_peek(&s) < end) {
			n++;
			schedule_take(&s);
		}
		sum += n;
		squares += n * n;
	}
	double mean = sum / cells, variance = squares / cells - mean * mean;
	assert_true(fabs(mean - 10) < 0.2);
	assert_true(fabs(variance / mean - 1) < 0.06);
}

static void test_poisson_is_of_its_seed(void **state)
{
	(void)state;
	struct schedule a, b, c;
	schedule_init(&a, SCHEDULE_POISSON, 100, 5, 10 * NS_S);
	schedule_init(&b, SCHEDULE_POISSON, 100, 5, 10 * NS_S);
	schedule_init(&c, SCHEDULE_POISSON, 100, 6, 10 * NS_S);
	bool differs = false;
	for (int i = 0; i < 500; i++) {
		assert_true(schedule_peek(&a) == schedule_peek(&b));
		differs |= schedule_peek(&a) != schedule_peek(&c);
		schedule_take(&a);
		schedule_take(&b);
		schedule_take(&c);
	}
	assert_true(differs);
}

/* A longer run begins with the shorter one's arrivals. */
static void test_poisson_prefix(void **state)
{
	(void)state;
	struct schedule brief, whole;
	schedule_init(&brief, SCHEDULE_POISSON, 100, 5, 2 * NS_S);
	schedule_init(&whole, SCHEDULE_POISSON, 100, 5, 20 * NS_S);
	for (; schedule_peek(&brief) != NS_NEVER; schedule_take(&brief)) {
		assert_true(schedule_peek(&brief) == schedule_peek(&whole));
		schedule_take(&whole);
	}
	assert_true(schedule_peek(&whole) >= 2 * NS_S);
}

/* Gaps near the grain of the clock: cutting each to whole nanoseconds would lose a tenth. */
static void test_poisson_keeps_its_fractions(void **state)
{
	(void)state;
	struct schedule s;
	uint64_t n = 0;
	schedule_init(&s, SCHEDULE_POISSON, 2e8, 11, 10 * NS_MS); /* 5 ns apart */
	for (; schedule_peek(&s) != NS_NEVER; n++)
		schedule_take(&s);
	assert_true(fabs((double)n / 2e6 - 1) < 0.005);
}

static struct pace pace_of(const char *text)
{
	struct pace pace;
	struct problem p = { "" };
	if (!pace_parse(slice_of(text), &pace, &p))
		fail_msg("%s: %s", text, p.text);
	return pace;
}

/* How many start in each of `n` equal parts of the run. */
static void count_parts(struct schedule *s, double *counts, int n)
{
	ns_t last = 0;
	for (int i = 0; i < n; i++)
		counts[i] = 0;
	for (; schedule_peek(s) != NS_NEVER; schedule_take(s)) {
		ns_t at = schedule_peek(s);
		assert_true(at >= last && at < s->run_for);
		counts[(int)((double)at * n / (double)s->run_for)]++;
		last = at;
	}
}

static void test_steps_of_even_spacing(void **state)
{
	(void)state;
	struct pace pace = pace_of("steps(100/s, 0/s, 300/s, 7/s)");
	struct schedule s;
	double counts[4];
	schedule_init_paced(&s, SCHEDULE_CONSTANT, &pace, 1, 20 * NS_S);
	for (int k = 0; k < 500; k++, schedule_take(&s))
		assert_true(schedule_peek(&s) == k * 10 * NS_MS);
	assert_true(schedule_peek(&s) == 10 * NS_S); /* nobody in the pause */
	schedule_init_paced(&s, SCHEDULE_CONSTANT, &pace, 1, 20 * NS_S);
	count_parts(&s, counts, 4);
	assert_true(counts[0] == 500 && counts[1] == 0 && counts[2] == 1500);
	assert_true(counts[3] == 35);
	assert_true(expected(&s) == 2035);
}

/* Of a ramp from r by a each second, n are due at t = (sqrt(r^2 + 2 a n) - r) / a. */
static void test_ramps_of_even_spacing(void **state)
{
	(void)state;
	static const double rates[][2] = { { 0, 1000 }, { 1000, 0 }, { 10, 400 },
		{ 400, 10 }, { 100, 100.0001 } };
	for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
		struct pace pace = { .kind = PACE_RAMP, .count = 2 };
		struct schedule s;
		long double r = rates[i][0], a = (rates[i][1] - rates[i][0]) / 10;
		uint64_t k = 0;
		memcpy(pace.rates, rates[i], sizeof(rates[i]));
		schedule_init_paced(&s, SCHEDULE_CONSTANT, &pace, 1, 10 * NS_S);
		for (; schedule_peek(&s) != NS_NEVER; schedule_take(&s), k++) {
			long double at = (sqrtl(r * r + 2 * a * k) - r) / a * NS_S;
			if (fabsl(at - schedule_peek(&s)) > 20)
				fail_msg("ramp %zu: start %llu at %lld, not %Lf", i,
					(unsigned long long)k,
					(long long)schedule_peek(&s), at);
		}
		assert_true(fabs((double)k - expected(&s)) <= 1);
	}
}

/* The same, of independent callers: each part's count is of a Poisson distribution. */
static void test_poisson_follows_the_pace(void **state)
{
	(void)state;
	static const struct {
		const char *pace;
		double expected[4];
	} cases[] = {
		{ "steps(1000/s, 0/s, 4000/s, 100/s)", { 25000, 0, 100000, 2500 } },
		{ "ramp(0/s, 4000/s)", { 12500, 37500, 62500, 87500 } },
		{ "ramp(0/s, 4000/s, 0/s)", { 25000, 75000, 75000, 25000 } },
		{ "ramp(4000/s, 0/s, 0/s)", { 75000, 25000, 0, 0 } },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pace pace = pace_of(cases[i].pace);
		struct schedule s;
		double counts[4];
		schedule_init_paced(&s, SCHEDULE_POISSON, &pace, 3, 100 * NS_S);
		count_parts(&s, counts, 4);
		for (int k = 0; k < 4; k++) {
			double want = cases[i].expected[k];
			if (fabs(counts[k] - want) > 5 * sqrt(want))
				fail_msg("%s: part %d has %.0f, not %.0f", cases[i].pace,
					k, counts[k], want);
		}
	}
}

/* A gap does not begin anew with a step: two of the same rate are as one of both their lengths. */
static void test_poisson_goes_on_over_a_step(void **state)
{
	(void)state;
	struct pace pace = pace_of("steps(50/s, 50/s, 50/s)"), flat = pace_of("50/s");
	struct schedule a, b;
	int n = 0;
	schedule_init_paced(&a, SCHEDULE_POISSON, &pace, 9, 10 * NS_S);
	schedule_init_paced(&b, SCHEDULE_POISSON, &flat, 9, 10 * NS_S);
	for (; schedule_peek(&b) != NS_NEVER; n++) {
		ns_t off = schedule_peek(&a) - schedule_peek(&b);
		assert_in_range(off + 2, 0, 4);
		schedule_take(&a);
		schedule_take(&b);
	}
	assert_true(schedule_peek(&a) == NS_NEVER);
	assert_true(n > 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_constant_is_exact_over_a_day),
		TEST(test_constant_at_the_end_of_a_fast_day),
		TEST(test_constant_counts),
		TEST(test_poisson_mean_and_spread),
		TEST(test_poisson_counts_are_independent),
		TEST(test_poisson_is_of_its_seed),
		TEST(test_poisson_prefix),
		TEST(test_poisson_keeps_its_fractions),
		TEST(test_steps_of_even_spacing),
		TEST(test_ramps_of_even_spacing),
		TEST(test_poisson_follows_the_pace),
		TEST(test_poisson_goes_on_over_a_step),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

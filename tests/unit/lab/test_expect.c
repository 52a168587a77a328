#include "tests/unit/base/unit.h"

#include <math.h>

#include "lab/expect.h"

/* Rows as an act has them: some swept, some not. */
struct item {
	const char *name, *timeout, *rate;
	double good, refused, p99_s, closes, share;
	struct lab_pairs point;
};

static struct item items[] = {
	{ "weir", NULL, NULL, 100, 0, 0.3, 0, 0.5, { 0 } },
	{ "naive", "none", NULL, 50, 7, 4, 10, 0.25, { 0 } },
	{ "naive", "300ms", NULL, 80, 9, 0.31, 20, 0.75, { 0 } },
	{ "pool-50", "none", "1/s", 60, 0, 2, 0, 0, { 0 } },
	{ "pool-50", "300ms", "1/s", 90, 0, 1, 0, 0, { 0 } },
	{ "pool-50", "none", "2/s", 40, 0, 3, 0, 0, { 0 } },
	{ "pool-50", "300ms", "2/s", 81, 0, 1.5, 0, 0, { 0 } },
	{ "dead", NULL, NULL, NAN, NAN, NAN, NAN, NAN, { 0 } },
};

static const char *item_name(const void *of, uint32_t i)
{
	return ((const struct item *)of)[i].name;
}

static const struct lab_pairs *item_point(const void *of, uint32_t i)
{
	return &((const struct item *)of)[i].point;
}

static double item_figure(const void *of, uint32_t i, enum figure_id f)
{
	const struct item *item = &((const struct item *)of)[i];
	return f == FIG_good      ? item->good
	       : f == FIG_refused ? item->refused
	       : f == FIG_p99     ? item->p99_s
	       : f == FIG_closes  ? item->closes
				  : item->share;
}

static const struct expect_world world = { ARRAY_LEN(items), item_name, item_point,
	item_figure, items };

static int make_points(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(items); i++) {
		if (items[i].timeout)
			pairs_add(&items[i].point, "timeout", items[i].timeout);
		if (items[i].rate)
			pairs_add(&items[i].point, "rate", items[i].rate);
	}
	return 0;
}

static int free_points(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(items); i++)
		pairs_fini(&items[i].point);
	return 0;
}

static void judge(const char *line, enum expect_outcome outcome, double left,
	double right, const char *why)
{
	struct lab_expect e;
	struct expect_verdict v;
	struct problem p = { "" };
	uint32_t column;
	if (!expect_parse(&e, line, &world, &column, &p))
		fail_msg("%s: %s", line, p.text);
	expect_judge(&v, &e, &world);
	if (v.outcome != outcome)
		fail_msg("%s: outcome %d, %s", line, v.outcome, v.why ? v.why : "");
	if (!isnan(left))
		assert_true(fabs(v.left - left) < 1e-9 && fabs(v.right - right) < 1e-9);
	assert_int_equal(v.why == NULL, outcome == EXPECT_HELD);
	if (why && !strstr(v.why, why))
		fail_msg("'%s' lacks '%s'", v.why, why);
	expect_verdict_fini(&v);
	expect_fini(&e);
}

static void test_comparisons(void **state)
{
	(void)state;
	judge("weir.refused == 0", EXPECT_HELD, 0, 0, NULL);
	judge("weir.refused != 0", EXPECT_FAILED, 0, 0, "weir.refused is 0");
	judge("weir.good < 100", EXPECT_FAILED, 100, 100, "weir.good is 100");
	judge("weir.good <= 100", EXPECT_HELD, 100, 100, NULL);
	judge("weir.good > 99.5", EXPECT_HELD, 100, 99.5, NULL);
	judge("weir.good >= 101", EXPECT_FAILED, 100, 101, ": 100 against 101");
	judge("weir.p99 < 301ms", EXPECT_HELD, 0.3, 0.301, NULL);
	judge("weir.good > 1k", EXPECT_FAILED, 100, 1000, ": 100 against 1,000");
	judge("weir.closed_server == 50%", EXPECT_HELD, 0.5, 0.5, NULL);
}

static void test_sums_and_products(void **state)
{
	(void)state;
	judge("weir.good == 2 * naive[timeout=none].good", EXPECT_HELD, 100, 100, NULL);
	judge("naive[timeout=none].good + 50 - weir.good == 0", EXPECT_HELD, 0, 0, NULL);
	judge("weir.good / 4 == 0.5 * 50", EXPECT_HELD, 25, 25, NULL);
	judge("pool-50[timeout=none, rate=1/s].good - 5 == 55", EXPECT_HELD, 55, 55,
		NULL);
	judge("weir.good >= 0.1 * 60s * naive[timeout=none].closes", EXPECT_HELD, 100, 60,
		NULL);
	judge("naive[timeout=none].closes < 11/s", EXPECT_HELD, 10, 11, NULL);
}

/* Every point, and what is shared at the same value. */
static void test_sweeps(void **state)
{
	(void)state;
	judge("naive.good >= 50", EXPECT_HELD, 50, 50, NULL);
	judge("naive.good > 60", EXPECT_FAILED, 50, 60, "at timeout=none");
	/* pool-50 against naive: at the same timeout, for both rates */
	judge("pool-50.good > naive.good", EXPECT_FAILED, 40, 50,
		"pool-50.good is 40, naive.good is 50 at timeout=none, rate=2/s");
	judge("pool-50[rate=1/s].good > naive.good", EXPECT_HELD, NAN, NAN, NULL);
	judge("pool-50[timeout=300ms].good > naive[timeout=none].good", EXPECT_HELD, 81,
		50, NULL);
	/* one variant at two points: which is which must be seen */
	judge("naive[timeout=300ms].good < naive[timeout=none].good", EXPECT_FAILED, 80,
		50,
		"naive[timeout=300ms].good is 80, naive[timeout=none].good is 50: 80 against "
		"50");
}

static void test_what_is_not_known(void **state)
{
	(void)state;
	judge("dead.good > 0", EXPECT_UNKNOWN, NAN, NAN, "dead.good is not known");
	judge("dead.good > weir.good", EXPECT_UNKNOWN, NAN, NAN, "not known");
}

static void check_wrong(const char *line, uint32_t at, const char *says)
{
	struct lab_expect e;
	struct problem p = { "" };
	uint32_t column;
	if (expect_parse(&e, line, &world, &column, &p))
		fail_msg("'%s' was taken", line);
	if (!strstr(p.text, says) || column != at)
		fail_msg("'%s': %u: %s", line, column, p.text);
	expect_fini(&e);
}

static void test_wrong_lines(void **state)
{
	(void)state;
	check_wrong("wier.good > 0", 1, "there is no variant 'wier': did you mean weir?");
	check_wrong("weir.godo > 0", 6, "there is no figure 'godo': did you mean good?");
	check_wrong("weir > 0", 5, "which figure of weir?");
	check_wrong("weir.good", 10, "compares nothing");
	check_wrong("weir.good = 3", 11, "write ==");
	check_wrong("weir.good > 3 > 2", 15, "one comparison a line");
	check_wrong("weir.p99 < 300", 11, "a duration is compared with a count");
	check_wrong("weir.p99 + weir.good < 1s", 11, "a count is added to a duration");
	check_wrong("weir.good > 10s * 3s", 12, "a count is compared with neither");
	check_wrong("naive[timout=none].good > 0", 14, "does not sweep 'timout'");
	check_wrong("naive[timeout=1s].good > 0", 15, "but with none, 300ms");
	check_wrong("naive[timeout=none.good > 0", 15, "is never run with");
	check_wrong("weir.good > (3 + 4)", 13, "there are no brackets");
	check_wrong("> 3", 1, "expected a figure");
	check_wrong("weir.good > 3parsecs", 21, "parsecs");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_comparisons),
		TEST(test_sums_and_products),
		TEST(test_sweeps),
		TEST(test_what_is_not_known),
		TEST(test_wrong_lines),
	};
	return cmocka_run_group_tests_name("lab/expect", tests, make_points, free_points);
}

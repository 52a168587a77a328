#include "tests/unit/base/unit.h"

#include <math.h>

#include "lab/figures.h"

static void test_names_are_found(void **state)
{
	(void)state;
	for (int i = 0; i < FIGURES; i++)
		assert_int_equal(figure_find(slice_of(figure_table[i].name)), i);
	assert_int_equal(figure_find(SLICE("nonsense")), FIGURES);
	assert_string_equal(figure_table[FIG_p99].key, "p99_ms");
	assert_string_equal(figure_table[FIG_good].key, "good");
}

static void check_spread(const double *values, uint32_t n, const double *expected)
{
	struct figures f[5];
	const struct figures *all[5];
	for (uint32_t i = 0; i < n; i++) {
		figures_init(&f[i]);
		f[i].of[FIG_good] = values[i];
		all[i] = &f[i];
	}
	struct spread s = figure_spread(all, n, FIG_good);
	assert_true(s.median == expected[0]);
	assert_true(s.low == expected[1]);
	assert_true(s.high == expected[2]);
}

static void test_medians(void **state)
{
	(void)state;
	check_spread((const double[]){ 7 }, 1, (const double[]){ 7, 7, 7 });
	check_spread((const double[]){ 9, 1, 5 }, 3, (const double[]){ 5, 1, 9 });
	/* of an even number the lower of the two in the middle: one that was measured */
	check_spread((const double[]){ 4, 1, 3, 2 }, 4, (const double[]){ 2, 1, 4 });
	check_spread((const double[]){ NAN, 8, NAN }, 3, (const double[]){ 8, 8, 8 });
	struct figures none;
	const struct figures *all[] = { &none };
	figures_init(&none);
	assert_true(isnan(figure_spread(all, 1, FIG_good).median));
}

static void check_text(enum figure_id id, double value, const char *expected)
{
	struct text t;
	text_init(&t);
	text_add_figure(&t, id, value);
	assert_string_equal(t.ptr, expected);
	text_fini(&t);
}

static void test_as_people_read_them(void **state)
{
	(void)state;
	check_text(FIG_good, 12345, "12,345");
	check_text(FIG_good, NAN, "?");
	check_text(FIG_closes, 253.4, "253/s");
	check_text(FIG_closes, 2.54, "2.5/s");
	check_text(FIG_closed_server, 0.534, "53%");
	check_text(FIG_closed_server, 0.004, "0.4%");
	check_text(FIG_closed_server, 0, "0%");
	check_text(FIG_p99, 4.18, "4.18 s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_names_are_found),
		TEST(test_medians),
		TEST(test_as_people_read_them),
	};
	return cmocka_run_group_tests_name("lab/figures", tests, NULL, NULL);
}

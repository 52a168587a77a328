#include "tests/unit/base/unit.h"
#include "lab/table.h"

static struct lab_row rows[3];

static int make_rows(void **state)
{
	static const char *const names[] = { "naive", "weir", "gone" };
	static const struct {
		int row;
		enum figure_id id;
		double value;
	} known[] = { { 0, FIG_in, 160 }, { 0, FIG_out, 480.2 }, { 0, FIG_good, 3138 },
		{ 0, FIG_failed, 7422 }, { 0, FIG_refused, 14936 }, { 0, FIG_p50, 4.13 },
		{ 0, FIG_p99, 4.99 }, { 0, FIG_max, 5.01 },
		{ 0, FIG_in_established, 555 }, { 0, FIG_in_time_wait, 0 },
		{ 0, FIG_in_fin_wait2, 0 }, { 0, FIG_established, 1003 },
		{ 0, FIG_time_wait, 15520 }, { 0, FIG_fin_wait2, 3 },
		{ 0, FIG_closed_middleware, 0.53 }, { 0, FIG_closed_both, 0.004 },
		{ 1, FIG_in, 9.5 }, { 1, FIG_good, 56 }, { 1, FIG_late, 3 },
		{ 1, FIG_unanswered, 2 }, { 1, FIG_failed, 0 }, { 1, FIG_p50, 0.052 } };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		rows[i] = (struct lab_row){ .name = names[i], .valid = i == 0 };
		figures_init(&rows[i].f);
	}
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		rows[known[i].row].f.of[known[i].id] = known[i].value;
	return 0;
}

#define SOCKETS "peak sockets of the middleware, in / out"

static void test_one_line_a_row_on_a_wide_page(void **state)
{
	struct text t;
	(void)state;
	text_init(&t);
	lab_table_text(&t, rows, ARRAY_LEN(rows), 200);
	/* groups, titles, three rows */
	size_t lines = 0;
	for (const char *c = t.ptr; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, 5);
	assert_non_null(strstr(t.ptr, "555 / 1,003  0 / 15,520      0 / 3"));
	assert_non_null(strstr(t.ptr, "14,936"));
	assert_non_null(strstr(t.ptr, "53%"));
	assert_non_null(strstr(t.ptr, "0.4%"));
	assert_non_null(strstr(t.ptr, "weir (!)"));
	assert_null(strstr(t.ptr, " \n"));
	text_fini(&t);
}

/* Late counts those who never got an answer too: nobody was served by it. */
static void test_late_and_unanswered_are_one(void **state)
{
	struct text t;
	(void)state;
	text_init(&t);
	lab_table_text(&t, &rows[1], 1, 200);
	assert_non_null(strstr(t.ptr, "  56     5       0  "));
	text_fini(&t);
}

static void test_a_narrow_page_gets_blocks(void **state)
{
	struct text t;
	(void)state;
	text_init(&t);
	lab_table_text(&t, rows, ARRAY_LEN(rows), 80);
	size_t names = 0, width = 0;
	for (const char *c = t.ptr; *c; c++) {
		width = *c == '\n' ? 0 : width + 1;
		assert_true(width <= 80);
		names += !strncmp(c, "\nnaive", 6);
	}
	assert_true(names >= 2);
	assert_non_null(strstr(t.ptr, SOCKETS));
	text_fini(&t);
}

/* What is not known is not 0. */
static void test_a_run_without_report_shows_question_marks(void **state)
{
	struct text t;
	(void)state;
	text_init(&t);
	lab_table_text(&t, &rows[2], 1, 200);
	const char *row = strstr(t.ptr, "gone (!)");
	assert_non_null(row);
	assert_null(strpbrk(row, "0123456789"));
	assert_non_null(strstr(row, "? / ?"));
	text_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_line_a_row_on_a_wide_page),
		TEST(test_late_and_unanswered_are_one),
		TEST(test_a_narrow_page_gets_blocks),
		TEST(test_a_run_without_report_shows_question_marks),
	};
	return cmocka_run_group_tests_name("lab/table", tests, make_rows, NULL);
}

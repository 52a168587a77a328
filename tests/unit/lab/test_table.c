#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/table.h"

static const struct lab_row rows[] = {
	{ .name = "naive",
		.known = true,
		.valid = true,
		.in_per_s = 160,
		.out_per_s = 480.2,
		.started = 10560,
		.good = 3138,
		.failed = 7422,
		.calls = 31680,
		.refused = 14936,
		.p50 = 4130 * NS_MS,
		.p99 = 4990 * NS_MS,
		.max = 5010 * NS_MS,
		.peak = { { 555, 0, 0 }, { 1003, 15520, 3 } },
		.first = { 31000, 0.53, 0, 0.004, 0.466, 0 } },
	{ .name = "weir",
		.known = true,
		.in_per_s = 9.5,
		.good = 56,
		.late = 3,
		.unanswered = 2,
		.p50 = 52 * NS_MS,
		.p99 = 503 * NS_MS,
		.max = 533 * NS_MS },
	{ .name = "gone" },
};

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
	lab_table_markdown(&t, &rows[1], 1);
	assert_non_null(strstr(t.ptr, "| 56 | 5 | 0 |"));
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
	lab_table_markdown(&t, &rows[2], 1);
	assert_non_null(
		strstr(t.ptr, "| gone (!) | 0.0 | 0.0 | 0 | ? | ? | ? | ? | ? | ? |"));
	assert_non_null(strstr(t.ptr, "| - | - | - | - |"));
	text_fini(&t);
}

static void test_markdown_has_as_many_cells_in_every_line(void **state)
{
	struct text t;
	(void)state;
	text_init(&t);
	lab_table_markdown(&t, rows, ARRAY_LEN(rows));
	size_t bars = 0, first = 0;
	for (const char *c = t.ptr; *c; c++) {
		bars += *c == '|';
		if (*c != '\n')
			continue;
		if (!first)
			first = bars;
		assert_int_equal(bars, first);
		bars = 0;
	}
	assert_true(first > 10);
	text_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_line_a_row_on_a_wide_page),
		cmocka_unit_test(test_late_and_unanswered_are_one),
		cmocka_unit_test(test_a_narrow_page_gets_blocks),
		cmocka_unit_test(test_a_run_without_report_shows_question_marks),
		cmocka_unit_test(test_markdown_has_as_many_cells_in_every_line),
	};
	return cmocka_run_group_tests_name("lab/table", tests, NULL, NULL);
}

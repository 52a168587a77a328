#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/story.h"

static struct lab_row fault(void)
{
	return (struct lab_row){ .name = "naive",
		.role = LAB_FAULT,
		.known = true,
		.valid = true,
		.started = 1000,
		.good = 350,
		.failed = 650,
		.calls = 3000,
		.refused = 1400,
		.p50 = 4 * NS_S,
		.peak = { { 0 }, { 998, 15223, 0 } },
		.first = { 3000, 0.5, 0, 0, 0.5, 0 },
		.slots_limit = 1000,
		.slots_peak = 1000,
		.closes_per_s = 253 };
}

static struct lab_row cure(void)
{
	return (struct lab_row){ .name = "timeout",
		.role = LAB_CURE,
		.known = true,
		.started = 1000,
		.refused = 1390,
		.p50 = NS_S,
		.peak = { { 0 }, { 250, 0, 739 } },
		.abandoned_peak = 750 };
}

static struct lab_row weir(int64_t good)
{
	return (struct lab_row){ .name = "weir",
		.role = LAB_WEIR,
		.known = true,
		.started = 1000,
		.good = good,
		.slots_limit = 1000,
		.slots_peak = 1000,
		.peak = { { 0 }, { 1000, 0, 0 } } };
}

static void test_a_sentence_for_each_part(void **state)
{
	struct lab_row rows[] = { fault(), cure(), weir(520) };
	struct lab_story s;
	(void)state;
	lab_story_init(&s, rows, ARRAY_LEN(rows));
	assert_int_equal(s.n, 3);
	assert_non_null(
		strstr(s.says[0], "naive: 350 of 1,000 requests got a good answer"));
	assert_non_null(strstr(s.says[0], "refused 1,400 of 3,000 calls"));
	assert_non_null(strstr(s.says[0], "closed first on 100%"));
	assert_non_null(strstr(s.says[0], "253 a second"));
	assert_non_null(strstr(s.says[0], "15,223 at the peak, beside 998 ESTABLISHED"));
	assert_non_null(strstr(s.says[1], "good answers fell from 350 to 0"));
	assert_non_null(strstr(s.says[1], "TIME_WAIT fell from 15,223 to 0"));
	assert_non_null(strstr(s.says[1], "FIN_WAIT2 rose from 0 to 739"));
	assert_non_null(
		strstr(s.says[1], "Refusals stayed about the same, from 1,400 to 1,390"));
	assert_non_null(strstr(s.says[1], "Up to 750 slots"));
	assert_non_null(
		strstr(s.says[2], "170 more than with naive, the best of the others"));
	assert_non_null(
		strstr(s.says[2], "at most 1,000 of 1,000 slots taken and 0 refusals"));
	lab_story_fini(&s);
}

/* It says so, too, when weir was not the best. */
static void test_it_does_not_flatter(void **state)
{
	struct lab_row rows[] = { fault(), weir(300) };
	struct lab_story s;
	(void)state;
	lab_story_init(&s, rows, ARRAY_LEN(rows));
	assert_int_equal(s.n, 2);
	assert_non_null(strstr(s.says[1], "50 fewer than with naive"));
	lab_story_fini(&s);
}

static void test_silent_about_what_was_not_there(void **state)
{
	struct lab_row a = fault(), b = cure();
	struct lab_story s;
	(void)state;
	a.peak[LAB_OUT] = (struct lab_peaks){ 50, 0, 0 };
	a.refused = 0;
	a.first = (struct lab_first){ 0 };
	b.peak[LAB_OUT] = (struct lab_peaks){ 50, 0, 0 };
	b.refused = 0;
	b.abandoned_peak = 0;
	lab_story_init(&s, (struct lab_row[]){ a, b }, 2);
	assert_int_equal(s.n, 2);
	for (uint32_t i = 0; i < s.n; i++) {
		assert_null(strstr(s.says[i], "TIME_WAIT"));
		assert_null(strstr(s.says[i], "FIN_WAIT2"));
		assert_null(strstr(s.says[i], "Refusals"));
		assert_null(strstr(s.says[i], "hung up"));
	}
	assert_non_null(strstr(s.says[0], "it refused nothing"));
	lab_story_fini(&s);
}

static void test_runs_without_report_are_left_out(void **state)
{
	struct lab_row rows[] = { fault(), cure(), weir(1) };
	struct lab_story s;
	(void)state;
	rows[0].known = false;
	lab_story_init(&s, rows, ARRAY_LEN(rows));
	assert_int_equal(s.n, 1);
	assert_non_null(strstr(s.says[0], "weir: 1 of"));
	lab_story_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_sentence_for_each_part),
		cmocka_unit_test(test_it_does_not_flatter),
		cmocka_unit_test(test_silent_about_what_was_not_there),
		cmocka_unit_test(test_runs_without_report_are_left_out),
	};
	return cmocka_run_group_tests_name("lab/story", tests, NULL, NULL);
}

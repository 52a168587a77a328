#include "tests/unit/base/unit.h"

#include <math.h>

#include "lab/story.h"

/* Ends with FIGURES. */
struct known {
	enum figure_id id;
	double value;
};

static struct lab_row row_of(
	const char *name, enum lab_role role, const struct known *known)
{
	struct lab_row row = { .name = name, .role = role, .known = true, .valid = true };
	figures_init(&row.f);
	for (; known->id != FIGURES; known++)
		row.f.of[known->id] = known->value;
	return row;
}

static struct lab_row fault(void)
{
	return row_of("naive", LAB_FAULT,
		(const struct known[]){ { FIG_started, 1000 }, { FIG_good, 350 },
			{ FIG_failed, 650 }, { FIG_calls, 3000 }, { FIG_refused, 1400 },
			{ FIG_p50, 4 }, { FIG_established, 998 },
			{ FIG_time_wait, 15223 }, { FIG_fin_wait2, 0 },
			{ FIG_closed_middleware, 0.5 }, { FIG_closed_server, 0 },
			{ FIG_closed_both, 0 }, { FIG_closed_reset, 0.5 },
			{ FIG_slots_limit, 1000 }, { FIG_slots_peak, 1000 },
			{ FIG_closes, 253 }, { FIGURES, 0 } });
}

static struct lab_row cure(void)
{
	return row_of("timeout", LAB_CURE,
		(const struct known[]){ { FIG_started, 1000 }, { FIG_good, 0 },
			{ FIG_refused, 1390 }, { FIG_p50, 1 }, { FIG_established, 250 },
			{ FIG_time_wait, 0 }, { FIG_fin_wait2, 739 },
			{ FIG_abandoned, 750 }, { FIGURES, 0 } });
}

static struct lab_row weir(double good)
{
	return row_of("weir", LAB_BEST,
		(const struct known[]){ { FIG_started, 1000 }, { FIG_good, good },
			{ FIG_slots_limit, 1000 }, { FIG_slots_peak, 1000 },
			{ FIG_refused, 0 }, { FIG_established, 1000 }, { FIGURES, 0 } });
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

static void test_as_good_as_the_best(void **state)
{
	struct lab_row rows[] = { fault(), weir(350) };
	struct lab_story s;
	(void)state;
	lab_story_init(&s, rows, ARRAY_LEN(rows));
	assert_non_null(strstr(s.says[1], ", as many as with naive, the best"));
	lab_story_fini(&s);
}

static void test_beside_the_same_server_alone(void **state)
{
	struct lab_row rows[] = { fault(), weir(520), fault() };
	struct lab_story s;
	(void)state;
	rows[2].name = "unlimited";
	rows[2].f.of[FIG_slots_limit] = NAN;
	rows[2].f.of[FIG_good] = 1000;
	lab_story_init(&s, rows, ARRAY_LEN(rows));
	assert_non_null(strstr(s.says[s.n - 1], "170 more than with naive"));
	lab_story_fini(&s);
}

static void test_silent_about_what_was_not_there(void **state)
{
	struct lab_row a = fault(), b = cure();
	struct lab_story s;
	(void)state;
	a.f.of[FIG_time_wait] = a.f.of[FIG_refused] = 0;
	b.f.of[FIG_fin_wait2] = b.f.of[FIG_refused] = b.f.of[FIG_abandoned] = 0;
	lab_story_init(&s, (struct lab_row[]){ a, b }, 2);
	assert_int_equal(s.n, 2);
	for (uint32_t i = 0; i < s.n; i++) {
		assert_null(strstr(s.says[i], "TIME_WAIT"));
		assert_null(strstr(s.says[i], "FIN_WAIT2"));
		assert_null(strstr(s.says[i], "Refusals"));
		assert_null(strstr(s.says[i], "hung up"));
	}
	assert_non_null(strstr(
		s.says[0], "it refused nothing: its slots were not what was short."));
	lab_story_fini(&s);
}

static void test_what_did_not_change_is_told_once(void **state)
{
	struct lab_row a = fault(), b = cure();
	struct lab_story s;
	(void)state;
	b.f.of[FIG_refused] = a.f.of[FIG_refused];
	a.f.of[FIG_p50] = 4.0001;
	b.f.of[FIG_p50] = 4.0002;
	lab_story_init(&s, (struct lab_row[]){ a, b }, 2);
	assert_non_null(strstr(s.says[1], "Refusals stayed at 1,400."));
	assert_non_null(strstr(s.says[1], "and the median wait stayed at 4.00 s."));
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
		TEST(test_a_sentence_for_each_part),
		TEST(test_it_does_not_flatter),
		TEST(test_as_good_as_the_best),
		TEST(test_beside_the_same_server_alone),
		TEST(test_silent_about_what_was_not_there),
		TEST(test_what_did_not_change_is_told_once),
		TEST(test_runs_without_report_are_left_out),
	};
	return cmocka_run_group_tests_name("lab/story", tests, NULL, NULL);
}

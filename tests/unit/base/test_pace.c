#include "tests/unit/base/unit.h"

#include <math.h>

#include "base/pace.h"

static void test_forms(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum pace_kind kind;
		uint32_t count;
		double first, last, mean;
	} cases[] = {
		{ "160/s", PACE_FLAT, 1, 160, 160, 160 },
		{ "60/m", PACE_FLAT, 1, 1, 1, 1 },
		{ "ramp(10/s, 1000/s)", PACE_RAMP, 2, 10, 1000, 505 },
		{ "ramp(0/s,100/s,0/s)", PACE_RAMP, 3, 0, 0, 50 },
		{ "steps(100/s, 200/s, 600/s)", PACE_STEPS, 3, 100, 600, 300 },
		{ " steps ( 5/s ) ", PACE_STEPS, 1, 5, 5, 5 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct problem p = { "" };
		struct pace pace;
		if (!pace_parse(slice_trim(slice_of(cases[i].text)), &pace, &p))
			fail_msg("%s: %s", cases[i].text, p.text);
		assert_int_equal(pace.kind, cases[i].kind);
		assert_int_equal(pace.count, cases[i].count);
		assert_true(pace.rates[0] == cases[i].first);
		assert_true(pace_end(&pace, pace_parts(&pace) - 1) == cases[i].last);
		assert_true(fabs(pace_mean(&pace) - cases[i].mean) < 1e-9);
	}
}

static void test_what_is_wrong_has_a_place(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "160", "no unit" },
		{ "rmap(1/s, 2/s)", "did you mean ramp?" },
		{ "sine(1/s, 2/s)", "write ramp(" },
		{ "ramp(1/s)", "two rates" },
		{ "ramp()", "column 6: a rate is missing" },
		{ "ramp(1/s, )", "column 11: a rate is missing" },
		{ "ramp(1/s, 2)", "column 11: '2' has no unit" },
		{ "steps(1/s, 2/s", "column 15: ')' is missing" },
		{ "steps(1/s, 2/s) 3/s", "column 16: ' 3/s' is too much" },
		{ "steps(1/s, ramp(2/s, 3/s))", "column 16: '('" },
		{ "steps(1/s,\t2/s)", "column 11: a tab" },
		{ "ramp\t(1/s, 2/s)", "column 5: a tab" },
		{ "steps(-1/s)", "column 7: '-1/s' is negative" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct problem p = { "" };
		struct pace pace;
		assert_false(pace_parse(slice_of(cases[i].text), &pace, &p));
		if (!strstr(p.text, cases[i].says))
			fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].text, p.text,
				cases[i].says);
	}
}

static void test_so_many_rates_and_no_more(void **state)
{
	(void)state;
	char text[16 + 4 * (PACE_RATES_MAX + 1)] = "steps(";
	struct problem p = { "" };
	struct pace pace;
	size_t len = strlen(text);
	for (int i = 0; i < PACE_RATES_MAX; i++, len += 4)
		memcpy(text + len, "1/s,", 4);
	text[len - 1] = ')';
	assert_true(pace_parse((struct slice){ text, len }, &pace, &p));
	assert_int_equal(pace.count, PACE_RATES_MAX);
	memcpy(text + len - 1, ",1/s)", 5);
	assert_false(pace_parse((struct slice){ text, len + 4 }, &pace, &p));
	assert_non_null(strstr(p.text, "more than 64 rates"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_forms),
		TEST(test_what_is_wrong_has_a_place),
		TEST(test_so_many_rates_and_no_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

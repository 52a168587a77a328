#include "tests/unit/base/unit.h"

#include <math.h>

#include "origin/spoil.h"

static void test_forms(void **state)
{
	(void)state;
	static const char *const forms[][2] = {
		{ "none", "none" },
		{ " none ", "none" },
		{ "0%: reset", "none" },
		{ "1%: reset", "1%: reset" },
		{ "2%:stall,1%:reset", "1%: reset, 2%: stall" },
		{ "10%: trickle, 20%: cut, 0.5%: garbage, 69.5%: close",
			"69.5%: close, 20%: cut, 10%: trickle, 0.5%: garbage" },
	};
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct problem p = { "" };
		struct spoil spoil;
		struct text t;
		if (!spoil_parse(slice_of(forms[i][0]), &spoil, &p))
			fail_msg("%s: %s", forms[i][0], p.text);
		text_init(&t);
		text_add_spoil(&t, &spoil);
		assert_string_equal(t.ptr, forms[i][1]);
		text_fini(&t);
	}
}

static void test_what_is_wrong(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{ "", "a fault is missing: write them as 1%: reset, 2%: stall" },
		{ "reset", "'reset' has no share" },
		{ "1: reset", "no unit" },
		{ "1%: reste", "did you mean reset?" },
		{ "1%: fire", "write reset, close, cut" },
		{ "1%: none", "unknown fault" },
		{ "1%: reset,", "a fault is missing" },
		{ "1%: reset, 2%: reset", "reset is given twice" },
		{ "60%: reset, 50%: cut", "add up to 110%" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct problem p = { "" };
		struct spoil spoil;
		assert_false(spoil_parse(slice_of(cases[i][0]), &spoil, &p));
		if (!strstr(p.text, cases[i][1]))
			fail_msg("%s: \"%s\" does not say \"%s\"", cases[i][0], p.text,
				cases[i][1]);
	}
}

/* 100,000 draws: each count within five deviations of its share. */
static void test_draws_are_of_their_shares_and_seed(void **state)
{
	(void)state;
	enum { N = 100000 };
	struct spoil spoil = { .shares = { [SPOIL_RESET] = 0.01,
				       [SPOIL_STALL] = 0.2,
				       [SPOIL_GARBAGE] = 0.3 } };
	double counts[SPOIL_HOWS] = { 0 };
	int differ = 0;
	for (uint64_t n = 0; n < N; n++) {
		enum spoil_how how = spoil_draw(&spoil, 7, n);
		counts[how]++;
		assert_true(how == spoil_draw(&spoil, 7, n));
		differ += how != spoil_draw(&spoil, 8, n);
	}
	for (int i = SPOIL_RESET; i < SPOIL_HOWS; i++) {
		double want = N * spoil.shares[i];
		assert_true(fabs(counts[i] - want) <= 5 * sqrt(want));
	}
	assert_true(differ > N / 4);
}

static void test_none_and_all(void **state)
{
	(void)state;
	struct spoil none = { .shares = { 0 } }, all = { .shares = { [SPOIL_CUT] = 1 } };
	for (uint64_t n = 0; n < 10000; n++) {
		assert_true(spoil_draw(&none, 1, n) == SPOIL_NOT);
		assert_true(spoil_draw(&all, 1, n) == SPOIL_CUT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_forms),
		TEST(test_what_is_wrong),
		TEST(test_draws_are_of_their_shares_and_seed),
		TEST(test_none_and_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a user may write for a change and a phase, and what is said when it is wrong. */
#include "tests/unit/base/unit.h"
#include "origin/change.h"

static void assert_latency(const struct dist *d, const char *says)
{
	struct text t;
	text_init(&t);
	text_add_dist(&t, d);
	assert_string_equal(t.ptr, says);
	text_fini(&t);
}

static bool add(struct change *c, const char *name, const char *value, struct problem *p)
{
	return change_add(c, slice_of(name), slice_of(value), p);
}

static void test_all_names(void **state)
{
	struct change c = { 0 };
	struct problem p = { 0 };
	(void)state;

	assert_true(add(&c, "limit", "1000", &p));
	assert_true(add(&c, "workers", "none", &p));
	assert_true(add(&c, "latency", "uniform(3s, 5s)", &p));
	assert_true(add(&c, "full", "stall", &p));
	assert_true(add(&c, "hangup", "at-write", &p));
	assert_true(c.has_limit && c.has_workers && c.has_full && c.has_hangup);
	assert_int_equal(c.limit, 1000);
	assert_true(c.workers == ORIGIN_NONE);
	assert_latency(c.latency, "uniform(3s, 5s)");
	assert_int_equal(c.full, FULL_STALL);
	assert_int_equal(c.hangup, HANGUP_AT_WRITE);
	change_fini(&c);
	assert_null(c.latency);
}

static void test_words_of_the_options(void **state)
{
	(void)state;
	assert_string_equal(origin_full_word(FULL_FASTHTTP), "fasthttp");
	assert_string_equal(origin_full_word(FULL_429), "429");
	assert_string_equal(origin_hangup_word(HANGUP_AT_ONCE), "at-once");
}

static void assert_bad(const char *name, const char *value, const char *said)
{
	struct change c = { 0 };
	struct problem p = { 0 };

	assert_false(add(&c, name, value, &p));
	if (!strstr(p.text, said))
		fail_msg("'%s' does not say '%s'", p.text, said);
	change_fini(&c);
}

static void test_wrong_values(void **state)
{
	(void)state;
	assert_bad("limti", "1", "did you mean 'limit'?");
	assert_bad("colour", "1", "there are limit, latency");
	assert_bad("limit", "many", "limit: ");
	assert_bad("limit", "", "limit: ");
	assert_bad("latency", "50", "latency: ");
	assert_bad("workers", "0", "nothing is ever answered");
	assert_bad("full", "504", "fasthttp, 503, 429, reset or stall");
	assert_bad("hangup", "late", "never, at-write or at-once");
}

static void test_twice_is_an_error(void **state)
{
	static const char *const given[][2] = { { "limit", "1" }, { "workers", "1" },
		{ "latency", "1s" }, { "full", "503" }, { "hangup", "never" } };
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(given); i++) {
		struct change c = { 0 };
		struct problem p = { 0 };
		assert_true(add(&c, given[i][0], given[i][1], &p));
		assert_false(add(&c, given[i][0], given[i][1], &p));
		assert_non_null(strstr(p.text, "given twice"));
		change_fini(&c);
	}
}

static void test_phase(void **state)
{
	struct phase ph;
	struct problem p = { 0 };
	(void)state;

	assert_true(phase_parse(
		SLICE("1.5s:  latency=mix(80%: 50ms, 20%: uniform(3s, 5s)) \tlimit=500 "),
		&ph, &p));
	assert_int_equal(ph.at, 1500 * NS_MS);
	assert_int_equal(ph.change.limit, 500);
	assert_true(ph.change.latency && !ph.change.has_workers);
	assert_latency(ph.change.latency, "mix(80%: 50ms, 20%: uniform(3s, 5s))");
	change_fini(&ph.change);

	assert_true(phase_parse(SLICE("0s:hangup=at-once"), &ph, &p));
	assert_int_equal(ph.at, 0);
	assert_int_equal(ph.change.hangup, HANGUP_AT_ONCE);
}

static void assert_bad_phase(const char *text, const char *said)
{
	struct phase ph;
	struct problem p = { 0 };

	assert_false(phase_parse(slice_of(text), &ph, &p));
	if (!strstr(p.text, said) || !strstr(p.text, "a phase is written"))
		fail_msg("'%s' does not say '%s'", p.text, said);
	assert_null(ph.change.latency);
}

static void test_wrong_phases(void **state)
{
	(void)state;
	assert_bad_phase("", "no colon");
	assert_bad_phase("10s limit=5", "no colon");
	assert_bad_phase("10: limit=5", "unit");
	assert_bad_phase("none: limit=5", "never");
	assert_bad_phase("10s:", "nothing is set");
	assert_bad_phase("10s: limit", "name=value");
	assert_bad_phase("10s: limit=5 limit=6", "twice");
	assert_bad_phase("10s: latency=1s limit=x", "limit: ");
	assert_bad_phase("10s: latency=uniform(1s, 2s", "latency: ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_names),
		TEST(test_words_of_the_options),
		TEST(test_wrong_values),
		TEST(test_twice_is_an_error),
		TEST(test_phase),
		TEST(test_wrong_phases),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

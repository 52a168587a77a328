#include "unit.h"

#include "base/units.h"

struct number_row {
	const char *text;
	int64_t value;       /* when good */
	const char *problem; /* else */
};

static const struct number_row durations[] = {
	{ "800ms", 800 * NS_MS, NULL },
	{ "1.5s", 1500 * NS_MS, NULL },
	{ "250us", 250 * NS_US, NULL },
	{ "250\xc2\xb5s", 250 * NS_US, NULL },
	{ "250\xce\xbcs", 250 * NS_US, NULL },
	{ "2m", 120 * NS_S, NULL },
	{ "2min", 120 * NS_S, NULL },
	{ "1h", 3600 * NS_S, NULL },
	{ "2d", 172800 * NS_S, NULL },
	{ "7ns", 7, NULL },
	{ "0.000000001s", 1, NULL },
	{ "1.000000001s", NS_S + 1, NULL },
	{ "0.1h", 360 * NS_S, NULL },
	{ "5 s", 5 * NS_S, NULL },
	{ "1_000ms", NS_S, NULL },
	{ "007ms", 7 * NS_MS, NULL },
	{ "0", 0, NULL },
	{ "0s", 0, NULL },
	{ "0.0ms", 0, NULL },
	{ "none", NS_NEVER, NULL },
	{ "9223372036s", 9223372036 * NS_S, NULL },
	{ "800", 0, "'800' has no unit: write 800ms or 800s" },
	{ "1.5", 0, "'1.5' has no unit: write 1.5ms or 1.5s" },
	{ "1,5s", 0,
		"'1,5s': write plain digits, with a point before a fraction, such as 800ms" },
	{ "5x", 0, "'5x': unknown unit 'x': write ns, us, ms, s, m, h or d" },
	{ "5S", 0, "'5S': unknown unit 'S': write ns, us, ms, s, m, h or d" },
	{ "5ms3", 0, "'5ms3': unknown unit 'ms3': write ns, us, ms, s, m, h or d" },
	{ "", 0, "empty: write a number such as 800ms" },
	{ "-5s", 0, "'-5s' is negative: write one such as 800ms" },
	{ "fast", 0, "'fast' is not a number such as 800ms" },
	{ ".5s", 0, "'.5s' is not a number such as 800ms" },
	{ "5.s", 0, "'5.s' is not a number such as 800ms" },
	{ "1__0s", 0, "'1__0s' is not a number such as 800ms" },
	{ "_1s", 0, "'_1s' is not a number such as 800ms" },
	{ "1_s", 0, "'1_s' is not a number such as 800ms" },
	{ "1.2.3s", 0, "'1.2.3s': unknown unit '.3s': write ns, us, ms, s, m, h or d" },
	{ "0.4ns", 0, "'0.4ns' is shorter than 1ns" },
	{ "9223372037s", 0, "'9223372037s' is too long" },
	{ "999999999999h", 0, "'999999999999h' is too long" },
	{ "99999999999999999999s", 0, "'99999999999999999999s' is too large" },
	{ "None", 0, "'None' is not a number such as 800ms" },
};

static void test_duration(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
		const struct number_row *row = &durations[i];
		struct problem p = { "" };
		ns_t out = -1;
		bool good = units_duration(slice_of(row->text), &out, &p);
		assert_string_equal(p.text, row->problem ? row->problem : "");
		assert_int_equal(good, !row->problem);
		assert_int_equal(out, row->problem ? -1 : row->value);
	}
}

static const struct number_row sizes[] = {
	{ "64KiB", 65536, NULL },
	{ "10MiB", 10485760, NULL },
	{ "1GiB", 1073741824, NULL },
	{ "1.5KiB", 1536, NULL },
	{ "512B", 512, NULL },
	{ "3kB", 3000, NULL },
	{ "3MB", 3000000, NULL },
	{ "2GB", 2000000000, NULL },
	{ "1TiB", 1099511627776, NULL },
	{ "0", 0, NULL },
	{ "0B", 0, NULL },
	{ "64", 0, "'64' has no unit: write 64B, 64KiB or 64MiB" },
	{ "64K", 0,
		"'64K': unknown unit 'K': write B, KiB, MiB, GiB (1024) or kB, MB, GB (1000)" },
	{ "1.5B", 0, "'1.5B' is not a whole number of bytes" },
	{ "", 0, "empty: write a number such as 64KiB" },
	{ "-1B", 0, "'-1B' is negative: write one such as 64KiB" },
	{ "99999999TiB", 0, "'99999999TiB' is too large" },
};

static void test_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		const struct number_row *row = &sizes[i];
		struct problem p = { "" };
		uint64_t out = 77;
		bool good = units_size(slice_of(row->text), &out, &p);
		assert_string_equal(p.text, row->problem ? row->problem : "");
		assert_int_equal(good, !row->problem);
		assert_int_equal(out, row->problem ? 77 : row->value);
	}
}

static const struct number_row counts[] = {
	{ "1000", 1000, NULL },
	{ "1_000", 1000, NULL },
	{ "1_000_000", 1000000, NULL },
	{ "10k", 10000, NULL },
	{ "1.5k", 1500, NULL },
	{ "2M", 2000000, NULL },
	{ "0", 0, NULL },
	{ "none", -1, NULL }, /* UINT64_MAX */
	{ "18446744073709551614", -2, NULL },
	{ "18446744073709551615", 0, "'18446744073709551615' is too large" },
	{ "18446744073709551616", 0, "'18446744073709551616' is too large" },
	{ "1.5", 0, "'1.5' is not a whole number" },
	{ "1,000", 0,
		"'1,000': write plain digits, with a point before a fraction, such as 1000" },
	{ "1e3", 0,
		"'1e3': write plain digits, with a point before a fraction, such as 1000" },
	{ "0x10", 0,
		"'0x10': write plain digits, with a point before a fraction, such as 1000" },
	{ "1e", 0, "'1e': 'e' does not belong to a count: write 1 or 1k" },
	{ "10s", 0, "'10s': 's' does not belong to a count: write 10 or 10k" },
	{ "many", 0, "'many' is not a number such as 1000" },
	{ "-1", 0, "'-1' is negative: write one such as 1000" },
	{ "", 0, "empty: write a number such as 1000" },
};

static void test_count(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		const struct number_row *row = &counts[i];
		struct problem p = { "" };
		uint64_t out = 77;
		bool good = units_count(slice_of(row->text), &out, &p);
		assert_string_equal(p.text, row->problem ? row->problem : "");
		assert_int_equal(good, !row->problem);
		assert_true(out == (row->problem ? 77 : (uint64_t)row->value));
	}
}

struct real_row {
	const char *text;
	double value;
	const char *problem;
};

static void check_reals(bool (*parse)(struct slice s, double *out, struct problem *p),
	const struct real_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct problem p = { "" };
		double out = -1;
		bool good = parse(slice_of(rows[i].text), &out, &p);
		assert_string_equal(p.text, rows[i].problem ? rows[i].problem : "");
		assert_int_equal(good, !rows[i].problem);
		assert_true(out == (rows[i].problem ? -1 : rows[i].value)); /* exactly */
	}
}

static void test_rate(void **state)
{
	(void)state;
	static const struct real_row rows[] = {
		{ "700/s", 700, NULL },
		{ "12000/m", 200, NULL },
		{ "0.5/s", 0.5, NULL },
		{ "0.1/s", 0.1, NULL },
		{ "3600/h", 1, NULL },
		{ "0/s", 0, NULL },
		{ "700", 0, "'700' has no unit: write 700/s or 700/m" },
		{ "0", 0, "'0' has no unit: write 0/s or 0/m" },
		{ "700/x", 0, "'700/x': unknown unit '/x': write 700/s, 700/m or 700/h" },
		{ "700rps", 0,
			"'700rps': unknown unit 'rps': write 700/s, 700/m or 700/h" },
		{ "-1/s", 0, "'-1/s' is negative: write one such as 700/s" },
		{ "", 0, "empty: write a number such as 700/s" },
	};
	check_reals(units_rate, rows, ARRAY_LEN(rows));
}

static void test_share(void **state)
{
	(void)state;
	static const struct real_row rows[] = {
		{ "20%", 0.2, NULL },
		{ "0.5%", 0.005, NULL },
		{ "100%", 1, NULL },
		{ "0%", 0, NULL },
		{ "33.3%", 0.333, NULL },
		{ "5 %", 0.05, NULL },
		{ "20", 0, "'20' has no unit: write a share as percent, such as 20%" },
		{ "0.2", 0, "'0.2' has no unit: write a share as percent, such as 20%" },
		{ "20pct", 0, "'20pct': unknown unit 'pct': write 20%" },
		{ "100.1%", 0, "'100.1%' is more than 100%" },
		{ "-1%", 0, "'-1%' is negative: write one such as 20%" },
	};
	check_reals(units_share, rows, ARRAY_LEN(rows));
}

static void test_no_problem_wanted(void **state)
{
	(void)state;
	ns_t out;
	assert_false(units_duration(SLICE("5"), &out, NULL));
}

static void test_add_duration(void **state)
{
	(void)state;
	static const struct {
		ns_t value;
		const char *text;
	} rows[] = {
		{ 0, "0" },
		{ 1, "1 ns" },
		{ 999, "999 ns" },
		{ 1000, "1 \xc2\xb5s" },
		{ 1001, "1.00 \xc2\xb5s" },
		{ 1234, "1.23 \xc2\xb5s" },
		{ 1235, "1.24 \xc2\xb5s" },
		{ 812000, "812 \xc2\xb5s" },
		{ 999499, "999 \xc2\xb5s" },
		{ 999500, "1.00 ms" },
		{ 9994999, "9.99 ms" },
		{ 9995000, "10.0 ms" },
		{ 52134000, "52.1 ms" },
		{ 99950000, "100 ms" },
		{ 800 * NS_MS, "800 ms" },
		{ 999500000, "1.00 s" },
		{ NS_S, "1 s" },
		{ 1500 * NS_MS, "1.5 s" },
		{ 4034 * NS_MS, "4.03 s" },
		{ 59949 * NS_MS, "59.9 s" },
		{ 59950 * NS_MS, "1m" },
		{ 60 * NS_S, "1m" },
		{ 125 * NS_S, "2m 5s" },
		{ 725 * NS_S + 400 * NS_MS, "12m 5s" },
		{ 725 * NS_S + 500 * NS_MS, "12m 6s" },
		{ 3599 * NS_S, "59m 59s" },
		{ 3599 * NS_S + 500 * NS_MS, "1h" },
		{ 3660 * NS_S, "1h 1m" },
		{ 86400 * NS_S, "24h" },
		{ -52 * NS_MS, "-52 ms" },
		{ NS_NEVER, "none" },
		{ NS_NEVER - 1, "2562047h 47m" },
		{ INT64_MIN, "-2562047h 47m" },
	};
	struct text t;
	text_init(&t);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		text_add_duration(&t, rows[i].value);
		assert_text(&t, rows[i].text);
	}
	text_fini(&t);
}

static void test_add_size(void **state)
{
	(void)state;
	static const struct {
		uint64_t value;
		const char *text;
	} rows[] = {
		{ 0, "0 B" },
		{ 1023, "1023 B" },
		{ 1024, "1 KiB" },
		{ 1536, "1.5 KiB" },
		{ 1537, "1.50 KiB" },
		{ 1572864, "1.5 MiB" },
		{ 100 << 20, "100 MiB" },
		{ 1ull << 40, "1 TiB" },
		{ UINT64_MAX, "16777216 TiB" },
	};
	struct text t;
	text_init(&t);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		text_add_size(&t, rows[i].value);
		assert_text(&t, rows[i].text);
	}
	text_fini(&t);
}

static void test_add_count(void **state)
{
	(void)state;
	struct text t;
	text_init(&t);
	text_add_count(&t, 0);
	assert_text(&t, "0");
	text_add_count(&t, 999);
	assert_text(&t, "999");
	text_add_count(&t, 1000);
	assert_text(&t, "1,000");
	text_add_count(&t, 12345);
	assert_text(&t, "12,345");
	text_add_count(&t, 123456789);
	assert_text(&t, "123,456,789");
	text_add_count(&t, UINT64_MAX);
	assert_text(&t, "18,446,744,073,709,551,615");
	text_fini(&t);
}

static void test_add_number(void **state)
{
	static const struct {
		double n;
		const char *text;
	} rows[] = { { 0, "0" }, { 0.06667, "0.0667" }, { 6.667, "6.67" }, { 700, "700" },
		{ 999.4, "999" }, { 999.5, "1,000" }, { 999.9, "1,000" },
		{ 1000, "1,000" }, { 12345.4, "12,345" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct text t;

		text_init(&t);
		text_add_number(&t, rows[i].n);
		assert_text(&t, rows[i].text);
		text_fini(&t);
	}
}

static void test_nearest(void **state)
{
	(void)state;
	static const char *const words[] = { "timeout", "limit", "limit-unit", "listen",
		"upstream", "no" };
	static const struct {
		const char *word, *nearest;
	} rows[] = {
		{ "timout", "timeout" },
		{ "timeuot", "timeout" }, /* swapped */
		{ "timeouts", "timeout" },
		{ "on", "no" }, /* a swap is one edit: two would be too many */
		{ "Limit", "limit" },
		{ "lsiten", "listen" },
		{ "limit_unit", "limit-unit" },
		{ "upsteram", "upstream" },
		{ "port", NULL },
		{ "x", NULL },
		{ "", NULL },
		{ "completely-else", NULL },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *got = units_nearest(
			slice_of(rows[i].word), words, ARRAY_LEN(words));
		if (rows[i].nearest)
			assert_string_equal(got, rows[i].nearest);
		else
			assert_null(got);
	}
	char longest[200];
	memset(longest, 'x', sizeof(longest));
	assert_null(units_nearest((struct slice){ longest, sizeof(longest) }, words, 6));
	assert_null(units_nearest(SLICE("limit"), words, 0));
	assert_true(units_is_slip(SLICE("adress"), "address"));
	assert_true(units_is_slip(SLICE("Route"), "route"));
	assert_false(units_is_slip(SLICE("role"), "route"));
	assert_false(units_is_slip((struct slice){ longest, sizeof(longest) }, "route"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_duration),
		TEST(test_size),
		TEST(test_count),
		TEST(test_rate),
		TEST(test_share),
		TEST(test_no_problem_wanted),
		TEST(test_add_duration),
		TEST(test_add_size),
		TEST(test_add_count),
		TEST(test_add_number),
		TEST(test_nearest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "unit.h"

#include "base/json.h"

#include <math.h>

static struct json compact(struct text *t)
{
	struct json j;
	json_init(&j, t, false);
	return j;
}

static void test_shapes(void **state)
{
	(void)state;
	struct text t;
	text_init(&t);
	struct json j = compact(&t);

	json_object(&j, NULL);
	json_end(&j);
	assert_text(&t, "{}");
	json_array(&j, NULL);
	json_end(&j);
	assert_text(&t, "[]");
	json_object(&j, NULL);
	json_int(&j, "a", -1);
	json_array(&j, "b");
	json_bool(&j, NULL, true);
	json_bool(&j, NULL, false);
	json_null(&j, NULL);
	json_object(&j, NULL);
	json_cstr(&j, "c", "d");
	json_cstr(&j, "e", NULL);
	json_end(&j);
	json_array(&j, NULL);
	json_end(&j);
	json_end(&j);
	json_raw(&j, "f", SLICE("[1,2]"));
	json_end(&j);
	assert_text(&t,
		"{\"a\":-1,\"b\":[true,false,null,{\"c\":\"d\",\"e\":null},[]],\"f\":[1,2]}");
	assert_int_equal(j.depth, 0);
	text_fini(&t);
}

static void test_pretty(void **state)
{
	(void)state;
	struct text t;
	struct json j;
	text_init(&t);
	json_init(&j, &t, true);
	json_object(&j, NULL);
	json_int(&j, "a", 1);
	json_array(&j, "b");
	json_int(&j, NULL, 2);
	json_int(&j, NULL, 3);
	json_end(&j);
	json_object(&j, "c");
	json_end(&j);
	json_end(&j);
	assert_text(
		&t, "{\n  \"a\": 1,\n  \"b\": [\n    2,\n    3\n  ],\n  \"c\": {}\n}");
	text_fini(&t);
}

static void test_deep_indent(void **state)
{
	(void)state;
	struct text t;
	struct json j;
	text_init(&t);
	json_init(&j, &t, true);
	for (int i = 0; i < 32; i++)
		json_array(&j, NULL);
	json_int(&j, NULL, 1);
	size_t line = t.len - strlen("\n1") - 64;
	assert_int_equal(t.ptr[line], '\n');
	for (size_t i = line + 1; i < t.len - 1; i++)
		assert_int_equal(t.ptr[i], ' ');
	for (int i = 0; i < 32; i++)
		json_end(&j);
	text_fini(&t);
}

static void check_str(struct slice in, const char *expected)
{
	struct text t;
	text_init(&t);
	struct json j = compact(&t);
	json_str(&j, NULL, in);
	assert_text(&t, expected);
	text_fini(&t);
}

#define BAD "\xef\xbf\xbd"

static void test_escapes(void **state)
{
	(void)state;
	check_str(SLICE_NONE, "\"\"");
	check_str(SLICE("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
	check_str(SLICE("\b\t\n\f\r"), "\"\\b\\t\\n\\f\\r\"");
	check_str(SLICE("\0\x01\x0b\x1f\x7f"), "\"\\u0000\\u0001\\u000b\\u001f\x7f\"");
	check_str(SLICE("\xc2\xb5s \xe2\x82\xac \xf0\x9f\x98\x80"),
		"\"\xc2\xb5s \xe2\x82\xac \xf0\x9f\x98\x80\"");
	for (int c = 0; c < 0x20; c++) {
		char byte = (char)c;
		struct text t;
		text_init(&t);
		struct json j = compact(&t);
		json_str(&j, NULL, (struct slice){ &byte, 1 });
		assert_true(t.len > 3 && t.ptr[1] == '\\');
		for (size_t i = 0; i < t.len; i++)
			assert_true((unsigned char)t.ptr[i] >= 0x20);
		text_fini(&t);
	}
}

static void test_invalid_utf8(void **state)
{
	(void)state;
	check_str(SLICE("a\x80z"), "\"a" BAD "z\"");             /* continuation alone */
	check_str(SLICE("\xff\xfe"), "\"" BAD BAD "\"");         /* never valid */
	check_str(SLICE("\xc0\xaf"), "\"" BAD BAD "\"");         /* overlong '/' */
	check_str(SLICE("\xc1\xbf"), "\"" BAD BAD "\"");         /* overlong */
	check_str(SLICE("\xe0\x9f\xbf"), "\"" BAD BAD BAD "\""); /* overlong */
	check_str(SLICE("\xf0\x8f\xbf\xbf"), "\"" BAD BAD BAD BAD "\"");
	check_str(SLICE("\xed\xa0\x80"), "\"" BAD BAD BAD "\"");         /* surrogate */
	check_str(SLICE("\xf4\x90\x80\x80"), "\"" BAD BAD BAD BAD "\""); /* > U+10FFFF */
	check_str(SLICE("\xf8\x88\x80\x80\x80"), "\"" BAD BAD BAD BAD BAD "\"");
	check_str(SLICE("\xe2\x82"), "\"" BAD BAD "\"");       /* cut off at the end */
	check_str(SLICE("\xe2\x82\""), "\"" BAD BAD "\\\"\""); /* by a quote */
	check_str(SLICE("\xf0\x9f\x98"), "\"" BAD BAD BAD "\"");
	check_str(SLICE("\xed\x9f\xbf\xee\x80\x80"), "\"\xed\x9f\xbf\xee\x80\x80\"");
	check_str(SLICE("\xf4\x8f\xbf\xbf"), "\"\xf4\x8f\xbf\xbf\"");
}

/* A sequence cut off by the end of its buffer: nothing behind it is read. */
static void test_cut_utf8(void **state)
{
	(void)state;
	static const char *const cuts[] = { "\xc2", "\xe2\x82", "\xf0\x9f\x98" };
	for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
		size_t len = strlen(cuts[i]);
		char *exact = mem_alloc(len);
		memcpy(exact, cuts[i], len);
		struct text t;
		text_init(&t);
		struct json j = compact(&t);
		json_str(&j, NULL, (struct slice){ exact, len });
		assert_int_equal(t.len, 2 + 3 * len);
		text_fini(&t);
		mem_free(exact);
	}
}

static void check_real(double value, const char *expected)
{
	struct text t;
	text_init(&t);
	struct json j = compact(&t);
	json_real(&j, NULL, value);
	assert_text(&t, expected);
	text_fini(&t);
}

static void test_reals(void **state)
{
	(void)state;
	check_real(0, "0");
	check_real(-0.0, "0");
	check_real(1, "1");
	check_real(-1.5, "-1.5");
	check_real(100, "100");
	check_real(1234567, "1234567");
	check_real(1234567.25, "1234567.25");
	check_real(1.0 / 3, "0.333333");
	check_real(10.0 / 3, "3.333333");
	check_real(0.000012345, "1.2345e-05");
	check_real(0.1, "0.1");
	check_real(0.9999999, "1");
	check_real(1e14, "100000000000000");
	check_real(1e300, "1e+300");
	check_real(-1e300, "-1e+300");
	check_real(NAN, "null");
	check_real(INFINITY, "null");
	check_real(-INFINITY, "null");
}

static void check_ms(ns_t value, const char *expected)
{
	struct text t;
	text_init(&t);
	struct json j = compact(&t);
	json_ms(&j, NULL, value);
	assert_text(&t, expected);
	text_fini(&t);
}

static void test_ms(void **state)
{
	(void)state;
	check_ms(0, "0");
	check_ms(NS_MS, "1");
	check_ms(52134 * NS_US, "52.134");
	check_ms(52100 * NS_US, "52.1");
	check_ms(499, "0");
	check_ms(500, "0.001");
	check_ms(999500, "1");
	check_ms(3600 * NS_S, "3600000");
	check_ms(-1500 * NS_US, "-1.5");
	check_ms(-1, "0");
	check_ms(NS_NEVER, "null");
	check_ms(NS_NEVER - 1, "9223372036854.776");
	check_ms(INT64_MIN, "-9223372036854.776");
}

static void test_ints(void **state)
{
	(void)state;
	struct text t;
	text_init(&t);
	struct json j = compact(&t);
	json_array(&j, NULL);
	json_int(&j, NULL, INT64_MAX);
	json_int(&j, NULL, INT64_MIN);
	json_end(&j);
	assert_text(&t, "[9223372036854775807,-9223372036854775808]");
	text_fini(&t);
}

static void test_deep(void **state)
{
	(void)state;
	struct text t;
	text_init(&t);
	struct json j = compact(&t);
	for (int i = 0; i < 32; i++)
		json_array(&j, NULL);
	json_int(&j, NULL, 1);
	json_int(&j, NULL, 2);
	for (int i = 0; i < 32; i++)
		json_end(&j);
	assert_int_equal(t.len, 32 + 3 + 32);
	text_fini(&t);
}

static void with_json(void (*fn)(struct json *j))
{
	struct text t;
	text_init(&t);
	struct json j = compact(&t);
	fn(&j);
}

static void key_in_array(struct json *j)
{
	json_array(j, NULL);
	json_int(j, "a", 1);
}

static void no_key_in_object(struct json *j)
{
	json_object(j, NULL);
	json_int(j, NULL, 1);
}

static void too_deep(struct json *j)
{
	for (int i = 0; i < 33; i++)
		json_array(j, NULL);
}

static void do_key_in_array(void)
{
	with_json(key_in_array);
}

static void do_no_key_in_object(void)
{
	with_json(no_key_in_object);
}

static void do_end_of_nothing(void)
{
	with_json(json_end);
}

static void do_too_deep(void)
{
	with_json(too_deep);
}

static void test_rules(void **state)
{
	(void)state;
	assert_true(aborts(do_key_in_array));
	assert_true(aborts(do_no_key_in_object));
	assert_true(aborts(do_end_of_nothing));
	assert_true(aborts(do_too_deep));
}

static void test_valid(void **state)
{
	(void)state;
	static const char *const good[] = { "0", "-0.5e+10", "1E3", "null", " true\n",
		"\"\"", "\"\\u00e9\\n\\/\xc3\xa9\"", "\"\\ud83d\\uDE00\"", "[]", "{}",
		"[ ]", "[[],{}]", "{\"a\":1,\"b\":[1,2,{\"c\":null}]}",
		"\t{ \"a\" : [ ] , \"\" : { } }\r\n" };
	static const char *const bad[] = { "", " ", "01", "1.", ".5", "+1", "-", "1e",
		"0x1", "nul", "nulll", "True", "NaN", "\"", "\"\\x\"", "\"\\u12g4\"",
		"\"\\ud83d\"", "\"\\ude00\"", "\"\\ud83d\\n\"", "\"\\ud83d\\ud83d\"",
		"\"\t\"", "\"\xff\"", "\"\xed\xa0\x80\"", "[", "]", "[1,]", "[,]",
		"[1 2]", "{", "{a:1}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":1]",
		"[1}", "1 2", "{}{}", "[1]x", "// c", "'a'", "\xef\xbb\xbf{}" };
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (!json_is_valid(slice_of(good[i])))
			fail_msg("refused: %s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (json_is_valid(slice_of(bad[i])))
			fail_msg("taken: %s", bad[i]);
	assert_false(json_is_valid((struct slice){ "1\0", 2 }));
}

/* Every beginning of a text is none, and the 65th level is too many. */
static void test_valid_cut_and_deep(void **state)
{
	(void)state;
	struct slice whole = SLICE(
		"{\"a\":[1.5e3,\"\\u0041\xc3\xa9\",{\"b\":false}],\"c\":{}}");
	struct text t;
	assert_true(json_is_valid(whole));
	for (size_t i = 0; i < whole.len; i++)
		assert_false(json_is_valid(slice_cut(whole, 0, i)));
	text_init(&t);
	for (int levels = 64; levels <= 65; levels++) {
		text_reset(&t);
		for (int i = 0; i < levels; i++)
			text_add(&t, i % 2 ? "[" : "{\"k\":");
		text_add(&t, "1");
		for (int i = levels; i-- > 0;)
			text_add(&t, i % 2 ? "]" : "}");
		assert_int_equal(json_is_valid(text_slice(&t)), levels == 64);
	}
	text_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_shapes),
		TEST(test_pretty),
		TEST(test_escapes),
		TEST(test_invalid_utf8),
		TEST(test_cut_utf8),
		TEST(test_reals),
		TEST(test_ms),
		TEST(test_ints),
		TEST(test_deep),
		TEST(test_deep_indent),
		TEST(test_rules),
		TEST(test_valid),
		TEST(test_valid_cut_and_deep),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

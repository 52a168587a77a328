#include "unit.h"

#include "base/json.h"
#include "base/json_read.h"

#include <sys/mman.h>

static const char sample[] =
	"{\"rate\": 160.5, \"n\": 3, \"whole\": 4.0, \"big\": 9007199254740993,\n"
	" \"ok\": true, \"nothing\": null, \"text\": \"a\\u0000b \\u20ac\",\n"
	" \"rows\": [{\"c\": 1}, {\"c\": {\"d\": [10, 20, 30.25]}}, [[5]]],\n"
	" \"peers\": {\"10.0.0.2:80\": {\"n\": 7}, \"[::1]:80\": {\"n\": 8}}}";

static struct json_doc *parse(const char *text)
{
	struct problem p = { "" };
	struct json_doc *d = json_doc_parse(slice_of(text), &p);
	assert_string_equal(p.text, "");
	assert_non_null(d);
	return d;
}

static void test_numbers(void **state)
{
	(void)state;
	struct json_doc *d = parse(sample);
	double real = -1;
	int64_t n = -1;

	assert_true(json_get_real(d, "rate", &real) && real == 160.5);
	assert_true(json_get_real(d, "n", &real) && real == 3);
	assert_true(json_get_real(d, "rows[1].c.d[2]", &real) && real == 30.25);
	assert_true(json_get_int(d, "rows[2][0][0]", &n) && n == 5);
	assert_true(json_get_int(d, "whole", &n) && n == 4);
	assert_true(json_get_int(d, "big", &n) && n == 9007199254740993);
	assert_true(json_get_int(d, "peers[\"10.0.0.2:80\"].n", &n) && n == 7);
	assert_true(json_get_int(d, "peers[\"[::1]:80\"].n", &n) && n == 8);
	n = -1;
	real = -1;
	assert_false(json_get_int(d, "rate", &n));
	assert_false(json_get_int(d, "text", &n));
	assert_false(json_get_int(d, "rows[3]", &n));
	assert_false(json_get_int(d, "rows.c", &n));
	assert_false(json_get_int(d, "n[0]", &n));
	assert_false(json_get_int(d, "none.of.these[4]", &n));
	assert_false(json_get_real(d, "nothing", &real));
	assert_false(json_get_real(d, "", &real));
	assert_int_equal(n, -1);
	assert_true(real == -1);
	json_doc_free(&d);
	assert_null(d);
	json_doc_free(&d);
}

static void test_others(void **state)
{
	(void)state;
	struct json_doc *d = parse(sample);
	bool ok = false;
	struct slice s;

	assert_true(json_get_bool(d, "ok", &ok) && ok);
	assert_false(json_get_bool(d, "n", &ok));
	assert_true(json_get_str(d, "text", &s));
	assert_true(slice_eq(s, SLICE("a\0b \xe2\x82\xac")));
	assert_false(json_get_str(d, "n", &s));
	assert_true(json_has(d, "nothing") && json_is_null_at(d, "nothing"));
	assert_false(json_has(d, "missing") || json_is_null_at(d, "missing"));
	assert_true(json_has(d, ""));
	assert_int_equal(json_len(d, "rows"), 3);
	assert_int_equal(json_len(d, "rows[1].c.d"), 3);
	assert_int_equal(json_len(d, ""), 9);
	assert_int_equal(json_len(d, "peers"), 2);
	assert_int_equal(json_len(d, "n"), 0);
	assert_int_equal(json_len(d, "missing"), 0);
	assert_true(json_get_key(d, "peers", 0, &s));
	assert_slice(s, "10.0.0.2:80");
	assert_true(json_get_key(d, "peers", 1, &s));
	assert_slice(s, "[::1]:80");
	assert_false(json_get_key(d, "peers", 2, &s));
	assert_false(json_get_key(d, "rows", 0, &s));
	assert_false(json_get_key(d, "missing", 0, &s));
	json_doc_free(&d);
}

static void test_dump(void **state)
{
	(void)state;
	struct json_doc *d = parse("{\"z\": {\"b\": [1, 0.1, \"x\"], \"a\": null}}");
	char *text = json_dump_at(d, "z");
	assert_string_equal(text, "{\"b\":[1,0.1,\"x\"],\"a\":null}");
	mem_free(text);
	text = json_dump_at(d, "z.b[2]");
	assert_string_equal(text, "\"x\"");
	mem_free(text);
	assert_null(json_dump_at(d, "y"));
	json_doc_free(&d);
}

/* What json writes, json_read reads: in one program, though jansson has the same names. */
static void test_round_trip(void **state)
{
	(void)state;
	static const ns_t spans[] = { 0, NS_US, 52134 * NS_US, 3600 * NS_S, -NS_MS,
		NS_NEVER };
	struct text t;
	struct json j;
	char bytes[256];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)i;
	text_init(&t);
	json_init(&j, &t, true);
	json_object(&j, NULL);
	json_str(&j, "bytes", (struct slice){ bytes, sizeof(bytes) });
	json_str(&j, "ascii", (struct slice){ bytes + 1, 127 });
	json_real(&j, "third", 1.0 / 3);
	json_null(&j, "null");
	json_array(&j, "spans_ms");
	for (size_t i = 0; i < ARRAY_LEN(spans); i++)
		json_ms(&j, NULL, spans[i]);
	json_end(&j);
	json_end(&j);
	struct json_doc *d = parse(t.ptr);
	struct slice s;
	double real;
	assert_true(json_get_str(d, "bytes", &s) && s.len == 128 + 3 * 128);
	assert_true(json_get_str(d, "ascii", &s));
	assert_true(slice_eq(s, (struct slice){ bytes + 1, 127 }));
	assert_true(json_get_real(d, "third", &real) && real == 0.333333);
	assert_true(json_is_null_at(d, "null"));
	for (size_t i = 0; i < ARRAY_LEN(spans); i++) {
		char path[32];
		ns_t span = 1;
		snprintf(path, sizeof(path), "spans_ms[%zu]", i);
		assert_true(json_get_ms(d, path, &span));
		assert_int_equal(span, spans[i]);
	}
	json_doc_free(&d);
	text_fini(&t);
}

static void test_bad_ms(void **state)
{
	(void)state;
	struct json_doc *d = parse("{\"a\": 1e300, \"b\": \"5\"}");
	ns_t span = 7;
	assert_false(json_get_ms(d, "a", &span));
	assert_false(json_get_ms(d, "b", &span));
	assert_false(json_get_ms(d, "c", &span));
	assert_int_equal(span, 7);
	json_doc_free(&d);
}

static void check_problem(struct slice text, const char *begins)
{
	struct problem p = { "" };
	assert_null(json_doc_parse(text, &p));
	assert_memory_equal(p.text, begins, strlen(begins));
}

static void test_problems(void **state)
{
	(void)state;
	check_problem(SLICE("{\"a\": 1,\n \"b\": }"), "line 2, column 7: ");
	check_problem(SLICE_NONE, "line 1, column 0: ");
	check_problem(SLICE("{\"a\": 1, \"a\": 2}"), "line 1, column ");
	check_problem(SLICE("[1] x"), "line 1, column ");
	check_problem(SLICE("\"\xff\""), "line 1, column ");
}

static void test_load(void **state)
{
	(void)state;
	struct problem p = { "" };
	char file[64];
	int64_t n = 0;
	int fd = memfd_create("json_read", MFD_CLOEXEC);

	assert_true(fd >= 0);
	snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	assert_int_equal(write(fd, "{\"n\": 5}\n", 9), 9);
	struct json_doc *d = json_doc_load(file, &p);
	assert_true(d && json_get_int(d, "n", &n) && n == 5);
	json_doc_free(&d);
	assert_int_equal(write(fd, "junk", 4), 4);
	assert_null(json_doc_load(file, &p));
	assert_memory_equal(p.text, file, strlen(file));
	assert_non_null(strstr(p.text, ":2:4: "));
	close(fd);
	p.text[0] = '\0';
	assert_null(json_doc_load("no/such/file.json", &p));
	assert_string_equal(p.text, "no/such/file.json: No such file or directory");
}

static void bad_path(const char *path)
{
	struct json_doc *d = parse("{\"a\": [1]}");
	(void)json_has(d, path);
}

static void path_with_open_bracket(void)
{
	bad_path("a[0");
}

static void path_with_word_index(void)
{
	bad_path("a[x]");
}

static void test_bad_paths(void **state)
{
	(void)state;
	assert_true(aborts(path_with_open_bracket));
	assert_true(aborts(path_with_word_index));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_numbers),
		TEST(test_others),
		TEST(test_dump),
		TEST(test_round_trip),
		TEST(test_bad_ms),
		TEST(test_problems),
		TEST(test_load),
		TEST(test_bad_paths),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

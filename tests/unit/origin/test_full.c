/* The refusal's bytes, as captured from fasthttp 1.31. */
#include "tests/unit/base/unit.h"
#include "origin/full.h"

static const char date[] = "Sun, 22 Nov 2026 10:00:00 GMT";

static void test_rest_of_the_refusal(void **state)
{
	static const char captured[] =
		"Connection: close\r\n"
		"Server: fasthttp\r\n"
		"Date: Sun, 22 Nov 2026 10:00:00 GMT\r\n"
		"Content-Type: text/plain\r\n"
		"Content-Length: 73\r\n"
		"\r\n"
		"The connection cannot be served because Server.Concurrency limit exceeded";
	char buf[512];
	struct wire w;
	(void)state;

	wire_init(&w, buf, sizeof(buf));
	full_put_rest(&w, SLICE("fasthttp"), slice_of(date));
	assert_false(w.over);
	assert_int_equal(w.len, sizeof(captured) - 1);
	assert_memory_equal(buf, captured, w.len);
	assert_int_equal(sizeof(FULL_FIRST_WRITE) - 1, 34);
	assert_int_equal(sizeof(FULL_FIRST_WRITE) - 1 + w.len, 229);
}

static void test_no_server_name(void **state)
{
	char buf[512];
	struct wire w;
	(void)state;

	wire_init(&w, buf, sizeof(buf));
	full_put_rest(&w, SLICE_NONE, slice_of(date));
	assert_null(memmem(buf, w.len, "Server:", 7));
}

static void test_plain_answers(void **state)
{
	(void)state;
	assert_int_equal(full_answer(FULL_503).fields.len, 0);
	assert_true(full_answer(FULL_503).body.len > 0);
	assert_true(slice_eq(full_answer(FULL_FASTHTTP).body, SLICE(FULL_WORDS)));
	assert_true(slice_eq(full_answer(FULL_429).fields, SLICE("Retry-After: 1\r\n")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rest_of_the_refusal),
		TEST(test_no_server_name),
		TEST(test_plain_answers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

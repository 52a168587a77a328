/* When calls are welcome again: every form it is said in, and every value that says nothing. */
#include "tests/unit/base/unit.h"
#include "proto/retry_after.h"

#define NOW 1767225600 /* Thu, 01 Jan 2026 00:00:00 GMT */

static struct h1_head head;
static char bytes[4096];

/* Of an answer with these field lines. */
static struct retry_after of(int status, const char *fields)
{
	struct h1_scan scan = { 0 };
	const struct h1_limits limits = { 0 };
	size_t used = 0;
	enum err why = ERR_OK;
	int n = snprintf(bytes, sizeof(bytes), "HTTP/1.1 %d X\r\n%s\r\n", status, fields);
	enum h1_result r = h1_parse_response(&scan, (struct slice){ bytes, (size_t)n },
		&limits, H1_GET, &head, &used, &why);
	assert_int_equal(r, H1_DONE);
	return retry_after_of(&head, NOW);
}

static double seconds(int status, const char *fields)
{
	return (double)of(status, fields).in / (double)NS_S;
}

#define assert_seconds(status, fields, want) \
	assert_true(seconds(status, fields) > (want)-1e-6 && \
		    seconds(status, fields) < (want) + 1e-6)

static void test_seconds(void **state)
{
	(void)state;
	assert_seconds(429, "Retry-After: 5\r\n", 5);
	assert_seconds(503, "retry-after: 120\r\n", 120);
	assert_seconds(429, "Retry-After: 0.25\r\n", 0.25);
	assert_seconds(429, "Retry-After: 64.57\r\n", 64.57);
	assert_seconds(429, "Retry-After: 3\r\nRetry-After: 7\r\n", 7);
	assert_seconds(429, "Retry-After: 2678400\r\n", 2678400);
	assert_int_equal(of(429, "Retry-After: 5\r\n").by, RETRY_AFTER_FIELD);
}

static void test_what_says_nothing(void **state)
{
	static const char *const values[] = { "", "0", "-1", "+5", "5s", "1e3", ".5",
		"5.", "5.5.5", "0x10", "5, 6", "soon", "Thu, 01 Jan 2026 00:00:00 GMT",
		"Wed, 31 Dec 2025 23:59:59 GMT", "Thu, 32 Jan 2026 00:00:00 GMT",
		"Thu, 01 Jan 2026 24:00:05 GMT", "Thu, 01 Jan 2026 00:00:05",
		"Thu, 01 Jan 2026 00:00:05 GMT+1", "Thu, 01 Jan 2026 00:00:05 CET",
		"Thu, 30 Feb 2026 00:00:05 GMT", "Thu, 1 Jan 2026 00:00:05 GMT",
		"2026-01-01T00:00:05Z" };
	char field[128];
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		snprintf(field, sizeof(field), "Retry-After: %s\r\n", values[i]);
		if (of(429, field).in)
			fail_msg("'%s' was believed", values[i]);
	}
	assert_int_equal(of(429, "").by, RETRY_AFTER_NONE);
}

static void test_what_is_too_far_off_is_not_soon(void **state)
{
	(void)state;
	assert_seconds(429, "Retry-After: 2678401\r\n", 2678400);
	assert_seconds(503, "Retry-After: 99999999999999999999999\r\n", 2678400);
	assert_seconds(429, "Retry-After: Thu, 01 Jan 9998 00:00:00 GMT\r\n", 2678400);
	assert_int_equal(of(429, "X-RateLimit-Reset: 2678401\r\n").in, 0);
}

static void test_of_other_answers_it_means_something_else(void **state)
{
	static const int statuses[] = { 200, 202, 301, 404, 413, 500, 502, 504 };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		assert_int_equal(of(statuses[i], "Retry-After: 5\r\n").in, 0);
}

static void test_dates(void **state)
{
	(void)state;
	assert_seconds(503, "Retry-After: Thu, 01 Jan 2026 00:00:05 GMT\r\n", 5);
	assert_seconds(503, "Retry-After: Thursday, 01-Jan-26 00:01:00 GMT\r\n", 60);
	assert_seconds(503, "Retry-After: Thu Jan  1 00:00:30 2026\r\n", 30);
	assert_seconds(503, "Retry-After: Sat Jan 10 00:00:00 2026\r\n", 9 * 86400);
	/* by the server's clock, however wrong it goes */
	assert_seconds(503,
		"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
		"Retry-After: Sun, 06 Nov 1994 08:49:47 GMT\r\n",
		10);
	/* a Date that is none: by ours */
	assert_seconds(503,
		"Date: yesterday\r\nRetry-After: Thu, 01 Jan 2026 00:00:05 GMT\r\n", 5);
}

static void test_dates_are_what_was_written(void **state)
{
	char text[H1_DATE_BYTES];
	(void)state;
	for (int64_t at = 0; at < (int64_t)4102444800; at += 86399 * 13) {
		int64_t back = -1;
		h1_date(text, at);
		assert_true(
			h1_date_read((struct slice){ text, sizeof(text) }, NOW, &back));
		assert_int_equal(back, at);
	}
}

static void test_a_year_of_two_digits(void **state)
{
	int64_t at;
	(void)state;
	assert_true(h1_date_read(SLICE("Sunday, 06-Nov-94 08:49:37 GMT"), NOW, &at));
	assert_int_equal(at, 784111777);
	assert_true(h1_date_read(SLICE("Friday, 01-Jan-70 00:00:00 GMT"), NOW, &at));
	assert_true(at > NOW); /* 2070 is less than 50 years off */
	assert_false(h1_date_read(SLICE("Someday, 01-Jan-70 00:00:00 GMT"), NOW, &at));
	assert_false(h1_date_read(SLICE("Sun"), NOW, &at));
	assert_false(h1_date_read(SLICE(""), NOW, &at));
}

static void test_rate_limit_as_a_list(void **state)
{
	(void)state;
	assert_seconds(429, "RateLimit: \"default\";r=0;t=30\r\n", 30);
	assert_seconds(200, "RateLimit: \"default\";r=0;t=30\r\n", 30);
	assert_seconds(200, "ratelimit: \"a\";r=5;t=9, \"b\" ; r=0 ; t=4\r\n", 4);
	assert_seconds(200, "RateLimit: \"a\";r=0;t=9, \"b\";r=0;t=4\r\n", 9);
	assert_seconds(
		200, "RateLimit: \"a\";r=0;t=9\r\nRateLimit: \"b\";r=0;t=40\r\n", 40);
	assert_seconds(200, "RateLimit: \"x;r=1,t=2\";t=7;r=0;pk=:dGVzdA==:\r\n", 7);
	assert_seconds(200, "RateLimit: \"a\\\"b,\";r=0;t=3\r\n", 3);
	assert_seconds(200, "RateLimit: default;r=0;t=3\r\n", 3);
	assert_int_equal(
		of(200, "RateLimit: \"a\";r=0;t=3\r\n").by, RETRY_AFTER_RATE_LIMIT);
	/* nothing is spent, or nobody says until when */
	assert_int_equal(of(200, "RateLimit: \"a\";r=1;t=3\r\n").in, 0);
	assert_int_equal(of(200, "RateLimit: \"a\";r=0\r\n").in, 0);
	assert_int_equal(of(200, "RateLimit: \"a\";t=3\r\n").in, 0);
	assert_int_equal(of(429, "RateLimit: \"a\";r=9;t=3, \"b\";t=5\r\n").in, 0);
	assert_int_equal(of(200, "RateLimit: \"a\";r=-1;t=3\r\n").in, 0);
	assert_int_equal(of(200, "RateLimit: \"a;r=0;t=3\r\n").in, 0);
	assert_int_equal(of(200, "RateLimit: ,;,=,;=;\r\n").in, 0);
	assert_int_equal(of(200, "RateLimit: \r\n").in, 0);
	assert_int_equal(of(200, "RateLimit-Policy: \"a\";q=0;w=60\r\n").in, 0);
}

static void test_rate_limit_as_a_dictionary(void **state)
{
	(void)state;
	assert_seconds(200, "RateLimit: limit=100, remaining=0, reset=5\r\n", 5);
	assert_seconds(429, "RateLimit: limit=100, reset=5\r\n", 5);
	assert_int_equal(of(200, "RateLimit: limit=100, remaining=3, reset=5\r\n").in, 0);
}

static void test_three_fields(void **state)
{
	(void)state;
	assert_seconds(200,
		"RateLimit-Limit: 100\r\nRateLimit-Remaining: 0\r\nRateLimit-Reset: 12\r\n",
		12);
	assert_seconds(429, "RateLimit-Reset: 12\r\n", 12);
	assert_int_equal(of(200, "RateLimit-Reset: 12\r\n").in, 0);
	assert_int_equal(of(200, "RateLimit-Remaining: 0\r\n").in, 0);
	assert_int_equal(
		of(200, "RateLimit-Remaining: 1\r\nRateLimit-Reset: 12\r\n").in, 0);
	/* one of an epoch is none of these */
	assert_int_equal(
		of(200, "RateLimit-Remaining: 0\r\nRateLimit-Reset: 1767225610\r\n").in,
		0);
}

static void test_x_fields(void **state)
{
	(void)state;
	assert_seconds(
		200, "X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 1767225610\r\n", 10);
	assert_seconds(200,
		"x-ratelimit-remaining: 0\r\nx-ratelimit-reset: 1767225610500\r\n", 10.5);
	assert_seconds(
		200, "X-Rate-Limit-Remaining: 0\r\nX-Rate-Limit-Reset: 30\r\n", 30);
	assert_seconds(403, "X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 30\r\n", 30);
	assert_seconds(429, "X-RateLimit-Reset: 30\r\n", 30);
	assert_int_equal(
		of(200, "X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 8\r\n").by,
		RETRY_AFTER_X_RATE_LIMIT);
	/* over already; a name that only looks like it; two kinds that must not mix */
	assert_int_equal(
		of(200, "X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 1767225599\r\n")
			.in,
		0);
	assert_int_equal(
		of(200, "X-RateLimit-Remaining-Requests: 0\r\nX-RateLimit-Reset: 9\r\n")
			.in,
		0);
	assert_int_equal(
		of(200, "RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 9\r\n").in, 0);
	assert_int_equal(
		of(200, "X-RateLimit-Remaining: 0, 5\r\nX-RateLimit-Reset: 9\r\n").in, 0);
}

static void test_retry_after_comes_first(void **state)
{
	const struct retry_after both = of(429,
		"X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 30\r\nRetry-After: 2\r\n");
	(void)state;
	assert_int_equal(both.by, RETRY_AFTER_FIELD);
	assert_int_equal(both.in, 2 * NS_S);
	assert_seconds(429,
		"X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 30\r\nRetry-After: x\r\n",
		30);
}

/* Which of the fields the engine knows without looking at names. */
static void test_only_their_own_kin(void **state)
{
	(void)state;
	(void)of(200, "Range: x\r\nX-Rate: 0\r\nRateLimited: 0\r\nX-RateLimits: 1\r\n");
	assert_false(head.seen & (uint64_t)1 << H1_FIELD_RATE_LIMIT);
	(void)of(200, "x-RATE-limit-Whatever: 0\r\n");
	assert_true(head.seen & (uint64_t)1 << H1_FIELD_RATE_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_seconds),
		TEST(test_what_says_nothing),
		TEST(test_what_is_too_far_off_is_not_soon),
		TEST(test_of_other_answers_it_means_something_else),
		TEST(test_dates),
		TEST(test_dates_are_what_was_written),
		TEST(test_a_year_of_two_digits),
		TEST(test_rate_limit_as_a_list),
		TEST(test_rate_limit_as_a_dictionary),
		TEST(test_three_fields),
		TEST(test_x_fields),
		TEST(test_retry_after_comes_first),
		TEST(test_only_their_own_kin),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

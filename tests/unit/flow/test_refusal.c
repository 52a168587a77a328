/* Which answers say that the server has no slot. */
#include "flow/refusal.h"
#include "tests/unit/base/unit.h"

#define FASTHTTP \
	"The connection cannot be served because Server.Concurrency limit exceeded"

static const char *match(uint16_t status, const char *body)
{
	return refusal_match(status, slice_of(body));
}

static void test_known_servers(void **state)
{
	(void)state;
	assert_string_equal(match(503, FASTHTTP), "fasthttp");
	assert_string_equal(
		match(429,
			"The number of connections from your ip exceeds MaxConnsPerIP"),
		"fasthttp");
	assert_string_equal(match(503, "<h2>The service is unavailable.</h2>"), "iis");
	assert_string_equal(
		match(503, "upstream connect error or disconnect/reset before "
			   "headers. reset reason: overflow"),
		"envoy");
	assert_string_equal(
		match(503, "<html>\r\n<head><title>503</title></head>\r\n<center>"
			   "<h1>503 Service Temporarily Unavailable</h1>"
			   "</center>\r\n"),
		"nginx");
	assert_string_equal(
		match(503, "<h1>503</h1>\nNo server is available to handle this "
			   "request.\n"),
		"haproxy");
}

static void test_status_and_text_must_both_fit(void **state)
{
	(void)state;
	assert_null(match(500, FASTHTTP));
	assert_null(match(200, FASTHTTP));
	assert_null(match(429, FASTHTTP));
	assert_null(match(503, ""));
	assert_null(refusal_match(503, SLICE_NONE));
	assert_null(match(503, "Server.Concurrency limit exceede"));
	assert_null(match(503, "down for maintenance"));
}

static void test_words_that_were_handed_on(void **state)
{
	(void)state;
	assert_true(refusal_is_quoted(slice_of("{\"error\": \"" FASTHTTP "\"}")));
	assert_false(refusal_is_quoted(slice_of("socket hang up")));
	assert_false(refusal_is_quoted(SLICE_NONE));
}

static void test_somewhere_in_the_text(void **state)
{
	(void)state;
	char body[1000];
	size_t len = strlen(FASTHTTP);
	memset(body, 'x', sizeof(body));
	memcpy(body + sizeof(body) - len, FASTHTTP, len);
	assert_string_equal(
		refusal_match(503, (struct slice){ body, sizeof(body) }), "fasthttp");
	assert_null(refusal_match(503, (struct slice){ body, sizeof(body) - 1 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_known_servers),
		TEST(test_status_and_text_must_both_fit),
		TEST(test_words_that_were_handed_on),
		TEST(test_somewhere_in_the_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

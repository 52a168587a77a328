#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "obs/mask.h"

#define S(lit) slice_of(lit)

static void test_names(void **state)
{
	static const char *const secret[] = { "Authorization", "Proxy-Authorization",
		"COOKIE", "set-cookie", "X-Api-Key", "x_api_key", "api%5Fkey", "%6bey",
		"access_token", "client_secret", "Password", "X-Amz-Signature", "sig",
		"X-Auth-Token", "X-CSRF", "code" };
	static const char *const plain[] = { "Content-Type", "page", "limit", "Server",
		"Retry-After", "zipcode", "design", "q", "" };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(secret); i++)
		if (!mask_is_secret(S(secret[i])))
			fail_msg("%s is shown", secret[i]);
	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		if (mask_is_secret(S(plain[i])))
			fail_msg("%s is masked", plain[i]);
}

static void assert_target(const char *target, bool keep, const char *want)
{
	char buf[256];
	struct wire w;
	wire_init(&w, buf, sizeof(buf));
	mask_target(&w, S(target), keep);
	assert_false(w.over);
	assert_int_equal(w.len, strlen(want));
	assert_memory_equal(buf, want, w.len);
}

static void test_targets(void **state)
{
	(void)state;
	assert_target("/", false, "/");
	assert_target("/a?", false, "/a?");
	assert_target("/a?page=2&token=abc&q=x", false, "/a?page=2&token=***&q=x");
	assert_target("/a?token=abc=d;key=", false, "/a?token=***;key=***");
	assert_target("/a?api%5fkey=abc", false, "/a?api%5fkey=***");
	assert_target("/a?token", false, "/a?token");
	assert_target("/a?token=abc", true, "/a?token=abc");
	assert_target(
		"http://me:pass@host:80/x?key=1", false, "http://***@host:80/x?key=***");
	assert_target("http://a@b@host", false, "http://***@host");
	assert_target("http://me:pass@host/", true, "http://***@host/");
	assert_target("http://host/a@b", false, "http://host/a@b");
	assert_target("/x:y@z", false, "/x:y@z");
}

static void test_what_does_not_fit_is_cut(void **state)
{
	char buf[11];
	struct wire w;
	(void)state;
	wire_init(&w, buf, sizeof(buf));
	mask_target(&w, S("/a?token=abcdef"), false);
	assert_true(w.over);
	assert_int_equal(w.len, 11);
	assert_memory_equal(buf, "/a?token=**", 11);
}

static void test_fields(void **state)
{
	static const char want[] = "Server: x\nSet-Cookie: ***\n"
				   "Location: /l?key=***\nA: b\n";
	char buf[64];
	struct wire w;
	(void)state;
	wire_init(&w, buf, sizeof(buf));
	mask_field(&w, S("Server"), S("x"), false);
	mask_field(&w, S("Set-Cookie"), S("id=1"), false);
	mask_field(&w, S("Location"), S("/l?key=v"), false);
	mask_field(&w, S("A"), S("b"), false);
	assert_int_equal(w.len, strlen(want));
	assert_memory_equal(buf, want, w.len);
	mask_field(&w, S("Long"), S("a value that has no room any more"), false);
	assert_int_equal(w.len, strlen(want));
}

static void test_running_text(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "" },
		{ "db down: 17 of 20", "db down: 17 of 20" },
		{ "Cannot GET /x?api_key=ab%2F1&page=2",
			"Cannot GET /x?api_key=***&page=2" },
		{ "<pre>/x?a=1&amp;sid=17</pre>", "<pre>/x?a=1&amp;sid=***</pre>" },
		{ "{\"code\":\"slow\",\"token\":\"a\\\"b c\",\"n\":1}",
			"{\"code\":\"slow\",\"token\":\"***\",\"n\":1}" },
		{ "{\"pin\" : 1234, \"keys\": [\"a\", \"b\"]}",
			"{\"pin\" : ***, \"keys\": ***]}" },
		{ "{\"auth\":{\"user\":\"me\",\"password\":\"x\"}}",
			"{\"auth\":{\"user\":\"me\",\"password\":\"***\"}}" },
		{ "\"{\\\"token\\\":\\\"abc\\\",\\\"n\\\":1}\"",
			"\"{\\\"token\\\":\\\"***\\\",\\\"n\\\":1}\"" },
		{ "Authorization: Bearer abc.def, no", "Authorization: ***, no" },
		{ "no right by Bearer abc.def at all", "no right by Bearer *** at all" },
		{ "Unauthorized: no such user", "Unauthorized: no such user" },
		{ "token='a b' is old; password = hunter2!",
			"token='***' is old; password = ***" },
		{ "at http://me:pw@db:80/x and http://db:80/@",
			"at http://***@db:80/x and http://db:80/@" },
		{ "\"/x?a=1\\u0026sig=abc\\u0026b=2\"",
			"\"/x?a=1\\u0026sig=***\\u0026b=2\"" },
		{ "\\usrtoken=abc", "\\usrtoken=***" },
		{ "Authorization: Negotiate YIIG+a/b==, no", "Authorization: ***, no" },
		{ "Authorization: NTLM TlRM; ApiKey: k",
			"Authorization: ***; ApiKey: ***" },
		{ "Authorization: ApiKey a.b", "Authorization: ***" },
		{ "<p>Cookie: lang=en; PHPSESSID=1</p>", "<p>Cookie: ***</p>" },
		{ "{\"h\":\"Set-Cookie: a=1; Path=/, b=2\",\"n\":1}",
			"{\"h\":\"Set-Cookie: ***\",\"n\":1}" },
		{ "{\"cookie\":\"a=1; b=2\",\"n\":1}", "{\"cookie\":\"***\",\"n\":1}" },
		{ "{\"set-cookie\":[\"a=1\",\"b=2\"]}", "{\"set-cookie\":***]}" },
		{ "{\"token\":{\"value\":\"x\"}}", "{\"token\":{\"value\":\"x\"}}" },
		{ "Cookie:", "Cookie:" },
		{ "token=", "token=" },
		{ "token", "token" },
		{ "password: \"never ends", "password: \"***" },
		{ "password: \"ends\\", "password: \"***" },
		{ ":", ":" },
		{ "://@", "://@" },
		{ "x://a@", "x://***@" },
	};
	char buf[256];
	struct wire w;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		wire_init(&w, buf, sizeof(buf) - 1);
		mask_text(&w, S(rows[i].text));
		buf[w.len] = '\0';
		assert_string_equal(buf, rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_what_does_not_fit_is_cut),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_running_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

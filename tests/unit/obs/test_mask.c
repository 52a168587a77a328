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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_what_does_not_fit_is_cut),
		cmocka_unit_test(test_fields),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

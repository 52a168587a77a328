#include "tests/unit/base/unit.h"
#include "admin/alert.h"

static void test_waits_double_and_are_jittered(void **state)
{
	(void)state;
	assert_int_equal(alert_wait(1, 0, 0), NS_S / 2);
	assert_int_equal(alert_wait(2, 0, 0), NS_S);
	assert_int_equal(alert_wait(3, 0, 0), 2 * NS_S);
	assert_true(alert_wait(3, 0.5, 0) == 3 * NS_S);
	assert_int_equal(alert_wait(100, 0, 0), 30 * NS_S);
}

static void test_retry_after_is_obeyed(void **state)
{
	(void)state;
	assert_int_equal(alert_wait(1, 0, 7 * NS_S), 7 * NS_S);
	assert_int_equal(alert_wait(5, 0, NS_S), 8 * NS_S);
	assert_int_equal(alert_wait(1, 0, 86400 * NS_S), ALERT_WAIT_MAX);
}

static void test_slacks_signs_are_escaped(void **state)
{
	struct text t;
	(void)state;
	text_init(&t);
	alert_escape(&t, SLICE("a<b> & c"));
	assert_string_equal(t.ptr, "a&lt;b&gt; &amp; c");
	text_fini(&t);
}

static void test_url(void **state)
{
	static const struct {
		const char *url, *target; /* NULL: none */
	} rows[] = { { "http://h.example:81", "/" }, { "https://h.example/a/b", "/a/b" },
		{ "https://h.example/a?key=1&t=%20?", "/a?key=1&t=%20?" },
		{ "http://h.example?x=/y", "/?x=/y" }, { "unix:/run/hook?", "/" },
		{ "http://h.example/a?b#c", NULL }, { "http://h.example/?a b", NULL },
		{ "ftp://h.example/", NULL } };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct problem why = { "" };
		struct addr_url to;
		struct text target;
		text_init(&target);
		bool good = alert_url_read(slice_of(rows[i].url), &to, &target, &why);
		assert_int_equal(good, rows[i].target != NULL);
		assert_true(good == !why.text[0]);
		if (good)
			assert_string_equal(target.ptr, rows[i].target);
		text_fini(&target);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_url),
		cmocka_unit_test(test_waits_double_and_are_jittered),
		cmocka_unit_test(test_retry_after_is_obeyed),
		cmocka_unit_test(test_slacks_signs_are_escaped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

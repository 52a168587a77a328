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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waits_double_and_are_jittered),
		cmocka_unit_test(test_retry_after_is_obeyed),
		cmocka_unit_test(test_slacks_signs_are_escaped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Connections opened ahead of need: not where they are not welcome. */
#include "flow/spare.h"
#include "tests/unit/base/unit.h"

static void test_so_many_are_ready(void **state)
{
	(void)state;
	struct spare s = { .want = 3 };
	assert_int_equal(spare_missing(&s, 0, 0), 3);
	assert_int_equal(spare_missing(&s, 2, 0), 1);
	assert_int_equal(spare_missing(&s, 3, 0), 0);
	assert_int_equal(spare_missing(&s, 9, 0), 0);
	assert_true(spare_again_at(&s, 0, 0) == NS_NEVER);
	s.want = 0;
	assert_int_equal(spare_missing(&s, 0, 0), 0);
}

static void test_a_server_that_closes_them_at_once(void **state)
{
	(void)state;
	struct spare s = { .want = 2 };
	ns_t now = NS_S, waited = 0;
	for (int i = 0; i < 12; i++) {
		assert_int_equal(spare_missing(&s, 0, now), 2);
		spare_lost(&s, NS_MS, now);
		spare_lost(&s, NS_MS, now + NS_MS); /* the other one */
		assert_int_equal(spare_missing(&s, 0, now), 0);
		assert_true(spare_again_at(&s, 2, now) == NS_NEVER);
		ns_t wait = spare_again_at(&s, 0, now) - now;
		assert_true(wait >= NS_S && wait <= SPARE_WAIT_MAX && wait >= waited);
		waited = wait;
		now += wait;
	}
	assert_true(waited == SPARE_WAIT_MAX);
	/* one that lived for a while, or that was of use, and all is well */
	spare_lost(&s, 5 * NS_S, now);
	assert_int_equal(spare_missing(&s, 0, now), 2);
	spare_lost(&s, 0, now);
	assert_int_equal(spare_missing(&s, 0, now), 0);
	spare_served(&s);
	assert_int_equal(spare_missing(&s, 0, now), 2);
	spare_lost(&s, 0, now);
	assert_true(spare_again_at(&s, 0, now) == now + SPARE_WAIT_MIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_so_many_are_ready),
		TEST(test_a_server_that_closes_them_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A quota: all or none, lowered while it runs, and a bound over several slabs. */
#include "base/quota.h"

#include "base/slab.h"
#include "unit.h"

static void test_all_or_none(void **state)
{
	struct quota q;
	(void)state;
	quota_init(&q, 5);
	assert_true(quota_take(&q, 3));
	assert_false(quota_take(&q, 3));
	assert_int_equal(quota_used(&q), 3);
	assert_int_equal(quota_room(&q), 2);
	assert_true(quota_take(&q, 2));
	assert_int_equal(quota_room(&q), 0);
	quota_give(&q, 5);
	assert_int_equal(quota_used(&q), 0);
}

static void test_lowered(void **state)
{
	struct quota q;
	(void)state;
	quota_init(&q, 4);
	assert_true(quota_take(&q, 4));
	quota_set_max(&q, 2);
	assert_int_equal(quota_room(&q), 0);
	assert_false(quota_take(&q, 1)); /* more is taken than may be */
	quota_give(&q, 2);
	assert_false(quota_take(&q, 1));
	quota_give(&q, 1);
	assert_true(quota_take(&q, 1));
	quota_set_max(&q, QUOTA_NO_BOUND);
	assert_true(quota_take(&q, 1000));
	assert_false(quota_take(&q, UINT32_MAX)); /* no overflow */
}

static void test_two_slabs(void **state)
{
	struct quota q;
	struct slab a, b;
	void *of_a[3], *of_b;
	(void)state;
	quota_init(&q, 3);
	slab_init(&a, 24, 3);
	slab_init(&b, 24, 3);
	a.quota = b.quota = &q;
	of_a[0] = slab_take(&a);
	of_b = slab_take(&b);
	assert_true(of_a[0] && of_b);
	assert_int_equal(slab_room(&a), 1);
	assert_false(slab_hold(&a, 2));
	assert_true(slab_hold(&a, 1));
	assert_null(slab_take(&b));
	of_a[1] = slab_take(&a); /* what was held */
	assert_non_null(of_a[1]);
	assert_null(slab_take(&a));
	slab_give_charged(&b, of_b);
	assert_null(slab_take(&b)); /* nobody gets between */
	of_a[2] = slab_take_charged(&a);
	assert_int_equal(a.out, 3);
	slab_give(&a, of_a[0]);
	assert_true(slab_hold(&b, 1));
	assert_null(slab_take(&a));
	slab_unhold(&b, 1);
	slab_give(&a, of_a[1]);
	slab_give(&a, of_a[2]);
	assert_int_equal(quota_used(&q), 0);
	slab_fini(&a);
	slab_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_or_none),
		TEST(test_lowered),
		TEST(test_two_slabs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

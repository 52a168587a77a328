/* One quantile of a stream, followed. */
#include <math.h>

#include "base/rng.h"
#include "flow/quantile.h"
#include "tests/unit/base/unit.h"

static void test_nothing_is_known_at_first(void **state)
{
	(void)state;
	struct quantile q;
	quantile_init(&q, 0.5);
	for (int i = 1; i < QUANTILE_KNOWN; i++) {
		quantile_add(&q, NS_MS);
		assert_int_equal(quantile_at(&q), 0);
	}
	quantile_add(&q, NS_MS);
	assert_int_equal(quantile_at(&q), NS_MS);
}

/* The share of a uniform stream of 0..100 ms below the estimate, over a long run. */
static double share_below(double p, uint64_t seed)
{
	struct quantile q;
	struct rng rng;
	rng_init(&rng, seed);
	quantile_init(&q, p);
	double sum = 0;
	for (int i = 0; i < 20000; i++) {
		quantile_add(&q, (ns_t)(rng_unit(&rng) * 100 * NS_MS));
		if (i >= 1000)
			sum += (double)quantile_at(&q) / (100 * NS_MS);
	}
	return sum / 19000;
}

static void test_it_rests_where_it_should(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		assert_true(fabs(share_below(0.5, seed) - 0.5) < 0.03);
		assert_true(fabs(share_below(0.95, seed) - 0.95) < 0.03);
	}
}

/* One in five takes 4 s: the median does not see it, the p95 does. */
static void test_two_modes(void **state)
{
	(void)state;
	struct quantile median, p95;
	quantile_init(&median, 0.5);
	quantile_init(&p95, 0.95);
	for (int i = 0; i < 2000; i++) {
		ns_t took = i % 5 == 0 ? 4 * NS_S : 50 * NS_MS;
		quantile_add(&median, took);
		quantile_add(&p95, took);
	}
	assert_true(quantile_at(&median) < 60 * NS_MS);
	assert_true(quantile_at(&p95) > 3 * NS_S);
}

static void test_it_follows(void **state)
{
	(void)state;
	struct quantile q;
	quantile_init(&q, 0.5);
	for (int i = 0; i < 1000; i++)
		quantile_add(&q, 10 * NS_MS);
	for (int i = 0; i < 200; i++)
		quantile_add(&q, NS_S);
	assert_true(quantile_at(&q) > 900 * NS_MS);
	for (int i = 0; i < 300; i++)
		quantile_add(&q, 10 * NS_MS);
	assert_true(quantile_at(&q) < 12 * NS_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_is_known_at_first),
		TEST(test_it_rests_where_it_should),
		TEST(test_two_modes),
		TEST(test_it_follows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

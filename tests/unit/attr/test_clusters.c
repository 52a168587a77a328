#include "attr/clusters.h"
#include "base/rng.h"
#include "made.h"

static struct cluster found[CLUSTERS_MAX];

static void around(struct hist *h, ns_t at, int n)
{
	for (int i = 0; i < n; i++)
		hist_record(h, at + i % 10 * 4 * NS_MS);
}

static void assert_cluster(const struct cluster *c, ns_t at, uint64_t count)
{
	assert_in_range(c->at, at, at + 20 * NS_MS);
	assert_int_equal(c->count, count);
}

static void one_timeout_is_one_cluster(void **state)
{
	struct hist *h = hist_new();

	(void)state;
	assert_int_equal(clusters_find(NULL, found), 0);
	assert_int_equal(clusters_find(h, found), 0);
	around(h, 500 * NS_MS, 4);
	assert_int_equal(clusters_find(h, found), 0);
	around(h, 500 * NS_MS, 16);
	assert_int_equal(clusters_find(h, found), 1);
	assert_cluster(&found[0], 500 * NS_MS, 20);
	hist_free(&h);
}

static void several_timeouts_are_told_apart(void **state)
{
	struct hist *h = hist_new();

	(void)state;
	around(h, 2 * NS_S, 40);
	around(h, 500 * NS_MS, 60);
	assert_int_equal(clusters_find(h, found), 2);
	assert_cluster(&found[0], 500 * NS_MS, 60);
	assert_cluster(&found[1], 2 * NS_S, 40);
	around(h, 5 * NS_S, 50);
	assert_int_equal(clusters_find(h, found), 3);
	assert_cluster(&found[2], 5 * NS_S, 50);
	hist_free(&h);
}

static void a_timeout_among_ages_that_vary_is_found(void **state)
{
	struct hist *h = hist_new();

	(void)state;
	for (int i = 0; i < 50; i++)
		hist_record(h, i * 200 * NS_MS);
	around(h, 4 * NS_S, 40);
	assert_int_equal(clusters_find(h, found), 1);
	assert_in_range(found[0].at, 4 * NS_S, 4 * NS_S + 20 * NS_MS);
	hist_free(&h);
}

static void ages_that_merely_vary_have_none(void **state)
{
	static const double means_ms[] = { 100, 300, 1000, 5000 };
	struct rng r;

	(void)state;
	rng_init(&r, 1);
	for (size_t i = 0; i < ARRAY_LEN(means_ms); i++) {
		struct hist *even = hist_new(), *falling = hist_new();

		for (int k = 0; k < 2000; k++) {
			hist_record(
				even, (ns_t)(rng_unit(&r) * 10 * means_ms[i] * NS_MS));
			hist_record(falling,
				(ns_t)(rng_exponential(&r, means_ms[i]) * NS_MS));
		}
		assert_int_equal(clusters_find(even, found), 0);
		assert_int_equal(clusters_find(falling, found), 0);
		hist_free(&even);
		hist_free(&falling);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_timeout_is_one_cluster),
		TEST(several_timeouts_are_told_apart),
		TEST(a_timeout_among_ages_that_vary_is_found),
		TEST(ages_that_merely_vary_have_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* hist against the exact, sorted data. */
#include "unit.h"

#include "base/hist.h"

#include <math.h>

#define HOUR (3600 * NS_S)

static int by_value(const void *a, const void *b)
{
	ns_t x = *(const ns_t *)a, y = *(const ns_t *)b;
	return x < y ? -1 : x > y;
}

/* The values of one bucket lie this far apart at most. */
static ns_t width_at(ns_t value)
{
	ns_t width = NS_US;
	while (value / width >= 2048)
		width *= 2;
	return width;
}

/* The value that holds quantile q has at least ceil(q * n) values at or below it. */
static void check_quantiles(const struct hist *h, const ns_t *sorted, size_t n)
{
	static const double qs[] = { 0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95,
		0.99, 0.999, 0.9999, 1 };
	for (size_t i = 0; i < ARRAY_LEN(qs); i++) {
		size_t rank = (size_t)ceil(nextafter(qs[i], 0) * (double)n);
		ns_t exact = sorted[rank ? rank - 1 : 0], got = hist_quantile(h, qs[i]);
		assert_true(got >= exact);
		assert_true(got - exact < width_at(exact));
		assert_true(got <= hist_max(h));
		/* 3 significant digits; below 2048 us the step is 1 us. */
		assert_true((double)(got - exact) <= fmax((double)exact * 0.001, NS_US));
	}
}

static void check_counts(const struct hist *h, const ns_t *sorted, size_t n)
{
	for (size_t i = 0; i < n; i += n / 50 + 1) {
		ns_t value = sorted[i];
		uint64_t got = hist_count_at_most(h, value), least = 0, most = 0;
		for (size_t k = 0; k < n; k++) {
			least += sorted[k] <= value;
			most += sorted[k] < value + width_at(value);
		}
		assert_true(got >= least && got <= most);
	}
	assert_int_equal(hist_count_at_most(h, HOUR), n);
	assert_int_equal(hist_count_at_most(h, NS_NEVER), n);
	assert_int_equal(hist_count_at_most(h, -1), 0);
}

static ns_t draw(struct rng *r, int shape)
{
	switch (shape) {
	case 0: /* all sizes */
		return (ns_t)(rng_next(r) >> (22 + rng_below(r, 42))) % HOUR;
	case 1:
		return (ns_t)rng_exponential(r, 50e6);
	case 2:
		return 42 * NS_MS;
	default: /* two humps, as of a slow phase */
		return rng_below(r, 5) ? 50 * NS_MS + (ns_t)rng_below(r, NS_MS)
				       : 3 * NS_S + (ns_t)rng_below(r, 2 * NS_S);
	}
}

static void test_against_sorted(void **state)
{
	(void)state;
	static const size_t sizes[] = { 1, 2, 3, 10, 99, 100, 101, 1000, 20000 };
	struct rng r;
	rng_init(&r, test_seed(1));

	for (int shape = 0; shape < 4; shape++) {
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			size_t n = sizes[i];
			ns_t *data = mem_alloc(n * sizeof(*data)), sum = 0;
			struct hist *h = hist_new();
			for (size_t k = 0; k < n; k++) {
				data[k] = draw(&r, shape);
				sum += data[k];
				hist_record(h, data[k]);
			}
			qsort(data, n, sizeof(*data), by_value);
			assert_int_equal(hist_count(h), n);
			assert_int_equal(hist_min(h), data[0]);
			assert_int_equal(hist_max(h), data[n - 1]);
			assert_int_equal(hist_mean(h), sum / (ns_t)n);
			check_quantiles(h, data, n);
			check_counts(h, data, n);
			hist_free(&h);
			assert_null(h);
			mem_free(data);
		}
	}
}

static void test_empty_and_bounds(void **state)
{
	(void)state;
	struct hist *h = hist_new();
	assert_int_equal(hist_count(h), 0);
	assert_int_equal(hist_min(h), 0);
	assert_int_equal(hist_max(h), 0);
	assert_int_equal(hist_mean(h), 0);
	assert_int_equal(hist_quantile(h, 0.5), 0);
	assert_int_equal(hist_count_at_most(h, HOUR), 0);
	hist_record(h, -5);
	assert_int_equal(hist_max(h), 0);
	assert_int_equal(hist_quantile(h, 1), 0);
	hist_record(h, HOUR + 1);
	hist_record(h, NS_NEVER);
	assert_int_equal(hist_max(h), HOUR);
	assert_int_equal(hist_quantile(h, 1), HOUR);
	assert_int_equal(hist_count(h), 3);
	assert_int_equal(hist_count_at_most(h, 0), 1);
	assert_int_equal(hist_quantile(h, -1), 0);
	assert_int_equal(hist_quantile(h, 2), HOUR);
	assert_int_equal(hist_quantile(h, NAN), 0);
	hist_reset(h);
	assert_int_equal(hist_count(h), 0);
	hist_record(h, 7 * NS_MS);
	assert_int_equal(hist_min(h), 7 * NS_MS);
	hist_free(&h);
}

/* A rank that is whole in decimal must not slip to the next value by binary rounding. */
static void test_whole_ranks(void **state)
{
	(void)state;
	struct hist *h = hist_new();
	for (ns_t i = 1; i <= 1000; i++)
		hist_record(h, i * NS_US);
	for (int permille = 1; permille <= 1000; permille++)
		assert_int_equal(hist_quantile(h, permille / 1000.0) / NS_US, permille);
	hist_reset(h);
	for (ns_t i = 1; i <= 100; i++)
		hist_record(h, i * NS_US);
	for (int percent = 1; percent <= 100; percent++) /* 0.07 * 100 > 7 */
		assert_int_equal(hist_quantile(h, percent / 100.0) / NS_US, percent);
	hist_free(&h);
}

/* At every bucket edge: highest equivalent value, and not one more. */
static void test_bucket_edges(void **state)
{
	(void)state;
	for (ns_t us = 1024; us < 3600000000; us = us + us / 3) {
		ns_t width = width_at(us * NS_US) / NS_US, low = us / width * width;
		struct hist *h = hist_new();
		hist_record(h, low * NS_US);
		hist_record(h, HOUR);
		assert_int_equal(hist_quantile(h, 0.5), (low + width) * NS_US - 1);
		assert_int_equal(hist_count_at_most(h, low * NS_US), 1);
		assert_int_equal(hist_count_at_most(h, low * NS_US - 1), 0);
		hist_free(&h);
	}
}

static void test_sum_is_wide(void **state)
{
	(void)state;
	struct hist *h = hist_new();
	hist_record_n(h, HOUR, UINT64_C(1) << 40);
	assert_int_equal(hist_mean(h), HOUR);
	hist_record_n(h, 5, 0);
	assert_int_equal(hist_min(h), HOUR);
	hist_free(&h);
}

static void test_merge(void **state)
{
	(void)state;
	struct hist *parts[3], *all = hist_new(), *merged = hist_new();
	struct rng r;

	rng_init(&r, test_seed(2));
	for (size_t i = 0; i < 3; i++)
		parts[i] = hist_new();
	for (int i = 0; i < 10000; i++) {
		ns_t value = draw(&r, 0);
		hist_record(all, value);
		hist_record(parts[rng_below(&r, 2)], value); /* parts[2] stays empty */
	}
	for (size_t i = 3; i-- > 0;)
		hist_merge(merged, parts[i]);
	assert_int_equal(hist_count(merged), hist_count(all));
	assert_int_equal(hist_min(merged), hist_min(all));
	assert_int_equal(hist_max(merged), hist_max(all));
	assert_int_equal(hist_mean(merged), hist_mean(all));
	for (int i = 0; i <= 1000; i++)
		assert_int_equal(hist_quantile(merged, i / 1000.0),
			hist_quantile(all, i / 1000.0));
	for (size_t i = 0; i < 3; i++)
		hist_free(&parts[i]);
	hist_free(&all);
	hist_free(&merged);
}

static void test_json(void **state)
{
	(void)state;
	struct hist *h = hist_new();
	struct text t;
	struct json j;

	text_init(&t);
	json_init(&j, &t, false);
	hist_json(&j, NULL, h);
	assert_text(&t,
		"{\"count\":0,\"min_ms\":null,\"mean_ms\":null,\"p50_ms\":null,"
		"\"p90_ms\":null,\"p99_ms\":null,\"p999_ms\":null,\"max_ms\":null}");
	hist_record(h, 1500 * NS_US);
	hist_record(h, 2500 * NS_US);
	json_init(&j, &t, false);
	hist_json(&j, NULL, h);
	assert_text(&t, "{\"count\":2,\"min_ms\":1.5,\"mean_ms\":2,\"p50_ms\":1.501,"
			"\"p90_ms\":2.5,\"p99_ms\":2.5,\"p999_ms\":2.5,\"max_ms\":2.5}");
	hist_record_n(h, HOUR, 3);
	json_init(&j, &t, false);
	hist_json_buckets(&j, NULL, h);
	assert_text(&t, "[[1500,1],[2500,1],[3598712832,3]]");
	text_fini(&t);
	hist_free(&h);
}

static void test_take_back(void **state)
{
	struct hist *h = hist_new(), *same = hist_new();

	(void)state;
	for (ns_t v = NS_MS; v <= 10 * NS_MS; v += NS_MS) {
		hist_record(h, v);
		hist_record(h, 3 * v + 1);
		hist_record(same, v);
	}
	for (ns_t v = NS_MS; v <= 10 * NS_MS; v += NS_MS)
		hist_take_back(h, 3 * v + 1);
	assert_int_equal(hist_count(h), hist_count(same));
	assert_int_equal(hist_mean(h), hist_mean(same));
	for (int q = 1; q < 10; q++)
		assert_int_equal(
			hist_quantile(h, q / 10.0), hist_quantile(same, q / 10.0));
	hist_free(&h);
	hist_free(&same);
}

/* Buckets read back know both ends and the mean to three digits; the rest is told. */
static void test_exact_ends_are_told(void **state)
{
	(void)state;
	struct hist *h = hist_new();
	assert_false(hist_set_exact(h, 0, 0, 0)); /* nothing in it */
	hist_record_n(h, 5000 * NS_US, 3);
	hist_record_n(h, 9000 * NS_US, 1);
	assert_false(hist_set_exact(h, 5 * NS_MS, 4 * NS_MS, 9 * NS_MS));
	assert_false(hist_set_exact(h, 5 * NS_MS, 6 * NS_MS, NS_NEVER));
	assert_false(hist_set_exact(h, -1, 6 * NS_MS, 9 * NS_MS));
	assert_true(hist_set_exact(h, 5 * NS_MS + 1, 6 * NS_MS + 7, 9 * NS_MS + 3));
	assert_true(hist_min(h) == 5 * NS_MS + 1);
	assert_true(hist_mean(h) == 6 * NS_MS + 7);
	assert_true(hist_max(h) == 9 * NS_MS + 3);
	assert_int_equal(hist_count(h), 4);
	hist_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_against_sorted),
		TEST(test_empty_and_bounds),
		TEST(test_whole_ranks),
		TEST(test_bucket_edges),
		TEST(test_sum_is_wide),
		TEST(test_merge),
		TEST(test_take_back),
		TEST(test_json),
		TEST(test_exact_ends_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/unit/base/unit.h"
#include "obs/metrics.h"

static void test_a_family_and_its_samples(void **state)
{
	(void)state;
	struct metric_labels labels = { 2, { { "a", "x" }, { "b", "q\"\\\n" } } };
	struct text t;
	text_init(&t);
	metrics_family(&t, "weir_x_total", METRIC_COUNTER, "Things.");
	metrics_count(&t, "weir_x_total", NULL, UINT64_MAX);
	metrics_count(&t, "weir_x_total", &labels, 0);
	metrics_family(&t, "weir_y_seconds", METRIC_GAUGE, "Time.");
	metrics_seconds(&t, "weir_y_seconds", NULL, 61 * NS_S + 5 * NS_MS);
	assert_string_equal(t.ptr, "# HELP weir_x_total Things.\n"
				   "# TYPE weir_x_total counter\n"
				   "weir_x_total 18446744073709551615\n"
				   "weir_x_total{a=\"x\",b=\"q\\\"\\\\\\n\"} 0\n"
				   "# HELP weir_y_seconds Time.\n"
				   "# TYPE weir_y_seconds gauge\n"
				   "weir_y_seconds 61.005000000\n");
	text_fini(&t);
}

static void assert_says(const struct text *t, const char *line)
{
	if (!strstr(t->ptr, line))
		fail_msg("no %s in\n%s", line, t->ptr);
}

/* An edge is its bucket's own; buckets are cumulated, and the last has all. */
static void test_durations(void **state)
{
	(void)state;
	const struct metric_labels by = { 1, { { "by", "me" } } };
	struct durations d = { { 0 }, 0 }, sum = { { 0 }, 0 };
	struct text t;
	durations_note(&d, 0);
	durations_note(&d, NS_MS);
	durations_note(&d, NS_MS + 1);
	durations_note(&d, 30 * NS_S);
	durations_note(&d, 3600 * NS_S);
	durations_add(&sum, &d);
	durations_add(&sum, &d);
	text_init(&t);
	metrics_durations(&t, "x", &by, &sum);
	assert_says(&t, "x_bucket{by=\"me\",le=\"0.001\"} 4\n");
	assert_says(&t, "x_bucket{by=\"me\",le=\"0.0025\"} 6\n");
	assert_says(&t, "x_bucket{by=\"me\",le=\"10\"} 6\n");
	assert_says(&t, "x_bucket{by=\"me\",le=\"30\"} 8\n");
	assert_says(&t, "x_bucket{by=\"me\",le=\"+Inf\"} 10\n");
	assert_says(&t, "x_sum{by=\"me\"} 7260.004000002\n");
	assert_says(&t, "x_count{by=\"me\"} 10\n");
	text_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_family_and_its_samples),
		TEST(test_durations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

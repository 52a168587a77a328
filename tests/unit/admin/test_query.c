/* Names and values as they come in a request target. */
#include "tests/unit/base/unit.h"
#include "admin/query.h"

static bool parse(struct query *q, const char *text, char *buf, struct problem *p)
{
	*p = (struct problem){ 0 };
	return query_parse(q, slice_of(text), buf, p);
}

static void assert_pair(
	const struct query *q, uint32_t nth, const char *name, const char *value)
{
	assert_true(nth < q->n);
	assert_true(slice_eq(q->pairs[nth].name, slice_of(name)));
	assert_true(slice_eq(q->pairs[nth].value, slice_of(value)));
}

static void test_pairs(void **state)
{
	struct query q;
	struct problem p;
	char buf[256];
	(void)state;

	assert_true(parse(&q, "", buf, &p));
	assert_int_equal(q.n, 0);
	assert_true(parse(&q, "&&", buf, &p));
	assert_int_equal(q.n, 0);
	assert_true(parse(
		&q, "limit=5&latency=mix%2880%25%3a+50ms,%2020%25:1s)&x=", buf, &p));
	assert_int_equal(q.n, 3);
	assert_pair(&q, 0, "limit", "5");
	assert_pair(&q, 1, "latency", "mix(80%: 50ms, 20%:1s)");
	assert_pair(&q, 2, "x", "");
	assert_true(parse(&q, "a=b=c&%61=%3D", buf, &p));
	assert_pair(&q, 0, "a", "b=c");
	assert_pair(&q, 1, "a", "=");
}

static void test_wrong(void **state)
{
	static const char *const wrong[] = { "a", "a=1&b", "a=%", "a=%2", "a=%zz",
		"a=%2z", "%=1", "latency=mix(80%:" };
	struct query q;
	struct problem p;
	char buf[256];
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_false(parse(&q, wrong[i], buf, &p));
		assert_true(p.text[0] != '\0');
	}
}

/* The buffer is as long as the text, to the byte: sanitizers see one more. */
static void test_exact_buffer(void **state)
{
	static const char text[] = "limit=5&full=503&%41=%42";
	struct query q;
	struct problem p;
	char *buf = mem_alloc(sizeof(text) - 1);
	char *in = slice_dup((struct slice){ text, sizeof(text) - 1 });
	(void)state;

	assert_true(query_parse(&q, (struct slice){ in, sizeof(text) - 1 }, buf, &p));
	assert_pair(&q, 2, "A", "B");
	mem_free(in);
	mem_free(buf);
}

static void test_bounded(void **state)
{
	struct query q;
	struct problem p;
	char buf[256];
	(void)state;

	assert_true(
		parse(&q, "a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=", buf, &p));
	assert_int_equal(q.n, QUERY_PAIRS_MAX);
	assert_false(
		parse(&q, "a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=&a=", buf, &p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_pairs),
		TEST(test_wrong),
		TEST(test_exact_buffer),
		TEST(test_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

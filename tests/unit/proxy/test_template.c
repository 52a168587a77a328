/* Templates: what may be written, what comes out, and what no caller can make of them. */
#include "proxy/template.h"
#include "tests/unit/base/unit.h"

/* What comes out, or the fault in words. */
static const char *expand(
	struct text *out, const char *template, const char *rest, const char *query)
{
	struct template t;
	static struct problem why;
	why = (struct problem){ "" };
	text_reset(out);
	if (!template_parse(&t, template, &why))
		fail_msg("%s: %s", template, why.text);
	if (!template_expand(&t, slice_of(rest), slice_of(query), out, &why))
		return why.text;
	assert_string_equal(why.text, "");
	return out->ptr;
}

/* What a template makes of a rest and a query: exactly that, or a fault with these words. */
struct row {
	const char *template, *rest, *query, *says;
};

static int lacks(const char *text, const char *words)
{
	return !strstr(text, words);
}

static void assert_expands(const struct row *rows, size_t count,
	int (*differs)(const char *said, const char *wanted))
{
	struct text t;
	text_init(&t);
	for (const struct row *r = rows; r < rows + count; r++) {
		const char *said = expand(&t, r->template, r->rest, r->query);
		if (differs(said, r->says))
			fail_msg("%s of %s?%s: %s", r->template, r->rest, r->query, said);
	}
	text_fini(&t);
}

static void test_what_comes_out(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "/news", "7", "x=1", "/news" },
		{ "/", "", "", "/" },
		{ "/users/{1}", "7", "", "/users/7" },
		{ "/users/{2}/{1}.json", "a/b/c", "", "/users/b/a.json" },
		{ "/u/{1}", "7/", "", "/u/7" },
		{ "/all/{*}", "a/b%20c/d", "", "/all/a/b%20c/d" },
		{ "/all/{*}", "a/", "", "/all/a/" },
		{ "/q?all={*}", "a/b", "", "/q?all=a%2Fb" },
		{ "/o?user={query.id}&l=5", "", "a=b&id=7&c", "/o?user=7&l=5" },
		{ "/o?user={query.id|none}", "", "", "/o?user=none" },
		{ "/o?user={query.id|}", "", "id=", "/o?user=" },
		{ "/u/{1|me}", "", "", "/u/me" },
		{ "/o?q={query.id}", "", "%69d=x", "/o?q=x" },
		{ "/o?q={query.q}", "", "q=a+b%2Bc", "/o?q=a+b%2Bc" },
		{ "/o/{query.q}", "", "q=a+b", "/o/a%2Bb" },
		{ "/u/{1}", "%41%c3%a9~", "", "/u/A%C3%A9~" },
	};
	assert_expands(rows, ARRAY_LEN(rows), strcmp);
}

/* Nothing ends the place it stands in, nothing is decoded twice. */
static void test_nothing_breaks_out(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "/u/{1}/x", "a?b=c#d", "", "/u/a%3Fb%3Dc%23d/x" },
		{ "/u/{1}", "a%3fadmin=1%23", "", "/u/a%3Fadmin%3D1%23" },
		{ "/u/{1}", "a;b=c", "", "/u/a%3Bb%3Dc" },
		{ "/u/{1}", "%252e%252e", "", "/u/%252e%252e" },
		{ "/u/{1}", "{2}", "", "/u/%7B2%7D" },
		{ "/o?u={query.u}", "", "u=7%26admin=1", "/o?u=7%26admin%3D1" },
		{ "/o?u={query.u}", "", "u=%0d%0aHost:%20x", "/o?u=%0D%0AHost%3A%20x" },
		{ "/o?u={query.u}", "", "u=a#b", "/o?u=a%23b" },
	};
	assert_expands(rows, ARRAY_LEN(rows), strcmp);
}

static void test_what_a_caller_may_not(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{ "/u/{1}/x", "..", "", ". or .." },
		{ "/u/{1}/x", "%2e%2E", "", ". or .." },
		{ "/u/{1}/x", ".%2e", "", ". or .." },
		{ "/u/.{1}", ".", "", ". or .." },
		{ "/u/{1}", ".", "", ". or .." },
		{ "/{*}", "a/../b", "", ". or .." },
		{ "/{*}", "a//b", "", "empty segment" },
		{ "/u/{1}", "a%2fb", "", "segment" },
		{ "/u/{1}", "a%5Cb", "", "segment" },
		{ "/u/{1}", "a\\b", "", "segment" },
		{ "/u/{1}", "a%00", "", "segment" },
		{ "/u/{1}", "a%0d%0a", "", "segment" },
		{ "/u/{query.x}", "", "x=a/b", "segment" },
		{ "/u/{query.x}", "", "x=..", ". or .." },
		{ "/u/{1}", "%4", "", "two digits of hex" },
		{ "/u/{1}", "%zz", "", "two digits of hex" },
		{ "/u/{1}", "", "", "too few segments" },
		{ "/u/{3}", "a/b", "", "too few segments" },
		{ "/u/{2}", "a//b", "", "too few segments" },
		{ "/u?{query.x}", "", "y=1&xx=2", "has no x" },
		{ "/u?{query.x}", "", "x", "has no x" },
		{ "/u?{query.x}", "", "x=1&x=1", "x twice" },
		{ "/u?{query.x}", "", "x=1&%78=2", "x twice" },
		{ "/u?{query.x|z}", "", "x=&x=2", "x twice" },
	};
	assert_expands(rows, ARRAY_LEN(rows), lacks);
}

static void test_length(void **state)
{
	(void)state;
	static char rest[TEMPLATE_OUT_MAX];
	struct text t;
	memset(rest, '!', sizeof(rest) - 1); /* three bytes each, encoded */
	text_init(&t);
	assert_string_equal(
		expand(&t, "/{1}{1}{1}", rest, ""), "the path comes out too long");
	assert_true(t.len <= TEMPLATE_OUT_MAX + 8);
	rest[TEMPLATE_OUT_MAX / 3 - 1] = '\0';
	assert_string_not_equal(
		expand(&t, "/{1}", rest, ""), "the path comes out too long");
	text_fini(&t);
}

static void test_faults_of_a_template(void **state)
{
	(void)state;
	static const char *const rows[][2] = {
		{ "news", "does not begin with /" },
		{ "", "does not begin with /" },
		{ "{1}", "does not begin with /" },
		{ "/a b", "cannot stand in a path" },
		{ "/a#b", "cannot stand in a path" },
		{ "/a}b", "cannot stand in a path" },
		{ "/\xc3\xa9", "cannot stand in a path" },
		{ "/a%4", "without two digits" },
		{ "/{1", "no } at its end" },
		{ "/{}", "unknown {}" },
		{ "/{0}", "unknown {0}" },
		{ "/{10}", "unknown {10}" },
		{ "/{query.}", "unknown {query.}" },
		{ "/{qeury.id}", "did you mean {query.id}?" },
		{ "/{user}", "there are {1} to {9}, {*} and {query.NAME}" },
		{ "/{1|a/b}", "behind the |" },
		{ "/a/{1|..}/b", "behind the |" },
		{ "/a/{1|%2e%2e}/b", "behind the |" },
		{ "/a/{1|.}", "behind the |" },
		{ "/a?x={1|%}", "behind the |" },
		{ "/{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}{1}"
		  "{1}{1}{1}{1}{1}{1}{1}{1}",
			"more than 32 pieces" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct problem why = { "" };
		struct template t;
		assert_false(template_parse(&t, rows[i][0], &why));
		if (!strstr(why.text, rows[i][1]))
			fail_msg("%s: %s", rows[i][0], why.text);
	}
}

static void test_needs_rest(void **state)
{
	(void)state;
	struct template t;
	assert_true(template_parse(&t, "/a?b={query.c}", NULL) && !t.needs_rest);
	assert_true(template_parse(&t, "/a?b={1|x}", NULL) && t.needs_rest);
	assert_true(template_parse(&t, "/{*}", NULL) && t.needs_rest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_comes_out),
		TEST(test_nothing_breaks_out),
		TEST(test_what_a_caller_may_not),
		TEST(test_length),
		TEST(test_faults_of_a_template),
		TEST(test_needs_rest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

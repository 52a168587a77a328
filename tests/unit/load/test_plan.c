#include "tests/unit/base/unit.h"
#include "load/plan.h"

static struct load_options usual(void)
{
	return (struct load_options){
		.rate = "100/s",
		.run_for = 10 * NS_S,
		.seed = 1,
		.method = "GET",
		.pool = UINT64_MAX,
		.idle = UINT64_MAX,
		.idle_for = NS_NEVER,
		.patience = NS_NEVER,
		.timeout = NS_NEVER,
		.wait_for = 30 * NS_S,
		.interval = NS_S,
	};
}

static bool check(struct load_plan *plan, const struct load_options *o, const char *url,
	struct problem *p)
{
	struct opt_texts words = { .n = 0 };
	if (url)
		words.v[words.n++] = url;
	*p = (struct problem){ "" };
	return plan_check(plan, o, &words, p);
}

static void assert_refused(
	const struct load_options *o, const char *url, const char *says)
{
	struct load_plan plan;
	struct problem p;
	assert_false(check(&plan, o, url, &p));
	if (!strstr(p.text, says))
		fail_msg("\"%s\" does not say \"%s\"", p.text, says);
	plan_fini(&plan);
}

#define URL "http://127.0.0.1:1/"

static void assert_made(
	struct load_plan *plan, const struct load_options *o, const char *url)
{
	struct problem p;
	if (!check(plan, o, url, &p))
		fail_msg("%s: %s", url, p.text);
}

static void test_urls(void **state)
{
	(void)state;
	static const struct {
		const char *url, *target, *fields;
	} cases[] = {
		{ "http://127.0.0.1:9000/", "/", "Host: 127.0.0.1:9000\r\n" },
		{ "http://127.0.0.1:9000", "/", "Host: 127.0.0.1:9000\r\n" },
		{ "http://a.example/x/y?q=1&r=a/b", "/x/y?q=1&r=a/b",
			"Host: a.example\r\n" },
		{ "http://a.example?q=1", "/?q=1", "Host: a.example\r\n" },
		{ "http://[::1]:80/", "/", "Host: [::1]:80\r\n" },
		{ "unix:/run/x.sock", "/", "Host: localhost\r\n" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct load_options o = usual();
		struct load_plan plan;
		assert_made(&plan, &o, cases[i].url);
		assert_string_equal(plan.target.ptr, cases[i].target);
		assert_string_equal(plan.fields.ptr, cases[i].fields);
		plan_fini(&plan);
	}
}

static void test_bad_urls(void **state)
{
	(void)state;
	struct load_options o = usual();
	assert_refused(&o, NULL, "no URL");
	assert_refused(&o, "ftp://a.example/", "http");
	assert_refused(&o, "http://a.example/#top", "#");
	assert_refused(&o, "http://a.example/?x#top", "#");
	assert_refused(&o, "http://a.example/?a b", "%20");
	assert_refused(&o, "http:///x", "no host");
	assert_refused(&o, "http://a.example:x/", "port");
}

static void test_fields(void **state)
{
	(void)state;
	struct load_options o = usual();
	struct load_plan plan;
	o.header.v[0] = "X-A:  one ";
	o.header.v[1] = "host: b.example";
	o.header.n = 2;
	assert_made(&plan, &o, URL);
	assert_string_equal(plan.fields.ptr, "X-A: one\r\nhost: b.example\r\n");
	plan_fini(&plan);
}

static void test_bad_fields(void **state)
{
	(void)state;
	static const struct {
		const char *field, *says;
	} cases[] = {
		{ "X-A", "Name: value" },
		{ ": x", "Name: value" },
		{ "X A: x", "Name: value" },
		{ "X-A: x\r\nX-B: y", "control" },
		{ "connection: close", "--connections" },
		{ "Content-Length: 3", "--body" },
		{ "transfer-encoding: chunked", "--body" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct load_options o = usual();
		o.header.v[o.header.n++] = cases[i].field;
		assert_refused(&o, URL, cases[i].says);
	}
	struct load_options o = usual();
	o.header.v[o.header.n++] = "Host: a";
	o.header.v[o.header.n++] = "HOST: b";
	assert_refused(&o, URL, "twice");
}

static void test_bad_numbers(void **state)
{
	(void)state;
	struct load_options o = usual();
	o.rate = NULL;
	assert_refused(&o, URL, "--rate is missing");
	o.rate = "0/s";
	assert_refused(&o, URL, "--rate 100/s");
	o.rate = "2000000/s";
	assert_refused(&o, URL, "--rate");
	o.rate = "ramp(10/s, 2000000/s)";
	assert_refused(&o, URL, "--rate");
	o.rate = "steps(0/s, 0/s)";
	assert_refused(&o, URL, "--rate is zero");
	o.rate = "ramp(10/s, 20)";
	assert_refused(&o, URL, "--rate: column 12: '20' has no unit");
	o = usual();
	o.run_for = 0;
	assert_refused(&o, URL, "--for");
	o.run_for = NS_NEVER;
	assert_refused(&o, URL, "--for");
	o = usual();
	o.patience = 0;
	assert_refused(&o, URL, "--patience");
	o = usual();
	o.timeout = 0;
	assert_refused(&o, URL, "--timeout");
	o = usual();
	o.interval = NS_MS;
	assert_refused(&o, URL, "--interval");
	o.interval = 10 * NS_MS;
	o.run_for = 3600 * NS_S;
	assert_refused(&o, URL, "--interval");
	o = usual();
	o.pool = 0;
	assert_refused(&o, URL, "--pool");
}

/* What the time line's steps are wide, unless one says. */
static void test_intervals(void **state)
{
	(void)state;
	static const struct {
		const char *rate;
		ns_t asked, run_for, interval;
	} cases[] = {
		{ "100/s", NS_NEVER, 10 * NS_S, NS_S },
		{ "100/s", 2 * NS_S, 10 * NS_S, 2 * NS_S },
		{ "steps(1/s, 2/s, 3/s)", NS_NEVER, 30 * NS_S, 10 * NS_S },
		{ "steps(1/s, 2/s, 3/s)", NS_NEVER, 10 * NS_S, 3333333334 },
		{ "steps(1/s, 2/s, 3/s)", NS_S, 30 * NS_S, NS_S },
		{ "ramp(1/s, 2/s)", NS_NEVER, 30 * NS_S, 3 * NS_S },
		{ "ramp(100/s, 200/s)", NS_NEVER, 30 * NS_MS, 10 * NS_MS },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct load_options o = usual();
		struct load_plan plan;
		o.rate = cases[i].rate;
		o.interval = cases[i].asked;
		o.run_for = cases[i].run_for;
		assert_made(&plan, &o, URL);
		assert_int_equal(plan.interval, cases[i].interval);
		plan_fini(&plan);
	}
}

static void test_methods(void **state)
{
	(void)state;
	static const struct {
		const char *method;
		uint64_t body;
		enum h1_body framing;
	} cases[] = {
		{ "GET", 0, H1_BODY_NONE },
		{ "HEAD", 0, H1_BODY_NONE },
		{ "POST", 0, H1_BODY_LENGTH },
		{ "PUT", 10, H1_BODY_LENGTH },
		{ "DELETE", 0, H1_BODY_NONE },
		{ "GET", 10, H1_BODY_LENGTH },
		{ "PURGE", 0, H1_BODY_NONE },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct load_options o = usual();
		struct load_plan plan;
		o.method = cases[i].method;
		o.body = cases[i].body;
		assert_made(&plan, &o, URL);
		assert_int_equal(plan.framing, cases[i].framing);
		assert_int_equal(plan.body_bytes, cases[i].body);
		plan_fini(&plan);
	}
	struct load_options o = usual();
	o.method = "get";
	assert_refused(&o, URL, "write GET");
	o.method = "G T";
	assert_refused(&o, URL, "not a method");
	o.method = "";
	assert_refused(&o, URL, "not a method");
	o.method = "CONNECT";
	assert_refused(&o, URL, "tunnel");
}

/* A client's manner, and what is given instead of a part of it. */
static void test_clients(void **state)
{
	(void)state;
	struct load_options o = usual();
	struct load_plan plan;

	assert_made(&plan, &o, URL);
	assert_null(plan.as);
	assert_int_equal(plan.connections, UPSTREAM_POOL);
	assert_int_equal(plan.idle, 0);
	assert_int_equal(plan.idle_for, NS_NEVER);
	plan_fini(&plan);
	o.as = "go-default";
	assert_made(&plan, &o, URL);
	assert_int_equal(plan.pool, SLOTS_NO_LIMIT);
	assert_int_equal(plan.idle, 2);
	assert_int_equal(plan.idle_for, 90 * NS_S);
	plan_fini(&plan);
	o.idle = 100;
	o.pool = 50;
	o.idle_for = NS_S;
	assert_made(&plan, &o, URL);
	assert_int_equal(plan.pool, 50);
	assert_int_equal(plan.idle, 100);
	assert_int_equal(plan.idle_for, NS_S);
	plan_fini(&plan);
	o = usual();
	o.as = "curl";
	assert_made(&plan, &o, URL);
	assert_int_equal(plan.connections, UPSTREAM_PRETEND);
	assert_string_equal(plan_asked(&plan).connections, "pretend");
	plan_fini(&plan);
	o.as = "netscape";
	assert_refused(&o, URL, "--as: unknown client 'netscape'");
	o = usual();
	o.idle = 0;
	assert_refused(&o, URL, "--idle");
	o = usual();
	o.idle_for = 0;
	assert_refused(&o, URL, "--idle-for");
}

static void test_resolve(void **state)
{
	(void)state;
	struct load_options o = usual();
	struct load_plan plan;
	struct problem p;
	assert_made(&plan, &o, "http://10.1.2.3:8081/x?y");
	assert_true(plan_resolve(&plan, &p));
	assert_int_equal(plan.endpoint_count, 1);
	assert_int_equal(addr_port(&plan.endpoints[0]), 8081);
	plan_fini(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_urls),
		TEST(test_bad_urls),
		TEST(test_fields),
		TEST(test_bad_fields),
		TEST(test_bad_numbers),
		TEST(test_intervals),
		TEST(test_methods),
		TEST(test_clients),
		TEST(test_resolve),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

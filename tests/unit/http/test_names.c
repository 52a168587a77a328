/* Names that an upstream follows, in the simulated world. */
#include "bed.h"
#include "http/names.h"

struct scene {
	struct bed bed;
	struct dns *dns;
	struct upstream *up;
	struct names *names;
	uint32_t settled;
};

static void on_settled(void *ctx)
{
	((struct scene *)ctx)->settled++;
}

/* URLs with spaces between. */
static void scene_init(struct scene *s)
{
	struct problem p;
	*s = (struct scene){ .settled = 0 };
	bed_init(&s->bed, &(struct sim_cfg){ .seed = 1 },
		&(struct worker_cfg){ .clients = 1, .servers = 8 });
	s->dns = dns_new(s->bed.near, &(struct dns_cfg){ 0 }, &p);
}

static uint32_t sources_of(const char *urls, struct names_source *out, char *text)
{
	char *rest = NULL;
	uint32_t n = 0;
	strncpy(text, urls, 255);
	for (char *u = strtok_r(text, " ", &rest); u; u = strtok_r(NULL, " ", &rest)) {
		struct addr_url url;
		struct problem p = { "" };
		assert_true(addr_url_parse(slice_of(u), &url, &p));
		names_source_of(&url, &out[n++]);
	}
	return n;
}

static void scene_follow(struct scene *s, const char *urls)
{
	struct names_source sources[UPSTREAM_ENDPOINTS_MAX];
	char text[256] = "";
	uint32_t n = sources_of(urls, sources, text);
	s->names = names_new(&(struct names_cfg){ .loop = s->bed.near,
		.dns = s->dns,
		.sources = sources,
		.count = n,
		.on_settled = on_settled,
		.ctx = s });
	assert_int_equal(s->settled, 0);
	memset(text, 'x', sizeof(text)); /* it has its copy */
}

static void scene_attach(struct scene *s)
{
	const struct upstream_cfg cfg = { .limit = 4, .drain_share = 1, .queue_max = 9 };
	s->up = upstream_new(&s->bed.worker, &cfg);
	names_attach(s->names, s->up);
}

static void scene_fini(struct scene *s)
{
	names_free(&s->names);
	upstream_free(&s->up);
	dns_free(&s->dns);
	bed_fini(&s->bed);
}

static void assert_addrs(const struct scene *s, const char *expected)
{
	struct text t;
	text_init(&t);
	text_add_names(&t, s->names);
	assert_text(&t, expected);
	text_fini(&t);
}

static void assert_json(const struct scene *s, const char *expected)
{
	struct text t;
	struct json j;
	text_init(&t);
	json_init(&j, &t, false);
	json_object(&j, NULL);
	names_json(&j, "names", s->names);
	json_end(&j);
	assert_text(&t, expected);
	text_fini(&t);
}

static void test_addresses_need_nobody(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s);
	scene_follow(
		&s, "http://10.0.0.2 http://[2001:db8::1]:81/v1 10.0.0.3:82 unix:/run/x");
	assert_true(names_are_settled(s.names));
	assert_addrs(&s, "10.0.0.2:80 [2001:db8::1]:81 10.0.0.3:82 unix:/run/x");
	scene_attach(&s);
	bed_run(&s.bed, 7200 * NS_S);
	assert_int_equal(s.settled, 0);
	assert_json(&s, "{\"names\":[]}");
	scene_fini(&s);
}

static void test_ttl_is_honoured(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s);
	sim_dns_set(s.bed.sim, "api.test", "10.0.0.2,2001:db8::1", 30 * NS_S);
	scene_follow(&s, "http://api.test:8080");
	assert_false(names_are_settled(s.names));
	bed_run(&s.bed, NS_MS);
	assert_int_equal(s.settled, 1);
	assert_addrs(&s, "[2001:db8::1]:8080 10.0.0.2:8080");
	scene_attach(&s);
	sim_dns_set(s.bed.sim, "api.test", "10.0.0.3", 5 * NS_S);
	bed_run(&s.bed, 29 * NS_S);
	assert_addrs(&s, "[2001:db8::1]:8080 10.0.0.2:8080");
	bed_run(&s.bed, 1001 * NS_MS);
	assert_addrs(&s, "10.0.0.3:8080");
	sim_dns_set(s.bed.sim, "api.test", "10.0.0.4", 100000 * NS_S);
	bed_run(&s.bed, 5001 * NS_MS);
	assert_addrs(&s, "10.0.0.4:8080");
	sim_dns_set(s.bed.sim, "api.test", "10.0.0.5", 0);
	bed_run(&s.bed, 3599 * NS_S);
	assert_addrs(&s, "10.0.0.4:8080");
	bed_run(&s.bed, 2 * NS_S);
	assert_addrs(&s, "10.0.0.5:8080");
	assert_int_equal(s.settled, 1);
	scene_fini(&s);
}

static void test_stale_is_served(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s);
	sim_dns_set(s.bed.sim, "api.test", "10.0.0.2", 10 * NS_S);
	scene_follow(&s, "http://api.test http://10.0.0.9");
	bed_run(&s.bed, NS_S);
	scene_attach(&s);
	assert_json(&s,
		"{\"names\":[{\"name\":\"api.test\",\"state\":\"fresh\",\"addresses\":["
		"\"10.0.0.2:80\"],\"age_ms\":999.8,\"next_ms\":9000.2,\"lookups\":1,"
		"\"failed\":0,\"error\":null}]}");
	sim_dns_silence(s.bed.sim, "api.test");
	bed_run(&s.bed, 14 * NS_S); /* 4 s of them without an answer */
	assert_addrs(&s, "10.0.0.2:80 10.0.0.9:80");
	assert_json(&s,
		"{\"names\":[{\"name\":\"api.test\",\"state\":\"stale\",\"addresses\":["
		"\"10.0.0.2:80\"],\"age_ms\":14999.8,\"next_ms\":4000.2,\"lookups\":2,"
		"\"failed\":1,\"error\":\"nobody answers\"}]}");
	sim_dns_set(s.bed.sim, "api.test", NULL, 20 * NS_S); /* gone altogether */
	bed_run(&s.bed, 5 * NS_S);
	assert_int_equal(names_state(s.names, 0), NAMES_STALE);
	assert_string_equal(names_why(s.names, 0), "no such name");
	assert_false(names_is_no_name(s.names, 0)); /* it was there once */
	assert_addrs(&s, "10.0.0.2:80 10.0.0.9:80");
	sim_dns_set(s.bed.sim, "api.test", "10.0.0.3", 10 * NS_S);
	bed_run(&s.bed, 20 * NS_S);
	assert_int_equal(names_state(s.names, 0), NAMES_FRESH);
	assert_addrs(&s, "10.0.0.3:80 10.0.0.9:80");
	scene_fini(&s);
}

static void test_lost_until_it_is_there(void **state)
{
	(void)state;
	struct scene s;
	struct call call = { .state = CALL_NEW };
	struct call *calls[] = { &call };
	scene_init(&s);
	sim_dns_silence(s.bed.sim, "late.test");
	scene_follow(&s, "http://late.test http://never.test");
	bed_run(&s.bed, 5 * NS_S);
	assert_int_equal(s.settled, 1);
	assert_int_equal(names_state(s.names, 0), NAMES_LOST);
	assert_false(names_is_no_name(s.names, 0));
	assert_true(names_is_no_name(s.names, 1));
	assert_addrs(&s, "late.test (not found yet) never.test (not found yet)");
	scene_attach(&s);
	assert_int_equal(upstream_submit(s.up, calls, 1, NS_NEVER), ERR_RESOLVE);
	sim_dns_set(s.bed.sim, "late.test", "10.0.0.2", 10 * NS_S);
	bed_run(&s.bed, 5 * NS_S);
	assert_addrs(&s, "10.0.0.2:80 never.test (not found yet)");
	scene_fini(&s);
}

static bool is_not_loopback(void *ctx, const struct addr *a)
{
	(void)ctx;
	return !addr_is_loopback(a);
}

/* A name that is not trusted: first it leads to the outside, then to ourselves. */
static void test_barred_addresses_are_never_told(void **state)
{
	(void)state;
	struct scene s;
	struct names_source source[1];
	char text[256] = "";
	scene_init(&s);
	(void)sources_of("http://re.test", source, text);
	sim_dns_set(s.bed.sim, "re.test", "127.0.0.1,10.0.0.2,::1", 10 * NS_S);
	s.names = names_new(&(struct names_cfg){ .loop = s.bed.near,
		.dns = s.dns,
		.sources = source,
		.count = 1,
		.on_settled = on_settled,
		.ctx = &s,
		.may = is_not_loopback });
	bed_run(&s.bed, NS_MS);
	assert_int_equal(names_state(s.names, 0), NAMES_FRESH);
	assert_addrs(&s, "10.0.0.2:80");
	scene_attach(&s);
	sim_dns_set(s.bed.sim, "re.test", "127.0.0.1", 10 * NS_S);
	bed_run(&s.bed, 11 * NS_S);
	assert_int_equal(names_state(s.names, 0), NAMES_BARRED);
	assert_true(addr_is_loopback(names_barred(s.names, 0)));
	assert_addrs(&s, "10.0.0.2:80");
	sim_dns_set(s.bed.sim, "re.test", "10.0.0.3", 10 * NS_S);
	bed_run(&s.bed, 11 * NS_S);
	assert_int_equal(names_state(s.names, 0), NAMES_FRESH);
	assert_addrs(&s, "10.0.0.3:80");
	scene_fini(&s);
}

static void test_freed_while_asking(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s);
	sim_dns_silence(s.bed.sim, "late.test");
	scene_follow(&s, "http://late.test");
	bed_run(&s.bed, NS_S);
	scene_fini(&s);
	assert_int_equal(s.settled, 0);
}

static void test_another_resolver(void **state)
{
	(void)state;
	struct scene s;
	struct problem p;
	scene_init(&s);
	sim_dns_silence(s.bed.sim, "a.test");
	scene_follow(&s, "http://a.test http://b.test");
	bed_run(&s.bed, NS_S);
	struct dns *other = dns_new(s.bed.near, &(struct dns_cfg){ 0 }, &p);
	sim_dns_set(s.bed.sim, "a.test", "10.0.0.2", 10 * NS_S);
	names_set_dns(s.names, other);
	dns_free(&s.dns); /* nothing of it is in use */
	s.dns = other;
	bed_run(&s.bed, NS_S);
	assert_int_equal(s.settled, 1);
	assert_addrs(&s, "10.0.0.2:80 b.test (not found yet)");
	scene_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_addresses_need_nobody),
		TEST(test_ttl_is_honoured),
		TEST(test_stale_is_served),
		TEST(test_lost_until_it_is_there),
		TEST(test_barred_addresses_are_never_told),
		TEST(test_freed_while_asking),
		TEST(test_another_resolver),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

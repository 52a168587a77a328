/* Hosts that callers name, through the whole proxy on a virtual clock. */
#include "tests/unit/proxy/scene.h"

#define FORWARD(...) \
	OPTIONS("--forward-listen=10.0.0.1:8080", "--forward-allow=10.0.0.2", __VA_ARGS__)
#define ASK(host, target) "GET http://" host target " HTTP/1.1\r\nHost: x\r\n\r\n"

/* Made by the first request, kept while it is used, and gone for good after that. */
static void test_a_host_comes_and_goes(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init_whole(&s, FORWARD("--idle-for=1s", "--client-idle-for=10m"));
	sim_dns_set(s.sim, "api.test", "10.0.0.2", 10 * NS_S);
	scene_client(&s, &r, ASK("api.test", "/ok"));
	scene_run(&s, 50 * NS_MS);
	assert_true(scene_got(&r, "\r\n\r\nok"));
	assert_int_equal(s.proxy.egress.hosts.len, 1);
	scene_run(&s, 50 * NS_S);
	raw_say(&r, ASK("API.test.", "/ok"));
	scene_run(&s, 20 * NS_S);
	assert_int_equal(scene_count(&s, "Host: api.test\r\n"), 2);
	assert_int_equal(s.proxy.egress.hosts.len, 1);
	assert_int_equal(s.proxy.egress.hosts_total, 1);
	scene_run(&s, 60 * NS_S);
	assert_int_equal(s.proxy.egress.hosts.len, 0);
	assert_int_equal(s.proxy.targets.len + s.proxy.retired.len, 0);
	raw_say(&r, ASK("api.test", "/ok"));
	scene_run(&s, 50 * NS_MS);
	assert_int_equal(scene_count(&s, "Host: api.test\r\n"), 3);
	assert_int_equal(s.proxy.egress.hosts_total, 2);
	raw_fini(&r);
	scene_fini(&s);
}

/* More hosts than are kept, over few connections: the one used longest ago gives way, and so
 * does its idle connection. */
static void test_more_hosts_than_are_kept(void **state)
{
	(void)state;
	enum { MANY = EGRESS_HOSTS_MAX + 40 };
	struct scene s;
	struct raw r;
	char text[128];
	scene_init_whole(&s, FORWARD("--clients=8"));
	assert_int_equal(s.proxy.egress.group.conns_max, 8);
	raw_init(&r);
	raw_connect(&r, s.far, &s.at);
	for (int i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "h%d.test", i);
		sim_dns_set(s.sim, text, "10.0.0.2", 3600 * NS_S);
		snprintf(text, sizeof(text), ASK("h%d.test", "/ok"), i);
		raw_say(&r, text);
		scene_run(&s, 40 * NS_MS);
		assert_true(s.proxy.egress.group.conns <= 8);
	}
	assert_int_equal(s.proxy.answers[200], MANY);
	assert_int_equal(s.proxy.egress.hosts_total, MANY);
	assert_true(s.proxy.egress.hosts.len <= EGRESS_HOSTS_MAX);
	raw_fini(&r);
	scene_fini(&s);
}

/* The time that the lookup takes is a part of the request's. */
static void test_a_late_lookup(void **state)
{
	(void)state;
	struct scene s;
	struct raw slow, gone;
	scene_init_whole(&s, FORWARD("--timeout=1s"));
	sim_dns_silence(s.sim, "late.test");
	scene_client(&s, &slow, ASK("late.test", "/stall"));
	scene_client(&s, &gone, ASK("late.test", "/stall"));
	scene_run(&s, 200 * NS_MS);
	assert_int_equal(s.proxy.exchanges_now, 2);
	raw_close(&gone, IO_CLOSE_RESET);
	scene_run(&s, 790 * NS_MS);
	assert_int_equal(s.proxy.exchanges_now, 1);
	assert_int_equal(slow.in.len, 0);
	scene_run(&s, 50 * NS_MS);
	assert_true(scene_got(&slow, "HTTP/1.1 504 "));
	assert_true(scene_got(&slow, "Weir-Reason: deadline\r\n"));
	assert_int_equal(s.proxy.exchanges_now, 0);
	raw_fini(&slow);
	raw_fini(&gone);
	scene_fini(&s);
}

/* A name that leads inside, and one that leads to the proxy itself. */
static void test_where_names_may_not_lead(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init_whole(&s, FORWARD("--forward-allow=10.0.0.1:*"));
	sim_dns_set(s.sim, "in.test", "10.0.0.3", 10 * NS_S);
	sim_dns_set(s.sim, "own.test", "10.0.0.1", 10 * NS_S);
	scene_client(&s, &r, ASK("in.test", "/ok"));
	scene_run(&s, 50 * NS_MS);
	assert_true(scene_got(&r, "Weir-Reason: forward-not-allowed\r\n"));
	raw_say(&r, ASK("own.test:8080", "/ok"));
	scene_run(&s, 50 * NS_MS);
	assert_true(scene_got(&r, "Weir-Reason: forward-own\r\n"));
	assert_int_equal(s.server.accepted, 0);
	raw_fini(&r);
	scene_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_host_comes_and_goes),
		TEST(test_more_hosts_than_are_kept),
		TEST(test_a_late_lookup),
		TEST(test_where_names_may_not_lead),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

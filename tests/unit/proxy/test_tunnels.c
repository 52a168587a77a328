/* CONNECT through the whole proxy, as if every target were let through. */
#include "tests/unit/proxy/scene.h"

#define CONNECT "CONNECT api:80 HTTP/1.1\r\nHost: api:80\r\n\r\n"

static void on_connect(struct sconn *client, const struct h1_head *head)
{
	struct proxy *p = server_ctx(sconn_server(client));
	tunnel_request(p, client, head, plan_route(p->plan, head), proxy_now(p));
}

static void scene_init_connect(
	struct scene *s, struct server_ops *ops, const char *const *options)
{
	struct server_cfg cfg = { .ops = ops };
	struct problem p = { "" };
	scene_init(s, NULL, options);
	*ops = proxy_ops;
	ops->on_request = on_connect;
	cfg.ctx = &s->proxy;
	server_free(&s->proxy.server);
	s->proxy.server = server_new(&s->proxy.worker, &cfg);
	assert_true(server_listen(s->proxy.server, &s->at, &p));
}

static void test_connect(void **state)
{
	(void)state;
	struct scene s;
	struct server_ops ops;
	struct raw r;
	scene_init_connect(&s, &ops, OPTIONS("--timeout=1s", "--limit=1"));
	/* what is sent at once is the tunnel's */
	scene_client(&s, &r, CONNECT GET("/ok"));
	scene_run(&s, 5 * NS_MS);
	assert_true(scene_got(
		&r, "HTTP/1.1 200 Connection Established\r\n\r\nHTTP/1.1 200 OK"));
	assert_int_equal(s.proxy.tunnels_now, 1);
	scene_run(&s, 10 * NS_S); /* past the timeout */
	raw_say(&r, GET("/big?200000"));
	scene_run(&s, 20 * NS_MS);
	assert_true(r.in.len > 200000);
	assert_true(s.proxy.worker.bufs.out <= 3);
	raw_shutdown(&r);
	scene_run(&s, 10 * NS_MS);
	assert_int_equal(r.end, ERR_EOF);
	assert_int_equal(s.proxy.tunnels_now, 0);
	assert_int_equal(s.proxy.exchanges_now, 0);
	assert_int_equal(s.server.accepted, 1);
	raw_fini(&r);
	scene_fini(&s);
}

static void test_nobody_there(void **state)
{
	(void)state;
	struct scene s;
	struct server_ops ops;
	struct raw r;
	scene_init_connect(&s, &ops, OPTIONS("--timeout=1s"));
	raw_server_fini(&s.server);
	scene_client(&s, &r, CONNECT GET("/smuggled"));
	scene_run(&s, 5 * NS_MS);
	assert_true(scene_got(&r, "HTTP/1.1 502 "));
	assert_true(scene_got(&r, "Connection: close\r\n"));
	assert_int_equal(r.end, ERR_EOF);
	raw_fini(&r);
	scene_run(&s, 5 * NS_S);
	raw_server_listen(&s.server, s.far, "10.0.0.2:80");
	scene_fini(&s);
}

static void test_idle_connect(void **state)
{
	(void)state;
	struct scene s;
	struct server_ops ops;
	struct raw r;
	scene_init_connect(&s, &ops, OPTIONS("--tunnel-idle-for=3s"));
	scene_client(&s, &r, CONNECT);
	scene_run(&s, 2900 * NS_MS);
	assert_int_equal(r.end, ERR_AGAIN);
	scene_run(&s, 200 * NS_MS);
	assert_int_equal(r.end, ERR_RESET);
	assert_int_equal(s.proxy.reasons[ERR_TUNNEL_IDLE], 1);
	raw_fini(&r);
	scene_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_connect),
		TEST(test_nobody_there),
		TEST(test_idle_connect),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

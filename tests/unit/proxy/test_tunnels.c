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

/* One that never comes to an end of itself: `bytes` are said in all, what comes is counted. */
struct flood {
	struct raw *raw;
	struct scene *scene;
	size_t left;      /* to be said */
	uint32_t buffers; /* the most that the proxy ever held */
	bool slow;
	bool good; /* what came is what the other one said */
};

#define FLOOD_BYTES ((size_t)64 << 20)
#define FLOOD_PIECE ((size_t)256 << 10)

static char flood_byte(size_t at)
{
	return (char)(at ^ at >> 8 ^ at >> 16);
}

static void flood_step(struct flood *f)
{
	char piece[4096];
	const struct worker *w = &f->scene->proxy.worker;
	uint32_t held = w->bufs.out + w->bulks.out;
	f->buffers = held > f->buffers ? held : f->buffers;
	struct raw *r = f->raw;
	for (size_t i = 0; i < r->in.len; i++)
		f->good &= r->in.ptr[i] == flood_byte(r->rx_bytes - r->in.len + i);
	text_reset(&r->in);
	while (f->left && r->out.len - r->out_at < FLOOD_PIECE) {
		for (size_t i = 0; i < sizeof(piece); i++)
			piece[i] = flood_byte(FLOOD_BYTES - f->left + i);
		raw_send(r, (struct slice){ piece, sizeof(piece) });
		f->left -= sizeof(piece);
	}
	if (f->slow)
		raw_set_deaf(r, !r->deaf);
}

static bool flood_is_over(const struct flood *f)
{
	return f->left == 0 && f->raw->rx_bytes == FLOOD_BYTES;
}

static void flood(bool slow_client, bool slow_server)
{
	struct scene s;
	struct server_ops ops;
	struct raw r;
	const struct flood fresh = { .scene = &s, .left = FLOOD_BYTES, .good = true };
	struct flood a = fresh, b = fresh;
	scene_init_connect(&s, &ops, OPTIONS("--timeout=1s"));
	s.server.on_bytes = NULL;
	scene_client(&s, &r, CONNECT);
	scene_run(&s, 5 * NS_MS);
	assert_true(scene_got(&r, "HTTP/1.1 200 Connection Established\r\n\r\n"));
	text_reset(&r.in);
	r.rx_bytes = 0;
	a.raw = &r;
	b.raw = raw_server_nth(&s.server, 0);
	assert_non_null(b.raw);
	a.slow = slow_client;
	b.slow = slow_server;
	for (int n = 0; n < 100000 && !(flood_is_over(&a) && flood_is_over(&b)); n++) {
		flood_step(&a);
		flood_step(&b);
		scene_run(&s, NS_MS);
	}
	assert_true(flood_is_over(&a) && flood_is_over(&b));
	flood_step(&a);
	flood_step(&b);
	assert_true(a.good && b.good);
	/* one a direction to read into, and one to write from */
	assert_in_range(a.buffers, 1, 4);
	assert_in_range(b.buffers, 1, 4);
	assert_int_equal(s.proxy.worker.bufs.out + s.proxy.worker.bulks.out, 0);
	raw_fini(&r);
	scene_fini(&s);
}

static void test_much_both_ways_past_slow_readers(void **state)
{
	(void)state;
	flood(true, false);
	flood(false, true);
	flood(true, true);
}

static void test_an_idle_tunnel_holds_no_buffer(void **state)
{
	(void)state;
	struct scene s;
	struct server_ops ops;
	struct raw r;
	scene_init_connect(&s, &ops, OPTIONS("--timeout=1s"));
	scene_client(&s, &r, CONNECT "once");
	scene_run(&s, 5 * NS_MS);
	raw_say(raw_server_nth(&s.server, 0), "again");
	scene_run(&s, 5 * NS_MS);
	assert_true(scene_got(&r, "\r\n\r\nagain"));
	assert_int_equal(s.proxy.tunnels_now, 1);
	assert_int_equal(s.proxy.worker.bufs.out, 0);
	assert_int_equal(s.proxy.worker.bulks.out, 0);
	assert_int_equal(s.proxy.worker.heads.out, 0);
	raw_fini(&r);
	scene_fini(&s);
}

static void ask_for_nobody(const char *request)
{
	struct scene s;
	struct server_ops ops;
	struct raw r;
	scene_init_connect(&s, &ops, OPTIONS("--timeout=1s"));
	raw_server_fini(&s.server);
	scene_client(&s, &r, request);
	scene_run(&s, 5 * NS_MS);
	assert_true(scene_got(&r, "HTTP/1.1 502 "));
	assert_true(scene_got(&r, "Connection: close\r\n"));
	assert_int_equal(r.end, ERR_EOF);
	raw_fini(&r);
	scene_run(&s, 5 * NS_S);
	raw_server_listen(&s.server, s.far, "10.0.0.2:80");
	scene_fini(&s);
}

/* The rest of what it sends is its tunnel's, whatever else it offers. */
static void test_a_refused_connect_ends_the_connection(void **state)
{
	(void)state;
	ask_for_nobody("CONNECT api:80 HTTP/1.1\r\nHost: api:80\r\nUpgrade: x\r\n"
		       "Connection: upgrade\r\n\r\n");
}

static void test_nobody_there(void **state)
{
	(void)state;
	ask_for_nobody(CONNECT GET("/smuggled"));
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
		TEST(test_much_both_ways_past_slow_readers),
		TEST(test_an_idle_tunnel_holds_no_buffer),
		TEST(test_a_refused_connect_ends_the_connection),
		TEST(test_idle_connect),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

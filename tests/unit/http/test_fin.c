/* Callers that half-close: a FIN that came with a request, and one that came later. */
#include "app.h"
#include "bed.h"

#define AT "10.0.0.1:80"
#define DATE "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
#define OK(len, body) "HTTP/1.1 200 OK\r\n" DATE "Content-Length: " len "\r\n\r\n" body
#define OK_CLOSE(len, body) \
	"HTTP/1.1 200 OK\r\n" DATE "Connection: close\r\nContent-Length: " len \
	"\r\n\r\n" body
#define GET(target) "GET " target " HTTP/1.1\r\nHost: h\r\n\r\n"

struct scene {
	struct bed bed;
	struct app app;
	struct addr at;
};

static void scene_init(struct scene *s)
{
	static const struct sim_cfg plain = { .seed = 1 };
	static const struct worker_cfg few = { .clients = 8, .servers = 1 };
	bed_init(&s->bed, &plain, &few);
	app_init(&s->app, &s->bed.worker, (struct server_cfg){ .fin_within = 10 * NS_MS },
		AT);
	raw_addr(AT, &s->at);
}

static void scene_fini(struct scene *s)
{
	app_fini(&s->app);
	bed_fini(&s->bed);
}

static void scene_connect(struct scene *s, struct raw *r)
{
	raw_init(r);
	raw_connect(r, s->bed.far, &s->at);
	bed_run(&s->bed, NS_MS);
	assert_int_equal(r->end, ERR_AGAIN);
}

/* All Date fields are set back to the first second: when things happen is not the matter. */
static void at_the_first_second(struct raw *r)
{
	static const char gmt[] = " GMT\r\n";
	char *at = r->in.ptr;
	while (at && (at = memmem(at, (size_t)(r->in.ptr + r->in.len - at), gmt, 6))) {
		memcpy(at - 8, "00:00:00", 8);
		at += 6;
	}
}

static void assert_in(struct raw *r, const char *expected)
{
	at_the_first_second(r);
	if (!raw_got(r, expected))
		print_message("got: %.*s\n", SLICE_ARG(text_slice(&r->in)));
	assert_true(raw_got(r, expected));
}

/* What is said with a FIN at once behind it is answered, all of it, and the connection closed. */
static void test_fin_behind_a_request(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s);
	scene_connect(&s, &r);
	raw_say(&r, GET("/later?50"));
	raw_shutdown(&r);
	bed_run(&s.bed, 100 * NS_MS);
	assert_in(&r, OK_CLOSE("0", ""));
	assert_int_equal(r.end, ERR_EOF);
	assert_text(&s.app.log, "req GET /later?50\nbody-end\nend ok\nclose\n");
	raw_fini(&r);
	/* within a few milliseconds it still belongs to the request */
	scene_connect(&s, &r);
	raw_say(&r, GET("/later?50"));
	bed_run(&s.bed, 9 * NS_MS);
	raw_shutdown(&r);
	bed_run(&s.bed, 100 * NS_MS);
	assert_in(&r, OK_CLOSE("0", ""));
	assert_text(&s.app.log, "req GET /later?50\nbody-end\nend ok\nclose\n");
	raw_fini(&r);
	/* later it is a caller that has gone */
	scene_connect(&s, &r);
	raw_say(&r, GET("/later?50"));
	bed_run(&s.bed, 12 * NS_MS);
	raw_shutdown(&r);
	bed_run(&s.bed, 100 * NS_MS);
	assert_in(&r, "");
	assert_text(&s.app.log,
		"req GET /later?50\nbody-end\nhangup\nend client-gone\nclose\n");
	raw_fini(&r);
	scene_fini(&s);
}

static void test_fin_behind_a_pipeline(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s);
	s.app.quiet = true;
	scene_connect(&s, &r);
	raw_say(&r, GET("/later?50") "POST /echo HTTP/1.1\r\nHost: h\r\n"
				     "Content-Length: 5\r\n\r\nhello" GET("/later?30"));
	raw_shutdown(&r);
	bed_run(&s.bed, 200 * NS_MS);
	assert_in(&r, OK("0", "") OK("5", "hello") OK_CLOSE("0", ""));
	assert_int_equal(r.end, ERR_EOF);
	raw_fini(&r);
	/* what is not whole behind them will never be */
	static const char *const rests[] = {
		"GET /now HTTP", "\r\n",
		"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhel",
		"POST /sip?1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc"
	};
	for (size_t i = 0; i < ARRAY_LEN(rests); i++) {
		scene_connect(&s, &r);
		raw_say(&r, GET("/later?50"));
		raw_say(&r, rests[i]);
		raw_shutdown(&r);
		bed_run(&s.bed, 100 * NS_MS);
		assert_in(&r, OK("0", ""));
		assert_int_not_equal(r.end, ERR_AGAIN);
		assert_int_equal(s.app.ends, s.app.requests);
		assert_int_equal(server_conn_count(s.app.server), 0);
		raw_fini(&r);
	}
	scene_fini(&s);
}

/* More than the buffer holds: the FIN is seen long after it came. */
static void test_fin_behind_a_long_pipeline(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	struct text all;
	scene_init(&s);
	s.app.quiet = true;
	text_init(&all);
	for (int i = 0; i < 1000; i++)
		text_add(&all, GET("/later?20"));
	scene_connect(&s, &r);
	raw_send(&r, text_slice(&all));
	raw_shutdown(&r);
	bed_run(&s.bed, 30 * NS_S);
	assert_int_equal(s.app.ends, 1000);
	assert_int_equal(r.end, ERR_EOF);
	raw_fini(&r);
	text_fini(&all);
	scene_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_fin_behind_a_request),
		TEST(test_fin_behind_a_pipeline),
		TEST(test_fin_behind_a_long_pipeline),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Callers that half-close: a FIN that came with a request, and one that came later. */
#include "front.h"

static void start(struct front *f)
{
	front_init(f, NULL, &(struct server_cfg){ .fin_within = 10 * NS_MS });
}

/* What is said with a FIN at once behind it is answered, all of it, and the connection closed. */
static void test_fin_behind_a_request(void **state)
{
	(void)state;
	struct front f;
	struct raw r;
	start(&f);
	front_connect(&f, &r);
	raw_say(&r, GET("/later?50"));
	raw_shutdown(&r);
	bed_run(&f.bed, 100 * NS_MS);
	assert_in(&r, OK_CLOSE("0", ""));
	assert_int_equal(r.end, ERR_EOF);
	assert_text(&f.app.log, "req GET /later?50\nbody-end\nend ok\nclose\n");
	raw_fini(&r);
	/* within a few milliseconds it still belongs to the request */
	front_connect(&f, &r);
	raw_say(&r, GET("/later?50"));
	bed_run(&f.bed, 9 * NS_MS);
	raw_shutdown(&r);
	bed_run(&f.bed, 100 * NS_MS);
	assert_in(&r, OK_CLOSE("0", ""));
	assert_text(&f.app.log, "req GET /later?50\nbody-end\nend ok\nclose\n");
	raw_fini(&r);
	/* later it is a caller that has gone */
	front_connect(&f, &r);
	raw_say(&r, GET("/later?50"));
	bed_run(&f.bed, 12 * NS_MS);
	raw_shutdown(&r);
	bed_run(&f.bed, 100 * NS_MS);
	assert_in(&r, "");
	assert_text(&f.app.log,
		"req GET /later?50\nbody-end\nhangup\nend client-gone\nclose\n");
	raw_fini(&r);
	front_fini(&f);
}

static void test_fin_behind_a_pipeline(void **state)
{
	(void)state;
	struct front f;
	struct raw r;
	start(&f);
	f.app.quiet = true;
	front_connect(&f, &r);
	raw_say(&r, GET("/later?50") "POST /echo HTTP/1.1\r\nHost: h\r\n"
				     "Content-Length: 5\r\n\r\nhello" GET("/later?30"));
	raw_shutdown(&r);
	bed_run(&f.bed, 200 * NS_MS);
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
		front_connect(&f, &r);
		raw_say(&r, GET("/later?50"));
		raw_say(&r, rests[i]);
		raw_shutdown(&r);
		bed_run(&f.bed, 100 * NS_MS);
		assert_in(&r, OK("0", ""));
		assert_int_not_equal(r.end, ERR_AGAIN);
		assert_int_equal(f.app.ends, f.app.requests);
		assert_int_equal(server_conn_count(f.app.server), 0);
		raw_fini(&r);
	}
	front_fini(&f);
}

/* More than the buffer holds: the FIN is seen long after it came. */
static void test_fin_behind_a_long_pipeline(void **state)
{
	(void)state;
	struct front f;
	struct raw r;
	struct text all;
	start(&f);
	f.app.quiet = true;
	text_init(&all);
	for (int i = 0; i < 1000; i++)
		text_add(&all, GET("/later?20"));
	front_connect(&f, &r);
	raw_send(&r, text_slice(&all));
	raw_shutdown(&r);
	bed_run(&f.bed, 30 * NS_S);
	assert_int_equal(f.app.ends, 1000);
	assert_int_equal(r.end, ERR_EOF);
	raw_fini(&r);
	text_fini(&all);
	front_fini(&f);
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

/* The server side against raw clients: splits, pipelines, bodies, faults, times, ends. */
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

static void scene_init(
	struct scene *s, const struct sim_cfg *sim, const struct server_cfg *cfg)
{
	static const struct sim_cfg plain = { .seed = 1 };
	static const struct worker_cfg few = { .clients = 8, .servers = 1 };
	static const struct server_cfg dflt = { 0 };
	bed_init(&s->bed, sim ? sim : &plain, &few);
	app_init(&s->app, &s->bed.worker, cfg ? *cfg : dflt, AT);
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

/* One client says all of it at once; what it got stays in *r. */
static void scene_ask(struct scene *s, struct raw *r, const char *text)
{
	scene_connect(s, r);
	raw_say(r, text);
	bed_run(&s->bed, 20 * NS_MS);
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

/* --- one request --- */

static void test_get(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, NULL, NULL);
	scene_ask(&s, &r, GET("/now"));
	assert_in(&r, OK("3", "now"));
	assert_text(&s.app.log, "req GET /now\nend ok\n");
	assert_int_equal(r.end, ERR_AGAIN); /* kept alive */
	bed_run(&s.bed, 6 * NS_S);
	assert_int_equal(r.end, ERR_EOF); /* idle_for */
	assert_text(&s.app.log, "close\n");
	assert_int_equal(server_conn_count(s.app.server), 0);
	raw_fini(&r);
	scene_fini(&s);
}

static void test_methods_and_statuses_without_body(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, NULL, NULL);
	scene_ask(&s, &r, "HEAD /later?1 HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_in(&r, "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 0\r\n\r\n");
	raw_fini(&r);
	scene_ask(&s, &r, "HEAD /stream?100000 HTTP/1.1\r\nHost: h\r\n\r\n" GET("/none"));
	assert_in(&r, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		      "HTTP/1.1 204 No Content\r\n\r\n");
	raw_fini(&r);
	scene_ask(&s, &r, GET("/interim"));
	assert_in(&r, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" OK("4", "done"));
	raw_fini(&r);
	scene_fini(&s);
}

/* Heads up to the size of the buffer, and then the last chunk: whole, or nothing at all. */
static void test_heads_that_fill_the_buffer(void **state)
{
	(void)state;
	struct scene s;
	uint32_t fit = 0;
	scene_init(&s, NULL, NULL);
	for (unsigned pad = WORKER_BUF_BYTES - 120; pad < WORKER_BUF_BYTES; pad++) {
		struct raw r;
		char ask[80];
		snprintf(
			ask, sizeof(ask), "GET /pad?%u HTTP/1.1\r\nHost: h\r\n\r\n", pad);
		scene_ask(&s, &r, ask);
		if (r.in.len) {
			assert_memory_equal(r.in.ptr + r.in.len - 7, "\r\n0\r\n\r\n", 7);
			fit++;
		} else {
			assert_int_equal(r.end, ERR_EOF);
		}
		raw_fini(&r);
	}
	assert_in_range(fit, 10, 110);
	scene_fini(&s);
}

static void test_http10(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, NULL, NULL);
	scene_ask(&s, &r, "GET /now HTTP/1.0\r\n\r\n");
	assert_in(&r, OK_CLOSE("3", "now"));
	assert_int_equal(r.end, ERR_EOF);
	raw_fini(&r);
	scene_ask(&s, &r, "GET /now HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	assert_in(&r, "HTTP/1.1 200 OK\r\n" DATE
		      "Connection: keep-alive\r\nContent-Length: 3\r\n\r\nnow");
	assert_int_equal(r.end, ERR_AGAIN);
	raw_fini(&r);
	/* no chunks for it: the close ends the message; and no interim answer */
	scene_ask(&s, &r, "GET /stream?5 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	assert_in(&r, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcde");
	assert_int_equal(r.end, ERR_EOF);
	raw_fini(&r);
	scene_ask(&s, &r, "GET /interim HTTP/1.0\r\n\r\n");
	assert_in(&r, OK_CLOSE("4", "done"));
	raw_fini(&r);
	scene_fini(&s);
}

static void test_expect_continue(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, NULL, NULL);
	scene_ask(&s, &r,
		"POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
		"Content-Length: 3\r\n\r\n");
	assert_in(&r, "HTTP/1.1 100 Continue\r\n\r\n");
	raw_say(&r, "abc");
	bed_run(&s.bed, 20 * NS_MS);
	assert_in(&r, "HTTP/1.1 100 Continue\r\n\r\n" OK("3", "abc"));
	raw_fini(&r);
	/* answered without waiting for it: the body may come or not, so the connection ends */
	scene_ask(&s, &r,
		"POST /now HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
		"Content-Length: 3\r\n\r\n");
	assert_in(&r, OK_CLOSE("3", "now"));
	assert_int_equal(r.end, ERR_EOF);
	raw_fini(&r);
	scene_fini(&s);
}

/* --- splits and pipelines --- */

static const char pipeline[] = GET(
	"/now") "POST /echo HTTP/1.1\r\nHost: h\r\n"
		"Content-Length: 5\r\n\r\nhello" GET(
			"/none") "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
				 "3\r\nabc\r\n4;x=\"y\"\r\ndefg\r\n0\r\nTrailer: t\r\n\r\n"
				 "PUT /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
				 "GET /now HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" GET(
					 "/never");

static const char pipeline_answers[] = OK("3", "now")
	OK("5", "hello") "HTTP/1.1 204 No Content\r\n\r\n" OK("7", "abcdefg") OK("0", "")
		OK_CLOSE("3", "now");

static const char pipeline_log[] = "req GET /now\nend ok\n"
				   "req POST /echo\nbody-end\nend ok\n"
				   "req GET /none\nbody-end\nend ok\n"
				   "req POST /echo\nbody-end\nend ok\n"
				   "req PUT /echo\nbody-end\nend ok\n"
				   "req GET /now\nend ok\nclose\n";

static void check_pipeline(struct scene *s, struct raw *r)
{
	bed_run(&s->bed, 5 * NS_MS);
	assert_in(r, pipeline_answers);
	assert_int_equal(r->end, ERR_EOF);
	raw_close(r, IO_CLOSE_FIN);
	bed_run(&s->bed, 3 * NS_S);
	assert_text(&s->app.log, pipeline_log);
	raw_fini(r);
}

static void test_every_split_point(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s, NULL, NULL);
	s.app.quiet = true;
	for (size_t cut = 0; cut < sizeof(pipeline); cut++) {
		struct raw r;
		struct slice text = slice_of(pipeline);
		scene_connect(&s, &r);
		raw_send(&r, slice_cut(text, 0, cut));
		bed_run(&s.bed, NS_MS);
		raw_send(&r, slice_cut(text, cut, SIZE_MAX));
		check_pipeline(&s, &r);
	}
	scene_fini(&s);
}

static void test_byte_by_byte(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, NULL, NULL);
	s.app.quiet = true;
	scene_connect(&s, &r);
	for (size_t i = 0; i + 1 < sizeof(pipeline); i++) {
		raw_send(&r, (struct slice){ pipeline + i, 1 });
		bed_run(&s.bed, NS_MS);
	}
	check_pipeline(&s, &r);
	scene_fini(&s);
}

/* Answers, too, may leave byte by byte. */
static void test_short_writes(void **state)
{
	(void)state;
	for (uint32_t max = 1; max < 40; max++) {
		struct scene s;
		struct raw r;
		scene_init(&s, &(struct sim_cfg){ .seed = max, .write_max = max }, NULL);
		s.app.quiet = true;
		scene_connect(&s, &r);
		raw_say(&r, pipeline);
		bed_run(&s.bed, NS_S);
		check_pipeline(&s, &r);
		scene_fini(&s);
	}
}

/* More pipelined than a buffer holds, to a slow app: read on only as it answers. */
static void test_pipeline_longer_than_the_buffer(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	struct text all;
	scene_init(&s, NULL, NULL);
	s.app.quiet = true;
	text_init(&all);
	for (int i = 0; i < 2000; i++)
		text_add(&all, GET("/later?1"));
	scene_connect(&s, &r);
	raw_send(&r, text_slice(&all));
	bed_run(&s.bed, 20 * NS_MS);
	assert_true(s.bed.worker.bufs.out <= 3);
	bed_run(&s.bed, 5 * NS_S);
	assert_int_equal(s.app.ends, 2000);
	assert_int_equal(r.in.len, 2000 * strlen(OK("0", "")));
	raw_fini(&r);
	text_fini(&all);
	scene_fini(&s);
}

/* --- bodies and back-pressure --- */

/* A client sends 1 MB, the app sips: no more than a buffer is ever read ahead. */
static void sip(bool chunked)
{
	struct scene s;
	struct raw r;
	struct text body;
	scene_init(&s, NULL, NULL);
	s.app.quiet = true;
	text_init(&body);
	for (uint64_t i = 0; i < 1000000; i++)
		text_add_char(&body, app_pattern(i));
	scene_connect(&s, &r);
	if (chunked)
		raw_say(&r, "POST /sip?3000 HTTP/1.1\r\nHost: h\r\n"
			    "Transfer-Encoding: chunked\r\n\r\nf4240\r\n");
	else
		raw_say(&r, "POST /sip?3000 HTTP/1.1\r\nHost: h\r\n"
			    "Content-Length: 1000000\r\n\r\n");
	raw_send(&r, text_slice(&body));
	if (chunked)
		raw_say(&r, "\r\n0\r\n\r\n");
	bed_run(&s.bed, 50 * NS_MS);
	assert_true(s.bed.worker.bufs.out <= 3);
	assert_true(r.out_at < 500000); /* the sender is held back */
	bed_run(&s.bed, 2 * NS_S);
	assert_int_equal(s.app.ends, 1);
	assert_true(r.in.len > body.len);
	assert_memory_equal(r.in.ptr + r.in.len - body.len, body.ptr, body.len);
	raw_fini(&r);
	text_fini(&body);
	scene_fini(&s);
}

static void test_body_back_pressure(void **state)
{
	(void)state;
	sip(false);
	sip(true);
}

static uint64_t count_payload(const struct raw *r, bool chunked)
{
	size_t at = 0;
	while (at + 4 <= r->in.len && memcmp(r->in.ptr + at, "\r\n\r\n", 4) != 0)
		at++;
	struct slice rest = slice_cut(text_slice(&r->in), at + 4, SIZE_MAX);
	struct h1_decoder d;
	uint64_t sum = 0;
	h1_decoder_init(&d, chunked ? H1_BODY_CHUNKED : H1_BODY_LENGTH, 5000000);
	while (rest.len && !d.done) {
		size_t used;
		struct slice data;
		assert_int_not_equal(h1_decode(&d, rest, &used, &data), H1_BAD);
		for (size_t i = 0; i < data.len; i++)
			assert_int_equal(data.ptr[i], app_pattern(sum + i));
		sum += data.len;
		rest = slice_cut(rest, used, SIZE_MAX);
	}
	assert_true(d.done);
	assert_int_equal(rest.len, 0);
	return sum;
}

/* A client that does not read for a while holds one buffer, and gets all of it later. */
static void slow_reader(const char *target, bool chunked, uint32_t write_max)
{
	struct scene s;
	struct raw r;
	scene_init(&s, &(struct sim_cfg){ .seed = 1, .write_max = write_max }, NULL);
	scene_connect(&s, &r);
	raw_set_deaf(&r, true);
	raw_say(&r, target);
	bed_run(&s.bed, NS_S);
	assert_int_equal(s.app.ends, 0);
	assert_true(s.bed.worker.bufs.out <= 3);
	raw_set_deaf(&r, false);
	bed_run(&s.bed, 20 * NS_S);
	assert_int_equal(s.app.ends, 1);
	assert_int_equal(count_payload(&r, chunked), 5000000);
	raw_fini(&r);
	scene_fini(&s);
}

static void test_slow_reader(void **state)
{
	(void)state;
	slow_reader(GET("/stream?5000000"), true, 0);
	slow_reader(GET("/fixed?5000000"), false, 0);
	slow_reader(GET("/stream?5000000"), true, 1461);
}

/* write_for: one that never reads again is let go, its exchange and buffer with it; one that
 * reads now and then is not. */
static void test_reader_that_stopped(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, NULL, &(struct server_cfg){ .write_for = 3 * NS_S });
	scene_connect(&s, &r);
	raw_say(&r, GET("/fixed?5000000"));
	raw_set_deaf(&r, true);
	for (int i = 0; i < 20; i++) {
		bed_run(&s.bed, 2 * NS_S);
		raw_set_deaf(&r, false);
		bed_run(&s.bed, 300 * NS_US);
		raw_set_deaf(&r, true);
	}
	assert_int_equal(s.app.ends, 0);
	bed_run(&s.bed, 4 * NS_S);
	assert_text(
		&s.app.log, "req GET /fixed?5000000\nbody-end\nend slow-client\nclose\n");
	assert_int_equal(s.bed.worker.bufs.out, 0);
	raw_set_deaf(&r, false);
	bed_run(&s.bed, NS_S);
	assert_int_equal(r.end, ERR_RESET); /* half an answer looks broken */
	raw_fini(&r);
	scene_fini(&s);
}

static void test_answered_before_the_body_is_there(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, NULL, NULL);
	scene_connect(&s, &r);
	raw_say(&r, "POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nx");
	bed_run(&s.bed, 10 * NS_MS);
	assert_in(&r, OK_CLOSE("5", "early"));
	assert_int_equal(r.end, ERR_EOF);
	/* what else comes is read and dropped: no RST that could eat the answer */
	for (int i = 0; i < 50; i++) {
		raw_say(&r, "0123456789");
		bed_run(&s.bed, NS_MS);
	}
	struct sim_counts counts;
	sim_count(s.bed.sim, s.bed.near, &counts);
	assert_int_equal(counts.resets_sent, 0);
	raw_close(&r, IO_CLOSE_FIN);
	bed_run(&s.bed, 10 * NS_MS);
	assert_int_equal(server_conn_count(s.app.server), 0);
	raw_fini(&r);
	scene_fini(&s);
}

/* A malformed rest of a request that was answered already takes nothing from the answer. */
static void test_answered_then_bad_chunk(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, &(struct sim_cfg){ .seed = 1, .write_max = 10 }, NULL);
	scene_ask(&s, &r,
		"POST /now HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
		"zz\r\n");
	assert_in(&r, OK_CLOSE("3", "now"));
	assert_text(&s.app.log, "req POST /now\nend ok\n");
	raw_fini(&r);
	scene_fini(&s);
}

/* --- what is refused --- */

static void test_bad_requests(void **state)
{
	(void)state;
	static const struct {
		const char *text, *status;
	} bad[] = {
		{ "GET / HTTP/1.1\nHost: h\n\n", "400 Bad Request" },
		{ "GET / HTTP/1.1\r\n\r\n", "400 Bad Request" },
		{ "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\n",
			"400 Bad Request" },
		{ "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n"
		  "Transfer-Encoding: chunked\r\n\r\n",
			"400 Bad Request" },
		{ "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n",
			"501 Not Implemented" },
		{ "GET / HTTP/2.0\r\nHost: h\r\n\r\n", "505 HTTP Version Not Supported" },
		{ "GET / HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n",
			"417 Expectation Failed" },
	};
	struct scene s;
	scene_init(&s, NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct raw r;
		char start[200];
		scene_ask(&s, &r, bad[i].text);
		int n = snprintf(start, sizeof(start),
			"HTTP/1.1 %s\r\n" DATE "Content-Type: text/plain\r\n",
			bad[i].status);
		assert_true(slice_starts(
			text_slice(&r.in), (struct slice){ start, (size_t)n }));
		assert_non_null(memmem(r.in.ptr, r.in.len, "Connection: close\r\n", 19));
		assert_int_equal(r.end, ERR_EOF);
		raw_fini(&r);
	}
	bed_run(&s.bed, 3 * NS_S);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) /* the app saw no request */
		assert_true(slice_eq(
			slice_cut(text_slice(&s.app.log), 6 * i, 6), SLICE("close\n")));
	assert_int_equal(s.app.requests, 0);
	scene_fini(&s);
}

static void test_heads_too_large(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	struct text t;
	text_init(&t);
	text_add(&t, "GET / HTTP/1.1\r\nHost: h\r\nX: ");
	for (int i = 0; i < 20000; i++)
		text_add_char(&t, 'x');
	scene_init(&s, NULL, NULL);
	scene_ask(&s, &r, t.ptr);
	assert_true(slice_starts(text_slice(&r.in), SLICE("HTTP/1.1 431 ")));
	raw_fini(&r);
	text_reset(&t);
	text_add(&t, "GET /");
	for (int i = 0; i < 9000; i++)
		text_add_char(&t, 'x');
	text_add(&t, " HTTP/1.1\r\nHost: h\r\n\r\n");
	scene_ask(&s, &r, t.ptr);
	assert_true(slice_starts(text_slice(&r.in), SLICE("HTTP/1.1 414 ")));
	raw_fini(&r);
	text_fini(&t);
	scene_fini(&s);
}

static void test_bad_chunk(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, NULL, NULL);
	scene_ask(&s, &r,
		"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
		"3\r\nabcX");
	assert_true(slice_starts(text_slice(&r.in), SLICE("HTTP/1.1 400 ")));
	assert_int_equal(r.end, ERR_EOF);
	assert_text(&s.app.log, "req POST /echo\nbody abc\nend bad-chunk\n");
	raw_fini(&r);
	/* 100 Continue went out before: still told what is wrong */
	scene_ask(&s, &r,
		"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
		"Expect: 100-continue\r\n\r\n");
	raw_say(&r, "zz");
	bed_run(&s.bed, 20 * NS_MS);
	assert_true(slice_starts(
		text_slice(&r.in), SLICE("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 ")));
	raw_fini(&r);
	scene_fini(&s);
}

/* --- times --- */

static void test_slow_heads(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, NULL, NULL);
	scene_connect(&s, &r);
	raw_say(&r, GET("/now"));
	bed_run(&s.bed, 1500 * NS_MS);
	text_reset(&r.in);
	for (int i = 0; i < 15; i++) { /* a byte each 100 ms moves no deadline */
		raw_say(&r, "G");
		bed_run(&s.bed, 100 * NS_MS);
	}
	assert_int_equal(r.in.len, 0);
	bed_run(&s.bed, 600 * NS_MS);
	assert_true(slice_starts(text_slice(&r.in), SLICE("HTTP/1.1 408 ")));
	assert_int_equal(r.end, ERR_EOF);
	raw_fini(&r);
	/* one that says nothing at all, or empty lines only, is closed without a word */
	scene_ask(&s, &r, GET("/now") "\r\n");
	assert_in(&r, OK("3", "now"));
	bed_run(&s.bed, 2100 * NS_MS);
	assert_in(&r, OK("3", "now"));
	assert_int_equal(r.end, ERR_EOF);
	raw_fini(&r);
	scene_connect(&s, &r);
	bed_run(&s.bed, 2100 * NS_MS);
	assert_in(&r, "");
	assert_int_equal(r.end, ERR_EOF);
	raw_fini(&r);
	scene_fini(&s);
}

/* One that never closes after its last answer is closed all the same. */
static void test_linger_ends(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, NULL, NULL);
	scene_ask(&s, &r, "GET /now HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	assert_int_equal(r.end, ERR_EOF);
	assert_int_equal(server_conn_count(s.app.server), 1);
	bed_run(&s.bed, 1900 * NS_MS);
	assert_int_equal(server_conn_count(s.app.server), 1);
	bed_run(&s.bed, 200 * NS_MS);
	assert_int_equal(server_conn_count(s.app.server), 0);
	raw_fini(&r);
	scene_fini(&s);
}

static void test_closing_manners(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, NULL, &(struct server_cfg){ .max_requests = 2 });
	scene_ask(&s, &r, GET("/now") GET("/now") GET("/now"));
	assert_in(&r, OK("3", "now") OK_CLOSE("3", "now"));
	assert_int_equal(r.end, ERR_EOF);
	raw_fini(&r);
	scene_fini(&s);
	scene_init(&s, NULL,
		&(struct server_cfg){ .close_each = true, .close_after = 50 * NS_MS });
	scene_ask(&s, &r, GET("/now"));
	assert_in(&r, OK_CLOSE("3", "now"));
	assert_int_equal(r.end, ERR_AGAIN);
	bed_run(&s.bed, 50 * NS_MS);
	assert_int_equal(r.end, ERR_EOF);
	raw_fini(&r);
	scene_fini(&s);
	scene_init(&s, NULL,
		&(struct server_cfg){ .close_each = true, .abrupt_close = true });
	scene_ask(&s, &r, GET("/now"));
	assert_int_equal(r.end, ERR_EOF);
	assert_int_equal(server_conn_count(s.app.server), 0);
	raw_fini(&r);
	scene_fini(&s);
}

/* --- clients that go --- */

static void test_client_gone(void **state)
{
	(void)state;
	static const enum io_close hows[] = { IO_CLOSE_FIN, IO_CLOSE_RESET };
	static const char *const asks[] = {
		GET("/never"),
		GET("/later?50"),
		GET("/stream?5000000"),
		"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc",
		"POST /sip?1 HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc",
		"POST /sip?1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
		"3\r\nabc\r\n",
		"GET /never HTTP",
		"",
	};
	for (size_t how = 0; how < 2; how++) {
		for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
			struct scene s;
			struct raw r;
			scene_init(&s, NULL, NULL);
			scene_connect(&s, &r);
			raw_set_deaf(&r, true);
			raw_say(&r, asks[i]);
			bed_run(&s.bed, 10 * NS_MS);
			raw_close(&r, hows[how]);
			bed_run(&s.bed, 100 * NS_MS);
			assert_int_equal(s.app.ends, s.app.requests);
			assert_int_equal(s.app.closes, 1);
			assert_int_equal(server_conn_count(s.app.server), 0);
			assert_int_equal(s.bed.worker.bufs.out, 0);
			raw_fini(&r);
			scene_fini(&s);
		}
	}
}

static void test_hangup_that_is_ignored(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, NULL, NULL);
	s.app.ignore_hangup = true;
	scene_connect(&s, &r);
	raw_say(&r, GET("/later?50"));
	bed_run(&s.bed, 10 * NS_MS);
	raw_close(&r, IO_CLOSE_FIN);
	bed_run(&s.bed, 20 * NS_MS);
	assert_text(&s.app.log, "req GET /later?50\nbody-end\nhangup\n");
	assert_int_equal(s.app.open, 1);
	bed_run(&s.bed, 50 * NS_MS);
	assert_text(&s.app.log, "end ok\nclose\n");
	raw_fini(&r);
	scene_fini(&s);
}

/* --- abort, refusing, stopping, running out --- */

static void test_abort(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, NULL, NULL);
	scene_ask(&s, &r, GET("/half?20000"));
	assert_true(r.in.len > 10000);
	assert_int_equal(r.end, ERR_RESET);
	assert_text(&s.app.log, "req GET /half?20000\nbody-end\nclose\n");
	raw_fini(&r);
	scene_fini(&s);
}

static void test_refused_at_accept(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, NULL, NULL);
	s.app.refuse = true;
	raw_init(&r);
	raw_connect(&r, s.bed.far, &s.at);
	bed_run(&s.bed, 10 * NS_MS);
	assert_in(&r, "no slot\n");
	assert_int_equal(r.end, ERR_EOF);
	assert_int_equal(s.bed.worker.sconns.out, 0);
	assert_text(&s.app.log, "");
	raw_fini(&r);
	scene_fini(&s);
}

/* Nothing listens any more; a head that is on its way, a connection idle for a moment, and, for longer,
 * one on which nothing was asked yet are served, each told that it was the last. */
static void test_drain(void **state)
{
	(void)state;
	struct scene s;
	struct raw fresh, idle, asks, head, busy;
	scene_init(&s, NULL, NULL);
	scene_connect(&s, &fresh);
	scene_ask(&s, &idle, GET("/now"));
	scene_connect(&s, &asks);
	scene_connect(&s, &head);
	raw_say(&head, "GET ");
	scene_connect(&s, &busy);
	raw_say(&busy, GET("/later?50"));
	bed_run(&s.bed, 5 * NS_MS);
	server_drain(s.app.server);
	bed_run(&s.bed, 5 * NS_MS);
	raw_say(&asks, GET("/now"));
	raw_say(&head, "/now HTTP/1.1\r\nHost: h\r\n\r\n");
	bed_run(&s.bed, 100 * NS_MS);
	assert_null(server_addr(s.app.server, 0));
	assert_in(&busy, OK_CLOSE("0", ""));
	assert_int_equal(busy.end, ERR_EOF);
	assert_int_equal(asks.end, ERR_EOF);
	assert_int_equal(head.end, ERR_EOF);
	assert_non_null(strstr(asks.in.ptr, "Connection: close"));
	assert_non_null(strstr(head.in.ptr, "Connection: close"));
	assert_int_equal(idle.end, ERR_AGAIN);
	bed_run(&s.bed, 500 * NS_MS);
	assert_int_equal(idle.end, ERR_EOF);
	assert_int_equal(fresh.end, ERR_AGAIN);
	raw_say(&fresh, GET("/now"));
	bed_run(&s.bed, 10 * NS_MS);
	assert_non_null(strstr(fresh.in.ptr, "Connection: close"));
	raw_fini(&fresh);
	raw_fini(&idle);
	raw_fini(&asks);
	raw_fini(&head);
	raw_fini(&busy);
	bed_run(&s.bed, 10 * NS_MS);
	assert_int_equal(server_conn_count(s.app.server), 0);
	scene_fini(&s);
}

/* Everything at once is freed with a connection in each state. */
static void test_free_with_all_in_flight(void **state)
{
	(void)state;
	static const char *const asks[] = {
		"",
		"GET ",
		GET("/never"),
		GET("/stream?5000000"),
		GET("/fixed?5000000") GET("/now"),
		"POST /sip?1 HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc",
		"BAD\r\n\r\n",
		"GET /now HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
	};
	struct scene s;
	struct raw r[ARRAY_LEN(asks)];
	scene_init(&s, NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
		scene_connect(&s, &r[i]);
		raw_set_deaf(&r[i], true);
		raw_say(&r[i], asks[i]);
	}
	bed_run(&s.bed, 2 * NS_MS);
	assert_int_equal(s.app.open, 4);
	app_fini(&s.app);
	bed_run(&s.bed, 10 * NS_MS);
	for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
		raw_set_deaf(&r[i], false);
		bed_run(&s.bed, NS_MS);
		/* half an answer looks broken */
		assert_int_equal(r[i].end, i == 3 || i == 4 ? ERR_RESET : ERR_EOF);
		raw_fini(&r[i]);
	}
	bed_fini(&s.bed);
}

/* All eight are taken: the ninth waits in the backlog and is served when one goes; a second
 * server on the worker goes on as well, though its own connections are not what went. */
static void test_out_of_connections(void **state)
{
	(void)state;
	struct scene s;
	struct app other;
	struct raw r[8], ninth, second;
	struct addr at;
	scene_init(&s, NULL, NULL);
	app_init(&other, &s.bed.worker, (struct server_cfg){ 0 }, "10.0.0.1:81");
	raw_addr("10.0.0.1:81", &at);
	for (int i = 0; i < 8; i++) {
		scene_connect(&s, &r[i]);
		raw_say(&r[i], GET("/never"));
	}
	raw_init(&second);
	raw_connect(&second, s.bed.far, &at);
	raw_say(&second, GET("/now"));
	scene_ask(&s, &ninth, GET("/now"));
	assert_in(&ninth, "");
	assert_in(&second, "");
	raw_close(&r[0], IO_CLOSE_FIN);
	raw_close(&r[1], IO_CLOSE_FIN);
	bed_run(&s.bed, 10 * NS_MS);
	assert_in(&ninth, OK("3", "now"));
	assert_in(&second, OK("3", "now"));
	for (int i = 0; i < 8; i++)
		raw_fini(&r[i]);
	raw_fini(&ninth);
	raw_fini(&second);
	bed_run(&s.bed, 10 * NS_MS);
	app_fini(&other);
	scene_fini(&s);
}

/* Out of descriptors: nobody is accepted and dropped, and it goes on by itself. */
static void test_out_of_descriptors(void **state)
{
	(void)state;
	struct scene s;
	struct raw a, b;
	struct sim_cfg cfg = { .seed = 1 };
	scene_init(&s, &cfg, NULL);
	scene_ask(&s, &a, GET("/never"));
	cfg.fd_max = 2;
	sim_set(s.bed.sim, &cfg);
	scene_ask(&s, &b, GET("/now"));
	assert_in(&b, "");
	assert_int_equal(b.end, ERR_AGAIN);
	cfg.fd_max = 0;
	sim_set(s.bed.sim, &cfg);
	bed_run(&s.bed, 20 * NS_MS);
	assert_in(&b, OK("3", "now"));
	raw_fini(&a);
	raw_fini(&b);
	scene_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_get),
		TEST(test_methods_and_statuses_without_body),
		TEST(test_heads_that_fill_the_buffer),
		TEST(test_http10),
		TEST(test_expect_continue),
		TEST(test_every_split_point),
		TEST(test_byte_by_byte),
		TEST(test_short_writes),
		TEST(test_pipeline_longer_than_the_buffer),
		TEST(test_body_back_pressure),
		TEST(test_slow_reader),
		TEST(test_reader_that_stopped),
		TEST(test_answered_before_the_body_is_there),
		TEST(test_answered_then_bad_chunk),
		TEST(test_bad_requests),
		TEST(test_heads_too_large),
		TEST(test_bad_chunk),
		TEST(test_slow_heads),
		TEST(test_linger_ends),
		TEST(test_closing_manners),
		TEST(test_client_gone),
		TEST(test_hangup_that_is_ignored),
		TEST(test_abort),
		TEST(test_refused_at_accept),
		TEST(test_drain),
		TEST(test_free_with_all_in_flight),
		TEST(test_out_of_connections),
		TEST(test_out_of_descriptors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

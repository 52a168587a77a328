/* The server side against raw clients: splits, pipelines, bodies, faults, times, ends. */
#include "front.h"

/* --- one request --- */

static void test_get(void **state)
{
	(void)state;
	struct front f;
	struct raw r;
	front_init(&f, NULL, NULL);
	front_ask(&f, &r, GET("/now"));
	assert_in(&r, OK("3", "now"));
	assert_text(&f.app.log, "req GET /now\nend ok\n");
	assert_int_equal(r.end, ERR_AGAIN); /* kept alive */
	bed_run(&f.bed, 6 * NS_S);
	assert_int_equal(r.end, ERR_EOF); /* idle_for */
	assert_text(&f.app.log, "close\n");
	assert_int_equal(server_conn_count(f.app.server), 0);
	raw_fini(&r);
	front_fini(&f);
}

static void test_methods_and_statuses_without_body(void **state)
{
	(void)state;
	struct front f;
	struct raw r;
	front_init(&f, NULL, NULL);
	front_ask(&f, &r, "HEAD /later?1 HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_in(&r, "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 0\r\n\r\n");
	raw_fini(&r);
	front_ask(&f, &r, "HEAD /stream?100000 HTTP/1.1\r\nHost: h\r\n\r\n" GET("/none"));
	assert_in(&r, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		      "HTTP/1.1 204 No Content\r\n\r\n");
	raw_fini(&r);
	front_ask(&f, &r, GET("/interim"));
	assert_in(&r, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" OK("4", "done"));
	raw_fini(&r);
	front_fini(&f);
}

/* Heads up to the size of the buffer, and then the last chunk: whole, or nothing at all. */
static void test_heads_that_fill_the_buffer(void **state)
{
	(void)state;
	struct front f;
	uint32_t fit = 0;
	front_init(&f, NULL, NULL);
	for (unsigned pad = WORKER_BUF_BYTES - 120; pad < WORKER_BUF_BYTES; pad++) {
		struct raw r;
		char ask[80];
		snprintf(
			ask, sizeof(ask), "GET /pad?%u HTTP/1.1\r\nHost: h\r\n\r\n", pad);
		front_ask(&f, &r, ask);
		if (r.in.len) {
			assert_memory_equal(r.in.ptr + r.in.len - 7, "\r\n0\r\n\r\n", 7);
			fit++;
		} else {
			assert_int_equal(r.end, ERR_EOF);
		}
		raw_fini(&r);
	}
	assert_in_range(fit, 10, 110);
	front_fini(&f);
}

static void test_http10(void **state)
{
	(void)state;
	struct front f;
	struct raw r;
	front_init(&f, NULL, NULL);
	front_ask(&f, &r, "GET /now HTTP/1.0\r\n\r\n");
	assert_in(&r, OK_CLOSE("3", "now"));
	assert_int_equal(r.end, ERR_EOF);
	raw_fini(&r);
	front_ask(&f, &r, "GET /now HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	assert_in(&r, "HTTP/1.1 200 OK\r\n" DATE
		      "Connection: keep-alive\r\nContent-Length: 3\r\n\r\nnow");
	assert_int_equal(r.end, ERR_AGAIN);
	raw_fini(&r);
	/* no chunks for it: the close ends the message; and no interim answer */
	front_ask(&f, &r, "GET /stream?5 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	assert_in(&r, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcde");
	assert_int_equal(r.end, ERR_EOF);
	raw_fini(&r);
	front_ask(&f, &r, "GET /interim HTTP/1.0\r\n\r\n");
	assert_in(&r, OK_CLOSE("4", "done"));
	raw_fini(&r);
	front_fini(&f);
}

static void test_expect_continue(void **state)
{
	(void)state;
	struct front f;
	struct raw r;
	front_init(&f, NULL, NULL);
	front_ask(&f, &r,
		"POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
		"Content-Length: 3\r\n\r\n");
	assert_in(&r, "HTTP/1.1 100 Continue\r\n\r\n");
	raw_say(&r, "abc");
	bed_run(&f.bed, 20 * NS_MS);
	assert_in(&r, "HTTP/1.1 100 Continue\r\n\r\n" OK("3", "abc"));
	raw_fini(&r);
	/* answered without waiting for it: the body may come or not, so the connection ends */
	front_ask(&f, &r,
		"POST /now HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
		"Content-Length: 3\r\n\r\n");
	assert_in(&r, OK_CLOSE("3", "now"));
	assert_int_equal(r.end, ERR_EOF);
	raw_fini(&r);
	front_fini(&f);
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

static void check_pipeline(struct front *f, struct raw *r)
{
	bed_run(&f->bed, 5 * NS_MS);
	assert_in(r, pipeline_answers);
	assert_int_equal(r->end, ERR_EOF);
	raw_close(r, IO_CLOSE_FIN);
	bed_run(&f->bed, 3 * NS_S);
	assert_text(&f->app.log, pipeline_log);
	raw_fini(r);
}

static void test_every_split_point(void **state)
{
	(void)state;
	struct front f;
	front_init(&f, NULL, NULL);
	f.app.quiet = true;
	for (size_t cut = 0; cut < sizeof(pipeline); cut++) {
		struct raw r;
		struct slice text = slice_of(pipeline);
		front_connect(&f, &r);
		raw_send(&r, slice_cut(text, 0, cut));
		bed_run(&f.bed, NS_MS);
		raw_send(&r, slice_cut(text, cut, SIZE_MAX));
		check_pipeline(&f, &r);
	}
	front_fini(&f);
}

static void test_byte_by_byte(void **state)
{
	(void)state;
	struct front f;
	struct raw r;
	front_init(&f, NULL, NULL);
	f.app.quiet = true;
	front_connect(&f, &r);
	for (size_t i = 0; i + 1 < sizeof(pipeline); i++) {
		raw_send(&r, (struct slice){ pipeline + i, 1 });
		bed_run(&f.bed, NS_MS);
	}
	check_pipeline(&f, &r);
	front_fini(&f);
}

/* Answers, too, may leave byte by byte. */
static void test_short_writes(void **state)
{
	(void)state;
	for (uint32_t max = 1; max < 40; max++) {
		struct front f;
		struct raw r;
		front_init(&f, &(struct sim_cfg){ .seed = max, .write_max = max }, NULL);
		f.app.quiet = true;
		front_connect(&f, &r);
		raw_say(&r, pipeline);
		bed_run(&f.bed, NS_S);
		check_pipeline(&f, &r);
		front_fini(&f);
	}
}

/* More pipelined than a buffer holds, to a slow app: read on only as it answers. */
static void test_pipeline_longer_than_the_buffer(void **state)
{
	(void)state;
	struct front f;
	struct raw r;
	struct text all;
	front_init(&f, NULL, NULL);
	f.app.quiet = true;
	text_init(&all);
	for (int i = 0; i < 2000; i++)
		text_add(&all, GET("/later?1"));
	front_connect(&f, &r);
	raw_send(&r, text_slice(&all));
	bed_run(&f.bed, 20 * NS_MS);
	assert_true(f.bed.worker.bufs.out <= 3);
	bed_run(&f.bed, 5 * NS_S);
	assert_int_equal(f.app.ends, 2000);
	assert_int_equal(r.in.len, 2000 * strlen(OK("0", "")));
	raw_fini(&r);
	text_fini(&all);
	front_fini(&f);
}

/* --- bodies and back-pressure --- */

/* A client sends 1 MB, the app sips: no more than a buffer is ever read ahead. */
static void sip(bool chunked)
{
	struct front f;
	struct raw r;
	struct text body;
	front_init(&f, NULL, NULL);
	f.app.quiet = true;
	text_init(&body);
	for (uint64_t i = 0; i < 1000000; i++)
		text_add_char(&body, app_pattern(i));
	front_connect(&f, &r);
	if (chunked)
		raw_say(&r, "POST /sip?3000 HTTP/1.1\r\nHost: h\r\n"
			    "Transfer-Encoding: chunked\r\n\r\nf4240\r\n");
	else
		raw_say(&r, "POST /sip?3000 HTTP/1.1\r\nHost: h\r\n"
			    "Content-Length: 1000000\r\n\r\n");
	raw_send(&r, text_slice(&body));
	if (chunked)
		raw_say(&r, "\r\n0\r\n\r\n");
	bed_run(&f.bed, 50 * NS_MS);
	assert_true(f.bed.worker.bufs.out <= 3);
	assert_true(r.out_at < 500000); /* the sender is held back */
	bed_run(&f.bed, 2 * NS_S);
	assert_int_equal(f.app.ends, 1);
	assert_true(r.in.len > body.len);
	assert_memory_equal(r.in.ptr + r.in.len - body.len, body.ptr, body.len);
	raw_fini(&r);
	text_fini(&body);
	front_fini(&f);
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
	struct front f;
	struct raw r;
	front_init(&f, &(struct sim_cfg){ .seed = 1, .write_max = write_max }, NULL);
	front_connect(&f, &r);
	raw_set_deaf(&r, true);
	raw_say(&r, target);
	bed_run(&f.bed, NS_S);
	assert_int_equal(f.app.ends, 0);
	assert_true(f.bed.worker.bufs.out <= 3);
	raw_set_deaf(&r, false);
	bed_run(&f.bed, 20 * NS_S);
	assert_int_equal(f.app.ends, 1);
	assert_int_equal(count_payload(&r, chunked), 5000000);
	raw_fini(&r);
	front_fini(&f);
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
	struct front f;
	struct raw r;
	front_init(&f, NULL, &(struct server_cfg){ .write_for = 3 * NS_S });
	front_connect(&f, &r);
	raw_say(&r, GET("/fixed?5000000"));
	raw_set_deaf(&r, true);
	for (int i = 0; i < 20; i++) {
		bed_run(&f.bed, 2 * NS_S);
		raw_set_deaf(&r, false);
		bed_run(&f.bed, 300 * NS_US);
		raw_set_deaf(&r, true);
	}
	assert_int_equal(f.app.ends, 0);
	bed_run(&f.bed, 4 * NS_S);
	assert_text(
		&f.app.log, "req GET /fixed?5000000\nbody-end\nend slow-client\nclose\n");
	assert_int_equal(f.bed.worker.bufs.out, 0);
	raw_set_deaf(&r, false);
	bed_run(&f.bed, NS_S);
	assert_int_equal(r.end, ERR_RESET); /* half an answer looks broken */
	raw_fini(&r);
	front_fini(&f);
}

static void test_answered_before_the_body_is_there(void **state)
{
	(void)state;
	struct front f;
	struct raw r;
	front_init(&f, NULL, NULL);
	front_connect(&f, &r);
	raw_say(&r, "POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nx");
	bed_run(&f.bed, 10 * NS_MS);
	assert_in(&r, OK_CLOSE("5", "early"));
	assert_int_equal(r.end, ERR_EOF);
	/* what else comes is read and dropped: no RST that could eat the answer */
	for (int i = 0; i < 50; i++) {
		raw_say(&r, "0123456789");
		bed_run(&f.bed, NS_MS);
	}
	struct sim_counts counts;
	sim_count(f.bed.sim, f.bed.near, &counts);
	assert_int_equal(counts.resets_sent, 0);
	raw_close(&r, IO_CLOSE_FIN);
	bed_run(&f.bed, 10 * NS_MS);
	assert_int_equal(server_conn_count(f.app.server), 0);
	raw_fini(&r);
	front_fini(&f);
}

/* A malformed rest of a request that was answered already takes nothing from the answer. */
static void test_answered_then_bad_chunk(void **state)
{
	(void)state;
	struct front f;
	struct raw r;
	front_init(&f, &(struct sim_cfg){ .seed = 1, .write_max = 10 }, NULL);
	front_ask(&f, &r,
		"POST /now HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
		"zz\r\n");
	assert_in(&r, OK_CLOSE("3", "now"));
	assert_text(&f.app.log, "req POST /now\nend ok\n");
	raw_fini(&r);
	front_fini(&f);
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
		{ "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
			"501 Not Implemented" },
		{ "GET / HTTP/2.0\r\nHost: h\r\n\r\n", "505 HTTP Version Not Supported" },
		{ "GET / HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n",
			"417 Expectation Failed" },
	};
	struct front f;
	front_init(&f, NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct raw r;
		char start[200];
		front_ask(&f, &r, bad[i].text);
		int n = snprintf(start, sizeof(start),
			"HTTP/1.1 %s\r\n" DATE "Content-Type: text/plain\r\n",
			bad[i].status);
		assert_true(slice_starts(
			text_slice(&r.in), (struct slice){ start, (size_t)n }));
		assert_non_null(memmem(r.in.ptr, r.in.len, "Connection: close\r\n", 19));
		assert_int_equal(r.end, ERR_EOF);
		raw_fini(&r);
	}
	bed_run(&f.bed, 3 * NS_S);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) /* the app saw no request */
		assert_true(slice_eq(
			slice_cut(text_slice(&f.app.log), 6 * i, 6), SLICE("close\n")));
	assert_int_equal(f.app.requests, 0);
	front_fini(&f);
}

static void test_heads_too_large(void **state)
{
	(void)state;
	struct front f;
	struct raw r;
	struct text t;
	text_init(&t);
	text_add(&t, "GET / HTTP/1.1\r\nHost: h\r\nX: ");
	for (int i = 0; i < 20000; i++)
		text_add_char(&t, 'x');
	front_init(&f, NULL, NULL);
	front_ask(&f, &r, t.ptr);
	assert_true(slice_starts(text_slice(&r.in), SLICE("HTTP/1.1 431 ")));
	raw_fini(&r);
	text_reset(&t);
	text_add(&t, "GET /");
	for (int i = 0; i < 9000; i++)
		text_add_char(&t, 'x');
	text_add(&t, " HTTP/1.1\r\nHost: h\r\n\r\n");
	front_ask(&f, &r, t.ptr);
	assert_true(slice_starts(text_slice(&r.in), SLICE("HTTP/1.1 414 ")));
	raw_fini(&r);
	text_fini(&t);
	front_fini(&f);
}

static void test_bad_chunk(void **state)
{
	(void)state;
	struct front f;
	struct raw r;
	front_init(&f, NULL, NULL);
	front_ask(&f, &r,
		"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
		"3\r\nabcX");
	assert_true(slice_starts(text_slice(&r.in), SLICE("HTTP/1.1 400 ")));
	assert_int_equal(r.end, ERR_EOF);
	assert_text(&f.app.log, "req POST /echo\nbody abc\nend bad-chunk\n");
	raw_fini(&r);
	/* 100 Continue went out before: still told what is wrong */
	front_ask(&f, &r,
		"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
		"Expect: 100-continue\r\n\r\n");
	raw_say(&r, "zz");
	bed_run(&f.bed, 20 * NS_MS);
	assert_true(slice_starts(
		text_slice(&r.in), SLICE("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 ")));
	raw_fini(&r);
	front_fini(&f);
}

/* --- times --- */

static void test_slow_heads(void **state)
{
	(void)state;
	struct front f;
	struct raw r;
	front_init(&f, NULL, NULL);
	front_connect(&f, &r);
	raw_say(&r, GET("/now"));
	bed_run(&f.bed, 1500 * NS_MS);
	text_reset(&r.in);
	for (int i = 0; i < 15; i++) { /* a byte each 100 ms moves no deadline */
		raw_say(&r, "G");
		bed_run(&f.bed, 100 * NS_MS);
	}
	assert_int_equal(r.in.len, 0);
	bed_run(&f.bed, 600 * NS_MS);
	assert_true(slice_starts(text_slice(&r.in), SLICE("HTTP/1.1 408 ")));
	assert_int_equal(r.end, ERR_EOF);
	raw_fini(&r);
	/* one that says nothing at all, or empty lines only, is closed without a word */
	front_ask(&f, &r, GET("/now") "\r\n");
	assert_in(&r, OK("3", "now"));
	bed_run(&f.bed, 2100 * NS_MS);
	assert_in(&r, OK("3", "now"));
	assert_int_equal(r.end, ERR_EOF);
	raw_fini(&r);
	front_connect(&f, &r);
	bed_run(&f.bed, 2100 * NS_MS);
	assert_in(&r, "");
	assert_int_equal(r.end, ERR_EOF);
	raw_fini(&r);
	front_fini(&f);
}

/* One that never closes after its last answer is closed all the same. */
static void test_linger_ends(void **state)
{
	(void)state;
	struct front f;
	struct raw r;
	front_init(&f, NULL, NULL);
	front_ask(&f, &r, "GET /now HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	assert_int_equal(r.end, ERR_EOF);
	assert_int_equal(server_conn_count(f.app.server), 1);
	bed_run(&f.bed, 1900 * NS_MS);
	assert_int_equal(server_conn_count(f.app.server), 1);
	bed_run(&f.bed, 200 * NS_MS);
	assert_int_equal(server_conn_count(f.app.server), 0);
	raw_fini(&r);
	front_fini(&f);
}

static void test_closing_manners(void **state)
{
	(void)state;
	struct front f;
	struct raw r;
	front_init(&f, NULL, &(struct server_cfg){ .max_requests = 2 });
	front_ask(&f, &r, GET("/now") GET("/now") GET("/now"));
	assert_in(&r, OK("3", "now") OK_CLOSE("3", "now"));
	assert_int_equal(r.end, ERR_EOF);
	raw_fini(&r);
	front_fini(&f);
	front_init(&f, NULL,
		&(struct server_cfg){ .close_each = true, .close_after = 50 * NS_MS });
	front_ask(&f, &r, GET("/now"));
	assert_in(&r, OK_CLOSE("3", "now"));
	assert_int_equal(r.end, ERR_AGAIN);
	bed_run(&f.bed, 50 * NS_MS);
	assert_int_equal(r.end, ERR_EOF);
	raw_fini(&r);
	front_fini(&f);
	front_init(&f, NULL,
		&(struct server_cfg){ .close_each = true, .abrupt_close = true });
	front_ask(&f, &r, GET("/now"));
	assert_int_equal(r.end, ERR_EOF);
	assert_int_equal(server_conn_count(f.app.server), 0);
	raw_fini(&r);
	front_fini(&f);
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
			struct front f;
			struct raw r;
			front_init(&f, NULL, NULL);
			front_connect(&f, &r);
			raw_set_deaf(&r, true);
			raw_say(&r, asks[i]);
			bed_run(&f.bed, 10 * NS_MS);
			raw_close(&r, hows[how]);
			bed_run(&f.bed, 100 * NS_MS);
			assert_int_equal(f.app.ends, f.app.requests);
			assert_int_equal(f.app.closes, 1);
			assert_int_equal(server_conn_count(f.app.server), 0);
			assert_int_equal(f.bed.worker.bufs.out, 0);
			raw_fini(&r);
			front_fini(&f);
		}
	}
}

static void test_hangup_that_is_ignored(void **state)
{
	(void)state;
	struct front f;
	struct raw r;
	front_init(&f, NULL, NULL);
	f.app.ignore_hangup = true;
	front_connect(&f, &r);
	raw_say(&r, GET("/later?50"));
	bed_run(&f.bed, 10 * NS_MS);
	raw_close(&r, IO_CLOSE_FIN);
	bed_run(&f.bed, 20 * NS_MS);
	assert_text(&f.app.log, "req GET /later?50\nbody-end\nhangup\n");
	assert_int_equal(f.app.open, 1);
	bed_run(&f.bed, 50 * NS_MS);
	assert_text(&f.app.log, "end ok\nclose\n");
	raw_fini(&r);
	front_fini(&f);
}

/* --- abort, refusing, stopping, running out --- */

static void test_abort(void **state)
{
	(void)state;
	struct front f;
	struct raw r;
	front_init(&f, NULL, NULL);
	front_ask(&f, &r, GET("/half?20000"));
	assert_true(r.in.len > 10000);
	assert_int_equal(r.end, ERR_RESET);
	assert_text(&f.app.log, "req GET /half?20000\nbody-end\nclose\n");
	raw_fini(&r);
	front_fini(&f);
}

/* An answer that was whole is on its way still when the next one is cut off; the reset waits for a
 * client that takes it late, but not for one that takes nothing. */
static void cut_behind(ns_t deaf_for, bool arrives)
{
	struct front f;
	struct raw r;
	front_init(&f, NULL, NULL);
	front_connect(&f, &r);
	raw_set_deaf(&r, true);
	raw_say(&r, GET("/fixed?100000"));
	bed_run(&f.bed, 10 * NS_MS);
	raw_say(&r, GET("/half?100000"));
	bed_run(&f.bed, deaf_for);
	assert_int_equal(server_conn_count(f.app.server), arrives ? 1 : 0);
	raw_set_deaf(&r, false);
	bed_run(&f.bed, NS_S);
	assert_int_equal(r.end, ERR_RESET);
	assert_true((r.in.len > 100000) == arrives);
	assert_int_equal(server_conn_count(f.app.server), 0);
	assert_int_equal(f.bed.worker.heads.out, 0);
	assert_int_equal(f.bed.worker.bufs.out, 0);
	raw_fini(&r);
	front_fini(&f);
}

static void test_abort_waits_for_what_was_sent(void **state)
{
	(void)state;
	cut_behind(1800 * NS_MS, true);
	cut_behind(2200 * NS_MS, false);
}

static void test_refused_at_accept(void **state)
{
	(void)state;
	struct front f;
	struct raw r;
	front_init(&f, NULL, NULL);
	f.app.refuse = true;
	raw_init(&r);
	raw_connect(&r, f.bed.far, &f.at);
	bed_run(&f.bed, 10 * NS_MS);
	assert_in(&r, "no slot\n");
	assert_int_equal(r.end, ERR_EOF);
	assert_int_equal(f.bed.worker.sconns.out, 0);
	assert_text(&f.app.log, "");
	raw_fini(&r);
	front_fini(&f);
}

/* Nothing listens any more; a head that is on its way, a connection idle for a moment, and,
 * for longer, one on which nothing was asked yet are served, each told that it was the last. */
static void test_drain(void **state)
{
	(void)state;
	struct front f;
	struct raw fresh, idle, asks, head, busy;
	front_init(&f, NULL, NULL);
	front_connect(&f, &fresh);
	front_ask(&f, &idle, GET("/now"));
	front_connect(&f, &asks);
	front_connect(&f, &head);
	raw_say(&head, "GET ");
	front_connect(&f, &busy);
	raw_say(&busy, GET("/later?50"));
	bed_run(&f.bed, 5 * NS_MS);
	server_drain(f.app.server);
	bed_run(&f.bed, 5 * NS_MS);
	raw_say(&asks, GET("/now"));
	raw_say(&head, "/now HTTP/1.1\r\nHost: h\r\n\r\n");
	bed_run(&f.bed, 100 * NS_MS);
	assert_null(server_addr(f.app.server, 0));
	assert_in(&busy, OK_CLOSE("0", ""));
	assert_int_equal(busy.end, ERR_EOF);
	assert_int_equal(asks.end, ERR_EOF);
	assert_int_equal(head.end, ERR_EOF);
	assert_non_null(strstr(asks.in.ptr, "Connection: close"));
	assert_non_null(strstr(head.in.ptr, "Connection: close"));
	assert_int_equal(idle.end, ERR_AGAIN);
	bed_run(&f.bed, 500 * NS_MS);
	assert_int_equal(idle.end, ERR_EOF);
	assert_int_equal(fresh.end, ERR_AGAIN);
	raw_say(&fresh, GET("/now"));
	bed_run(&f.bed, 10 * NS_MS);
	assert_non_null(strstr(fresh.in.ptr, "Connection: close"));
	raw_fini(&fresh);
	raw_fini(&idle);
	raw_fini(&asks);
	raw_fini(&head);
	raw_fini(&busy);
	bed_run(&f.bed, 10 * NS_MS);
	assert_int_equal(server_conn_count(f.app.server), 0);
	front_fini(&f);
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
	struct front f;
	struct raw r[ARRAY_LEN(asks)];
	front_init(&f, NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
		front_connect(&f, &r[i]);
		raw_set_deaf(&r[i], true);
		raw_say(&r[i], asks[i]);
	}
	bed_run(&f.bed, 2 * NS_MS);
	assert_int_equal(f.app.open, 4);
	app_fini(&f.app);
	bed_run(&f.bed, 10 * NS_MS);
	for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
		raw_set_deaf(&r[i], false);
		bed_run(&f.bed, NS_MS);
		/* half an answer looks broken */
		assert_int_equal(r[i].end, i == 3 || i == 4 ? ERR_RESET : ERR_EOF);
		raw_fini(&r[i]);
	}
	bed_fini(&f.bed);
}

/* All eight are taken: the ninth waits in the backlog and is served when one goes; a second
 * server on the worker goes on as well, though its own connections are not what went. */
static void test_out_of_connections(void **state)
{
	(void)state;
	struct front f;
	struct app other;
	struct raw r[8], ninth, second;
	struct addr at;
	front_init(&f, NULL, NULL);
	app_init(&other, &f.bed.worker, (struct server_cfg){ 0 }, "10.0.0.1:81");
	raw_addr("10.0.0.1:81", &at);
	for (int i = 0; i < 8; i++) {
		front_connect(&f, &r[i]);
		raw_say(&r[i], GET("/never"));
	}
	raw_init(&second);
	raw_connect(&second, f.bed.far, &at);
	raw_say(&second, GET("/now"));
	front_ask(&f, &ninth, GET("/now"));
	assert_in(&ninth, "");
	assert_in(&second, "");
	raw_close(&r[0], IO_CLOSE_FIN);
	raw_close(&r[1], IO_CLOSE_FIN);
	bed_run(&f.bed, 10 * NS_MS);
	assert_in(&ninth, OK("3", "now"));
	assert_in(&second, OK("3", "now"));
	for (int i = 0; i < 8; i++)
		raw_fini(&r[i]);
	raw_fini(&ninth);
	raw_fini(&second);
	bed_run(&f.bed, 10 * NS_MS);
	app_fini(&other);
	front_fini(&f);
}

/* Out of descriptors: nobody is accepted and dropped, and it goes on by itself. */
static void test_out_of_descriptors(void **state)
{
	(void)state;
	struct front f;
	struct raw a, b;
	struct sim_cfg cfg = { .seed = 1 };
	front_init(&f, &cfg, NULL);
	front_ask(&f, &a, GET("/never"));
	cfg.fd_max = 2;
	sim_set(f.bed.sim, &cfg);
	front_ask(&f, &b, GET("/now"));
	assert_in(&b, "");
	assert_int_equal(b.end, ERR_AGAIN);
	cfg.fd_max = 0;
	sim_set(f.bed.sim, &cfg);
	bed_run(&f.bed, 20 * NS_MS);
	assert_in(&b, OK("3", "now"));
	raw_fini(&a);
	raw_fini(&b);
	front_fini(&f);
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
		TEST(test_abort_waits_for_what_was_sent),
		TEST(test_refused_at_accept),
		TEST(test_drain),
		TEST(test_free_with_all_in_flight),
		TEST(test_out_of_connections),
		TEST(test_out_of_descriptors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

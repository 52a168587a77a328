/* The deadlines of a request through the whole proxy, on a virtual clock. */
#include "tests/unit/proxy/scene.h"

static uint32_t slots_in(const struct scene *s, enum slot_state state)
{
	return upstream_slots(s->proxy.upstream)->in[state].len;
}

/* --- the server is late --- */

static void test_first_byte(void **state)
{
	(void)state;
	struct scene s;
	struct raw r, next;
	scene_init(&s, NULL, OPTIONS("--first-byte-timeout=300ms"));
	scene_client(&s, &r, GET("/stall"));
	scene_run(&s, 299 * NS_MS);
	assert_int_equal(r.in.len, 0);
	scene_run(&s, 4 * NS_MS);
	assert_true(scene_got(&r, "HTTP/1.1 504 "));
	assert_true(scene_got(&r, "Weir-Reason: first-byte-timeout\r\n"));
	/* the call is not broken off: it keeps its slot, and its connection is used again */
	assert_int_equal(slots_in(&s, SLOT_DRAINING), 1);
	scene_say(&s, 0, OK);
	scene_run(&s, NS_MS);
	assert_int_equal(slots_in(&s, SLOT_IDLE), 1);
	scene_client(&s, &next, GET("/ok"));
	scene_run(&s, 5 * NS_MS);
	assert_true(scene_got(&next, "\r\n\r\nok"));
	assert_int_equal(s.server.accepted, 1);
	raw_fini(&r);
	raw_fini(&next);
	scene_fini(&s);
}

/* Its clock starts when the request is there whole, and starts anew with each request. */
static void test_first_byte_from_the_whole_request(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, NULL, OPTIONS("--first-byte-timeout=300ms"));
	scene_client(
		&s, &r, "POST /stall HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n");
	for (int i = 0; i < 10; i++) {
		scene_run(&s, 200 * NS_MS);
		raw_say(&r, "x");
	}
	scene_run(&s, 290 * NS_MS);
	assert_int_equal(r.in.len, 0);
	scene_say(&s, 0, OK);
	scene_run(&s, 5 * NS_MS);
	assert_true(scene_got(&r, " 200 OK"));
	for (int i = 0; i < 10; i++) {
		text_reset(&r.in);
		raw_say(&r, GET("/stall"));
		scene_run(&s, 290 * NS_MS);
		assert_int_equal(r.in.len, 0);
		scene_say(&s, 0, OK);
		scene_run(&s, 5 * NS_MS);
		assert_true(scene_got(&r, " 200 OK"));
	}
	raw_fini(&r);
	scene_fini(&s);
}

static void test_first_byte_is_of_the_final_answer(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, NULL, OPTIONS("--first-byte-timeout=300ms"));
	scene_client(&s, &r, GET("/stall"));
	scene_run(&s, 200 * NS_MS);
	scene_say(&s, 0, "HTTP/1.1 103 Early Hints\r\n\r\n");
	scene_run(&s, 105 * NS_MS);
	assert_true(scene_got(&r, "HTTP/1.1 103 "));
	assert_true(scene_got(&r, "Weir-Reason: first-byte-timeout\r\n"));
	raw_fini(&r);
	scene_fini(&s);
}

/* An error answer was kept back to be asked for again, and as it ends there is no time for that. */
static void test_an_answer_kept_back_has_the_head_it_came_with(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, NULL, OPTIONS("--timeout=300ms", "--retry-on=503"));
	scene_client(&s, &r, GET("/stall"));
	scene_run(&s, 10 * NS_MS);
	scene_say(&s, 0, "HTTP/1.1 503 Busy\r\nX: y\r\nContent-Length: 4\r\n\r\nbu");
	scene_run(&s, 285 * NS_MS);
	assert_int_equal(r.in.len, 0);
	scene_say(&s, 0, "sy");
	scene_run(&s, NS_MS);
	const char *date = strstr(r.in.ptr, "\r\nDate: ");
	assert_true(scene_got(&r, "HTTP/1.1 503 Busy\r\n"));
	assert_true(scene_got(&r, "\r\nX: y\r\n"));
	assert_true(scene_got(&r, "\r\n\r\nbusy"));
	assert_non_null(date);
	assert_null(strstr(date + 1, "\r\nDate: "));
	assert_int_equal(s.server.accepted, 1);
	raw_fini(&r);
	scene_fini(&s);
}

static void deafen(struct raw_server *server, struct raw *r)
{
	(void)server;
	raw_set_deaf(r, true);
}

static void test_idle_answer_is_cut(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, NULL, OPTIONS("--idle-timeout=300ms"));
	scene_client(&s, &r, GET("/stall"));
	scene_run(&s, 2 * NS_S); /* its first byte has no bound here */
	assert_int_equal(r.end, ERR_AGAIN);
	scene_say(&s, 0, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
	scene_run(&s, 299 * NS_MS);
	assert_int_equal(r.end, ERR_AGAIN);
	scene_run(&s, 4 * NS_MS);
	assert_true(scene_got(&r, "half"));
	assert_int_equal(r.end, ERR_RESET);
	assert_int_equal(s.proxy.reasons[ERR_IDLE], 1);
	raw_fini(&r);
	scene_fini(&s);
}

static void test_idle_before_the_head_is_whole(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, NULL, OPTIONS("--idle-timeout=300ms"));
	scene_client(&s, &r, GET("/stall"));
	scene_run(&s, 5 * NS_MS);
	scene_say(&s, 0, "HTTP/1.1 200 OK\r\nConte");
	scene_run(&s, 305 * NS_MS);
	assert_true(scene_got(&r, "HTTP/1.1 504 "));
	assert_true(scene_got(&r, "Weir-Reason: idle-timeout\r\n"));
	raw_fini(&r);
	scene_fini(&s);
}

static void test_trickle_is_not_idle(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(
		&s, NULL, OPTIONS("--idle-timeout=300ms", "--first-byte-timeout=250ms"));
	scene_client(&s, &r, GET("/trickle?20"));
	scene_run(&s, 5 * NS_S);
	assert_true(scene_got(&r, "\r\n\r\nxxxxxxxxxxxxxxxxxxxx"));
	raw_fini(&r);
	scene_fini(&s);
}

/* While the client does not read, it is not the server that stands still. */
static void test_slow_client_is_not_an_idle_answer(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, NULL, OPTIONS("--idle-timeout=300ms", "--client-write-for=10s"));
	scene_client(&s, &r, GET("/big?2000000"));
	raw_set_deaf(&r, true);
	for (int i = 0; i < 4; i++) {
		scene_run(&s, 3 * NS_S);
		raw_set_deaf(&r, false);
		scene_run(&s, 300 * NS_US);
		raw_set_deaf(&r, true);
	}
	assert_true(r.rx_bytes < 2000000);
	raw_set_deaf(&r, false);
	scene_run(&s, 2 * NS_S);
	assert_int_equal(r.end, ERR_AGAIN);
	assert_true(r.rx_bytes > 2000000);
	raw_fini(&r);
	scene_fini(&s);
}

/* A server that takes nothing of a request is idle too. */
static void test_server_that_does_not_read(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	struct text body;
	scene_init(&s, NULL, OPTIONS("--idle-timeout=300ms", "--timeout=none"));
	s.server.on_accept = deafen;
	text_init(&body);
	for (int i = 0; i < 2000000; i++)
		text_add_char(&body, 'x');
	scene_client(&s, &r,
		"POST /ok HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\n");
	raw_send(&r, text_slice(&body));
	scene_run(&s, 290 * NS_MS);
	assert_int_equal(r.in.len, 0);
	scene_run(&s, 20 * NS_MS);
	assert_true(scene_got(&r, "HTTP/1.1 504 "));
	assert_true(scene_got(&r, "Weir-Reason: idle-timeout\r\n"));
	text_fini(&body);
	raw_fini(&r);
	scene_fini(&s);
}

/* --- the client is slow --- */

#define POST "POST /stall HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n"

static void test_body_that_stops(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, NULL, OPTIONS("--client-body-for=2s"));
	scene_client(&s, &r, POST);
	for (int i = 0; i < 5; i++) {
		scene_run(&s, 1900 * NS_MS);
		char kib[1025];
		memset(kib, 'x', 1024);
		kib[1024] = '\0';
		raw_say(&r, kib);
	}
	assert_int_equal(r.in.len, 0);
	scene_run(&s, 1990 * NS_MS);
	assert_int_equal(r.in.len, 0);
	scene_run(&s, 20 * NS_MS);
	assert_true(scene_got(&r, "HTTP/1.1 408 "));
	assert_true(scene_got(&r, "Connection: close\r\n"));
	assert_int_equal(r.end, ERR_EOF);
	/* its server saw it broken off */
	assert_int_equal(raw_server_nth(&s.server, 0)->end, ERR_RESET);
	assert_int_equal(s.proxy.answers[408], 1);
	raw_fini(&r);
	scene_fini(&s);
}

static void test_body_that_drips(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, NULL, OPTIONS("--client-body-for=2s"));
	scene_client(&s, &r, POST);
	for (int i = 0; i < 45; i++) {
		raw_say(&r, "x");
		scene_run(&s, 100 * NS_MS);
	}
	assert_true(scene_got(&r, "HTTP/1.1 408 "));
	assert_int_equal(r.end, ERR_EOF);
	raw_fini(&r);
	scene_fini(&s);
}

/* A body we do not take, or have not asked for, is not late. */
static void test_body_that_waits_for_us(void **state)
{
	(void)state;
	struct scene s;
	struct raw first, waits, expects;
	scene_init(&s, NULL,
		OPTIONS("--client-body-for=2s", "--limit=1", "--queue-for=none",
			"--connections=close"));
	scene_client(&s, &first, GET("/stall"));
	scene_run(&s, NS_MS);
	scene_client(&s, &waits,
		"POST /ok HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nab");
	scene_run(&s, NS_MS);
	scene_client(&s, &expects,
		"POST /ok HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
		"Content-Length: 4\r\n\r\n");
	scene_run(&s, 9 * NS_S);
	assert_int_equal(waits.in.len + expects.in.len, 0);
	raw_fini(&first);
	scene_say(&s, 0, OK);
	raw_close(raw_server_nth(&s.server, 0), IO_CLOSE_FIN);
	scene_run(&s, 1900 * NS_MS); /* now it is awaited */
	assert_int_equal(waits.in.len, 0);
	raw_say(&waits, "cd");
	scene_run(&s, 10 * NS_MS);
	assert_true(scene_got(&waits, " 200 OK"));
	raw_close(raw_server_nth(&s.server, 1), IO_CLOSE_FIN);
	scene_run(&s, 1900 * NS_MS);
	assert_string_equal(expects.in.ptr, "HTTP/1.1 100 Continue\r\n\r\n");
	scene_run(&s, 200 * NS_MS);
	assert_true(scene_got(&expects, "HTTP/1.1 408 "));
	raw_fini(&waits);
	raw_fini(&expects);
	scene_fini(&s);
}

static void test_reader_that_stops(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, NULL,
		OPTIONS("--client-write-for=3s", "--abandon=reset", "--ghost-for=0s"));
	scene_client(&s, &r, GET("/big?2000000"));
	raw_set_deaf(&r, true);
	for (int i = 0; i < 4; i++) {
		scene_run(&s, 2900 * NS_MS);
		raw_set_deaf(&r, false);
		scene_run(&s, 300 * NS_US);
		raw_set_deaf(&r, true);
	}
	assert_int_equal(s.proxy.exchanges_now, 1);
	scene_run(&s, 3100 * NS_MS);
	assert_int_equal(s.proxy.exchanges_now, 0);
	assert_int_equal(s.proxy.reasons[ERR_SLOW_CLIENT], 1);
	assert_int_equal(slots_used(upstream_slots(s.proxy.upstream)), 0);
	raw_set_deaf(&r, false);
	scene_run(&s, NS_S);
	assert_int_equal(r.end, ERR_RESET);
	raw_fini(&r);
	scene_fini(&s);
}

/* By default what is left of the answer is taken and dropped, and the connection stays. */
static void test_reader_that_stops_drained(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, NULL, OPTIONS("--client-write-for=3s"));
	scene_client(&s, &r, GET("/big?2000000"));
	raw_set_deaf(&r, true);
	scene_run(&s, 10 * NS_S);
	assert_int_equal(s.proxy.reasons[ERR_SLOW_CLIENT], 1);
	assert_int_equal(slots_in(&s, SLOT_IDLE), 1);
	assert_int_equal(upstream_stats(s.proxy.upstream)->drained, 1);
	raw_fini(&r);
	scene_fini(&s);
}

/* --- what the caller asks for, and what the server is told --- */

/* How long the answer to a request with these fields took; -1: it is there at once. */
static void expect_deadline(struct scene *s, const char *fields, ns_t at)
{
	struct raw r;
	struct text t;
	text_init(&t);
	text_addf(&t, "GET /stall HTTP/1.1\r\nHost: h\r\n%s\r\n", fields);
	scene_client(s, &r, t.ptr);
	scene_run(s, ns_max(at - NS_MS, 0));
	assert_int_equal(r.in.len, 0);
	scene_run(s, 3 * NS_MS);
	assert_true(scene_got(&r, "HTTP/1.1 504 "));
	assert_true(scene_got(&r, "Weir-Reason: deadline\r\n"));
	raw_fini(&r);
	text_fini(&t);
}

static void test_caller_shortens(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s, NULL, OPTIONS("--timeout=2s"));
	expect_deadline(&s, "", 2 * NS_S);
	expect_deadline(&s, "Weir-Timeout: 800ms\r\n", 800 * NS_MS);
	expect_deadline(&s, "weir-timeout: 1.5s\r\n", 1500 * NS_MS);
	expect_deadline(&s, "Weir-Timeout: 10s\r\n", 2 * NS_S);
	expect_deadline(&s, "Weir-Timeout: none\r\n", 2 * NS_S);
	expect_deadline(&s, "x-envoy-expected-rq-timeout-ms: 700\r\n", 700 * NS_MS);
	expect_deadline(&s, "x-envoy-expected-rq-timeout-ms: 0\r\n", 2 * NS_S);
	expect_deadline(&s, "x-envoy-expected-rq-timeout-ms: 7s\r\n", 2 * NS_S);
	expect_deadline(
		&s, "x-envoy-expected-rq-timeout-ms: 99999999999999999999\r\n", 2 * NS_S);
	expect_deadline(&s,
		"x-envoy-expected-rq-timeout-ms: 700\r\nWeir-Timeout: 900ms\r\n",
		700 * NS_MS);
	expect_deadline(&s, "Weir-Timeout: 1s\r\nWeir-Timeout: 300ms\r\n", 300 * NS_MS);
	scene_fini(&s);
}

/* No time at all is no reason to trouble the server. */
static void test_caller_without_time(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s, NULL, OPTIONS("--timeout=2s"));
	expect_deadline(&s, "Weir-Timeout: 0ms\r\n", 0);
	assert_int_equal(s.server.accepted, 0);
	scene_fini(&s);
}

static void test_caller_talks_nonsense(void **state)
{
	(void)state;
	static const char *const bad[] = { "800", "-1s", "soon", "0x10ms", "1e3ms", "",
		"800ms, 900ms", "999999999999999999999999h" };
	struct scene s;
	scene_init(&s, NULL, OPTIONS("--timeout=2s"));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct raw r;
		struct text t;
		text_init(&t);
		text_addf(&t, "GET /ok HTTP/1.1\r\nHost: h\r\nWeir-Timeout: %s\r\n\r\n",
			bad[i]);
		scene_client(&s, &r, t.ptr);
		scene_run(&s, 10 * NS_MS);
		if (!scene_got(&r, "HTTP/1.1 400 "))
			fail_msg("'%s' was taken: %s", bad[i], r.in.ptr);
		assert_true(scene_got(&r, "Weir-Reason: bad-timeout\r\n"));
		raw_fini(&r);
		text_fini(&t);
	}
	assert_int_equal(s.server.accepted, 0);
	scene_fini(&s);
}

/* Asks with these fields behind a call that holds the one slot for 400 ms. */
static void ask_after_400_ms(struct scene *s, const char *fields, const char *told)
{
	struct raw first, r;
	struct text t;
	text_init(&t);
	text_addf(&t, "GET /ok HTTP/1.1\r\nHost: h\r\n%s\r\n", fields);
	scene_client(s, &first, GET("/stall"));
	scene_run(s, 10 * NS_MS);
	scene_client(s, &r, t.ptr);
	scene_run(s, 400 * NS_MS);
	scene_say(s, 0, OK);
	scene_run(s, 10 * NS_MS);
	assert_true(scene_got(&r, " 200 OK"));
	if (scene_count(s, told) != 1)
		fail_msg("not told %s but %s", told,
			raw_server_nth(&s->server, 0)->in.ptr);
	raw_fini(&first);
	raw_fini(&r);
	text_fini(&t);
}

static void test_server_is_told_what_is_left(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s, NULL, OPTIONS("--timeout=2s", "--limit=1"));
	ask_after_400_ms(&s, "", "\r\nWeir-Timeout: 1600ms\r\n");
	ask_after_400_ms(&s, "Weir-Timeout: 1800ms\r\n", "\r\nWeir-Timeout: 1400ms\r\n");
	assert_int_equal(scene_count(&s, "1800ms"), 0);
	ask_after_400_ms(&s, "X-Envoy-Expected-Rq-Timeout-Ms: 1900\r\n",
		"\r\nWeir-Timeout: 1500ms\r\nx-envoy-expected-rq-timeout-ms: 1500\r\n");
	assert_int_equal(scene_count(&s, "1900"), 0);
	assert_int_equal(scene_count(&s, "envoy"), 1);
	scene_fini(&s);
}

static void test_no_timeout_no_field(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, NULL, OPTIONS("--timeout=none"));
	scene_client(&s, &r, GET("/ok"));
	scene_run(&s, 10 * NS_MS);
	assert_true(scene_got(&r, " 200 OK"));
	assert_int_equal(scene_count(&s, "imeout"), 0);
	raw_fini(&r);
	scene_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_first_byte),
		TEST(test_first_byte_from_the_whole_request),
		TEST(test_first_byte_is_of_the_final_answer),
		TEST(test_an_answer_kept_back_has_the_head_it_came_with),
		TEST(test_idle_answer_is_cut),
		TEST(test_idle_before_the_head_is_whole),
		TEST(test_trickle_is_not_idle),
		TEST(test_slow_client_is_not_an_idle_answer),
		TEST(test_server_that_does_not_read),
		TEST(test_body_that_stops),
		TEST(test_body_that_drips),
		TEST(test_body_that_waits_for_us),
		TEST(test_reader_that_stops),
		TEST(test_reader_that_stops_drained),
		TEST(test_caller_shortens),
		TEST(test_caller_without_time),
		TEST(test_caller_talks_nonsense),
		TEST(test_server_is_told_what_is_left),
		TEST(test_no_timeout_no_field),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

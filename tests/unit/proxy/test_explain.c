/* The ring of finished requests, and what is said about them. */
#include "proxy/explain.h"

#include "tests/unit/proxy/scene.h"

static int setup(void **state)
{
	*state = explain_new();
	return 0;
}

static int teardown(void **state)
{
	struct explain_ring *e = *state;
	explain_free(&e);
	assert_null(e);
	return 0;
}

static struct explain_record *add(struct explain_ring *e, const char *id, uint16_t status)
{
	struct explain_record *r = explain_next(e);
	snprintf(r->id, sizeof(r->id), "%s", id);
	r->status = status;
	return r;
}

static void test_the_latest_of_an_id(void **state)
{
	struct explain_ring *e = *state;
	assert_null(explain_find(e, SLICE("a")));
	add(e, "a", 200);
	add(e, "b", 201);
	add(e, "a", 202);
	snprintf(add(e, "", 203)->weir_id, 8, "1-0-2");
	assert_int_equal(explain_find(e, SLICE("a"))->status, 202);
	assert_int_equal(explain_find(e, SLICE("b"))->status, 201);
	assert_int_equal(explain_find(e, SLICE("1-0-2"))->status, 203);
	assert_null(explain_find(e, SLICE("")));
	assert_null(explain_find(e, SLICE("c")));
}

static void test_the_oldest_makes_room(void **state)
{
	struct explain_ring *e = *state;
	char id[16];
	for (int i = 0; i < EXPLAIN_RECORDS + 1; i++) {
		snprintf(id, sizeof(id), "%d", i);
		add(e, id, 200);
	}
	assert_null(explain_find(e, SLICE("0")));
	assert_non_null(explain_find(e, SLICE("1")));
	assert_non_null(explain_find(e, slice_of(id)));
	/* Its place is clean. */
	assert_int_equal(explain_next(e)->id[0], '\0');
	assert_null(explain_find(e, SLICE("1")));
}

static void test_a_long_id_is_found(void **state)
{
	struct explain_ring *e = *state;
	char id[100];
	memset(id, 'x', sizeof(id));
	struct explain_record *r = explain_next(e);
	memset(r->id, 'x', EXPLAIN_ID_BYTES - 1);
	assert_non_null(explain_find(e, (struct slice){ id, sizeof(id) }));
}

static void test_spans_end_where_the_call_did(void **state)
{
	struct call c = { .queued_at = 10, .granted_at = 30 };
	(void)state;
	struct explain_spans s = explain_spans_of(&c, 100);
	assert_int_equal(s.queue, 20);
	assert_int_equal(s.connect, 70);
	assert_true(s.tls == NS_NEVER); /* nor is it known to have no handshake */
	assert_true(s.first_byte == NS_NEVER && s.body == NS_NEVER);
	c.sent_at = 60;
	assert_int_equal(explain_spans_of(&c, 100).tls, 0);
	c.tls_at = 40;
	c.first_byte_at = 90;
	s = explain_spans_of(&c, 100);
	assert_int_equal(s.connect, 10);
	assert_int_equal(s.tls, 20);
	assert_int_equal(s.first_byte, 30);
	assert_int_equal(s.body, 10);
	c.between = true; /* these are of the attempt before */
	s = explain_spans_of(&c, 100);
	assert_true(s.queue == NS_NEVER && s.connect == NS_NEVER && s.tls == NS_NEVER &&
		    s.first_byte == NS_NEVER && s.body == NS_NEVER);
}

/* Its client leaves between two attempts: the first had waited, and that is told once. */
static void test_who_leaves_between_attempts(void **state)
{
	struct scene s;
	struct raw first, r;
	(void)state;
	scene_init(&s, NULL, OPTIONS("--limit=1", "--retry-on=503"));
	scene_client(&s, &first, GET("/stall"));
	scene_run(&s, 10 * NS_MS);
	scene_client(&s, &r, "GET /stall HTTP/1.1\r\nHost: h\r\nX-Request-Id: a\r\n\r\n");
	scene_run(&s, 100 * NS_MS);
	scene_say(&s, 0, OK);
	scene_run(&s, 5 * NS_MS);
	scene_say(&s, 0, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
	scene_run(&s, NS_MS);
	raw_close(&r, IO_CLOSE_RESET);
	scene_run(&s, NS_S);
	assert_int_equal(scene_count(&s, "Host: "), 2);
	const struct explain_record *e = explain_find(s.proxy.explain, SLICE("a"));
	assert_non_null(e);
	assert_int_equal(e->past, 1);
	assert_in_range(
		e->tries[0].granted_at - e->tries[0].queued_at, 90 * NS_MS, 101 * NS_MS);
	assert_true(e->spans.queue == NS_NEVER && e->spans.first_byte == NS_NEVER);
	const struct call c = { .past = 1,
		.between = true,
		.tries = { e->tries[0] },
		.queued_at = e->tries[0].queued_at,
		.granted_at = e->tries[0].granted_at };
	assert_int_equal(access_queued_for(&s.proxy, &c), c.granted_at - c.queued_at);
	raw_fini(&first);
	raw_fini(&r);
	scene_fini(&s);
}

static void assert_why(const struct explain_record *r, const char *want)
{
	struct text t;
	text_init(&t);
	explain_why(&t, r);
	assert_string_equal(t.ptr, want);
	text_fini(&t);
}

static void test_why(void **state)
{
	struct explain_record r = { .why = ERR_QUEUE_TIMEOUT,
		.ours = true,
		.queue_for = NS_S,
		.limit = 5,
		.used = 5,
		.unit = SLOT_UNIT_CONNECTION };
	(void)state;
	assert_why(&r, "no slot came free in the time allowed for waiting (1 s): 5 of 5 "
		       "connections were in use");
	r.why = ERR_DEADLINE;
	r.timeout = 300 * NS_MS;
	r.has_call = true;
	r.spans = (struct explain_spans){ NS_MS, 2 * NS_MS, 0, 297 * NS_MS, NS_NEVER };
	assert_why(&r,
		"no answer within the deadline of 300 ms; of its time 297 ms passed "
		"waiting for an answer");
	r = (struct explain_record){ .status = 500 };
	assert_why(&r, "the upstream answered 500");
	r = (struct explain_record){
		.ours = true, .why = ERR_LATE, .limit = 12, .used = 12
	};
	r.limit_because = "the server refused a call above it";
	r.limit_for = 3 * NS_S;
	assert_why(&r,
		"a slot would come too late for an answer in time: 12 of a found-out "
		"limit of 12 connections were in use (the server refused a call "
		"above it, for 3 s)");
	r.limit_because = "the server refuses every call";
	r.limit = r.used = 0;
	assert_why(&r,
		"a slot would come too late for an answer in time: the server refuses "
		"every call (for 3 s)");
	r = (struct explain_record){ .ours = true,
		.why = ERR_FUTILE,
		.timeout = 300 * NS_MS,
		.limit = 20,
		.used = 20 };
	assert_why(&r,
		"the server takes so long now that hardly any answer is in time (300 "
		"ms): 20 of 20 connections were in use");
}

static void test_every_reason_can_be_acted_on(void **state)
{
	(void)state;
	for (int i = 0; i < ERR_COUNT; i++) {
		enum err e = (enum err)i;
		if (err_status(e) && err_fault(e) != FAULT_NOBODY)
			assert_string_not_equal(explain_advice(e, EXPLAIN_GIVEN),
				"nothing has to be changed");
		/* nobody can raise what is found out */
		assert_null(strstr(explain_advice(e, EXPLAIN_FOUND_OUT), "raise limit"));
		assert_null(strstr(explain_advice(e, EXPLAIN_SHUT), "raise limit"));
	}
}

static void test_a_server_that_refuses_every_call_is_to_be_looked_at(void **state)
{
	(void)state;
	assert_int_equal(explain_limit(false, 0), EXPLAIN_GIVEN);
	assert_int_equal(explain_limit(true, 1), EXPLAIN_FOUND_OUT);
	assert_int_equal(explain_limit(true, 0), EXPLAIN_SHUT);
	assert_non_null(
		strstr(explain_advice(ERR_LATE, EXPLAIN_SHUT), "look at the server"));
	/* it has nothing to do with that */
	assert_string_equal(explain_advice(ERR_NO_ROUTE, EXPLAIN_SHUT),
		explain_advice(ERR_NO_ROUTE, EXPLAIN_GIVEN));
}

/* An answer of its own that is no error. */
static void test_who_answers_max_forwards(void **state)
{
	struct scene s;
	struct raw r;
	(void)state;
	scene_init(&s, NULL, NULL);
	scene_client(&s, &r,
		"OPTIONS / HTTP/1.1\r\nHost: h\r\nMax-Forwards: 0\r\nX-Request-Id: a\r\n\r\n");
	scene_run(&s, 50 * NS_MS);
	const struct explain_record *e = explain_find(s.proxy.explain, SLICE("a"));
	assert_non_null(e);
	assert_int_equal(e->why, ERR_OK);
	assert_true(e->ours);
	assert_why(
		e, "Max-Forwards is 0: who gets that answers, and passes it to nobody");
	raw_fini(&r);
	scene_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_AROUND(test_the_latest_of_an_id),
		TEST_AROUND(test_the_oldest_makes_room),
		TEST_AROUND(test_a_long_id_is_found),
		TEST_AROUND(test_spans_end_where_the_call_did),
		TEST(test_who_leaves_between_attempts),
		TEST(test_who_answers_max_forwards),
		TEST_AROUND(test_why),
		TEST_AROUND(test_every_reason_can_be_acted_on),
		TEST(test_a_server_that_refuses_every_call_is_to_be_looked_at),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

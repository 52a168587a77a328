/* Routes of several named parts through the whole proxy, on a virtual clock. */
#include "proxy/gather.h"
#include "tests/unit/proxy/scene.h"

#define HEAD "listen: 10.0.0.1:8080\ntimeout: 1s\n"
#define TWO(api, other) \
	"upstreams:\n  api: { url: \"http://10.0.0.2\"" api " }\n" \
	"  other: { url: \"http://10.0.0.2\"" other " }\n"
#define TWO_AT(base) \
	"upstreams:\n  api: { url: \"http://10.0.0.2" base "\" }\n" \
	"  other: { url: \"http://10.0.0.2\" }\n"
#define PLAIN "  - { path: /other/*, upstream: other }\n"
#define ROUTE(parts) "routes:\n" PLAIN "  - path: /p/*\n    gather:\n      parts:\n" parts
#define PART(name, rest) "        " name ": { " rest " }\n"

static const struct upstream *upstream_named(const struct scene *s, const char *name)
{
	LIST_EACH (&s->proxy.targets, n, after) {
		const struct target *t = CONTAINER_OF(n, struct target, node);
		if (strcmp(t->name, name) == 0)
			return t->up;
	}
	fail_msg("no upstream %s", name);
	return NULL;
}

static uint32_t slots_of(const struct scene *s, const char *name, enum slot_state state)
{
	return upstream_slots(upstream_named(s, name))->in[state].len;
}

/* The server says it where it was asked that. */
static void say_to(struct scene *s, const char *asked, const char *text)
{
	struct raw *r;
	for (uint32_t i = 0; (r = raw_server_nth(&s->server, i)); i++)
		if (r->in.ptr && strstr(r->in.ptr, asked)) {
			raw_say(r, text);
			return;
		}
	fail_msg("nobody asked %s", asked);
}

static void ask(struct scene *s, struct raw *r, const char *request, ns_t for_ns)
{
	scene_client(s, r, request);
	scene_run(s, for_ns);
}

/* A proxy by that file is asked, so long ago. */
static void begin(struct scene *s, struct raw *r, const char *file, const char *request,
	ns_t for_ns)
{
	scene_init_file(s, file);
	ask(s, r, request, for_ns);
}

static void end(struct scene *s, struct raw *r)
{
	assert_int_equal(s->proxy.gathered_bytes, 0);
	raw_fini(r);
	scene_fini(s);
}

#define THREE \
	PART("user", "path: \"/ok?{1}\", upstream: api") \
	PART("orders", "path: \"/stall?{1}\", upstream: api, optional: yes") \
	PART("news", "path: \"/stall?news\", upstream: other, default: [1, a]")

static void test_all_there(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	begin(&s, &r, HEAD TWO("", "") ROUTE(THREE), GET("/p/7?x"), 20 * NS_MS);
	say_to(&s, "/stall?7",
		"HTTP/1.1 200 OK\r\nContent-Type: a/b+JSON;c\r\nContent-Length: 8\r\n\r\n[1, 2.0]");
	say_to(&s, "/stall?news", "HTTP/1.1 204 Nothing\r\n\r\n");
	scene_run(&s, 20 * NS_MS);
	assert_true(scene_got(&r, "HTTP/1.1 200 OK\r\n"));
	assert_true(scene_got(&r, "Content-Type: application/json\r\n"));
	assert_true(scene_got(&r,
		"\r\n\r\n{\"parts\":{\"user\":\"ok\",\"orders\":[1, 2.0],\"news\":null},"
		"\"about\":{\"user\":{\"status\":200,\"as\":\"text\"},"
		"\"orders\":{\"status\":200,\"as\":\"json\"},"
		"\"news\":{\"status\":204,\"as\":\"null\"}}}\n"));
	assert_false(scene_got(&r, "Weir-"));
	assert_int_equal(s.proxy.answers[200], 1);
	end(&s, &r);
}

/* Nothing else is known of a coded body; `identity` says it is none. */
static void test_coded(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	begin(&s, &r, HEAD TWO("", "") ROUTE(THREE), GET("/p/7?x"), 20 * NS_MS);
	say_to(&s, "/stall?7",
		"HTTP/1.1 200 OK\r\nContent-Encoding: x\r\nContent-Length: 2\r\n\r\nhi");
	say_to(&s, "/stall?news",
		"HTTP/1.1 200 OK\r\nContent-Encoding: Identity\r\nContent-Length: 2\r\n\r\nhi");
	scene_run(&s, 20 * NS_MS);
	assert_true(scene_got(&r,
		"\r\n\r\n{\"parts\":{\"user\":\"ok\",\"orders\":\"aGk=\",\"news\":\"hi\"},"));
	assert_true(scene_got(&r,
		"\"orders\":{\"status\":200,\"as\":\"base64\",\"coding\":\"x\"},"
		"\"news\":{\"status\":200,\"as\":\"text\"}}}\n"));
	end(&s, &r);
}

static void test_partial_at_the_deadline(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	begin(&s, &r, HEAD TWO("", "") ROUTE(THREE), GET("/p/7"), 990 * NS_MS);
	assert_int_equal(r.in.len, 0);
	scene_run(&s, 30 * NS_MS);
	assert_true(scene_got(&r, "HTTP/1.1 200 OK\r\n"));
	assert_true(scene_got(
		&r, "Weir-Missing: orders, news\r\nCache-Control: no-store\r\n"));
	assert_true(scene_got(&r, "{\"parts\":{\"user\":\"ok\",\"news\":[1,\"a\"]},"));
	assert_true(scene_got(&r,
		"\"orders\":{\"missing\":\"deadline\",\"why\":\"no answer within "
		"the deadline\"},\"news\":{\"missing\":\"deadline\","));
	assert_true(scene_got(&r, "\"as\":\"default\"}}}\n"));
	/* what the servers are at is not broken off */
	assert_int_equal(slots_of(&s, "api", SLOT_DRAINING), 1);
	assert_int_equal(slots_of(&s, "other", SLOT_DRAINING), 1);
	say_to(&s, "/stall?7", OK);
	scene_run(&s, 20 * NS_MS);
	assert_int_equal(slots_of(&s, "api", SLOT_IDLE), 2);
	end(&s, &r);
}

static void test_a_required_part_is_late(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	begin(&s, &r,
		HEAD TWO("", "") ROUTE(PART("a", "path: /ok, upstream: api")
				PART("b", "path: /stall, upstream: other")),
		GET("/p/7"), 1020 * NS_MS);
	assert_true(scene_got(&r, "HTTP/1.1 504 "));
	assert_true(scene_got(&r, "Weir-Missing: b\r\n"));
	assert_true(scene_got(&r, "Weir-Reason: deadline\r\n"));
	assert_true(scene_got(&r, "{\"parts\":{\"a\":\"ok\"}"));
	assert_int_equal(s.proxy.reasons[ERR_DEADLINE], 1);
	assert_int_equal(s.proxy.answers[504], 1);
	end(&s, &r);
}

/* At once; what the others are at drains. */
static void test_a_required_part_fails_the_whole(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	begin(&s, &r,
		HEAD TWO("", "") ROUTE(PART("a", "path: \"/stall?a\", upstream: api")
				PART("b", "path: \"/stall?b\", upstream: other")),
		GET("/p/7"), 20 * NS_MS);
	say_to(&s, "/stall?b", "HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\nnone");
	scene_run(&s, 20 * NS_MS);
	assert_true(scene_got(&r, "HTTP/1.1 502 "));
	assert_true(scene_got(&r, "Weir-Reason: part-status\r\n"));
	assert_true(scene_got(&r, "\"about\":{\"a\":{\"missing\":\"abandoned\","));
	assert_true(scene_got(&r,
		"\"b\":{\"missing\":\"part-status\",\"why\":\"the server answered "
		"with 404\",\"status\":404}}}\n"));
	assert_int_equal(slots_of(&s, "api", SLOT_DRAINING), 1);
	end(&s, &r);
}

/* A whole batch that the queue gives up: the first call of it ends the gather, the second one
 * is told inside the same loop. */
static void test_a_batch_waits_in_vain(void **state)
{
	(void)state;
	struct scene s;
	struct raw r, busy;
	begin(&s, &busy,
		HEAD TWO("", ", limit: 2, queue-for: 100ms") ROUTE(
			PART("a", "path: /ok, upstream: api")
				PART("b", "path: \"/ok?b\", upstream: other")
					PART("c", "path: \"/ok?c\", upstream: other")),
		GET("/other/stall"), 10 * NS_MS);
	ask(&s, &r, GET("/p/7"), 50 * NS_MS);
	/* one slot is free: none of the two takes it */
	assert_int_equal(scene_count(&s, "/ok?"), 0);
	assert_int_equal(scene_count(&s, "GET /ok "), 1);
	scene_run(&s, 100 * NS_MS);
	assert_true(scene_got(&r, "HTTP/1.1 503 "));
	assert_true(scene_got(&r, "Weir-Reason: queue-timeout\r\n"));
	assert_true(scene_got(&r, "{\"parts\":{\"a\":\"ok\"}"));
	assert_int_equal(scene_count(&s, "/ok?"), 0);
	raw_fini(&busy);
	end(&s, &r);
}

#define ASKS_AS_R "GET /p/7 HTTP/1.1\r\nHost: h\r\nX-Request-Id: r\r\n\r\n"

/* What explain tells of it. */
static const struct explain_record *explained(const struct scene *s)
{
	const struct explain_record *r = explain_find(s->proxy.explain, SLICE("r"));
	assert_non_null(r);
	return r;
}

#define FULL(limit, b) \
	HEAD TWO("", ", limit: " limit ", queue: 0") \
		ROUTE(PART("a", "path: \"/ok?a\", upstream: api") \
				PART("b", "path: \"/ok?b\", upstream: other" b))

/* What one upstream refuses at the door, nobody is sent. */
static void test_refused_at_the_door(void **state)
{
	(void)state;
	struct scene s;
	struct raw r, busy;
	begin(&s, &busy, FULL("1", ""), GET("/other/stall"), 10 * NS_MS);
	ask(&s, &r, ASKS_AS_R, 50 * NS_MS);
	assert_true(scene_got(&r, "HTTP/1.1 503 "));
	assert_true(scene_got(&r, "Weir-Reason: queue-full\r\n"));
	assert_true(scene_got(&r, "Retry-After: 1\r\n"));
	/* explained by who refused, and his limit */
	assert_string_equal(explained(&s)->part, "b");
	assert_string_equal(explained(&s)->upstream, "other");
	assert_int_equal(explained(&s)->limit, 1);
	assert_int_equal(scene_count(&s, "/ok?"), 0);
	raw_fini(&busy);
	end(&s, &r);
}

/* Of several of one upstream it is one that must not be missing. */
static void test_the_required_part_refused_at_the_door(void **state)
{
	(void)state;
	struct scene s;
	struct raw r, busy;
	begin(&s, &busy,
		FULL("2", ", optional: true")
			PART("c", "path: \"/ok?c\", upstream: other"),
		GET("/other/stall"), 10 * NS_MS);
	ask(&s, &r, ASKS_AS_R, 50 * NS_MS);
	assert_true(scene_got(&r, "Weir-Reason: queue-full\r\n"));
	assert_string_equal(explained(&s)->part, "c");
	raw_fini(&busy);
	end(&s, &r);
}

static void test_an_optional_part_refused_at_the_door(void **state)
{
	(void)state;
	struct scene s;
	struct raw r, busy;
	begin(&s, &busy, FULL("1", ", optional: true"), GET("/other/stall"), 10 * NS_MS);
	ask(&s, &r, ASKS_AS_R, 50 * NS_MS);
	assert_true(scene_got(&r, "HTTP/1.1 200 "));
	assert_true(scene_got(&r, "{\"parts\":{\"a\":\"ok\"}"));
	assert_true(scene_got(&r, "\"b\":{\"missing\":\"queue-full\","));
	/* the other one was the last that all waited for */
	assert_string_equal(explained(&s)->upstream, "api");
	assert_string_equal(explained(&s)->part, "a");
	raw_fini(&busy);
	end(&s, &r);
}

/* Spans, name, limit and pause that explain tells of are one part's, and its upstream's. */
static void test_one_part_is_told_of(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	begin(&s, &r,
		HEAD TWO(", limit: 7", ", limit: 3, pause-scope: caller")
			ROUTE(PART("a", "path: /ok, upstream: api")
					PART("b", "path: /stall, upstream: other")),
		ASKS_AS_R, 50 * NS_MS);
	say_to(&s, "/stall", OK);
	scene_run(&s, 20 * NS_MS);
	assert_true(scene_got(&r, "HTTP/1.1 200 "));
	assert_string_equal(explained(&s)->part, "b");
	assert_string_equal(explained(&s)->upstream, "other");
	assert_int_equal(explained(&s)->limit, 3);
	assert_true(explained(&s)->spans.first_byte >= 40 * NS_MS);
	raw_say(&r, ASKS_AS_R);
	scene_run(&s, 20 * NS_MS);
	say_to(&s, "/stall",
		"HTTP/1.1 429 Slow\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n");
	scene_run(&s, 20 * NS_MS);
	assert_int_equal(explained(&s)->why, ERR_PART_STATUS);
	assert_string_equal(explained(&s)->upstream, "other");
	assert_true(explained(&s)->paused_for > 20 * NS_S);
	end(&s, &r);
}

static void test_a_client_that_goes(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	begin(&s, &r, HEAD TWO("", "") ROUTE(THREE), GET("/p/7"), 20 * NS_MS);
	raw_close(&r, IO_CLOSE_RESET);
	scene_run(&s, 20 * NS_MS);
	assert_int_equal(s.proxy.exchanges_now, 0);
	assert_int_equal(s.proxy.reasons[ERR_CLIENT_GONE], 1);
	assert_int_equal(slots_of(&s, "api", SLOT_DRAINING), 1);
	assert_int_equal(slots_of(&s, "other", SLOT_DRAINING), 1);
	end(&s, &r);
}

#define BIG(name) PART(name, "path: \"/big?{query.n}\", upstream: api, optional: yes")

static void test_too_much(void **state)
{
	(void)state;
	struct scene s;
	struct raw one, all;
	begin(&s, &one,
		HEAD TWO("", "") ROUTE(BIG("a") BIG("b") BIG("c") BIG("d") BIG("e")),
		GET("/p/x?n=1048577"), 900 * NS_MS);
	assert_true(scene_got(&one, "HTTP/1.1 200 OK\r\n"));
	assert_true(scene_got(&one, "Weir-Missing: a, b, c, d, e\r\n"));
	assert_true(scene_got(&one, "\"a\":{\"missing\":\"part-too-large\","));
	/* each may be, all together may not */
	ask(&s, &all, GET("/p/x?n=1048576"), 900 * NS_MS);
	assert_true(scene_got(&all, "HTTP/1.1 200 OK\r\n"));
	assert_true(scene_got(&all, "\"missing\":\"part-too-large\","));
	assert_true(scene_got(&all, "{\"status\":200,\"as\":\"text\"}"));
	raw_fini(&one);
	end(&s, &all);
}

static void test_too_much_for_all_requests(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init_file(
		&s, HEAD TWO("", "") ROUTE(PART("a", "path: /ok, upstream: api")));
	s.proxy.gathered_bytes = GATHER_ALL_BYTES - 1; /* by others */
	ask(&s, &r, GET("/p/7"), 50 * NS_MS);
	assert_true(scene_got(&r, "HTTP/1.1 503 "));
	assert_true(scene_got(&r, "Weir-Reason: gather-full\r\n"));
	assert_int_equal(s.proxy.gathered_bytes, GATHER_ALL_BYTES - 1);
	s.proxy.gathered_bytes = 0;
	end(&s, &r);
}

/* What a part asks is its own: the line, and which of the caller's fields and body go with it. */
static void test_what_is_sent(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	begin(&s, &r,
		HEAD TWO_AT("/v2")
			ROUTE(PART("a", "path: \"/{1}?x={query.y}\", upstream: api") PART(
				"b", "method: POST, path: /ok, upstream: other")),
		"PUT /p/%41?y=%26 HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n"
		"Content-Type: text/x\r\nAccept-Encoding: gzip\r\nRange: bytes=0-1\r\n"
		"If-None-Match: \"e\"\r\nAuthorization: Basic x\r\n\r\nbody",
		50 * NS_MS);
	assert_int_equal(scene_count(&s, "GET /v2/A?x=%26 HTTP/1.1\r\n"), 1);
	assert_int_equal(scene_count(&s, "POST /ok HTTP/1.1\r\n"), 1);
	assert_int_equal(scene_count(&s, "Content-Length: "), 1);
	assert_int_equal(scene_count(&s, "Content-Type: text/x\r\n"), 1);
	assert_int_equal(scene_count(&s, "\r\n\r\nbody"), 1);
	assert_int_equal(scene_count(&s, "Authorization: Basic x\r\n"), 2);
	assert_int_equal(scene_count(&s, "gzip"), 0);
	assert_int_equal(scene_count(&s, "Range"), 0);
	assert_int_equal(scene_count(&s, "If-None-Match"), 0);
	scene_run(&s, NS_S); /* the other one is not answered */
	end(&s, &r);
}

static void test_a_path_that_does_not_fill(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	begin(&s, &r, HEAD TWO("", "") ROUTE(THREE), GET("/p/%2e%2e"), 1020 * NS_MS);
	assert_true(scene_got(&r, "HTTP/1.1 200 ")); /* ".." in a query is two dots */
	raw_fini(&r);
	ask(&s, &r, GET("/p/"), 20 * NS_MS);
	assert_true(scene_got(&r, "HTTP/1.1 400 "));
	assert_true(scene_got(&r, "Weir-Reason: bad-pieces\r\n"));
	assert_true(scene_got(&r, "too few segments"));
	assert_int_equal(s.server.accepted, 3);
	end(&s, &r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_there),
		TEST(test_coded),
		TEST(test_partial_at_the_deadline),
		TEST(test_a_required_part_is_late),
		TEST(test_a_required_part_fails_the_whole),
		TEST(test_a_batch_waits_in_vain),
		TEST(test_refused_at_the_door),
		TEST(test_the_required_part_refused_at_the_door),
		TEST(test_an_optional_part_refused_at_the_door),
		TEST(test_one_part_is_told_of),
		TEST(test_a_client_that_goes),
		TEST(test_too_much),
		TEST(test_too_much_for_all_requests),
		TEST(test_what_is_sent),
		TEST(test_a_path_that_does_not_fill),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

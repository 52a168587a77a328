/* The client side against raw servers: answers, refusals, races, connects. */
#include "flow/refusal.h"
#include "scene.h"

/* --- answers --- */

static void test_get_and_reuse(void **state)
{
	(void)state;
	struct scene s;
	scene_init(&s, NULL, NULL);
	for (int i = 0; i < 3; i++) {
		struct job j;
		job_init(&j, s.up, "GET", "/x");
		assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
		assert_int_equal(scene_used(&s), 1);
		bed_run(&s.bed, 10 * NS_MS);
		assert_text(&j.log, "ready head:200 data:5 end:ok");
		assert_text(&j.in, "hello");
		assert_int_equal(scene_in(&s, SLOT_IDLE), 1);
		job_fini(&j);
	}
	assert_int_equal(s.server.accepted, 1);
	assert_true(raw_got(raw_server_nth(&s.server, 0),
		"GET /x HTTP/1.1\r\nHost: 10.0.0.2:80\r\n\r\n"
		"GET /x HTTP/1.1\r\nHost: 10.0.0.2:80\r\n\r\n"
		"GET /x HTTP/1.1\r\nHost: 10.0.0.2:80\r\n\r\n"));
	assert_int_equal(upstream_stats(s.up)->reused, 2);
	bed_run(&s.bed, 31 * NS_S); /* idle_for: leaves no TIME_WAIT anywhere */
	struct sim_counts counts;
	sim_count(s.bed.sim, s.bed.near, &counts);
	assert_int_equal(counts.time_wait, 0);
	assert_int_equal(counts.established, 0);
	assert_int_equal(scene_used(&s), 0);
	scene_fini(&s);
}

struct answer_row {
	const char *method, *answer;
	bool closes; /* FIN behind it */
	const char *log, *in;
	uint32_t idle; /* connections pooled afterwards */
};

static const struct answer_row answer_rows[] = {
	{ "GET", ANSWER, false, "ready head:200 data:5 end:ok", "hello", 1 },
	{ "GET", ANSWER, true, "ready head:200 data:5 end:ok", "hello", 0 },
	{ "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false,
		"ready head:200 end:ok", "", 1 },
	{ "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false,
		"ready head:304 end:ok", "", 1 },
	{ "GET", "HTTP/1.1 204 No Content\r\n\r\n", false, "ready head:204 end:ok", "",
		1 },
	{ "GET",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
		"\r\n",
		false, "ready head:200 data:3 end:ok", "abc", 1 },
	{ "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nab",
		false, "ready head:200 data:2 end:ok", "ab", 0 },
	{ "GET", "HTTP/1.0 200 OK\r\n\r\nuntil the end", true,
		"ready head:200 data:13 end:ok", "until the end", 0 },
	{ "GET",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" ANSWER,
		false, "ready head:100 head:103 head:200 data:5 end:ok", "hello", 1 },
	/* one byte too many: nobody asked for it, the connection is not used again */
	{ "GET", ANSWER "!", false, "ready head:200 data:5 end:ok", "hello", 0 },
	{ "GET", ANSWER ANSWER, false, "ready head:200 data:5 end:ok", "hello", 0 },
	/* broken ones */
	{ "GET", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", true,
		"ready head:200 data:5 end:truncated", "hello", 0 },
	{ "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
		true, "ready head:200 data:3 end:truncated", "abc", 0 },
	{ "GET", "HTTP/1.1 200 OK\r\nContent-Le", true, "ready end:truncated", "", 0 },
	{ "GET", "", true, "ready end:eof", "", 0 },
	{ "GET", "SSH-2.0-OpenSSH_9.2\r\n", false, "ready end:bad-response", "", 0 },
	{ "GET", "HTTP/1.1 99 Low\r\n\r\n", false, "ready end:bad-response", "", 0 },
	{ "GET", "HTTP/1.1 600 High\r\n\r\n", false, "ready end:bad-response", "", 0 },
	{ "GET",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		false, "ready end:bad-response-framing", "", 0 },
	{ "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", false,
		"ready head:200 end:bad-response-chunk", "", 0 },
};

static void check_answer(const struct answer_row *row, size_t cut)
{
	struct scene s;
	struct job j;
	struct slice text = slice_of(row->answer);
	scene_init(&s, NULL, NULL);
	s.answer = NULL;
	job_init(&j, s.up, row->method, "/");
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 2 * NS_MS);
	struct raw *r = raw_server_nth(&s.server, 0);
	raw_send(r, slice_cut(text, 0, cut));
	bed_run(&s.bed, NS_MS);
	raw_send(r, slice_cut(text, cut, SIZE_MAX));
	if (row->closes)
		raw_close_after(r, IO_CLOSE_FIN);
	bed_run(&s.bed, NS_MS);
	/* where the cut falls into payload, there are two pieces of it */
	assert_text(&j.in, row->in);
	assert_int_equal(j.ends, 1);
	const char *end = strrchr(row->log, ' ');
	assert_true(j.log.len >= strlen(end));
	assert_string_equal(j.log.ptr + j.log.len - strlen(end), end);
	if (cut == 0)
		assert_string_equal(j.log.ptr, row->log);
	assert_int_equal(scene_in(&s, SLOT_IDLE), row->idle);
	assert_int_equal(scene_in(&s, SLOT_BUSY), strstr(row->answer, "close") ? 1 : 0);
	job_fini(&j);
	scene_fini(&s);
}

static void test_answers_at_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answer_rows); i++)
		for (size_t cut = 0; cut <= strlen(answer_rows[i].answer); cut++) {
			/* cut there, the connection may be pooled before the rest comes */
			if (answer_rows[i].idle == 0 && cut >= strlen(ANSWER) &&
				slice_starts(
					slice_of(answer_rows[i].answer), SLICE(ANSWER)))
				continue;
			check_answer(&answer_rows[i], cut);
		}
}

static void test_endless_head(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	struct text t;
	scene_init(&s, NULL, NULL);
	text_init(&t);
	text_add(&t, "HTTP/1.1 200 OK\r\nX: ");
	for (int i = 0; i < 40000; i++)
		text_add_char(&t, 'x');
	s.answer = t.ptr;
	job_init(&j, s.up, "GET", "/");
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 10 * NS_MS);
	assert_text(&j.log, "ready end:response-head-too-large");
	job_fini(&j);
	text_fini(&t);
	scene_fini(&s);
}

/* --- bodies, back-pressure --- */

static void test_upload(void **state)
{
	(void)state;
	for (int chunked = 0; chunked < 2; chunked++) {
		struct scene s;
		struct job j;
		scene_init(&s,
			&(struct sim_cfg){ .seed = 1, .write_max = chunked ? 1461 : 0 },
			NULL);
		s.answer = NULL;
		job_init(&j, s.up, "PUT", "/");
		fill(&j.body, 1000000);
		j.chunked = chunked;
		assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
		bed_run(&s.bed, 400 * NS_US);
		struct raw *r = raw_server_nth(&s.server, 0);
		raw_set_deaf(r, true);
		bed_run(&s.bed, NS_S);
		assert_true(j.sent < 500000); /* held back */
		assert_true(s.bed.worker.bufs.out <= 2);
		raw_set_deaf(r, false);
		bed_run(&s.bed, 10 * NS_S);
		raw_say(r, ANSWER);
		bed_run(&s.bed, NS_MS);
		assert_int_equal(j.why, ERR_OK);
		assert_int_equal(scene_in(&s, SLOT_IDLE), 1);
		if (!chunked)
			assert_memory_equal(r->in.ptr + r->in.len - j.body.len,
				j.body.ptr, j.body.len);
		else
			assert_memory_equal(
				r->in.ptr + r->in.len - 7, "\r\n0\r\n\r\n", 7);
		job_fini(&j);
		scene_fini(&s);
	}
}

/* Heads up to the size of the buffer, and then the last chunk: fits, or is refused. */
static void test_heads_that_fill_the_buffer(void **state)
{
	(void)state;
	struct scene s;
	uint32_t fit = 0;
	scene_init(&s, NULL, NULL);
	for (size_t pad = WORKER_BUF_BYTES - 120; pad < WORKER_BUF_BYTES; pad++) {
		struct job j;
		job_init(&j, s.up, "PUT", "/");
		j.chunked = true;
		fill(&j.pad, pad);
		assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
		bed_run(&s.bed, 10 * NS_MS);
		assert_true(j.abandoned || j.why == ERR_OK);
		fit += j.why == ERR_OK;
		job_fini(&j);
		bed_run(&s.bed, 30 * NS_MS);
	}
	assert_in_range(fit, 10, 110);
	/* The server answers the last chunk, too, which costs a connection; what did not fit costs
	 * none: nothing of it was written. */
	assert_int_equal(s.server.accepted, fit + 1);
	LIST_EACH (&s.server.conns, n, after) {
		struct raw *r = CONTAINER_OF(n, struct raw, node);
		if (r->in.len) /* whole or nothing */
			assert_memory_equal(
				r->in.ptr + r->in.len - 7, "\r\n0\r\n\r\n", 7);
	}
	scene_fini(&s);
}

static void test_reader_that_sips(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	struct text t;
	scene_init(&s, NULL, NULL);
	text_init(&t);
	text_add(&t, "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n");
	size_t head = t.len;
	fill(&t, 300000);
	s.answer = t.ptr;
	job_init(&j, s.up, "GET", "/");
	j.sip = 701;
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	for (int i = 0; i < 1000 && !j.ends; i++) {
		bed_run(&s.bed, 300 * NS_US);
		if (!j.ends)
			call_resume(&j.call);
		assert_true(s.bed.worker.bufs.out <= 2);
	}
	assert_int_equal(j.why, ERR_OK);
	assert_int_equal(j.in.len, 300000);
	assert_memory_equal(j.in.ptr, t.ptr + head, 300000);
	assert_int_equal(scene_in(&s, SLOT_IDLE), 1);
	job_fini(&j);
	text_fini(&t);
	scene_fini(&s);
}

/* A call whose long request is not whole yet; the server's end of its connection. */
static struct raw *send_part(struct scene *s, struct job *j)
{
	scene_init(s, NULL, NULL);
	s->answer = NULL;
	job_init(j, s->up, "POST", "/");
	fill(&j->body, 1000000);
	assert_int_equal(job_submit(j, NS_NEVER), ERR_OK);
	bed_run(&s->bed, 400 * NS_US);
	return raw_server_nth(&s->server, 0);
}

/* The answer comes whole while the request is still being sent: it is taken, the rest of the
 * request is not sent, and the connection is not used again. */
static void test_early_answer(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	struct raw *r = send_part(&s, &j);
	raw_set_deaf(r, true);
	raw_say(r, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
	bed_run(&s.bed, 10 * NS_MS);
	assert_int_equal(j.why, ERR_OK);
	assert_text(&j.in, "big");
	assert_int_equal(scene_in(&s, SLOT_IDLE), 0);
	bed_run(&s.bed, 100 * NS_MS);
	assert_int_equal(scene_used(&s), 0);
	assert_int_equal(upstream_stats(s.up)->sockets, 0);
	job_fini(&j);
	scene_fini(&s);
}

/* The answer begins while the request is still being sent, and ends when that is whole: the server
 * may have left unread what came behind its answer's begin. */
static void test_answer_that_begins_early(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	struct raw *r = send_part(&s, &j);
	raw_say(r, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nso");
	bed_run(&s.bed, 50 * NS_MS);
	assert_int_equal(j.sent, j.body.len);
	assert_int_equal(j.why, ERR_AGAIN);
	raw_say(r, "on");
	bed_run(&s.bed, 10 * NS_MS);
	assert_int_equal(j.why, ERR_OK);
	assert_text(&j.in, "soon");
	assert_int_equal(scene_in(&s, SLOT_IDLE), 0);
	assert_int_equal(upstream_stats(s.up)->sockets, 0);
	job_fini(&j);
	scene_fini(&s);
}

static void answer_at_once(struct raw_server *server, struct raw *r)
{
	if (server->accepted == 1)
		raw_say(r, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

/* How many connections two calls take, of which the first has a small body. NULL: it is answered
 * while that is on its way. */
static uint64_t connections_for(const char *answer, bool chunked)
{
	struct scene s;
	struct job a, b;
	/* a connection is there before what comes on it */
	scene_init(&s, &(struct sim_cfg){ .seed = 1, .jitter = NS_MS }, NULL);
	s.answer = NULL;
	job_init(&a, s.up, "POST", "/");
	job_init(&b, s.up, "GET", "/");
	a.chunked = chunked;
	fill(&a.body, 30000);
	if (!answer)
		s.server.on_accept = answer_at_once;
	assert_int_equal(job_submit(&a, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 10 * NS_MS);
	if (answer)
		raw_say(raw_server_nth(&s.server, 0), answer);
	bed_run(&s.bed, 10 * NS_MS);
	assert_int_equal(a.why, ERR_OK);
	s.answer = ANSWER;
	assert_int_equal(job_submit(&b, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 50 * NS_MS);
	assert_int_equal(b.why, ERR_OK);
	const uint64_t accepted = s.server.accepted;
	job_fini(&a);
	job_fini(&b);
	scene_fini(&s);
	return accepted;
}

/* A body that may be unread in the server is the end of its connection: what is in it would be
 * taken for a request. */
static void test_bodies_that_may_be_unread(void **state)
{
	(void)state;
	const char *answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	const char *old =
		"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n";
	assert_int_equal(connections_for(answer, false), 1);
	assert_int_equal(connections_for(answer, true), 1);
	assert_int_equal(connections_for(old, false), 1);
	/* of HTTP/1.0, where nobody knows chunks */
	assert_int_equal(connections_for(old, true), 2);
	/* all of it is written, and the server's TCP has not had it yet */
	assert_int_equal(connections_for(NULL, false), 2);
}

/* --- refusals --- */

/* fasthttp: two writes and a close at accept, the request unread. However the RST falls, its
 * words must reach the caller. */
static void refusals(const char *method, size_t body, uint32_t rounds, uint64_t seed)
{
	struct rng rng;
	uint32_t got = 0;
	rng_init(&rng, seed);
	for (uint32_t i = 0; i < rounds; i++) {
		struct scene s;
		struct job j;
		struct sim_cfg cfg = { .seed = seed + i,
			.latency = 20 * NS_US + (ns_t)rng_below(&rng, 400000),
			.jitter = (ns_t)rng_below(&rng, 500000),
			.write_max = rng_below(&rng, 3)
					     ? 0
					     : 1 + (uint32_t)rng_below(&rng, 30000) };
		scene_init(&s, &cfg, NULL);
		s.refuses = true;
		job_init(&j, s.up, method, "/");
		fill(&j.body, body);
		assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
		bed_run(&s.bed, 100 * NS_MS);
		assert_int_equal(j.ends, 1);
		got += j.why == ERR_OK && j.heads == 1 &&
		       refusal_match(503, text_slice(&j.in)) != NULL;
		assert_int_equal(scene_used(&s), 0);
		job_fini(&j);
		scene_fini(&s);
	}
	if (got < rounds)
		print_message("captured %u of %u\n", got, rounds);
	assert_true(got * 1000ull >= rounds * 999ull);
}

static void test_refusals_are_heard(void **state)
{
	(void)state;
	uint64_t seed = test_seed(1);
	refusals("GET", 0, 3000, seed);
	refusals("POST", 300000, 1500, seed + 100000);
	refusals("POST", 1000, 1500, seed + 200000);
}

/* --- connections that die between two calls --- */

/* The server closes 0 to 3 ms after each answer, while the next call may be on its way. */
static void closing_server(const char *method, enum io_close how)
{
	struct scene s;
	uint64_t seed = test_seed(1), ok = 0, failed = 0, rounds = 3000;
	struct sim_cfg cfg = { .seed = seed, .latency = 300 * NS_US };
	scene_init(&s, &cfg, NULL);
	rng_init(&s.rng, seed);
	s.close_in = 0;
	s.close_jitter = 3 * NS_MS;
	s.how = how;
	for (uint64_t i = 0; i < rounds; i++) {
		struct job j;
		char path[32];
		snprintf(path, sizeof(path), "/%llu.", (unsigned long long)i);
		job_init(&j, s.up, method, path);
		assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
		bed_run(&s.bed, 2 * NS_MS + (ns_t)rng_below(&s.rng, 3000000));
		while (!j.ends)
			bed_run(&s.bed, NS_MS);
		assert_true(j.why == ERR_OK || j.why == ERR_EOF || j.why == ERR_RESET ||
			    j.why == ERR_PIPE);
		ok += j.why == ERR_OK;
		failed += j.why != ERR_OK;
		job_fini(&j);
	}
	const struct upstream_stats *stats = upstream_stats(s.up);
	print_message("%s: %llu ok, %llu failed, %llu reused, %llu replayed\n", method,
		(unsigned long long)ok, (unsigned long long)failed,
		(unsigned long long)stats->reused, (unsigned long long)stats->replayed);
	assert_true(stats->reused > rounds / 10);
	if (strcmp(method, "GET") == 0) {
		assert_int_equal(failed, 0);
		assert_true(stats->replayed > 0);
	}
	/* Nothing arrived twice: a POST was sent once at most, a GET's first copy was lost. */
	uint64_t seen = s.requests;
	if (strcmp(method, "POST") == 0)
		assert_true(seen <= rounds && seen >= ok);
	scene_fini(&s);
}

static void test_server_that_closes_after_each_answer(void **state)
{
	(void)state;
	closing_server("GET", IO_CLOSE_FIN);
	closing_server("GET", IO_CLOSE_RESET);
	closing_server("POST", IO_CLOSE_FIN);
	closing_server("POST", IO_CLOSE_RESET);
}

/* A POST is asked for in the very turn in which the FIN of its connection is seen, before it
 * is seen: nothing was written there, so it goes to a fresh one. */
static void submit_now(struct raw *r)
{
	struct job *j = r->server->ctx;
	if (r->end == ERR_AGAIN)
		assert_int_equal(job_submit(j, NS_NEVER), ERR_OK);
}

/* `unasked`: what the server says meanwhile; NULL: it closes. */
static void meet(const char *method, const char *unasked)
{
	struct scene s;
	struct job a, b;
	struct raw trigger;
	struct raw_server near = { .on_bytes = submit_now, .ctx = &b };
	scene_init(&s, NULL, NULL);
	raw_server_listen(&near, s.bed.near, "10.0.0.1:90");
	raw_init(&trigger);
	raw_connect(&trigger, s.bed.far, raw_server_addr(&near));
	job_init(&a, s.up, "GET", "/");
	job_init(&b, s.up, method, "/");
	assert_int_equal(job_submit(&a, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 10 * NS_MS);
	raw_say(&trigger, "now");
	if (unasked)
		raw_say(raw_server_nth(&s.server, 0), unasked);
	else
		raw_close(raw_server_nth(&s.server, 0), IO_CLOSE_FIN);
	bed_run(&s.bed, 100 * NS_MS);
	assert_text(&b.log, "ready head:200 data:5 end:ok");
	assert_int_equal(upstream_stats(s.up)->replayed, 1);
	assert_int_equal(s.requests, 2);
	job_fini(&a);
	job_fini(&b);
	raw_fini(&trigger);
	raw_server_fini(&near);
	scene_fini(&s);
}

/* Nor on a connection that was opened ahead of need. */
static void meet_unused(const char *method)
{
	struct scene s;
	struct job b;
	struct raw trigger;
	struct raw_server near = { .on_bytes = submit_now, .ctx = &b };
	struct upstream_cfg cfg = scene_upstream();
	cfg.preconnect = 1;
	scene_init(&s, NULL, &cfg);
	raw_server_listen(&near, s.bed.near, "10.0.0.1:90");
	raw_init(&trigger);
	raw_connect(&trigger, s.bed.far, raw_server_addr(&near));
	job_init(&b, s.up, method, "/");
	bed_run(&s.bed, 10 * NS_MS);
	assert_int_equal(s.server.accepted, 1);
	raw_say(&trigger, "now");
	raw_say(raw_server_nth(&s.server, 0),
		"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
	bed_run(&s.bed, 100 * NS_MS);
	assert_text(&b.log, "ready head:200 data:5 end:ok");
	assert_int_equal(upstream_stats(s.up)->replayed, 1);
	job_fini(&b);
	raw_fini(&trigger);
	raw_server_fini(&near);
	scene_fini(&s);
}

static void test_call_meets_the_end_of_its_connection(void **state)
{
	(void)state;
	meet("POST", NULL);
	meet("GET", NULL);
	/* nor is what comes unasked its answer */
	meet("POST", "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
	meet("GET", "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
	meet("GET", "HTTP/1.1 200");
	meet_unused("POST");
	meet_unused("GET");
}

/* `gap` after bytes that nobody asked for went out another request is put. */
static void cross(const char *method, ns_t gap)
{
	static const char unasked[] =
		"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n";
	struct scene s;
	struct job a, b;
	scene_init(&s, NULL, NULL);
	job_init(&a, s.up, "GET", "/");
	assert_int_equal(job_submit(&a, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 10 * NS_MS);
	raw_say(raw_server_nth(&s.server, 0), unasked);
	bed_run(&s.bed, gap);
	job_init(&b, s.up, method, "/");
	assert_int_equal(job_submit(&b, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 100 * NS_MS);
	/* it may be sent again, unless the server may have acted on it */
	bool crossed = gap < 100 * NS_US, lost = crossed && strcmp(method, "POST") == 0;
	if (lost)
		assert_text(&b.log, "ready end:unasked");
	else
		assert_text(&b.log, crossed ? "ready ready head:200 data:5 end:ok"
					    : "ready head:200 data:5 end:ok");
	assert_int_equal(s.server.accepted, lost ? 1 : 2);
	assert_int_equal(upstream_stats(s.up)->sockets, lost ? 0 : 1);
	job_fini(&a);
	job_fini(&b);
	scene_fini(&s);
}

/* Bytes on an idle connection: it is not used again, and they are no answer to anybody; nor where
 * they pass a request on their way, of which the server's TCP has acknowledged nothing then. */
static void test_unasked_bytes(void **state)
{
	(void)state;
	for (ns_t gap = 0; gap < 300 * NS_US; gap += 10 * NS_US) {
		cross("POST", gap);
		cross("GET", gap);
	}
}

/* An interim answer is a byte of the answer: the server is at it, so nothing is sent again. */
static void test_no_replay_after_an_interim_answer(void **state)
{
	(void)state;
	struct scene s;
	struct job a, b;
	scene_init(&s, NULL, NULL);
	job_init(&a, s.up, "GET", "/");
	job_init(&b, s.up, "GET", "/");
	assert_int_equal(job_submit(&a, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 10 * NS_MS);
	s.answer = "HTTP/1.1 103 Early Hints\r\n\r\n";
	s.close_in = 5 * NS_MS;
	assert_int_equal(job_submit(&b, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 100 * NS_MS);
	assert_text(&b.log, "ready head:103 end:eof");
	assert_int_equal(s.requests, 2);
	assert_int_equal(upstream_stats(s.up)->replayed, 0);
	job_fini(&a);
	job_fini(&b);
	scene_fini(&s);
}

/* --- connects that fail --- */

static void fail_connect(const struct upstream_cfg *cfg, const struct sim_cfg *sim,
	const char *expected, ns_t within)
{
	struct scene s;
	struct job j[3];
	scene_init(&s, sim, cfg);
	for (int i = 0; i < 3; i++) {
		job_init(&j[i], s.up, "GET", "/");
		assert_int_equal(job_submit(&j[i], NS_NEVER), ERR_OK);
	}
	bed_run(&s.bed, within);
	for (int i = 0; i < 3; i++) {
		assert_text(&j[i].log, expected);
		job_fini(&j[i]);
	}
	bed_run(&s.bed, 30 * NS_MS);
	assert_int_equal(scene_used(&s), 0);
	assert_int_equal(upstream_stats(s.up)->sockets, 0);
	assert_int_equal(s.bed.worker.cconns.out, 0);
	scene_fini(&s);
}

static void test_connects_that_fail(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	raw_addr("10.0.0.2:81", &cfg.endpoints[0]);
	fail_connect(&cfg, NULL, "end:connect-refused", 10 * NS_MS);
	raw_addr("10.0.0.9:80", &cfg.endpoints[0]);
	cfg.connect_for = 500 * NS_MS;
	fail_connect(&cfg, NULL, "end:connect-timeout", 600 * NS_MS);
	cfg.connect_for = 10 * NS_S;
	fail_connect(&cfg, NULL, "end:unreachable", 4 * NS_S);
	raw_addr("unix:nobody", &cfg.endpoints[0]);
	fail_connect(&cfg, NULL, "end:connect-refused", 10 * NS_MS);
}

static void test_out_of_ports_and_descriptors(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct sim_cfg sim = { .seed = 1, .ports = 2 };
	struct scene s;
	struct job j[4];
	scene_init(&s, &sim, &cfg);
	s.answer = NULL;
	for (int i = 0; i < 4; i++) {
		job_init(&j[i], s.up, "GET", "/");
		assert_int_equal(job_submit(&j[i], NS_NEVER), ERR_OK);
	}
	bed_run(&s.bed, 10 * NS_MS);
	assert_string_equal(j[1].log.ptr, "ready");
	assert_text(&j[2].log, "end:no-ports");
	assert_text(&j[3].log, "end:no-ports");
	bed_run(&s.bed, 30 * NS_MS);
	assert_int_equal(scene_used(&s), 2);
	job_fini(&j[2]);
	sim.fd_max = 2;
	sim_set(s.bed.sim, &sim);
	job_init(&j[2], s.up, "GET", "/");
	assert_int_equal(job_submit(&j[2], NS_NEVER), ERR_OK);
	bed_run(&s.bed, 10 * NS_MS);
	assert_text(&j[2].log, "end:no-fds");
	for (int i = 0; i < 2; i++)
		job_abandon(&j[i]);
	for (int i = 0; i < 4; i++)
		job_fini(&j[i]);
	scene_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_get_and_reuse),
		TEST(test_answers_at_every_cut),
		TEST(test_endless_head),
		TEST(test_upload),
		TEST(test_heads_that_fill_the_buffer),
		TEST(test_reader_that_sips),
		TEST(test_early_answer),
		TEST(test_answer_that_begins_early),
		TEST(test_bodies_that_may_be_unread),
		TEST(test_refusals_are_heard),
		TEST(test_server_that_closes_after_each_answer),
		TEST(test_call_meets_the_end_of_its_connection),
		TEST(test_unasked_bytes),
		TEST(test_no_replay_after_an_interim_answer),
		TEST(test_connects_that_fail),
		TEST(test_out_of_ports_and_descriptors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

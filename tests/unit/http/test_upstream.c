/* The client side against raw servers: answers, refusals, races, ends, slots. */
#include "bed.h"
#include "caller.h"
#include "flow/refusal.h"

#define AT "10.0.0.2:80"
#define FIRST_WRITE "HTTP/1.1 503 Service Unavailable\r\n"
#define SECOND_WRITE \
	"Connection: close\r\nServer: fasthttp\r\n" \
	"Date: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: text/plain\r\n" \
	"Content-Length: 73\r\n\r\n" \
	"The connection cannot be served because Server.Concurrency limit " \
	"exceeded"
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

struct scene {
	struct bed bed;
	struct raw_server server;
	struct upstream *up;
	/* the script of the server */
	const char *answer; /* to each request */
	ns_t answer_in;     /* so long after it */
	ns_t close_in;      /* closes so long after its answer; NS_NEVER: does not */
	enum io_close how;
	bool refuses;
	uint64_t requests, open, peak;
	struct rng rng;
	ns_t close_jitter; /* random on top of close_in */
};

static struct upstream_cfg defaults(void)
{
	struct upstream_cfg cfg = { .endpoint_count = 1,
		.limit = 4,
		.drain_share = 1,
		.queue_max = 100,
		.queue_for = NS_S,
		.connect_for = 2 * NS_S,
		.drain_for = 10 * NS_S,
		.ghost_for = 10 * NS_S,
		.settle_for = 20 * NS_MS,
		.idle_for = 30 * NS_S };
	raw_addr(AT, &cfg.endpoints[0]);
	return cfg;
}

/* --- the server --- */

static void on_raw_timer(struct timer *t)
{
	struct raw *r = CONTAINER_OF(t, struct raw, timer);
	struct scene *s = r->server->ctx;
	if (r->ctx) {
		raw_close(r, s->how);
		return;
	}
	raw_say(r, s->answer);
	if (s->close_in == NS_NEVER)
		return;
	ns_t in = s->close_in;
	if (s->close_jitter)
		in += (ns_t)rng_below(&s->rng, (uint64_t)s->close_jitter);
	if (in == 0) {
		raw_close(r, s->how);
		return;
	}
	r->ctx = s; /* the next time it closes */
	io_timer_set(s->bed.far, t, ns_add(io_now(s->bed.far), in));
}

static void on_raw_closed(struct raw *r)
{
	struct scene *s = r->server->ctx;
	io_timer_stop(s->bed.far, &r->timer);
	s->open--;
}

static void refuse(struct raw *r)
{
	raw_say(r, FIRST_WRITE);
	raw_say(r, SECOND_WRITE);
	raw_close(r, IO_CLOSE_FIN);
}

static void on_raw_accept(struct raw_server *server, struct raw *r)
{
	struct scene *s = server->ctx;
	r->timer.on_fire = on_raw_timer;
	r->on_closed = on_raw_closed;
	s->open++;
	if (s->open > s->peak)
		s->peak = s->open;
	if (s->refuses)
		refuse(r);
}

/* Each empty line ends a request: what the tests send to it has no body, or does not matter. */
static void on_raw_bytes(struct raw *r)
{
	struct scene *s = r->server->ctx;
	const char *end;
	if (r->end != ERR_AGAIN) {
		if (s->close_in == NS_NEVER)
			raw_close(r, IO_CLOSE_FIN);
		return;
	}
	while ((end = memmem(
			r->in.ptr + r->parsed, r->in.len - r->parsed, "\r\n\r\n", 4))) {
		r->parsed = (size_t)(end - r->in.ptr) + 4;
		s->requests++;
		r->ctx = NULL;
		if (s->answer && s->answer_in)
			io_timer_set(s->bed.far, &r->timer,
				ns_add(io_now(s->bed.far), s->answer_in));
		else if (s->answer)
			on_raw_timer(&r->timer);
	}
}

static void scene_init(
	struct scene *s, const struct sim_cfg *sim, const struct upstream_cfg *cfg)
{
	static const struct sim_cfg plain = { .seed = 1 };
	const struct worker_cfg few = { .clients = 1, .servers = 8 };
	const struct upstream_cfg dflt = defaults();
	*s = (struct scene){ .answer = ANSWER, .close_in = NS_NEVER };
	rng_init(&s->rng, 7);
	bed_init(&s->bed, sim ? sim : &plain, &few);
	s->server.on_accept = on_raw_accept;
	s->server.on_bytes = on_raw_bytes;
	s->server.ctx = s;
	raw_server_listen(&s->server, s->bed.far, AT);
	s->up = upstream_new(&s->bed.worker, cfg ? cfg : &dflt);
}

static void close_raws(struct scene *s)
{
	LIST_EACH (&s->server.conns, n, after)
		raw_close(CONTAINER_OF(n, struct raw, node), IO_CLOSE_FIN);
}

static void scene_fini(struct scene *s)
{
	upstream_free(&s->up);
	close_raws(s);
	raw_server_fini(&s->server);
	bed_fini(&s->bed);
}

static uint32_t in_state(const struct scene *s, enum slot_state state)
{
	return upstream_slots(s->up)->in[state].len;
}

static uint32_t used(const struct scene *s)
{
	return slots_used(upstream_slots(s->up));
}

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
		assert_int_equal(used(&s), 1);
		bed_run(&s.bed, 10 * NS_MS);
		assert_text(&j.log, "ready head:200 data:5 end:ok");
		assert_text(&j.in, "hello");
		assert_int_equal(in_state(&s, SLOT_IDLE), 1);
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
	assert_int_equal(used(&s), 0);
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
	assert_int_equal(in_state(&s, SLOT_IDLE), row->idle);
	assert_int_equal(in_state(&s, SLOT_BUSY), strstr(row->answer, "close") ? 1 : 0);
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

static void fill(struct text *t, size_t n)
{
	for (size_t i = 0; i < n; i++)
		text_add_char(t, (char)('a' + i % 23));
}

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
		assert_int_equal(in_state(&s, SLOT_IDLE), 1);
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
	assert_int_equal(in_state(&s, SLOT_IDLE), 1);
	job_fini(&j);
	text_fini(&t);
	scene_fini(&s);
}

/* The answer comes whole while the request is still being sent: it is taken, the rest of the
 * request is not sent, and the connection is not used again. */
static void test_early_answer(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	scene_init(&s, NULL, NULL);
	s.answer = NULL;
	job_init(&j, s.up, "POST", "/");
	fill(&j.body, 1000000);
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 400 * NS_US);
	struct raw *r = raw_server_nth(&s.server, 0);
	raw_set_deaf(r, true);
	raw_say(r, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
	bed_run(&s.bed, 10 * NS_MS);
	assert_int_equal(j.why, ERR_OK);
	assert_text(&j.in, "big");
	assert_int_equal(in_state(&s, SLOT_IDLE), 0);
	bed_run(&s.bed, 100 * NS_MS);
	assert_int_equal(used(&s), 0);
	assert_int_equal(upstream_stats(s.up)->sockets, 0);
	job_fini(&j);
	scene_fini(&s);
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
		assert_int_equal(used(&s), 0);
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

static void test_call_meets_the_end_of_its_connection(void **state)
{
	(void)state;
	meet("POST", NULL);
	meet("GET", NULL);
	/* nor is what comes unasked its answer */
	meet("POST", "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
	meet("GET", "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
	meet("GET", "HTTP/1.1 200");
}

/* Bytes on an idle connection: it is not used again, and they are no answer to anybody. */
static void test_unasked_bytes(void **state)
{
	(void)state;
	static const char unasked[] =
		"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n";
	for (ns_t gap = 0; gap < 300 * NS_US; gap += 10 * NS_US) {
		struct scene s;
		struct job a, b;
		scene_init(&s, NULL, NULL);
		job_init(&a, s.up, "GET", "/");
		assert_int_equal(job_submit(&a, NS_NEVER), ERR_OK);
		bed_run(&s.bed, 10 * NS_MS);
		raw_say(raw_server_nth(&s.server, 0), unasked);
		bed_run(&s.bed, gap);
		job_init(&b, s.up, "POST", "/");
		assert_int_equal(job_submit(&b, NS_NEVER), ERR_OK);
		bed_run(&s.bed, 100 * NS_MS);
		/* once both are on their way they cannot be told apart */
		bool crossed = gap < 100 * NS_US;
		assert_string_equal(b.log.ptr, crossed ? "ready head:408 end:ok"
						       : "ready head:200 data:5 end:ok");
		job_fini(&a);
		job_fini(&b);
		scene_fini(&s);
	}
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
	assert_int_equal(used(&s), 0);
	assert_int_equal(upstream_stats(s.up)->sockets, 0);
	assert_int_equal(s.bed.worker.cconns.out, 0);
	scene_fini(&s);
}

static void test_connects_that_fail(void **state)
{
	(void)state;
	struct upstream_cfg cfg = defaults();
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
	struct upstream_cfg cfg = defaults();
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
	assert_int_equal(used(&s), 2);
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

/* --- slots --- */

/* limit 1, a server that closes after each answer: a connect waits until the slot settled. */
static void test_settling(void **state)
{
	(void)state;
	struct upstream_cfg cfg = defaults();
	struct scene s;
	cfg.limit = 1;
	scene_init(&s, NULL, &cfg);
	s.close_in = 0;
	struct job a, b;
	job_init(&a, s.up, "GET", "/a");
	job_init(&b, s.up, "GET", "/b");
	assert_int_equal(job_submit(&a, NS_NEVER), ERR_OK);
	assert_int_equal(job_submit(&b, NS_NEVER), ERR_OK);
	while (!a.ends)
		bed_run(&s.bed, 10 * NS_US);
	ns_t ended = sim_now(s.bed.sim);
	while (s.server.accepted < 2)
		bed_run(&s.bed, 10 * NS_US);
	ns_t gap = sim_now(s.bed.sim) - ended;
	assert_true(gap >= 20 * NS_MS && gap < 22 * NS_MS);
	bed_run(&s.bed, 10 * NS_MS);
	assert_int_equal(b.why, ERR_OK);
	assert_int_equal(s.peak, 1);
	job_fini(&a);
	job_fini(&b);
	scene_fini(&s);
}

/* The same with no pause asked for: two round trips are waited for all the same. */
static void test_settling_by_round_trips(void **state)
{
	(void)state;
	struct upstream_cfg cfg = defaults();
	struct sim_cfg sim = { .seed = 1, .latency = 10 * NS_MS };
	struct scene s;
	struct job a, b;
	cfg.limit = 1;
	cfg.settle_for = 0;
	scene_init(&s, &sim, &cfg);
	s.close_in = 0;
	job_init(&a, s.up, "GET", "/a");
	job_init(&b, s.up, "GET", "/b");
	assert_int_equal(job_submit(&a, NS_NEVER), ERR_OK);
	assert_int_equal(job_submit(&b, NS_NEVER), ERR_OK);
	bed_run(&s.bed, NS_S);
	assert_int_equal(a.why, ERR_OK);
	assert_int_equal(b.why, ERR_OK);
	assert_true(b.call.state != CALL_QUEUED);
	job_fini(&a);
	job_fini(&b);
	scene_fini(&s);
}

static void test_zombie_drains_and_is_pooled(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	scene_init(&s, NULL, NULL);
	s.answer_in = 5 * NS_S;
	job_init(&j, s.up, "GET", "/");
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&s.bed, NS_S);
	job_abandon(&j);
	job_fini(&j);
	assert_int_equal(in_state(&s, SLOT_DRAINING), 1);
	bed_run(&s.bed, 3900 * NS_MS);
	assert_int_equal(in_state(&s, SLOT_DRAINING), 1);
	bed_run(&s.bed, 200 * NS_MS);
	assert_int_equal(in_state(&s, SLOT_IDLE), 1);
	assert_int_equal(upstream_stats(s.up)->drained, 1);
	scene_fini(&s);
}

static void test_zombie_becomes_a_ghost(void **state)
{
	(void)state;
	for (int unit = 0; unit < 2; unit++) {
		struct upstream_cfg cfg = defaults();
		struct scene s;
		struct job j;
		cfg.unit = (enum slot_unit)unit;
		cfg.drain_for = 2 * NS_S;
		cfg.ghost_for = 4 * NS_S;
		scene_init(&s, NULL, &cfg);
		s.answer_in = 60 * NS_S;
		job_init(&j, s.up, "GET", "/");
		assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
		bed_run(&s.bed, NS_S);
		job_abandon(&j);
		job_fini(&j);
		bed_run(&s.bed, 1900 * NS_MS);
		assert_int_equal(in_state(&s, SLOT_DRAINING), 1);
		bed_run(&s.bed, 200 * NS_MS);
		assert_int_equal(in_state(&s, SLOT_GHOST), 1);
		assert_int_equal(upstream_stats(s.up)->sockets, 0);
		bed_run(&s.bed, 3800 * NS_MS);
		assert_int_equal(used(&s), 1);
		bed_run(&s.bed, 200 * NS_MS);
		assert_int_equal(used(&s), 0);
		scene_fini(&s);
	}
}

/* All places hold idle connections: in request units, too, calls go on. */
static void test_request_units_reuse_when_the_slab_is_full(void **state)
{
	(void)state;
	struct upstream_cfg cfg = defaults();
	struct scene s;
	struct job j[8];
	cfg.unit = SLOT_UNIT_REQUEST;
	cfg.limit = 100;
	scene_init(&s, NULL, &cfg);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 8; i++) {
			job_init(&j[i], s.up, "GET", "/");
			assert_int_equal(job_submit(&j[i], NS_NEVER), ERR_OK);
		}
		bed_run(&s.bed, 100 * NS_MS);
		for (int i = 0; i < 8; i++) {
			assert_text(&j[i].log, "ready head:200 data:5 end:ok");
			job_fini(&j[i]);
		}
		assert_int_equal(used(&s), 0);
	}
	assert_int_equal(s.server.accepted, 8);
	/* all eight die under a GET: each wants a fresh connection, and there is room */
	s.answer = NULL;
	for (int i = 0; i < 8; i++) {
		job_init(&j[i], s.up, "GET", "/");
		assert_int_equal(job_submit(&j[i], NS_NEVER), ERR_OK);
	}
	bed_run(&s.bed, 10 * NS_MS);
	s.answer = ANSWER;
	close_raws(&s);
	bed_run(&s.bed, 100 * NS_MS);
	for (int i = 0; i < 8; i++) {
		assert_text(&j[i].log, "ready ready head:200 data:5 end:ok");
		job_fini(&j[i]);
	}
	scene_fini(&s);
}

/* A replayed call wants a fresh connection while idle ones fill the limit: one gives way. */
static void test_replay_at_the_limit(void **state)
{
	(void)state;
	for (int unit = 0; unit < 2; unit++) {
		struct upstream_cfg cfg = defaults();
		struct scene s;
		struct job j[8];
		cfg.unit = (enum slot_unit)unit;
		cfg.limit = 8;
		scene_init(&s, NULL, &cfg);
		for (int i = 0; i < 8; i++) {
			job_init(&j[i], s.up, "GET", "/");
			assert_int_equal(job_submit(&j[i], NS_NEVER), ERR_OK);
		}
		bed_run(&s.bed, 100 * NS_MS);
		for (int i = 0; i < 8; i++)
			job_fini(&j[i]);
		s.answer = NULL;
		job_init(&j[0], s.up, "GET", "/");
		assert_int_equal(job_submit(&j[0], NS_NEVER), ERR_OK);
		bed_run(&s.bed, 10 * NS_MS);
		s.answer = ANSWER;
		LIST_EACH (&s.server.conns, n, after) {
			struct raw *r = CONTAINER_OF(n, struct raw, node);
			if (memmem(r->in.ptr, r->in.len, "\r\n\r\nGET", 7))
				raw_close(r, IO_CLOSE_FIN);
		}
		bed_run(&s.bed, 100 * NS_MS);
		assert_text(&j[0].log, "ready ready head:200 data:5 end:ok");
		job_fini(&j[0]);
		scene_fini(&s);
	}
}

static void test_queue(void **state)
{
	(void)state;
	struct upstream_cfg cfg = defaults();
	struct scene s;
	struct job j[5], full;
	cfg.limit = 2;
	cfg.queue_max = 3;
	scene_init(&s, NULL, &cfg);
	s.answer_in = 300 * NS_MS;
	for (int i = 0; i < 5; i++) {
		job_init(&j[i], s.up, "GET", "/");
		assert_int_equal(
			job_submit(&j[i], i == 4 ? 400 * NS_MS : NS_NEVER), ERR_OK);
	}
	job_init(&full, s.up, "GET", "/");
	assert_int_equal(job_submit(&full, NS_NEVER), ERR_QUEUE_FULL);
	bed_run(&s.bed, 350 * NS_MS);
	assert_int_equal(j[0].why, ERR_OK);
	assert_int_equal(j[1].why, ERR_OK);
	assert_string_equal(j[3].log.ptr, "ready");
	bed_run(&s.bed, 100 * NS_MS);
	assert_text(&j[4].log, "end:queue-timeout");
	bed_run(&s.bed, NS_S);
	for (int i = 0; i < 5; i++)
		job_fini(&j[i]);
	job_fini(&full);
	assert_int_equal(s.peak, 2);
	scene_fini(&s);
}

/* All or none: a batch of three waits until three are free, and nobody overtakes it. */
static void test_batches(void **state)
{
	(void)state;
	struct upstream_cfg cfg = defaults();
	struct scene s;
	struct job one, three[3], late;
	cfg.limit = 3;
	scene_init(&s, NULL, &cfg);
	s.answer_in = 100 * NS_MS;
	job_init(&one, s.up, "GET", "/");
	job_init(&late, s.up, "GET", "/");
	for (int i = 0; i < 3; i++)
		job_init(&three[i], s.up, "GET", "/");
	assert_int_equal(job_submit(&one, NS_NEVER), ERR_OK);
	assert_int_equal(jobs_submit(three, 3, NS_NEVER), ERR_OK);
	assert_int_equal(job_submit(&late, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 50 * NS_MS);
	assert_int_equal(s.requests, 1);
	bed_run(&s.bed, 100 * NS_MS);
	assert_int_equal(s.requests, 4);
	assert_int_equal(late.log.len, 0);
	bed_run(&s.bed, 300 * NS_MS);
	assert_int_equal(late.why, ERR_OK);
	for (int i = 0; i < 3; i++)
		job_fini(&three[i]);
	job_fini(&one);
	job_fini(&late);
	scene_fini(&s);
}

/* A batch's end is told call by call, and the first of them gives the others up: they are
 * silent from then on. */
static void test_batch_abandoned_while_it_ends(void **state)
{
	(void)state;
	for (int stopping = 0; stopping < 2; stopping++) {
		struct upstream_cfg cfg = defaults();
		struct scene s;
		struct job one, three[3];
		cfg.limit = 3;
		scene_init(&s, NULL, &cfg);
		s.answer = NULL;
		job_init(&one, s.up, "GET", "/");
		for (int i = 0; i < 3; i++)
			job_init(&three[i], s.up, "GET", "/");
		three[0].abandons_other = &three[2];
		assert_int_equal(job_submit(&one, NS_NEVER), ERR_OK);
		assert_int_equal(jobs_submit(three, 3, NS_NEVER), ERR_OK);
		bed_run(&s.bed, stopping ? 100 * NS_MS : 2 * NS_S);
		if (stopping)
			upstream_free(&s.up);
		assert_string_equal(three[0].log.ptr,
			stopping ? "end:stopping" : "end:queue-timeout");
		assert_int_equal(three[1].log.len, 0); /* it went with the third */
		assert_int_equal(three[2].log.len, 0);
		if (!stopping)
			job_abandon(&one);
		for (int i = 0; i < 3; i++)
			job_fini(&three[i]);
		job_fini(&one);
		scene_fini(&s);
	}
}

/* --- abandoned in every state and callback --- */

static void check_left(struct scene *s, struct job *j)
{
	bed_run(&s->bed, 100 * NS_S); /* past drain, ghost and idle */
	assert_int_equal(used(s), 0);
	assert_int_equal(upstream_queue(s->up)->waiting, 0);
	assert_int_equal(s->bed.worker.bufs.out, 0);
	assert_int_equal(s->bed.worker.slots.out, 0);
	assert_int_equal(s->bed.worker.cconns.out, 0);
	assert_true(j->ends + j->abandoned >= 1);
	job_fini(j);
}

static void test_abandon_at_every_instant(void **state)
{
	(void)state;
	static const ns_t step = 20 * NS_US;
	for (int unit = 0; unit < 2; unit++)
		for (int policy = 0; policy < 3; policy++)
			for (ns_t at = 0; at < 1500 * NS_US; at += step) {
				struct upstream_cfg cfg = defaults();
				struct scene s;
				struct job j;
				cfg.unit = (enum slot_unit)unit;
				cfg.abandon = (enum upstream_abandon)policy;
				scene_init(&s, NULL, &cfg);
				s.answer_in = 300 * NS_US;
				job_init(&j, s.up, "POST", "/");
				fill(&j.body, at % (3 * step) ? 0 : 200000);
				assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
				bed_run(&s.bed, at);
				if (!j.ends)
					job_abandon(&j);
				check_left(&s, &j);
				scene_fini(&s);
			}
}

static void test_abandon_in_every_callback(void **state)
{
	(void)state;
	static const enum job_event events[] = { ON_READY, ON_HEAD, ON_DATA, ON_DRAIN,
		ON_FLUSH };
	for (int unit = 0; unit < 2; unit++)
		for (int policy = 0; policy < 3; policy++)
			for (size_t i = 0; i < ARRAY_LEN(events); i++)
				for (int served = 0; served < 2; served++) {
					struct upstream_cfg cfg = defaults();
					struct scene s;
					struct job first, j;
					cfg.unit = (enum slot_unit)unit;
					cfg.abandon = (enum upstream_abandon)policy;
					scene_init(&s, NULL, &cfg);
					job_init(&first, s.up, "GET", "/");
					if (served)
						assert_int_equal(
							job_submit(&first, NS_NEVER),
							ERR_OK);
					bed_run(&s.bed, 10 * NS_MS);
					job_init(&j, s.up, "PUT", "/");
					if (events[i] == ON_DRAIN)
						fill(&j.body, 200000);
					if (events[i] == ON_FLUSH) /* more is to come */
						s.answer = "HTTP/1.1 200 OK\r\n"
							   "Content-Length: 9\r\n\r\nx";
					j.abandon_on = events[i];
					assert_int_equal(
						job_submit(&j, NS_NEVER), ERR_OK);
					bed_run(&s.bed, 100 * NS_MS);
					assert_true(j.abandoned);
					job_fini(&first);
					check_left(&s, &j);
					scene_fini(&s);
				}
}

/* An unasked 101 has no end: what drains it gives up at once. */
static void test_unasked_tunnel(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	scene_init(&s, NULL, NULL);
	s.answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n"
		   "Connection: upgrade\r\n\r\nxxxx";
	job_init(&j, s.up, "GET", "/");
	j.abandon_on = ON_HEAD;
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 50 * NS_MS);
	assert_int_equal(used(&s), 0);
	check_left(&s, &j);
	scene_fini(&s);
}

/* Held back by its reader, behind a write that failed: what arrived before is not lost. */
static void test_write_failed_while_paused(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	struct text t;
	scene_init(&s, NULL, NULL);
	s.answer = NULL;
	text_init(&t);
	text_add(&t, "HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n");
	fill(&t, 40000);
	job_init(&j, s.up, "POST", "/");
	fill(&j.body, 1000000);
	j.stuck = true;
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 400 * NS_US);
	struct raw *r = raw_server_nth(&s.server, 0);
	raw_set_deaf(r, true);
	raw_send(r, text_slice(&t));
	bed_run(&s.bed, 10 * NS_MS);
	raw_close(r, IO_CLOSE_FIN); /* unread bytes: RST, and our write fails */
	bed_run(&s.bed, 10 * NS_MS);
	assert_int_equal(j.ends, 0);
	j.stuck = false;
	call_resume(&j.call);
	bed_run(&s.bed, 10 * NS_MS);
	assert_int_equal(j.why, ERR_OK);
	assert_int_equal(j.in.len, 40000);
	job_fini(&j);
	text_fini(&t);
	scene_fini(&s);
}

/* --- manners and ends --- */

static void test_connection_manners(void **state)
{
	(void)state;
	for (int manner = UPSTREAM_CLOSE; manner <= UPSTREAM_PRETEND; manner++) {
		struct upstream_cfg cfg = defaults();
		struct scene s;
		struct job j;
		struct sim_counts near, far;
		cfg.connections = (enum upstream_connections)manner;
		scene_init(&s, NULL, &cfg);
		s.close_in = manner == UPSTREAM_CLOSE ? 0 : NS_NEVER;
		for (int i = 0; i < 5; i++) {
			job_init(&j, s.up, "GET", "/");
			assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
			bed_run(&s.bed, 100 * NS_MS);
			assert_int_equal(j.why, ERR_OK);
			job_fini(&j);
		}
		assert_true(raw_got(raw_server_nth(&s.server, 0),
			manner == UPSTREAM_CLOSE
				? "GET / HTTP/1.1\r\nHost: 10.0.0.2:80\r\n"
				  "Connection: close\r\n\r\n"
				: "GET / HTTP/1.1\r\nHost: 10.0.0.2:80\r\n"
				  "Connection: keep-alive\r\n\r\n"));
		assert_int_equal(s.server.accepted, 5);
		sim_count(s.bed.sim, s.bed.near, &near);
		sim_count(s.bed.sim, s.bed.far, &far);
		assert_int_equal(near.time_wait, manner == UPSTREAM_PRETEND ? 5 : 0);
		assert_int_equal(far.time_wait, manner == UPSTREAM_PRETEND ? 0 : 5);
		assert_int_equal(used(&s), 0);
		scene_fini(&s);
	}
}

/* A server that says close and does not: closed for it after a second. */
static void test_parting(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	scene_init(&s, NULL, NULL);
	s.answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
	job_init(&j, s.up, "GET", "/");
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 900 * NS_MS);
	assert_int_equal(j.why, ERR_OK);
	assert_int_equal(used(&s), 1);
	assert_int_equal(s.open, 1);
	bed_run(&s.bed, 200 * NS_MS);
	assert_int_equal(used(&s), 0);
	assert_int_equal(s.open, 0);
	job_fini(&j);
	scene_fini(&s);
}

static void test_endpoints_share(void **state)
{
	(void)state;
	struct upstream_cfg cfg = defaults();
	struct scene s;
	struct raw_server other = { 0 };
	struct job j[4];
	cfg.endpoint_count = 2;
	raw_addr("10.0.0.2:81", &cfg.endpoints[1]);
	scene_init(&s, NULL, &cfg);
	raw_server_listen(&other, s.bed.far, "10.0.0.2:81");
	s.answer = NULL;
	for (int i = 0; i < 4; i++) {
		job_init(&j[i], s.up, "GET", "/");
		assert_int_equal(job_submit(&j[i], NS_NEVER), ERR_OK);
	}
	bed_run(&s.bed, 10 * NS_MS);
	assert_int_equal(s.server.accepted, 2);
	assert_int_equal(other.accepted, 2);
	assert_true(raw_got(raw_server_nth(&other, 0),
		"GET / HTTP/1.1\r\nHost: 10.0.0.2:81\r\n\r\n"));
	upstream_free(&s.up);
	for (int i = 0; i < 4; i++) {
		assert_text(&j[i].log, "ready end:stopping");
		job_fini(&j[i]);
	}
	raw_server_fini(&other);
	scene_fini(&s);
}

/* Freed with a connection in each state and calls in the queue. */
static void test_free_with_all_in_flight(void **state)
{
	(void)state;
	for (int unit = 0; unit < 2; unit++) {
		struct upstream_cfg cfg = defaults();
		struct scene s;
		struct job j[7];
		cfg.unit = (enum slot_unit)unit;
		cfg.limit = 5;
		scene_init(&s, NULL, &cfg);
		for (int i = 0; i < 7; i++)
			job_init(&j[i], s.up, "GET", "/");
		assert_int_equal(job_submit(&j[0], NS_NEVER), ERR_OK);
		assert_int_equal(job_submit(&j[1], NS_NEVER), ERR_OK);
		bed_run(&s.bed, 10 * NS_MS); /* two idle */
		s.answer = NULL;
		for (int i = 2; i < 5; i++)
			assert_int_equal(job_submit(&j[i], NS_NEVER), ERR_OK);
		bed_run(&s.bed, 10 * NS_MS); /* three busy */
		job_abandon(&j[2]);          /* one draining */
		s.answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n"
			   "\r\n";
		fill(&j[5].body, 500000);
		assert_int_equal(job_submit(&j[5], NS_NEVER), ERR_OK); /* connecting */
		assert_int_equal(job_submit(&j[6], NS_NEVER), ERR_OK); /* queued, or so */
		upstream_free(&s.up);
		for (int i = 3; i < 7; i++)
			assert_int_equal(j[i].why, ERR_STOPPING);
		for (int i = 0; i < 7; i++)
			job_fini(&j[i]);
		scene_fini(&s);
	}
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
		TEST(test_refusals_are_heard),
		TEST(test_server_that_closes_after_each_answer),
		TEST(test_call_meets_the_end_of_its_connection),
		TEST(test_unasked_bytes),
		TEST(test_connects_that_fail),
		TEST(test_out_of_ports_and_descriptors),
		TEST(test_settling),
		TEST(test_settling_by_round_trips),
		TEST(test_zombie_drains_and_is_pooled),
		TEST(test_zombie_becomes_a_ghost),
		TEST(test_request_units_reuse_when_the_slab_is_full),
		TEST(test_replay_at_the_limit),
		TEST(test_queue),
		TEST(test_batches),
		TEST(test_batch_abandoned_while_it_ends),
		TEST(test_abandon_at_every_instant),
		TEST(test_abandon_in_every_callback),
		TEST(test_unasked_tunnel),
		TEST(test_write_failed_while_paused),
		TEST(test_connection_manners),
		TEST(test_parting),
		TEST(test_endpoints_share),
		TEST(test_free_with_all_in_flight),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Calls sent once more: retries under the engine, and replays that are too many. */
#include <math.h>

#include "http/upstream_internal.h"
#include "scene.h"

static struct upstream_cfg with_retries(uint32_t max)
{
	struct upstream_cfg cfg = scene_upstream();
	cfg.retry = (struct retry_cfg){
		.on = RETRY_ON_CONNECT | RETRY_ON_RESET, .max = max, .share = RETRY_SHARE
	};
	return cfg;
}

static void job_begin(struct job *j, struct scene *s, const char *method, ns_t deadline)
{
	bed_run(&s->bed, NS_MS); /* the instant 0 stands for none */
	job_init(j, s->up, method, "/");
	j->retries = true;
	assert_int_equal(job_submit(j, deadline), ERR_OK);
}

/* The server cuts each connection so long after the request, and says nothing. */
static void rude_init(struct scene *s, struct upstream_cfg cfg, enum io_close how)
{
	scene_init(s, NULL, &cfg);
	s->answer = "";
	s->close_in = NS_MS;
	s->how = how;
}

/* A GET to such a server, which may be sent twice more. */
static void get_init(struct scene *s, struct job *j)
{
	rude_init(s, with_retries(2), IO_CLOSE_RESET);
	job_begin(j, s, "GET", NS_NEVER);
}

/* --- when --- */

static void resets(const char *method, enum io_close how, const char *log, uint64_t sent)
{
	struct scene s;
	struct job j;
	rude_init(&s, with_retries(2), how);
	job_begin(&j, &s, method, NS_NEVER);
	bed_run(&s.bed, NS_S);
	assert_text(&j.log, log);
	assert_int_equal(s.requests, sent);
	assert_int_equal(j.attempts, sent);
	assert_int_equal(upstream_stats(s.up)->sent, sent);
	assert_int_equal(upstream_stats(s.up)->admitted, 1);
	assert_int_equal(scene_used(&s), 0);
	scene_end(&s, &j);
}

static void test_a_get_is_sent_again_a_post_is_not(void **state)
{
	(void)state;
	static const char thrice[] =
		"ready again:reset ready again:reset ready end:reset";
	resets("GET", IO_CLOSE_RESET, thrice, 3);
	resets("PUT", IO_CLOSE_RESET, thrice, 3);
	resets("GET", IO_CLOSE_FIN, "ready again:eof ready again:eof ready end:eof", 3);
	resets("POST", IO_CLOSE_RESET, "ready end:reset", 1);
	resets("POST", IO_CLOSE_FIN, "ready end:eof", 1);
}

static void test_the_next_attempt_is_answered(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	get_init(&s, &j);
	bed_run(&s.bed, 10 * NS_MS);
	assert_text(&j.log, "ready again:reset");
	/* It rests, and has no slot but what settles. */
	assert_int_equal(scene_in(&s, SLOT_BUSY), 0);
	s.answer = ANSWER;
	s.close_in = NS_NEVER;
	bed_run(&s.bed, 100 * NS_MS);
	assert_text(&j.log, "ready head:200 data:5 end:ok");
	assert_int_equal(upstream_stats(s.up)->retried, 1);
	scene_end(&s, &j);
}

static void test_no_connection(void **state)
{
	(void)state;
	struct upstream_cfg cfg = with_retries(1);
	struct scene s;
	struct job j;
	scene_init(&s, NULL, &cfg);
	raw_addr("10.0.0.2:81", &cfg.endpoints[0]);
	struct upstream *other = upstream_new(&s.bed.worker, &cfg);
	job_init(&j, other, "POST", "/"); /* nothing of it was sent */
	j.retries = j.posts_bodies = true;
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 100 * NS_MS);
	assert_text(&j.log, "again:connect-refused end:connect-refused");
	assert_int_equal(j.verdict, RETRY_SPENT);
	bed_run(&s.bed, NS_S);
	upstream_free(&other);
	scene_end(&s, &j);
}

static void test_not_without_time(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	rude_init(&s, with_retries(2), IO_CLOSE_RESET);
	job_begin(&j, &s, "GET", sim_now(s.bed.sim) + 9 * NS_MS);
	bed_run(&s.bed, NS_S);
	assert_text(&j.log, "ready end:reset");
	assert_int_equal(j.verdict, RETRY_TOO_LATE);
	assert_int_equal(upstream_stats(s.up)->denied[RETRY_TOO_LATE], 1);
	scene_end(&s, &j);
}

static void test_not_behind_a_refusal(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	rude_init(&s, with_retries(2), IO_CLOSE_RESET);
	upstream_note_refusal(s.up);
	job_begin(&j, &s, "GET", NS_NEVER);
	bed_run(&s.bed, 2 * NS_S);
	assert_text(&j.log, "ready end:reset");
	assert_int_equal(j.verdict, RETRY_REFUSING);
	scene_end(&s, &j);
}

static void test_half_a_head_is_a_part_of_an_answer(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	rude_init(&s, with_retries(2), IO_CLOSE_RESET);
	s.answer = "HTTP/1.1 200 O";
	job_begin(&j, &s, "GET", NS_NEVER);
	bed_run(&s.bed, NS_S);
	assert_text(&j.log, "ready end:reset");
	assert_int_equal(j.verdict, RETRY_BEGUN);
	scene_end(&s, &j);
}

/* --- while it rests --- */

static void test_it_can_be_abandoned_and_stopped(void **state)
{
	(void)state;
	for (int stop = 0; stop < 2; stop++) {
		struct scene s;
		struct job j;
		get_init(&s, &j);
		bed_run(&s.bed, 10 * NS_MS);
		assert_int_equal(j.call.state, CALL_RESTING);
		if (stop)
			upstream_free(&s.up);
		else
			job_abandon(&j);
		assert_int_equal(stop ? j.attempts : call_attempts(&j.call), 1);
		bed_run(&s.bed, NS_S);
		assert_text(&j.log,
			stop ? "ready again:reset end:stopping" : "ready again:reset");
		assert_int_equal(s.requests, 1);
		scene_end(&s, &j);
	}
}

/* A retry has no slot of its own, and overtakes nobody. */
static void test_it_waits_behind_others(void **state)
{
	(void)state;
	struct upstream_cfg cfg = with_retries(2);
	struct scene s;
	struct job j, others[5];
	cfg.limit = 1;
	rude_init(&s, cfg, IO_CLOSE_RESET);
	job_begin(&j, &s, "GET", NS_NEVER);
	bed_run(&s.bed, 2 * NS_MS);
	assert_text(&j.log, "ready again:reset");
	s.answer = ANSWER;
	s.close_in = NS_NEVER;
	s.answer_in = 10 * NS_MS;
	for (int i = 0; i < 5; i++) {
		job_init(&others[i], s.up, "GET", "/");
		assert_int_equal(job_submit(&others[i], NS_NEVER), ERR_OK);
	}
	bed_run(&s.bed, 60 * NS_MS);
	assert_text(&j.log, "");
	bed_run(&s.bed, 60 * NS_MS);
	assert_text(&j.log, "ready head:200 data:5 end:ok");
	assert_int_equal(s.peak, 1);
	for (int i = 0; i < 5; i++) {
		assert_text(&others[i].log, "ready head:200 data:5 end:ok");
		job_fini(&others[i]);
	}
	scene_end(&s, &j);
}

/* It gets no slot: its caller is told what had failed. */
static void test_no_slot_for_it(void **state)
{
	(void)state;
	struct upstream_cfg cfg = with_retries(2);
	struct scene s;
	struct job j, other;
	cfg.limit = 1;
	cfg.queue_for = 100 * NS_MS;
	rude_init(&s, cfg, IO_CLOSE_RESET);
	job_begin(&j, &s, "GET", NS_NEVER);
	bed_run(&s.bed, 2 * NS_MS);
	s.answer = NULL;
	job_init(&other, s.up, "GET", "/");
	assert_int_equal(job_submit(&other, NS_NEVER), ERR_OK);
	bed_run(&s.bed, NS_S);
	assert_text(&j.log, "ready again:reset end:reset");
	assert_int_equal(j.verdict, RETRY_NO_SLOT);
	assert_int_equal(j.attempts, 1);
	job_abandon(&other);
	job_fini(&other);
	scene_end(&s, &j);
}

/* Nor a place in the queue: that took no time, and its times are not those of the attempt before. */
static void test_no_place_for_it(void **state)
{
	(void)state;
	struct upstream_cfg cfg = with_retries(2);
	struct scene s;
	struct job j, other;
	cfg.limit = 1;
	cfg.queue_max = 1;
	cfg.settle_for = NS_S;
	rude_init(&s, cfg, IO_CLOSE_RESET);
	job_begin(&j, &s, "GET", NS_NEVER);
	bed_run(&s.bed, 2 * NS_MS);
	s.answer = NULL;
	ns_t asked_at = j.call.queued_at;
	job_init(&other, s.up, "GET", "/");
	assert_int_equal(job_submit(&other, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 100 * NS_MS);
	assert_text(&j.log, "ready again:reset end:reset");
	assert_int_equal(j.attempts, 1);
	assert_true(j.queued_at > asked_at);
	assert_int_equal(j.sent_at, 0);
	job_abandon(&other);
	job_fini(&other);
	scene_end(&s, &j);
}

/* --- another endpoint --- */

static void test_another_endpoint_at_once(void **state)
{
	(void)state;
	struct upstream_cfg cfg = with_retries(2);
	struct scene s;
	struct job a, b;
	struct scene good; /* its server alone is of use */
	rude_init(&s, scene_upstream(), IO_CLOSE_RESET);
	good = s;
	good.answer = ANSWER;
	good.close_in = NS_NEVER;
	struct raw_server second = { .on_accept = s.server.on_accept,
		.on_bytes = s.server.on_bytes,
		.ctx = &good };
	raw_server_listen(&second, s.bed.far, "10.0.0.2:81");
	cfg.endpoint_count = 2;
	raw_addr("10.0.0.2:81", &cfg.endpoints[1]);
	struct upstream *both = upstream_new(&s.bed.worker, &cfg);
	for (int i = 0; i < 4; i++) {
		job_init(&a, both, "GET", "/");
		job_init(&b, both, "GET", "/");
		a.retries = b.retries = true;
		assert_int_equal(job_submit(&a, NS_NEVER), ERR_OK);
		assert_int_equal(job_submit(&b, NS_NEVER), ERR_OK);
		bed_run(&s.bed, 5 * NS_MS); /* less than any wait */
		assert_int_equal(a.why, ERR_OK);
		assert_int_equal(b.why, ERR_OK);
		job_fini(&a);
		job_fini(&b);
		bed_run(&s.bed, 2 * NS_S);
	}
	assert_true(s.requests > 0);
	upstream_free(&both);
	raw_server_fini(&second);
	scene_fini(&s);
}

/* --- how many --- */

static void test_an_outage_is_not_made_worse(void **state)
{
	(void)state;
	struct scene s;
	rude_init(&s, with_retries(5), IO_CLOSE_RESET);
	uint64_t calls = 2000;
	for (uint64_t i = 0; i < calls; i += 2) {
		struct job a, b;
		job_begin(&a, &s, "GET", NS_NEVER);
		job_begin(&b, &s, "GET", NS_NEVER);
		while (a.why == ERR_AGAIN || b.why == ERR_AGAIN)
			bed_run(&s.bed, NS_MS);
		job_fini(&a);
		job_fini(&b);
	}
	assert_int_equal(upstream_stats(s.up)->sent, s.requests);
	assert_in_range(s.requests, calls + calls / 6, calls + calls / 5);
	assert_true(upstream_stats(s.up)->denied[RETRY_NO_BUDGET] > 0);
	scene_fini(&s);
}

/* A server that answers on a fresh connection, and cuts it at the second request. */
static void on_bytes_twice(struct raw *r)
{
	struct scene *s = r->server->ctx;
	if (r->end != ERR_AGAIN) {
		raw_close(r, IO_CLOSE_FIN);
		return;
	}
	if (!memmem(r->in.ptr + r->parsed, r->in.len - r->parsed, "\r\n\r\n", 4))
		return;
	s->requests++;
	if (r->parsed)
		raw_close(r, IO_CLOSE_RESET);
	else
		raw_say(r, ANSWER);
	r->parsed = r->in.len;
}

/* Calls one after the other, of which nobody ever knows. */
static void calls_are_answered(struct scene *s, uint64_t calls)
{
	for (uint64_t i = 0; i < calls; i++) {
		struct job j;
		job_init(&j, s->up, "GET", "/");
		assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
		bed_run(&s->bed, 30 * NS_MS);
		assert_int_equal(j.why, ERR_OK);
		job_fini(&j);
	}
}

static void test_too_many_dead_connections_and_none_is_kept(void **state)
{
	(void)state;
	struct scene s;
	uint64_t calls = 3000;
	scene_init(&s, NULL, NULL);
	s.server.on_bytes = on_bytes_twice;
	calls_are_answered(&s, calls);
	const struct upstream_stats *stats = upstream_stats(s.up);
	assert_int_equal(stats->sent, s.requests);
	assert_true(stats->replayed > calls / 10);
	assert_true((double)s.requests <= 1.2 * (double)calls + RETRY_TRUST + 1);
	scene_fini(&s);
}

/* Those that are opened ahead of need are kept ones, too: none is opened only to be closed. */
static void test_none_is_kept_ready_then(void **state)
{
	(void)state;
	struct scene s;
	struct upstream_cfg cfg = scene_upstream();
	cfg.preconnect = 2;
	scene_init(&s, NULL, &cfg);
	s.server.on_bytes = on_bytes_twice;
	for (int i = 0; i < 1000 && again_trusts(s.up); i++)
		calls_are_answered(&s, 1);
	assert_false(again_trusts(s.up));
	uint64_t connects = upstream_stats(s.up)->connects;
	bed_run(&s.bed, 60 * NS_S);
	assert_int_equal(upstream_stats(s.up)->connects, connects);
	assert_int_equal(scene_used(&s), 0);
	while (!again_trusts(s.up))
		calls_are_answered(&s, 1);
	bed_run(&s.bed, NS_S);
	assert_int_equal(s.open, 2); /* it is over */
	scene_fini(&s);
}

/* --- refused while the limit is found out --- */

#define UNASKED "head:503 data:73"
#define GOES_BACK UNASKED " again:ok"
#define ANSWERED "ready head:200 data:5 end:ok"

/* A call is at work, and each further connection is refused: before the request is
 * written, for a unix socket's server has it at once. */
struct full {
	struct scene s;
	struct raw_server near;
	struct job at_work;
	struct job *jobs; /* to be submitted, in a turn of the upstream's host */
	uint32_t n;
	ns_t deadline;
	struct timer submit;
};

static void on_submit(struct timer *t)
{
	struct full *f = CONTAINER_OF(t, struct full, submit);
	assert_int_equal(jobs_submit(f->jobs, f->n, f->deadline), ERR_OK);
}

static void full_submit(struct full *f, struct job *jobs, uint32_t n, ns_t for_ns)
{
	f->submit.on_fire = on_submit;
	f->jobs = jobs;
	f->n = n;
	f->deadline = ns_add(sim_now(f->s.bed.sim), for_ns);
	for (uint32_t i = 0; i < n; i++) {
		job_init(&jobs[i], f->s.up, "POST", "/");
		jobs[i].retries = jobs[i].posts_bodies = true;
	}
	io_timer_set(f->s.bed.near, &f->submit, sim_now(f->s.bed.sim));
}

static void full_init(struct full *f, bool found_out, ns_t work_for)
{
	*f = (struct full){ 0 };
	struct upstream_cfg cfg = with_retries(2);
	struct scene *s = &f->s;
	cfg.limit = 8;
	cfg.limit_auto = found_out;
	cfg.queue_for = 20 * NS_S;
	raw_addr("unix:/near", &cfg.endpoints[0]);
	scene_init(s, NULL, &cfg);
	f->near = (struct raw_server){
		.on_accept = s->server.on_accept, .on_bytes = s->server.on_bytes, .ctx = s
	};
	raw_server_listen(&f->near, s->bed.far, "unix:/near");
	s->answer_in = work_for;
	job_begin(&f->at_work, s, "GET", NS_NEVER);
	bed_run(&s->bed, 10 * NS_MS);
	assert_int_equal(s->requests, 1);
	s->refuses = true;
}

static void full_fini(struct full *f)
{
	struct scene *s = &f->s;
	assert_text(&f->at_work.log, ANSWERED);
	bed_run(&s->bed, NS_S);
	assert_int_equal(scene_used(s), scene_in(s, SLOT_IDLE));
	LIST_EACH (&f->near.conns, n, after)
		raw_close(CONTAINER_OF(n, struct raw, node), IO_CLOSE_FIN);
	job_fini(&f->at_work);
	upstream_free(&s->up);
	raw_server_fini(&f->near);
	scene_fini(s);
}

/* Nothing of it was written: whatever its method, it waits for the one slot there is. */
static void test_refused_unasked(void **state)
{
	(void)state;
	struct full f;
	struct scene *s = &f.s;
	struct job b, behind;
	full_init(&f, true, 100 * NS_MS);
	full_submit(&f, &b, 1, NS_NEVER);
	bed_run(&s->bed, 10 * NS_MS);
	assert_text(&b.log, GOES_BACK);
	assert_int_equal(slots_limit(upstream_slots(s->up)), 1);
	job_init(&behind, s->up, "GET", "/");
	assert_int_equal(job_submit(&behind, NS_NEVER), ERR_OK);
	bed_run(&s->bed, 190 * NS_MS);
	assert_text(&b.log, ANSWERED);
	assert_int_equal(b.verdict, RETRY_GO);
	bed_run(&s->bed, 100 * NS_MS);
	assert_text(&behind.log, ANSWERED);
	const struct upstream_stats *stats = upstream_stats(s->up);
	assert_int_equal(stats->refused, 1);
	assert_int_equal(stats->requeued, 1);
	assert_int_equal(stats->retried, 0);
	assert_int_equal(stats->sent, stats->admitted); /* the server got none twice */
	assert_int_equal(s->requests, 3);
	job_fini(&b);
	job_fini(&behind);
	full_fini(&f);
}

/* A limit of the user's is not tried: what is refused then is another matter. */
static void test_refused_within_a_limit(void **state)
{
	(void)state;
	struct full f;
	struct job b;
	full_init(&f, false, 100 * NS_MS);
	full_submit(&f, &b, 1, NS_NEVER);
	bed_run(&f.s.bed, NS_S);
	assert_text(&b.log, UNASKED " end:ok");
	assert_int_equal(upstream_stats(f.s.up)->requeued, 0);
	job_fini(&b);
	full_fini(&f);
}

/* It was written: it goes back if it may be sent twice, and not onto the connection that the
 * server kept when it refused. */
static void refused_when_asked(const char *method, const char *log, enum retry_verdict v)
{
	struct full f;
	struct scene *s = &f.s;
	struct job b;
	bool back = v == RETRY_GO;
	full_init(&f, true, 100 * NS_MS);
	s->refuses = false;
	s->answer = REFUSAL;
	s->answer_in = 0;
	job_begin(&b, s, method, NS_NEVER);
	bed_run(&s->bed, 20 * NS_MS);
	s->answer = ANSWER;
	bed_run(&s->bed, NS_S);
	assert_text(&b.log, log);
	assert_int_equal(b.verdict, v);
	assert_int_equal(upstream_stats(s->up)->requeued, back);
	assert_int_equal(upstream_stats(s->up)->sent, back ? 3 : 2);
	assert_int_equal(s->requests, upstream_stats(s->up)->sent);
	assert_int_equal(b.attempts, back ? 2 : 1);
	job_fini(&b);
	full_fini(&f);
}

static void test_refused_when_asked(void **state)
{
	(void)state;
	refused_when_asked("GET", "ready head:503 data:33 again:ok " ANSWERED, RETRY_GO);
	refused_when_asked("POST", "ready head:503 data:33 end:ok", RETRY_UNSAFE);
}

/* The first call of all: nothing says that there is a slot to wait for. */
static void test_refused_by_a_server_that_takes_none(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	struct upstream_cfg cfg = with_retries(2);
	cfg.limit_auto = true;
	scene_init(&s, NULL, &cfg);
	s.refuses = true;
	job_begin(&j, &s, "GET", NS_NEVER);
	bed_run(&s.bed, 50 * NS_MS); /* before the next one is tried */
	assert_text(&j.log, "ready " GOES_BACK " end:shed");
	assert_int_equal(j.verdict, RETRY_NO_SLOT);
	assert_int_equal(s.server.accepted, 1);
	scene_end(&s, &j);
}

/* It waits no longer than it may: here until too little is left. */
static void test_refused_and_no_slot_in_time(void **state)
{
	(void)state;
	struct full f;
	struct job b;
	full_init(&f, true, 100 * NS_MS);
	full_submit(&f, &b, 1, 40 * NS_MS);
	bed_run(&f.s.bed, 50 * NS_MS);
	assert_text(&b.log, GOES_BACK " end:late");
	bed_run(&f.s.bed, NS_S);
	job_fini(&b);
	full_fini(&f);
}

static void test_refused_and_abandoned(void **state)
{
	(void)state;
	struct full f;
	struct job b;
	full_init(&f, true, 100 * NS_MS);
	full_submit(&f, &b, 1, NS_NEVER);
	bed_run(&f.s.bed, 10 * NS_MS);
	assert_text(&b.log, GOES_BACK);
	job_abandon(&b);
	bed_run(&f.s.bed, NS_S);
	assert_text(&b.log, "");
	job_fini(&b);
	full_fini(&f);
}

/* Those that were admitted together go back each by itself. */
static void test_refused_of_a_batch(void **state)
{
	(void)state;
	struct full f;
	struct job together[2];
	full_init(&f, true, 100 * NS_MS);
	full_submit(&f, together, 2, NS_NEVER);
	bed_run(&f.s.bed, 5 * NS_S);
	for (int i = 0; i < 2; i++) {
		assert_text(&together[i].log, GOES_BACK " " ANSWERED);
		job_fini(&together[i]);
	}
	assert_int_equal(upstream_stats(f.s.up)->requeued, 2);
	full_fini(&f);
}

/* The next one that is tried with: its request could not be put again, so it is not written before
 * the server has had time to refuse. */
static void test_it_hesitates(void **state)
{
	(void)state;
	for (int leaves = 0; leaves < 2; leaves++) {
		struct full f;
		struct job b, c;
		full_init(&f, true, 2 * NS_S);
		full_submit(&f, &b, 1, NS_NEVER);
		bed_run(&f.s.bed, 10 * NS_MS);
		assert_text(&b.log, GOES_BACK);
		job_abandon(&b);
		f.s.refuses = false;
		f.s.answer_in = 0;
		full_submit(&f, &c, 1, NS_NEVER);
		while (f.near.accepted == 2)
			bed_run(&f.s.bed, NS_MS);
		bed_run(&f.s.bed, NS_MS);
		assert_text(&c.log, "");
		if (leaves)
			job_abandon(&c);
		bed_run(&f.s.bed, 10 * NS_MS);
		assert_text(&c.log, leaves ? "" : ANSWERED);
		assert_int_equal(scene_in(&f.s, SLOT_IDLE), 1);
		bed_run(&f.s.bed, 3 * NS_S);
		job_fini(&b);
		job_fini(&c);
		full_fini(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_get_is_sent_again_a_post_is_not),
		TEST(test_the_next_attempt_is_answered),
		TEST(test_no_connection),
		TEST(test_not_without_time),
		TEST(test_not_behind_a_refusal),
		TEST(test_half_a_head_is_a_part_of_an_answer),
		TEST(test_it_can_be_abandoned_and_stopped),
		TEST(test_it_waits_behind_others),
		TEST(test_no_slot_for_it),
		TEST(test_no_place_for_it),
		TEST(test_no_place_for_it),
		TEST(test_another_endpoint_at_once),
		TEST(test_an_outage_is_not_made_worse),
		TEST(test_too_many_dead_connections_and_none_is_kept),
		TEST(test_none_is_kept_ready_then),
		TEST(test_refused_unasked),
		TEST(test_refused_within_a_limit),
		TEST(test_refused_when_asked),
		TEST(test_refused_by_a_server_that_takes_none),
		TEST(test_refused_and_no_slot_in_time),
		TEST(test_refused_and_abandoned),
		TEST(test_refused_of_a_batch),
		TEST(test_it_hesitates),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

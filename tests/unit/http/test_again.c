/* Calls sent once more: retries under the engine, and replays that are too many. */
#include <math.h>

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

static void test_too_many_dead_connections_and_none_is_kept(void **state)
{
	(void)state;
	struct scene s;
	uint64_t calls = 3000;
	scene_init(&s, NULL, NULL);
	s.server.on_bytes = on_bytes_twice;
	LIST_EACH (&s.server.conns, n, after)
		fail();
	for (uint64_t i = 0; i < calls; i++) {
		struct job j;
		job_init(&j, s.up, "GET", "/");
		assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
		bed_run(&s.bed, 30 * NS_MS);
		assert_int_equal(j.why, ERR_OK); /* nobody ever knows */
		job_fini(&j);
	}
	const struct upstream_stats *stats = upstream_stats(s.up);
	assert_int_equal(stats->sent, s.requests);
	assert_true(stats->replayed > calls / 10);
	assert_true((double)s.requests <= 1.2 * (double)calls + RETRY_TRUST + 1);
	scene_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_get_is_sent_again_a_post_is_not),
		cmocka_unit_test(test_the_next_attempt_is_answered),
		cmocka_unit_test(test_no_connection),
		cmocka_unit_test(test_not_without_time),
		cmocka_unit_test(test_not_behind_a_refusal),
		cmocka_unit_test(test_half_a_head_is_a_part_of_an_answer),
		cmocka_unit_test(test_it_can_be_abandoned_and_stopped),
		cmocka_unit_test(test_it_waits_behind_others),
		cmocka_unit_test(test_no_slot_for_it),
		cmocka_unit_test(test_another_endpoint_at_once),
		cmocka_unit_test(test_an_outage_is_not_made_worse),
		cmocka_unit_test(test_too_many_dead_connections_and_none_is_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

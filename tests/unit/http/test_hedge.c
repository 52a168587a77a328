/* A second request beside one that keeps its caller waiting. */
#include "flow/cutoff.h"
#include "http/tuner.h"
#include "scene.h"

#define AFTER (50 * NS_MS)

static struct upstream_cfg with_hedges(uint32_t limit)
{
	struct upstream_cfg cfg = scene_upstream();
	cfg.limit = limit;
	cfg.retry.share = RETRY_SHARE;
	cfg.hedge_for = AFTER;
	return cfg;
}

/* One that the server does not answer; 10 ms after it there is a hedge, if any. */
static void begin(struct scene *s, struct job *j)
{
	bed_run(&s->bed, NS_MS); /* the instant 0 stands for none */
	s->answer = NULL;
	job_init(j, s->up, "GET", "/");
	j->hedges = true;
	assert_int_equal(job_submit(j, NS_NEVER), ERR_OK);
	bed_run(&s->bed, AFTER - 5 * NS_MS);
	assert_int_equal(s->requests, 1);
	bed_run(&s->bed, 15 * NS_MS);
}

static void begin_with(struct scene *s, struct job *j, uint32_t limit)
{
	struct upstream_cfg cfg = with_hedges(limit);
	scene_init(s, NULL, &cfg);
	begin(s, j);
}

static const struct upstream_stats *stats(const struct scene *s)
{
	return upstream_stats(s->up);
}

static void test_the_second_wins(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	begin_with(&s, &j, 4);
	assert_int_equal(s.requests, 2);
	assert_text(&j.log, "ready ready");
	raw_say(raw_server_nth(&s.server, 1), ANSWER);
	bed_run(&s.bed, 10 * NS_MS);
	assert_text(&j.log, "head:200 data:5 end:ok");
	assert_text(&j.in, "hello");
	assert_int_equal(j.attempts, 2);
	assert_int_equal(stats(&s)->hedges_won, 1);
	/* The other one is at it still: its slot stays taken until it answers. */
	assert_int_equal(scene_in(&s, SLOT_DRAINING), 1);
	assert_int_equal(scene_in(&s, SLOT_IDLE), 1);
	raw_say(raw_server_nth(&s.server, 0), ANSWER);
	bed_run(&s.bed, 10 * NS_MS);
	assert_int_equal(scene_in(&s, SLOT_IDLE), 2);
	assert_int_equal(stats(&s)->admitted, 1);
	assert_int_equal(stats(&s)->sent, 2);
	scene_end(&s, &j);
}

static void test_the_first_wins(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	begin_with(&s, &j, 4);
	raw_say(raw_server_nth(&s.server, 0), ANSWER);
	bed_run(&s.bed, 10 * NS_MS);
	assert_text(&j.log, "ready ready head:200 data:5 end:ok");
	assert_int_equal(j.attempts, 2);
	assert_int_equal(scene_in(&s, SLOT_DRAINING), 1);
	assert_int_equal(stats(&s)->hedged, 1);
	assert_int_equal(stats(&s)->hedges_won, 0);
	raw_say(raw_server_nth(&s.server, 1), ANSWER);
	bed_run(&s.bed, 10 * NS_MS);
	assert_int_equal(scene_in(&s, SLOT_IDLE), 2);
	scene_end(&s, &j);
}

static void test_an_error_of_the_second_is_nobodys(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	begin_with(&s, &j, 4);
	raw_say(raw_server_nth(&s.server, 1),
		"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy");
	bed_run(&s.bed, 10 * NS_MS);
	assert_text(&j.log, "ready ready");
	raw_say(raw_server_nth(&s.server, 0), ANSWER);
	bed_run(&s.bed, 10 * NS_MS);
	assert_text(&j.log, "head:200 data:5 end:ok");
	scene_end(&s, &j);
}

static void test_one_of_them_dies(void **state)
{
	(void)state;
	for (uint32_t dies = 0; dies < 2; dies++) {
		struct scene s;
		struct job j;
		begin_with(&s, &j, 4);
		raw_close(raw_server_nth(&s.server, dies), IO_CLOSE_RESET);
		bed_run(&s.bed, 10 * NS_MS);
		assert_text(&j.log, "ready ready");
		raw_say(raw_server_nth(&s.server, 1 - dies), ANSWER);
		bed_run(&s.bed, 10 * NS_MS);
		assert_text(&j.log, "head:200 data:5 end:ok");
		bed_run(&s.bed, NS_S);
		assert_int_equal(scene_used(&s), 1);
		scene_end(&s, &j);
	}
}

static void test_both_die(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	begin_with(&s, &j, 4);
	scene_close_raws(&s);
	bed_run(&s.bed, NS_S);
	assert_text(&j.log, "ready ready end:eof");
	assert_int_equal(scene_used(&s), 0);
	scene_end(&s, &j);
}

/* Not for all, and not whenever slots are short. */
static void none(struct upstream_cfg *cfg, const char *method, uint32_t others)
{
	struct scene s;
	struct job j, more[4];
	scene_init(&s, NULL, cfg);
	s.answer = NULL;
	bed_run(&s.bed, NS_MS);
	for (uint32_t i = 0; i < others; i++) {
		job_init(&more[i], s.up, "POST", "/");
		assert_int_equal(job_submit(&more[i], NS_NEVER), ERR_OK);
	}
	job_init(&j, s.up, method, "/");
	j.hedges = true;
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 500 * NS_MS);
	assert_text(&j.log, "ready");
	assert_int_equal(stats(&s)->hedged, 0);
	assert_int_equal(s.requests, others + 1);
	for (uint32_t i = 0; i < others; i++) {
		job_abandon(&more[i]);
		job_fini(&more[i]);
	}
	job_abandon(&j);
	scene_end(&s, &j);
}

static void test_when_there_is_none(void **state)
{
	(void)state;
	struct upstream_cfg cfg = with_hedges(4);
	none(&cfg, "POST", 0);
	none(&cfg, "GET", 3); /* it has the last slot */
	cfg = with_hedges(1);
	none(&cfg, "GET", 0);
	cfg = with_hedges(4);
	cfg.hedge_for = 0;
	none(&cfg, "GET", 0);
	cfg.hedge_p95 = true; /* of which nothing is known */
	none(&cfg, "GET", 0);
}

static void test_abandoned_and_stopped(void **state)
{
	(void)state;
	for (int stop = 0; stop < 2; stop++) {
		struct scene s;
		struct job j;
		begin_with(&s, &j, 4);
		if (stop)
			upstream_free(&s.up);
		else
			job_abandon(&j);
		assert_text(&j.log, stop ? "ready ready end:stopping" : "ready ready");
		if (!stop)
			assert_int_equal(scene_in(&s, SLOT_DRAINING), 2);
		bed_run(&s.bed, NS_S);
		scene_end(&s, &j);
	}
}

/* The server ends new connections as it refuses: so often that it is seen, if none was taken. */
static void cut_off(struct tuner *t, ns_t now, uint32_t level)
{
	struct limit_mark mark;
	for (int i = 0; i < CUTOFF_SURE; i++) {
		(void)tuner_sent(t, now,
			&(struct tuner_call){ .level = level, .waiting = true }, &mark);
		tuner_opened(t, now, &mark);
		tuner_ended(t, now + NS_MS, &mark, LIMIT_CUT_OFF);
	}
}

/* Other threads go on: what they have learned knows that both have ended. */
static void test_stopped_under_a_limit_of_many_threads(void **state)
{
	(void)state;
	struct upstream_cfg cfg = with_hedges(8);
	struct tuner *tuner = tuner_new(8, 0);
	struct scene s;
	struct job j, first;
	cfg.limit_auto = true;
	cfg.tuner = tuner;
	scene_init(&s, NULL, &cfg);
	bed_run(&s.bed, NS_MS);
	job_init(&first, s.up, "GET", "/");
	assert_int_equal(job_submit(&first, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 5 * NS_MS);
	assert_int_equal(first.why, ERR_OK);
	job_fini(&first);
	s.requests = 0;
	begin(&s, &j);
	assert_int_equal(s.requests, 2);
	upstream_free(&s.up);
	assert_text(&j.log, "ready ready end:stopping");
	assert_int_equal(j.attempts, 2);
	ns_t later = sim_now(s.bed.sim) + 100 * NS_MS;
	cut_off(tuner, later, 2);
	assert_true(tuner_is_cut(tuner, later));
	tuner_unref(&tuner);
	scene_end(&s, &j);
}

/* It abandons itself in the second on_ready. */
static void test_abandoned_while_it_is_put(void **state)
{
	(void)state;
	struct upstream_cfg cfg = with_hedges(4);
	struct scene s;
	struct job j;
	scene_init(&s, NULL, &cfg);
	bed_run(&s.bed, NS_MS);
	s.answer = NULL;
	job_init(&j, s.up, "GET", "/");
	j.hedges = true;
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&s.bed, AFTER - 5 * NS_MS);
	assert_text(&j.log, "ready");
	j.abandon_on = ON_READY;
	bed_run(&s.bed, NS_S);
	assert_text(&j.log, "ready");
	assert_int_equal(scene_in(&s, SLOT_DRAINING), 1);
	assert_int_equal(scene_in(&s, SLOT_BUSY), 0);
	scene_end(&s, &j);
}

/* His others may not go: nor may a second request for this one. */
static void test_not_for_a_caller_who_is_to_wait(void **state)
{
	(void)state;
	struct upstream_cfg cfg = with_hedges(4);
	struct scene s;
	struct job j, other;
	cfg.pause_max = 60 * NS_S;
	cfg.pause_caller = true;
	scene_init(&s, NULL, &cfg);
	bed_run(&s.bed, NS_MS);
	s.answer = NULL;
	job_init(&j, s.up, "GET", "/");
	job_init(&other, s.up, "GET", "/");
	j.hedges = true;
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	assert_int_equal(job_submit(&other, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 5 * NS_MS);
	raw_say(raw_server_nth(&s.server, 1),
		"HTTP/1.1 429 X\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n");
	bed_run(&s.bed, 2 * AFTER);
	assert_int_equal(stats(&s)->hedged, 0);
	assert_int_equal(s.requests, 2);
	raw_close(raw_server_nth(&s.server, 0), IO_CLOSE_RESET);
	bed_run(&s.bed, 10 * NS_S);
	assert_text(&j.log, "ready end:reset");
	job_fini(&j);
	job_fini(&other);
	scene_fini(&s);
}

/* What the second one is told is meant for all. */
static void test_the_second_is_told_to_wait(void **state)
{
	(void)state;
	for (int found_out = 0; found_out < 2; found_out++) {
		struct upstream_cfg cfg = with_hedges(8);
		struct scene s;
		struct job j;
		cfg.pause_max = 60 * NS_S;
		cfg.limit_auto = found_out;
		scene_init(&s, NULL, &cfg);
		begin(&s, &j);
		assert_int_equal(s.requests, 2);
		raw_say(raw_server_nth(&s.server, 1),
			"HTTP/1.1 429 X\r\nRetry-After: 5\r\n"
			"Content-Length: 0\r\n\r\n");
		bed_run(&s.bed, 10 * NS_MS);
		assert_in_range(upstream_paused_for(s.up), 4 * NS_S, 5 * NS_S);
		job_abandon(&j);
		job_fini(&j);
		scene_fini(&s);
	}
}

/* What was heard of the first is no part of the second's answer. */
static void test_half_a_head_of_the_first(void **state)
{
	(void)state;
	struct upstream_cfg cfg = with_hedges(4);
	struct scene s;
	struct job j;
	cfg.first_byte_for = 4 * AFTER;
	cfg.retry = (struct retry_cfg){
		.on = RETRY_ON_FIRST_BYTE, .max = 1, .share = RETRY_SHARE
	};
	scene_init(&s, NULL, &cfg);
	begin(&s, &j);
	j.retries = true;
	raw_say(raw_server_nth(&s.server, 0), "HTTP/1.1 2");
	raw_close_after(raw_server_nth(&s.server, 0), IO_CLOSE_RESET);
	bed_run(&s.bed, 5 * NS_MS);
	s.answer = ANSWER;
	bed_run(&s.bed, NS_S);
	assert_text(&j.log,
		"ready ready again:first-byte-timeout ready head:200 data:5 end:ok");
	job_fini(&j);
	scene_fini(&s);
}

/* The p95 is known from what was answered before. */
static void test_after_p95(void **state)
{
	(void)state;
	struct upstream_cfg cfg = with_hedges(4);
	struct scene s;
	cfg.hedge_for = 0;
	cfg.hedge_p95 = true;
	scene_init(&s, NULL, &cfg);
	s.answer_in = AFTER - 2 * NS_MS;
	for (int i = 0; i < 2 * QUANTILE_KNOWN; i++) {
		struct job j;
		job_init(&j, s.up, "GET", "/");
		assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
		bed_run(&s.bed, 100 * NS_MS);
		job_fini(&j);
	}
	s.requests = 0;
	struct job j;
	begin(&s, &j);
	assert_int_equal(s.requests, 2);
	assert_int_equal(stats(&s)->hedged, 1);
	job_abandon(&j);
	scene_end(&s, &j);
}

/* The share of calls that are slow is far above the budget: so is not that of hedges. */
static void test_within_the_budget(void **state)
{
	(void)state;
	struct upstream_cfg cfg = with_hedges(SLOTS_NO_LIMIT);
	struct scene s;
	uint64_t calls = 600;
	scene_init(&s, NULL, &cfg);
	s.answer_in = AFTER + 10 * NS_MS;
	for (uint64_t i = 0; i < calls; i++) {
		struct job j;
		job_init(&j, s.up, "GET", "/");
		j.hedges = true;
		assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
		bed_run(&s.bed, AFTER + 12 * NS_MS);
		assert_int_equal(j.why, ERR_OK);
		job_fini(&j);
	}
	assert_int_equal(stats(&s)->sent, s.requests);
	assert_in_range(s.requests, calls + calls / 10, calls + calls / 5);
	bed_run(&s.bed, NS_S);
	scene_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_second_wins),
		TEST(test_the_first_wins),
		TEST(test_an_error_of_the_second_is_nobodys),
		TEST(test_one_of_them_dies),
		TEST(test_both_die),
		TEST(test_when_there_is_none),
		TEST(test_abandoned_and_stopped),
		TEST(test_stopped_under_a_limit_of_many_threads),
		TEST(test_abandoned_while_it_is_put),
		TEST(test_not_for_a_caller_who_is_to_wait),
		TEST(test_the_second_is_told_to_wait),
		TEST(test_half_a_head_of_the_first),
		TEST(test_after_p95),
		TEST(test_within_the_budget),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A server that asks to be left alone: what waits, what is told so, and how it goes on. */
#include "scene.h"

#define TOO_MANY \
	"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"
#define ASKED "ready head:429 end:ok"
#define OK_LOG "ready head:200 data:5 end:ok"
#define JOBS 40

static struct job jobs[JOBS];

static struct upstream_cfg cfg_of(uint32_t limit)
{
	struct upstream_cfg cfg = scene_upstream();
	cfg.pause_max = 60 * NS_S;
	cfg.limit = limit;
	return cfg;
}

static ns_t in(const struct scene *s, ns_t for_ns)
{
	return sim_now(s->bed.sim) + for_ns;
}

static void start(struct scene *s, struct upstream_cfg cfg)
{
	scene_init(s, NULL, &cfg);
	bed_run(&s->bed, NS_S); /* instants are above 0 */
}

static void submit(struct scene *s, int nth, ns_t for_ns, enum err want)
{
	job_init(&jobs[nth], s->up, "GET", "/");
	assert_int_equal(job_submit(&jobs[nth], in(s, for_ns)), want);
}

/* One call draws this answer; then the server answers as ever. */
static void draw(struct scene *s, const char *answer)
{
	struct job j;
	s->answer = answer;
	job_init(&j, s->up, "GET", "/");
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&s->bed, 5 * NS_MS);
	assert_int_equal(j.ends, 1);
	job_fini(&j);
	s->answer = ANSWER;
}

static void end(struct scene *s, int n)
{
	for (int i = 0; i < n; i++)
		job_fini(&jobs[i]);
	scene_fini(s);
}

static void test_nothing_is_sent_for_so_long(void **state)
{
	struct scene s;
	(void)state;
	start(&s, cfg_of(4));
	draw(&s, TOO_MANY);
	submit(&s, 0, 4 * NS_S, ERR_PAUSED);
	submit(&s, 1, 8 * NS_S, ERR_OK);
	submit(&s, 2, 8 * NS_S, ERR_OK);
	assert_in_range(upstream_paused_for(s.up), 4 * NS_S, 6 * NS_S);
	for (int i = 0; i < 49; i++) {
		bed_run(&s.bed, 100 * NS_MS);
		assert_int_equal(s.requests, 1);
		assert_int_equal(scene_in(&s, SLOT_BUSY), 0);
	}
	bed_run(&s.bed, 300 * NS_MS);
	assert_text(&jobs[1].log, OK_LOG);
	assert_text(&jobs[2].log, OK_LOG);
	end(&s, 3);
}

/* The caller's deadline ends before: those in the queue are told as soon as it is known. */
static void test_who_waits_already(void **state)
{
	struct scene s;
	(void)state;
	start(&s, cfg_of(1));
	s.answer = TOO_MANY;
	s.answer_in = 100 * NS_MS;
	submit(&s, 0, 20 * NS_S, ERR_OK);
	submit(&s, 1, 3 * NS_S, ERR_OK);
	submit(&s, 2, 20 * NS_S, ERR_OK); /* longer than queue_for: that is for slots */
	bed_run(&s.bed, 110 * NS_MS);
	assert_text(&jobs[0].log, ASKED);
	assert_text(&jobs[1].log, "end:paused");
	assert_int_equal(jobs[2].ends, 0);
	s.answer = ANSWER;
	bed_run(&s.bed, 4800 * NS_MS);
	assert_int_equal(s.requests, 1);
	bed_run(&s.bed, 400 * NS_MS);
	assert_text(&jobs[2].log, OK_LOG);
	end(&s, 3);
}

static void test_what_runs_goes_on(void **state)
{
	struct scene s;
	(void)state;
	start(&s, cfg_of(4));
	s.answer = NULL;
	submit(&s, 0, 20 * NS_S, ERR_OK);
	submit(&s, 1, 20 * NS_S, ERR_OK);
	bed_run(&s.bed, 5 * NS_MS);
	raw_say(raw_server_nth(&s.server, 0), TOO_MANY);
	bed_run(&s.bed, NS_S);
	raw_say(raw_server_nth(&s.server, 1), ANSWER);
	bed_run(&s.bed, 5 * NS_MS);
	assert_text(&jobs[0].log, ASKED);
	assert_text(&jobs[1].log, OK_LOG);
	assert_true(upstream_paused_for(s.up) > 3 * NS_S);
	end(&s, 2);
}

/* Those who waited do not come all at once: one, then more and more. */
static void test_they_come_one_after_another(void **state)
{
	struct scene s;
	uint64_t before = 1;
	(void)state;
	start(&s, cfg_of(4));
	draw(&s, TOO_MANY);
	for (int i = 0; i < JOBS; i++)
		submit(&s, i, 20 * NS_S, ERR_OK);
	bed_run(&s.bed, 4990 * NS_MS);
	assert_int_equal(s.requests, 1);
	for (int i = 0; i < 60; i++) {
		bed_run(&s.bed, 50 * NS_MS);
		assert_true(s.requests - before <= 2 + (uint64_t)i / 10);
		before = s.requests;
	}
	assert_int_equal(s.requests, 1 + JOBS);
	for (int i = 0; i < JOBS; i++)
		assert_text(&jobs[i].log, OK_LOG);
	end(&s, JOBS);
}

static void test_it_asks_again(void **state)
{
	struct scene s;
	(void)state;
	start(&s, cfg_of(4));
	draw(&s, TOO_MANY);
	s.answer = TOO_MANY;
	submit(&s, 0, 20 * NS_S, ERR_OK);
	submit(&s, 1, 20 * NS_S, ERR_OK);
	submit(&s, 2, 8 * NS_S, ERR_OK);
	bed_run(&s.bed, 5 * NS_S);
	assert_text(&jobs[0].log, ASKED); /* the probe */
	assert_int_equal(s.requests, 2);
	assert_text(&jobs[2].log, "end:paused");
	s.answer = ANSWER;
	bed_run(&s.bed, 4900 * NS_MS);
	assert_int_equal(s.requests, 2);
	bed_run(&s.bed, 200 * NS_MS);
	assert_text(&jobs[1].log, OK_LOG);
	assert_int_equal(brake_view(upstream_brake(s.up), sim_now(s.bed.sim)).times, 2);
	end(&s, 3);
}

/* The answer drawn first, and for how long nothing goes then; 0: it does at once. */
struct row {
	const char *head;
	ns_t most, pause;
};

static void test_what_asks_for_it(void **state)
{
	static const struct row rows[] = {
		{ "429 X\r\nRetry-After: 5", 60 * NS_S, 5 * NS_S },
		{ "503 X\r\nRetry-After: 2", 60 * NS_S, 2 * NS_S },
		{ "429 X\r\nRetry-After: 3600", 60 * NS_S, 60 * NS_S },
		{ "429 X\r\nRetry-After: 3600", 2 * NS_S, 2 * NS_S },
		{ "200 X\r\nRateLimit: \"a\";r=0;t=3", 60 * NS_S, 3 * NS_S },
		{ "404 X\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 3", 60 * NS_S,
			3 * NS_S },
		{ "503 X\r\nRetry-After: 2\r\nWeir-Reason: paused", 60 * NS_S, 2 * NS_S },
		{ "503 X\r\nRetry-After: 2\r\nWeir-Reason: late", 60 * NS_S, 0 },
		{ "429 X\r\nRetry-After: 5", 0, 0 },
		{ "429 X\r\nA: b", 60 * NS_S, 0 },
		{ "503 X\r\nA: b", 60 * NS_S, 0 },
		{ "200 X\r\nRetry-After: 5", 60 * NS_S, 0 },
		{ "200 X\r\nRateLimit: \"a\";r=1;t=3", 60 * NS_S, 0 },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct upstream_cfg cfg = cfg_of(4);
		struct scene s;
		char answer[256];
		cfg.pause_max = rows[i].most;
		start(&s, cfg);
		snprintf(answer, sizeof(answer),
			"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", rows[i].head);
		draw(&s, answer);
		submit(&s, 0, 100 * NS_S, ERR_OK);
		ns_t asked = sim_now(s.bed.sim);
		while (!jobs[0].ends)
			bed_run(&s.bed, NS_MS);
		ns_t took = sim_now(s.bed.sim) - asked;
		if (took > rows[i].pause + 10 * NS_MS ||
			took < rows[i].pause - 10 * NS_MS)
			fail_msg("%s: %g s", rows[i].head, (double)took / 1e9);
		assert_text(&jobs[0].log, OK_LOG);
		end(&s, 1);
	}
}

/* A zombie's answer counts as anybody's; and one that nobody waits for any more leaves. */
static void test_nobody_waits_for_it(void **state)
{
	struct scene s;
	(void)state;
	start(&s, cfg_of(4));
	s.answer = TOO_MANY;
	s.answer_in = 500 * NS_MS;
	submit(&s, 0, NS_S, ERR_OK);
	bed_run(&s.bed, 100 * NS_MS);
	job_abandon(&jobs[0]);
	bed_run(&s.bed, 500 * NS_MS);
	submit(&s, 1, NS_S, ERR_PAUSED);
	submit(&s, 2, 20 * NS_S, ERR_OK);
	job_abandon(&jobs[2]);
	bed_run(&s.bed, 20 * NS_S);
	assert_int_equal(s.requests, 1);
	end(&s, 3);
}

/* The pause begins while a call that may be replayed is on a kept connection. */
static void start_beside_a_kept_one(struct scene *s)
{
	start(s, cfg_of(4));
	draw(s, ANSWER);
	s->answer = NULL;
	submit(s, 0, 20 * NS_S, ERR_OK);
	submit(s, 1, 20 * NS_S, ERR_OK);
	jobs[0].call.replayable = true;
	bed_run(&s->bed, 5 * NS_MS);
	assert_int_equal(s->requests, 3);
	raw_say(raw_server_nth(&s->server, 1), TOO_MANY);
	bed_run(&s->bed, 5 * NS_MS);
}

/* A kept connection that died: what is sent once more waits as well. */
static void test_a_replay_waits(void **state)
{
	struct scene s;
	(void)state;
	start_beside_a_kept_one(&s);
	ns_t died_at = sim_now(s.bed.sim);
	raw_close(raw_server_nth(&s.server, 0), IO_CLOSE_RESET);
	s.answer = ANSWER;
	bed_run(&s.bed, 4900 * NS_MS);
	assert_int_equal(s.requests, 3);
	assert_int_equal(jobs[0].ends, 0);
	bed_run(&s.bed, 200 * NS_MS);
	assert_int_equal(jobs[0].ends, 1);
	assert_int_equal(jobs[0].readies, 2);
	assert_int_equal(s.requests, 4);
	/* what it waited for its slot is not what the server had it for before */
	assert_true(jobs[0].queued_at >= died_at);
	assert_true(jobs[0].sent_at - jobs[0].queued_at > 4 * NS_S);
	end(&s, 2);
}

/* It is the probe then: nothing goes beside it. */
static void test_a_replay_is_the_probe(void **state)
{
	struct scene s;
	(void)state;
	start_beside_a_kept_one(&s);
	submit(&s, 2, 20 * NS_S, ERR_OK);
	raw_close(raw_server_nth(&s.server, 0), IO_CLOSE_RESET);
	bed_run(&s.bed, 5100 * NS_MS);
	assert_int_equal(jobs[0].readies, 2);
	assert_int_equal(jobs[2].readies, 0);
	assert_int_equal(s.requests, 4);
	s.answer = ANSWER;
	raw_say(raw_server_nth(&s.server, 2), ANSWER);
	bed_run(&s.bed, 100 * NS_MS);
	assert_text(&jobs[0].log, "ready ready head:200 data:5 end:ok");
	assert_text(&jobs[2].log, OK_LOG);
	end(&s, 3);
}

/* Calls that are admitted together wait together, and go as one. */
static void test_a_gather_waits(void **state)
{
	struct scene s;
	(void)state;
	start(&s, cfg_of(4));
	draw(&s, TOO_MANY);
	for (int i = 0; i < 6; i++)
		job_init(&jobs[i], s.up, "GET", "/");
	assert_int_equal(jobs_submit(jobs, 3, in(&s, 4 * NS_S)), ERR_PAUSED);
	assert_int_equal(jobs_submit(jobs + 3, 3, in(&s, 20 * NS_S)), ERR_OK);
	bed_run(&s.bed, 4980 * NS_MS);
	assert_int_equal(s.requests, 1);
	bed_run(&s.bed, 30 * NS_MS);
	assert_int_equal(s.requests, 4);
	for (int i = 3; i < 6; i++)
		assert_text(&jobs[i].log, OK_LOG);
	end(&s, 6);
}

/* A limit that is found out learns from a refusal, and need not stand still for it. */
static void test_a_refusal_is_the_limits(void **state)
{
	(void)state;
	for (int known = 0; known < 2; known++) {
		struct upstream_cfg cfg = cfg_of(4);
		struct scene s;
		cfg.limit_auto = true;
		start(&s, cfg);
		s.answer = TOO_MANY;
		submit(&s, 0, NS_S, ERR_OK);
		jobs[0].refused = known;
		bed_run(&s.bed, 5 * NS_MS);
		assert_text(&jobs[0].log, ASKED);
		assert_int_equal(upstream_paused_for(s.up) > 0, !known);
		end(&s, 1);
	}
}

static void test_one_caller_waits_alone(void **state)
{
	struct upstream_cfg cfg = cfg_of(4);
	struct scene s;
	(void)state;
	cfg.pause_caller = true;
	start(&s, cfg);
	draw(&s, TOO_MANY); /* of caller 0 */
	submit(&s, 0, 3 * NS_S, ERR_PAUSED);
	ns_t asked_at = sim_now(s.bed.sim);
	submit(&s, 1, 20 * NS_S, ERR_OK);
	submit(&s, 2, 20 * NS_S, ERR_OK);
	submit(&s, 3, 20 * NS_S, ERR_OK);
	job_abandon(&jobs[3]);
	job_init(&jobs[4], s.up, "GET", "/");
	jobs[4].caller = 1;
	assert_int_equal(job_submit(&jobs[4], in(&s, 2 * NS_S)), ERR_OK);
	bed_run(&s.bed, 4900 * NS_MS);
	assert_text(&jobs[4].log, OK_LOG);
	assert_int_equal(s.requests, 2);
	assert_int_equal(upstream_callers_paused(s.up), 1);
	bed_run(&s.bed, 110 * NS_MS);
	assert_text(&jobs[1].log, OK_LOG);
	assert_in_range(jobs[1].queued_at, asked_at,
		asked_at + NS_MS); /* all of it was waiting */
	assert_int_equal(s.requests, 3);
	bed_run(&s.bed, 100 * NS_MS);
	assert_text(&jobs[2].log, OK_LOG);
	assert_int_equal(upstream_callers_paused(s.up), 0);
	end(&s, 5);
}

/* Its call was given up meanwhile: it is his all the same. */
static void test_a_zombie_of_one_caller(void **state)
{
	struct upstream_cfg cfg = cfg_of(4);
	struct scene s;
	(void)state;
	cfg.pause_caller = true;
	start(&s, cfg);
	s.answer = TOO_MANY;
	s.answer_in = 100 * NS_MS;
	job_init(&jobs[0], s.up, "GET", "/");
	jobs[0].caller = 7;
	assert_int_equal(job_submit(&jobs[0], in(&s, NS_S)), ERR_OK);
	bed_run(&s.bed, 50 * NS_MS);
	job_abandon(&jobs[0]);
	bed_run(&s.bed, 100 * NS_MS);
	assert_int_equal(upstream_callers_paused(s.up), 1);
	job_init(&jobs[1], s.up, "GET", "/");
	jobs[1].caller = 7;
	assert_int_equal(job_submit(&jobs[1], in(&s, NS_S)), ERR_PAUSED);
	s.answer = ANSWER;
	submit(&s, 2, NS_S, ERR_OK);
	bed_run(&s.bed, 200 * NS_MS);
	assert_text(&jobs[2].log, OK_LOG);
	end(&s, 3);
}

/* Who is refused takes no turn of those who wait; and nobody waits when it is heeded no more. */
static void test_one_caller_floods(void **state)
{
	struct upstream_cfg cfg = cfg_of(4);
	struct scene s;
	(void)state;
	cfg.pause_caller = true;
	start(&s, cfg);
	draw(&s, TOO_MANY);
	for (int i = 0; i < 1000; i++) {
		struct job j;
		job_init(&j, s.up, "GET", "/");
		enum err e = job_submit(&j, in(&s, 6 * NS_S));
		if (e == ERR_OK)
			job_abandon(&j);
		else
			assert_int_equal(e, ERR_PAUSED);
		job_fini(&j);
	}
	submit(&s, 0, 20 * NS_S, ERR_OK);
	bed_run(&s.bed, 6100 * NS_MS);
	assert_text(&jobs[0].log, OK_LOG);
	draw(&s, TOO_MANY);
	submit(&s, 1, NS_S, ERR_PAUSED);
	cfg.pause_max = 0;
	upstream_reconfigure(s.up, &cfg);
	submit(&s, 2, NS_S, ERR_OK);
	bed_run(&s.bed, 10 * NS_MS);
	assert_text(&jobs[2].log, OK_LOG);
	end(&s, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_is_sent_for_so_long),
		TEST(test_who_waits_already),
		TEST(test_what_runs_goes_on),
		TEST(test_they_come_one_after_another),
		TEST(test_it_asks_again),
		TEST(test_what_asks_for_it),
		TEST(test_nobody_waits_for_it),
		TEST(test_a_replay_waits),
		TEST(test_a_replay_is_the_probe),
		TEST(test_a_gather_waits),
		TEST(test_a_refusal_is_the_limits),
		TEST(test_one_caller_waits_alone),
		TEST(test_a_zombie_of_one_caller),
		TEST(test_one_caller_floods),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A limit that is found out: what brings it down, and what becomes of the connections above it. */
#include "flow/cutoff.h"
#include "flow/wall.h"
#include "http/tuner.h"
#include "scene.h"

#define MANY 8

static struct upstream_cfg cfg_of(void)
{
	struct upstream_cfg cfg = scene_upstream();
	cfg.limit = MANY;
	cfg.limit_auto = true;
	cfg.queue_for = NS_NEVER;
	cfg.idle_for = 300 * NS_S;
	return cfg;
}

static void submit(struct scene *s, struct job *jobs, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		job_init(&jobs[i], s->up, "GET", "/");
		assert_int_equal(job_submit(&jobs[i], NS_NEVER), ERR_OK);
	}
	bed_run(&s->bed, 5 * NS_MS);
}

static void answered(struct scene *s, struct job *jobs, uint32_t n)
{
	bed_run(&s->bed, NS_S);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(jobs[i].why, ERR_OK);
		job_fini(&jobs[i]);
	}
}

static uint32_t limit_of(const struct scene *s)
{
	return slots_limit(upstream_slots(s->up));
}

/* The limit is its max still, and so many connections have served. */
static void start(struct scene *s, const struct upstream_cfg *cfg, uint32_t served)
{
	struct job jobs[MANY];
	scene_init(s, NULL, cfg);
	s->answer_in = 50 * NS_MS;
	submit(s, jobs, MANY);
	answered(s, jobs, MANY);
	assert_int_equal(limit_of(s), MANY);
	assert_int_equal(scene_in(s, SLOT_IDLE), MANY);
	for (uint32_t i = served; i < MANY; i++)
		raw_close(raw_server_nth(&s->server, i), IO_CLOSE_FIN);
	bed_run(&s->bed, NS_S);
}

/* As many calls as the limit is, of which the last is refused. */
static void refuse_one(struct scene *s)
{
	struct job jobs[MANY];
	s->answer_in = 50 * NS_MS;
	submit(s, jobs, MANY - 1);
	job_init(&jobs[MANY - 1], s->up, "GET", "/");
	jobs[MANY - 1].refused = true;
	assert_int_equal(job_submit(&jobs[MANY - 1], NS_NEVER), ERR_OK);
	bed_run(&s->bed, 5 * NS_MS);
	assert_int_equal(scene_in(s, SLOT_BUSY), MANY);
	answered(s, jobs, MANY);
	assert_in_range(limit_of(s), 1, MANY - 1);
}

static void none_above(struct scene *s)
{
	assert_int_equal(scene_in(s, SLOT_IDLE), limit_of(s));
	assert_int_equal(s->open, limit_of(s));
}

/* A server that counts connections may serve those on that it has, but not for ever. */
static void test_for_how_long_they_are_kept(void **state)
{
	(void)state;
	const struct upstream_cfg cfg = cfg_of();
	struct scene s;
	struct job j;
	start(&s, &cfg, MANY - 1);
	refuse_one(&s);
	assert_int_equal(s.open, MANY);
	bed_run(&s.bed, WALL_TRY_EACH);
	submit(&s, &j, 1);
	answered(&s, &j, 1);
	none_above(&s);
	scene_fini(&s);
}

/* One that refuses what comes on a connection that it has served before counts requests. */
static void test_it_counts_requests(void **state)
{
	(void)state;
	const struct upstream_cfg cfg = cfg_of();
	struct scene s;
	start(&s, &cfg, MANY);
	refuse_one(&s);
	none_above(&s);
	scene_fini(&s);
}

/* One that was opened ahead of need has served nobody, though it was there before its call. */
static void test_it_was_opened_ahead(void **state)
{
	(void)state;
	struct upstream_cfg cfg = cfg_of();
	struct scene s;
	cfg.preconnect = 1;
	start(&s, &cfg, MANY - 1);
	uint64_t reused = upstream_stats(s.up)->reused;
	refuse_one(&s);
	assert_int_equal(upstream_stats(s.up)->reused - reused, MANY);
	assert_int_equal(s.open, MANY);
	scene_fini(&s);
}

/* A hedge's answer came on the hedge's connection, whatever the first call's had served. */
static void test_a_hedge_has_served_nobody(void **state)
{
	(void)state;
	struct upstream_cfg cfg = cfg_of();
	struct scene s;
	struct job j;
	cfg.hedge_for = 20 * NS_MS;
	cfg.retry.share = 1;
	start(&s, &cfg, 1);
	s.answer = NULL;
	job_init(&j, s.up, "GET", "/");
	j.hedges = j.refused = true;
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 30 * NS_MS);
	assert_int_equal(s.open, 2);
	raw_say(raw_server_nth(&s.server, MANY), ANSWER);
	answered(&s, &j, 1);
	assert_int_equal(upstream_stats(s.up)->hedges_won, 1);
	assert_int_equal(limit_of(&s), 1);
	assert_int_equal(s.open, 2);
	scene_fini(&s);
}

/* What another thread has learned may be a moment ahead of one's own clock. */
static void test_it_was_learned_a_moment_ahead(void **state)
{
	(void)state;
	struct scene s;
	struct upstream_cfg cfg = cfg_of();
	struct text t;
	struct json j;
	scene_init(&s, NULL, &cfg);
	ns_t begun = worker_now(&s.bed.worker);
	struct tuner *tuner = upstream_tuner(s.up);
	assert_int_equal(tuner_view(tuner, begun + NS_S).for_ns, NS_S);
	assert_int_equal(tuner_view(tuner, begun - 3 * NS_MS).for_ns, 0);
	text_init(&t);
	json_init(&j, &t, false);
	json_object(&j, NULL);
	tuner_json(&j, "limit", tuner, begun - 3 * NS_MS);
	json_end(&j);
	assert_non_null(strstr(t.ptr, "\"since_ms\":0,"));
	text_fini(&t);
	scene_fini(&s);
}

/* A server that ends each new connection without a word, as those do that are full. */
static void cut_off(struct scene *s)
{
	s->answer = "";
	s->answer_in = s->close_in = 0;
	for (int i = 0; i < CUTOFF_SURE; i++) {
		struct job j;
		submit(s, &j, 1);
		bed_run(&s->bed, 10 * NS_MS);
		assert_int_equal(j.why, ERR_EOF);
		job_fini(&j);
	}
}

/* One whose connection is not there yet shows nothing of what the server takes. */
static void test_a_connect_that_hangs_is_no_call_taken(void **state)
{
	(void)state;
	const struct upstream_cfg cfg = cfg_of();
	struct upstream_endpoint two[2] = { { .name = SLICE_NONE } };
	struct scene s;
	struct job first, hangs;
	start(&s, &cfg, 0);
	two[0].addr = cfg.endpoints[0];
	raw_addr("10.0.0.9:80", &two[1].addr); /* nobody has it */
	upstream_set_endpoints(s.up, two, 2);
	s.close_in = NS_MS;
	submit(&s, &first, 1);
	submit(&s, &hangs, 1);
	bed_run(&s.bed, 100 * NS_MS);
	assert_int_equal(first.why, ERR_OK);
	job_fini(&first);
	assert_int_equal(scene_in(&s, SLOT_CONNECTING), 1);
	cut_off(&s);
	assert_int_equal(scene_in(&s, SLOT_CONNECTING), 1);
	assert_in_range(limit_of(&s), 0, MANY - 1);
	job_abandon(&hangs);
	scene_end(&s, &hangs);
}

/* Nor does one that was to have a connection of its own, and got another: it is over. */
static void test_one_that_did_without_its_connect(void **state)
{
	(void)state;
	struct upstream_cfg cfg = cfg_of();
	struct scene s;
	struct job jobs[3];
	cfg.connects_max = 1;
	start(&s, &cfg, 1);
	uint64_t reused = upstream_stats(s.up)->reused;
	submit(&s, jobs, 1);
	bed_run(&s.bed, s.answer_in - 5 * NS_MS + 100 * NS_US); /* it is on its way */
	for (int i = 1; i < 3; i++) {
		job_init(&jobs[i], s.up, "GET", "/");
		assert_int_equal(job_submit(&jobs[i], NS_NEVER), ERR_OK);
	}
	assert_int_equal(scene_in(&s, SLOT_BUSY), 1);
	assert_int_equal(scene_in(&s, SLOT_CONNECTING), 2);
	answered(&s, jobs, 3);
	assert_int_equal(upstream_stats(s.up)->reused - reused, 2);
	scene_close_raws(&s);
	bed_run(&s.bed, 100 * NS_MS);
	cut_off(&s);
	assert_in_range(limit_of(&s), 0, MANY - 1);
	scene_fini(&s);
}

/* One that is reset before we have looked was there for no time, however long it took to come. */
static void test_reset_at_once(void **state)
{
	(void)state;
	struct tuner *t = tuner_new(MANY, 0);
	struct limit_mark mark;
	ns_t now = NS_S;
	(void)tuner_sent(
		t, now, &(struct tuner_call){ .level = 1, .waiting = false }, &mark);
	tuner_ended(t, now + 2 * CUTOFF_SOON, &mark, LIMIT_ANSWERED);
	for (int i = 0; i < CUTOFF_SURE; i++) {
		assert_false(tuner_is_cut(t, now + 2 * CUTOFF_SOON));
		(void)tuner_sent(t, now,
			&(struct tuner_call){ .level = 2, .waiting = false }, &mark);
		tuner_ended(t, now + 2 * CUTOFF_SOON, &mark, LIMIT_CUT_OFF);
	}
	assert_true(tuner_is_cut(t, now + 2 * CUTOFF_SOON));
	tuner_unref(&t);
}

/* As long as it is not known to fail a limit that has not been met grows. */
static bool may_grow(struct tuner *t)
{
	struct tuner_told told;
	tuner_hear(t, NS_S, &told);
	return told.doubles_in != NS_NEVER;
}

/* Calls that end as one thread stops are no failures of the server, which others go on to use. */
static void test_that_we_stop_says_nothing(void **state)
{
	(void)state;
	struct upstream_cfg cfg = cfg_of();
	struct tuner *t = cfg.tuner = tuner_new(2 * MANY, NS_S);
	struct scene s;
	struct job jobs[2], fails;
	scene_init(&s, NULL, &cfg);
	bed_run(&s.bed, NS_S); /* instants are above 0 */
	s.answer = NULL;
	submit(&s, jobs, 2);
	assert_true(may_grow(t));
	upstream_free(&s.up);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(jobs[i].why, ERR_STOPPING);
		job_fini(&jobs[i]);
	}
	assert_true(may_grow(t));
	s.up = upstream_new(&s.bed.worker, &cfg);
	submit(&s, &fails, 1);
	scene_close_raws(&s);
	bed_run(&s.bed, 5 * NS_MS);
	assert_int_equal(fails.why, ERR_EOF);
	job_fini(&fails);
	assert_false(may_grow(t));
	tuner_unref(&t);
	scene_fini(&s);
}

/* At a wall all slots are held by calls that last, so nothing ends; and who comes is told at once that
 * it would be too late, so nobody waits. It is tried for those that were turned away. */
static void test_who_is_turned_away_is_wanted(void **state)
{
	(void)state;
	const struct upstream_cfg cfg = cfg_of();
	struct scene s;
	struct job jobs[MANY], late;
	start(&s, &cfg, MANY);
	refuse_one(&s);
	const uint32_t wall = limit_of(&s);
	s.answer_in = 800 * NS_MS;
	for (int round = 0; round < 60;
		round++) { /* how long one takes is known; it may be tried */
		submit(&s, jobs, wall);
		answered(&s, jobs, wall);
	}
	submit(&s, jobs, wall);
	bed_run(&s.bed, 200 * NS_MS);
	for (int i = 0; i < 15 && limit_of(&s) == wall; i++) {
		job_init(&late, s.up, "GET", "/");
		assert_int_equal(job_submit(&late, sim_now(s.bed.sim) + NS_S), ERR_LATE);
		job_fini(&late);
		bed_run(&s.bed, 20 * NS_MS);
	}
	assert_int_equal(limit_of(&s), wall + 1);
	answered(&s, jobs, wall);
	scene_fini(&s);
}

/* No queue at all: who finds it full shows as well that more is wanted. */
static void test_who_finds_no_queue_is_wanted(void **state)
{
	(void)state;
	struct upstream_cfg cfg = cfg_of();
	struct scene s;
	struct job jobs[MANY], more;
	cfg.limit = 8 * MANY;
	cfg.queue_max = 0;
	scene_init(&s, NULL, &cfg);
	s.answer_in = 800 * NS_MS;
	submit(&s, jobs, MANY);
	for (int i = 0; i < 20 && limit_of(&s) == MANY; i++) {
		job_init(&more, s.up, "GET", "/");
		assert_int_equal(job_submit(&more, NS_NEVER), ERR_QUEUE_FULL);
		job_fini(&more);
		bed_run(&s.bed, 20 * NS_MS);
	}
	assert_in_range(limit_of(&s), MANY + 1, 8 * MANY);
	answered(&s, jobs, MANY);
	scene_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_for_how_long_they_are_kept),
		TEST(test_it_counts_requests),
		TEST(test_it_was_opened_ahead),
		TEST(test_a_hedge_has_served_nobody),
		TEST(test_it_was_learned_a_moment_ahead),
		TEST(test_a_connect_that_hangs_is_no_call_taken),
		TEST(test_one_that_did_without_its_connect),
		TEST(test_reset_at_once),
		TEST(test_that_we_stop_says_nothing),
		TEST(test_who_is_turned_away_is_wanted),
		TEST(test_who_finds_no_queue_is_wanted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

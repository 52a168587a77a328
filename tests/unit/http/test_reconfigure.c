/* An upstream that takes new bounds while it runs, and one that is wanted no more. */
#include "scene.h"

#define MANY 8

static void start(struct scene *s, struct job *jobs, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		job_init(&jobs[i], s->up, "GET", "/");
		assert_int_equal(job_submit(&jobs[i], NS_NEVER), ERR_OK);
	}
	bed_run(&s->bed, 10 * NS_MS);
}

static void finish(struct scene *s, struct job *jobs, uint32_t n)
{
	/* The scene first: it ends the calls that are still open. */
	scene_fini(s);
	for (uint32_t i = 0; i < n; i++)
		job_fini(&jobs[i]);
}

/* Below what is in use nothing is taken back, and none given, until enough have come free. */
static void test_a_lower_limit(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct scene s;
	struct job jobs[6];
	cfg.queue_for = NS_NEVER;
	scene_init(&s, NULL, &cfg);
	s.answer_in = 100 * NS_MS;
	start(&s, jobs, 6);
	assert_int_equal(scene_in(&s, SLOT_BUSY), 4);
	cfg.limit = 2;
	upstream_reconfigure(s.up, &cfg);
	bed_run(&s.bed, 10 * NS_MS);
	assert_int_equal(scene_in(&s, SLOT_BUSY), 4);
	assert_int_equal(s.requests, 4);
	bed_run(&s.bed, 95 * NS_MS);
	/* two of the four went, and nothing new was opened */
	assert_int_equal(s.requests, 6);
	bed_run(&s.bed, 50 * NS_MS);
	assert_int_equal(scene_used(&s), 2);
	assert_int_equal(s.open, 2);
	bed_run(&s.bed, NS_S);
	assert_int_equal(s.server.accepted, 4);
	assert_int_equal(jobs[5].why, ERR_OK);
	finish(&s, jobs, 6);
}

/* What comes free first is one too many: who would wait in vain for it is told so at once, who has
 * time for more is let in. */
static void test_what_is_taken_back_is_not_waited_for(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct scene s;
	struct job jobs[10];
	scene_init(&s, NULL, &cfg);
	s.answer_in = 100 * NS_MS;
	start(&s, jobs, 4);
	bed_run(&s.bed, 200 * NS_MS); /* how long a slot is held is known */
	start(&s, jobs + 4, 2);
	bed_run(&s.bed, 70 * NS_MS);
	start(&s, jobs + 6, 2);
	assert_int_equal(scene_in(&s, SLOT_BUSY), 4);
	job_init(&jobs[8], s.up, "GET", "/");
	job_init(&jobs[9], s.up, "GET", "/");
	cfg.limit = 2;
	upstream_reconfigure(s.up, &cfg);
	const ns_t now = sim_now(s.bed.sim);
	/* Two end within 20 ms, the other two 80 ms later. */
	assert_int_equal(job_submit(&jobs[8], now + 140 * NS_MS), ERR_LATE);
	assert_int_equal(job_submit(&jobs[9], now + NS_S), ERR_OK);
	bed_run(&s.bed, 400 * NS_MS);
	assert_int_equal(jobs[9].why, ERR_OK);
	finish(&s, jobs, 10);
}

/* Idle connections above it are closed, the oldest first; one that settles is not made up for
 * by closing another. */
static void test_idle_above_a_lower_limit(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct scene s;
	struct job jobs[4];
	scene_init(&s, NULL, &cfg);
	start(&s, jobs, 4);
	assert_int_equal(scene_in(&s, SLOT_IDLE), 4);
	cfg.limit = 3;
	upstream_reconfigure(s.up, &cfg);
	bed_run(&s.bed, 5 * NS_MS);
	assert_int_equal(scene_in(&s, SLOT_IDLE), 3);
	assert_int_equal(scene_in(&s, SLOT_SETTLING), 1);
	bed_run(&s.bed, NS_S);
	assert_int_equal(scene_in(&s, SLOT_IDLE), 3);
	assert_int_equal(scene_used(&s), 3);
	finish(&s, jobs, 4);
}

static void test_a_higher_limit_admits_who_waits(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct scene s;
	struct job jobs[6];
	scene_init(&s, NULL, &cfg);
	s.answer_in = 500 * NS_MS;
	start(&s, jobs, 6);
	assert_int_equal(s.requests, 4);
	cfg.limit = 5;
	upstream_reconfigure(s.up, &cfg);
	bed_run(&s.bed, 10 * NS_MS);
	assert_int_equal(s.requests, 5);
	cfg.limit = SLOTS_NO_LIMIT;
	upstream_reconfigure(s.up, &cfg);
	bed_run(&s.bed, 10 * NS_MS);
	assert_int_equal(s.requests, 6);
	finish(&s, jobs, 6);
}

/* Those who wait for a connection came when nobody judged what their time is good for. */
static void test_a_limit_where_none_was(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct scene s;
	struct job jobs[6];
	cfg.limit = SLOTS_NO_LIMIT;
	cfg.sockets_max = 1;
	scene_init(&s, NULL, &cfg);
	s.answer_in = 100 * NS_MS;
	for (uint32_t i = 0; i < ARRAY_LEN(jobs); i++) {
		job_init(&jobs[i], s.up, "GET", "/");
		assert_int_equal(job_submit(&jobs[i], 900 * NS_MS), ERR_OK);
	}
	bed_run(&s.bed, 10 * NS_MS);
	cfg.limit = 1;
	upstream_reconfigure(s.up, &cfg);
	bed_run(&s.bed, NS_S);
	for (uint32_t i = 0; i < ARRAY_LEN(jobs); i++)
		assert_int_equal(jobs[i].why, ERR_OK);
	assert_int_equal(s.server.accepted, 1);
	finish(&s, jobs, ARRAY_LEN(jobs));
}

/* Calls that wait together for more than the limit could wait for ever. */
static void test_together_above_a_lower_limit(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct scene s;
	struct job busy[4], together[3], behind;
	cfg.queue_for = NS_NEVER;
	scene_init(&s, NULL, &cfg);
	s.answer_in = 100 * NS_MS;
	start(&s, busy, 4);
	for (int i = 0; i < 3; i++)
		job_init(&together[i], s.up, "GET", "/t");
	assert_int_equal(jobs_submit(together, 3, NS_NEVER), ERR_OK);
	job_init(&behind, s.up, "GET", "/b");
	assert_int_equal(job_submit(&behind, NS_NEVER), ERR_OK);
	cfg.limit = 2;
	upstream_reconfigure(s.up, &cfg);
	bed_run(&s.bed, 10 * NS_MS);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(together[i].why, ERR_SHED);
		assert_int_equal(together[i].ends, 1);
	}
	bed_run(&s.bed, NS_S);
	assert_int_equal(behind.why, ERR_OK);
	/* and later ones are refused as they come */
	for (int i = 0; i < 3; i++)
		job_fini(&together[i]);
	for (int i = 0; i < 3; i++)
		job_init(&together[i], s.up, "GET", "/t");
	assert_int_equal(jobs_submit(together, 3, NS_NEVER), ERR_SHED);
	for (int i = 0; i < 3; i++)
		job_fini(&together[i]);
	job_fini(&behind);
	finish(&s, busy, 4);
}

/* Connections have a bound of their own beside the limit in requests. */
static void test_a_bound_of_sockets(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct scene s;
	struct job jobs[MANY];
	cfg.limit = SLOTS_NO_LIMIT;
	cfg.sockets_max = 3;
	scene_init(&s, NULL, &cfg);
	s.answer_in = 50 * NS_MS;
	start(&s, jobs, MANY);
	assert_int_equal(s.open, 3);
	bed_run(&s.bed, 500 * NS_MS);
	for (uint32_t i = 0; i < MANY; i++)
		assert_int_equal(jobs[i].why, ERR_OK);
	assert_int_equal(s.peak, 3);
	assert_int_equal(s.server.accepted, 3);
	finish(&s, jobs, MANY);
}

/* Two upstreams and one bound: what one lets go, the other gets. */
static void test_a_bound_of_a_group(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct upstream_group group;
	struct scene s;
	struct job jobs[2], waits;
	upstream_group_init(&group, 2);
	cfg.group = &group;
	scene_init(&s, NULL, &cfg);
	struct upstream *other = upstream_new(&s.bed.worker, &cfg);
	start(&s, jobs, 2);
	assert_int_equal(group.conns, 2);
	job_init(&waits, other, "GET", "/w");
	assert_int_equal(job_submit(&waits, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 100 * NS_MS);
	assert_int_equal(upstream_queue(other)->waiting, 1);
	assert_true(upstream_drop_idle(s.up));
	bed_run(&s.bed, 100 * NS_MS);
	assert_int_equal(waits.why, ERR_OK);
	assert_int_equal(upstream_queue(other)->waiting, 0);
	assert_int_equal(group.conns, 2);
	assert_false(upstream_drop_idle(s.up) && upstream_drop_idle(s.up));
	upstream_free(&other);
	job_fini(&waits);
	finish(&s, jobs, 2);
	assert_int_equal(group.conns, 0);
}

/* What runs ends by itself, and nothing is kept. */
static void test_retire(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct scene s;
	struct job idle[2], running, zombie;
	cfg.drain_for = 3 * NS_S;
	cfg.ghost_for = 2 * NS_S;
	scene_init(&s, NULL, &cfg);
	start(&s, idle, 2);
	assert_false(upstream_is_spent(s.up));
	s.answer_in = 300 * NS_MS;
	job_init(&running, s.up, "GET", "/r");
	assert_int_equal(job_submit(&running, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 10 * NS_MS);
	s.answer_in = 60 * NS_S;
	job_init(&zombie, s.up, "GET", "/z");
	assert_int_equal(job_submit(&zombie, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 10 * NS_MS);
	job_abandon(&zombie);
	upstream_retire(s.up);
	bed_run(&s.bed, 500 * NS_MS);
	assert_int_equal(running.why, ERR_OK);
	assert_int_equal(scene_in(&s, SLOT_IDLE), 0);
	assert_int_equal(scene_in(&s, SLOT_DRAINING), 1);
	assert_false(upstream_is_spent(s.up));
	bed_run(&s.bed, 3 * NS_S);
	assert_int_equal(scene_in(&s, SLOT_GHOST), 1);
	assert_false(upstream_is_spent(s.up));
	bed_run(&s.bed, 2 * NS_S);
	assert_true(upstream_is_spent(s.up));
	job_fini(&running);
	job_fini(&zombie);
	finish(&s, idle, 2);
}

/* Taken back it pools again. */
static void test_taken_back(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct scene s;
	struct job jobs[2];
	scene_init(&s, NULL, &cfg);
	start(&s, jobs, 1);
	upstream_retire(s.up);
	bed_run(&s.bed, 100 * NS_MS);
	assert_true(upstream_is_spent(s.up));
	upstream_reconfigure(s.up, &cfg);
	start(&s, &jobs[1], 1);
	assert_int_equal(jobs[1].why, ERR_OK);
	assert_int_equal(scene_in(&s, SLOT_IDLE), 1);
	finish(&s, jobs, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_lower_limit),
		TEST(test_what_is_taken_back_is_not_waited_for),
		TEST(test_idle_above_a_lower_limit),
		TEST(test_a_higher_limit_admits_who_waits),
		TEST(test_a_limit_where_none_was),
		TEST(test_together_above_a_lower_limit),
		TEST(test_a_bound_of_sockets),
		TEST(test_a_bound_of_a_group),
		TEST(test_retire),
		TEST(test_taken_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

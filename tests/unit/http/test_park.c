/* Connections that are kept above a limit that came down by a step. When steps come, and how many
 * connections they may keep, is flow/limit.h's; here it is said by the test. */
#include "http/upstream_internal.h"
#include "pair.h"
#include "scene.h"

#define OPEN 6
#define LOW 4

static struct upstream_cfg cfg_of(void)
{
	struct upstream_cfg cfg = scene_upstream();
	cfg.limit = OPEN;
	cfg.queue_for = NS_NEVER;
	cfg.idle_for = 300 * NS_S;
	return cfg;
}

static void limit(struct bed *bed, struct upstream *u, uint32_t n, uint32_t keeps)
{
	slots_set_limit(&u->slots, n);
	u->told.keeps = keeps;
	upstream_poke(u);
	bed_run(bed, 3 * NS_MS);
}

static void submit(struct bed *bed, struct upstream *u, struct job *jobs, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		job_init(&jobs[i], u, "GET", "/");
		assert_int_equal(job_submit(&jobs[i], NS_NEVER), ERR_OK);
	}
	bed_run(bed, 5 * NS_MS);
}

static void answered(struct bed *bed, struct job *jobs, uint32_t n)
{
	bed_run(bed, 200 * NS_MS);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(jobs[i].why, ERR_OK);
		job_fini(&jobs[i]);
	}
}

/* OPEN connections, of which LOW are within the limit. */
static void start(struct scene *s)
{
	const struct upstream_cfg cfg = cfg_of();
	struct job jobs[OPEN];
	scene_init(s, NULL, &cfg);
	s->answer_in = 50 * NS_MS;
	submit(&s->bed, s->up, jobs, OPEN);
	answered(&s->bed, jobs, OPEN);
	limit(&s->bed, s->up, LOW, OPEN);
	assert_int_equal(scene_in(s, SLOT_IDLE), LOW);
	assert_int_equal(scene_in(s, SLOT_PARKED), OPEN - LOW);
	assert_int_equal(scene_used(s), LOW);
	assert_int_equal(s->open, OPEN);
}

static void test_the_next_step_opens_none(void **state)
{
	(void)state;
	struct scene s;
	struct job jobs[OPEN];
	start(&s);
	submit(&s.bed, s.up, jobs, OPEN);
	assert_int_equal(scene_in(&s, SLOT_BUSY), LOW); /* what is parked takes no call */
	assert_int_equal(scene_in(&s, SLOT_PARKED), OPEN - LOW);
	limit(&s.bed, s.up, OPEN, OPEN);
	assert_int_equal(scene_in(&s, SLOT_BUSY), OPEN);
	limit(&s.bed, s.up, LOW, OPEN);
	assert_int_equal(scene_in(&s, SLOT_BUSY), OPEN);
	answered(&s.bed, jobs, OPEN);
	assert_int_equal(scene_in(&s, SLOT_PARKED), OPEN - LOW);
	assert_int_equal(s.server.accepted, OPEN);
	scene_fini(&s);
}

/* One within the limit ends: its place is taken by one that is parked. */
static void test_it_takes_a_place_that_comes_free(void **state)
{
	(void)state;
	struct scene s;
	struct job jobs[LOW];
	start(&s);
	struct list_node *newest = list_front(&s.up->conns[CCONN_IDLE]);
	cconn_close_idle(CONTAINER_OF(newest, struct cconn, node));
	bed_run(&s.bed, 100 * NS_MS);
	submit(&s.bed, s.up, jobs, LOW);
	answered(&s.bed, jobs, LOW);
	assert_int_equal(scene_in(&s, SLOT_PARKED), OPEN - LOW - 1);
	assert_int_equal(s.server.accepted, OPEN);
	scene_fini(&s);
}

/* Fewer may be open from now on: those that are parked go first. */
static void test_fewer_may_be_kept(void **state)
{
	(void)state;
	struct scene s;
	start(&s);
	limit(&s.bed, s.up, LOW, OPEN - 1);
	assert_int_equal(scene_in(&s, SLOT_PARKED), OPEN - LOW - 1);
	assert_int_equal(s.open, OPEN - 1);
	limit(&s.bed, s.up, LOW - 1, 0); /* it refuses, say */
	assert_int_equal(scene_in(&s, SLOT_PARKED), 0);
	assert_int_equal(s.open, LOW - 1);
	scene_fini(&s);
}

/* The limit rises past its steps, and keeps none any more: all of them are of use. */
static void test_the_limit_rises(void **state)
{
	(void)state;
	struct scene s;
	start(&s);
	limit(&s.bed, s.up, OPEN + 1, 0);
	assert_int_equal(scene_in(&s, SLOT_PARKED), 0);
	assert_int_equal(scene_in(&s, SLOT_IDLE), OPEN);
	assert_int_equal(s.open, OPEN);
	scene_fini(&s);
}

/* A reload that has no use for the upstream does not wait for them. */
static void test_retired(void **state)
{
	(void)state;
	struct scene s;
	start(&s);
	upstream_retire(s.up);
	bed_run(&s.bed, 100 * NS_MS);
	assert_int_equal(s.open, 0);
	assert_true(upstream_is_spent(s.up));
	scene_fini(&s);
}

static void test_not_for_long(void **state)
{
	(void)state;
	struct scene s;
	start(&s);
	bed_run(&s.bed, 12 * NS_S);
	assert_int_equal(scene_in(&s, SLOT_PARKED), 0);
	assert_int_equal(s.open, LOW); /* those within the limit are not its concern */
	scene_fini(&s);
}

static void test_the_server_ends_it(void **state)
{
	(void)state;
	struct scene s;
	struct job jobs[OPEN];
	start(&s);
	limit(&s.bed, s.up, 0, OPEN);
	assert_int_equal(scene_in(&s, SLOT_PARKED), OPEN);
	raw_close(raw_server_nth(&s.server, 0), IO_CLOSE_FIN);
	raw_close(raw_server_nth(&s.server, 1), IO_CLOSE_RESET);
	raw_say(raw_server_nth(&s.server, 2), ANSWER); /* to nothing */
	bed_run(&s.bed, 100 * NS_MS);
	assert_int_equal(scene_in(&s, SLOT_PARKED), OPEN - 3);
	limit(&s.bed, s.up, OPEN, OPEN);
	submit(&s.bed, s.up, jobs, OPEN);
	answered(&s.bed, jobs, OPEN);
	assert_int_equal(s.server.accepted, OPEN + 3);
	scene_fini(&s);
}

/* What must be fresh takes a place of theirs, so that no more are open than were. */
static void test_a_fresh_one(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	start(&s);
	limit(&s.bed, s.up, LOW + 1, OPEN);
	job_init(&j, s.up, "GET", "/");
	j.raw = true;
	j.abandon_on = ON_READY;
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 5 * NS_MS);
	assert_int_equal(scene_in(&s, SLOT_SETTLING),
		1); /* the server may not have seen its end */
	assert_int_equal(s.server.accepted, OPEN);
	bed_run(&s.bed, 50 * NS_MS);
	assert_int_equal(s.server.accepted, OPEN + 1);
	assert_int_equal(scene_in(&s, SLOT_PARKED), OPEN - LOW - 1);
	assert_int_equal(s.peak, OPEN);
	scene_end(&s, &j);
}

/* --- two threads --- */

struct two {
	struct scene s;
	struct pair pair;
};

/* Seat 0 has OPEN connections, of which LOW are within the limit; the other has none. */
static struct upstream *two_start(struct two *t)
{
	const struct worker_cfg few = { .clients = 1, .servers = 8 };
	const struct upstream_cfg cfg = cfg_of();
	struct job jobs[OPEN];
	scene_init(&t->s, NULL, &cfg);
	t->s.answer_in = 50 * NS_MS;
	upstream_free(&t->s.up);
	pair_init(&t->pair, &t->s.bed, &few);
	for (uint32_t i = 0; i < SEATS; i++)
		pair_start(&t->pair, cfg, i);
	t->s.up = t->pair.up[0];
	submit(&t->s.bed, t->s.up, jobs, OPEN);
	answered(&t->s.bed, jobs, OPEN);
	limit(&t->s.bed, t->s.up, LOW, OPEN);
	assert_int_equal(share_parked(t->pair.share), OPEN - LOW);
	assert_int_equal(share_used(t->pair.share), LOW);
	t->pair.up[1]->told.keeps = OPEN;
	return t->pair.up[1];
}

static void two_fini(struct two *t)
{
	struct share *share = t->pair.share;
	share_ref(share);
	for (uint32_t i = 0; i < SEATS; i++)
		upstream_free(&t->pair.up[i]);
	assert_int_equal(share_parked(share), 0);
	share_unref(&share);
	pair_fini(&t->pair);
	t->s.up = NULL;
	scene_fini(&t->s);
}

static void test_it_moves_to_where_it_is_wanted(void **state)
{
	(void)state;
	struct two t;
	struct job jobs[OPEN];
	struct upstream *other = two_start(&t);
	limit(&t.s.bed, other, OPEN, OPEN);
	submit(&t.s.bed, other, jobs, OPEN);
	answered(&t.s.bed, jobs, OPEN);
	assert_int_equal(t.s.server.accepted, OPEN);
	assert_int_equal(upstream_stats(other)->adopted, OPEN);
	limit(&t.s.bed, other, LOW, OPEN);
	assert_int_equal(other->slots.in[SLOT_PARKED].len, OPEN - LOW);
	two_fini(&t);
}

/* They are gone before they could move: who waits for one opens one. */
static void test_it_is_gone_before(void **state)
{
	(void)state;
	struct two t;
	struct job jobs[OPEN];
	struct upstream *other = two_start(&t);
	submit(&t.s.bed, other, jobs, OPEN);
	assert_int_equal(other->slots.in[SLOT_BUSY].len, LOW);
	slots_set_limit(&other->slots, OPEN);
	park_end(t.s.up, OPEN);
	answered(&t.s.bed, jobs, OPEN);
	assert_int_equal(share_parked(t.pair.share), 0);
	assert_int_equal(t.s.server.accepted, OPEN + OPEN - LOW);
	two_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_next_step_opens_none),
		TEST(test_it_takes_a_place_that_comes_free),
		TEST(test_fewer_may_be_kept),
		TEST(test_the_limit_rises),
		TEST(test_retired),
		TEST(test_not_for_long),
		TEST(test_the_server_ends_it),
		TEST(test_a_fresh_one),
		TEST(test_it_moves_to_where_it_is_wanted),
		TEST(test_it_is_gone_before),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

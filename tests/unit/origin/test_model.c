/* The origin's decisions, without sockets or a clock. */
#include "tests/unit/base/unit.h"
#include "origin/model.h"

static void init(struct model *m, uint64_t limit, uint64_t workers, const char *latency)
{
	struct problem p = { 0 };
	struct model_cfg cfg = {
		.limit = limit,
		.workers = workers,
		.seed = 7,
		.latency = dist_parse(slice_of(latency), &p),
	};
	assert_non_null(cfg.latency);
	model_init(m, &cfg);
}

static void apply(struct model *m, const char *name, const char *value)
{
	struct change c = { 0 };
	struct problem p = { 0 };
	assert_true(change_add(&c, slice_of(name), slice_of(value), &p));
	model_apply(m, &c);
	change_fini(&c);
}

static void add_phase(struct model *m, const char *text)
{
	struct phase ph;
	struct problem p = { 0 };
	assert_true(phase_parse(slice_of(text), &ph, &p));
	model_add_phase(m, &ph);
}

/* Of one that is fixed. */
static ns_t latency_of(const struct model *m)
{
	struct rng r;
	rng_init(&r, 1);
	return dist_sample(m->latency, &r, 0);
}

/* `n` connections, each with a call that waits. */
static void call_on_each(struct model *m, struct model_call *calls, int n)
{
	for (int i = 0; i < n; i++) {
		assert_true(model_accept(m));
		assert_true(model_arrive(m, &calls[i]));
	}
}

static void close_and_end(struct model *m, int n)
{
	for (int i = 0; i < n; i++)
		model_close(m);
	model_fini(m);
}

/* Rule 1. */
static void test_slots_are_held_to_the_end(void **state)
{
	struct model m;
	struct model_call call;
	(void)state;

	init(&m, 2, ORIGIN_NONE, "50ms");
	assert_true(model_accept(&m));
	assert_true(model_accept(&m));
	assert_false(model_accept(&m));
	assert_int_equal(m.used, 2);
	assert_int_equal(model_idle(&m), 2);

	assert_true(model_arrive(&m, &call));
	assert_ptr_equal(model_next(&m), &call);
	assert_int_equal(model_idle(&m), 1);
	assert_int_equal(m.heard.len, 1);
	model_worked(&m, &call);
	model_leave(&m, &call, true);
	assert_int_equal(m.used, 2); /* kept alive: idle, and still a slot */
	assert_false(model_accept(&m));

	model_close(&m);
	assert_true(model_accept(&m));
	model_close(&m);
	model_close(&m);
	assert_int_equal(m.used, 0);
	assert_int_equal(m.peak, 2);
	assert_int_equal(m.accepted, 5);
	assert_int_equal(m.refused, 2);
	assert_int_equal(m.over, 0);
	model_fini(&m);
}

/* By requests connections cost nothing, and a slot is free as soon as all of its answer is out. */
static void test_slots_by_request(void **state)
{
	struct model m;
	struct model_call a, b;
	(void)state;

	init(&m, 1, ORIGIN_NONE, "50ms");
	m.unit = UNIT_REQUEST;
	assert_true(model_accept(&m));
	assert_true(model_accept(&m));
	assert_int_equal(m.used, 0);
	assert_true(model_arrive(&m, &a));
	assert_false(model_arrive(&m, &b));
	assert_ptr_equal(model_next(&m), &a);
	assert_int_equal(model_idle(&m), 0);
	model_worked(&m, &a);
	assert_false(model_arrive(&m, &b));
	model_answered(&m, &a);
	assert_int_equal(m.used, 0);
	assert_true(model_arrive(&m, &b)); /* before the first has left */
	assert_int_equal(b.nth, 1);
	model_leave(&m, &a, true);
	assert_int_equal(m.used, 1);
	assert_true(model_hang_up(&m, &b) == false);
	model_leave(&m, &b, false); /* without an answer */
	assert_int_equal(m.used, 0);
	model_close(&m);
	model_close(&m);
	assert_int_equal(m.accepted, 2);
	assert_int_equal(m.refused, 2);
	assert_int_equal(m.requests, 2);
	assert_int_equal(m.peak, 1);
	assert_int_equal(m.over, 0);
	model_fini(&m);
}

static void test_limits_none_and_zero(void **state)
{
	struct model m;
	(void)state;

	init(&m, ORIGIN_NONE, ORIGIN_NONE, "0ms");
	for (int i = 0; i < 1000; i++)
		assert_true(model_accept(&m));
	model_fini(&m);
	init(&m, 0, ORIGIN_NONE, "0ms");
	assert_false(model_accept(&m));
	model_fini(&m);
}

static void test_a_lowered_limit_takes_nothing_back(void **state)
{
	struct model m;
	(void)state;

	init(&m, 3, ORIGIN_NONE, "0ms");
	for (int i = 0; i < 3; i++)
		assert_true(model_accept(&m));
	apply(&m, "limit", "1");
	assert_int_equal(m.used, 3);
	assert_int_equal(m.over, 1);
	model_close(&m);
	model_close(&m);
	assert_false(model_accept(&m));
	model_close(&m);
	assert_true(model_accept(&m));
	assert_int_equal(m.over, 1);
	model_close(&m);
	model_fini(&m);
}

/* Rules 2 and 3. */
static void test_workers_take_calls_in_order(void **state)
{
	struct model m;
	struct model_call call[4];
	(void)state;

	init(&m, ORIGIN_NONE, 2, "10ms");
	call_on_each(&m, call, 4);
	assert_ptr_equal(model_next(&m), &call[0]);
	assert_ptr_equal(model_next(&m), &call[1]);
	assert_null(model_next(&m));
	assert_int_equal(m.stages[STAGE_WAITING].len, 2);

	/* the answer's writing does not hold the worker */
	model_worked(&m, &call[1]);
	assert_ptr_equal(model_next(&m), &call[2]);
	assert_null(model_next(&m));

	/* fewer workers stop nobody; more start who waits */
	apply(&m, "workers", "1");
	model_leave(&m, &call[0], false);
	assert_null(model_next(&m));
	apply(&m, "workers", "2");
	assert_ptr_equal(model_next(&m), &call[3]);

	for (int i = 1; i < 4; i++)
		model_leave(&m, &call[i], i == 1);
	assert_int_equal(m.answered, 1);
	assert_int_equal(m.requests, 4);
	close_and_end(&m, 4);
}

static void test_hangups(void **state)
{
	struct model m;
	struct model_call call[3];
	(void)state;

	init(&m, ORIGIN_NONE, 1, "10ms");
	call_on_each(&m, call, 3);
	assert_ptr_equal(model_next(&m), &call[0]);

	/* never: the dead call keeps its place, and gets the worker in its turn */
	assert_false(model_hang_up(&m, &call[1]));
	assert_false(model_hang_up(&m, &call[1])); /* told twice, counted once */
	assert_int_equal(m.hangups, 1);
	assert_int_equal(m.abandoned.len, 1);
	assert_int_equal(m.heard.len, 2);
	assert_int_equal(m.stages[STAGE_WAITING].len, 2);
	model_worked(&m, &call[0]);
	assert_ptr_equal(model_next(&m), &call[1]);

	/* at-write: nobody notices before a write fails */
	apply(&m, "hangup", "at-write");
	assert_false(model_hang_up(&m, &call[0]));

	/* at-once: it leaves the FIFO */
	apply(&m, "hangup", "at-once");
	assert_true(model_hang_up(&m, &call[2]));
	model_leave(&m, &call[2], false);
	assert_int_equal(m.stages[STAGE_WAITING].len, 0);

	model_leave(&m, &call[0], false);
	model_leave(&m, &call[1], false);
	assert_int_equal(m.hangups, 3);
	assert_int_equal(model_idle(&m), 3);
	close_and_end(&m, 3);
}

/* Draws of `n` calls; every `skip`-th of them hangs up while it waits. */
static void draw(ns_t *out, uint32_t n, uint32_t skip)
{
	struct model m;
	struct model_call call;

	init(&m, ORIGIN_NONE, ORIGIN_NONE, "uniform(1s, 9s)");
	assert_true(model_accept(&m));
	for (uint32_t i = 0; i < n; i++) {
		assert_true(model_arrive(&m, &call));
		out[i] = 0;
		if (skip && i % skip == 0) {
			(void)!model_hang_up(&m, &call);
		} else {
			assert_ptr_equal(model_next(&m), &call);
			out[i] = call.work_for;
		}
		model_leave(&m, &call, true);
	}
	model_close(&m);
	model_fini(&m);
}

/* Rule 4. */
static void test_the_nth_call_is_alike(void **state)
{
	ns_t a[100], b[100];
	uint32_t differ = 0;
	(void)state;

	draw(a, 100, 0);
	draw(b, 100, 7);
	for (int i = 0; i < 100; i++) {
		assert_true(a[i] >= NS_S && a[i] <= 9 * NS_S);
		if (i % 7)
			assert_int_equal(a[i], b[i]);
		differ += i > 0 && a[i] != a[i - 1];
	}
	assert_int_equal(differ, 99);
}

static void test_phases_by_time(void **state)
{
	struct model m;
	(void)state;

	init(&m, 1000, ORIGIN_NONE, "50ms");
	assert_true(model_next_phase(&m) == NS_NEVER);
	add_phase(&m, "20s: limit=7 latency=1s");
	add_phase(&m, "10s: limit=500 workers=3");
	add_phase(&m, "20s: limit=8");
	assert_int_equal(model_next_phase(&m), 10 * NS_S);
	assert_false(model_run_phases(&m, 10 * NS_S - 1));
	assert_int_equal(m.limit, 1000);

	assert_true(model_run_phases(&m, 10 * NS_S));
	assert_int_equal(m.limit, 500);
	assert_int_equal(m.workers, 3);
	assert_int_equal(latency_of(&m), 50 * NS_MS);
	assert_int_equal(model_next_phase(&m), 20 * NS_S);

	/* a late look applies all that is due, in order */
	assert_true(model_run_phases(&m, 60 * NS_S));
	assert_int_equal(m.limit, 8);
	assert_int_equal(latency_of(&m), NS_S);
	assert_true(model_next_phase(&m) == NS_NEVER);
	assert_false(model_run_phases(&m, 70 * NS_S));
	model_fini(&m);
}

static void test_phases_not_reached_are_freed(void **state)
{
	struct model m;
	(void)state;

	init(&m, 1, ORIGIN_NONE, "50ms");
	add_phase(&m, "20s: latency=1s");
	model_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_slots_are_held_to_the_end),
		TEST(test_slots_by_request),
		TEST(test_limits_none_and_zero),
		TEST(test_a_lowered_limit_takes_nothing_back),
		TEST(test_workers_take_calls_in_order),
		TEST(test_hangups),
		TEST(test_the_nth_call_is_alike),
		TEST(test_phases_by_time),
		TEST(test_phases_not_reached_are_freed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

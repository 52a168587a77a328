/*
 * The wheel against a model that is too simple to be wrong: an array that is searched.
 * Every operation is done to both; every call of on_fire must be the one the model expects
 * next.
 */
#include "unit.h"

#include "base/wheel.h"

#define TIMERS 96

struct model_timer {
	struct timer timer;
	struct model *m;
	bool set, due; /* due: in the run in progress */
	ns_t at;
	uint64_t order;
};

struct model {
	struct wheel *wheel;
	ns_t now;
	uint64_t order, fired;
	uint32_t set;
	bool running, busy_callbacks;
	struct rng rng;
	struct model_timer timers[TIMERS];
};

static ns_t model_first(const struct model *m)
{
	ns_t first = NS_NEVER;
	for (size_t i = 0; i < TIMERS; i++)
		if (m->timers[i].set)
			first = ns_min(first, m->timers[i].at);
	return first;
}

static void check_next(const struct model *m)
{
	ns_t first = model_first(m), next = wheel_next(m->wheel);
	assert_int_equal(wheel_count(m->wheel), m->set);
	if (first == NS_NEVER)
		assert_int_equal(next, NS_NEVER);
	else
		assert_true(next <= first);
}

static void do_stop(struct model *m, struct model_timer *t)
{
	wheel_stop(m->wheel, &t->timer);
	m->set -= t->set;
	t->set = t->due = false;
	assert_false(timer_is_set(&t->timer));
}

static void do_set(struct model *m, struct model_timer *t, ns_t at)
{
	wheel_set(m->wheel, &t->timer, at);
	m->set -= t->set;
	t->set = at != NS_NEVER;
	m->set += t->set;
	t->due = false;
	t->at = at;
	t->order = m->order++;
	assert_int_equal(timer_is_set(&t->timer), t->set);
}

/* Of any size up to 2^62 ns, each size as likely as another. */
static ns_t any_span(struct rng *r)
{
	return (ns_t)(rng_next(r) >> (2 + rng_below(r, 62)));
}

/* Of the sizes that timers have in use: up to some hours. */
static ns_t usual_span(struct rng *r)
{
	return (ns_t)(rng_next(r) >> (20 + rng_below(r, 44)));
}

static ns_t any_instant(struct model *m)
{
	switch (rng_below(&m->rng, 10)) {
	case 0:
		return NS_NEVER;
	case 1:
		return m->now;
	case 2:
		return m->now - usual_span(&m->rng); /* may be below 0 */
	case 3:
		return ns_add(m->now, any_span(&m->rng));
	case 4:
		return ns_add(m->now, 1);
	default:
		return ns_add(m->now, usual_span(&m->rng));
	}
}

static struct model_timer *any_timer(struct model *m)
{
	return &m->timers[rng_below(&m->rng, TIMERS)];
}

static struct model_timer *expected(struct model *m)
{
	struct model_timer *first = NULL;
	for (size_t i = 0; i < TIMERS; i++) {
		struct model_timer *t = &m->timers[i];
		if (t->due && (!first || t->at < first->at ||
				      (t->at == first->at && t->order < first->order)))
			first = t;
	}
	return first;
}

static void on_fire(struct timer *timer)
{
	struct model_timer *t = CONTAINER_OF(timer, struct model_timer, timer);
	struct model *m = t->m;

	assert_true(m->running);
	assert_ptr_equal(t, expected(m));
	assert_true(t->at <= m->now);
	assert_false(timer_is_set(timer));
	t->set = t->due = false;
	m->set--;
	m->fired++;
	if (!m->busy_callbacks)
		return;
	while (rng_below(&m->rng, 3) == 0) {
		if (rng_below(&m->rng, 2))
			do_stop(m, any_timer(m));
		else
			do_set(m, any_timer(m), any_instant(m));
	}
	if (rng_below(&m->rng, 4) == 0)
		do_set(m, t, any_instant(m));
	check_next(m);
}

static void do_run(struct model *m, ns_t now)
{
	m->now = now;
	for (size_t i = 0; i < TIMERS; i++)
		m->timers[i].due = m->timers[i].set && m->timers[i].at <= now;
	m->running = true;
	wheel_run(m->wheel, now);
	m->running = false;
	assert_null(expected(m)); /* none was left out */
	check_next(m);
}

static struct model *model_new(uint64_t seed, ns_t now, ns_t grain)
{
	struct model *m = mem_zalloc(sizeof(*m));
	rng_init(&m->rng, seed);
	m->now = now;
	m->wheel = wheel_new(now, grain);
	for (size_t i = 0; i < TIMERS; i++) {
		m->timers[i].m = m;
		m->timers[i].timer.on_fire = on_fire;
	}
	return m;
}

static void model_free(struct model *m)
{
	for (size_t i = 0; i < TIMERS; i++)
		do_stop(m, &m->timers[i]);
	wheel_free(&m->wheel);
	assert_null(m->wheel);
	mem_free(m);
}

static void random_operation(struct model *m)
{
	switch (rng_below(&m->rng, 8)) {
	case 0:
		do_stop(m, any_timer(m));
		break;
	case 1: /* a turn, at once or a little later */
		do_run(m, m->now + (ns_t)rng_below(&m->rng, 3));
		break;
	case 2:
		do_run(m, ns_add(m->now,
				  ns_min(usual_span(&m->rng), NS_NEVER / 4 - m->now)));
		break;
	case 3: { /* exactly at, or just before, the earliest */
		ns_t first = model_first(m);
		if (first != NS_NEVER && first < NS_NEVER / 4)
			do_run(m, ns_max(m->now, first - (ns_t)rng_below(&m->rng, 2)));
		break;
	}
	default:
		do_set(m, any_timer(m), any_instant(m));
	}
	check_next(m);
}

static void test_random(void **state)
{
	(void)state;
	static const ns_t grains[] = { 1, 3, 64, 1000, 16384, NS_MS, NS_S };
	uint64_t seed = test_seed(1);
	uint64_t fired = 0;

	for (uint64_t round = 0; round < 140; round++) {
		ns_t start = round % 2 ? (ns_t)(rng_mix(seed, round) >> 20) : 0;
		struct model *m = model_new(
			rng_mix(seed, round), start, grains[round % ARRAY_LEN(grains)]);
		m->busy_callbacks = round % 4 != 3;
		for (int i = 0; i < 3000; i++)
			random_operation(m);
		fired += m->fired;
		model_free(m);
	}
	assert_true(fired > 10000); /* else the above tested little */
}

/* Far timers, up to the last instant there is, and one jump across all of it. */
static void test_far(void **state)
{
	(void)state;
	for (unsigned grain_bits = 0; grain_bits < 40; grain_bits++) {
		struct model *m = model_new(7, 5, (ns_t)1 << grain_bits);
		for (unsigned i = 0; i < 63; i++)
			do_set(m, &m->timers[i], (ns_t)1 << i);
		do_set(m, &m->timers[63], NS_NEVER - 1);
		do_set(m, &m->timers[64], NS_NEVER);
		assert_int_equal(wheel_count(m->wheel), 64);
		if (grain_bits % 2)
			for (unsigned i = 0; i < 62; i++)
				do_run(m, ns_max(m->now, ((ns_t)1 << i) - (i % 3 == 0)));
		do_run(m, NS_NEVER - 2);
		assert_int_equal(wheel_count(m->wheel), 1);
		do_run(m, NS_NEVER - 1);
		assert_int_equal(m->fired, 64);
		model_free(m);
	}
}

/* One timer at each instant of a span that crosses three levels, by steps of many sizes:
 * each fires in the first run that is not before it. */
static void test_every_instant(void **state)
{
	(void)state;
	static const ns_t steps[] = { 1, 2, 7, 63, 64, 65, 4095, 4096, 4097, 9000 };
	static const ns_t starts[] = { 0, 1, 63, 64, 4000, 4095, 262143, 262144 - 50 };
	enum { SPAN = 9000 };

	for (size_t i = 0; i < ARRAY_LEN(steps) * ARRAY_LEN(starts); i++) {
		ns_t step = steps[i / ARRAY_LEN(starts)],
		     start = starts[i % ARRAY_LEN(starts)];
		for (ns_t offset = 0; offset < SPAN; offset += TIMERS) {
			struct model *m = model_new(1, start, 1);
			for (ns_t k = 0; k < TIMERS; k++)
				do_set(m, &m->timers[TIMERS - 1 - k], start + offset + k);
			/* do_run holds each run against the model. */
			for (ns_t now = start; m->set; now += step)
				do_run(m, now < start + offset - 2 * step
						  ? start + offset - 2 * step
						  : now);
			assert_int_equal(m->fired, TIMERS);
			model_free(m);
			offset += step > 64 ? 7 * TIMERS : 0;
		}
	}
}

/* A loop that sleeps until wheel_next is never late, and rarely wakes in vain. */
static void test_sleep_until_next(void **state)
{
	(void)state;
	uint64_t seed = test_seed(2);

	for (uint64_t round = 0; round < 60; round++) {
		struct model *m = model_new(
			rng_mix(seed, round), 0, round % 2 ? NS_MS : 1);
		for (int i = 0; i < TIMERS; i++)
			do_set(m, &m->timers[i], usual_span(&m->rng));
		bool stops = round % 3 == 0;
		for (int i = 0; stops && i < TIMERS / 2; i++)
			do_stop(m, any_timer(m));
		uint64_t vain = 0;
		while (m->set) {
			ns_t first = model_first(m), next = wheel_next(m->wheel);
			uint64_t fired = m->fired;
			assert_true(next >= m->now || next == first);
			if (!stops)
				assert_int_equal(next, first);
			do_run(m, ns_max(next, m->now));
			vain += m->fired == fired;
		}
		assert_true(vain <= TIMERS);
		model_free(m);
	}
}

struct chain {
	struct timer timer;
	struct wheel *wheel;
	ns_t now, step;
	int calls;
};

static void on_chain(struct timer *t)
{
	struct chain *c = CONTAINER_OF(t, struct chain, timer);
	c->calls++;
	wheel_set(c->wheel, t, c->now + c->step);
}

/* Rule 3: set in a callback for a time already due, it waits for the next run. */
static void test_set_due_in_callback(void **state)
{
	(void)state;
	for (ns_t step = -5; step <= 0; step++) {
		struct chain c = { .timer.on_fire = on_chain, .now = 100, .step = step };
		c.wheel = wheel_new(0, 16);
		wheel_set(c.wheel, &c.timer, 100);
		wheel_run(c.wheel, 99);
		assert_int_equal(c.calls, 0);
		for (int run = 1; run <= 5; run++) {
			wheel_run(c.wheel, 100);
			assert_int_equal(c.calls, run);
			assert_true(wheel_next(c.wheel) <= 100);
		}
		wheel_stop(c.wheel, &c.timer);
		wheel_free(&c.wheel);
	}
}

struct order_timer {
	struct timer timer;
	uint32_t *log, *len;
	uint32_t id;
};

static void on_order(struct timer *t)
{
	struct order_timer *o = CONTAINER_OF(t, struct order_timer, timer);
	o->log[(*o->len)++] = o->id;
}

/* Rule 2, for many in one tick: by `at`, then by setting. */
static void test_order_within_a_tick(void **state)
{
	(void)state;
	enum { N = 5000 };
	struct order_timer *t = mem_zalloc(N * sizeof(*t));
	uint32_t *log = mem_zalloc(N * sizeof(*log)), len = 0;
	struct wheel *w = wheel_new(0, NS_MS);
	struct rng r;

	rng_init(&r, test_seed(3));
	for (uint32_t i = 0; i < N; i++) {
		t[i] = (struct order_timer){ .log = log, .len = &len, .id = i };
		t[i].timer.on_fire = on_order;
		wheel_set(w, &t[i].timer, 5 * NS_MS + (ns_t)rng_below(&r, 1000));
	}
	wheel_run(w, 6 * NS_MS);
	assert_int_equal(len, N);
	for (uint32_t i = 1; i < N; i++) {
		const struct order_timer *a = &t[log[i - 1]], *b = &t[log[i]];
		assert_true(a->timer.at < b->timer.at ||
			    (a->timer.at == b->timer.at && a->id < b->id));
	}
	wheel_free(&w);
	mem_free(t);
	mem_free(log);
}

static void free_with_timer(void)
{
	struct timer t = { .on_fire = on_fire };
	struct wheel *w = wheel_new(0, 1);
	wheel_set(w, &t, 5);
	wheel_free(&w);
}

static void set_without_callback(void)
{
	struct timer t = { 0 };
	struct wheel *w = wheel_new(0, 1);
	wheel_set(w, &t, 5);
}

static void test_rules(void **state)
{
	(void)state;
	assert_true(aborts(free_with_timer));
	assert_true(aborts(set_without_callback));
	assert_int_equal(sizeof(struct timer), 40);
	struct wheel *none = NULL;
	wheel_free(&none);
}

/* The monotonic clock does not go back; a caller's cached instant may. */
static void test_now_goes_back(void **state)
{
	(void)state;
	struct model *m = model_new(4, 1000, 1);
	do_set(m, &m->timers[0], 1500);
	do_set(m, &m->timers[1], 2000);
	do_run(m, 1800);
	do_set(m, &m->timers[2], 1700);
	do_run(m, 1600);
	assert_int_equal(m->fired, 1);
	do_run(m, 1700);
	assert_int_equal(m->fired, 2);
	do_run(m, 2000);
	assert_int_equal(m->fired, 3);
	model_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_random),
		TEST(test_far),
		TEST(test_every_instant),
		TEST(test_sleep_until_next),
		TEST(test_set_due_in_callback),
		TEST(test_order_within_a_tick),
		TEST(test_rules),
		TEST(test_now_goes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

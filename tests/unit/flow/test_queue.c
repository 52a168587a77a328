/* The queue: bounds in calls and in time, first in first out, leaving once. */
#include "flow/queue.h"
#include "tests/unit/base/unit.h"

static void test_first_in_first_out(void **state)
{
	(void)state;
	struct queue q;
	struct ticket t[3] = { 0 };
	queue_init(&q, 10, 100);
	for (int i = 0; i < 3; i++)
		assert_int_equal(queue_push(&q, &t[i], 1, i, NS_NEVER), ERR_OK);
	for (int i = 0; i < 3; i++) {
		assert_ptr_equal(queue_front(&q), &t[i]);
		assert_true(ticket_is_waiting(&t[i]));
		queue_remove(&q, &t[i]);
		assert_false(ticket_is_waiting(&t[i]));
	}
	assert_null(queue_front(&q));
	assert_int_equal(q.waiting, 0);
	assert_int_equal(q.peak, 3);
}

static void test_bound_counts_calls(void **state)
{
	(void)state;
	struct queue q;
	struct ticket t[4] = { 0 };
	queue_init(&q, 5, NS_NEVER);
	assert_int_equal(queue_push(&q, &t[0], 3, 0, NS_NEVER), ERR_OK);
	assert_int_equal(queue_push(&q, &t[1], 3, 0, NS_NEVER), ERR_QUEUE_FULL);
	assert_int_equal(queue_push(&q, &t[1], 2, 0, NS_NEVER), ERR_OK);
	assert_int_equal(queue_push(&q, &t[2], 1, 0, NS_NEVER), ERR_QUEUE_FULL);
	assert_int_equal(queue_push(&q, &t[2], 6, 0, NS_NEVER), ERR_QUEUE_FULL);
	assert_int_equal(q.waiting, 5);
	queue_remove(&q, &t[0]);
	assert_int_equal(queue_push(&q, &t[2], 1, 0, NS_NEVER), ERR_OK);
	queue_push_front(&q, &t[3], 4, 0); /* past the bound */
	assert_ptr_equal(queue_front(&q), &t[3]);
	assert_int_equal(q.waiting, 7);
}

static void test_no_queue_at_all(void **state)
{
	(void)state;
	struct queue q;
	struct ticket t = { 0 };
	queue_init(&q, 0, NS_NEVER);
	assert_int_equal(queue_push(&q, &t, 1, 0, NS_NEVER), ERR_QUEUE_FULL);
	assert_false(ticket_is_waiting(&t));
}

static void test_too_late_already(void **state)
{
	(void)state;
	struct queue q;
	struct ticket t = { 0 };
	queue_init(&q, 5, NS_NEVER);
	assert_int_equal(queue_push(&q, &t, 1, 50, 50), ERR_SHED);
	assert_int_equal(queue_push(&q, &t, 1, 50, 49), ERR_SHED);
	assert_int_equal(queue_push(&q, &t, 1, 50, 51), ERR_OK);
}

static void test_expiry_is_the_earlier_bound(void **state)
{
	(void)state;
	struct queue q;
	struct ticket t[3] = { 0 };
	queue_init(&q, 10, 100);
	assert_true(queue_next_expiry(&q) == NS_NEVER);
	assert_int_equal(queue_push(&q, &t[0], 1, 0, NS_NEVER), ERR_OK); /* 100 */
	assert_int_equal(queue_push(&q, &t[1], 1, 10, 40), ERR_OK);      /* 40 */
	assert_int_equal(queue_push(&q, &t[2], 1, 20, 5000), ERR_OK);    /* 120 */
	assert_int_equal(queue_next_expiry(&q), 40);
	assert_null(queue_expire(&q, 39));
	assert_ptr_equal(queue_expire(&q, 40), &t[1]);
	assert_null(queue_expire(&q, 40));
	assert_int_equal(queue_next_expiry(&q), 100);
	assert_ptr_equal(queue_expire(&q, 130), &t[0]);
	assert_ptr_equal(queue_expire(&q, 130), &t[2]);
	assert_null(queue_expire(&q, 130));
	assert_true(queue_next_expiry(&q) == NS_NEVER);
	assert_int_equal(q.waiting, 0);
}

static void test_front_of_queue_never_expires(void **state)
{
	(void)state;
	struct queue q;
	struct ticket back = { 0 }, again = { 0 };
	queue_init(&q, 10, 100);
	assert_int_equal(queue_push(&q, &back, 1, 0, NS_NEVER), ERR_OK);
	queue_push_front(&q, &again, 1, 0);
	assert_ptr_equal(queue_expire(&q, 100), &back);
	assert_null(queue_expire(&q, NS_NEVER - 1));
	assert_ptr_equal(queue_front(&q), &again);
}

/* --- a walk beside a naive model --- */

#define WALK_TICKETS 20

struct walk {
	struct queue q;
	struct ticket t[WALK_TICKETS];
	struct ticket *order[WALK_TICKETS]; /* the model: who waits, in order */
	ns_t until[WALK_TICKETS];
	uint32_t len;
	struct rng rng;
	ns_t now;
};

static void model_drop(struct walk *w, const struct ticket *t)
{
	uint32_t at = 0;
	while (at < w->len && w->order[at] != t)
		at++;
	assert_true(at < w->len);
	w->len--;
	memmove(&w->order[at], &w->order[at + 1], (w->len - at) * sizeof(w->order[0]));
}

static void walk_push(struct walk *w, struct ticket *t)
{
	uint32_t need = 1 + (uint32_t)rng_below(&w->rng, 4);
	ns_t deadline = w->now + (ns_t)rng_below(&w->rng, 60) - 5;
	uint64_t waiting = w->q.waiting;
	enum err e = queue_push(&w->q, t, need, w->now, deadline);
	if (deadline <= w->now) {
		assert_int_equal(e, ERR_SHED);
	} else if (waiting + need > w->q.max) {
		assert_int_equal(e, ERR_QUEUE_FULL);
	} else {
		assert_int_equal(e, ERR_OK);
		w->until[t - w->t] = ns_min(deadline, w->now + w->q.wait_for);
		w->order[w->len++] = t;
	}
}

static void walk_expire(struct walk *w)
{
	struct ticket *t;
	while ((t = queue_expire(&w->q, w->now))) {
		assert_true(w->until[t - w->t] <= w->now);
		model_drop(w, t);
	}
	for (uint32_t i = 0; i < w->len; i++)
		assert_true(w->until[w->order[i] - w->t] > w->now);
}

static void walk_check(const struct walk *w)
{
	uint64_t waiting = 0;
	for (uint32_t i = 0; i < w->len; i++) {
		waiting += w->order[i]->need;
		assert_true(queue_next_expiry(&w->q) <= w->until[w->order[i] - w->t]);
	}
	assert_int_equal(w->q.waiting, waiting);
	assert_ptr_equal(queue_front(&w->q), w->len ? w->order[0] : NULL);
}

static void test_walk(void **state)
{
	(void)state;
	struct walk w = { .now = 10 };
	rng_init(&w.rng, test_seed(1));
	queue_init(&w.q, 25, 40);
	for (int step = 0; step < 200000; step++) {
		struct ticket *t = &w.t[rng_below(&w.rng, WALK_TICKETS)];
		if (rng_below(&w.rng, 8) == 0) {
			w.now += (ns_t)rng_below(&w.rng, 15);
			walk_expire(&w);
		} else if (!ticket_is_waiting(t)) {
			walk_push(&w, t);
		} else {
			queue_remove(&w.q, t);
			model_drop(&w, t);
		}
		walk_check(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_first_in_first_out),
		TEST(test_bound_counts_calls),
		TEST(test_no_queue_at_all),
		TEST(test_too_late_already),
		TEST(test_expiry_is_the_earlier_bound),
		TEST(test_front_of_queue_never_expires),
		TEST(test_walk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

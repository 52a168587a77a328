/* The queue: bounds in calls and in time; who is next, within one caller and between them;
 * leaving once. */
#include "flow/queue.h"
#include "tests/unit/base/unit.h"

static struct callers all;

static int setup(void **state)
{
	(void)state;
	callers_init(&all, 10);
	return 0;
}

/* Tickets may still wait: they are the tests' own. */
static int teardown(void **state)
{
	(void)state;
	for (uint32_t b = 0; b < CALLERS_BUCKETS; b++)
		LIST_EACH (&all.buckets[b], n, after)
			mem_free(CONTAINER_OF(n, struct caller, node));
	return 0;
}

static struct caller *find(uint64_t key)
{
	return callers_find(&all, key, CALLERS_NORMAL, 0);
}

static struct ticket *front(struct queue *q)
{
	return queue_next(q, 1, 0);
}

static enum err push(
	struct queue *q, struct ticket *t, uint32_t need, ns_t now, ns_t until)
{
	return queue_push(q, t, find(1), need, now, until);
}

static void test_first_in_first_out(void **state)
{
	(void)state;
	struct queue q;
	struct ticket t[3] = { 0 };
	queue_init(&q, &all, 10, 100);
	for (int i = 0; i < 3; i++)
		assert_int_equal(push(&q, &t[i], 1, i, NS_NEVER), ERR_OK);
	for (int i = 0; i < 3; i++) {
		assert_ptr_equal(front(&q), &t[i]);
		assert_true(ticket_is_waiting(&t[i]));
		queue_remove(&q, &t[i], 0);
		assert_false(ticket_is_waiting(&t[i]));
	}
	assert_null(front(&q));
	assert_int_equal(q.waiting, 0);
	assert_int_equal(q.peak, 3);
}

static bool is_odd(void *ctx, struct ticket *t)
{
	const struct ticket *first = ctx;
	return (t - first) % 2 != 0;
}

static void test_sift(void **state)
{
	(void)state;
	struct queue q;
	struct ticket t[5] = { 0 };
	struct list out;
	queue_init(&q, &all, 10, 100);
	list_init(&out);
	for (int i = 0; i < 5; i++)
		assert_int_equal(push(&q, &t[i], 1, i, NS_NEVER), ERR_OK);
	queue_sift(&q, is_odd, t, &out, 0);
	assert_int_equal(q.waiting, 2);
	for (int i = 0; i < 5; i++)
		assert_int_equal(ticket_is_waiting(&t[i]), i % 2);
	for (int i = 0; i < 5; i += 2)
		assert_ptr_equal(list_pop_front(&out), &t[i].node);
	assert_ptr_equal(front(&q), &t[1]);
	queue_sift(&q, is_odd, t + 1, &out, 0); /* the others */
	assert_true(queue_is_empty(&q) && out.len == 2);
}

static void test_bound_counts_calls(void **state)
{
	(void)state;
	struct queue q;
	struct ticket t[4] = { 0 };
	queue_init(&q, &all, 5, NS_NEVER);
	assert_int_equal(push(&q, &t[0], 3, 0, NS_NEVER), ERR_OK);
	assert_int_equal(push(&q, &t[1], 3, 0, NS_NEVER), ERR_QUEUE_FULL);
	assert_int_equal(push(&q, &t[1], 2, 0, NS_NEVER), ERR_OK);
	assert_int_equal(push(&q, &t[2], 1, 0, NS_NEVER), ERR_QUEUE_FULL);
	assert_int_equal(push(&q, &t[2], 6, 0, NS_NEVER), ERR_QUEUE_FULL);
	assert_int_equal(q.waiting, 5);
	queue_remove(&q, &t[0], 0);
	assert_int_equal(push(&q, &t[2], 1, 0, NS_NEVER), ERR_OK);
	queue_push_front(&q, &t[3], find(1), 4, 0, NS_NEVER); /* past the bound */
	assert_ptr_equal(front(&q), &t[3]);
	assert_int_equal(q.waiting, 7);
}

static void test_no_queue_at_all(void **state)
{
	(void)state;
	struct queue q;
	struct ticket t = { 0 };
	queue_init(&q, &all, 0, NS_NEVER);
	assert_int_equal(push(&q, &t, 1, 0, NS_NEVER), ERR_QUEUE_FULL);
	assert_false(ticket_is_waiting(&t));
}

static void test_too_late_already(void **state)
{
	(void)state;
	struct queue q;
	struct ticket t = { 0 };
	queue_init(&q, &all, 5, NS_NEVER);
	assert_int_equal(push(&q, &t, 1, 50, 50), ERR_SHED);
	assert_int_equal(push(&q, &t, 1, 50, 49), ERR_SHED);
	assert_int_equal(push(&q, &t, 1, 50, 51), ERR_OK);
}

static void test_expiry_is_the_earlier_bound(void **state)
{
	(void)state;
	struct queue q;
	struct ticket t[3] = { 0 };
	queue_init(&q, &all, 10, 100);
	assert_true(queue_next_expiry(&q) == NS_NEVER);
	assert_int_equal(push(&q, &t[0], 1, 0, NS_NEVER), ERR_OK); /* 100 */
	assert_int_equal(push(&q, &t[1], 1, 10, 40), ERR_OK);      /* 40 */
	assert_int_equal(push(&q, &t[2], 1, 20, 5000), ERR_OK);    /* 120 */
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
	queue_init(&q, &all, 10, 100);
	assert_int_equal(push(&q, &back, 1, 0, NS_NEVER), ERR_OK);
	queue_push_front(&q, &again, find(1), 1, 0, NS_NEVER);
	assert_ptr_equal(queue_expire(&q, 100), &back);
	assert_null(queue_expire(&q, NS_NEVER - 1));
	assert_ptr_equal(front(&q), &again);
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
	enum err e = push(&w->q, t, need, w->now, deadline);
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

static void walk_check(struct walk *w)
{
	uint64_t waiting = 0;
	for (uint32_t i = 0; i < w->len; i++) {
		waiting += w->order[i]->need;
		assert_true(queue_next_expiry(&w->q) <= w->until[w->order[i] - w->t]);
	}
	assert_int_equal(w->q.waiting, waiting);
	assert_ptr_equal(front(&w->q), w->len ? w->order[0] : NULL);
}

static void test_walk(void **state)
{
	(void)state;
	struct walk w = { .now = 10 };
	rng_init(&w.rng, test_seed(1));
	queue_init(&w.q, &all, 25, 40);
	for (int step = 0; step < 200000; step++) {
		struct ticket *t = &w.t[rng_below(&w.rng, WALK_TICKETS)];
		if (rng_below(&w.rng, 8) == 0) {
			w.now += (ns_t)rng_below(&w.rng, 15);
			walk_expire(&w);
		} else if (!ticket_is_waiting(t)) {
			walk_push(&w, t);
		} else {
			queue_remove(&w.q, t, w.now);
			model_drop(&w, t);
		}
		walk_check(&w);
	}
}

/* --- between callers --- */

/* Grants what is next, one at a time, at the same instant: in what order the callers come. */
static void assert_order(struct queue *q, const char *expected)
{
	char got[32] = "";
	struct ticket *t;
	for (size_t i = 0; i < sizeof(got) - 1 && (t = front(q)); i++) {
		struct caller *c = t->caller;
		queue_remove(q, t, 0);
		caller_hold(&all, c, 0);
		got[i] = (char)('a' + c->key);
	}
	assert_string_equal(got, expected);
}

static void test_callers_take_turns(void **state)
{
	(void)state;
	struct queue q;
	struct ticket t[6] = { 0 };
	queue_init(&q, &all, 10, NS_NEVER);
	all.mean = NS_S;
	for (int i = 0; i < 4; i++)
		assert_int_equal(queue_push(&q, &t[i], find(0), 1, 0, NS_NEVER), ERR_OK);
	for (int i = 4; i < 6; i++)
		assert_int_equal(queue_push(&q, &t[i], find(1), 1, 0, NS_NEVER), ERR_OK);
	assert_order(&q, "ababaa");
}

static void test_who_holds_much_comes_later(void **state)
{
	(void)state;
	struct queue q;
	struct ticket t[4] = { 0 };
	queue_init(&q, &all, 10, NS_NEVER);
	all.mean = NS_S;
	for (int i = 0; i < 2; i++)
		assert_int_equal(queue_push(&q, &t[i], find(0), 1, 0, NS_NEVER), ERR_OK);
	caller_hold(&all, find(0), 0);
	caller_hold(&all, find(0), 0);
	all.floor = 0;
	assert_int_equal(queue_push(&q, &t[2], find(1), 1, 0, NS_NEVER), ERR_OK);
	assert_int_equal(queue_push(&q, &t[3], find(1), 1, 0, NS_NEVER), ERR_OK);
	assert_order(&q, "bbaa");
}

static void test_priority_is_before_all(void **state)
{
	(void)state;
	struct queue q;
	struct ticket low = { 0 }, normal = { 0 }, high = { 0 };
	queue_init(&q, &all, 10, NS_NEVER);
	assert_int_equal(
		queue_push(&q, &low, callers_find(&all, 7, 2, 0), 1, 0, NS_NEVER),
		ERR_OK);
	assert_int_equal(queue_push(&q, &normal, find(7), 1, 0, NS_NEVER), ERR_OK);
	assert_int_equal(
		queue_push(&q, &high, callers_find(&all, 7, 0, 0), 1, 0, NS_NEVER),
		ERR_OK);
	assert_ptr_equal(front(&q), &high);
	queue_remove(&q, &high, 0);
	assert_ptr_equal(front(&q), &normal);
	queue_remove(&q, &normal, 0);
	assert_ptr_equal(front(&q), &low);
}

/* What a gather collects is not taken by who comes with less behind him, once its turn has come. */
static void test_who_collects_stays_next(void **state)
{
	(void)state;
	struct queue q;
	struct ticket gather = { 0 }, one = { 0 };
	queue_init(&q, &all, 10, NS_NEVER);
	assert_int_equal(queue_push(&q, &gather, find(1), 4, 0, NS_NEVER), ERR_OK);
	assert_ptr_equal(front(&q), &gather);
	assert_int_equal(
		queue_push(&q, &one, callers_find(&all, 2, 0, 0), 1, 0, NS_NEVER),
		ERR_OK);
	assert_ptr_equal(front(&q), &one);
	queue_collect(&q, &gather);
	assert_ptr_equal(front(&q), &gather);
	queue_remove(&q, &gather, 0);
	assert_ptr_equal(front(&q), &one);
}

/* Nor by who came back meanwhile, and has left: and of those that did each is next in turn. */
static void test_who_comes_back_leaves_it_so(void **state)
{
	(void)state;
	struct queue q;
	struct ticket gather = { 0 }, one = { 0 }, back[2] = { 0 };
	queue_init(&q, &all, 10, NS_NEVER);
	assert_int_equal(queue_push(&q, &gather, find(1), 4, 0, NS_NEVER), ERR_OK);
	queue_collect(&q, &gather);
	assert_int_equal(
		queue_push(&q, &one, callers_find(&all, 2, 0, 0), 1, 0, NS_NEVER),
		ERR_OK);
	for (uint32_t i = 0; i < 2; i++) {
		queue_push_front(&q, &back[i], find(3 + i), 1, 0, NS_NEVER);
		assert_ptr_equal(front(&q), &back[i]);
		assert_true(queue_stays_next(&q, &back[i]));
	}
	queue_remove(&q, &back[1], 0);
	assert_ptr_equal(front(&q), &back[0]);
	queue_remove(&q, &back[0], 0);
	assert_ptr_equal(front(&q), &gather);
	assert_true(queue_stays_next(&q, &gather));
	queue_remove(&q, &gather, 0);
	assert_ptr_equal(front(&q), &one);
	assert_false(queue_stays_next(&q, &one));
}

static void test_a_flood_is_pushed_out(void **state)
{
	(void)state;
	struct queue q;
	struct ticket flood[3] = { 0 }, other = { 0 };
	queue_init(&q, &all, 3, NS_NEVER);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			queue_push(&q, &flood[i], find(1), 1, 0, NS_NEVER), ERR_OK);
	assert_null(queue_push_out(&q, find(1), 0));
	assert_int_equal(queue_could_push_out(&q, find(1)), 0);
	assert_int_equal(queue_could_push_out(&q, find(2)), 2);
	assert_int_equal(queue_could_push_out(&q, callers_find(&all, 2, 2, 0)), 0);
	assert_ptr_equal(queue_push_out(&q, find(2), 0), &flood[2]);
	assert_int_equal(queue_push(&q, &other, find(2), 1, 0, NS_NEVER), ERR_OK);
	assert_null(queue_push_out(&q, find(2), 0)); /* 2 to 1: one more would turn it */
}

static void test_how_many_come_before(void **state)
{
	(void)state;
	struct queue q;
	struct ticket t[6] = { 0 };
	queue_init(&q, &all, 10, NS_NEVER);
	all.mean = NS_S;
	assert_int_equal(queue_ahead(&q, find(1), 0, 0), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(queue_push(&q, &t[i], find(1), 1, 0, NS_NEVER), ERR_OK);
	assert_int_equal(queue_ahead(&q, find(1), 0, 0), 4);
	assert_int_equal(queue_ahead(&q, find(2), 0, 0), 1); /* they take turns */
	assert_int_equal(queue_push(&q, &t[4], find(2), 1, 0, NS_NEVER), ERR_OK);
	assert_int_equal(queue_ahead(&q, find(2), 0, 0), 3);
	assert_int_equal(
		queue_push(&q, &t[5], callers_find(&all, 3, 0, 0), 1, 0, NS_NEVER),
		ERR_OK);
	assert_int_equal(queue_ahead(&q, find(2), 0, 0), 4);
}

/* Who waits until the server may be asked again does not wait for a slot. */
static void test_held(void **state)
{
	(void)state;
	struct queue q;
	struct ticket t[4] = { 0 };
	queue_init(&q, &all, 10, 100);
	assert_int_equal(push(&q, &t[0], 1, 0, 400), ERR_OK);
	assert_int_equal(push(&q, &t[1], 1, 10, NS_NEVER), ERR_OK);
	assert_int_equal(push(&q, &t[2], 1, 20, 1000), ERR_OK);
	queue_hold(&q, 500, 50);
	assert_int_equal(push(&q, &t[3], 1, 30, 600), ERR_OK);
	assert_ptr_equal(queue_take_before(&q, 500, 40), &t[0]);
	assert_null(queue_take_before(&q, 500, 40));
	assert_int_equal(q.waiting, 3);
	assert_null(queue_expire(&q, 599));
	assert_ptr_equal(queue_expire(&q, 600), &t[3]);
	assert_null(queue_expire(&q, 649));
	assert_ptr_equal(queue_expire(&q, 650), &t[1]);
	assert_ptr_equal(queue_expire(&q, 650), &t[2]);
	assert_int_equal(q.waiting, 0);
}

static void test_who_came_back_is_held_without_a_bound(void **state)
{
	(void)state;
	struct queue q;
	struct ticket t[2] = { 0 };
	queue_init(&q, &all, 10, 100);
	queue_push_front(&q, &t[0], find(1), 1, 0, 1000);
	queue_push_front(&q, &t[1], find(1), 1, 0, NS_NEVER);
	queue_hold(&q, 500, 50);
	assert_null(queue_expire(&q, 999));
	assert_ptr_equal(queue_expire(&q, 1000), &t[0]);
	assert_null(queue_expire(&q, NS_NEVER - 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_AROUND(test_first_in_first_out),
		TEST_AROUND(test_sift),
		TEST_AROUND(test_bound_counts_calls),
		TEST_AROUND(test_no_queue_at_all),
		TEST_AROUND(test_too_late_already),
		TEST_AROUND(test_expiry_is_the_earlier_bound),
		TEST_AROUND(test_front_of_queue_never_expires),
		TEST_AROUND(test_held),
		TEST_AROUND(test_who_came_back_is_held_without_a_bound),
		TEST_AROUND(test_walk),
		TEST_AROUND(test_callers_take_turns),
		TEST_AROUND(test_who_holds_much_comes_later),
		TEST_AROUND(test_priority_is_before_all),
		TEST_AROUND(test_who_collects_stays_next),
		TEST_AROUND(test_who_comes_back_leaves_it_so),
		TEST_AROUND(test_a_flood_is_pushed_out),
		TEST_AROUND(test_how_many_come_before),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

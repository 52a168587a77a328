/* Callers of one limit over several threads: what one holds, needs and waits for on all of them. */
#include "flow/accounts.h"
#include "base/rng.h"
#include "flow/queue.h"
#include "tests/unit/base/unit.h"

#define MEAN NS_S
#define LIMIT 40
#define THREADS 2

static struct accounts accounts;
static struct callers own[THREADS];
static int locked;

static void lock(struct accounts *a)
{
	assert_ptr_equal(a, &accounts);
	assert_int_equal(locked++, 0);
}

static void unlock(struct accounts *a)
{
	assert_ptr_equal(a, &accounts);
	assert_int_equal(--locked, 0);
}

static int setup(void **state)
{
	(void)state;
	accounts_init(&accounts);
	accounts.lock = lock;
	accounts.unlock = unlock;
	for (int i = 0; i < THREADS; i++) {
		callers_init(&own[i], 0);
		callers_tie(&own[i], &accounts);
		own[i].mean = MEAN;
		own[i].mean_of = 1;
		callers_refresh(&own[i], LIMIT, 0);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < THREADS; i++)
		callers_fini(&own[i]);
	assert_int_equal(accounts.all.soon, 0);
	accounts_fini(&accounts);
	assert_int_equal(locked, 0);
	return 0;
}

static struct caller *find(int thread, uint64_t key)
{
	return callers_find(&own[thread], key, CALLERS_NORMAL, 0);
}

static void hold(int thread, struct caller *c, int n)
{
	while (n-- > 0)
		caller_hold(&own[thread], c, 0);
}

static void release(int thread, struct caller *c, int n)
{
	while (n-- > 0)
		caller_release(&own[thread], c, 0);
}

static void test_one_key_one_account(void **state)
{
	(void)state;
	struct caller *a = find(0, 1), *b = find(1, 1);
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(caller_account(a), caller_account(b));
	assert_ptr_not_equal(caller_account(find(1, 2)), caller_account(b));
	hold(0, a, 3);
	hold(1, b, 2);
	assert_int_equal(caller_account(a)->held, 5);
	assert_int_equal(a->held, 3);
	assert_int_equal(b->held, 2);
	assert_int_equal(caller_cost(&own[0], a, 2 * NS_S), 5 * (2 * NS_S + MEAN));
	assert_int_equal(caller_cost(&own[1], b, 2 * NS_S), 5 * (2 * NS_S + MEAN));
	release(0, a, 3);
	release(1, b, 2);
}

/* Kept on every thread, for one who is on another. */
static void test_room_is_kept_from_a_flood_elsewhere(void **state)
{
	(void)state;
	struct caller *modest = find(0, 1), *flood = find(1, 2);
	hold(0, modest, 8);
	release(0, modest, 8);
	for (int i = 0; i < 1000; i++)
		caller_ask(&own[1], flood, 1, 0);
	hold(1, flood, 30);
	assert_false(caller_is_modest(&own[1], flood, 0));
	assert_int_equal(caller_room(&own[1], flood, 10, 0), 2);
	assert_int_equal(caller_room(&own[1], flood, 8, 0), 0);
	assert_int_equal(caller_room(&own[0], modest, 8, 0), 8);
	assert_int_equal(own[0].share, LIMIT / 2);
	release(1, flood, 30);
}

/* Who asks for much on both asks for twice as much. */
static void test_demand_is_added_up(void **state)
{
	(void)state;
	struct caller *a = find(0, 1), *b = find(1, 1), *other = find(0, 2);
	hold(0, other, 1);
	hold(0, a, 1);
	/* 30 calls a second that take a second, of which a half on each, beside a share of 20 */
	for (ns_t now = 0; now < 20 * NS_S; now += NS_S / 15) {
		caller_ask(&own[0], a, 1, now);
		caller_ask(&own[1], b, 1, now);
	}
	assert_false(caller_is_modest(&own[0], a, 20 * NS_S));
	assert_false(caller_is_modest(&own[1], b, 20 * NS_S));
	release(0, a, 1);
	release(0, other, 1);
}

static void test_nothing_is_forgotten_while_one_waits_elsewhere(void **state)
{
	(void)state;
	struct caller *a = find(0, 1), *b = find(1, 2);
	caller_wait(&own[0], a, 1, 0);
	callers_forget(&own[1], 10 * NS_S);
	assert_int_equal(accounts.all.epoch, 0);
	caller_leave(&own[0], a, 1, 10 * NS_S);
	callers_forget(&own[1], 10 * NS_S + CALLERS_FORGET_FOR - 1);
	assert_int_equal(accounts.all.epoch, 0);
	callers_forget(&own[1], 10 * NS_S + CALLERS_FORGET_FOR);
	assert_int_equal(accounts.all.epoch, 1);
	assert_int_equal(caller_account(b)->waiting, 0);
}

static void test_an_account_outlives_one_of_its_fronts(void **state)
{
	(void)state;
	struct caller *a = find(0, 1);
	(void)find(1, 1);
	hold(0, a, 2);
	for (int i = 1; i < 100; i++)
		callers_refresh(&own[1], LIMIT, i * NS_S);
	assert_int_equal(accounts.all.count, 1);
	release(0, a, 2);
	for (int i = 100; i < 300; i++)
		for (int k = 0; k < THREADS; k++)
			callers_refresh(&own[k], LIMIT, i * NS_S);
	assert_int_equal(own[0].count + own[1].count, 0);
	assert_int_equal(accounts.all.count, 0);
}

/* A thread on which nothing happens any more keeps what it has, and takes no place of others. */
static void test_each_thread_has_room_for_as_many(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < CALLERS_MAX; i++)
		(void)find(0, i);
	struct caller *a = find(1, CALLERS_MAX), *b = find(1, CALLERS_MAX + 1);
	assert_ptr_not_equal(caller_account(a), caller_account(b));
	assert_int_equal(accounts.all.count, CALLERS_MAX + 2);
	assert_ptr_equal(find(0, CALLERS_MAX + 2), find(0, CALLERS_MAX + 3));
}

static void test_soon_is_of_all(void **state)
{
	(void)state;
	own[0].soon = 3;
	own[1].soon = 4;
	for (int k = 0; k < THREADS; k++)
		callers_refresh(&own[k], LIMIT, NS_S);
	assert_int_equal(accounts.all.soon, 7);
	own[0].soon = 1;
	callers_refresh(&own[0], LIMIT, NS_S);
	assert_int_equal(accounts.all.soon, 5);
}

static void know(int thread, ns_t mean, double mean_of)
{
	own[thread].mean = mean;
	own[thread].mean_of = mean_of;
	(void)callers_enter(&own[thread]);
	callers_leave(&own[thread]);
}

/* Whichever thread came last, and however often. */
static void test_the_mean_is_by_the_calls_of_all(void **state)
{
	(void)state;
	struct caller *c = find(1, 1);
	for (int i = 0; i < 5; i++) {
		know(0, 100 * NS_MS, 99);
		assert_true(accounts.all.mean < 200 * NS_MS);
		know(1, 10 * NS_S, 1);
		assert_int_equal(accounts.all.mean, 199 * NS_MS);
	}
	hold(1, c, 4); /* the floor stays where it is for good */
	assert_int_equal(accounts.all.floor, 3 * 199 * NS_MS);
	release(1, c, 4);
}

static void test_a_mean_that_is_not_told_again_fades(void **state)
{
	(void)state;
	know(0, 100 * NS_MS, 10);
	know(1, 10 * NS_S, 1000);
	assert_true(accounts.all.mean > 9 * NS_S);
	for (int i = 1; i <= 100; i++) {
		callers_refresh(&own[0], LIMIT, i * NS_S);
		know(0, 100 * NS_MS, 10 + i % 2);
	}
	assert_in_range(accounts.all.mean, 100 * NS_MS, 101 * NS_MS);
	/* of one that goes what it said goes, too */
	know(1, 10 * NS_S, 1001);
	callers_fini(&own[1]);
	know(0, 100 * NS_MS, 12);
	assert_int_equal(accounts.all.mean, 100 * NS_MS);
	callers_init(&own[1], 0);
	callers_tie(&own[1], &accounts);
}

/* Calls of other threads come before one, and behind it, as those of its own do. */
static void test_ahead_is_over_all_threads(void **state)
{
	(void)state;
	struct queue q[THREADS];
	struct ticket t[6] = { 0 };
	for (int k = 0; k < THREADS; k++)
		queue_init(&q[k], &own[k], UINT64_MAX, NS_NEVER);
	struct caller *few = find(0, 1), *many = find(1, 2), *here = find(0, 2);
	for (int i = 0; i < 6; i++)
		assert_int_equal(
			queue_push(&q[i < 5], &t[i], i < 5 ? many : here, 1, 0, NS_NEVER),
			ERR_OK);
	assert_int_equal(queue_ahead(&q[0], here, 0, 0), 6); /* all its own */
	assert_true(queue_ahead(&q[0], few, 0, 0) <= 1);
	for (int i = 0; i < 6; i++)
		queue_remove(&q[i < 5], &t[i], 0);
}

/* 0 is for who asks for little; of floods, whoever has had less goes first. */
static void test_turns(void **state)
{
	(void)state;
	struct caller *modest = find(0, 1), *less = find(0, 2), *more = find(1, 3);
	struct caller *const floods[] = { less, more };
	hold(0, modest, 1);
	for (int i = 0; i < 1000; i++)
		for (int k = 0; k < 2; k++)
			caller_ask(&own[k], floods[k], 1, 0);
	hold(0, less, 1);
	hold(1, more, 20);
	caller_ask(&own[0], modest, 1, 0);
	ns_t now = 10 * NS_S;
	caller_hold(&own[1], more, now); /* the floor is where it is */
	assert_int_equal(caller_turn(&own[0], modest, now), 0);
	for (int i = 0; i < 10000; i++)
		for (int k = 0; k < 2; k++)
			caller_ask(&own[k], floods[k], 1, now);
	uint32_t first = caller_turn(&own[0], less, now);
	uint32_t second = caller_turn(&own[1], more, now);
	assert_in_range(first, 1, second - 1);
	assert_int_equal(second, CALLERS_TURNS - 1);
	release(0, modest, 1);
	release(0, less, 1);
	release(1, more, 21);
}

/* Whatever happens, an account is the sum of its fronts, and what is kept the sum of what is kept. */
static void check(void)
{
	uint32_t kept = 0, count = 0;
	for (uint32_t b = 0; b < CALLERS_BUCKETS; b++) {
		LIST_EACH (&accounts.all.buckets[b], n, after) {
			struct caller *a = CONTAINER_OF(n, struct caller, node);
			uint32_t waiting = 0, held = 0, fronts = 0;
			for (int k = 0; k < THREADS; k++)
				LIST_EACH (&own[k].buckets[b], m, then) {
					struct caller *c = CONTAINER_OF(
						m, struct caller, node);
					bool of = c->account == a;
					waiting += of ? c->waiting : 0;
					held += of ? c->held : 0;
					fronts += of;
				}
			assert_int_equal(a->waiting, waiting);
			assert_int_equal(a->held, held);
			assert_int_equal(a->fronts, fronts);
			assert_int_equal(list_on(&a->active), waiting > 0);
			kept += a->kept;
			count++;
		}
	}
	assert_int_equal(accounts.all.kept, kept);
	assert_int_equal(accounts.all.count, count);
}

static void step(
	struct rng *r, uint32_t held[THREADS][9], uint32_t waiting[THREADS][9], ns_t now)
{
	int k = (int)rng_below(r, THREADS);
	uint64_t key = 1 + rng_below(r, 8);
	struct caller *c = callers_find(&own[k], key, CALLERS_NORMAL, now);
	switch (rng_below(r, 6)) {
	case 0:
		caller_ask(&own[k], c, 1, now);
		break;
	case 1:
		caller_hold(&own[k], c, now);
		held[k][key]++;
		break;
	case 2:
		caller_wait(&own[k], c, 1, now);
		waiting[k][key]++;
		break;
	case 3:
		if (held[k][key] && held[k][key]--)
			caller_release(&own[k], c, now);
		break;
	case 4:
		if (waiting[k][key] && waiting[k][key]--)
			caller_leave(&own[k], c, 1, now);
		break;
	default:
		callers_refresh(&own[k], 20 + (uint32_t)rng_below(r, 30), now);
	}
}

static void test_random(void **state)
{
	(void)state;
	uint32_t held[THREADS][9] = { { 0 } }, waiting[THREADS][9] = { { 0 } };
	struct rng r;
	ns_t now = NS_S;
	rng_init(&r, 1);
	for (int i = 0; i < 20000; i++) {
		/* another thread's clock may be behind */
		now += (ns_t)rng_below(&r, 60 * NS_MS) - 5 * NS_MS;
		step(&r, held, waiting, now);
		if (i % 50 == 0)
			check();
	}
	for (int k = 0; k < THREADS; k++) {
		for (uint64_t key = 1; key < 9; key++) {
			struct caller *c = find(k, key);
			while (held[k][key]-- > 0)
				caller_release(&own[k], c, now);
			if (waiting[k][key])
				caller_leave(&own[k], c, waiting[k][key], now);
		}
	}
	check();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_AROUND(test_one_key_one_account),
		TEST_AROUND(test_room_is_kept_from_a_flood_elsewhere),
		TEST_AROUND(test_demand_is_added_up),
		TEST_AROUND(test_nothing_is_forgotten_while_one_waits_elsewhere),
		TEST_AROUND(test_an_account_outlives_one_of_its_fronts),
		TEST_AROUND(test_each_thread_has_room_for_as_many),
		TEST_AROUND(test_soon_is_of_all),
		TEST_AROUND(test_the_mean_is_by_the_calls_of_all),
		TEST_AROUND(test_a_mean_that_is_not_told_again_fades),
		TEST_AROUND(test_ahead_is_over_all_threads),
		TEST_AROUND(test_turns),
		TEST_AROUND(test_random),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Callers: slot-time, what is kept for whom, and what is forgotten. */
#include "flow/callers.h"
#include "tests/unit/base/unit.h"

#define MEAN NS_S

static struct callers all;

static int setup(void **state)
{
	(void)state;
	callers_init(&all, 40);
	all.mean = MEAN;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	callers_fini(&all);
	return 0;
}

static struct caller *find(uint64_t key)
{
	return callers_find(&all, key, CALLERS_NORMAL, 0);
}

static void hold(struct caller *c, uint32_t n, ns_t now)
{
	while (n-- > 0)
		caller_hold(&all, c, now);
}

static void release(struct caller *c, uint32_t n, ns_t now)
{
	while (n-- > 0)
		caller_release(&all, c, now);
}

static void test_same_key_same_caller(void **state)
{
	(void)state;
	struct caller *c = find(1);
	assert_ptr_equal(find(1), c);
	assert_ptr_not_equal(find(1 + CALLERS_BUCKETS), c);
	assert_ptr_not_equal(callers_find(&all, 1, 0, 0), c);
	assert_int_equal(all.count, 3);
}

static void test_cost_is_time_held_and_expected(void **state)
{
	(void)state;
	struct caller *c = find(1);
	assert_int_equal(caller_cost(&all, c, 0), 0);
	hold(c, 2, 0);
	assert_int_equal(caller_cost(&all, c, 0), 2 * MEAN);
	assert_int_equal(caller_cost(&all, c, 3 * NS_S), 2 * MEAN + 6 * NS_S);
	release(c, 1, 3 * NS_S);
	assert_int_equal(caller_cost(&all, c, 4 * NS_S), MEAN + 7 * NS_S);
	release(c, 1, 4 * NS_S);
}

static void test_who_comes_back_starts_where_the_others_are(void **state)
{
	(void)state;
	struct caller *busy = find(1), *rare;
	for (int i = 0; i < 10; i++) {
		hold(busy, 1, i * NS_S);
		release(busy, 1, (i + 1) * NS_S);
	}
	rare = find(2);
	assert_int_equal(caller_cost(&all, rare, 10 * NS_S), all.floor);
	assert_true(all.floor > 0 && all.floor <= caller_cost(&all, busy, 10 * NS_S));
	callers_forget(&all, 10 * NS_S);
	assert_int_equal(
		caller_cost(&all, busy, 10 * NS_S), caller_cost(&all, rare, 10 * NS_S));
}

static void test_alone_all_is_its_own(void **state)
{
	(void)state;
	struct caller *c = find(1);
	for (int i = 0; i < 1000; i++)
		caller_ask(&all, c, 1, 0);
	hold(c, 30, 0);
	assert_int_equal(caller_room(&all, c, 10, 0), 10);
	release(c, 30, 0);
}

/* Two callers, 40 slots: 20 each is fair. */
static void test_room_is_kept_for_who_needed_it(void **state)
{
	(void)state;
	struct caller *modest = find(1), *flood = find(2);
	hold(modest, 8, 0);
	release(modest, 8, 0);
	for (int i = 0; i < 1000; i++)
		caller_ask(&all, flood, 1, 0);
	hold(flood, 30, 0);
	assert_int_equal(all.claiming, 2);
	assert_false(caller_is_modest(&all, flood, 0));
	assert_int_equal(caller_room(&all, flood, 10, 0), 2);
	assert_int_equal(caller_room(&all, flood, 8, 0), 0);
	assert_int_equal(caller_room(&all, modest, 8, 0), 8);
	hold(modest, 3, 0);
	assert_int_equal(caller_room(&all, flood, 7, 0), 2);
	release(modest, 3, 0);
	release(flood, 30, 0);
}

/* What is kept for some is not kept from those who go before them. */
static void test_nothing_is_kept_from_a_higher_priority(void **state)
{
	(void)state;
	struct caller *other = find(1), *same = find(2);
	struct caller *higher = callers_find(&all, 3, CALLERS_NORMAL - 1, 0);
	struct caller *lower = callers_find(&all, 4, CALLERS_NORMAL + 1, 0);
	hold(other, 8, 0);
	release(other, 8, 0);
	for (int i = 0; i < 1000; i++) {
		caller_ask(&all, higher, 1, 0);
		caller_ask(&all, same, 1, 0);
		caller_ask(&all, lower, 1, 0);
	}
	assert_int_equal(all.claiming, 4); /* 10 each; of two it is presumed */
	assert_int_equal(all.kept, 8 + 3 * 10);
	assert_int_equal(caller_kept_from(&all, higher, 0), 0);
	assert_int_equal(caller_kept_from(&all, same, 0), 10 + 8);
	assert_int_equal(caller_kept_from(&all, lower, 0), 10 + 8 + 10);
}

#define LATER (1100 * NS_MS)

static void ask_for(struct caller *c, uint32_t n, ns_t each, ns_t from)
{
	for (uint32_t i = 0; i < n; i++)
		caller_ask(&all, c, 1, from + i * each);
}

/* A slot is held for a second: of 40, one of two may have 20. */
static void test_who_pours(void **state)
{
	(void)state;
	struct caller *modest = find(1), *flood = find(2);
	ask_for(flood, 90, 10 * NS_MS, NS_MS);
	hold(flood, 20, LATER);
	assert_false(caller_pours(&all, flood, LATER)); /* alone */
	hold(modest, 1, LATER);
	assert_false(caller_is_modest(&all, flood, LATER));
	assert_true(caller_pours(&all, flood, LATER));
	assert_false(caller_pours(&all, modest, LATER));
	release(flood, 1, LATER); /* less than its share: it waits for more */
	assert_false(caller_pours(&all, flood, LATER));
	hold(flood, 1, LATER);
	callers_refresh(&all, 0, LATER); /* the limit grows: nothing is fair yet */
	assert_false(caller_pours(&all, flood, LATER));
	release(modest, 1, LATER);
	release(flood, 20, LATER);
}

/* How much it asks for is not known before it has for as long as a slot is held. */
static void test_who_has_just_come_does_not_pour(void **state)
{
	(void)state;
	struct caller *modest = find(1), *burst = find(2);
	hold(modest, 1, 0);
	hold(burst, 20, 0);
	ask_for(burst, 90, NS_MS, NS_MS);
	assert_false(caller_pours(&all, burst, 90 * NS_MS));
	ask_for(burst, 91, 10 * NS_MS, 100 * NS_MS);
	assert_true(caller_pours(&all, burst, LATER));
	release(modest, 1, LATER);
	release(burst, 20, LATER);
}

/* What comes free would go to the lower one that waits, not to its next call. */
static void test_nobody_pours_beside_a_lower_priority(void **state)
{
	(void)state;
	struct caller *flood = find(1);
	struct caller *lower = callers_find(&all, 2, CALLERS_NORMAL + 1, 0);
	ask_for(flood, 90, 10 * NS_MS, NS_MS);
	ask_for(lower, 90, 10 * NS_MS, NS_MS);
	hold(flood, 20, LATER);
	hold(lower, 20, LATER);
	assert_false(caller_pours(&all, flood, LATER));
	assert_true(caller_pours(&all, lower, LATER));
	release(lower, 20, LATER); /* its need stays for a while */
	assert_false(caller_pours(&all, flood, LATER));
	release(flood, 20, LATER);
}

static void test_no_more_than_a_fair_share_is_kept(void **state)
{
	(void)state;
	struct caller *greedy = find(1), *flood = find(2);
	hold(greedy, 35, 0);
	hold(flood, 1, 0);
	release(greedy, 35, 0);
	for (int i = 0; i < 1000; i++)
		caller_ask(&all, flood, 1, 0);
	callers_refresh(&all, 40, 0);
	assert_int_equal(caller_room(&all, flood, 39, 0), 19);
	callers_refresh(&all, 10, 0); /* the limit has fallen */
	assert_int_equal(caller_room(&all, flood, 9, 0), 4);
	release(flood, 1, 0);
}

static void test_a_claim_fades(void **state)
{
	(void)state;
	struct caller *gone = find(1), *flood = find(2);
	hold(gone, 16, 0);
	hold(flood, 1, 0);
	release(gone, 16, 0);
	for (int i = 0; i < 1000; i++)
		caller_ask(&all, flood, 1, 0);
	assert_int_equal(caller_room(&all, flood, 39, 0), 23);
	callers_refresh(&all, 40, CALLERS_FADE_FOR);
	caller_ask(&all, flood, 1000, CALLERS_FADE_FOR);
	assert_int_equal(caller_room(&all, flood, 39, CALLERS_FADE_FOR), 31);
	callers_refresh(&all, 40, 10 * CALLERS_FADE_FOR);
	assert_int_equal(all.claiming, 1);
	assert_int_equal(caller_room(&all, flood, 39, 10 * CALLERS_FADE_FOR), 39);
	release(flood, 1, 10 * CALLERS_FADE_FOR);
	callers_refresh(&all, 40, 11 * CALLERS_FADE_FOR);
	assert_int_equal(all.count, 1); /* the one that left is forgotten */
}

/* A flood and one who asks now and then begin together: what the latter will need is not known. */
static void test_a_new_one_is_taken_to_need_its_share(void **state)
{
	(void)state;
	struct caller *flood = find(1), *new = find(2);
	for (int i = 0; i < 30; i++)
		caller_ask(&all, flood, 1, i * 10 * NS_MS);
	hold(flood, 10, 300 * NS_MS);
	assert_false(caller_is_modest(&all, flood, 300 * NS_MS)); /* 100/s of 1 s */
	caller_ask(&all, new, 1, 300 * NS_MS);
	assert_int_equal(caller_room(&all, flood, 30, 300 * NS_MS), 30); /* a passer-by */
	caller_ask(&all, new, 1, 400 * NS_MS);
	assert_int_equal(caller_room(&all, flood, 30, 400 * NS_MS), 10);
	callers_refresh(&all, 40, 20 * NS_S);
	for (int i = 0; i < 1000; i++)
		caller_ask(&all, flood, 1, 20 * NS_S);
	assert_int_equal(caller_room(&all, flood, 30, 20 * NS_S), 28); /* 20 / 2^4 */
	release(flood, 10, 20 * NS_S);
}

static void test_a_bounded_number(void **state)
{
	(void)state;
	struct caller *one = NULL, *two = NULL;
	for (uint64_t key = 0; key < CALLERS_MAX; key++)
		hold(find(key), 1, 0);
	one = find(CALLERS_MAX + 1);
	two = find(CALLERS_MAX + 2);
	assert_ptr_equal(one, two);
	assert_ptr_not_equal(one, find(5));
	for (uint64_t key = 0; key < CALLERS_MAX; key++)
		release(find(key), 1, 0);
	callers_refresh(&all, 40, 100 * CALLERS_FADE_FOR);
	callers_refresh(&all, 40, 200 * CALLERS_FADE_FOR);
	assert_true(all.count < 10);
}

/* Whatever happens, what is kept is the sum over all, and nobody's count runs below 0. */
static void test_random_life(void **state)
{
	(void)state;
	struct rng r;
	uint32_t held[8] = { 0 };
	ns_t now = 0;
	rng_init(&r, test_seed(11));
	for (int i = 0; i < 20000; i++) {
		uint64_t key = rng_below(&r, 8);
		struct caller *c = callers_find(&all, key, CALLERS_NORMAL, now);
		now += (ns_t)rng_below(&r, 50 * NS_MS);
		caller_ask(&all, c, 1, now);
		if (rng_below(&r, 2) && held[key] < 5 + key) {
			caller_hold(&all, c, now);
			held[key]++;
		} else if (held[key]) {
			caller_release(&all, c, now);
			held[key]--;
		}
		if (i % 97 == 0)
			callers_refresh(&all, 20 + (uint32_t)rng_below(&r, 30), now);
		uint32_t kept = 0, claiming = 0;
		for (uint32_t b = 0; b < CALLERS_BUCKETS; b++) {
			LIST_EACH (&all.buckets[b], n, after) {
				kept += CONTAINER_OF(n, struct caller, node)->kept;
				claiming += CONTAINER_OF(n, struct caller, node)->need >
					    0.5;
			}
		}
		assert_int_equal(all.kept, kept);
		assert_int_equal(all.claiming, claiming);
		assert_true(all.kept <= all.limit);
	}
	for (uint64_t key = 0; key < 8; key++)
		release(callers_find(&all, key, CALLERS_NORMAL, now), held[key], now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_AROUND(test_same_key_same_caller),
		TEST_AROUND(test_cost_is_time_held_and_expected),
		TEST_AROUND(test_who_comes_back_starts_where_the_others_are),
		TEST_AROUND(test_alone_all_is_its_own),
		TEST_AROUND(test_room_is_kept_for_who_needed_it),
		TEST_AROUND(test_nothing_is_kept_from_a_higher_priority),
		TEST_AROUND(test_who_pours),
		TEST_AROUND(test_who_has_just_come_does_not_pour),
		TEST_AROUND(test_nobody_pours_beside_a_lower_priority),
		TEST_AROUND(test_no_more_than_a_fair_share_is_kept),
		TEST_AROUND(test_a_claim_fades),
		TEST_AROUND(test_a_new_one_is_taken_to_need_its_share),
		TEST_AROUND(test_a_bounded_number),
		TEST_AROUND(test_random_life),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* How long unneeded connections are kept: a pool in miniature under loads that ebb and flow. */
#include "base/dist.h"
#include "flow/demand.h"
#include "tests/unit/base/unit.h"

#define MOST 4000

/* Newest first, as the real one. */
struct toy {
	struct demand demand;
	struct rng rng;
	ns_t busy_until[MOST]; /* a heap would be faster; few are busy at once */
	ns_t idle_since[MOST];
	uint32_t busy, idle, most;
	uint64_t requests, connects, yields;
};

static void toy_init(struct toy *t)
{
	*t = (struct toy){ .busy = 0 };
	demand_init(&t->demand, 300 * NS_S);
	rng_init(&t->rng, test_seed(11));
}

static void toy_settle(struct toy *t, ns_t now)
{
	for (uint32_t i = 0; i < t->busy;) {
		if (t->busy_until[i] > now) {
			i++;
			continue;
		}
		t->idle_since[t->idle++] = t->busy_until[i];
		t->busy_until[i] = t->busy_until[--t->busy];
	}
	uint32_t gone = 0;
	while (gone < t->idle && now - t->idle_since[gone] >= demand_window(&t->demand)) {
		demand_note_yield(&t->demand, now);
		gone++;
	}
	t->yields += gone;
	t->idle -= gone;
	memmove(t->idle_since, t->idle_since + gone, t->idle * sizeof(t->idle_since[0]));
}

static void toy_request(struct toy *t, ns_t now, ns_t takes)
{
	toy_settle(t, now);
	demand_note_request(&t->demand);
	t->requests++;
	if (t->idle) {
		t->idle--;
	} else {
		t->connects++;
		demand_note_connect(&t->demand, now);
	}
	assert_true(t->busy < MOST);
	t->busy_until[t->busy++] = now + takes;
}

/* Poisson, each call takes 20 to 80 ms, one in twenty 4 s. Returns when it ended. */
static ns_t toy_run(struct toy *t, ns_t from, ns_t for_ns, double rate)
{
	ns_t now = from;
	t->requests = t->connects = t->yields = 0;
	while (now < from + for_ns) {
		ns_t takes = 20 * NS_MS + (ns_t)rng_below(&t->rng, 60 * NS_MS);
		if (rng_below(&t->rng, 20) == 0)
			takes = 4 * NS_S;
		toy_request(t, now, takes);
		now += (ns_t)rng_exponential(&t->rng, 1e9 / rate);
	}
	return now;
}

/* Steady demand hardly ever connects, as long as there are some thousand requests in the longest
 * window. */
static void test_steady_demand(void **state)
{
	(void)state;
	static const double rates[] = { 4, 10, 100, 700 };
	struct toy *t = mem_alloc(sizeof(*t));
	for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
		toy_init(t);
		ns_t now = toy_run(t, NS_S, 600 * NS_S, rates[i]);
		toy_run(t, now, (ns_t)(400000 / rates[i]) * NS_S, rates[i]);
		print_message("%g/s: %llu requests, %llu connects, window %lld s\n",
			rates[i], (unsigned long long)t->requests,
			(unsigned long long)t->connects,
			(long long)(t->demand.window / NS_S));
		assert_true(t->connects * 1000 <= t->requests);
	}
	mem_free(t);
}

/* When it falls to a tenth, what is not needed any more goes. */
static void test_demand_that_falls(void **state)
{
	(void)state;
	struct toy *t = mem_alloc(sizeof(*t));
	toy_init(t);
	ns_t now = toy_run(t, NS_S, 120 * NS_S, 500);
	uint32_t before = t->busy + t->idle;
	now = toy_run(t, now, 60 * NS_S, 50);
	uint32_t after = t->busy + t->idle;
	print_message("%u connections, then %u\n", before, after);
	assert_true(after * 3 < before);
	/* and when it ends, all */
	toy_settle(t, now + 60 * NS_S);
	toy_settle(t, now + 60 * NS_S + 300 * NS_S);
	assert_int_equal(t->idle, 0);
	mem_free(t);
}

/* A crowd every minute: after the first few minutes its connections are kept for it. */
static void test_waves(void **state)
{
	(void)state;
	struct toy *t = mem_alloc(sizeof(*t));
	uint64_t connects = 0;
	toy_init(t);
	for (int minute = 0; minute < 60; minute++) {
		ns_t at = (1 + 60 * minute) * NS_S;
		uint64_t before = t->connects;
		for (int i = 0; i < 200; i++)
			toy_request(t, at + i * NS_MS, 2 * NS_S);
		if (minute >= 10)
			connects += t->connects - before;
	}
	assert_in_range(connects, 0, 10);
	mem_free(t);
}

/* Having learned a long window, it learns a short one again where that will do. */
static void test_it_comes_back(void **state)
{
	(void)state;
	struct toy *t = mem_alloc(sizeof(*t));
	toy_init(t);
	demand_note_yield(&t->demand, 20 * NS_S);
	demand_note_connect(&t->demand, 21 * NS_S);
	demand_note_yield(&t->demand, 60 * NS_S);
	demand_note_connect(&t->demand, 61 * NS_S);
	demand_note_yield(&t->demand, 160 * NS_S);
	demand_note_connect(&t->demand, 161 * NS_S);
	assert_true(demand_window(&t->demand) == 8 * DEMAND_WINDOW_MIN);
	ns_t now = 200 * NS_S;
	for (int i = 0; i < 10; i++) /* 8,000 requests in the shortest window */
		now = toy_run(t, now, 120 * NS_S, 800 - 20 * i);
	assert_true(demand_window(&t->demand) <= 2 * DEMAND_WINDOW_MIN);
	mem_free(t);
}

/* A bound by the user is above all. */
static void test_a_bound(void **state)
{
	(void)state;
	struct demand d;
	demand_init(&d, 2 * NS_S);
	assert_true(demand_window(&d) == 2 * NS_S);
	demand_note_yield(&d, 10 * NS_S);
	demand_note_connect(&d, 10 * NS_S);
	assert_true(demand_window(&d) == 2 * NS_S);
	demand_set_max(&d, 40 * NS_S);
	assert_true(demand_window(&d) == 10 * NS_S);
	demand_init(&d, NS_NEVER);
	assert_true(demand_window(&d) == DEMAND_WINDOW_MIN);
	/* a burst that regrets many yields doubles it once */
	for (int i = 0; i < 50; i++)
		demand_note_yield(&d, 20 * NS_S);
	for (int i = 0; i < 50; i++)
		demand_note_connect(&d, 21 * NS_S);
	assert_true(demand_window(&d) == 2 * DEMAND_WINDOW_MIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_steady_demand),
		TEST(test_demand_that_falls),
		TEST(test_waves),
		TEST(test_it_comes_back),
		TEST(test_a_bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

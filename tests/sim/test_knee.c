/*
 * A server that queues, behind the real proxy with a limit that is found out: on the virtual clock,
 * several seeds each.
 */
#include "tests/sim/stage.h"
#include "tests/unit/base/unit.h"

#define SEEDS 2
#define SLOTS 1000
#define WORKERS 12
#define OPTIONS "--limit auto --timeout 2s --queue-for 300ms"

struct run {
	struct stage s;
	ns_t began;
	uint64_t requests, accepted; /* at the last look */
};

static void run_to(struct run *r, double seconds)
{
	r->requests = r->s.api.answered;
	r->accepted = r->s.api.accepted;
	stage_run(&r->s, r->began + (ns_t)(seconds * (double)NS_S));
	r->requests = r->s.api.answered - r->requests;
	r->accepted = r->s.api.accepted - r->accepted;
}

/* Exponential times, of 48 ms: 250 calls a second at most, of 390. */
static void begin(struct run *r, uint64_t seed, ns_t for_ns)
{
	const struct api_cfg api = {
		.limit = SLOTS, .workers = WORKERS, .mean_for = 48 * NS_MS, .seed = seed
	};
	const struct crowd_cfg crowd = { .rate = 390, .for_ns = for_ns, .seed = seed };
	const struct sim_cfg sim = { .seed = seed };
	stage_init(&r->s, &sim, OPTIONS, &api, &crowd);
	r->began = io_now(r->s.proxy_host);
}

static void end(struct run *r)
{
	run_to(r, 400);
	assert_null(stage_leak(&r->s));
	stage_fini(&r->s);
}

static uint32_t parked_in(const struct run *r)
{
	return upstream_slots(r->s.proxy.upstream)->in[SLOT_PARKED].len;
}

/* Steps up and down, and next to no connect; and what is kept for them is no more than was used in
 * one, and not for long. */
static void test_steps_cost_no_connects(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct run r;
		uint32_t parked = 0;
		begin(&r, test_seed(seed), 80 * NS_S);
		run_to(&r, 20);
		run_to(&r, 80);
		assert_true(r.requests >= 60 * 0.96 * 250);
		assert_true(1000 * r.accepted <= r.requests);
		run_to(&r, 84); /* nobody calls any more */
		parked = parked_in(&r);
		run_to(&r, 95);
		assert_int_equal(parked_in(&r), 0);
		assert_true(parked < 4 * WORKERS);
		end(&r);
	}
}

/* Where it comes to refuse, what was kept for steps is closed. */
static void test_a_wall_ends_it(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct run r;
		begin(&r, test_seed(seed), 60 * NS_S);
		for (int i = 20; parked_in(&r) == 0 && i < 60; i++)
			run_to(&r, i);
		assert_true(parked_in(&r) > 0);
		double now = (double)(io_now(r.s.proxy_host) - r.began) / (double)NS_S;
		r.s.api.cfg.limit = WORKERS;
		api_restart(&r.s.api, IO_CLOSE_RESET, 10 * NS_MS);
		run_to(&r, now + 5);
		assert_int_equal(parked_in(&r), 0);
		assert_in_range(r.s.api.used, WORKERS - 2, WORKERS);
		uint64_t refused = r.s.api.refused;
		run_to(&r, now + 15);
		assert_true(r.s.api.refused - refused <= 10 * 250 * 0.005);
		end(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_steps_cost_no_connects),
		TEST(test_a_wall_ends_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

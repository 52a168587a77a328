/*
 * Who is refused, and how soon he is told: the real proxy before a server of 50 slots whose every
 * fifth call takes 4 s, with callers who wait for half a second; while it turns slow, while its limit
 * is halved, and while nothing changes. On the virtual clock, many seeds each, beside a plain queue.
 * With the argument `table` it prints what it counted, and with a number behind that so many seeds.
 */
#include <math.h>

#include "tests/sim/stage.h"
#include "tests/unit/base/unit.h"

#define SEEDS 40
#define SLOTS 50
#define SLOW_EACH 5
#define QUICK (50 * NS_MS)
#define SLOW (4 * NS_S)
#define CAPACITY \
	59.5 /* calls a second: 50 slots, of which one call holds 0.84 s on the average */
#define DEADLINE (500 * NS_MS)
#define PLAIN_WAIT (400 * NS_MS) /* as the best peer of bench/hold has it */
#define AT_ONCE (5 * NS_MS)
#define CALLS_MAX 8000
/* Of SEEDS runs, in which more than one in a hundred is told late: calls that waited as it changed. */
#define LATE_RUNS 2
#define TOLD_LATE 400 /* one in so many, over all runs */

#define AUTO "--limit auto --timeout 500ms"
#define FIXED "--limit 50 --timeout 500ms"

struct scene {
	const char *name, *options;
	double load;           /* of the capacity */
	ns_t change, back;     /* 0: never */
	uint32_t limit;        /* from then on; 0: all calls are slow meanwhile */
	uint32_t requests_max; /* of a connection */
	double good; /* of what a plain queue has; 0: there is none to compare with */
};

static const struct scene scenes[] = {
	{ .name = "all calls slow for 10 s",
		.options = AUTO,
		.load = 0.8,
		.change = 8 * NS_S,
		.back = 18 * NS_S,
		.good = 0.985 },
	{ .name = "the same, a limit that is given",
		.options = FIXED,
		.load = 0.8,
		.change = 8 * NS_S,
		.back = 18 * NS_S,
		.good = 0.985 },
	{ .name = "the limit is halved",
		.options = AUTO,
		.load = 1,
		.change = 8 * NS_S,
		.limit = SLOTS / 2,
		.requests_max = 10 },
	{ .name = "at the capacity", .options = AUTO, .load = 1, .good = 0.985 },
	{ .name = "1.3 times the capacity", .options = AUTO, .load = 1.3, .good = 0.985 },
};

struct run {
	struct stage s;
	const struct scene *scene;
	ns_t began, came[CALLS_MAX], told_no[CALLS_MAX];
	uint32_t calls, good, told, late;
};

static void on_answer(struct crowd *c, unsigned status, ns_t took)
{
	struct run *r = c->ctx;
	CHECK(r->calls < CALLS_MAX);
	r->came[r->calls++] = io_now(c->loop) - took - r->began;
	if (status == 200)
		r->good += took <= DEADLINE;
	else if (status != 504) /* the deadline's own */
		r->told_no[r->told++] = took;
	if (status != 200 && status != 504)
		r->late += took > AT_ONCE;
}

static bool is_slow_spell(const struct scene *scene, ns_t at)
{
	return !scene->limit && at >= scene->change && at < scene->back;
}

static void play(struct run *r, const struct scene *scene, uint64_t seed)
{
	const struct sim_cfg sim = { .seed = seed };
	const struct api_cfg api = { .limit = SLOTS,
		.slow_each = SLOW_EACH,
		.quick_for = QUICK,
		.min_for = SLOW,
		.max_for = SLOW,
		.requests_max = scene->requests_max,
		.seed = seed };
	const struct crowd_cfg crowd = { .rate = scene->load * CAPACITY,
		.for_ns = scene->back + 26 * NS_S,
		.seed = seed };
	*r = (struct run){ .scene = scene };
	stage_init(&r->s, &sim, scene->options, &api, &crowd);
	r->began = io_now(r->s.proxy_host);
	r->s.crowd.on_answer = on_answer;
	r->s.crowd.ctx = r;
	stage_run(&r->s, r->began + scene->change);
	if (scene->limit)
		r->s.api.cfg.limit = scene->limit;
	else if (scene->change)
		r->s.api.cfg.slow_each = 1;
	stage_run(&r->s, r->began + ns_max(scene->change, scene->back));
	r->s.api.cfg.slow_each = SLOW_EACH;
	stage_run(&r->s, r->began + crowd.for_ns + 400 * NS_S);
	assert_null(stage_leak(&r->s));
	assert_int_equal(r->calls, r->s.crowd.arrived);
	stage_fini(&r->s);
}

static int by_time(const void *a, const void *b)
{
	ns_t x = *(const ns_t *)a, y = *(const ns_t *)b;
	return (x > y) - (x < y);
}

static bool is_late_run(struct run *r)
{
	if (!r->told)
		return false;
	qsort(r->told_no, r->told, sizeof(r->told_no[0]), by_time);
	return r->told_no[(uint32_t)ceil(0.99 * r->told) - 1] > AT_ONCE;
}

/* Good answers of a queue in order, on the same arrivals. */
static uint32_t plain_good(struct run *r)
{
	ns_t free_at[SLOTS] = { 0 };
	uint32_t good = 0, sent = 0;
	qsort(r->came, r->calls, sizeof(r->came[0]), by_time);
	for (uint32_t i = 0; i < r->calls; i++) {
		uint32_t next = 0;
		for (uint32_t k = 1; k < SLOTS; k++)
			next = free_at[k] < free_at[next] ? k : next;
		ns_t at = ns_max(r->came[i], free_at[next]);
		if (at > r->came[i] + PLAIN_WAIT)
			continue;
		bool slow = ++sent % SLOW_EACH == 0 || is_slow_spell(r->scene, at);
		free_at[next] = at + (slow ? SLOW : QUICK);
		good += free_at[next] <= r->came[i] + DEADLINE;
	}
	return good;
}

struct sums {
	uint32_t seeds, late_runs;
	uint64_t good, plain, told, late;
};

static struct sums play_all(const struct scene *scene, uint32_t seeds)
{
	struct sums sum = { .seeds = seeds };
	struct run *r = mem_zalloc(sizeof(*r));
	for (uint32_t seed = 1; seed <= seeds; seed++) {
		play(r, scene, seed);
		sum.late_runs += is_late_run(r);
		sum.plain += plain_good(r);
		sum.good += r->good;
		sum.told += r->told;
		sum.late += r->late;
	}
	mem_free(r);
	return sum;
}

static void print_sums(const struct scene *scene, const struct sums *sum)
{
	const double n = sum->seeds;
	print_message("%-32s good %7.1f", scene->name, (double)sum->good / n);
	if (scene->good > 0)
		print_message(" (plain queue %7.1f)", (double)sum->plain / n);
	print_message("  told no %6.1f, late %5.2f; late runs %u of %u\n",
		(double)sum->told / n, (double)sum->late / n, sum->late_runs, sum->seeds);
}

static void test_who_is_refused_is_told_at_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scenes); i++) {
		const struct sums sum = play_all(&scenes[i], SEEDS);
		print_sums(&scenes[i], &sum);
		assert_in_range(sum.late_runs, 0, LATE_RUNS);
		assert_in_range(sum.late * TOLD_LATE, 0, sum.told);
		assert_true((double)sum.good >= scenes[i].good * (double)sum.plain);
	}
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_who_is_refused_is_told_at_once),
	};
	if (argc < 2)
		return cmocka_run_group_tests(tests, NULL, NULL);
	uint32_t seeds = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : SEEDS;
	for (size_t i = 0; i < ARRAY_LEN(scenes); i++) {
		const struct sums sum = play_all(&scenes[i], seeds);
		print_sums(&scenes[i], &sum);
	}
	return 0;
}

/*
 * The limit that finds itself, on a modelled server in virtual time: what it must reach, over
 * several seeds each. With the argument `table` it prints what it measured.
 */
#include "tests/sim/model.h"
#include "tests/unit/base/unit.h"

#include <math.h>

#define SEEDS 4

static bool wants_table;

struct span {
	uint64_t sent, opened, refused; /* calls, connections, calls */
	double good_rate, answer_rate, refused_share, p50_ms;
};

/* Runs for so long, and tells what happened meanwhile. */
static struct span span(struct model *m, double seconds)
{
	struct model_count before = m->count;
	hist_reset(m->took);
	model_run(m, m->now + (ns_t)(seconds * (double)NS_S));
	struct span s = {
		.sent = m->count.sent - before.sent,
		.opened = m->count.opened - before.opened,
		.refused = m->count.refused - before.refused,
		.good_rate = (double)(m->count.good - before.good) / seconds,
		.answer_rate = (double)hist_count(m->took) / seconds,
		.p50_ms = (double)hist_quantile(m->took, 0.5) / (double)NS_MS,
	};
	s.refused_share = (double)s.refused / (double)(s.sent ? s.sent : 1);
	return s;
}

static void show(const char *what, const struct model *m, struct span s)
{
	if (wants_table)
		print_message("%-44s %-9s limit %5u  %7.1f answers/s  p50 %7.1f ms  "
			      "refused %.3f %%\n",
			what, limit_state_label(limit_state(&m->limit)), m->limit.now,
			s.answer_rate, s.p50_ms, 100 * s.refused_share);
}

static struct span shown(const char *what, struct model *m, double seconds)
{
	const struct span s = span(m, seconds);
	show(what, m, s);
	return s;
}

#define SHOWN(m, seconds) shown(__func__, m, seconds)

/* Played on a model of its own, with each seed and each row of its table. */
struct scene {
	void (*play)(struct model *m, size_t row);
	size_t rows;
	uint64_t seeds;
};

static void play(void **state)
{
	const struct scene *s = *state;
	for (uint64_t seed = 1; seed <= s->seeds; seed++) {
		for (size_t row = 0; row < s->rows; row++) {
			struct model m;
			model_init(&m, test_seed(seed));
			s->play(&m, row);
			model_fini(&m);
		}
	}
}

/* What it does with a call, how many of them at once, and how many callers come. */
static void serve(struct model *m, const char *service, uint32_t slots, double rate)
{
	m->service = service;
	m->slots = slots;
	m->rate = rate;
}

/* A knee: so many are served at once, and the others wait inside. */
static void work(struct model *m, const char *service, uint32_t workers)
{
	m->service = service;
	m->workers = workers;
}

static void assert_near(const struct model *m, double limit)
{
	assert_true(m->limit.stand >= 0.9 * limit);
	assert_true(m->limit.stand <= 1.1 * limit);
}

#define REFUSED_MAX 0.005

/* --- the wall --- */

static const double wall_rates[] = { 300, 1000, 5000 };

static void test_wall_of_slow_answers(struct model *m, size_t row)
{
	m->service = "4s";
	m->deadline = m->queue_for = 10 * NS_S;
	m->rate = wall_rates[row];
	while (!m->wanted_more_at)
		model_run(m, m->now + 10 * NS_MS);
	span(m, 5);
	assert_near(m, 1000);
	struct span s = SHOWN(m, 60);
	assert_near(m, 1000);
	assert_int_equal(limit_state(&m->limit), LIMIT_WALL);
	assert_true(s.refused_share <= REFUSED_MAX);
	assert_true(s.answer_rate >= 0.97 * 250);
}

static const struct {
	const char *service;
	uint32_t slots;
	double rate;
} mixes[] = {
	{ "mix(80%: 50ms, 20%: 4s)", 50, 70 },
	{ "mix(80%: 50ms, 20%: 4s)", 50, 200 },
	{ "mix(80%: 50ms, 20%: 4s)", 1000, 2400 },
	{ "mix(80%: exponential(50ms), 20%: exponential(4s))", 1000, 2400 },
};

/* One call in five takes 80 times as long: that is not a queue. */
static void test_two_kinds_of_calls(struct model *m, size_t row)
{
	serve(m, mixes[row].service, mixes[row].slots, mixes[row].rate);
	m->deadline = 500 * NS_MS;
	span(m, 10);
	struct span s = SHOWN(m, 110);
	assert_near(m, mixes[row].slots);
	assert_true(s.refused_share <= REFUSED_MAX);
}

static const char *const wall_services[] = { "1s", "uniform(500ms, 2s)", "100ms" };

/* Its slots are halved while it runs, and come back. */
static void test_wall_that_moves(struct model *m, size_t row)
{
	m->service = wall_services[row];
	m->deadline = 10 * NS_S;
	m->rate = row == 2 ? 20000 : 2500;
	span(m, 10);
	m->slots = 500;
	span(m, 5);
	assert_near(m, 500);
	struct span s = SHOWN(m, 20);
	assert_true(s.refused_share <= REFUSED_MAX);
	assert_near(m, 500);
	m->slots = 1000;
	span(m, 5);
	assert_near(m, 1000);
	s = span(m, 20);
	assert_true(s.refused_share <= REFUSED_MAX);
}

/* Every fifth call is slow, and the limit is halved: calls from before fill the server for
 * seconds. Few more are refused, and the limit ends little below; and it comes back. */
static void test_wall_halved_under_slow_calls(struct model *m, size_t row)
{
	(void)row;
	serve(m, "mix(80%: 50ms, 20%: 4s)", 50, 600);
	m->deadline = 500 * NS_MS;
	span(m, 20);
	assert_near(m, 50);
	uint64_t refused = m->count.refused;
	m->slots = 25;
	for (int i = 0; i < 50; i++) {
		span(m, 0.1);
		assert_true(m->limit.stand >= 0.85 * 25);
	}
	assert_near(m, 25);
	assert_true(m->count.refused - refused <= 16);
	struct span s = SHOWN(m, 60);
	assert_near(m, 25);
	assert_true(s.refused_share <= REFUSED_MAX);
	m->slots = 50;
	span(m, 12); /* of 30 calls a second, a trial in 7.5 s: flow/wall.h */
	assert_near(m, 50);
}

/* 50 slots; a wall that stands is tried each so many seconds. */
static const struct {
	const char *service;
	double rate, answer_rate, followed_in;
} followed[] = {
	{ "mix(80%: 50ms, 20%: 4s)", 600, 59.5, 1.1 * WALL_CALLS_STANDING / 59.5 },
	{ "200ms", 600, 249, 5 },
	{ "125ms", 600, 397, 5 },
	{ "50ms", 2000, 980, 5 },
};

/* The longest wait is for who comes right after a trial. */
static void until_refused(struct model *m)
{
	uint64_t refused = m->count.refused;
	while (m->count.refused == refused)
		model_run(m, m->now + NS_MS);
}

/* A wall that stands costs less than one connect in 1,000 calls, and is followed all the same. */
static void test_cost_of_following(struct model *m, size_t row)
{
	serve(m, followed[row].service, 50, followed[row].rate);
	span(m, 5); /* it is met, and tried */
	struct span s = SHOWN(m, 25);
	assert_true(1000 * s.opened <= s.sent);
	s = SHOWN(m, 300);
	assert_near(m, 50);
	assert_true(s.answer_rate >= 0.94 * followed[row].answer_rate);
	assert_true(1000 * s.opened <= s.sent);
	until_refused(m);
	m->slots = 100;
	span(m, followed[row].followed_in);
	assert_near(m, 100);
}

static const double restless_gaps[] = { 12, 60, 0.8 * WALL_RESTLESS_FOR / NS_S };

/* One that moved is followed within 5 s for some minutes, also by a server of 60 calls a second,
 * however often it has been found in its place since. */
static void test_wall_that_moves_again(struct model *m, size_t row)
{
	serve(m, followed[0].service, 50, followed[0].rate);
	span(m, 60);
	m->slots = 100;
	span(m, 60);
	for (int i = 0; i < 4; i++) {
		uint64_t refused = m->count.refused, sent = m->count.sent;
		m->slots = i % 2 ? 100 : 50;
		span(m, 6);
		assert_near(m, m->slots);
		span(m, restless_gaps[row]);
		until_refused(m);
		assert_near(m, m->slots);
		if (row > 0)
			assert_true((double)(m->count.refused - refused) <=
				    REFUSED_MAX * (double)(m->count.sent - sent) + 12);
	}
	m->slots = 100;
	span(m, WALL_RESTLESS_FOR / NS_S);
	struct span s = SHOWN(m, 120);
	assert_true(1000 * s.opened <= s.sent);
}

static const char *const cold_services[] = {
	"mix(80%: 50ms, 20%: 4s)",
	"mix(80%: 5ms, 20%: 4s)", /* the first few slots are soon all held by long calls */
};

/* From nothing known: 50 slots of quick answers are found within 0.7 s. */
static void test_cold_start(struct model *m, size_t row)
{
	serve(m, cold_services[row], 50, 600);
	m->deadline = 500 * NS_MS;
	span(m, 0.7);
	assert_near(m, 50);
}

/* Others take half of the slots, and leave. */
static void test_others(struct model *m, size_t row)
{
	(void)row;
	m->service = "uniform(500ms, 1500ms)";
	m->deadline = 10 * NS_S;
	m->rate = 2000;
	span(m, 10);
	m->others_want = 500;
	span(m, 5);
	struct span s = SHOWN(m, 20);
	assert_near(m, 500);
	assert_true(s.refused_share <= REFUSED_MAX);
	m->others_want = 0;
	span(m, 5);
	assert_near(m, 1000);
}

/* Others come and go all the time: the limit keeps to what is left for sure. */
static void test_restless_others(struct model *m, size_t row)
{
	(void)row;
	struct rng rng = m->rng;
	struct span s = { 0 };
	uint64_t refused = 0, sent = 0;
	serve(m, "exponential(200ms)", 200, 2000);
	span(m, 10);
	for (int i = 0; i < 600; i++) {
		m->others_want = (uint32_t)rng_below(&rng, 20);
		s = span(m, 0.1);
		refused += s.refused;
		sent += s.sent;
	}
	s.refused_share = (double)refused / (double)sent;
	show(__func__, m, s);
	assert_true(s.refused_share <= REFUSED_MAX);
	assert_true(m->limit.stand >= 150);
}

/* Some closed connections keep their slot for long, as after a RST that was lost. */
static void test_lost_resets(struct model *m, size_t row)
{
	(void)row;
	m->slots = 100;
	m->rate = 2500;
	m->lost = 0.0005;
	m->lost_for = 20 * NS_S;
	span(m, 10);
	struct span s = SHOWN(m, 60);
	assert_true(s.refused_share <= REFUSED_MAX);
	assert_true(m->limit.stand + m->held - m->used >= 90);
	m->lost = 0;
	span(m, 25);
	assert_near(m, 100);
}

/* --- the knee --- */

static const char *const worker_services[] = { "48ms", "uniform(24ms, 72ms)",
	"normal(48ms, 5ms)" };

static void test_workers_behind_slots(struct model *m, size_t row)
{
	work(m, worker_services[row], 12);
	span(m, 5);
	struct span s = SHOWN(m, 115);
	assert_int_equal(limit_state(&m->limit), LIMIT_KNEE);
	assert_true(s.answer_rate >= 0.97 * 250);
	assert_true(s.p50_ms <= 2 * 48);
	assert_true(s.refused_share <= REFUSED_MAX);
	assert_true(s.good_rate >= 0.99 * s.answer_rate);
}

/* Whatever chance does to the times, for half an hour: it creeps neither up nor down. */
static void test_knee_for_long(struct model *m, size_t row)
{
	(void)row;
	work(m, "exponential(48ms)", 12);
	span(m, 5);
	struct span s = SHOWN(m, 1800);
	assert_true(s.answer_rate >= 0.93 * 250);
	assert_true(s.p50_ms <= 2 * 48);
}

/* Four times the workers: found by stepping up. */
static void test_knee_that_moves(struct model *m, size_t row)
{
	(void)row;
	work(m, "normal(48ms, 5ms)", 12);
	m->rate = 1500;
	span(m, 10);
	m->workers = 48;
	span(m, 5);
	assert_true(m->limit.stand >= 30);
	span(m, 10);
	struct span s = SHOWN(m, 30);
	assert_true(s.answer_rate >= 0.9 * 1000);
	assert_true(s.p50_ms <= 2 * 48);
}

static const struct {
	const char *service;
	uint32_t workers, workers_later;
	double connects_max; /* in 1,000 calls */
} steady_knees[] = {
	{ "48ms", 12, 48, 1 },
	{ "normal(48ms, 5ms)", 12, 24, 1 },
	{ "uniform(24ms, 72ms)", 12, 24, 1 },
	{ "48ms", 120, 240, 1 },
	{ "mix(80%: 20ms, 20%: 160ms)", 12, 24, 1 },
	{ "mix(98%: exponential(30ms), 2%: exponential(930ms))", 12, 24, 1 },
	{ "lognormal(42ms, 134ms)", 12, 24, 1 },
	{ "lognormal(42ms, 134ms)", 120, 240, 1 },
	{ "exponential(48ms)", 12, 24, 1 },
	{ "exponential(48ms)", 120, 240, 1 },
};

/* One that has long been in its place costs less than one connect in 1,000 calls, however much times
 * vary; and wherever it is it is followed. */
static void test_cost_of_a_knee(struct model *m, size_t row)
{
	double were = steady_knees[row].workers / 0.048;
	double later = steady_knees[row].workers_later / 0.048;
	m->service = steady_knees[row].service;
	m->workers = steady_knees[row].workers;
	m->rate = 1.56 * were;
	span(m, 30);
	uint64_t opened = m->count.opened, sent = m->count.sent;
	struct span s = SHOWN(m, 240);
	opened = m->count.opened - opened;
	sent = m->count.sent - sent;
	assert_int_equal(limit_state(&m->limit), LIMIT_KNEE);
	assert_true(s.answer_rate >= 0.97 * were);
	assert_true(s.p50_ms <= 2 * 48);
	assert_true(
		(double)opened <= steady_knees[row].connects_max / 1000 * (double)sent);
	m->workers = steady_knees[row].workers_later;
	m->rate = 1.56 * later;
	span(m, 5);
	s = SHOWN(m, 5);
	assert_true(s.answer_rate >= 0.9 * later);
}

/* --- speed --- */

/* Ten times as slow, and back, with a slot for each: that is no knee, and cuts nothing. */
static void test_speed_is_no_knee(struct model *m, size_t row)
{
	(void)row;
	serve(m, "normal(100ms, 20ms)", 200, 3000);
	span(m, 8);
	for (int i = 0; i < 2; i++) {
		m->slowness = i ? 0.1 : 10;
		span(m, 5);
		assert_near(m, 200);
		SHOWN(m, 20);
		assert_near(m, 200);
		assert_int_equal(limit_state(&m->limit), LIMIT_WALL);
	}
}

static const struct {
	const char *service;
	double slowness, least; /* of what it can do */
} slower[] = {
	{ "48ms", 2, 0.95 },
	{ "48ms", 4, 0.92 },
	{ "normal(48ms, 5ms)", 2, 0.95 },
	{ "uniform(24ms, 72ms)", 2, 0.87 },
	{ "exponential(48ms)", 2, 0.8 },
	{ "48ms", 0.5, 0.97 },
	{ "normal(48ms, 5ms)", 0.5, 0.97 },
};

/* At a server that queues: it does not come down for its being slower as for a queue, but by the
 * one step that tells. */
static void test_slower_at_the_knee(struct model *m, size_t row)
{
	work(m, slower[row].service, 12);
	m->rate = 800;
	span(m, 15);
	m->slowness = slower[row].slowness;
	double can = 250 / m->slowness;
	span(m, 5);
	for (int i = 0; i < 6; i++) {
		struct span s = SHOWN(m, 10);
		assert_true(s.answer_rate >= slower[row].least * can);
		assert_true(s.p50_ms <= 2.3 * 48 * m->slowness);
	}
}

/* The same at a server that queues: its knee is where it was. */
static void test_speed_at_the_knee(struct model *m, size_t row)
{
	(void)row;
	work(m, "normal(48ms, 5ms)", 12);
	span(m, 10);
	m->slowness = 10;
	span(m, 5);
	struct span s = SHOWN(m, 30);
	assert_true(s.answer_rate >= 0.9 * 25);
	assert_true(m->limit.stand <= 30);
	m->slowness = 1;
	span(m, 5);
	s = SHOWN(m, 30);
	assert_true(s.answer_rate >= 0.97 * 250);
}

/* --- brown-outs --- */

/* All calls are slow for ten seconds: when slots come free, they are used. */
static void test_all_slow_and_back(struct model *m, size_t row)
{
	(void)row;
	serve(m, "normal(48ms, 5ms)", 50, 1200);
	m->deadline = 500 * NS_MS;
	span(m, 8);
	m->service = "uniform(3s, 5s)";
	span(m, 10);
	m->service = "normal(48ms, 5ms)";
	while (m->count.good < 1 || m->held == m->slots)
		model_run(m, m->now + 10 * NS_MS); /* until a slot is free */
	span(m, 5);
	struct span s = SHOWN(m, 1);
	assert_true(s.good_rate >= 0.9 * 1000);
}

/* All but a few slots are gone for longer than a wall that moved is asked often. */
static const uint32_t left_slots[] = { 1, 5, 40 };

static void test_nearly_all_refused_and_back(struct model *m, size_t row)
{
	serve(m, "normal(100ms, 10ms)", 200, 3000);
	span(m, 8);
	m->slots = left_slots[row];
	span(m, 5);
	assert_true(span(m, 20).refused <= 2 * 20 + 1);
	m->slots = 200;
	span(m, 1);
	struct span s = SHOWN(m, 1);
	assert_true(s.good_rate >= 0.9 * 2000);
	/* it has cost nothing that would be missed now */
	m->slots = 400;
	span(m, 5);
	assert_true(m->limit.stand >= 0.9 * 300);
}

/* The same of slow ones: no answer comes soon, and none is waited for. */
static const char *const slow[] = { "normal(1s, 100ms)", "normal(4s, 400ms)" };

static void test_slow_ones_refused_and_back(struct model *m, size_t row)
{
	serve(m, slow[row], 200, 600);
	span(m, 15);
	assert_true(m->limit.stand >= 0.9 * 200);
	m->slots = 2;
	span(m, 5);
	assert_true(span(m, 15).refused <= 2 * 15 + 1);
	m->slots = 200;
	span(m, 1);
	assert_true(m->limit.stand >= 0.9 * 200);
}

/* It refuses every call for ten seconds, as when it starts anew. */
static void test_all_refused_and_back(struct model *m, size_t row)
{
	(void)row;
	serve(m, "normal(100ms, 10ms)", 200, 3000);
	span(m, 8);
	m->refuses_all = true;
	span(m, 5);
	struct span s = span(m, 5);
	assert_int_equal(limit_state(&m->limit), LIMIT_BROWN_OUT);
	assert_in_range(s.refused, 5, 30);
	m->refuses_all = false;
	span(m, 1);
	s = SHOWN(m, 1);
	assert_true(s.good_rate >= 0.9 * 2000);
}

/* It takes every call and answers none: not ever more are sent. */
static void test_silence(struct model *m, size_t row)
{
	(void)row;
	m->max = 1000000;
	serve(m, "1h", 1000000, 5000);
	m->queue_for = 10 * NS_S;
	span(m, 8);
	assert_int_equal(span(m, 60).sent, 0);
	assert_int_equal(limit_state(&m->limit), LIMIT_BROWN_OUT);
}

#define STOP_SLOTS 42
#define STOP_GROWTH 20 /* before it shows, or a step at a knee that had begun */
#define STOP_REFUSED 4 /* as it goes on */

/* Those in SEARCH have not met the slots, but where these fell and came back; those in WALL have.
 * Then fewer come, and the limit binds only once it is stopped. */
static const struct {
	const char *service;
	double first_rate, rate;
	uint32_t workers; /* 0: one for each slot */
	uint32_t fell_to; /* slots, for a while in between; 0: they did not fall */
} stops[] = {
	/* search */
	{ "50ms", 60, 60, 0, 0 },
	{ "10ms", 1000, 1000, 0, 0 },
	{ "mix(80%: 50ms, 20%: 1s)", 60, 60, 0, 0 },
	{ "50ms", 2000, 60, 0, 10 },
	{ "10ms", 5000, 1000, 0, 10 },
	/* wall */
	{ "50ms", 2000, 60, 0, 0 },
	{ "50ms", 2000, 300, 0, 0 },
	{ "50ms", 2000, 1000, 0, 0 },
	{ "mix(80%: 50ms, 20%: 4s)", 200, 60, 0, 0 },
	/* knee */
	{ "48ms", 300, 60, 12, 0 },
	{ "12ms", 1200, 1000, 12, 0 },
};

static const double stop_lasts[] = { 2, 10 };

/* Stopped it refuses nothing, and answers nothing: that is no leave to send it more. */
static void stop(struct model *m, double seconds)
{
	const uint32_t stood = (uint32_t)fmax(m->limit.stand, m->limit.now);
	uint32_t most = 0;
	m->stopped_until = m->now + (ns_t)(seconds * (double)NS_S);
	while (m->now < m->stopped_until) {
		model_run(m, m->now + NS_MS);
		most = m->limit.now > most ? m->limit.now : most;
	}
	assert_true(most <= stood + STOP_GROWTH);
	assert_true(span(m, 0.1).refused <= STOP_REFUSED);
}

static void test_stop(struct model *m, size_t row)
{
	struct rng rng = m->rng;
	const size_t lasts = row % ARRAY_LEN(stop_lasts);
	row /= ARRAY_LEN(stop_lasts);
	serve(m, stops[row].service, STOP_SLOTS, stops[row].first_rate);
	m->workers = stops[row].workers;
	span(m, 10);
	if (stops[row].fell_to) {
		m->slots = stops[row].fell_to;
		span(m, 5);
	}
	m->rate = stops[row].rate;
	span(m, 1);
	m->slots = STOP_SLOTS;
	for (int i = 0; i < 2; i++) {
		span(m, 5 + 10 * rng_unit(&rng));
		stop(m, stop_lasts[lasts]);
	}
}

/* --- bounds --- */

static void test_max(struct model *m, size_t row)
{
	(void)row;
	m->max = 40;
	m->rate = 3000;
	span(m, 30);
	assert_int_equal(m->held_peak, 40);
	assert_int_equal(m->limit.cause, LIMIT_BY_MAX);
}

/* It grows only while it binds. */
static void test_unused(struct model *m, size_t row)
{
	(void)row;
	m->rate = 20; /* one at a time, mostly */
	span(m, 60);
	assert_true(m->limit.now < 20);
	assert_int_equal(m->count.left, 0);
}

/* --- mutants: wrong in one thing each, they fail --- */

static void test_mutant_growth_by_answers(struct model *m, size_t row)
{
	(void)row;
	m->grows_by_answer = true;
	m->service = "4s";
	m->deadline = m->queue_for = 10 * NS_S;
	m->rate = 1000;
	while (!m->wanted_more_at)
		model_run(m, m->now + 10 * NS_MS);
	span(m, 5);
	assert_true(m->limit.stand < 900);
}

static void test_mutant_refusals_as_answers(struct model *m, size_t row)
{
	(void)row;
	m->reads_refusals_as_answers = true;
	m->service = "1s";
	m->rate = 2000;
	span(m, 10);
	struct span s = SHOWN(m, 20);
	assert_true(s.refused_share > 0.1);
}

/* cmocka names a test by its function. */
#define TEST_AS(name, fn, ...) ((struct CMUnitTest){ name, fn, NULL, NULL, __VA_ARGS__ })
#define PLAYED(fn, rows, seeds) TEST_AS(#fn, play, &(struct scene){ fn, rows, seeds })
#define SCENE(fn) PLAYED(fn, 1, SEEDS)
#define SCENES(fn, table) PLAYED(fn, ARRAY_LEN(table), SEEDS)
#define ONCE(fn) PLAYED(fn, 1, 1)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		SCENES(test_wall_of_slow_answers, wall_rates),
		SCENES(test_two_kinds_of_calls, mixes),
		SCENES(test_wall_that_moves, wall_services),
		SCENE(test_wall_halved_under_slow_calls),
		SCENES(test_cost_of_following, followed),
		SCENES(test_wall_that_moves_again, restless_gaps),
		SCENES(test_cold_start, cold_services),
		SCENE(test_others),
		SCENE(test_restless_others),
		SCENE(test_lost_resets),
		SCENES(test_workers_behind_slots, worker_services),
		SCENE(test_knee_for_long),
		SCENE(test_knee_that_moves),
		PLAYED(test_cost_of_a_knee, ARRAY_LEN(steady_knees), 2),
		SCENE(test_speed_is_no_knee),
		SCENES(test_slower_at_the_knee, slower),
		SCENE(test_speed_at_the_knee),
		SCENE(test_all_slow_and_back),
		SCENE(test_all_refused_and_back),
		SCENES(test_nearly_all_refused_and_back, left_slots),
		SCENES(test_slow_ones_refused_and_back, slow),
		SCENE(test_silence),
		PLAYED(test_stop, ARRAY_LEN(stops) * ARRAY_LEN(stop_lasts), 2 * SEEDS),
		ONCE(test_max),
		ONCE(test_unused),
		ONCE(test_mutant_growth_by_answers),
		ONCE(test_mutant_refusals_as_answers),
	};
	wants_table = argc > 1 && strcmp(argv[1], "table") == 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Slots shared out between callers whose connections are on two threads, played on two simulated
 * loops: who floods over both takes nothing from who asks for little on one. */
#include "caller.h"
#include "pair.h"
#include "sites.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define JOBS 2000
#define LIMIT 10
#define TAKES (100 * NS_MS)
#define BUDGET (500 * NS_MS)
#define LONG_QUEUE 100
#define ROUNDS_FOR (20 * NS_S)
#define WHO 3

struct two {
	struct bed bed; /* the server, too */
	struct pair pair;
	struct books *books;
	struct tuner *tuner; /* NULL: the limit is fixed */
	struct sites sites;
	struct rng rng;
	struct job jobs[JOBS];
	ns_t deadlines[JOBS]; /* 0: there is none */
	uint64_t asked[WHO], good[WHO];
};

static void two_init(struct two *t, enum slot_unit unit, uint64_t queue_max)
{
	const struct worker_cfg few = { .clients = 1, .servers = 64 };
	bed_init(&t->bed, &(struct sim_cfg){ .seed = 1 }, &few);
	pair_init(&t->pair, &t->bed, &few);
	rng_init(&t->rng, 1);
	sites_init(&t->sites, &t->bed);
	site_start(&t->sites, 0, "10.0.0.2:80", OK);
	t->sites.site[0].answer_in = TAKES;
	bed_run(&t->bed, NS_S); /* instants are above 0 */
	t->books = books_new();
	struct upstream_cfg cfg = caller_upstream(LIMIT);
	raw_addr("10.0.0.2:80", &cfg.endpoints[cfg.endpoint_count++]);
	cfg.unit = unit;
	cfg.queue_max = queue_max;
	cfg.idle_for = 300 * NS_S;
	cfg.books = t->books;
	cfg.tuner = t->tuner;
	cfg.limit_auto = t->tuner != NULL;
	for (uint32_t i = 0; i < SEATS; i++)
		pair_start(&t->pair, cfg, i);
}

static void two_fini(struct two *t)
{
	bed_run(&t->bed, 2 * NS_S);
	assert_int_equal(share_waiting(t->pair.share), 0);
	pair_fini(&t->pair);
	books_unref(&t->books);
	site_stop(&t->sites, 0, IO_CLOSE_RESET);
	bed_fini(&t->bed);
}

/* Who is pushed out makes room for one that gets in. */
static enum err submit(struct two *t, uint32_t seat, uint32_t who, uint8_t priority)
{
	const uint64_t waiting = share_waiting(t->pair.share);
	uint32_t at = 0;
	while (at < JOBS && t->deadlines[at])
		at++;
	assert_true(at < JOBS);
	struct job *j = &t->jobs[at];
	ns_t deadline = ns_add(sim_now(t->bed.sim), BUDGET);
	t->asked[who]++;
	job_init(j, t->pair.up[seat], "GET", "/");
	j->caller = who + 1;
	j->priority = priority;
	enum err e = job_submit(j, deadline);
	if (e == ERR_OK)
		t->deadlines[at] = deadline;
	else
		job_fini(j);
	assert_true(share_waiting(t->pair.share) >= waiting);
	return e;
}

static void reap(struct two *t, bool all)
{
	for (uint32_t i = 0; i < JOBS; i++) {
		struct job *j = &t->jobs[i];
		bool late = sim_now(t->bed.sim) >= t->deadlines[i] || all;
		if (!t->deadlines[i] || !(j->ends || late))
			continue;
		if (!j->ends)
			job_abandon(j);
		else if (j->why == ERR_OK)
			t->good[j->caller - 1]++;
		job_fini(j);
		t->deadlines[i] = 0;
	}
}

/* Random arrivals, of a rate a second. */
static bool comes(struct two *t, double rate)
{
	return rng_unit(&t->rng) < rate / 1000;
}

/* So many calls a second, over the seats from `first` on. */
struct ask {
	double rate;
	uint32_t first, seats;
	uint8_t priority;
};

static void run(struct two *t, const struct ask *asks, uint32_t n, ns_t for_ns)
{
	ns_t end = sim_now(t->bed.sim) + for_ns;
	while (sim_now(t->bed.sim) < end) {
		for (uint32_t i = 0; i < n; i++)
			for (uint32_t k = 0; k < asks[i].seats; k++)
				if (comes(t, asks[i].rate / asks[i].seats))
					(void)submit(t, asks[i].first + k, i,
						asks[i].priority);
		bed_run(&t->bed, NS_MS);
		reap(t, false);
	}
}

/* What each of them got: of what it asked for, and a second. */
struct got {
	double part[WHO], rate[WHO];
};

/* The first alone for two seconds, so that it was seen of late. */
static struct got play(
	enum slot_unit unit, uint64_t queue_max, const struct ask *asks, uint32_t n)
{
	struct two *t = mem_zalloc(sizeof(*t));
	struct got got;
	two_init(t, unit, queue_max);
	run(t, asks, 1, 2 * NS_S);
	memset(t->asked, 0, sizeof(t->asked));
	memset(t->good, 0, sizeof(t->good));
	run(t, asks, n, ROUNDS_FOR);
	reap(t, true);
	for (uint32_t i = 0; i < n; i++) {
		got.part[i] = (double)t->good[i] / (double)t->asked[i];
		got.rate[i] = (double)t->good[i] * NS_S / ROUNDS_FOR;
		print_message("by %s: %g/s on %u of them: %.3f answered, %.1f/s\n",
			unit == SLOT_UNIT_CONNECTION ? "connection" : "request",
			asks[i].rate, asks[i].seats, got.part[i], got.rate[i]);
	}
	two_fini(t);
	mem_free(t);
	return got;
}

static const enum slot_unit units[] = { SLOT_UNIT_CONNECTION, SLOT_UNIT_REQUEST };

/* Who asks for a fifth of what the server can do, beside floods of a bit more than that, of twice
 * and of ten times as much. */
static void modest_beside(enum slot_unit unit, uint32_t modest_seats,
	uint32_t flood_first, uint32_t flood_seats)
{
	static const double floods[] = { 120, 240, 1000 };
	for (uint32_t i = 0; i < ARRAY_LEN(floods); i++) {
		const struct ask asks[] = {
			{ 20, 0, modest_seats, CALLERS_NORMAL },
			{ floods[i], flood_first, flood_seats, CALLERS_NORMAL },
		};
		struct got got = play(unit, LONG_QUEUE, asks, 2);
		assert_true(got.part[0] > 0.95);
		assert_true(got.rate[1] > 60);
	}
}

static void test_a_flood_over_both_threads(void **state)
{
	(void)state;
	modest_beside(units[0], 1, 0, 2);
	modest_beside(units[1], 1, 0, 2);
}

static void test_a_flood_on_the_other_thread(void **state)
{
	(void)state;
	modest_beside(units[0], 1, 1, 1);
	modest_beside(units[1], 1, 1, 1);
}

static void test_who_asks_for_little_on_both_threads(void **state)
{
	(void)state;
	modest_beside(units[0], 2, 0, 2);
	modest_beside(units[1], 2, 0, 2);
}

/* Those who flood on one thread leave places for those who come by another. */
static void test_a_queue_that_is_full(void **state)
{
	(void)state;
	static const uint32_t first[] = { 0, 1 };
	for (uint32_t i = 0; i < ARRAY_LEN(first); i++) {
		const struct ask asks[] = {
			{ 20, 0, 1, CALLERS_NORMAL },
			{ 240, first[i], 2 - first[i], CALLERS_NORMAL },
		};
		struct got got = play(SLOT_UNIT_CONNECTION, 20, asks, 2);
		assert_true(got.part[0] > 0.95);
		assert_true(got.rate[1] > 60);
	}
}

/* Who has filled his share by one thread may wait on the other, too, for what comes free of it. */
static void fill_by_the_other_thread(enum slot_unit unit)
{
	struct two *t = mem_zalloc(sizeof(*t));
	const struct ask asks[] = { { 20, 0, 1, CALLERS_NORMAL },
		{ 240, 1, 1, CALLERS_NORMAL } };
	two_init(t, unit, LONG_QUEUE);
	run(t, asks, 1, 2 * NS_S);
	run(t, asks, 2, 2 * NS_S);
	bed_run(&t->bed, NS_S);
	reap(t, true);
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(submit(t, 0, 0, CALLERS_NORMAL), ERR_OK);
	bed_run(&t->bed, 5 * NS_MS); /* connections come to it */
	for (uint32_t i = 0; i < LIMIT && share_waiting(t->pair.share) == 0; i++) {
		assert_int_equal(submit(t, 1, 1, CALLERS_NORMAL), ERR_OK);
		bed_run(&t->bed, 5 * NS_MS); /* some of what is kept may be lent */
	}
	assert_int_equal(share_waiting(t->pair.share), 1);
	assert_int_equal(submit(t, 0, 1, CALLERS_NORMAL), ERR_OK);
	assert_int_equal(share_waiting(t->pair.share), 2);
	bed_run(&t->bed, NS_S);
	reap(t, true);
	two_fini(t);
	mem_free(t);
}

static void test_what_is_held_by_the_other_thread(void **state)
{
	(void)state;
	for (uint32_t u = 0; u < ARRAY_LEN(units); u++)
		fill_by_the_other_thread(units[u]);
}

/* Connections on every thread do not make a caller two. */
static void test_two_floods_get_the_same(void **state)
{
	(void)state;
	const struct ask asks[] = { { 300, 0, 1, CALLERS_NORMAL },
		{ 300, 0, 2, CALLERS_NORMAL } };
	for (uint32_t u = 0; u < ARRAY_LEN(units); u++) {
		struct got got = play(units[u], LONG_QUEUE, asks, 2);
		assert_true(got.rate[0] + got.rate[1] > 80);
		assert_true(got.rate[0] > 0.6 * got.rate[1]);
		assert_true(got.rate[1] > 0.6 * got.rate[0]);
	}
}

static void test_who_is_alone_has_all(void **state)
{
	(void)state;
	const struct ask alone = { 300, 0, 2, CALLERS_NORMAL };
	for (uint32_t u = 0; u < ARRAY_LEN(units); u++)
		assert_true(play(units[u], LONG_QUEUE, &alone, 1).rate[0] > 90);
}

static void test_priority_holds_over_both_threads(void **state)
{
	(void)state;
	const struct ask asks[] = { { 60, 0, 1, 0 }, { 400, 1, 1, CALLERS_NORMAL } };
	for (uint32_t u = 0; u < ARRAY_LEN(units); u++)
		assert_true(play(units[u], LONG_QUEUE, asks, 2).part[0] > 0.9);
}

/* Both pour: who is told at once leaves what comes free to nobody who should come after him. */
static void test_priority_holds_among_floods(void **state)
{
	(void)state;
	const struct ask asks[] = { { 800, 0, 1, 0 }, { 800, 1, 1, CALLERS_NORMAL } };
	for (uint32_t u = 0; u < ARRAY_LEN(units); u++) {
		struct got got = play(units[u], LONG_QUEUE, asks, 2);
		assert_true(got.rate[0] > 3 * got.rate[1]);
	}
}

/* --- what each thread tells the others --- */

static struct two *two_new(enum slot_unit unit)
{
	struct two *t = mem_zalloc(sizeof(*t));
	two_init(t, unit, LONG_QUEUE);
	return t;
}

static void two_free(struct two *t)
{
	reap(t, true);
	two_fini(t);
	mem_free(t);
}

static const struct callers *over_all(const struct two *t)
{
	return &books_accounts(t->books)->all;
}

/* A thread to which no call comes any more takes back what it said would come free. */
static void test_a_quiet_thread_lends_nothing(void **state)
{
	(void)state;
	const struct ask asks[] = { { 20, 0, 1, CALLERS_NORMAL },
		{ 240, 1, 1, CALLERS_NORMAL } };
	struct two *t = two_new(SLOT_UNIT_REQUEST);
	for (uint32_t i = 0; i < 5000 && !over_all(t)->soon; i++)
		run(t, asks, 2, NS_MS);
	assert_true(over_all(t)->soon > 0);
	run(t, NULL, 0, NS_S);
	assert_int_equal(over_all(t)->soon, 0);
	two_free(t);
}

static void submit_some(struct two *t, uint32_t seat, uint32_t who, uint32_t n)
{
	while (n-- > 0)
		submit(t, seat, who, CALLERS_NORMAL);
}

/* Lent by seat 0 while some calls of a flood run there; those of another caller on seat 1, for whom
 * slots are kept, are over. */
static uint32_t lent_beside_idle(enum slot_unit unit)
{
	struct two *t = two_new(unit);
	for (uint32_t i = 0; i < 10; i++) {
		submit_some(t, 0, 1, 5);
		submit_some(t, 1, 0, 4);
		run(t, NULL, 0, 2 * TAKES);
	}
	submit_some(t, 0, 1, 5);
	run(t, NULL, 0, TAKES / 2);
	submit_some(t, 0, 1, 1); /* it looks */
	uint32_t lent = over_all(t)->soon;
	print_message("%u lent of %u\n", lent, over_all(t)->kept);
	two_free(t);
	return lent;
}

/* The idle connections of another thread are no calls that run there. */
static void test_idle_elsewhere_is_free(void **state)
{
	(void)state;
	uint32_t lent = lent_beside_idle(SLOT_UNIT_REQUEST);
	assert_true(lent > 0);
	assert_int_equal(lent_beside_idle(SLOT_UNIT_CONNECTION), lent);
}

/* A thread that wakes up has heard that the limit stands by now: it takes nobody's share away. */
static void test_shares_outlast_a_thread_that_slept(void **state)
{
	(void)state;
	struct two *t = mem_zalloc(sizeof(*t));
	struct limit_mark marks[6];
	t->tuner = tuner_new(LIMIT, NS_S);
	two_init(t, SLOT_UNIT_REQUEST, LONG_QUEUE);
	submit_some(t, 0, 0, 1);
	run(t, NULL, 0, NS_S);
	assert_int_equal(over_all(t)->limit, 0); /* it grows */
	ns_t now = sim_now(t->bed.sim);
	for (uint32_t i = 0; i < ARRAY_LEN(marks); i++)
		(void)tuner_sent(t->tuner, now,
			&(struct tuner_call){ .level = i + 1, .waiting = true },
			&marks[i]);
	for (uint32_t i = 0; i < ARRAY_LEN(marks); i++)
		tuner_ended(
			t->tuner, now, &marks[i], i < 4 ? LIMIT_ANSWERED : LIMIT_REFUSED);
	submit_some(t, 0, 0, 1);
	assert_true(over_all(t)->limit > 0);
	tuner_unref(&t->tuner); /* the upstreams hold it */
	two_free(t);
}

/* --- what each thread knows of the others' slots --- */

#define LONG (4 * NS_S)
#define PAIR 2

/* Quick calls on each thread, then long ones on the second. */
static void ask_for_both(struct two *t, ns_t run_for)
{
	t->sites.site[0].answer_in = TAKES;
	for (uint32_t seat = 0; seat < SEATS; seat++)
		submit_some(t, seat, 0, PAIR);
	run(t, NULL, 0, run_for);
	t->sites.site[0].answer_in = LONG;
	submit_some(t, 1, 0, PAIR);
	run(t, NULL, 0, TAKES / 4); /* it has come there */
}

static uint32_t held(const struct two *t)
{
	return books_holds(t->books, NS_S)->slots.len;
}

/* Slots come free often on the average, but all of them are held by long calls by now: who comes is
 * told so at once, on whatever thread. */
static void told_at_once(enum slot_unit unit)
{
	struct two *t = two_new(unit);
	for (uint32_t i = 0; i < LIMIT / PAIR; i++)
		ask_for_both(t, TAKES);
	run(t, NULL, 0, LONG);
	uint32_t rounds = 0;
	do {
		ask_for_both(t, 2 * TAKES);
		run(t, NULL, 0, 2 * TAKES);
		assert_true(++rounds < LIMIT);
	} while (held(t) < LIMIT);
	assert_int_equal(submit(t, 0, 0, CALLERS_NORMAL), ERR_LATE);
	assert_int_equal(submit(t, 1, 0, CALLERS_NORMAL), ERR_LATE);
	run(t, NULL, 0, LONG);
	two_free(t);
}

static void test_long_calls_of_the_other_thread(void **state)
{
	(void)state;
	for (uint32_t u = 0; u < ARRAY_LEN(units); u++)
		told_at_once(units[u]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_long_calls_of_the_other_thread),
		TEST(test_a_flood_over_both_threads),
		TEST(test_a_flood_on_the_other_thread),
		TEST(test_who_asks_for_little_on_both_threads),
		TEST(test_a_queue_that_is_full),
		TEST(test_what_is_held_by_the_other_thread),
		TEST(test_two_floods_get_the_same),
		TEST(test_who_is_alone_has_all),
		TEST(test_priority_holds_over_both_threads),
		TEST(test_priority_holds_among_floods),
		TEST(test_a_quiet_thread_lends_nothing),
		TEST(test_idle_elsewhere_is_free),
		TEST(test_shares_outlast_a_thread_that_slept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What is taken for a server that lets connections above its limit stall, and what is not: callers
 * that come whatever happens, and connections to a modelled server, in steps. */
#include "flow/stall.h"
#include "tests/unit/base/unit.h"

#define STEP (5 * NS_MS)
#define CONNS 300
#define DRAIN_FOR (60 * NS_S)
#define SEEDS 6
#define FOR_EVER (3600 * NS_S)

struct world;

struct conn {
	bool open, proven, calls, at_work;
	ns_t until; /* at_work: the answer is there, or we give up */
	bool answered;
	uint32_t served;
	struct stall_mark mark;
};

struct world {
	struct stall s;
	struct rng rng;
	ns_t now;
	uint32_t limit, workers, most; /* connections: ours, the server's; calls on one */
	double rate;
	ns_t (*takes)(struct world *w, const struct conn *c); /* FOR_EVER: it hangs */
	uint32_t verdicts;
	struct stall_verdict first, last;
	ns_t found_at;
	struct conn conns[CONNS];
};

static bool chance(struct world *w, double p)
{
	return rng_unit(&w->rng) < p;
}

static struct world world(
	uint64_t seed, ns_t (*takes)(struct world *, const struct conn *))
{
	struct world w = { .now = 100 * NS_S,
		.limit = 60,
		.workers = CONNS,
		.most = UINT32_MAX,
		.rate = 80,
		.takes = takes };
	rng_init(&w.rng, seed);
	stall_init(&w.s);
	return w;
}

/* --- the server --- */

static uint32_t held(const struct world *w)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < CONNS; i++)
		n += w->conns[i].open && (w->conns[i].at_work || !w->conns[i].calls);
	return n;
}

static void begin(struct world *w, struct conn *c)
{
	ns_t takes = w->takes(w, c);
	c->at_work = true;
	c->answered = takes < DRAIN_FOR;
	c->until = w->now + (c->answered ? takes : DRAIN_FOR);
}

/* Workers that are free take those that have waited for longest. */
static void take_on(struct world *w)
{
	for (;;) {
		struct conn *next = NULL;
		for (uint32_t i = 0; i < CONNS; i++) {
			struct conn *c = &w->conns[i];
			bool waits = c->open && c->calls && !c->at_work;
			if (waits && (!next || c->mark.sent_at < next->mark.sent_at))
				next = c;
		}
		if (!next || held(w) >= w->workers)
			return;
		begin(w, next);
	}
}

/* --- we --- */

static void close_one(struct world *w, struct conn *c)
{
	if (c->proven)
		stall_note_closed(&w->s);
	*c = (struct conn){ 0 };
}

static void end(struct world *w, struct conn *c, bool answered)
{
	if (answered && !c->proven)
		stall_note_heard(&w->s, w->now, &c->mark);
	c->proven |= answered;
	stall_note_ended(&w->s, w->now, &c->mark, answered);
	c->calls = c->at_work = false;
	if (!answered || ++c->served >= w->most)
		close_one(w, c);
}

static void send(struct world *w)
{
	struct conn *idle = NULL, *fresh = NULL;
	uint32_t open = 0;
	for (uint32_t i = 0; i < CONNS; i++) {
		struct conn *c = &w->conns[i];
		open += c->open;
		if (!c->open)
			fresh = c;
		else if (!c->calls)
			idle = c;
	}
	struct conn *c = idle ? idle : fresh;
	if (!c || (!idle && open >= w->limit))
		return;
	c->open = c->calls = true;
	if (c->proven)
		stall_note_beside(&w->s, w->now, &c->mark);
	else
		stall_note_asked(&w->s, w->now, false, &c->mark);
	if (c->proven)
		begin(w, c);
}

static void judge(struct world *w)
{
	struct stall_verdict v;
	if (w->now < w->s.due || !stall_judge(&w->s, w->now, &v))
		return;
	assert_true(v.took >= w->s.proven); /* rule 4 */
	w->last = v;
	if (w->verdicts++ == 0) {
		w->first = v;
		w->found_at = w->now;
	}
	for (uint32_t i = 0; i < CONNS; i++) {
		struct conn *c = &w->conns[i];
		if (c->open && c->calls && !c->proven && c->mark.sent_at >= v.from)
			end(w, c, false);
	}
	w->limit = v.took;
}

static void run(struct world *w, ns_t for_ns)
{
	for (ns_t until = w->now + for_ns; w->now < until; w->now += STEP) {
		for (uint32_t i = 0; i < CONNS; i++) {
			struct conn *c = &w->conns[i];
			if (c->at_work && c->until <= w->now)
				end(w, c, c->answered);
			else if (c->calls && !c->at_work &&
				 w->now - c->mark.sent_at >= DRAIN_FOR)
				end(w, c, false);
		}
		if (chance(w, w->rate * (double)STEP / (double)NS_S))
			send(w);
		take_on(w);
		judge(w);
	}
}

static void kill_all(struct world *w)
{
	for (uint32_t i = 0; i < CONNS; i++) {
		struct conn *c = &w->conns[i];
		if (c->calls)
			end(w, c, false);
		else if (c->open)
			close_one(w, c);
	}
}

/* --- what calls take --- */

static ns_t takes_two_kinds(struct world *w, const struct conn *c)
{
	(void)c;
	return chance(w, 0.2) ? 4 * NS_S : 50 * NS_MS;
}

static ns_t takes_two_kinds_quicker(struct world *w, const struct conn *c)
{
	return takes_two_kinds(w, c) / 4;
}

static ns_t takes_little(struct world *w, const struct conn *c)
{
	(void)w;
	(void)c;
	return 50 * NS_MS;
}

/* --- walls --- */

static void assert_near(const struct world *w, uint32_t wall)
{
	assert_true(w->verdicts >= 1);
	assert_in_range(w->limit, wall - wall / 5, wall + wall / 10);
}

static void test_a_wall(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world w = world(test_seed(seed), takes_two_kinds);
		w.workers = 50;
		w.limit = 90;
		run(&w, 25 * NS_S);
		assert_near(&w, 50);
		assert_true(w.found_at - w.first.from >= STALL_MIN);
		assert_true(w.first.waited >= STALL_ROW);
	}
}

/* As soon as it can be told: a connection has waited for long, and others beside it. */
static void test_when_it_is_found(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world w = world(test_seed(seed), takes_two_kinds_quicker);
		w.workers = 25;
		w.limit = 22;
		run(&w, 20 * NS_S);
		assert_int_equal(w.verdicts, 0);
		ns_t lifted_at = w.now;
		w.rate = 150;
		for (; w.limit < 45; w.limit++)
			run(&w, 50 * NS_MS);
		run(&w, 10 * NS_S);
		assert_near(&w, 25);
		ns_t took = w.found_at - lifted_at, patience = 2 * NS_S;
		assert_in_range(took, patience, 2 * patience + NS_S);
	}
}

/* Four workers, of which each is busy for long. */
static void test_a_small_server(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world w = world(test_seed(seed), takes_two_kinds);
		w.workers = 5;
		w.limit = 30;
		w.rate = 20;
		run(&w, 100 * NS_S);
		assert_true(w.verdicts >= 1);
		assert_in_range(w.limit, 3, 5);
	}
}

/* A server that closes each connection after some calls, and takes who has waited for longest in
 * its place: those are answered late, and there is no room for more all the same. */
static void test_workers_come_free(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world w = world(test_seed(seed), takes_two_kinds);
		w.workers = 50;
		w.limit = 90;
		w.most = 200;
		run(&w, 60 * NS_S);
		assert_true(w.verdicts >= 1);
		assert_in_range(w.limit, 40, 55);
	}
}

/* It has half of its workers since it was started anew. */
static void test_a_wall_that_comes_down(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world w = world(test_seed(seed), takes_two_kinds);
		w.limit = 40;
		run(&w, 20 * NS_S);
		assert_int_equal(w.verdicts, 0);
		kill_all(&w);
		w.workers = 20;
		run(&w, 40 * NS_S);
		assert_near(&w, 20);
	}
}

/* --- what is none --- */

static void test_slow_calls_on_new_connections(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world w = world(test_seed(seed), takes_two_kinds);
		w.limit = 200;
		w.rate = 150;
		run(&w, 100 * NS_S);
		assert_int_equal(w.verdicts, 0);
		assert_in_range(w.s.proven, 60, 200);
	}
}

static ns_t takes_long_at_times(struct world *w, const struct conn *c)
{
	(void)c;
	return chance(w, 0.01) ? 20 * NS_S : 50 * NS_MS;
}

static void test_a_few_are_far_slower(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world w = world(test_seed(seed), takes_long_at_times);
		w.most = 20; /* so that some are new all the time */
		run(&w, 200 * NS_S);
		assert_int_equal(w.verdicts, 0);
	}
}

static ns_t takes_for_ever_at_times(struct world *w, const struct conn *c)
{
	(void)c;
	return chance(w, 0.02) ? FOR_EVER : 50 * NS_MS;
}

static void test_a_few_hang(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world w = world(test_seed(seed), takes_for_ever_at_times);
		w.limit = 200;
		w.most = 20;
		run(&w, 200 * NS_S);
		assert_int_equal(w.verdicts, 0);
	}
}

static ns_t takes_long_in_the_spell(struct world *w, const struct conn *c)
{
	(void)c;
	return w->now >= 110 * NS_S && w->now < 120 * NS_S ? 25 * NS_S : 50 * NS_MS;
}

static ns_t takes_until_the_spell_ends(struct world *w, const struct conn *c)
{
	(void)c;
	bool in_it = w->now >= 110 * NS_S && w->now < 120 * NS_S;
	return in_it ? 120 * NS_S - w->now : 50 * NS_MS;
}

/* All slow for ten seconds, on connections new and old, and then as quick as before, while those
 * are at work still. */
static void test_slow_as_a_whole(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world w = world(test_seed(seed), takes_long_in_the_spell);
		w.limit = 250;
		w.rate = 20;
		run(&w, 60 * NS_S);
		assert_int_equal(w.verdicts, 0);
		w = world(test_seed(seed), takes_until_the_spell_ends);
		w.limit = 250;
		run(&w, 60 * NS_S);
		assert_int_equal(w.verdicts, 0);
	}
}

static ns_t takes_for_ever_from_then(struct world *w, const struct conn *c)
{
	(void)c;
	return w->now >= 110 * NS_S ? FOR_EVER : 50 * NS_MS;
}

static void test_it_hangs(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world w = world(test_seed(seed), takes_for_ever_from_then);
		w.limit = 250;
		run(&w, 90 * NS_S);
		assert_int_equal(w.verdicts, 0);
	}
}

static void test_it_is_killed(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world w = world(test_seed(seed), takes_two_kinds);
		for (int i = 0; i < 10; i++) {
			run(&w, 3 * NS_S);
			kill_all(&w);
		}
		run(&w, 30 * NS_S);
		assert_int_equal(w.verdicts, 0);
	}
}

/* TLS, a pool, a compiler: the first call on each connection is slow. */
static ns_t takes_long_first(struct world *w, const struct conn *c)
{
	(void)w;
	return c->proven ? 50 * NS_MS : 3 * NS_S;
}

/* And at the start more so, as of everything that is new. */
static ns_t takes_long_at_the_start(struct world *w, const struct conn *c)
{
	ns_t age = w->now - 100 * NS_S;
	return age < 5 * NS_S ? 6 * NS_S - age : takes_long_first(w, c);
}

static void test_a_cold_start(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world w = world(test_seed(seed), takes_long_at_the_start);
		w.most = 50;
		run(&w, 100 * NS_S);
		assert_int_equal(w.verdicts, 0);
		w = world(test_seed(seed), takes_long_first);
		w.most = 50;
		run(&w, 100 * NS_S);
		assert_int_equal(w.verdicts, 0);
	}
}

/* A packet is lost now and then, and sent again after 0.2 s, 0.6 s or 1.4 s; more so in a
 * handshake. */
static ns_t takes_a_packet_more(struct world *w, const struct conn *c)
{
	double lost = c->proven ? 0.01 : 0.1;
	ns_t takes = 50 * NS_MS, again = 200 * NS_MS;
	while (chance(w, lost)) {
		takes += again;
		again *= 2;
	}
	return takes;
}

static void test_lost_packets(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world w = world(test_seed(seed), takes_a_packet_more);
		w.most = 10;
		run(&w, 200 * NS_S);
		assert_int_equal(w.verdicts, 0);
	}
}

/* Of three servers behind one address, one takes connections and answers on none. That may look
 * like a wall; what is let in then is no less than what is answered. */
static ns_t takes_for_ever_at_one(struct world *w, const struct conn *c)
{
	if (!c->proven && chance(w, 1.0 / 3))
		return FOR_EVER;
	return chance(w, 0.2) ? NS_S : 50 * NS_MS;
}

static void test_one_of_three_hangs(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world w = world(test_seed(seed), takes_for_ever_at_one);
		w.most = 50;
		w.limit = 100;
		run(&w, 200 * NS_S);
		assert_true(w.verdicts <= 2);
	}
}

/* --- trials of a wall that was found --- */

static struct world found(uint64_t seed)
{
	struct world w = world(seed, takes_little);
	w.workers = 20;
	w.limit = 40;
	w.rate = 180;
	w.takes = takes_two_kinds_quicker;
	run(&w, 15 * NS_S);
	assert_near(&w, 20);
	run(&w, 5 * NS_S);
	assert_int_equal(w.verdicts, 1);
	return w;
}

static void test_a_trial_that_stalls(void **state)
{
	(void)state;
	struct world w = found(test_seed(1));
	struct stall_mark trial;
	stall_note_asked(&w.s, w.now, true, &trial);
	ns_t patience = stall_patience(&w.s);
	run(&w, patience / 2);
	assert_int_equal(w.verdicts, 1);
	run(&w, patience);
	assert_int_equal(w.verdicts, 2);
	stall_note_ended(&w.s, w.now, &trial, false);
	assert_int_equal(w.s.waiting, 0);
}

static void test_a_trial_that_is_answered(void **state)
{
	(void)state;
	struct world w = found(test_seed(1));
	struct stall_mark trial;
	stall_note_asked(&w.s, w.now, true, &trial);
	run(&w, NS_S);
	stall_note_heard(&w.s, w.now, &trial);
	run(&w, 4 * stall_patience(&w.s));
	assert_int_equal(w.verdicts, 1);
	assert_int_equal(w.s.proven, 21);
}

static ns_t takes_very_long_at_times(struct world *w, const struct conn *c)
{
	return chance(w, 0.03) ? 20 * NS_S : takes_two_kinds_quicker(w, c);
}

/* Those from before the row are at work, as some on PROVEN ones are; so they still are then. */
static void test_a_trial_shows_nothing_of_those_at_work(void **state)
{
	(void)state;
	struct world w = world(1, takes_very_long_at_times); /* not all have such a row */
	struct stall_mark trial;
	w.workers = 20;
	w.limit = 40;
	run(&w, 15 * NS_S);
	assert_true(w.verdicts >= 1 && !w.first.trial);
	assert_true(w.first.from > 0);
	stall_note_asked(&w.s, w.now, true, &trial);
	for (ns_t until = w.now + 60 * NS_S; !w.last.trial && w.now < until;)
		run(&w, STEP);
	assert_true(w.last.trial);
	assert_true(w.last.from > 0);
}

/* Those on PROVEN connections that have taken so long end without an answer. */
static void give_up_long(struct world *w)
{
	ns_t patience = stall_patience(&w->s);
	for (uint32_t i = 0; i < CONNS; i++) {
		struct conn *c = &w->conns[i];
		if (c->calls && c->proven && w->now - c->mark.sent_at >= patience)
			end(w, c, false);
	}
}

/* Once none on a PROVEN one waits any more, nothing says that those from before the row are at
 * work: how the others ended is no matter. */
static void test_a_trial_after_others_were_given_up(void **state)
{
	(void)state;
	struct world w = world(1, takes_very_long_at_times); /* as above */
	struct stall_mark trial;
	w.workers = 20;
	w.limit = 40;
	run(&w, 15 * NS_S);
	assert_true(w.verdicts >= 1 && w.s.from > 0);
	w.takes = takes_two_kinds_quicker;
	run(&w, stall_patience(&w.s) + STEP);
	assert_true(w.s.from > 0);
	give_up_long(&w);
	w.rate = 180; /* others come in their places */
	run(&w, NS_S);
	stall_note_asked(&w.s, w.now, true, &trial);
	assert_true(trial.trial);
	for (ns_t until = w.now + 60 * NS_S; !w.last.trial && w.now < until;)
		run(&w, STEP);
	assert_true(w.last.trial);
	assert_int_equal(w.last.from, 0);
}

/* Whoever is PROVEN takes a place, if one is free: one that never was said to be NEW, for its
 * request was answered before it was whole, and one from before the verdict. */
static void test_each_takes_a_place(void **state)
{
	(void)state;
	struct world w = found(test_seed(1));
	struct stall_mark none = { .kind = STALL_NONE }, old, trial;
	stall_note_asked(&w.s, w.now, false, &old);
	w.s.row_from = old.span + 1; /* as a verdict does */
	const uint32_t lost = w.s.lost, proven = w.s.proven;
	stall_note_closed(&w.s);
	stall_note_heard(&w.s, w.now, &none);
	assert_int_equal(w.s.lost, lost);
	stall_note_closed(&w.s);
	stall_note_heard(&w.s, w.now, &old);
	assert_int_equal(w.s.lost, lost);
	assert_int_equal(w.s.proven, proven);
	stall_note_asked(&w.s, w.now, true, &trial);
	assert_true(trial.trial);
}

/* Nothing is answered: a trial shows nothing then. */
static void test_a_trial_while_it_hangs(void **state)
{
	(void)state;
	struct world w = found(test_seed(1));
	struct stall_mark trial;
	run(&w, NS_S);
	w.takes = takes_for_ever_from_then;
	run(&w, 2 * NS_S);
	stall_note_asked(&w.s, w.now, true, &trial);
	run(&w, 30 * NS_S);
	assert_int_equal(w.verdicts, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_wall),
		TEST(test_when_it_is_found),
		TEST(test_a_small_server),
		TEST(test_workers_come_free),
		TEST(test_a_wall_that_comes_down),
		TEST(test_slow_calls_on_new_connections),
		TEST(test_a_few_are_far_slower),
		TEST(test_a_few_hang),
		TEST(test_slow_as_a_whole),
		TEST(test_it_hangs),
		TEST(test_it_is_killed),
		TEST(test_a_cold_start),
		TEST(test_lost_packets),
		TEST(test_one_of_three_hangs),
		TEST(test_a_trial_that_stalls),
		TEST(test_a_trial_that_is_answered),
		TEST(test_a_trial_shows_nothing_of_those_at_work),
		TEST(test_a_trial_after_others_were_given_up),
		TEST(test_each_takes_a_place),
		TEST(test_a_trial_while_it_hangs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

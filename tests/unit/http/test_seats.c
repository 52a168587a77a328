/* Two threads' upstreams under one limit, played on two simulated loops: who goes first, and
 * connections that move to where they are wanted. */
#include "http/tuner.h"
#include "pair.h"
#include "scene.h"

struct two {
	struct scene s; /* the server; its upstream is seat 0's */
	struct pair pair;
	struct quota servers;
	char order[64]; /* the paths' second letters, as the server gets them */
};

static void on_bytes(struct raw *r);
static void (*scene_on_bytes)(struct raw *r);
static struct two *current;

/* Notes the order of the requests. */
static void on_bytes(struct raw *r)
{
	const char *at = r->in.ptr ? r->in.ptr + r->parsed : "";
	size_t len = strlen(current->order);
	if (r->end == ERR_AGAIN && !strncmp(at, "GET /", 5) && len + 1 < 64)
		current->order[len] = at[5];
	scene_on_bytes(r);
}

static void two_init(struct two *t, const struct upstream_cfg *cfg)
{
	const struct worker_cfg few = {
		.clients = 1, .servers = 8, .all_servers = &t->servers
	};
	*t = (struct two){ 0 };
	current = t;
	scene_init(&t->s, NULL, cfg);
	scene_on_bytes = t->s.server.on_bytes;
	t->s.server.on_bytes = on_bytes;
	upstream_free(&t->s.up);
	quota_init(&t->servers, 8);
	t->s.bed.worker.cconns.quota = &t->servers;
	pair_init(&t->pair, &t->s.bed, &few);
	for (uint32_t i = 0; i < SEATS; i++)
		pair_start(&t->pair, *cfg, i);
	t->s.up = t->pair.up[0];
}

static void two_start(struct two *t, uint32_t limit)
{
	struct upstream_cfg cfg = scene_upstream();
	cfg.limit = limit;
	two_init(t, &cfg);
}

/* All that was taken was given back. */
static void two_fini(struct two *t)
{
	scene_close_raws(&t->s);
	bed_run(&t->s.bed, 20 * NS_S);
	assert_int_equal(share_used(t->pair.share), 0);
	assert_int_equal(share_waiting(t->pair.share), 0);
	assert_int_equal(share_zombies(t->pair.share), 0);
	assert_int_equal(share_settling(t->pair.share), 0);
	assert_int_equal(quota_used(share_sockets(t->pair.share)), 0);
	assert_int_equal(quota_used(&t->servers), 0);
	for (uint32_t i = 0; i < SEATS; i++)
		if (t->pair.up[i])
			assert_true(upstream_is_spent(t->pair.up[i]));
	pair_fini(&t->pair);
	t->s.up = NULL;
	scene_fini(&t->s);
}

static void submit_as(
	struct two *t, struct job *j, uint32_t seat, const char *path, uint8_t priority)
{
	job_init(j, t->pair.up[seat], "GET", path);
	j->priority = priority;
	assert_int_equal(job_submit(j, NS_NEVER), ERR_OK);
	bed_run(&t->s.bed, 3 * NS_MS);
}

/* In the order given, 3 ms apart. */
static void submit(struct two *t, struct job *j, uint32_t seat, const char *path)
{
	submit_as(t, j, seat, path, 0);
}

/* Together. */
static void submit_all(struct two *t, struct job *jobs, uint32_t n, uint32_t seat,
	const char *path, uint8_t priority)
{
	for (uint32_t i = 0; i < n; i++) {
		job_init(&jobs[i], t->pair.up[seat], "GET", path);
		jobs[i].priority = priority;
	}
	assert_int_equal(jobs_submit(jobs, n, NS_NEVER), ERR_OK);
	bed_run(&t->s.bed, 3 * NS_MS);
}

/* They were all answered. */
static void end_all(struct job *jobs, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(jobs[i].why, ERR_OK);
		job_fini(&jobs[i]);
	}
}

static void test_adopted_not_reopened(void **state)
{
	(void)state;
	struct two t;
	struct job j[6];
	two_start(&t, 1);
	for (uint32_t i = 0; i < ARRAY_LEN(j); i++) {
		submit(&t, &j[i], i % 2, "/x");
		assert_int_equal(j[i].why, ERR_OK);
		job_fini(&j[i]);
	}
	assert_int_equal(t.s.server.accepted, 1);
	assert_int_equal(upstream_stats(t.pair.up[0])->connects, 1);
	assert_int_equal(upstream_stats(t.pair.up[1])->connects, 0);
	assert_int_equal(upstream_stats(t.pair.up[1])->adopted, 3);
	assert_int_equal(upstream_stats(t.pair.up[0])->adopted, 2);
	assert_int_equal(upstream_stats(t.pair.up[1])->sockets, 1);
	assert_int_equal(share_used(t.pair.share), 1);
	two_fini(&t);
}

static void test_first_in_first_out(void **state)
{
	(void)state;
	static const char *const paths[] = { "/a", "/b", "/c", "/d", "/e", "/f", "/g",
		"/h" };
	static const uint8_t seats[] = { 0, 1, 1, 0, 1, 0, 0, 1 };
	struct two t;
	struct job j[8];
	two_start(&t, 1);
	t.s.answer_in = 30 * NS_MS;
	for (int i = 0; i < 8; i++)
		submit(&t, &j[i], seats[i], paths[i]);
	bed_run(&t.s.bed, NS_S);
	end_all(j, 8);
	assert_string_equal(t.order, "abcdefgh");
	assert_int_equal(t.s.server.accepted, 1);
	two_fini(&t);
}

/* The same when each answer ends its connection: slots settle, and others begin. */
static void test_first_in_first_out_by_slots(void **state)
{
	(void)state;
	static const char *const paths[] = { "/a", "/b", "/c", "/d", "/e", "/f" };
	struct two t;
	struct job j[6];
	two_start(&t, 1);
	t.s.answer_in = 10 * NS_MS;
	t.s.close_in = 0;
	for (uint32_t i = 0; i < 6; i++)
		submit(&t, &j[i], i % 2, paths[i]);
	bed_run(&t.s.bed, NS_S);
	end_all(j, 6);
	assert_string_equal(t.order, "abcdef");
	assert_int_equal(t.s.peak, 1);
	two_fini(&t);
}

/* Three at once: connections of both seats come together for it, and who came later waits. */
static void test_gather_all_or_none(void **state)
{
	(void)state;
	struct two t;
	struct job one[3], all[3], late[2];
	two_start(&t, 3);
	t.s.answer_in = 50 * NS_MS;
	submit(&t, &one[0], 0, "/1");
	submit(&t, &one[1], 1, "/2");
	submit(&t, &one[2], 1, "/3");
	submit_all(&t, all, 3, 0, "/g", 0);
	submit(&t, &late[0], 1, "/l");
	submit(&t, &late[1], 0, "/m");
	bed_run(&t.s.bed, NS_S);
	end_all(one, 3);
	end_all(all, 3);
	end_all(late, 2);
	assert_string_equal(t.order, "123ggglm");
	assert_int_equal(t.s.server.accepted, 3);
	assert_int_equal(t.s.peak, 3);
	two_fini(&t);
}

/* What two of low priority collect is not taken by who comes later, by another thread. */
static void test_a_gather_stays_next(void **state)
{
	(void)state;
	struct two t;
	struct job one[2], all[2], late[8];
	two_start(&t, 2);
	t.s.answer_in = 20 * NS_MS;
	submit(&t, &one[0], 1, "/1");
	bed_run(&t.s.bed, 7 * NS_MS);
	submit(&t, &one[1], 0, "/2");
	submit_all(&t, all, 2, 0, "/g", 2);
	for (uint32_t i = 0; i < ARRAY_LEN(late); i++)
		submit(&t, &late[i], 1, "/l");
	bed_run(&t.s.bed, NS_S);
	assert_string_equal(t.order, "12ggllllllll");
	end_all(one, 2);
	end_all(all, 2);
	end_all(late, ARRAY_LEN(late));
	two_fini(&t);
}

/* But before its turn has come it is in nobody's way, neither there nor here. */
static void test_a_gather_of_low_priority_waits(void **state)
{
	(void)state;
	struct two t;
	struct job one[2], before, all[2], high, normal;
	two_start(&t, 2);
	t.s.answer_in = 30 * NS_MS;
	submit(&t, &one[0], 1, "/1");
	submit(&t, &one[1], 0, "/2");
	submit_as(&t, &before, 1, "/b", 1);
	submit_all(&t, all, 2, 0, "/g", 2);
	submit(&t, &high, 0, "/h");
	submit_as(&t, &normal, 1, "/n", 1);
	bed_run(&t.s.bed, NS_S);
	assert_string_equal(t.order, "12hbngg");
	end_all(one, 2);
	end_all(&before, 1);
	end_all(all, 2);
	end_all(&high, 1);
	end_all(&normal, 1);
	two_fini(&t);
}

/* Nor is who has to be sent again, whatever its priority: its thread admits nobody else. */
static void test_a_replay_stays_next(void **state)
{
	(void)state;
	struct two t;
	struct job warm, again, late[8];
	two_start(&t, 1);
	submit(&t, &warm, 0, "/w");
	scene_close_raws(&t.s); /* the FIN is under way as it is sent */
	t.s.answer_in = 5 * NS_MS;
	job_init(&again, t.pair.up[0], "GET", "/a");
	again.priority = 2;
	assert_int_equal(job_submit(&again, NS_NEVER), ERR_OK);
	for (uint32_t i = 0; i < ARRAY_LEN(late); i++)
		submit(&t, &late[i], 1, "/l");
	bed_run(&t.s.bed, NS_S);
	assert_int_equal(upstream_stats(t.pair.up[0])->replayed, 1);
	assert_string_equal(t.order, "wallllllll");
	end_all(&warm, 1);
	end_all(&again, 1);
	end_all(late, ARRAY_LEN(late));
	two_fini(&t);
}

/* What an older one was given, and left, goes to the next. */
static void test_a_waiter_leaves(void **state)
{
	(void)state;
	struct two t;
	struct job one[2], all[2], late;
	two_start(&t, 2);
	t.s.answer_in = 20 * NS_MS;
	submit(&t, &one[0], 1, "/1");
	bed_run(&t.s.bed, 10 * NS_MS);
	submit(&t, &one[1], 0, "/2");
	submit_all(&t, all, 2, 0, "/g", 0);
	submit(&t, &late, 1, "/l");
	bed_run(&t.s.bed, 5 * NS_MS);
	assert_int_equal(one[0].why, ERR_OK); /* it has moved to seat 0 */
	assert_int_equal(slots_used(upstream_slots(t.pair.up[0])), 2);
	assert_int_equal(late.why, ERR_AGAIN);
	job_abandon(&all[0]);
	bed_run(&t.s.bed, 2 * NS_MS); /* before /2 is answered */
	assert_string_equal(t.order, "12l");
	bed_run(&t.s.bed, NS_S);
	assert_int_equal(late.why, ERR_OK);
	assert_int_equal(t.s.server.accepted, 2);
	for (int i = 0; i < 2; i++) {
		job_fini(&one[i]);
		job_fini(&all[i]);
	}
	job_fini(&late);
	two_fini(&t);
}

static void test_limit_lowered(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct two t;
	struct job j[4], all[3];
	two_init(&t, &cfg);
	t.s.answer_in = 20 * NS_MS;
	for (uint32_t i = 0; i < 4; i++)
		submit(&t, &j[i], i % 2, "/x");
	submit_all(&t, all, 3, 1, "/g", 0);
	cfg.limit = 2;
	for (uint32_t i = 0; i < 2; i++) {
		struct upstream_cfg own = pair_cfg(&t.pair, cfg, i);
		upstream_reconfigure(t.pair.up[i], &own);
	}
	bed_run(&t.s.bed, NS_S);
	assert_int_equal(share_used(t.pair.share), 2);
	assert_int_equal(t.s.open, 2);
	end_all(j, 4);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(all[i].why, ERR_SHED); /* more than there ever will be */
		job_fini(&all[i]);
	}
	two_fini(&t);
}

/* Request units: slots are one count, connections are each thread's; with no room for more
 * connections they move. */
static void test_request_units(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct two t;
	struct job j[8];
	cfg.unit = SLOT_UNIT_REQUEST;
	cfg.limit = 2;
	cfg.sockets_max = 2;
	two_init(&t, &cfg);
	t.s.answer_in = 10 * NS_MS;
	for (uint32_t i = 0; i < 8; i++)
		submit(&t, &j[i], i / 4, "/x");
	bed_run(&t.s.bed, NS_S);
	end_all(j, 8);
	assert_int_equal(t.s.server.accepted, 2);
	assert_true(upstream_stats(t.pair.up[1])->adopted > 0);
	assert_int_equal(share_peak(t.pair.share), 2);
	two_fini(&t);
}

/* The server closes it while it is between the loops: it settles there, and a new one comes. */
static void test_it_dies_on_the_way(void **state)
{
	(void)state;
	struct two t;
	struct job a, b;
	two_start(&t, 1);
	submit(&t, &a, 0, "/a");
	job_init(&b, t.pair.up[1], "GET", "/b");
	scene_close_raws(&t.s); /* the FIN is under way as it is asked for */
	assert_int_equal(job_submit(&b, NS_NEVER), ERR_OK);
	bed_run(&t.s.bed, NS_S);
	assert_int_equal(t.s.peak, 1);
	assert_int_equal(t.s.server.accepted, 2);
	end_all(&a, 1);
	end_all(&b, 1);
	two_fini(&t);
}

/* An address that is no longer the server's there. */
static void test_not_welcome(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct upstream_endpoint other = { .name = { "other", 5 } };
	struct two t;
	struct job a, b;
	cfg.limit = 1;
	two_init(&t, &cfg);
	other.addr = cfg.endpoints[0];
	submit(&t, &a, 0, "/a");
	upstream_set_endpoints(t.pair.up[1], &other, 1);
	submit(&t, &b, 1, "/b");
	bed_run(&t.s.bed, NS_S);
	assert_int_equal(b.why, ERR_OK);
	assert_int_equal(t.s.peak, 1);
	assert_int_equal(t.s.server.accepted, 2);
	job_fini(&a);
	job_fini(&b);
	two_fini(&t);
}

/* Follows the asker's letter to the other loop, and lets the asker go when what it asked for
 * is on its way. */
struct farewell {
	struct io_defer behind_asking, behind_sending;
	struct io_letter letter;
	struct two *two;
};

static void on_asked(struct io_defer *d)
{
	struct farewell *f = CONTAINER_OF(d, struct farewell, behind_asking);
	io_mail(f->two->pair.mail[0], &f->letter);
}

static void on_asked_for(struct io_letter *l)
{
	struct farewell *f = CONTAINER_OF(l, struct farewell, letter);
	io_defer(f->two->s.bed.near, &f->behind_sending);
}

static void on_sent(struct io_defer *d)
{
	struct farewell *f = CONTAINER_OF(d, struct farewell, behind_sending);
	assert_int_equal(share_idle(f->two->pair.share, 0), 0);
	assert_int_equal(upstream_stats(f->two->pair.up[1])->adopted, 0);
	assert_false(upstream_is_spent(f->two->pair.up[1]));
	upstream_free(&f->two->pair.up[1]);
}

/* A limit that is found out, over both threads. */
static struct upstream_cfg cfg_auto(void)
{
	struct upstream_cfg cfg = scene_upstream();
	cfg.limit = 1;
	cfg.limit_auto = true;
	cfg.tuner = tuner_new(1, 0);
	return cfg;
}

/* A connection that was answered is closed, as far as it knows, and none is in its place. */
static bool has_lost_one(struct tuner *tuner)
{
	struct limit_mark mark;
	const struct tuner_call call = { .level = 1 };
	(void)tuner_sent(tuner, NS_S, &call, &mark);
	tuner_asked(tuner, NS_S, &mark);
	tuner_ended(tuner, NS_S, &mark, LIMIT_UNSENT);
	return mark.stall.has_place;
}

/* The asker goes before the connection comes: nothing is lost but the slot, which stays
 * charged. */
static void test_the_asker_has_gone(void **state)
{
	(void)state;
	struct upstream_cfg cfg = cfg_auto();
	struct two t;
	struct job a, b;
	two_init(&t, &cfg);
	submit(&t, &a, 0, "/a");
	job_init(&b, t.pair.up[1], "GET", "/b");
	assert_int_equal(job_submit(&b, NS_NEVER), ERR_OK);
	struct farewell f = { .two = &t };
	f.behind_asking.fn = on_asked;
	f.letter.on_read = on_asked_for;
	f.behind_sending.fn = on_sent;
	io_defer(t.pair.worker.loop, &f.behind_asking);
	bed_run(&t.s.bed, NS_S);
	assert_null(t.pair.up[1]);
	assert_int_equal(b.why, ERR_STOPPING);
	assert_int_equal(t.s.open, 0);
	assert_int_equal(share_used(t.pair.share), 1);
	job_fini(&a);
	job_fini(&b);
	share_give(t.pair.share, 1);
	assert_true(has_lost_one(cfg.tuner));
	tuner_unref(&cfg.tuner);
	two_fini(&t);
}

/* Nor does a thread find out what the limit is that has it told by now. */
static void test_the_asker_finds_out_nothing(void **state)
{
	(void)state;
	struct upstream_cfg cfg = cfg_auto(), told = scene_upstream();
	struct two t;
	struct job jobs[3];
	told.limit = 1;
	two_init(&t, &cfg);
	submit(&t, &jobs[0], 0, "/a");
	submit(&t, &jobs[1], 1, "/b");
	assert_int_equal(upstream_stats(t.pair.up[1])->adopted, 1);
	assert_false(has_lost_one(cfg.tuner));
	told = pair_cfg(&t.pair, told, 0);
	upstream_reconfigure(t.pair.up[0], &told);
	submit(&t, &jobs[2], 0, "/c");
	assert_int_equal(upstream_stats(t.pair.up[0])->adopted, 1);
	assert_true(has_lost_one(cfg.tuner));
	end_all(jobs, 3);
	tuner_unref(&cfg.tuner);
	two_fini(&t);
}

/* An upstream has gone while the other thread's stays, and one takes its seat again. */
static void test_a_seat_taken_again(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct two t;
	struct job a, b;
	cfg.limit = 1;
	two_init(&t, &cfg);
	upstream_free(&t.pair.up[1]);
	submit(&t, &a, 0, "/a");
	pair_start(&t.pair, cfg, 1);
	submit(&t, &b, 1, "/b");
	assert_int_equal(b.why, ERR_OK);
	assert_int_equal(upstream_stats(t.pair.up[1])->adopted, 1);
	job_fini(&a);
	job_fini(&b);
	two_fini(&t);
}

/* A thread's upstream ends by resets, and a call of another's is refused within the limit: they
 * may have been lost. */
static void test_last_words_of_another(void **state)
{
	(void)state;
	struct upstream_pool view;
	struct two t;
	struct job a;
	two_start(&t, 4);
	submit(&t, &a, 1, "/a");
	upstream_note_refusal(t.pair.up[0]);
	upstream_pool(t.pair.up[0], &view);
	assert_false(view.fin);
	upstream_free(&t.pair.up[1]);
	upstream_note_refusal(t.pair.up[0]);
	upstream_pool(t.pair.up[0], &view);
	assert_true(view.fin_learned);
	share_give(t.pair.share, 1); /* what ends with connections stays charged */
	job_fini(&a);
	two_fini(&t);
}

/* Calls on both seats at random, given up, closed under, gathered: the server never sees more
 * than the limit, and all ends. */
static void random_run(uint64_t seed)
{
	struct upstream_cfg cfg = scene_upstream();
	struct rng rng;
	struct two t;
	struct job j[120];
	uint32_t n = 0;
	rng_init(&rng, seed);
	cfg.limit = 1 + (uint32_t)rng_below(&rng, 5);
	cfg.queue_for = NS_S / 5;
	cfg.unit = rng_below(&rng, 3) == 0 ? SLOT_UNIT_REQUEST : SLOT_UNIT_CONNECTION;
	cfg.sockets_max = cfg.unit == SLOT_UNIT_REQUEST ? cfg.limit + 1 : 0;
	two_init(&t, &cfg);
	t.s.answer_in = 1 + (ns_t)rng_below(&rng, 10 * NS_MS);
	if (rng_below(&rng, 2))
		t.s.close_in = (ns_t)rng_below(&rng, 10 * NS_MS);
	while (n < ARRAY_LEN(j)) {
		uint32_t seat = (uint32_t)rng_below(&rng, 2);
		uint32_t k = 1 + (uint32_t)rng_below(
					 &rng, rng_below(&rng, 4) ? 1 : cfg.limit);
		if (k > ARRAY_LEN(j) - n)
			k = 1;
		for (uint32_t i = 0; i < k; i++)
			job_init(&j[n + i], t.pair.up[seat], "GET", "/x");
		enum err e = jobs_submit(&j[n], k, NS_NEVER);
		for (uint32_t i = 0; e != ERR_OK && i < k; i++)
			j[n + i].why = e;
		n += k;
		bed_run(&t.s.bed, (ns_t)rng_below(&rng, 4 * NS_MS));
		uint32_t victim = (uint32_t)rng_below(&rng, n);
		if (rng_below(&rng, 5) == 0 && j[victim].why == ERR_AGAIN &&
			!j[victim].abandoned)
			job_abandon(&j[victim]);
		if (cfg.unit == SLOT_UNIT_CONNECTION && t.s.open > cfg.limit)
			fail_msg("seed %llu: %llu open", (unsigned long long)seed,
				(unsigned long long)t.s.open);
	}
	bed_run(&t.s.bed, 15 * NS_S);
	for (uint32_t i = 0; i < n; i++) {
		bool silent = j[i].abandoned || j[i].call.state == CALL_OVER;
		if (j[i].why == ERR_AGAIN && !silent)
			fail_msg("seed %llu: call %u never ends",
				(unsigned long long)seed, i);
		job_fini(&j[i]);
	}
	two_fini(&t);
}

#define TOO_MANY \
	"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"

static void draw(struct two *t, uint32_t seat, const char *answer)
{
	struct job j;
	t->s.answer = answer;
	job_init(&j, t->pair.up[seat], "GET", "/x");
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&t->s.bed, 5 * NS_MS);
	assert_int_equal(j.ends, 1);
	job_fini(&j);
	t->s.answer = ANSWER;
}

/* A pause is everybody's, and so is its end: the other's call does not wait for nothing. */
static void test_one_pause(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct two t;
	struct job jobs[2];
	struct brake *brake = cfg.brake = brake_new();
	cfg.pause_max = 60 * NS_S;
	two_init(&t, &cfg);
	bed_run(&t.s.bed, NS_S);
	for (int i = 0; i < 30; i++)
		draw(&t, i % 3 == 0, ANSWER);
	draw(&t, 1, TOO_MANY); /* 30 answered */
	for (uint32_t i = 0; i < 2; i++) {
		job_init(&jobs[i], t.pair.up[i], "GET", "/x");
		assert_int_equal(job_submit(&jobs[i], NS_NEVER), ERR_OK);
	}
	while (!jobs[0].ends && !jobs[1].ends)
		bed_run(&t.s.bed, NS_MS);
	bed_run(&t.s.bed, 10 * NS_MS);
	assert_int_equal(
		jobs[0].ends + jobs[1].ends, 2); /* the ramp's first goes at once */
	bed_run(&t.s.bed, PAUSE_RAMP_FOR);
	for (int i = 0; i < 20; i++)
		draw(&t, 0, ANSWER);
	draw(&t, 1,
		TOO_MANY); /* 23 more in 15 s and a bit, by whomever they were counted */
	assert_true(brake->pause.pace > 1.3 && brake->pause.pace < 1.6);
	bed_run(&t.s.bed, 20 * NS_S);
	for (uint32_t i = 0; i < 2; i++)
		job_fini(&jobs[i]);
	two_fini(&t);
	brake_unref(&brake);
}

/* Nor does a caller get around his own pause by a connection to another thread. */
static void test_one_callers_pause(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct two t;
	struct job j;
	struct brake *brake = cfg.brake = brake_new();
	cfg.pause_max = 60 * NS_S;
	cfg.pause_caller = true;
	two_init(&t, &cfg);
	bed_run(&t.s.bed, NS_S);
	draw(&t, 0, TOO_MANY);
	job_init(&j, t.pair.up[1], "GET", "/x");
	assert_int_equal(job_submit(&j, sim_now(t.s.bed.sim) + NS_S), ERR_PAUSED);
	j.caller = 1;
	assert_int_equal(job_submit(&j, sim_now(t.s.bed.sim) + NS_S), ERR_OK);
	bed_run(&t.s.bed, 10 * NS_MS);
	assert_int_equal(j.why, ERR_OK);
	assert_int_equal(upstream_callers_paused(t.pair.up[1]), 1);
	job_fini(&j);
	two_fini(&t);
	brake_unref(&brake);
}

static void test_at_random(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 300; seed++)
		random_run(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_adopted_not_reopened),
		TEST(test_first_in_first_out),
		TEST(test_first_in_first_out_by_slots),
		TEST(test_gather_all_or_none),
		TEST(test_a_gather_stays_next),
		TEST(test_a_gather_of_low_priority_waits),
		TEST(test_a_replay_stays_next),
		TEST(test_a_waiter_leaves),
		TEST(test_limit_lowered),
		TEST(test_request_units),
		TEST(test_it_dies_on_the_way),
		TEST(test_not_welcome),
		TEST(test_the_asker_has_gone),
		TEST(test_the_asker_finds_out_nothing),
		TEST(test_a_seat_taken_again),
		TEST(test_one_pause),
		TEST(test_one_callers_pause),
		TEST(test_last_words_of_another),
		TEST(test_at_random),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

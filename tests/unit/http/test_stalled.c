/* A server that answers on its first connections, and lets the others stall: whose calls go back,
 * and what becomes of the connections. */
#include "http/tuner.h"
#include "scene.h"

#define MOST 8
#define SERVED 4
#define ERROR "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"

struct stand {
	struct scene s;
	void (*answer)(struct raw *r);
	uint32_t serves;    /* on so many connections */
	const char *others; /* what it says on those, and closes; NULL: nothing */
	/* what find() leaves waiting, which may not be sent twice */
	struct job stalled[2];
};

static void on_bytes(struct raw *r)
{
	struct scene *s = r->server->ctx;
	struct stand *t = CONTAINER_OF(s, struct stand, s);
	for (uint32_t i = 0; i < t->serves; i++) {
		if (raw_server_nth(&s->server, i) != r)
			continue;
		t->answer(r);
		return;
	}
	if (t->others && r->end == ERR_AGAIN)
		raw_say(r, t->others);
	if (t->others || r->end != ERR_AGAIN)
		raw_close(r, IO_CLOSE_FIN);
}

static struct upstream_cfg cfg_of(void)
{
	struct upstream_cfg cfg = scene_upstream();
	cfg.limit = MOST;
	cfg.limit_auto = true;
	cfg.queue_for = NS_NEVER;
	cfg.drain_for = 60 * NS_S;
	cfg.idle_for = 300 * NS_S;
	cfg.retry = (struct retry_cfg){ .max = 2, .share = RETRY_SHARE };
	return cfg;
}

static void begin(struct stand *t)
{
	const struct upstream_cfg cfg = cfg_of();
	scene_init(&t->s, NULL, &cfg);
	t->answer = t->s.server.on_bytes;
	t->serves = SERVED;
	t->others = NULL;
	t->s.server.on_bytes = on_bytes;
	t->s.answer_in = 5 * NS_MS;
}

static void submit(struct stand *t, struct job *j, const char *method)
{
	job_init(j, t->s.up, method, "/");
	assert_int_equal(job_submit(j, NS_NEVER), ERR_OK);
}

/* Calls that are answered, one after the other, for so long. */
static void go_on(struct stand *t, ns_t for_ns)
{
	for (ns_t until = worker_now(&t->s.bed.worker) + for_ns;
		worker_now(&t->s.bed.worker) < until;) {
		struct job j;
		submit(t, &j, "GET");
		bed_run(&t->s.bed, 10 * NS_MS);
		assert_int_equal(j.why, ERR_OK);
		job_fini(&j);
	}
}

static void answered(struct job *jobs, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(jobs[i].why, ERR_OK);
		job_fini(&jobs[i]);
	}
}

static uint32_t limit_of(const struct stand *t)
{
	return slots_limit(upstream_slots(t->s.up));
}

static const struct upstream_stats *stats_of(const struct stand *t)
{
	return upstream_stats(t->s.up);
}

/* As many calls as there may be, until it is found out that the last four stall: two of these go
 * back, and are answered. */
static void find(struct stand *t)
{
	struct job first[SERVED], back[2];
	begin(t);
	for (uint32_t i = 0; i < SERVED; i++)
		submit(t, &first[i], "GET");
	bed_run(&t->s.bed, NS_MS);
	for (int i = 0; i < 2; i++)
		submit(t, &back[i], "GET");
	for (int i = 0; i < 2; i++)
		submit(t, &t->stalled[i], "POST");
	bed_run(&t->s.bed, 20 * NS_MS);
	answered(first, SERVED);
	assert_int_equal(t->s.open, MOST);
	go_on(t, STALL_MIN - 50 * NS_MS);
	assert_int_equal(limit_of(t), MOST);
	assert_int_equal(stats_of(t)->stalled, 0);
	go_on(t, NS_S);
	assert_int_equal(limit_of(t), SERVED);
	answered(back, 2);
}

/* Who still waits does so no longer. */
static void leave(struct stand *t)
{
	for (int i = 0; i < 2; i++) {
		job_abandon(&t->stalled[i]);
		job_fini(&t->stalled[i]);
	}
}

/* One call more than the limit is: the last one, with this method, goes on a trial. */
static void try_one(struct stand *t, struct job *jobs, const char *method)
{
	for (uint32_t i = 0; i < SERVED; i++)
		submit(t, &jobs[i], "GET");
	submit(t, &jobs[SERVED], method);
	t->s.answer_in = 100 * NS_MS;
	bed_run(&t->s.bed, 50 * NS_MS);
	assert_int_equal(t->s.open, SERVED + 1);
	t->s.answer_in = 5 * NS_MS;
	bed_run(&t->s.bed, 500 * NS_MS);
	answered(jobs, SERVED);
}

static void test_what_becomes_of_them(void **state)
{
	(void)state;
	struct stand t;
	find(&t);
	assert_int_equal(stats_of(&t)->stalled, 2);
	assert_int_equal(stats_of(&t)->requeued, 2);
	/* who may not be sent twice waits; and then nobody does */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(t.stalled[i].why, ERR_AGAIN);
		assert_int_equal(t.stalled[i].readies, 1);
	}
	leave(&t);
	bed_run(&t.s.bed, 100 * NS_MS);
	assert_int_equal(stats_of(&t)->stalled, 4);
	assert_int_equal(t.s.open, SERVED);
	assert_int_equal(scene_used(&t.s), SERVED);
	assert_int_equal(scene_in(&t.s, SLOT_GHOST), 0);
	scene_fini(&t.s);
}

/* Connections that are answered are no surplus, however many stall above the limit. */
static void test_those_that_are_answered_are_kept(void **state)
{
	(void)state;
	struct stand t;
	find(&t);
	go_on(&t, 5 * NS_S);
	assert_int_equal(scene_in(&t.s, SLOT_IDLE), SERVED);
	leave(&t);
	scene_fini(&t.s);
}

/* What goes back from a trial is answered; what may not waits on it. */
static void test_trials(void **state)
{
	(void)state;
	static const char *const methods[] = { "GET", "POST" };
	for (size_t m = 0; m < ARRAY_LEN(methods); m++) {
		struct stand t;
		struct job jobs[SERVED + 1];
		find(&t);
		leave(&t);
		go_on(&t, STALL_TRY_EACH);
		assert_int_equal(t.s.open, SERVED);
		try_one(&t, jobs, methods[m]);
		assert_int_equal(jobs[SERVED].why, m == 0 ? ERR_OK : ERR_AGAIN);
		assert_int_equal(t.s.open, SERVED + 1);
		go_on(&t, STALL_MIN);
		if (m == 1)
			job_abandon(&jobs[SERVED]);
		bed_run(&t.s.bed, 100 * NS_MS);
		assert_int_equal(stats_of(&t)->stalled, 5);
		assert_int_equal(t.s.open, SERVED);
		assert_int_equal(limit_of(&t), SERVED);
		job_fini(&jobs[SERVED]);
		scene_fini(&t.s);
	}
}

/* Its call has gone back, and it may be answered yet: nothing is tried on it. */
static void test_a_trial_is_not_hung_up(void **state)
{
	(void)state;
	struct stand t;
	struct job jobs[SERVED + 1];
	struct upstream_cfg cfg = cfg_of();
	find(&t);
	leave(&t);
	cfg.abandon = ABANDON_AUTO;
	upstream_reconfigure(t.s.up, &cfg);
	for (int i = 0; i < 6; i++) {
		go_on(&t, 4 * STALL_TRY_EACH);
		assert_int_equal(t.s.open, SERVED);
		try_one(&t, jobs, "GET");
		answered(&jobs[SERVED], 1);
		assert_int_equal(scene_in(&t.s, SLOT_DRAINING), 1);
		assert_int_equal(stats_of(&t)->hung_up, 0);
		go_on(&t, STALL_MIN);
	}
	scene_fini(&t.s);
}

/* One more call than the limit is, each 100 ms for so long: how many of them have ended in error. */
static uint32_t errors_within(struct stand *t, ns_t for_ns)
{
	uint32_t errors = 0;
	for (ns_t until = worker_now(&t->s.bed.worker) + for_ns;
		worker_now(&t->s.bed.worker) < until;) {
		struct job jobs[SERVED + 1];
		for (uint32_t i = 0; i <= SERVED; i++)
			submit(t, &jobs[i], "GET");
		bed_run(&t->s.bed, 100 * NS_MS);
		for (uint32_t i = 0; i <= SERVED; i++)
			errors += strstr(jobs[i].log.ptr, "head:500") != NULL;
		answered(jobs, SERVED + 1);
	}
	return errors;
}

/* One that ends in error shows no more room than one that stalls: the next has its time. */
static void test_a_trial_that_fails(void **state)
{
	(void)state;
	struct stand t;
	find(&t);
	leave(&t);
	go_on(&t, STALL_TRY_EACH);
	t.others = ERROR;
	t.s.answer_in = 20 * NS_MS;
	assert_int_equal(errors_within(&t, STALL_TRY_EACH), 1);
	assert_int_equal(errors_within(&t, 2 * STALL_TRY_EACH), 1);
	assert_int_equal(limit_of(&t), SERVED);
	scene_fini(&t.s);
}

/* Another limit, of one's own or found out anew: nothing is known of what was learned before. */
static void test_the_limit_is_another_one(void **state)
{
	(void)state;
	struct stand t;
	find(&t);
	leave(&t);
	struct upstream_cfg cfg = cfg_of();
	cfg.limit_auto = false;
	upstream_reconfigure(t.s.up, &cfg);
	assert_int_equal(limit_of(&t), MOST);
	go_on(&t, 100 * NS_MS);
	cfg.limit_auto = true;
	upstream_reconfigure(t.s.up, &cfg);
	go_on(&t, 2 * NS_S);
	assert_int_equal(limit_of(&t), MOST);
	assert_int_equal(t.s.open, SERVED);
	scene_fini(&t.s);
}

/* One that had an error for an answer is not PROVEN, but has a worker: it is slow. */
static void test_the_server_is_at_work_on_it(void **state)
{
	(void)state;
	struct stand t;
	struct job jobs[MOST];
	begin(&t);
	bed_run(&t.s.bed, NS_S); /* instants are above 0 */
	t.serves = SERVED + 1;
	for (uint32_t i = 0; i < SERVED; i++)
		submit(&t, &jobs[i], "GET");
	bed_run(&t.s.bed, 3 * NS_MS);
	submit(&t, &jobs[SERVED], "GET");
	bed_run(&t.s.bed, 4 * NS_MS);
	t.s.answer = ERROR;
	bed_run(&t.s.bed, 10 * NS_MS);
	answered(jobs, SERVED + 1);
	assert_int_equal(scene_in(&t.s, SLOT_IDLE), SERVED + 1);
	t.s.answer = ANSWER;
	t.serves = SERVED;
	for (uint32_t i = 0; i < MOST; i++)
		submit(&t, &jobs[i], "GET");
	bed_run(&t.s.bed, 20 * NS_MS);
	go_on(&t, 2 * NS_S);
	assert_int_equal(limit_of(&t), SERVED);
	assert_int_equal(stats_of(&t)->stalled, MOST - SERVED - 1);
	assert_int_equal(scene_in(&t.s, SLOT_BUSY), 1);
	raw_say(raw_server_nth(&t.s.server, SERVED), ANSWER);
	bed_run(&t.s.bed, 20 * NS_MS);
	answered(jobs, MOST);
	scene_fini(&t.s);
}

#define SWITCH \
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"

/* A tunnel's answer has come: it waits no longer, however long it lasts. */
static void test_a_tunnel(void **state)
{
	(void)state;
	struct stand t;
	struct job first, tunnel;
	begin(&t);
	bed_run(&t.s.bed, NS_S); /* instants are above 0 */
	t.s.answer = SWITCH;
	job_init(&tunnel, t.s.up, "GET", "/");
	tunnel.upgrade = SLICE("x");
	assert_int_equal(job_submit(&tunnel, NS_NEVER), ERR_OK);
	bed_run(&t.s.bed, 20 * NS_MS);
	assert_int_equal(tunnel.interims, 1);
	t.s.answer = ANSWER;
	submit(&t, &first, "GET");
	bed_run(&t.s.bed, 20 * NS_MS);
	answered(&first, 1);
	go_on(&t, 3 * NS_S);
	assert_int_equal(limit_of(&t), MOST);
	assert_int_equal(tuner_stalls_due(upstream_tuner(t.s.up)), NS_NEVER);
	job_abandon(&tunnel);
	job_fini(&tunnel);
	scene_fini(&t.s);
}

/* What others go on to use knows nothing any more of the connections of who left it, and of those
 * that he comes back with each but once. */
static void test_the_same_one_again(void **state)
{
	(void)state;
	struct stand t;
	find(&t);
	struct tuner *tuner = upstream_tuner(t.s.up);
	tuner_ref(tuner);
	struct upstream_cfg cfg = cfg_of();
	for (int i = 0; i < 2; i++) {
		cfg.limit_auto = false;
		upstream_reconfigure(t.s.up, &cfg);
		go_on(&t, 100 * NS_MS);
		cfg.limit_auto = true;
		cfg.tuner = tuner;
		upstream_reconfigure(t.s.up, &cfg);
		go_on(&t, 100 * NS_MS);
		assert_int_equal(limit_of(&t), SERVED);
	}
	struct job all[SERVED];
	for (uint32_t i = 0; i < SERVED; i++)
		submit(&t, &all[i], "GET");
	bed_run(&t.s.bed, 20 * NS_MS);
	answered(all, SERVED);
	assert_int_equal(scene_in(&t.s, SLOT_BUSY), 2);
	go_on(&t, NS_S);
	assert_int_equal(limit_of(&t), SERVED);
	assert_int_equal(tuner_stalls_due(tuner), NS_NEVER);
	leave(&t);
	tuner_unref(&tuner);
	scene_fini(&t.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_becomes_of_them),
		TEST(test_those_that_are_answered_are_kept),
		TEST(test_trials),
		TEST(test_a_trial_is_not_hung_up),
		TEST(test_a_trial_that_fails),
		TEST(test_the_limit_is_another_one),
		TEST(test_the_server_is_at_work_on_it),
		TEST(test_a_tunnel),
		TEST(test_the_same_one_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

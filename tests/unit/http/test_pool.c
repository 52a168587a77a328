/* For how long connections are kept: hints, what was learned, age, demand. */
#include "scene.h"

#define HINTED(hint) \
	"HTTP/1.1 200 OK\r\nKeep-Alive: " hint "\r\nContent-Length: 5\r\n\r\nhello"

static struct upstream_cfg tended(void)
{
	struct upstream_cfg cfg = scene_upstream();
	cfg.tended = true;
	cfg.idle_for = 300 * NS_S;
	return cfg;
}

static void tended_init(struct scene *s)
{
	struct upstream_cfg cfg = tended();
	scene_init(s, NULL, &cfg);
}

/* One call after the other, each answered before the next. */
static void ask(struct scene *s, const char *method, ns_t rest)
{
	struct job j;
	job_init(&j, s->up, method, "/");
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&s->bed, 10 * NS_MS);
	assert_int_equal(j.why, ERR_OK);
	job_fini(&j);
	if (rest > 10 * NS_MS)
		bed_run(&s->bed, rest - 10 * NS_MS);
}

static void submit(struct scene *s, struct job *jobs, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		job_init(&jobs[i], s->up, "GET", "/");
		assert_int_equal(job_submit(&jobs[i], NS_NEVER), ERR_OK);
	}
}

/* All of them have ended, and so. */
static void ended(struct job *jobs, uint32_t n, enum err why)
{
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(jobs[i].why, why);
		job_fini(&jobs[i]);
	}
}

/* `n` at once, which are answered together. */
static void ask_together(struct scene *s, uint32_t n)
{
	struct job jobs[8];
	submit(s, jobs, n);
	bed_run(&s->bed, 10 * NS_MS);
	ended(jobs, n, ERR_OK);
}

static struct upstream_pool view_of(const struct scene *s)
{
	struct upstream_pool view;
	upstream_pool(s->up, &view);
	return view;
}

static void assert_no_time_wait(struct scene *s)
{
	struct sim_counts n;
	sim_count(s->bed.sim, s->bed.near, &n);
	assert_int_equal(n.time_wait + n.fin_wait2, 0);
}

/* A server that closes after 5 s and says so is always forestalled. */
static void test_a_hint(void **state)
{
	(void)state;
	struct scene s;
	tended_init(&s);
	s.answer = HINTED("timeout=5");
	s.close_in = 5 * NS_S;
	for (int i = 0; i < 5; i++)
		ask(&s, "POST", 4500 * NS_MS);
	const struct upstream_stats *stats = upstream_stats(s.up);
	assert_int_equal(stats->connects, 5);
	assert_int_equal(stats->reaped, 5);
	assert_int_equal(stats->closed_by_peer, 0);
	ask(&s, "POST", 3900 * NS_MS);
	ask(&s, "POST", 100 * NS_MS);
	assert_int_equal(stats->connects, 6);
	struct upstream_pool view = view_of(&s);
	assert_true(view.hinted == 5 * NS_S && view.learned == NS_NEVER);
	assert_no_time_wait(&s);
	scene_fini(&s);
}

/* max: so many requests more. 0 s: none. */
static void test_hints_that_end_it(void **state)
{
	(void)state;
	static const struct {
		const char *answer;
		uint64_t connects, aged; /* for nine requests */
	} rows[] = {
		{ HINTED("timeout=15, max=2"), 3, 3 },
		{ HINTED("max=0"), 9, 9 },
		{ HINTED("timeout=0"), 9, 9 },
		{ HINTED("max=99999999999999999999"), 1, 0 },
		{ HINTED("max=, timeout=-1, timeout, x=0"), 1, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct upstream_cfg cfg = tended();
		struct scene s;
		scene_init(&s, NULL, &cfg);
		s.answer = rows[i].answer;
		for (int k = 0; k < 9; k++)
			ask(&s, "GET", 50 * NS_MS);
		assert_int_equal(upstream_stats(s.up)->connects, rows[i].connects);
		assert_int_equal(upstream_stats(s.up)->aged, rows[i].aged);
		assert_int_equal(upstream_stats(s.up)->closed_done, rows[i].aged);
		assert_no_time_wait(&s);
		scene_fini(&s);
	}
}

/* It says nothing, and closes at 3 s: after three times, and one that puts it to the test, no
 * call meets a connection that is being closed. */
static void test_what_is_learned(void **state)
{
	(void)state;
	struct scene s;
	tended_init(&s);
	s.close_in = 3 * NS_S;
	for (int i = 0; i < 10; i++)
		ask(&s, "POST", 4 * NS_S);
	const struct upstream_stats *stats = upstream_stats(s.up);
	assert_int_equal(stats->closed_by_peer, 4);
	assert_int_equal(stats->reaped, 6);
	assert_in_range(view_of(&s).learned, 2900 * NS_MS, 3 * NS_S);
	assert_no_time_wait(&s);
	/* it is another server now: found out when it is put to the test */
	s.close_in = NS_NEVER;
	bed_run(&s.bed, 601 * NS_S);
	for (int i = 0; i < 5; i++)
		ask(&s, "POST", 5 * NS_S);
	assert_true(view_of(&s).learned == NS_NEVER);
	assert_int_equal(stats->connects, 11);
	scene_fini(&s);
}

static void test_age_and_count(void **state)
{
	(void)state;
	struct upstream_cfg cfg = tended();
	struct scene s;
	cfg.age_max = 20 * NS_S;
	scene_init(&s, NULL, &cfg);
	for (int i = 0; i < 100; i++)
		ask(&s, "GET", NS_S);
	assert_in_range(upstream_stats(s.up)->connects, 5, 6);
	assert_in_range(upstream_stats(s.up)->aged, 5, 6);
	assert_no_time_wait(&s);
	scene_fini(&s);
	/* those opened together end apart */
	cfg = tended();
	cfg.age_max = 9 * NS_S;
	scene_init(&s, NULL, &cfg);
	ask_together(&s, 4);
	bed_run(&s.bed, 8090 * NS_MS);
	for (int gone = 1; s.open; gone++) {
		uint64_t before = s.open;
		bed_run(&s.bed, 100 * NS_MS);
		assert_in_range(before - s.open, 0, 1);
		assert_in_range(gone, 1, 10);
	}
	scene_fini(&s);
	cfg = tended();
	cfg.requests_max = 10;
	scene_init(&s, NULL, &cfg);
	for (int i = 0; i < 100; i++)
		ask(&s, "GET", 20 * NS_MS);
	assert_int_equal(upstream_stats(s.up)->connects, 10);
	scene_fini(&s);
}

/* Four were needed, then one: after a while three slots are the others' again. */
static void test_what_is_not_needed_is_yielded(void **state)
{
	(void)state;
	struct scene s;
	tended_init(&s);
	ask_together(&s, 4);
	assert_int_equal(scene_used(&s), 4);
	for (int i = 0; i < 12; i++)
		ask(&s, "GET", NS_S);
	assert_int_equal(scene_used(&s), 1);
	assert_int_equal(upstream_stats(s.up)->yielded, 3);
	assert_no_time_wait(&s);
	/* missed soon after: next time they are kept for longer */
	ask_together(&s, 4);
	for (int i = 0; i < 12; i++)
		ask(&s, "GET", NS_S);
	assert_int_equal(scene_used(&s), 4);
	assert_int_equal(upstream_stats(s.up)->connects, 7);
	scene_fini(&s);
}

/* Of four that come back two are kept; none is closed for which a call waits. */
static void test_so_many_idle_ones_are_kept(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct scene s;
	struct job jobs[8];
	cfg.idle_for = 300 * NS_S;
	cfg.idle_max = 2;
	cfg.limit = 4;
	cfg.queue_max = 8;
	cfg.queue_for = NS_NEVER;
	scene_init(&s, NULL, &cfg);
	submit(&s, jobs, 8);
	bed_run(&s.bed, 100 * NS_MS);
	ended(jobs, 8, ERR_OK);
	assert_int_equal(upstream_stats(s.up)->connects, 4);
	assert_int_equal(scene_used(&s), 2);
	scene_fini(&s);
}

/* Said to be the last answer, and then the server does not close. */
static void test_a_server_that_forgets_to_close(void **state)
{
	(void)state;
	struct scene s;
	tended_init(&s);
	s.answer =
		"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";
	ask(&s, "GET", 2 * NS_S);
	assert_int_equal(s.open, 0);
	assert_no_time_wait(&s);
	scene_fini(&s);
}

/* --- turns to connect --- */

/* One connects at a time. */
static void turns_init(struct scene *s)
{
	struct upstream_cfg cfg = tended();
	cfg.connects_max = 1;
	scene_init(s, NULL, &cfg);
}

static void finish(struct scene *s, struct job *jobs, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(jobs[i].why, jobs[i].abandoned ? ERR_AGAIN : ERR_OK);
		job_fini(&jobs[i]);
	}
	struct upstream_pool view = view_of(s);
	assert_int_equal(view.pending + view.connecting, 0);
	assert_int_equal(scene_used(s), s->open);
}

static void test_connects_take_turns(void **state)
{
	(void)state;
	for (int unit = 0; unit < 2; unit++) {
		struct upstream_cfg cfg = tended();
		struct scene s;
		struct job jobs[8];
		cfg.limit = 8;
		cfg.unit = (enum slot_unit)unit;
		cfg.connects_max = 2;
		scene_init(&s, NULL, &cfg);
		s.answer_in = 30 * NS_MS;
		submit(&s, jobs, 8);
		assert_int_equal(view_of(&s).connecting, 2);
		assert_int_equal(view_of(&s).pending, 6);
		assert_int_equal(scene_used(&s), 8);
		bed_run(&s.bed, 20 * NS_MS);
		assert_int_equal(s.open, 8);
		bed_run(&s.bed, 80 * NS_MS);
		ended(jobs, 8, ERR_OK);
		assert_int_equal(upstream_stats(s.up)->connects, 8);
		assert_int_equal(scene_used(&s), unit == SLOT_UNIT_CONNECTION ? 8 : 0);
		scene_fini(&s);
	}
}

/* A far server that answers at once: connections come back before the turn of the others has
 * come. */
static void test_who_waits_takes_what_comes_free(void **state)
{
	(void)state;
	struct sim_cfg far = { .seed = 1, .latency = 50 * NS_MS };
	struct upstream_cfg cfg = tended();
	struct scene s;
	struct job jobs[8];
	cfg.limit = 8;
	cfg.connects_max = 1;
	scene_init(&s, &far, &cfg);
	submit(&s, jobs, 8);
	bed_run(&s.bed, 1500 * NS_MS);
	const struct upstream_stats *stats = upstream_stats(s.up);
	assert_int_equal(stats->connects + stats->reused, 8);
	assert_in_range(stats->reused, 2, 6);
	finish(&s, jobs, 8);
	scene_fini(&s);
}

static void test_who_leaves_while_he_waits(void **state)
{
	(void)state;
	struct scene s;
	struct job jobs[4];
	turns_init(&s);
	submit(&s, jobs, 4);
	job_abandon(&jobs[1]);
	job_abandon(&jobs[3]);
	assert_int_equal(scene_used(&s), 2); /* the server has heard of none */
	bed_run(&s.bed, 50 * NS_MS);
	assert_int_equal(s.requests, 2);
	finish(&s, jobs, 4);
	/* all at once, the upstream too */
	submit(&s, jobs, 4);
	upstream_free(&s.up);
	ended(jobs, 4, ERR_STOPPING);
	scene_fini(&s);
}

/* More together than may connect at once. */
static void test_a_batch_takes_turns(void **state)
{
	(void)state;
	struct scene s;
	struct job jobs[4];
	turns_init(&s);
	for (int i = 0; i < 4; i++)
		job_init(&jobs[i], s.up, "GET", "/");
	assert_int_equal(jobs_submit(jobs, 4, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 50 * NS_MS);
	finish(&s, jobs, 4);
	scene_fini(&s);
}

/* Nobody is there: each fails in its turn. */
static void test_turns_where_nobody_listens(void **state)
{
	(void)state;
	struct upstream_cfg cfg = tended();
	struct scene s;
	struct job jobs[4];
	cfg.connects_max = 1;
	raw_addr("10.0.0.2:81", &cfg.endpoints[0]);
	scene_init(&s, NULL, &cfg);
	submit(&s, jobs, 4);
	bed_run(&s.bed, 100 * NS_MS);
	ended(jobs, 4, ERR_REFUSED);
	assert_int_equal(scene_used(&s), 0);
	scene_fini(&s);
}

/* --- connections ahead of need --- */

static void test_some_are_ready(void **state)
{
	(void)state;
	for (int unit = 0; unit < 2; unit++) {
		struct upstream_cfg cfg = tended();
		struct scene s;
		struct job jobs[4];
		cfg.preconnect = 3;
		cfg.limit = 5;
		cfg.unit = (enum slot_unit)unit;
		scene_init(&s, NULL, &cfg);
		bed_run(&s.bed, 10 * NS_MS);
		assert_int_equal(s.open, 3);
		/* busy ones are made up for, under the limit */
		s.answer_in = 20 * NS_MS;
		submit(&s, jobs, 4);
		bed_run(&s.bed, 10 * NS_MS);
		if (unit == SLOT_UNIT_CONNECTION)
			assert_int_equal(s.open, 5);
		else
			assert_int_equal(s.open, 7);
		bed_run(&s.bed, 50 * NS_MS);
		ended(jobs, 4, ERR_OK);
		/* when it is quiet again, so many are left */
		bed_run(&s.bed, 60 * NS_S);
		assert_int_equal(s.open, 3);
		scene_fini(&s);
	}
}

static void test_ready_ones_that_are_not_welcome(void **state)
{
	(void)state;
	struct upstream_cfg cfg = tended();
	struct scene s;
	cfg.preconnect = 2;
	scene_init(&s, NULL, &cfg);
	s.refuses = true;
	bed_run(&s.bed, 127 * NS_S);
	assert_in_range(upstream_stats(s.up)->connects, 2, 2 * 8);
	assert_no_time_wait(&s);
	s.refuses = false;
	bed_run(&s.bed, 61 * NS_S);
	assert_int_equal(s.open, 2);
	/* the server goes, and they are not asked for each millisecond */
	raw_server_fini(&s.server);
	bed_run(&s.bed, 60 * NS_S);
	assert_in_range(upstream_stats(s.up)->connects_failed, 1, 2 * 8);
	raw_server_listen(&s.server, s.bed.far, "10.0.0.2:80");
	bed_run(&s.bed, 61 * NS_S);
	assert_int_equal(scene_used(&s), 2);
	scene_fini(&s);
}

/* --- ports --- */

/* What the ledger has none of is not asked of the kernel, and who is told knows how many there
 * are. A slot that had been taken for it is free. */
static void test_ports_that_run_out(void **state)
{
	(void)state;
	const struct ports_cfg two = { .range = 2, .linger_for = PORTS_LINGER_FOR };
	struct upstream_cfg cfg = tended();
	struct scene s;
	struct job jobs[4];
	cfg.ports = ports_new(&two);
	cfg.idle_fin = true;
	scene_init(&s, NULL, &cfg);
	submit(&s, jobs, 4);
	bed_run(&s.bed, 10 * NS_MS);
	ended(jobs, 2, ERR_OK);
	ended(jobs + 2, 2, ERR_NO_PORTS);
	assert_int_equal(s.open, 2);
	assert_int_equal(upstream_stats(s.up)->connects_failed, 2);
	bed_run(&s.bed, NS_S);
	assert_int_equal(scene_used(&s), 2);
	/* closed by FIN, each holds its port for a minute */
	bed_run(&s.bed, 11 * NS_S);
	assert_int_equal(s.open, 0);
	submit(&s, jobs, 1);
	bed_run(&s.bed, 10 * NS_MS);
	ended(jobs, 1, ERR_NO_PORTS);
	struct sim_counts n;
	sim_count(s.bed.sim, s.bed.near, &n);
	assert_int_equal(n.time_wait + n.fin_wait2, 2);
	bed_run(&s.bed, 61 * NS_S);
	ask(&s, "GET", 0);
	struct ports *ports = cfg.ports;
	scene_fini(&s);
	ports_free(&ports); /* nothing is held */
}

/* A reset, and a server that closes first, leave the port free at once. */
static void test_ports_that_come_free_at_once(void **state)
{
	(void)state;
	const struct ports_cfg two = { .range = 2, .linger_for = PORTS_LINGER_FOR };
	struct upstream_cfg cfg = tended();
	struct scene s;
	cfg.ports = ports_new(&two);
	cfg.requests_max = 1;
	scene_init(&s, NULL, &cfg);
	for (int i = 0; i < 10; i++)
		ask(&s, "GET", 30 * NS_MS);
	s.close_in = 0;
	for (int i = 0; i < 10; i++)
		ask(&s, "GET", 30 * NS_MS);
	assert_no_time_wait(&s);
	struct ports *ports = cfg.ports;
	scene_fini(&s);
	ports_free(&ports);
}

/* The server's slot stays held by a connection that is gone: once a call was refused for that,
 * FINs are sent, which arrive. */
static void lost_reset(bool found_out, bool configured)
{
	const struct sim_cfg lossy = { .seed = 1, .lose_rst = 1 };
	struct upstream_cfg cfg = tended();
	struct scene s;
	cfg.idle_for = NS_S;
	cfg.limit_auto = found_out;
	cfg.idle_fin = configured;
	scene_init(&s, &lossy, &cfg);
	upstream_note_refusal(s.up); /* it was not sent a reset yet */
	ask(&s, "GET", 3 * NS_S);
	assert_int_equal(scene_used(&s), 0);
	assert_int_equal(s.open, !configured);
	assert_int_equal(view_of(&s).fin, configured);
	upstream_note_refusal(s.up);
	const bool learns = !found_out && !configured;
	assert_int_equal(view_of(&s).fin, learns || configured);
	assert_int_equal(view_of(&s).fin_learned, learns);
	uint64_t open = s.open;
	ask(&s, "GET", 3 * NS_S);
	assert_int_equal(scene_used(&s), 0);
	assert_int_equal(s.open - open, found_out);
	scene_fini(&s);
}

static void test_a_reset_that_is_lost(void **state)
{
	(void)state;
	lost_reset(false, false);
	lost_reset(true, false);
	lost_reset(false, true);
}

/* What is at rest and what is at work when it stops. */
static enum err told_at_the_end(bool configured, bool at_work)
{
	struct upstream_cfg cfg = tended();
	struct scene s;
	struct job j;
	cfg.idle_fin = configured;
	scene_init(&s, NULL, &cfg);
	if (at_work)
		s.answer = NULL;
	submit(&s, &j, 1);
	bed_run(&s.bed, 10 * NS_MS);
	assert_int_equal(scene_in(&s, at_work ? SLOT_BUSY : SLOT_IDLE), 1);
	upstream_free(&s.up);
	ended(&j, 1, at_work ? ERR_STOPPING : ERR_OK);
	bed_run(&s.bed, 10 * NS_MS);
	enum err end = raw_server_nth(&s.server, 0)->end;
	scene_fini(&s);
	return end;
}

static void test_how_it_stops(void **state)
{
	(void)state;
	for (int at_work = 0; at_work < 2; at_work++) {
		assert_int_equal(told_at_the_end(false, at_work), ERR_RESET);
		assert_int_equal(told_at_the_end(true, at_work), ERR_EOF);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_hint),
		TEST(test_hints_that_end_it),
		TEST(test_what_is_learned),
		TEST(test_age_and_count),
		TEST(test_what_is_not_needed_is_yielded),
		TEST(test_so_many_idle_ones_are_kept),
		TEST(test_a_server_that_forgets_to_close),
		TEST(test_connects_take_turns),
		TEST(test_who_waits_takes_what_comes_free),
		TEST(test_who_leaves_while_he_waits),
		TEST(test_a_batch_takes_turns),
		TEST(test_turns_where_nobody_listens),
		TEST(test_some_are_ready),
		TEST(test_ready_ones_that_are_not_welcome),
		TEST(test_ports_that_run_out),
		TEST(test_ports_that_come_free_at_once),
		TEST(test_a_reset_that_is_lost),
		TEST(test_how_it_stops),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

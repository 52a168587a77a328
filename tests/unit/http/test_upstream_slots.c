/* The client side against raw servers: slots, queue, abandoned calls, ends. */
#include "scene.h"

/* --- slots --- */

/* limit 1, a server that closes after each answer: a connect waits until the slot settled. */
static void test_settling(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct scene s;
	cfg.limit = 1;
	scene_init(&s, NULL, &cfg);
	s.close_in = 0;
	struct job a, b;
	job_init(&a, s.up, "GET", "/a");
	job_init(&b, s.up, "GET", "/b");
	assert_int_equal(job_submit(&a, NS_NEVER), ERR_OK);
	assert_int_equal(job_submit(&b, NS_NEVER), ERR_OK);
	while (!a.ends)
		bed_run(&s.bed, 10 * NS_US);
	ns_t ended = sim_now(s.bed.sim);
	while (s.server.accepted < 2)
		bed_run(&s.bed, 10 * NS_US);
	ns_t gap = sim_now(s.bed.sim) - ended;
	assert_true(gap >= 20 * NS_MS && gap < 22 * NS_MS);
	bed_run(&s.bed, 10 * NS_MS);
	assert_int_equal(b.why, ERR_OK);
	assert_int_equal(s.peak, 1);
	job_fini(&a);
	job_fini(&b);
	scene_fini(&s);
}

/* The same with no pause asked for: two round trips are waited for all the same. */
static void test_settling_by_round_trips(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct sim_cfg sim = { .seed = 1, .latency = 10 * NS_MS };
	struct scene s;
	struct job a, b;
	cfg.limit = 1;
	cfg.settle_for = 0;
	scene_init(&s, &sim, &cfg);
	s.close_in = 0;
	job_init(&a, s.up, "GET", "/a");
	job_init(&b, s.up, "GET", "/b");
	assert_int_equal(job_submit(&a, NS_NEVER), ERR_OK);
	assert_int_equal(job_submit(&b, NS_NEVER), ERR_OK);
	bed_run(&s.bed, NS_S);
	assert_int_equal(a.why, ERR_OK);
	assert_int_equal(b.why, ERR_OK);
	assert_true(b.call.state != CALL_QUEUED);
	job_fini(&a);
	job_fini(&b);
	scene_fini(&s);
}

static void test_zombie_drains_and_is_pooled(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	scene_init(&s, NULL, NULL);
	s.answer_in = 5 * NS_S;
	job_init(&j, s.up, "GET", "/");
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&s.bed, NS_S);
	job_abandon(&j);
	job_fini(&j);
	assert_int_equal(scene_in(&s, SLOT_DRAINING), 1);
	bed_run(&s.bed, 3900 * NS_MS);
	assert_int_equal(scene_in(&s, SLOT_DRAINING), 1);
	bed_run(&s.bed, 200 * NS_MS);
	assert_int_equal(scene_in(&s, SLOT_IDLE), 1);
	assert_int_equal(upstream_stats(s.up)->drained, 1);
	scene_fini(&s);
}

static void test_zombie_becomes_a_ghost(void **state)
{
	(void)state;
	for (int unit = 0; unit < 2; unit++) {
		struct upstream_cfg cfg = scene_upstream();
		struct scene s;
		struct job j;
		cfg.unit = (enum slot_unit)unit;
		cfg.drain_for = 2 * NS_S;
		cfg.ghost_for = 4 * NS_S;
		scene_init(&s, NULL, &cfg);
		s.answer_in = 60 * NS_S;
		job_init(&j, s.up, "GET", "/");
		assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
		bed_run(&s.bed, NS_S);
		job_abandon(&j);
		job_fini(&j);
		bed_run(&s.bed, 1900 * NS_MS);
		assert_int_equal(scene_in(&s, SLOT_DRAINING), 1);
		bed_run(&s.bed, 200 * NS_MS);
		assert_int_equal(scene_in(&s, SLOT_GHOST), 1);
		assert_int_equal(upstream_stats(s.up)->sockets, 0);
		bed_run(&s.bed, 3800 * NS_MS);
		assert_int_equal(scene_used(&s), 1);
		bed_run(&s.bed, 200 * NS_MS);
		assert_int_equal(scene_used(&s), 0);
		scene_fini(&s);
	}
}

/* Longer than it was told to, while the longest call seen would still run. */
static void test_ghost_of_a_server_that_takes_long(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct scene s;
	struct job j;
	cfg.drain_for = NS_S;
	cfg.ghost_for = NS_S;
	scene_init(&s, NULL, &cfg);
	for (int round = 0; round < 2; round++) {
		s.answer_in = round == 0 ? 6 * NS_S : 60 * NS_S;
		job_init(&j, s.up, "GET", "/");
		assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
		bed_run(&s.bed, round == 0 ? 7 * NS_S : NS_S);
		if (round == 1)
			job_abandon(&j);
		job_fini(&j);
	}
	bed_run(&s.bed, 1100 * NS_MS);
	assert_int_equal(scene_in(&s, SLOT_GHOST), 1);
	bed_run(&s.bed, 3800 * NS_MS);
	assert_int_equal(scene_used(&s), 1);
	bed_run(&s.bed, 200 * NS_MS);
	assert_int_equal(scene_used(&s), 0);
	scene_fini(&s);
}

/* A caller leaves in the middle of its body; the server may have begun at the head. Until a call
 * begun then would have ended, twice as long as any was seen to take, the slot is charged. */
static void test_left_before_the_request_was_whole(void **state)
{
	(void)state;
	for (int unit = 0; unit < 2; unit++)
		for (int reset = 0; reset < 2; reset++) {
			struct upstream_cfg cfg = scene_upstream();
			struct scene s;
			struct job j;
			cfg.unit = (enum slot_unit)unit;
			cfg.abandon = reset ? ABANDON_RESET : ABANDON_DRAIN;
			scene_init(&s, NULL, &cfg);
			s.answer_in = NS_S;
			job_init(&j, s.up, "GET", "/");
			assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
			bed_run(&s.bed, 1100 * NS_MS);
			assert_int_equal(j.why, ERR_OK);
			job_fini(&j);
			job_init(&j, s.up, "POST", "/");
			fill(&j.body, 8 << 20);
			j.abandon_on = ON_DRAIN;
			assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
			bed_run(&s.bed, 50 * NS_MS);
			assert_true(j.abandoned && j.sent < j.body.len);
			assert_int_equal(upstream_stats(s.up)->sockets, 0);
			assert_int_equal(scene_in(&s, SLOT_GHOST), !reset);
			bed_run(&s.bed, 1900 * NS_MS);
			assert_int_equal(scene_used(&s), !reset);
			bed_run(&s.bed, 100 * NS_MS);
			assert_int_equal(scene_used(&s), 0);
			job_fini(&j);
			scene_fini(&s);
		}
}

/* All places hold idle connections: in request units, too, calls go on. */
static void test_request_units_reuse_when_the_slab_is_full(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct scene s;
	struct job j[8];
	cfg.unit = SLOT_UNIT_REQUEST;
	cfg.limit = 100;
	scene_init(&s, NULL, &cfg);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 8; i++) {
			job_init(&j[i], s.up, "GET", "/");
			assert_int_equal(job_submit(&j[i], NS_NEVER), ERR_OK);
		}
		bed_run(&s.bed, 100 * NS_MS);
		for (int i = 0; i < 8; i++) {
			assert_text(&j[i].log, "ready head:200 data:5 end:ok");
			job_fini(&j[i]);
		}
		assert_int_equal(scene_used(&s), 0);
	}
	assert_int_equal(s.server.accepted, 8);
	/* all eight die under a GET: each wants a fresh connection, and there is room */
	s.answer = NULL;
	for (int i = 0; i < 8; i++) {
		job_init(&j[i], s.up, "GET", "/");
		assert_int_equal(job_submit(&j[i], NS_NEVER), ERR_OK);
	}
	bed_run(&s.bed, 10 * NS_MS);
	s.answer = ANSWER;
	scene_close_raws(&s);
	bed_run(&s.bed, 100 * NS_MS);
	for (int i = 0; i < 8; i++) {
		assert_text(&j[i].log, "ready ready head:200 data:5 end:ok");
		job_fini(&j[i]);
	}
	scene_fini(&s);
}

/* A replayed call wants a fresh connection while idle ones fill the limit: one gives way. */
static void test_replay_at_the_limit(void **state)
{
	(void)state;
	for (int unit = 0; unit < 2; unit++) {
		struct upstream_cfg cfg = scene_upstream();
		struct scene s;
		struct job j[8];
		cfg.unit = (enum slot_unit)unit;
		cfg.limit = 8;
		scene_init(&s, NULL, &cfg);
		for (int i = 0; i < 8; i++) {
			job_init(&j[i], s.up, "GET", "/");
			assert_int_equal(job_submit(&j[i], NS_NEVER), ERR_OK);
		}
		bed_run(&s.bed, 100 * NS_MS);
		for (int i = 0; i < 8; i++)
			job_fini(&j[i]);
		s.answer = NULL;
		job_init(&j[0], s.up, "GET", "/");
		assert_int_equal(job_submit(&j[0], NS_NEVER), ERR_OK);
		bed_run(&s.bed, 10 * NS_MS);
		s.answer = ANSWER;
		LIST_EACH (&s.server.conns, n, after) {
			struct raw *r = CONTAINER_OF(n, struct raw, node);
			if (memmem(r->in.ptr, r->in.len, "\r\n\r\nGET", 7))
				raw_close(r, IO_CLOSE_FIN);
		}
		bed_run(&s.bed, 100 * NS_MS);
		assert_text(&j[0].log, "ready ready head:200 data:5 end:ok");
		job_fini(&j[0]);
		scene_fini(&s);
	}
}

static void test_queue(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct scene s;
	struct job j[5], full;
	cfg.limit = 2;
	cfg.queue_max = 3;
	scene_init(&s, NULL, &cfg);
	s.answer_in = 300 * NS_MS;
	for (int i = 0; i < 5; i++) {
		job_init(&j[i], s.up, "GET", "/");
		assert_int_equal(
			job_submit(&j[i], i == 4 ? 400 * NS_MS : NS_NEVER), ERR_OK);
	}
	job_init(&full, s.up, "GET", "/");
	assert_int_equal(job_submit(&full, NS_NEVER), ERR_QUEUE_FULL);
	bed_run(&s.bed, 350 * NS_MS);
	assert_int_equal(j[0].why, ERR_OK);
	assert_int_equal(j[1].why, ERR_OK);
	assert_string_equal(j[3].log.ptr, "ready");
	bed_run(&s.bed, 100 * NS_MS);
	assert_text(&j[4].log, "end:late");
	bed_run(&s.bed, NS_S);
	for (int i = 0; i < 5; i++)
		job_fini(&j[i]);
	job_fini(&full);
	assert_int_equal(s.peak, 2);
	scene_fini(&s);
}

static enum err submit_of(struct scene *s, struct job *jobs, uint32_t n, uint64_t caller)
{
	for (uint32_t i = 0; i < n; i++) {
		job_init(&jobs[i], s->up, "GET", "/");
		jobs[i].caller = caller;
	}
	return jobs_submit(jobs, n, NS_NEVER);
}

/* Nobody is pushed out in vain: of three that wait two may be, for two, but not for three. */
static void test_pushed_out_for_a_batch(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct scene s;
	struct job busy[3], flood[3], three[3], two[2];
	cfg.limit = 3;
	cfg.queue_max = 3;
	scene_init(&s, NULL, &cfg);
	s.answer_in = 100 * NS_MS;
	assert_int_equal(submit_of(&s, busy, 3, 1), ERR_OK);
	for (int i = 0; i < 3; i++)
		assert_int_equal(submit_of(&s, &flood[i], 1, 1), ERR_OK);
	assert_int_equal(submit_of(&s, three, 3, 2), ERR_QUEUE_FULL);
	bed_run(&s.bed, 50 * NS_MS);
	for (int i = 0; i < 3; i++)
		assert_int_equal(flood[i].ends, 0);
	assert_int_equal(submit_of(&s, two, 2, 2), ERR_OK);
	bed_run(&s.bed, NS_S);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(flood[i].why, i ? ERR_QUEUE_FULL : ERR_OK);
		assert_int_equal(busy[i].why, ERR_OK);
	}
	for (int i = 0; i < 3; i++) {
		job_fini(&busy[i]);
		job_fini(&flood[i]);
		job_fini(&three[i]);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(two[i].why, ERR_OK);
		job_fini(&two[i]);
	}
	scene_fini(&s);
}

/* All or none: a batch of three waits until three are free, and nobody overtakes it. */
static void test_batches(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct scene s;
	struct job one, three[3], late;
	cfg.limit = 3;
	scene_init(&s, NULL, &cfg);
	s.answer_in = 100 * NS_MS;
	job_init(&one, s.up, "GET", "/");
	job_init(&late, s.up, "GET", "/");
	for (int i = 0; i < 3; i++)
		job_init(&three[i], s.up, "GET", "/");
	assert_int_equal(job_submit(&one, NS_NEVER), ERR_OK);
	assert_int_equal(jobs_submit(three, 3, NS_NEVER), ERR_OK);
	assert_int_equal(job_submit(&late, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 50 * NS_MS);
	assert_int_equal(s.requests, 1);
	bed_run(&s.bed, 100 * NS_MS);
	assert_int_equal(s.requests, 4);
	assert_int_equal(late.log.len, 0);
	bed_run(&s.bed, 300 * NS_MS);
	assert_int_equal(late.why, ERR_OK);
	for (int i = 0; i < 3; i++)
		job_fini(&three[i]);
	job_fini(&one);
	job_fini(&late);
	scene_fini(&s);
}

/* A batch's end is told call by call, and the first of them gives the others up: they are
 * silent from then on. */
static void test_batch_abandoned_while_it_ends(void **state)
{
	(void)state;
	for (int stopping = 0; stopping < 2; stopping++) {
		struct upstream_cfg cfg = scene_upstream();
		struct scene s;
		struct job one, three[3];
		cfg.limit = 3;
		scene_init(&s, NULL, &cfg);
		s.answer = NULL;
		job_init(&one, s.up, "GET", "/");
		for (int i = 0; i < 3; i++)
			job_init(&three[i], s.up, "GET", "/");
		three[0].abandons_other = &three[2];
		assert_int_equal(job_submit(&one, NS_NEVER), ERR_OK);
		assert_int_equal(jobs_submit(three, 3, NS_NEVER), ERR_OK);
		bed_run(&s.bed, stopping ? 100 * NS_MS : 2 * NS_S);
		if (stopping)
			upstream_free(&s.up);
		assert_string_equal(three[0].log.ptr,
			stopping ? "end:stopping" : "end:queue-timeout");
		assert_int_equal(three[1].log.len, 0); /* it went with the third */
		assert_int_equal(three[2].log.len, 0);
		if (!stopping)
			job_abandon(&one);
		for (int i = 0; i < 3; i++)
			job_fini(&three[i]);
		job_fini(&one);
		scene_fini(&s);
	}
}

/* --- abandoned in every state and callback --- */

static void check_left(struct scene *s, struct job *j)
{
	bed_run(&s->bed, 100 * NS_S); /* past drain, ghost and idle */
	assert_int_equal(scene_used(s), 0);
	assert_int_equal(upstream_queue(s->up)->waiting, 0);
	assert_int_equal(s->bed.worker.bufs.out, 0);
	assert_int_equal(s->bed.worker.slots.out, 0);
	assert_int_equal(s->bed.worker.cconns.out, 0);
	assert_true(j->ends + j->abandoned >= 1);
	job_fini(j);
}

static void abandon_at(
	enum slot_unit unit, enum upstream_abandon policy, ns_t at, size_t body)
{
	struct upstream_cfg cfg = scene_upstream();
	struct scene s;
	struct job j;
	cfg.unit = unit;
	cfg.abandon = policy;
	scene_init(&s, NULL, &cfg);
	s.answer_in = 300 * NS_US;
	job_init(&j, s.up, "POST", "/");
	fill(&j.body, body);
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&s.bed, at);
	if (!j.ends)
		job_abandon(&j);
	check_left(&s, &j);
	scene_fini(&s);
}

static void abandon_on(
	enum slot_unit unit, enum upstream_abandon policy, enum job_event ev, bool pooled)
{
	struct upstream_cfg cfg = scene_upstream();
	struct scene s;
	struct job first, j;
	cfg.unit = unit;
	cfg.abandon = policy;
	scene_init(&s, NULL, &cfg);
	job_init(&first, s.up, "GET", "/");
	if (pooled)
		assert_int_equal(job_submit(&first, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 10 * NS_MS);
	job_init(&j, s.up, "PUT", "/");
	if (ev == ON_DRAIN)
		fill(&j.body, 200000);
	if (ev == ON_FLUSH) /* more is to come */
		s.answer = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx";
	j.abandon_on = ev;
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 100 * NS_MS);
	assert_true(j.abandoned);
	job_fini(&first);
	check_left(&s, &j);
	scene_fini(&s);
}

static void abandon_everywhere(enum slot_unit unit, enum upstream_abandon policy)
{
	static const ns_t step = 20 * NS_US;
	for (ns_t at = 0; at < 1500 * NS_US; at += step)
		abandon_at(unit, policy, at, at % (3 * step) ? 0 : 200000);
	for (int ev = ON_READY; ev <= ON_FLUSH; ev++) {
		abandon_on(unit, policy, (enum job_event)ev, false);
		abandon_on(unit, policy, (enum job_event)ev, true);
	}
}

static void test_abandon_at_every_instant_and_in_every_callback(void **state)
{
	(void)state;
	for (int policy = ABANDON_DRAIN; policy <= ABANDON_CLOSE; policy++) {
		abandon_everywhere(SLOT_UNIT_CONNECTION, (enum upstream_abandon)policy);
		abandon_everywhere(SLOT_UNIT_REQUEST, (enum upstream_abandon)policy);
	}
}

/* An unasked 101 has no end: what drains it gives up at once. */
static void test_unasked_tunnel(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	scene_init(&s, NULL, NULL);
	s.answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n"
		   "Connection: upgrade\r\n\r\nxxxx";
	job_init(&j, s.up, "GET", "/");
	j.abandon_on = ON_HEAD;
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 50 * NS_MS);
	assert_int_equal(scene_used(&s), 0);
	check_left(&s, &j);
	scene_fini(&s);
}

/* Cut off by us before its answer came, a call settles in either unit: the server may not have
 * noticed yet. */
static void cut_off_settles(
	enum slot_unit unit, enum upstream_abandon policy, bool tunnel)
{
	struct upstream_cfg cfg = scene_upstream();
	struct scene s;
	struct job j;
	cfg.unit = unit;
	cfg.abandon = policy;
	scene_init(&s, NULL, &cfg);
	s.answer = tunnel ? "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n"
			    "Connection: upgrade\r\n\r\n"
			  : NULL;
	job_init(&j, s.up, "GET", "/");
	j.upgrade = tunnel ? SLICE("x") : SLICE_NONE;
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 50 * NS_MS);
	assert_int_equal(j.why, ERR_AGAIN);
	assert_int_equal(scene_in(&s, SLOT_BUSY), 1);
	job_abandon(&j);
	assert_int_equal(scene_in(&s, SLOT_SETTLING), 1);
	assert_int_equal(scene_used(&s), 1);
	bed_run(&s.bed, 50 * NS_MS);
	assert_int_equal(scene_used(&s), 0);
	job_fini(&j);
	scene_fini(&s);
}

static void test_what_is_cut_off_settles(void **state)
{
	(void)state;
	for (int unit = 0; unit < 2; unit++) {
		cut_off_settles((enum slot_unit)unit, ABANDON_DRAIN, true);
		cut_off_settles((enum slot_unit)unit, ABANDON_RESET, false);
		cut_off_settles((enum slot_unit)unit, ABANDON_CLOSE, false);
	}
}

/* So does one whose connection the server ended in its midst: its FIN is not its slot. */
static void test_what_the_server_cut_off_settles(void **state)
{
	(void)state;
	for (int unit = 0; unit < 2; unit++) {
		struct upstream_cfg cfg = scene_upstream();
		struct scene s;
		struct job j;
		cfg.unit = (enum slot_unit)unit;
		scene_init(&s, NULL, &cfg);
		s.answer = NULL;
		job_init(&j, s.up, "GET", "/");
		assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
		bed_run(&s.bed, 50 * NS_MS);
		scene_close_raws(&s);
		bed_run(&s.bed, 5 * NS_MS);
		assert_int_equal(j.why, ERR_EOF);
		assert_int_equal(scene_in(&s, SLOT_SETTLING), 1);
		assert_int_equal(scene_used(&s), 1);
		bed_run(&s.bed, 50 * NS_MS);
		assert_int_equal(scene_used(&s), 0);
		job_fini(&j);
		scene_fini(&s);
	}
}

/* The same ends a trial of what becomes of those who are hung up on. */
static void test_unasked_tunnel_ends_a_trial(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct scene s;
	struct job j;
	cfg.abandon = ABANDON_AUTO;
	scene_init(&s, NULL, &cfg);
	bed_run(&s.bed, NS_S);
	s.answer_in = 200 * NS_MS;
	for (int i = 0; i < 20; i++) {
		job_init(&j, s.up, "GET", "/");
		assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
		bed_run(&s.bed, i ? 10 * NS_MS : 300 * NS_MS);
		if (i) {
			job_abandon(&j);
			assert_int_equal(hangups_view(upstream_hangups(s.up)).watched, 1);
			raw_say(raw_server_nth(
					&s.server, (uint32_t)s.server.accepted - 1),
				"HTTP/1.1 101 X\r\nUpgrade: x\r\n"
				"Connection: upgrade\r\n\r\n");
			bed_run(&s.bed, 10 * NS_MS);
		}
		assert_int_equal(hangups_view(upstream_hangups(s.up)).watched, 0);
		job_fini(&j);
		bed_run(&s.bed, NS_S);
	}
	scene_fini(&s);
}

/* A server that speaks first, and is so near that it is heard as soon as the connection is
 * there. */
struct hasty {
	struct scene s;
	struct raw_server server;
};

static void say_at_once(struct raw_server *server, struct raw *r)
{
	struct scene *s = server->ctx;
	raw_say(r, s->answer);
}

static void hasty_init(struct hasty *h, enum upstream_abandon abandon, const char *says)
{
	struct upstream_cfg cfg = scene_upstream();
	cfg.abandon = abandon;
	raw_addr("unix:/hasty", &cfg.endpoints[0]);
	scene_init(&h->s, NULL, &cfg);
	h->server = (struct raw_server){ .on_accept = say_at_once, .ctx = &h->s };
	raw_server_listen(&h->server, h->s.bed.far, "unix:/hasty");
	h->s.answer = says;
}

static void hasty_fini(struct hasty *h)
{
	raw_server_fini(&h->server);
	scene_fini(&h->s);
}

/* What comes before anything was asked has taken no time. */
static void test_unasked_answers_take_no_time(void **state)
{
	(void)state;
	struct hasty h;
	struct scene *s = &h.s;
	hasty_init(&h, ABANDON_AUTO,
		"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
		"Content-Length: 0\r\n\r\n");
	bed_run(&s->bed, 1000 * NS_S);
	for (int i = 0; i < 30; i++) {
		struct job j;
		job_init(&j, s->up, "POST", "/");
		assert_int_equal(job_submit(&j, sim_now(s->bed.sim) + NS_S), ERR_OK);
		bed_run(&s->bed, 100 * NS_MS);
		assert_text(&j.log, "head:400 end:ok");
		job_fini(&j);
		bed_run(&s->bed, 2 * NS_S);
	}
	assert_int_equal(hangups_longest(upstream_hangups(s->up)), 0);
	hasty_fini(&h);
}

/* No answer comes behind it, for nothing would be asked. */
static void test_unasked_interim_answer(void **state)
{
	(void)state;
	struct hasty h;
	struct job j;
	hasty_init(&h, ABANDON_DRAIN, "HTTP/1.1 100 Continue\r\n\r\n");
	bed_run(&h.s.bed, NS_S);
	job_init(&j, h.s.up, "GET", "/");
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&h.s.bed, 50 * NS_MS);
	assert_text(&j.log, "end:unasked");
	assert_int_equal(scene_used(&h.s), 0);
	job_fini(&j);
	hasty_fini(&h);
}

/* Held back by its reader, behind a write that failed: what arrived before is not lost. */
static void test_write_failed_while_paused(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	struct text t;
	scene_init(&s, NULL, NULL);
	s.answer = NULL;
	text_init(&t);
	text_add(&t, "HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n");
	fill(&t, 40000);
	job_init(&j, s.up, "POST", "/");
	fill(&j.body, 1000000);
	j.stuck = true;
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 400 * NS_US);
	struct raw *r = raw_server_nth(&s.server, 0);
	raw_set_deaf(r, true);
	raw_send(r, text_slice(&t));
	bed_run(&s.bed, 10 * NS_MS);
	raw_close(r, IO_CLOSE_FIN); /* unread bytes: RST, and our write fails */
	bed_run(&s.bed, 10 * NS_MS);
	assert_int_equal(j.ends, 0);
	j.stuck = false;
	call_resume(&j.call);
	bed_run(&s.bed, 10 * NS_MS);
	assert_int_equal(j.why, ERR_OK);
	assert_int_equal(j.in.len, 40000);
	job_fini(&j);
	text_fini(&t);
	scene_fini(&s);
}

/* --- manners and ends --- */

static void test_connection_manners(void **state)
{
	(void)state;
	for (int manner = UPSTREAM_CLOSE; manner <= UPSTREAM_PRETEND; manner++) {
		struct upstream_cfg cfg = scene_upstream();
		struct scene s;
		struct job j;
		struct sim_counts near, far;
		cfg.connections = (enum upstream_connections)manner;
		scene_init(&s, NULL, &cfg);
		s.close_in = manner == UPSTREAM_CLOSE ? 0 : NS_NEVER;
		for (int i = 0; i < 5; i++) {
			job_init(&j, s.up, "GET", "/");
			assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
			bed_run(&s.bed, 100 * NS_MS);
			assert_int_equal(j.why, ERR_OK);
			job_fini(&j);
		}
		assert_true(raw_got(raw_server_nth(&s.server, 0),
			manner == UPSTREAM_CLOSE
				? "GET / HTTP/1.1\r\nHost: 10.0.0.2:80\r\n"
				  "Connection: close\r\n\r\n"
				: "GET / HTTP/1.1\r\nHost: 10.0.0.2:80\r\n"
				  "Connection: keep-alive\r\n\r\n"));
		assert_int_equal(s.server.accepted, 5);
		sim_count(s.bed.sim, s.bed.near, &near);
		sim_count(s.bed.sim, s.bed.far, &far);
		assert_int_equal(near.time_wait, manner == UPSTREAM_PRETEND ? 5 : 0);
		assert_int_equal(far.time_wait, manner == UPSTREAM_PRETEND ? 0 : 5);
		assert_int_equal(scene_used(&s), 0);
		scene_fini(&s);
	}
}

/* A server that says close and does not: closed for it after a second. */
static void test_parting(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	scene_init(&s, NULL, NULL);
	s.answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
	job_init(&j, s.up, "GET", "/");
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&s.bed, 900 * NS_MS);
	assert_int_equal(j.why, ERR_OK);
	assert_int_equal(scene_used(&s), 1);
	assert_int_equal(s.open, 1);
	bed_run(&s.bed, 200 * NS_MS);
	assert_int_equal(scene_used(&s), 0);
	assert_int_equal(s.open, 0);
	job_fini(&j);
	scene_fini(&s);
}

static void test_endpoints_share(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct scene s;
	struct raw_server other = { 0 };
	struct job j[4];
	cfg.endpoint_count = 2;
	raw_addr("10.0.0.2:81", &cfg.endpoints[1]);
	scene_init(&s, NULL, &cfg);
	raw_server_listen(&other, s.bed.far, "10.0.0.2:81");
	s.answer = NULL;
	for (int i = 0; i < 4; i++) {
		job_init(&j[i], s.up, "GET", "/");
		assert_int_equal(job_submit(&j[i], NS_NEVER), ERR_OK);
	}
	bed_run(&s.bed, 10 * NS_MS);
	assert_int_equal(s.server.accepted, 2);
	assert_int_equal(other.accepted, 2);
	assert_true(raw_got(raw_server_nth(&other, 0),
		"GET / HTTP/1.1\r\nHost: 10.0.0.2:81\r\n\r\n"));
	upstream_free(&s.up);
	for (int i = 0; i < 4; i++) {
		assert_text(&j[i].log, "ready end:stopping");
		job_fini(&j[i]);
	}
	raw_server_fini(&other);
	scene_fini(&s);
}

/* Freed with a connection in each state and calls in the queue. */
static void test_free_with_all_in_flight(void **state)
{
	(void)state;
	for (int unit = 0; unit < 2; unit++) {
		struct upstream_cfg cfg = scene_upstream();
		struct scene s;
		struct job j[7];
		cfg.unit = (enum slot_unit)unit;
		cfg.limit = 5;
		scene_init(&s, NULL, &cfg);
		for (int i = 0; i < 7; i++)
			job_init(&j[i], s.up, "GET", "/");
		assert_int_equal(job_submit(&j[0], NS_NEVER), ERR_OK);
		assert_int_equal(job_submit(&j[1], NS_NEVER), ERR_OK);
		bed_run(&s.bed, 10 * NS_MS); /* two idle */
		s.answer = NULL;
		for (int i = 2; i < 5; i++)
			assert_int_equal(job_submit(&j[i], NS_NEVER), ERR_OK);
		bed_run(&s.bed, 10 * NS_MS); /* three busy */
		job_abandon(&j[2]);          /* one draining */
		s.answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n"
			   "\r\n";
		fill(&j[5].body, 500000);
		assert_int_equal(job_submit(&j[5], NS_NEVER), ERR_OK); /* connecting */
		assert_int_equal(job_submit(&j[6], NS_NEVER), ERR_OK); /* queued, or so */
		upstream_free(&s.up);
		for (int i = 3; i < 7; i++)
			assert_int_equal(j[i].why, ERR_STOPPING);
		for (int i = 0; i < 7; i++)
			job_fini(&j[i]);
		scene_fini(&s);
	}
}

static void ask_as(struct scene *s, struct job *jobs, int n, uint64_t caller)
{
	for (int i = 0; i < n; i++) {
		job_init(&jobs[i], s->up, "GET", "/");
		jobs[i].caller = caller;
		assert_int_equal(job_submit(&jobs[i], NS_NEVER), ERR_OK);
	}
}

/* What is kept for a caller who is away is not used, but it binds: the limit goes on growing. */
static void test_limit_grows_while_slots_are_kept(void **state)
{
	(void)state;
	struct upstream_cfg cfg = scene_upstream();
	struct scene s;
	struct job away[2], here[40];
	cfg.limit_auto = true;
	cfg.queue_for = 30 * NS_S;
	scene_init(&s, NULL, &cfg);
	s.answer_in = NS_S; /* two slots come free of who is away then */
	ask_as(&s, away, 2, 1);
	bed_run(&s.bed, 10 * NS_MS);
	s.answer_in = 2 * NS_S;
	ask_as(&s, here, 40, 2);
	bed_run(&s.bed, 1200 * NS_MS);
	assert_int_equal(scene_in(&s, SLOT_BUSY), 2);
	cfg.limit = 8;
	upstream_reconfigure(s.up, &cfg);
	bed_run(&s.bed, 2 * NS_S);
	assert_int_equal(slots_limit(upstream_slots(s.up)), 8);
	assert_true(scene_in(&s, SLOT_BUSY) >= 4);
	bed_run(&s.bed, 20 * NS_S);
	for (int i = 0; i < 2; i++)
		job_fini(&away[i]);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(here[i].why, ERR_OK);
		job_fini(&here[i]);
	}
	scene_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_settling),
		TEST(test_settling_by_round_trips),
		TEST(test_zombie_drains_and_is_pooled),
		TEST(test_zombie_becomes_a_ghost),
		TEST(test_ghost_of_a_server_that_takes_long),
		TEST(test_left_before_the_request_was_whole),
		TEST(test_request_units_reuse_when_the_slab_is_full),
		TEST(test_replay_at_the_limit),
		TEST(test_queue),
		TEST(test_pushed_out_for_a_batch),
		TEST(test_batches),
		TEST(test_batch_abandoned_while_it_ends),
		TEST(test_abandon_at_every_instant_and_in_every_callback),
		TEST(test_unasked_tunnel),
		TEST(test_what_is_cut_off_settles),
		TEST(test_what_the_server_cut_off_settles),
		TEST(test_unasked_tunnel_ends_a_trial),
		TEST(test_unasked_answers_take_no_time),
		TEST(test_unasked_interim_answer),
		TEST(test_write_failed_while_paused),
		TEST(test_connection_manners),
		TEST(test_parting),
		TEST(test_endpoints_share),
		TEST(test_free_with_all_in_flight),
		TEST(test_limit_grows_while_slots_are_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

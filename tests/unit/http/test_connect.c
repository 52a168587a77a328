/* To which address a call goes: failures, races, addresses that change while it runs. */
#include "caller.h"
#include "sites.h"

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define GOOD "10.0.0.2:80"
#define GOOD2 "10.0.0.2:82"
#define REFUSES "10.0.0.2:81"
#define SILENT "10.0.0.9:80" /* nobody has that address */
#define SILENT2 "10.0.0.8:80"
#define BROKEN6 "[2001:db8::1]:80" /* this host has no IPv6 */

#define OK_LOG "ready head:200 data:2 end:ok"
#define CONNECT_FOR (2 * NS_S) /* caller_upstream */

struct scene {
	struct bed bed;
	struct sites sites; /* GOOD, GOOD2 */
	struct upstream *up;
};

/* Addresses with spaces between, in the order in which they are tried. */
static void scene_with(struct scene *s, struct upstream_cfg cfg, const char *addrs,
	const struct sim_cfg *sim)
{
	const struct worker_cfg few = { .clients = 1, .servers = 8 };
	char text[256], *rest = NULL;
	*s = (struct scene){ .up = NULL };
	bed_init(&s->bed, sim ? sim : &(struct sim_cfg){ .seed = 1 }, &few);
	sites_init(&s->sites, &s->bed);
	site_start(&s->sites, 0, GOOD, ANSWER);
	site_start(&s->sites, 1, GOOD2, ANSWER);
	snprintf(text, sizeof(text), "%s", addrs);
	for (char *a = strtok_r(text, " ", &rest); a; a = strtok_r(NULL, " ", &rest))
		raw_addr(a, &cfg.endpoints[cfg.endpoint_count++]);
	s->up = upstream_new(&s->bed.worker, &cfg);
	bed_run(&s->bed, NS_MS); /* instants of calls are above 0 */
}

static void scene_fini(struct scene *s)
{
	upstream_free(&s->up);
	sites_fini(&s->sites);
	bed_fini(&s->bed);
}

static void set_endpoints(struct scene *s, const char *addrs)
{
	struct upstream_endpoint list[UPSTREAM_ENDPOINTS_MAX];
	char text[256], *rest = NULL;
	uint32_t n = 0;
	snprintf(text, sizeof(text), "%s", addrs);
	for (char *a = strtok_r(text, " ", &rest); a; a = strtok_r(NULL, " ", &rest)) {
		list[n] = (struct upstream_endpoint){ .name = SLICE_NONE };
		raw_addr(a, &list[n++].addr);
	}
	upstream_set_endpoints(s->up, list, n);
}

static uint32_t used(const struct scene *s)
{
	return slots_used(upstream_slots(s->up));
}

static uint32_t in_state(const struct scene *s, enum slot_state state)
{
	return upstream_slots(s->up)->in[state].len;
}

static void job_start(struct scene *s, struct job *j)
{
	job_init(j, s->up, "GET", "/");
	assert_int_equal(job_submit(j, NS_NEVER), ERR_OK);
}

/* Runs it to its end; how long it took. */
static ns_t job_run(struct scene *s, struct job *j, const char *log)
{
	ns_t start = sim_now(s->bed.sim);
	job_start(s, j);
	while (!j->ends && sim_now(s->bed.sim) - start < 60 * NS_S)
		bed_run(&s->bed, 100 * NS_US);
	assert_text(&j->log, log);
	ns_t took = sim_now(s->bed.sim) - start;
	job_fini(j);
	return took;
}

/* --- one after the other --- */

static void test_refused_first(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	scene_with(&s, caller_upstream(1), REFUSES " " GOOD, NULL);
	assert_true(job_run(&s, &j, OK_LOG) < 2 * NS_MS);
	assert_int_equal(upstream_stats(s.up)->connects_failed, 1);
	assert_int_equal(upstream_stats(s.up)->connects, 1);
	assert_int_equal(upstream_slots(s.up)->peak, 1);
	assert_int_equal(in_state(&s, SLOT_IDLE), 1);
	/* it is remembered: the next new connection goes elsewhere at once */
	raw_close(raw_server_nth(&s.sites.site[0].server, 0), IO_CLOSE_FIN);
	bed_run(&s.bed, 100 * NS_MS);
	assert_int_equal(used(&s), 0);
	assert_true(job_run(&s, &j, OK_LOG) < 2 * NS_MS);
	assert_int_equal(upstream_stats(s.up)->connects_failed, 1);
	scene_fini(&s);
}

static void test_broken_ipv6_first(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	scene_with(&s, caller_upstream(1), BROKEN6 " " GOOD, NULL);
	assert_true(job_run(&s, &j, OK_LOG) < 2 * NS_MS);
	assert_int_equal(upstream_stats(s.up)->connects_failed, 1);
	assert_int_equal(upstream_slots(s.up)->peak, 1);
	scene_fini(&s);
}

static void test_none_works(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	scene_with(&s, caller_upstream(4), REFUSES " " BROKEN6 " 10.0.0.2:83", NULL);
	assert_true(job_run(&s, &j, "end:connect-refused") < 3 * NS_MS);
	assert_int_equal(upstream_stats(s.up)->connects_failed, 3);
	assert_int_equal(upstream_stats(s.up)->failed, 1);
	assert_int_equal(upstream_stats(s.up)->sockets, 0);
	bed_run(&s.bed, 30 * NS_MS);
	assert_int_equal(used(&s), 0);
	scene_fini(&s);
}

/* Without room for a second attempt the first has all its time. */
static void test_silent_first_without_room(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	scene_with(&s, caller_upstream(1), SILENT " " GOOD, NULL);
	ns_t took = job_run(&s, &j, OK_LOG);
	assert_in_range(took, CONNECT_FOR, CONNECT_FOR + 2 * NS_MS);
	assert_int_equal(upstream_slots(s.up)->peak, 1);
	scene_fini(&s);
}

/* This host's own fault is not cured by another address. */
static void test_no_descriptors(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	scene_with(
		&s, caller_upstream(4), GOOD " " GOOD2, &(struct sim_cfg){ .seed = 1 });
	sim_set(s.bed.sim, &(struct sim_cfg){ .seed = 1, .fd_max = 1 });
	struct raw keep;
	raw_init(&keep);
	struct addr at;
	raw_addr(GOOD, &at);
	raw_connect(&keep, s.bed.near, &at);
	(void)job_run(&s, &j, "end:no-fds");
	assert_int_equal(upstream_stats(s.up)->connects_failed, 1);
	sim_set(s.bed.sim, &(struct sim_cfg){ .seed = 1 });
	raw_fini(&keep);
	scene_fini(&s);
}

/* --- several at once --- */

static void test_silent_first(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	scene_with(&s, caller_upstream(4), SILENT " " GOOD, NULL);
	ns_t took = job_run(&s, &j, OK_LOG);
	assert_in_range(took, 250 * NS_MS, 253 * NS_MS);
	assert_int_equal(upstream_slots(s.up)->peak, 2);
	assert_int_equal(in_state(&s, SLOT_IDLE), 1);
	assert_int_equal(in_state(&s, SLOT_CONNECTING), 0);
	assert_int_equal(upstream_stats(s.up)->sockets, 1);
	bed_run(&s.bed, 30 * NS_MS); /* what the loser held settles */
	assert_int_equal(used(&s), 1);
	raw_close(raw_server_nth(&s.sites.site[0].server, 0), IO_CLOSE_FIN);
	bed_run(&s.bed, 30 * NS_MS);
	assert_true(job_run(&s, &j, OK_LOG) < 2 * NS_MS); /* and is remembered */
	scene_fini(&s);
}

/* In request units the one slot goes with the call: a limit of 1 is no hindrance. */
static void test_silent_first_in_request_units(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	struct upstream_cfg cfg = caller_upstream(1);
	cfg.unit = SLOT_UNIT_REQUEST;
	scene_with(&s, cfg, SILENT " " GOOD, NULL);
	ns_t took = job_run(&s, &j, OK_LOG);
	assert_in_range(took, 250 * NS_MS, 253 * NS_MS);
	assert_int_equal(upstream_slots(s.up)->peak, 1);
	assert_int_equal(used(&s), 0);
	scene_fini(&s);
}

/* 280 ms a round trip: the second attempt is 30 ms old when the first is there. */
static void test_first_wins_late(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	scene_with(&s, caller_upstream(4), GOOD " " GOOD2,
		&(struct sim_cfg){ .seed = 1, .latency = 140 * NS_MS });
	ns_t took = job_run(&s, &j, OK_LOG);
	assert_in_range(took, 560 * NS_MS, 563 * NS_MS);
	assert_int_equal(s.sites.site[0].requests, 1);
	assert_int_equal(s.sites.site[1].requests, 0);
	assert_int_equal(upstream_slots(s.up)->peak, 2);
	bed_run(&s.bed, NS_S);
	assert_int_equal(s.sites.site[1].open, 0);
	assert_int_equal(used(&s), 1);
	scene_fini(&s);
}

static void test_third_address(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	scene_with(&s, caller_upstream(4), SILENT " " SILENT2 " " GOOD, NULL);
	ns_t took = job_run(&s, &j, OK_LOG);
	assert_in_range(took, 500 * NS_MS, 503 * NS_MS);
	assert_int_equal(upstream_slots(s.up)->peak, 3);
	scene_fini(&s);
	/* two at once are all that fit: the third when the first gives up */
	scene_with(&s, caller_upstream(2), SILENT " " SILENT2 " " GOOD, NULL);
	took = job_run(&s, &j, OK_LOG);
	assert_in_range(took, CONNECT_FOR, CONNECT_FOR + 2 * NS_MS);
	assert_int_equal(upstream_slots(s.up)->peak, 2);
	scene_fini(&s);
}

/* The first is refused while the second is under way. */
static void test_loser_has_the_call(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	scene_with(&s, caller_upstream(4), SILENT " " SILENT2, NULL);
	job_start(&s, &j);
	bed_run(&s.bed, 300 * NS_MS);
	assert_int_equal(in_state(&s, SLOT_CONNECTING), 2);
	bed_run(&s.bed, CONNECT_FOR - 290 * NS_MS); /* the first has timed out */
	assert_int_equal(in_state(&s, SLOT_CONNECTING), 1);
	assert_int_equal(j.ends, 0);
	bed_run(&s.bed, 250 * NS_MS);
	assert_text(&j.log, "end:connect-timeout");
	bed_run(&s.bed, 30 * NS_MS);
	assert_int_equal(used(&s), 0);
	job_fini(&j);
	scene_fini(&s);
}

static void test_abandoned_while_racing(void **state)
{
	(void)state;
	static const ns_t whens[] = { 1 * NS_MS, 249 * NS_MS, 300 * NS_MS, 800 * NS_MS };
	for (size_t i = 0; i < ARRAY_LEN(whens); i++) {
		for (int unit = 0; unit < 2; unit++) {
			struct scene s;
			struct job j;
			struct upstream_cfg cfg = caller_upstream(8);
			cfg.unit = unit ? SLOT_UNIT_REQUEST : SLOT_UNIT_CONNECTION;
			scene_with(&s, cfg, SILENT " " SILENT2 " 10.0.0.7:80", NULL);
			job_start(&s, &j);
			bed_run(&s.bed, whens[i]);
			job_abandon(&j);
			assert_int_equal(in_state(&s, SLOT_CONNECTING), 1);
			bed_run(&s.bed, 3 * NS_S);
			assert_int_equal(j.ends, 0);
			assert_int_equal(used(&s), 0);
			assert_int_equal(upstream_stats(s.up)->sockets, 0);
			job_fini(&j);
			scene_fini(&s);
		}
	}
}

static void test_free_while_racing(void **state)
{
	(void)state;
	for (int unit = 0; unit < 2; unit++) {
		struct scene s;
		struct job j;
		struct upstream_cfg cfg = caller_upstream(8);
		cfg.unit = unit ? SLOT_UNIT_REQUEST : SLOT_UNIT_CONNECTION;
		scene_with(&s, cfg, SILENT " " SILENT2 " 10.0.0.7:80", NULL);
		job_start(&s, &j);
		bed_run(&s.bed, 600 * NS_MS);
		assert_int_equal(upstream_stats(s.up)->sockets, 3);
		scene_fini(&s);
		assert_text(&j.log, "end:stopping");
		job_fini(&j);
	}
}

/* Who waits for a slot comes before who wants a second one. */
static void test_no_race_while_others_wait(void **state)
{
	(void)state;
	struct scene s;
	struct job one, pair[2];
	scene_with(&s, caller_upstream(2), SILENT " " SILENT2, NULL);
	job_start(&s, &one);
	for (int i = 0; i < 2; i++)
		job_init(&pair[i], s.up, "GET", "/");
	assert_int_equal(jobs_submit(pair, 2, NS_NEVER), ERR_OK); /* needs both slots */
	bed_run(&s.bed, 1500 * NS_MS);
	assert_int_equal(upstream_slots(s.up)->peak, 1);
	scene_fini(&s);
	job_fini(&one);
	job_fini(&pair[0]);
	job_fini(&pair[1]);
}

/* Calls at random, half of them given up, over good and bad addresses that change: slots say
 * so themselves if the cap is broken; the server must not see more connections either. */
static void storm(uint64_t seed, enum slot_unit unit)
{
	static const char *const sets[] = { SILENT " " GOOD " " REFUSES, GOOD2 " " SILENT,
		BROKEN6 " " GOOD2 " " GOOD, REFUSES " " SILENT2 " " GOOD };
	struct scene s;
	struct job jobs[60];
	struct rng rng;
	uint32_t ended = 0, gone = 0;
	struct upstream_cfg cfg = caller_upstream(5);
	cfg.unit = unit;
	rng_init(&rng, seed);
	scene_with(&s, cfg, sets[0],
		&(struct sim_cfg){ .seed = seed, .jitter = 300 * NS_MS });
	for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
		job_start(&s, &jobs[i]);
		bed_run(&s.bed, (ns_t)rng_below(&rng, 200) * NS_MS);
		struct job *any = &jobs[rng_below(&rng, i + 1)];
		if (rng_below(&rng, 3) == 0 && !any->ends && !any->abandoned)
			job_abandon(any);
		if (rng_below(&rng, 10) == 0)
			set_endpoints(&s, sets[rng_below(&rng, ARRAY_LEN(sets))]);
	}
	bed_run(&s.bed, 60 * NS_S);
	for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
		ended += jobs[i].ends;
		gone += jobs[i].abandoned;
		assert_true(jobs[i].ends + jobs[i].abandoned == 1);
		job_fini(&jobs[i]);
	}
	assert_int_equal(ended + gone, ARRAY_LEN(jobs));
	assert_true(upstream_slots(s.up)->peak <= 5);
	if (unit == SLOT_UNIT_CONNECTION)
		assert_true(s.sites.peak <= 5);
	assert_int_equal(used(&s), 0);
	scene_fini(&s);
}

static void test_storms(void **state)
{
	(void)state;
	uint64_t seed = test_seed(1);
	for (uint64_t i = 0; i < 40; i++) {
		storm(seed + i, SLOT_UNIT_CONNECTION);
		storm(seed + i, SLOT_UNIT_REQUEST);
	}
}

/* --- addresses that change --- */

static void test_idle_to_a_gone_address(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	scene_with(&s, caller_upstream(4), GOOD, NULL);
	(void)job_run(&s, &j, OK_LOG);
	assert_int_equal(in_state(&s, SLOT_IDLE), 1);
	set_endpoints(&s, GOOD " " GOOD2); /* stays */
	assert_int_equal(in_state(&s, SLOT_IDLE), 1);
	set_endpoints(&s, GOOD2 " " GOOD2);
	assert_int_equal(in_state(&s, SLOT_IDLE), 0);
	assert_int_equal(upstream_stats(s.up)->closed_idle, 1);
	(void)job_run(&s, &j, OK_LOG);
	assert_int_equal(s.sites.site[0].requests, 1);
	assert_int_equal(s.sites.site[1].requests, 1);
	scene_fini(&s);
}

/* It is answered, and then its connection is not kept. */
static void test_running_to_a_gone_address(void **state)
{
	(void)state;
	struct scene s;
	struct job old, fresh;
	scene_with(&s, caller_upstream(4), GOOD, NULL);
	s.sites.site[0].answer = NULL;
	job_start(&s, &old);
	bed_run(&s.bed, 10 * NS_MS);
	set_endpoints(&s, GOOD2);
	(void)job_run(&s, &fresh, OK_LOG);
	assert_int_equal(s.sites.site[1].requests, 1);
	assert_slice(call_endpoint(&old.call), GOOD);
	raw_say(raw_server_nth(&s.sites.site[0].server, 0), ANSWER);
	bed_run(&s.bed, 10 * NS_MS);
	assert_text(&old.log, OK_LOG);
	assert_int_equal(in_state(&s, SLOT_IDLE), 1);
	assert_int_equal(s.sites.site[0].open, 0);
	job_fini(&old);
	scene_fini(&s);
}

/* One that connects when its address goes finishes; one that fails tries the new ones. */
static void test_connecting_to_a_gone_address(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	scene_with(&s, caller_upstream(1), SILENT, NULL);
	job_start(&s, &j);
	bed_run(&s.bed, 100 * NS_MS);
	set_endpoints(&s, GOOD);
	bed_run(&s.bed, CONNECT_FOR);
	assert_text(&j.log, OK_LOG);
	job_fini(&j);
	/* back again, with connections there all the while */
	set_endpoints(&s, GOOD2);
	set_endpoints(&s, GOOD);
	set_endpoints(&s, SILENT);
	set_endpoints(&s, GOOD " " GOOD2);
	bed_run(&s.bed, 100 * NS_MS);
	(void)job_run(&s, &j, OK_LOG);
	scene_fini(&s);
}

static void test_names_are_said(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	struct upstream_endpoint one = { .name = SLICE("api.test") };
	scene_with(&s, caller_upstream(1), "", NULL);
	raw_addr(GOOD, &one.addr);
	upstream_set_endpoints(s.up, &one, 1);
	(void)job_run(&s, &j, OK_LOG);
	assert_true(raw_got(raw_server_nth(&s.sites.site[0].server, 0),
		"GET / HTTP/1.1\r\nHost: api.test\r\n\r\n"));
	/* another name of the same address is another endpoint */
	one.name = SLICE("b.test");
	upstream_set_endpoints(s.up, &one, 1);
	bed_run(&s.bed, 30 * NS_MS);
	(void)job_run(&s, &j, OK_LOG);
	assert_true(raw_got(raw_server_nth(&s.sites.site[0].server, 1),
		"GET / HTTP/1.1\r\nHost: b.test\r\n\r\n"));
	scene_fini(&s);
}

static void test_no_address_yet(void **state)
{
	(void)state;
	struct scene s;
	struct job j;
	scene_with(&s, caller_upstream(4), "", NULL);
	job_init(&j, s.up, "GET", "/");
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_RESOLVE);
	job_fini(&j);
	set_endpoints(&s, GOOD);
	(void)job_run(&s, &j, OK_LOG);
	scene_fini(&s);
	scene_with(&s, caller_upstream(4), "", NULL);
	scene_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_refused_first),
		TEST(test_broken_ipv6_first),
		TEST(test_none_works),
		TEST(test_silent_first_without_room),
		TEST(test_no_descriptors),
		TEST(test_silent_first),
		TEST(test_silent_first_in_request_units),
		TEST(test_first_wins_late),
		TEST(test_third_address),
		TEST(test_loser_has_the_call),
		TEST(test_abandoned_while_racing),
		TEST(test_free_while_racing),
		TEST(test_no_race_while_others_wait),
		TEST(test_storms),
		TEST(test_idle_to_a_gone_address),
		TEST(test_running_to_a_gone_address),
		TEST(test_connecting_to_a_gone_address),
		TEST(test_names_are_said),
		TEST(test_no_address_yet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Several endpoints of one API: who is left out, who is tried again, and one limit over all. */
#include "caller.h"
#include "sites.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define BAD "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
#define REST \
	"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n"
#define FULL "HTTP/1.1 503 Full\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
#define SITES SITES_MAX
#define WAVE 6

static const char *const places[SITES] = { "10.0.0.2:80", "10.0.0.2:81", "10.0.0.2:82" };

struct scene {
	struct bed bed;
	struct sites sites;
	struct upstream *up;
	uint64_t failed; /* calls that were not answered by 200 */
};

/* Each answers after 5 ms. */
static void start(struct scene *s, uint32_t nth)
{
	site_start(&s->sites, nth, places[nth], OK);
	s->sites.site[nth].answer_in = 5 * NS_MS;
}

/* The process dies: its connections with it. */
static void stop(struct scene *s, uint32_t nth)
{
	site_stop(&s->sites, nth, IO_CLOSE_RESET);
}

static void scene_with(struct scene *s, uint32_t limit, ns_t pause_max)
{
	const struct worker_cfg few = { .clients = 1, .servers = 32 };
	struct upstream_cfg cfg = caller_upstream(limit);
	cfg.eject_share = 0.5;
	cfg.pause_max = pause_max;
	cfg.idle_for = 300 * NS_S;
	*s = (struct scene){ .up = NULL };
	bed_init(&s->bed, &(struct sim_cfg){ .seed = 1 }, &few);
	sites_init(&s->sites, &s->bed);
	for (uint32_t i = 0; i < SITES; i++) {
		start(s, i);
		raw_addr(places[i], &cfg.endpoints[cfg.endpoint_count++]);
	}
	bed_run(&s->bed, NS_S); /* instants are above 0 */
	s->up = upstream_new(&s->bed.worker, &cfg);
}

static void scene_end(struct scene *s)
{
	upstream_free(&s->up);
	for (uint32_t i = 0; i < SITES; i++)
		stop(s, i);
	bed_fini(&s->bed);
}

static enum health_state state_of(const struct scene *s, uint32_t nth)
{
	return upstream_endpoint(s->up, nth).health.state;
}

/* Calls at once, each to its end; how many were answered by 200. */
static int wave(struct scene *s, int n)
{
	struct job jobs[WAVE];
	int ended = 0, good = 0;
	assert_true(n <= WAVE);
	for (int i = 0; i < n; i++) {
		job_init(&jobs[i], s->up, "GET", "/");
		jobs[i].call.replayable = true;
		assert_int_equal(job_submit(&jobs[i], NS_NEVER), ERR_OK);
	}
	while (ended < n) {
		bed_run(&s->bed, NS_MS);
		ended = 0;
		for (int i = 0; i < n; i++)
			ended += jobs[i].ends == 1;
	}
	for (int i = 0; i < n; i++) {
		bool ok = jobs[i].why == ERR_OK && strstr(jobs[i].log.ptr, "head:200");
		good += ok;
		s->failed += !ok;
		job_fini(&jobs[i]);
	}
	return good;
}

static void waves(struct scene *s, ns_t for_ns)
{
	ns_t end = sim_now(s->bed.sim) + for_ns;
	while (sim_now(s->bed.sim) < end) {
		(void)wave(s, WAVE);
		bed_run(&s->bed, 20 * NS_MS);
	}
}

static void forget(struct scene *s)
{
	for (int i = 0; i < SITES; i++)
		s->sites.site[i].requests = s->sites.site[i].running_most = 0;
}

static void test_all_have_their_share(void **state)
{
	(void)state;
	struct scene s;
	scene_with(&s, WAVE, 0);
	waves(&s, NS_S);
	for (int i = 0; i < SITES; i++)
		assert_true(s.sites.site[i].requests > 20);
	assert_int_equal(s.failed, 0);
	scene_end(&s);
}

/* One limit over all of them; and who has an idle connection is asked first. */
static void test_one_limit(void **state)
{
	(void)state;
	struct scene s;
	scene_with(&s, 2, 0);
	waves(&s, NS_S);
	assert_int_equal(s.sites.peak, 2);
	assert_int_equal(upstream_slots(s.up)->peak, 2);
	uint64_t connects = upstream_stats(s.up)->connects;
	assert_int_equal(connects, 2);
	for (int i = 0; i < 50; i++)
		assert_int_equal(wave(&s, 1), 1);
	assert_int_equal(upstream_stats(s.up)->connects, connects);
	scene_end(&s);
}

static void test_one_dies_and_comes_back(void **state)
{
	(void)state;
	struct scene s;
	scene_with(&s, WAVE, 0);
	waves(&s, NS_S);
	stop(&s, 1);
	waves(&s, 5 * NS_S);
	assert_int_equal(s.failed, 0); /* replays, and the next address */
	assert_int_equal(state_of(&s, 1), HEALTH_OUT);
	assert_int_equal(upstream_endpoint(s.up, 1).health.why, HEALTH_UNREACHABLE);
	uint64_t failed = upstream_stats(s.up)->connects_failed;
	waves(&s, 3 * NS_S); /* nobody knocks there */
	assert_int_equal(upstream_stats(s.up)->connects_failed, failed);
	/* still dead when it is tried: another address serves that call */
	waves(&s, 5 * NS_S);
	assert_int_equal(upstream_stats(s.up)->connects_failed, failed + 1);
	assert_int_equal(upstream_endpoint(s.up, 1).health.times, 2);
	assert_int_equal(s.failed, 0);
	start(&s, 1);
	waves(&s, 25 * NS_S);
	assert_int_equal(state_of(&s, 1), HEALTH_IN);
	assert_int_equal(s.failed, 0);
	assert_true(s.sites.site[1].requests > 0);
	scene_end(&s);
}

static void test_bad_answers(void **state)
{
	(void)state;
	struct scene s;
	scene_with(&s, WAVE, 0);
	waves(&s, NS_S);
	s.sites.site[2].answer = BAD;
	forget(&s);
	waves(&s, 5 * NS_S);
	assert_int_equal(state_of(&s, 2), HEALTH_OUT);
	assert_int_equal(upstream_endpoint(s.up, 2).health.why, HEALTH_FAILS);
	assert_in_range(
		s.sites.site[2].requests, 5, 8); /* what was under way then, too */
	assert_int_equal(upstream_endpoint(s.up, 2).conns, 0);
	/* one call at a time tries it */
	forget(&s);
	s.failed = 0;
	waves(&s, 8 * NS_S);
	assert_int_equal(s.sites.site[2].requests, 1);
	assert_int_equal(s.failed, 1);
	s.sites.site[2].answer = OK;
	waves(&s, 25 * NS_S);
	assert_int_equal(state_of(&s, 2), HEALTH_IN);
	assert_int_equal(s.failed, 1);
	scene_end(&s);
}

static void test_resets(void **state)
{
	(void)state;
	struct scene s;
	scene_with(&s, WAVE, 0);
	s.sites.site[0].resets = true;
	waves(&s, 3 * NS_S);
	assert_int_equal(state_of(&s, 0), HEALTH_OUT);
	assert_int_equal(state_of(&s, 1), HEALTH_IN);
	assert_int_equal(state_of(&s, 2), HEALTH_IN);
	scene_end(&s);
}

static void test_all_are_bad(void **state)
{
	(void)state;
	struct scene s;
	scene_with(&s, WAVE, 0);
	for (int i = 0; i < SITES; i++)
		s.sites.site[i].answer = BAD;
	waves(&s, 5 * NS_S);
	for (uint32_t i = 0; i < SITES; i++)
		assert_int_equal(state_of(&s, i), HEALTH_IN);
	scene_end(&s);
}

/* This host's own fault is nobody else's. */
static void test_no_descriptors(void **state)
{
	(void)state;
	struct scene s;
	scene_with(&s, WAVE, 0);
	struct raw others[5]; /* take sockets; nobody has that address */
	struct addr nobody;
	raw_addr("10.0.0.9:80", &nobody);
	sim_set(s.bed.sim, &(struct sim_cfg){ .seed = 1, .fd_max = 9 });
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		raw_init(&others[i]);
		raw_connect(&others[i], s.bed.near, &nobody);
	}
	for (int i = 0; i < 20; i++)
		(void)wave(&s, WAVE);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		raw_fini(&others[i]);
	assert_true(s.failed > 0);
	for (uint32_t i = 0; i < SITES; i++)
		assert_int_equal(state_of(&s, i), HEALTH_IN);
	scene_end(&s);
}

/* A 503 with Retry-After is one machine's: the others go on. */
static void test_one_rests(void **state)
{
	(void)state;
	struct scene s;
	scene_with(&s, WAVE, 60 * NS_S);
	waves(&s, NS_S);
	s.sites.site[0].answer = REST;
	forget(&s);
	waves(&s, 2900 * NS_MS);
	assert_in_range(s.sites.site[0].requests, 1, 3);
	assert_in_range(s.failed, 1, 3);
	assert_true(s.sites.site[1].requests > 50 && s.sites.site[2].requests > 50);
	assert_int_equal(upstream_endpoint(s.up, 0).health.why, HEALTH_ASKED);
	assert_int_equal(upstream_paused_for(s.up), 0);
	s.sites.site[0].answer = OK;
	forget(&s);
	waves(&s, 2 * NS_S);
	assert_int_equal(state_of(&s, 0), HEALTH_IN);
	assert_true(s.sites.site[0].requests > 0);
	scene_end(&s);
}

/* Where the others are gone it has its rest all the same. */
static void test_one_rests_and_the_others_die(void **state)
{
	(void)state;
	struct scene s;
	scene_with(&s, WAVE, 60 * NS_S);
	waves(&s, NS_S);
	s.sites.site[0].answer = REST;
	waves(&s, NS_S / 2);
	assert_int_equal(upstream_endpoint(s.up, 0).health.why, HEALTH_ASKED);
	s.sites.site[0].answer = OK;
	stop(&s, 1);
	stop(&s, 2);
	forget(&s);
	waves(&s, NS_S);
	assert_int_equal(s.sites.site[0].requests, 0);
	assert_true(s.failed > 0);
	waves(&s, 5 * NS_S);
	assert_true(s.sites.site[0].requests > 0);
	scene_end(&s);
}

static void test_all_rest(void **state)
{
	(void)state;
	struct scene s;
	scene_with(&s, WAVE, 60 * NS_S);
	waves(&s, NS_S);
	for (int i = 0; i < SITES; i++)
		s.sites.site[i].answer = REST;
	(void)wave(&s, WAVE);
	assert_in_range(upstream_paused_for(s.up), NS_S, 3 * NS_S);
	forget(&s);
	for (int i = 0; i < SITES; i++)
		s.sites.site[i].answer = OK;
	ns_t since = sim_now(s.bed.sim);
	assert_int_equal(wave(&s, WAVE), WAVE);
	assert_true(sim_now(s.bed.sim) - since > 2900 * NS_MS);
	waves(&s, 5 * NS_S);
	for (uint32_t i = 0; i < SITES; i++)
		assert_int_equal(state_of(&s, i), HEALTH_IN);
	scene_end(&s);
}

static void begin(struct scene *s, struct job *jobs, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		job_init(&jobs[i], s->up, "GET", "/");
		assert_int_equal(job_submit(&jobs[i], NS_NEVER), ERR_OK);
	}
}

/* One that has no slot free accepts all the same: what was on its way there shows nothing. */
static void test_one_that_is_full_can_be_reached(void **state)
{
	(void)state;
	struct scene s;
	struct job jobs[SITES], late, more[SITES];
	struct site *full = &s.sites.site[0];
	scene_with(&s, 3 * WAVE, 0);
	full->answer = FULL;
	s.sites.site[1].answer_in = s.sites.site[2].answer_in = NS_S;
	begin(&s, jobs, SITES); /* one each */
	jobs[0].refused = true;
	while (!full->requests)
		bed_run(&s.bed, 10 * NS_US);
	full->answer_in = NS_S; /* to whom comes after the first */
	bed_run(&s.bed, 5 * NS_MS - 50 * NS_US);
	begin(&s, &late, 1);
	assert_int_equal(upstream_endpoint(s.up, 0).conns, 2);
	bed_run(&s.bed, 10 * NS_MS);
	assert_int_equal(jobs[0].ends, 1);
	assert_int_equal(full->requests, 2);
	begin(&s, more, SITES); /* it would be the third one's turn */
	assert_int_equal(upstream_endpoint(s.up, 0).conns, 2);
	bed_run(&s.bed, 3 * NS_S);
	for (uint32_t i = 0; i < SITES; i++) {
		assert_int_equal(jobs[i].ends, 1);
		assert_int_equal(more[i].ends, 1);
		job_fini(&jobs[i]);
		job_fini(&more[i]);
	}
	job_fini(&late);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_have_their_share),
		TEST(test_one_limit),
		TEST(test_one_dies_and_comes_back),
		TEST(test_bad_answers),
		TEST(test_resets),
		TEST(test_all_are_bad),
		TEST(test_no_descriptors),
		TEST(test_one_rests),
		TEST(test_one_rests_and_the_others_die),
		TEST(test_all_rest),
		TEST(test_one_that_is_full_can_be_reached),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

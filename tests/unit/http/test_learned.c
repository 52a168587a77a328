/* What two threads' upstreams learn of one API together, played on two simulated loops: how its
 * places do, and whether it frees the slots of calls that are hung up on. */
#include "caller.h"
#include "pair.h"
#include "sites.h"

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define BAD "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
#define PLACES 2

static const char *const places[PLACES] = { "10.0.0.2:80", "10.0.0.2:81" };

struct two {
	struct bed bed; /* the places, too */
	struct pair pair;
	struct vitals *vitals;
	struct hangups *hangups;
	struct sites sites;
};

static struct upstream_cfg cfg_of(const struct two *t)
{
	struct upstream_cfg cfg = caller_upstream(8);
	cfg.eject_share = 0.5;
	cfg.idle_for = 300 * NS_S;
	cfg.abandon = ABANDON_AUTO;
	cfg.vitals = t->vitals;
	cfg.hangups = t->hangups;
	for (uint32_t i = 0; i < PLACES; i++)
		raw_addr(places[i], &cfg.endpoints[cfg.endpoint_count++]);
	return cfg;
}

static void two_init(struct two *t)
{
	const struct worker_cfg few = { .clients = 1, .servers = 32 };
	*t = (struct two){ .vitals = vitals_new(), .hangups = hangups_new(1) };
	bed_init(&t->bed, &(struct sim_cfg){ .seed = 1 }, &few);
	pair_init(&t->pair, &t->bed, &few);
	sites_init(&t->sites, &t->bed);
	for (uint32_t i = 0; i < PLACES; i++) {
		site_start(&t->sites, i, places[i], OK);
		t->sites.site[i].answer_in = 5 * NS_MS;
	}
	bed_run(&t->bed, NS_S); /* instants are above 0 */
	for (uint32_t i = 0; i < SEATS; i++)
		pair_start(&t->pair, cfg_of(t), i);
}

static void two_fini(struct two *t)
{
	pair_fini(&t->pair);
	vitals_unref(&t->vitals);
	hangups_unref(&t->hangups);
	for (uint32_t i = 0; i < PLACES; i++)
		site_stop(&t->sites, i, IO_CLOSE_RESET);
	bed_fini(&t->bed);
}

/* One call to its end, and whether it was answered by 200. */
static bool call(struct two *t, uint32_t seat)
{
	struct job j;
	job_init(&j, t->pair.up[seat], "GET", "/");
	j.call.replayable = true;
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	while (j.ends == 0)
		bed_run(&t->bed, NS_MS);
	bool good = j.why == ERR_OK && strstr(j.log.ptr, "head:200");
	job_fini(&j);
	return good;
}

/* Two calls at once, so that there is a connection to each place. */
static void open_to_both(struct two *t, uint32_t seat)
{
	struct job j[PLACES];
	for (int i = 0; i < PLACES; i++) {
		job_init(&j[i], t->pair.up[seat], "GET", "/");
		assert_int_equal(job_submit(&j[i], NS_NEVER), ERR_OK);
	}
	bed_run(&t->bed, 100 * NS_MS);
	for (int i = 0; i < PLACES; i++) {
		assert_int_equal(j[i].why, ERR_OK);
		job_fini(&j[i]);
		assert_int_equal(
			upstream_endpoint(t->pair.up[seat], (uint32_t)i).conns, 1);
	}
}

/* Until it is left out, by what seat 0 alone has met. */
static void sicken(struct two *t, uint32_t place)
{
	t->sites.site[place].answer = BAD;
	for (int i = 0; i < 100; i++) {
		struct job j[PLACES];
		for (int k = 0; k < PLACES; k++) {
			job_init(&j[k], t->pair.up[0], "GET", "/");
			assert_int_equal(job_submit(&j[k], NS_NEVER), ERR_OK);
		}
		bed_run(&t->bed, 50 * NS_MS);
		for (int k = 0; k < PLACES; k++)
			job_fini(&j[k]);
		if (upstream_endpoint(t->pair.up[0], place).health.state == HEALTH_OUT)
			return;
	}
	fail_msg("it was not left out");
}

static void test_one_that_fails_is_left_out_by_all(void **state)
{
	(void)state;
	struct two t;
	two_init(&t);
	open_to_both(&t, 1);
	sicken(&t, 1);
	bed_run(&t.bed, NS_MS); /* a letter's way */
	assert_int_equal(upstream_endpoint(t.pair.up[1], 1).health.state, HEALTH_OUT);
	assert_int_equal(
		upstream_endpoint(t.pair.up[1], 1).conns, 0); /* idle ones, closed */
	uint64_t asked = t.sites.site[1].requests;
	for (int i = 0; i < 20; i++)
		assert_true(call(&t, 1));
	assert_int_equal(t.sites.site[1].requests, asked);
	two_fini(&t);
}

/* And one trial serves all. */
static void test_one_trial_brings_it_back_for_all(void **state)
{
	(void)state;
	struct two t;
	two_init(&t);
	sicken(&t, 1);
	t.sites.site[1].answer = OK;
	bed_run(&t.bed, HEALTH_OUT_FOR + 2 * NS_S);
	uint64_t asked = t.sites.site[1].requests;
	assert_true(call(&t, 1));
	assert_int_equal(t.sites.site[1].requests, asked + 1);
	for (uint32_t i = 0; i < SEATS; i++)
		assert_int_equal(
			upstream_endpoint(t.pair.up[i], 1).health.state, HEALTH_IN);
	two_fini(&t);
}

/* Who cannot be reached comes last on all threads, though none is ever left out. */
static void test_one_out_of_reach_is_avoided_by_all(void **state)
{
	(void)state;
	struct two t;
	two_init(&t);
	for (uint32_t i = 0; i < SEATS; i++) {
		struct upstream_cfg cfg = pair_cfg(&t.pair, cfg_of(&t), i);
		cfg.eject_share = 0;
		upstream_reconfigure(t.pair.up[i], &cfg);
	}
	site_stop(&t.sites, 0, IO_CLOSE_RESET);
	assert_true(call(&t, 0));
	assert_int_equal(upstream_stats(t.pair.up[0])->connects_failed, 1);
	for (int i = 0; i < 4; i++)
		assert_true(call(&t, 1));
	assert_int_equal(upstream_stats(t.pair.up[1])->connects_failed, 0);
	two_fini(&t);
}

/* A place is forgotten with the last who goes there, not before. */
static void test_a_place_outlives_one_of_its_threads(void **state)
{
	(void)state;
	struct two t;
	two_init(&t);
	sicken(&t, 1);
	struct upstream_endpoint one = { .name = SLICE_NONE };
	raw_addr(places[0], &one.addr);
	upstream_set_endpoints(t.pair.up[0], &one, 1);
	assert_int_equal(upstream_endpoint(t.pair.up[1], 1).health.state, HEALTH_OUT);
	two_fini(&t);
}

static void abandon(struct two *t, uint32_t seat)
{
	struct job j;
	t->sites.site[0].answer_in = t->sites.site[1].answer_in = 500 * NS_MS;
	job_init(&j, t->pair.up[seat], "GET", "/");
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&t->bed, 50 * NS_MS);
	job_abandon(&j);
	job_fini(&j);
	bed_run(&t->bed, NS_S);
}

/* What one thread's trials have shown the others go by. */
static void test_trials_are_counted_together(void **state)
{
	(void)state;
	struct two t;
	two_init(&t);
	assert_true(call(&t, 0)); /* now it is known how long calls take */
	uint32_t changes = 0;
	while (!hangups_frees(t.hangups)) {
		ns_t now = sim_now(t.bed.sim);
		enum hangup_arm arm = hangups_ask(t.hangups, 8, now + NS_S, now);
		assert_int_not_equal(arm, HANGUP_OUT);
		changes += hangups_ended(t.hangups, arm, arm == HANGUP_TRIED, now);
	}
	assert_int_equal(changes, 1);
	t.sites.site[0].answer_in = t.sites.site[1].answer_in = 500 * NS_MS;
	assert_true(call(&t, 1));
	abandon(&t, 1);
	assert_int_equal(upstream_stats(t.pair.up[1])->hung_up, 1);
	bed_run(&t.bed, 5 * NS_S); /* the first slot given back on trust is past doubt */
	abandon(&t, 0);
	assert_int_equal(upstream_stats(t.pair.up[0])->hung_up, 1);
	/* and one thread's disappointment is all threads' */
	assert_true(hangups_ended(t.hangups, HANGUP_TRUSTED, false, sim_now(t.bed.sim)));
	bed_run(&t.bed, 5 * NS_S);
	for (uint32_t i = 0; i < SEATS; i++) {
		abandon(&t, i);
		assert_int_equal(upstream_stats(t.pair.up[i])->hung_up, 1);
	}
	two_fini(&t);
}

/* The longest answer, too. */
static void test_one_longest_for_all(void **state)
{
	(void)state;
	struct two t;
	two_init(&t);
	assert_true(call(&t, 0));
	assert_true(hangups_longest(upstream_hangups(t.pair.up[1])) >= 5 * NS_MS);
	two_fini(&t);
}

/* A trial that never ends, for its thread's upstream ends, bars none to come. */
static void test_a_trial_ends_with_its_upstream(void **state)
{
	(void)state;
	struct two t;
	two_init(&t);
	t.sites.site[0].answer_in = t.sites.site[1].answer_in = 500 * NS_MS;
	assert_true(call(&t, 0));
	struct job j;
	job_init(&j, t.pair.up[0], "GET", "/");
	assert_int_equal(job_submit(&j, NS_NEVER), ERR_OK);
	bed_run(&t.bed, 50 * NS_MS);
	job_abandon(&j);
	job_fini(&j);
	assert_int_equal(hangups_view(t.hangups).watched, 1);
	upstream_free(&t.pair.up[0]);
	assert_int_equal(hangups_view(t.hangups).watched, 0);
	two_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_that_fails_is_left_out_by_all),
		TEST(test_one_trial_brings_it_back_for_all),
		TEST(test_one_out_of_reach_is_avoided_by_all),
		TEST(test_a_place_outlives_one_of_its_threads),
		TEST(test_trials_are_counted_together),
		TEST(test_one_longest_for_all),
		TEST(test_a_trial_ends_with_its_upstream),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

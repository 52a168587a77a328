/* Where a server listens, changed while it runs. */
#include "app.h"
#include "bed.h"

#define CLIENTS 3

struct stage {
	struct bed bed;
	struct app app;
	struct server *server;
	struct server_place at[2];
	struct raw client[CLIENTS];
};

static void stage_init(struct stage *s, uint32_t clients)
{
	const struct sim_cfg sim = { .seed = 1 };
	const struct worker_cfg few = { .clients = clients, .servers = 1 };
	bed_init(&s->bed, &sim, &few);
	app_init(&s->app, &s->bed.worker, (struct server_cfg){ 0 }, "10.0.0.1:80");
	s->server = s->app.server;
	s->at[1].mark = 7;
	raw_addr("10.0.0.1:80", &s->at[0].at);
	raw_addr("10.0.0.1:81", &s->at[1].at);
}

static void stage_connect(struct stage *s, uint32_t nth, const struct addr *at)
{
	struct raw *r = &s->client[nth];
	raw_init(r);
	raw_connect(r, s->bed.far, at);
	raw_say(r, "GET /now HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
}

static bool is_served(const struct stage *s, uint32_t nth)
{
	return slice_starts(text_slice(&s->client[nth].in), SLICE("HTTP/1.1 200 OK\r\n"));
}

static void stage_fini(struct stage *s)
{
	app_fini(&s->app);
	bed_fini(&s->bed);
}

/* Addresses come and go; those that stay, stay open. */
static void test_keep_only(void **state)
{
	(void)state;
	struct stage s;
	struct problem p = { "" };
	stage_init(&s, 8);
	assert_false(server_has_place(s.server, &s.at[1]));
	assert_true(server_listen_at(s.server, &s.at[1], &p));
	assert_true(server_has_place(s.server, &s.at[1]));
	server_keep_only(s.server, &s.at[1], 1);
	assert_false(server_has_place(s.server, &s.at[0]));
	stage_connect(&s, 1, &s.at[0].at); /* who comes while it goes is served */
	bed_run(&s.bed, 100 * NS_MS);
	assert_true(is_served(&s, 1));
	raw_fini(&s.client[1]);
	assert_int_equal(addr_port(server_addr(s.server, 0)), 81);
	assert_null(server_addr(s.server, 1));
	stage_connect(&s, 0, &s.at[1].at);
	bed_run(&s.bed, 10 * NS_MS);
	assert_true(is_served(&s, 0));
	assert_int_equal(s.app.mark, 7);
	assert_int_equal(server_mark(s.server, 0), 7);
	raw_fini(&s.client[0]);
	stage_fini(&s);
}

/* With room for one client alone, those who had connected to an address that goes are served
 * one after the other; only then is the server drained. */
static void test_who_waits_is_served(void **state)
{
	(void)state;
	struct stage s;
	stage_init(&s, 1);
	for (uint32_t i = 0; i < CLIENTS; i++)
		stage_connect(&s, i, &s.at[0].at);
	while (!server_conn_count(s.server))
		bed_run(&s.bed, NS_MS);
	server_drain(s.server);
	assert_false(server_has_place(s.server, &s.at[0]));
	assert_false(server_is_drained(s.server));
	bed_run(&s.bed, 10 * NS_S);
	for (uint32_t i = 0; i < CLIENTS; i++) {
		assert_true(is_served(&s, i));
		raw_fini(&s.client[i]);
	}
	assert_true(server_is_drained(s.server));
	stage_fini(&s);
}

/* What other threads' clients had taken comes free: nobody tells, and all the same it is
 * noticed soon. */
static void test_full_with_clients_of_others(void **state)
{
	(void)state;
	struct stage s;
	struct quota all;
	stage_init(&s, 8);
	quota_init(&all, 2);
	s.bed.worker.sconns.quota = &all;
	assert_true(quota_take(&all, 2));
	stage_connect(&s, 0, &s.at[0].at);
	bed_run(&s.bed, NS_S);
	assert_int_equal(server_conn_count(s.server), 0);
	quota_give(&all, 1);
	bed_run(&s.bed, 100 * NS_MS);
	assert_true(is_served(&s, 0));
	quota_give(&all, 1);
	raw_fini(&s.client[0]);
	bed_run(&s.bed, 10 * NS_S);
	assert_int_equal(quota_used(&all), 0);
	stage_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_keep_only),
		TEST(test_who_waits_is_served), TEST(test_full_with_clients_of_others) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

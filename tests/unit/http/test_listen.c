/* Where a server listens, changed while it runs. */
#include "app.h"
#include "bed.h"

static const struct server_ops no_ops;

/* Addresses come and go; those that stay, stay open; all or nothing. */
static void test_listen_only(void **state)
{
	(void)state;
	const struct sim_cfg sim = { .seed = 1 };
	const struct worker_cfg few = { .clients = 8, .servers = 1 };
	struct bed bed;
	struct app app;
	struct problem p = { "" };
	struct server_place at[3] = { { .mark = 0 }, { .mark = 7 } };
	struct raw r;
	bed_init(&bed, &sim, &few);
	app_init(&app, &bed.worker, (struct server_cfg){ 0 }, "10.0.0.1:80");
	raw_addr("10.0.0.1:80", &at[0].at);
	raw_addr("10.0.0.1:81", &at[1].at);
	raw_addr("10.0.0.1:82", &at[2].at);
	struct server *server = app.server;
	struct server *other = server_new(
		&bed.worker, &(struct server_cfg){ .ops = &no_ops });
	assert_true(server_listen(other, &at[2].at, &p));
	assert_false(server_listen_only(server, &at[1], 2, &p));
	assert_true(p.text[0]);
	assert_int_equal(addr_port(server_addr(server, 0)), 80);
	assert_null(server_addr(server, 1));
	assert_true(server_listen_only(server, at, 2, &p));
	assert_int_equal(addr_port(server_addr(server, 1)), 81);
	assert_true(server_listen_only(server, &at[1], 1, &p));
	assert_int_equal(addr_port(server_addr(server, 0)), 81);
	assert_null(server_addr(server, 1));
	raw_init(&r);
	raw_connect(&r, bed.far, &at[1].at);
	raw_say(&r, "GET /now HTTP/1.1\r\nHost: h\r\n\r\n");
	bed_run(&bed, 10 * NS_MS);
	assert_true(slice_starts(text_slice(&r.in), SLICE("HTTP/1.1 200 OK\r\n")));
	assert_int_equal(app.mark, 7);
	assert_int_equal(server_mark(server, 0), 7);
	raw_fini(&r);
	server_free(&other);
	app_fini(&app);
	bed_fini(&bed);
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_listen_only) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

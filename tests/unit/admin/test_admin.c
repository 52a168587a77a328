/* The admin, and clients that keep it waiting. */
#include "admin/admin.h"
#include "tests/sim/raw.h"
#include "tests/unit/base/unit.h"

#define CLIENTS 16 /* as many as it has room for */
#define SLOW_BODY "POST /set?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
#define GET "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

struct site {
	struct sim *sim;
	struct io_loop *near, *far;
	struct admin *admin;
	size_t bytes; /* of what it tells */
	struct raw clients[CLIENTS + 1];
};

static void status(void *ctx, struct json *j)
{
	const struct site *s = ctx;
	struct text t;
	text_init(&t);
	for (size_t i = 0; i < s->bytes; i++)
		text_add_char(&t, 'x');
	json_str(j, "told", text_slice(&t));
	text_fini(&t);
}

static void run(struct site *s, ns_t for_ns)
{
	(void)sim_run(s->sim, sim_now(s->sim) + for_ns);
}

static void site_init(struct site *s, size_t bytes)
{
	static const struct admin_ops ops = { .status = status };
	const struct sim_cfg plain = { .seed = 1 };
	struct problem why = { "" };
	struct addr at;
	*s = (struct site){ .sim = sim_new(&plain), .bytes = bytes };
	s->near = sim_host(s->sim, "10.0.0.1");
	s->far = sim_host(s->sim, "10.0.0.2");
	raw_addr("10.0.0.1:80", &at);
	s->admin = admin_new(s->near, &at, &ops, s, &why);
	assert_non_null(s->admin);
}

static void come(struct site *s, int nth, const char *says, bool deaf)
{
	struct raw *r = &s->clients[nth];
	raw_init(r);
	raw_connect(r, s->far, admin_addr(s->admin));
	raw_set_deaf(r, deaf);
	raw_say(r, says);
}

static void site_fini(struct site *s)
{
	for (int i = 0; i <= CLIENTS; i++)
		raw_fini(&s->clients[i]);
	run(s, NS_S);
	admin_free(&s->admin);
	sim_free(&s->sim);
}

/* All the room there is goes to clients that say so much at first, and a byte now and then. */
static void others_are_served_at_once(const char *says)
{
	struct site s;
	site_init(&s, 10);
	for (int i = 0; i < CLIENTS; i++)
		come(&s, i, says, false);
	for (int i = 0; i < 3; i++) {
		run(&s, NS_S);
		for (int k = 0; k < CLIENTS; k++)
			raw_say(&s.clients[k], *says ? "x" : "");
	}
	come(&s, CLIENTS, GET, false);
	run(&s, 100 * NS_MS);
	assert_true(s.clients[CLIENTS].in.len > 10);
	/* who comes first goes first, and he alone */
	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(s.clients[i].end, i ? ERR_AGAIN : ERR_EOF);
	site_fini(&s);
}

static void test_clients_that_are_slow(void **state)
{
	(void)state;
	others_are_served_at_once("GET / HTTP/1.1\r\nX: ");
	others_are_served_at_once(SLOW_BODY);
	others_are_served_at_once("");
}

/* Two come while all are kept open after an answer: each is served. */
static void test_clients_that_are_idle(void **state)
{
	(void)state;
	struct site s;
	site_init(&s, 10);
	for (int i = 0; i < CLIENTS - 1; i++) {
		come(&s, i, GET, false);
		run(&s, 100 * NS_MS);
	}
	come(&s, CLIENTS - 1, GET, false);
	come(&s, CLIENTS, GET, false);
	run(&s, 100 * NS_MS);
	for (int i = 0; i <= CLIENTS; i++)
		assert_true(s.clients[i].in.len > 10);
	assert_int_equal(s.clients[0].end, ERR_EOF);
	assert_int_equal(s.clients[1].end, ERR_AGAIN);
	site_fini(&s);
}

/* Who comes last is served all the same, before long. */
static void test_clients_that_do_not_read(void **state)
{
	(void)state;
	const size_t bytes = 1000000;
	struct site s;
	site_init(&s, bytes);
	for (int i = 0; i < CLIENTS; i++)
		come(&s, i, GET, true);
	run(&s, NS_S);
	come(&s, CLIENTS, GET, false);
	run(&s, NS_S);
	assert_int_equal(s.clients[CLIENTS].in.len, 0);
	run(&s, 20 * NS_S);
	assert_true(s.clients[CLIENTS].in.len > bytes);
	site_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_clients_that_are_slow),
		TEST(test_clients_that_are_idle),
		TEST(test_clients_that_do_not_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

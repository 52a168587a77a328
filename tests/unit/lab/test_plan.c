#include "tests/unit/base/unit.h"
#include "lab/library.h"
#include "lab/plan.h"

static const struct lab_tools tools = { "/bin/weir", "node", "/d/node.js", "/d/go",
	"/d/fasthttp", "/d/server.js", "/usr/sbin/nginx", "/usr/sbin/haproxy",
	"/d/python.py", "/d/cert.pem", "/d/key.pem" };

static struct lab_options plain_options(void)
{
	return (struct lab_options){ .run_for = NS_NEVER,
		.scale = 1,
		.out = "report",
		.act = "all",
		.repeat = UINT64_MAX,
		.parallel = UINT64_MAX };
}

/* What a shell would be given. */
static void check_line(const struct args *a, const char *expected)
{
	struct text t;
	text_init(&t);
	text_add_args(&t, a);
	assert_string_equal(t.ptr ? t.ptr : "", expected);
	text_fini(&t);
}

struct made {
	struct lab_scenario *scenario;
	struct lab_plan plan;
	const struct lab_case *c;
};

static const struct lab_case *case_named(const struct lab_act *act, const char *label)
{
	for (uint32_t i = 0; i < act->n; i++) {
		if (!strcmp(act->cases[i].label, label))
			return &act->cases[i];
	}
	fail_msg("no case %s", label);
	return NULL;
}

static struct made make_of(const struct lab_source *source, uint32_t act,
	const char *label, const struct lab_options *o)
{
	struct made m;
	struct text wrong;
	text_init(&wrong);
	m.scenario = scenario_read(source, o, &wrong);
	if (!m.scenario)
		fail_msg("%s", wrong.ptr);
	m.c = case_named(&m.scenario->acts[act], label);
	lab_plan_init(&m.plan, &(struct lab_plan_of){ m.c, &tools, "/d/1", 7 });
	text_fini(&wrong);
	return m;
}

static struct made make(uint32_t act, const char *label, const struct lab_options *o)
{
	struct library_item item;
	assert_true(library_find(&item, "incident", NULL));
	return make_of(&item.source, act, label, o);
}

static struct made make_text(const char *text, const char *label)
{
	struct lab_options o = plain_options();
	return make_of(&(struct lab_source){ "t", NULL, text }, 0, label, &o);
}

static void made_fini(struct made *m)
{
	lab_plan_fini(&m->plan);
	scenario_free(&m->scenario);
}

static void test_naive_is_the_incident(void **state)
{
	struct lab_options o = plain_options();
	(void)state;
	struct made m = make(0, "naive", &o);
	check_line(&m.plan.server, "/bin/weir origin --listen 0.0.0.0:8080 --admin "
				   "unix:/d/1/server.sock --limit 1000 --latency "
				   "'uniform(3s, 5s)' --seed 7");
	check_line(&m.plan.middle,
		"/bin/weir proxy --listen 10.77.1.1:9090 --upstream http://10.77.2.2:8080 "
		"--upstream http://10.77.2.3:8080 --admin unix:/d/1/middleware.sock "
		"--gather 3 --connections pretend --timeout none --limit none --queue-for "
		"none");
	check_line(&m.plan.client,
		"/bin/weir load --schedule /d/1/arrivals --connections "
		"pretend --patience 6s --wait-for 7s --json --quiet "
		"http://10.77.1.1:9090/");
	check_line(&m.plan.middle_env, "");
	made_fini(&m);
}

static void test_scale_keeps_limits_in_step(void **state)
{
	struct lab_options o = plain_options();
	(void)state;
	o.scale = 0.1;
	struct made m = make(0, "weir", &o);
	assert_int_equal(m.c->server.limit, 100);
	check_line(&m.plan.middle,
		"/bin/weir proxy --listen 10.77.1.1:9090 --upstream http://10.77.2.2:8080 "
		"--upstream http://10.77.2.3:8080 --admin unix:/d/1/middleware.sock "
		"--gather 3 --limit 100 --timeout 6s --queue-for 800ms");
	made_fini(&m);
	o.scale = 0.001; /* never none at all */
	m = make(1, "pool-50", &o);
	assert_string_equal(pairs_find(&m.c->options, "limit")->value, "1");
	assert_int_equal(m.c->server.limit, 1);
	made_fini(&m);
}

static void test_rate_and_time_are_the_users(void **state)
{
	struct lab_options o = plain_options();
	(void)state;
	o.rate = 50;
	o.run_for = 3 * NS_S;
	o.scale = 0.5;
	struct made m = make(0, "weir", &o);
	assert_true(m.c->callers.rate == 25);
	assert_true(m.c->callers.run_for == 3 * NS_S);
	assert_int_equal(m.c->server.limit, 500);
	made_fini(&m);
}

static void test_other_programs_are_told_by_environment(void **state)
{
	struct lab_options o = plain_options();
	(void)state;
	struct made m = make(0, "node", &o);
	check_line(&m.plan.middle, "node /d/node.js");
	check_line(&m.plan.middle_env,
		"WEIR=/bin/weir LISTEN=10.77.1.1:9090 WEIR_LISTEN_HOST=10.77.1.1 WEIR_LISTEN_PORT=9090 "
		"PORT=9090 UPSTREAM=http://10.77.2.2:8080 "
		"WEIR_UPSTREAM=http://10.77.2.2:8080 "
		"WEIR_UPSTREAMS=http://10.77.2.2:8080,http://10.77.2.3:8080 WEIR_GATHER=3 "
		"WEIR_ADMIN=/d/1/middleware.sock");
	made_fini(&m);
	m = make(1, "node-50", &o);
	const struct args *env = &m.plan.middle_env;
	assert_string_equal(env->v[env->n - 1], "POOL=50");
	made_fini(&m);
}

static void test_fasthttp_takes_the_origins_options(void **state)
{
	struct lab_options o = plain_options();
	(void)state;
	o.origin = LAB_ORIGIN_FASTHTTP;
	struct made m = make(1, "weir", &o);
	check_line(&m.plan.server, "/d/fasthttp --listen 0.0.0.0:8080 --admin "
				   "unix:/d/1/server.sock --limit 100 --latency "
				   "'mix(95%: 50ms, 5%: 3s)' --seed 7");
	made_fini(&m);
}

static void test_the_users_program_stands_beside_the_first(void **state)
{
	struct lab_options o = plain_options();
	(void)state;
	o.middleware = "node app.js";
	struct made m = make(0, "yours", &o);
	assert_string_equal(m.scenario->acts[0].cases[0].name, "naive");
	assert_string_equal(m.scenario->acts[0].cases[1].name, "yours");
	check_line(&m.plan.middle, "sh -c 'node app.js'");
	made_fini(&m);
}

/* Peers: each manner as one who knows it would write it. */
static void check_file(const struct made *m, const char *name, const char *const *lines)
{
	assert_int_equal(m->plan.n_files, 1);
	assert_string_equal(m->plan.files[0].name, name);
	assert_null(strstr(m->plan.files[0].text, "@;"));
	for (; *lines; lines++) {
		if (!strstr(m->plan.files[0].text, *lines))
			fail_msg("no '%s' in\n%s", *lines, m->plan.files[0].text);
	}
}

#define PEERS \
	"callers: { rate: 1/s }\nserver: { limit: 50, addresses: 2 }\nvariants:\n" \
	"  n: { nginx: { deadline: 500ms, slots: $limit } }\n" \
	"  nh: { nginx: { manner: held, deadline: 500ms, slots: 50 } }\n" \
	"  h: { haproxy: { deadline: 500ms, slots: 50 } }\n" \
	"  hh: { haproxy: { manner: held, deadline: 500ms, hold-for: 20s } }\n"

static void test_nginx_in_both_manners(void **state)
{
	(void)state;
	struct made m = make_text(PEERS, "n");
	check_file(&m, "nginx.conf",
		(const char *const[]){ "listen 10.77.1.1:9090 ",
			"server 10.77.2.2:8080 max_conns=25 ",
			"server 10.77.2.3:8080 max_conns=25 ",
			"proxy_read_timeout 500ms;", "proxy_connect_timeout 400ms;",
			"proxy_ignore_client_abort off;", NULL });
	check_line(&m.plan.middle, "/usr/sbin/nginx -p /d/1 -c /d/1/nginx.conf");
	for (uint32_t i = 0; i < m.plan.client.n; i++)
		assert_string_not_equal(m.plan.client.v[i], "--timeout");
	made_fini(&m);
	m = make_text(PEERS, "nh");
	check_file(&m, "nginx.conf",
		(const char *const[]){ "proxy_read_timeout 30000ms;",
			"proxy_ignore_client_abort on;", NULL });
	check_line(&m.plan.client,
		"/bin/weir load --schedule /d/1/arrivals --timeout 500ms "
		"--json --quiet http://10.77.1.1:9090/");
	made_fini(&m);
}

static void test_haproxy_in_both_manners(void **state)
{
	(void)state;
	struct made m = make_text(PEERS, "h");
	check_file(&m, "haproxy.conf",
		(const char *const[]){ "bind 10.77.1.1:9090 ",
			"server s1 10.77.2.2:8080 maxconn 25 ", "timeout server 500ms",
			"timeout queue 400ms", NULL });
	check_line(&m.plan.middle, "/usr/sbin/haproxy -db -f /d/1/haproxy.conf");
	made_fini(&m);
	m = make_text(PEERS, "hh");
	check_file(&m, "haproxy.conf",
		(const char *const[]){ "timeout server 20000ms", "timeout queue 400ms",
			"server s1 10.77.2.2:8080 pool-purge-delay", NULL });
	made_fini(&m);
}

static void test_peers_that_keep_no_connection(void **state)
{
	const char *text = "callers: { rate: 1/s }\nvariants:\n"
			   "  n: { nginx: { connections: close } }\n"
			   "  h: { haproxy: { connections: close } }\n";
	(void)state;
	struct made m = make_text(text, "n");
	check_file(&m, "nginx.conf",
		(const char *const[]){ "proxy_http_version 1.0;",
			"proxy_set_header Connection \"close\";", NULL });
	made_fini(&m);
	m = make_text(text, "h");
	check_file(&m, "haproxy.conf",
		(const char *const[]){ "option http-server-close ", NULL });
	made_fini(&m);
}

static void test_a_server_that_speaks_tls(void **state)
{
	const char
		*text = "callers: { rate: 1/s }\nserver: { tls: [no, yes] }\nvariants:\n"
			"  w: { weir: {} }\n  p: { program: python }\n";
	(void)state;
	struct made m = make_text(text, "w tls=yes");
	check_line(&m.plan.server,
		"/bin/weir origin --listen 0.0.0.0:8080 --admin unix:/d/1/server.sock "
		"--seed 7 --cert /d/cert.pem --key /d/key.pem");
	check_line(&m.plan.middle,
		"/bin/weir proxy --listen 10.77.1.1:9090 --upstream https://10.77.2.2:8080 "
		"--upstream-ca /d/cert.pem --admin unix:/d/1/middleware.sock --gather 1");
	made_fini(&m);
	m = make_text(text, "p tls=yes");
	check_line(&m.plan.middle, "python3 /d/python.py");
	check_line(&m.plan.middle_env,
		"WEIR=/bin/weir LISTEN=10.77.1.1:9090 WEIR_LISTEN_HOST=10.77.1.1 "
		"WEIR_LISTEN_PORT=9090 PORT=9090 UPSTREAM=https://10.77.2.2:8080 "
		"WEIR_UPSTREAM=https://10.77.2.2:8080 "
		"WEIR_UPSTREAMS=https://10.77.2.2:8080 WEIR_GATHER=1 "
		"WEIR_ADMIN=/d/1/middleware.sock WEIR_CA=/d/cert.pem "
		"SSL_CERT_FILE=/d/cert.pem NODE_EXTRA_CA_CERTS=/d/cert.pem "
		"CURL_CA_BUNDLE=/d/cert.pem");
	made_fini(&m);
	m = make_text(text, "p tls=no");
	assert_null(strstr(m.plan.middle_env.v[5], "https"));
	made_fini(&m);
}

static void test_arrivals(void **state)
{
	struct lab_callers c = { .rate = 2,
		.run_for = 3 * NS_S,
		.phases = { { 2 * NS_S, 4 } },
		.n_phases = 1 };
	struct text t, again;
	(void)state;
	text_init(&t);
	text_init(&again);
	text_add_arrivals(&t, &c, 1);
	assert_string_equal(t.ptr, "0.000000ms\n500.000000ms\n1000.000000ms\n"
				   "1500.000000ms\n2000.000000ms\n2250.000000ms\n"
				   "2500.000000ms\n2750.000000ms\n");
	/* Poisson: the seed alone decides. */
	c.poisson = true;
	c.rate = 100;
	text_reset(&t);
	text_add_arrivals(&t, &c, 5);
	text_add_arrivals(&again, &c, 5);
	assert_string_equal(t.ptr, again.ptr);
	text_reset(&again);
	text_add_arrivals(&again, &c, 6);
	assert_string_not_equal(t.ptr, again.ptr);
	text_fini(&t);
	text_fini(&again);
}

static void test_files_cover_what_can_be_open(void **state)
{
	struct lab_options o = plain_options();
	(void)state;
	struct made m = make(0, "naive", &o);
	/* 160 requests/s, held for 13 s, each with 3 calls, and every slot of the server. */
	assert_true(lab_plan_files(m.c) >= 160 * 13 * 4 + 1000);
	assert_true(lab_plan_files(m.c) < 20000);
	made_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_naive_is_the_incident),
		TEST(test_scale_keeps_limits_in_step),
		TEST(test_rate_and_time_are_the_users),
		TEST(test_other_programs_are_told_by_environment),
		TEST(test_fasthttp_takes_the_origins_options),
		TEST(test_the_users_program_stands_beside_the_first),
		TEST(test_nginx_in_both_manners),
		TEST(test_haproxy_in_both_manners),
		TEST(test_peers_that_keep_no_connection),
		TEST(test_a_server_that_speaks_tls),
		TEST(test_arrivals),
		TEST(test_files_cover_what_can_be_open),
	};
	return cmocka_run_group_tests_name("lab/plan", tests, NULL, NULL);
}

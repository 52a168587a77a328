#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lab/plan.h"

static const struct lab_tools tools = { "/bin/weir", "node", "/d/node.js", "/d/go",
	"/d/fasthttp" };

static struct lab_options plain_options(void)
{
	return (struct lab_options){ .run_for = NS_NEVER, .scale = 1, .out = "report" };
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

static const struct lab_variant *variant_named(
	const struct lab_act *act, const char *name)
{
	for (size_t i = 0; i < act->n_variants; i++) {
		if (!strcmp(act->variants[i].name, name))
			return &act->variants[i];
	}
	fail_msg("no variant %s", name);
	return NULL;
}

static void make(
	struct lab_plan *plan, size_t act, const char *name, const struct lab_options *o)
{
	const struct lab_act *a = &scenario_find("incident")->acts[act];
	lab_plan_init(plan,
		&(struct lab_plan_of){ a, variant_named(a, name), o, &tools, "/d/1" });
}

static void test_naive_is_the_incident(void **state)
{
	struct lab_options o = plain_options();
	struct lab_plan plan;
	(void)state;
	make(&plan, 0, "naive", &o);
	check_line(&plan.server, "/bin/weir origin --listen 0.0.0.0:8080 --admin "
				 "unix:/d/1/server.sock --limit 1000 --latency "
				 "'uniform(3s, 5s)'");
	check_line(&plan.middle,
		"/bin/weir proxy --listen 10.77.1.1:9090 --upstream http://10.77.2.2:8080 "
		"--upstream http://10.77.2.3:8080 --admin unix:/d/1/middleware.sock "
		"--gather 3 --connections pretend --timeout none --limit none --queue-for "
		"none");
	check_line(&plan.client, "/bin/weir load --rate 160/s --for 66000ms --patience "
				 "6000ms --wait-for 7000ms --connections pretend --json "
				 "--quiet http://10.77.1.1:9090/");
	check_line(&plan.middle_env, "");
	lab_plan_fini(&plan);
}

static void test_scale_keeps_limits_in_step(void **state)
{
	struct lab_options o = plain_options();
	struct lab_plan plan;
	(void)state;
	o.scale = 0.1;
	make(&plan, 0, "weir", &o);
	assert_int_equal(plan.set.limit, 100);
	check_line(&plan.middle,
		"/bin/weir proxy --listen 10.77.1.1:9090 --upstream http://10.77.2.2:8080 "
		"--upstream http://10.77.2.3:8080 --admin unix:/d/1/middleware.sock "
		"--gather 3 --limit 100 --timeout 6s --queue-for 800ms");
	lab_plan_fini(&plan);
	o.scale = 0.001; /* never none at all */
	make(&plan, 1, "pool-50", &o);
	assert_int_equal(plan.set.pool, 1);
	assert_int_equal(plan.set.limit, 1);
	lab_plan_fini(&plan);
}

static void test_rate_and_time_are_the_users(void **state)
{
	struct lab_options o = plain_options();
	struct lab_setting set;
	(void)state;
	o.rate = 50;
	o.run_for = 3 * NS_S;
	o.scale = 0.5;
	set = lab_setting_of(&scenario_find("incident")->acts[0], &o);
	assert_true(set.rate == 25);
	assert_true(set.run_for == 3 * NS_S);
	assert_int_equal(set.limit, 500);
}

static void test_other_programs_are_told_by_environment(void **state)
{
	struct lab_options o = plain_options();
	struct lab_plan plan;
	(void)state;
	make(&plan, 0, "node", &o);
	check_line(&plan.middle, "node /d/node.js");
	check_line(&plan.middle_env,
		"WEIR_LISTEN_HOST=10.77.1.1 WEIR_LISTEN_PORT=9090 PORT=9090 "
		"WEIR_UPSTREAM=http://10.77.2.2:8080 "
		"WEIR_UPSTREAMS=http://10.77.2.2:8080,http://10.77.2.3:8080 WEIR_GATHER=3");
	lab_plan_fini(&plan);
	make(&plan, 1, "node-50", &o);
	assert_string_equal(plan.middle_env.v[plan.middle_env.n - 1], "POOL=50");
	assert_string_equal(plan.middle_env.v[4], "WEIR_UPSTREAMS=http://10.77.2.2:8080");
	lab_plan_fini(&plan);
}

static void test_fasthttp_takes_the_origins_options(void **state)
{
	struct lab_options o = plain_options();
	struct lab_plan plan;
	(void)state;
	o.origin = LAB_ORIGIN_FASTHTTP;
	make(&plan, 1, "weir", &o);
	check_line(&plan.server, "/d/fasthttp --listen 0.0.0.0:8080 --admin "
				 "unix:/d/1/server.sock --limit 100 --latency "
				 "'mix(95%: 50ms, 5%: 3s)'");
	lab_plan_fini(&plan);
}

static void test_the_users_program_stands_beside_the_first(void **state)
{
	const struct lab_scenario *s = scenario_find("incident");
	struct lab_options o = plain_options();
	struct lab_cast cast;
	struct problem p = { "" };
	(void)state;
	o.middleware = "node app.js";
	assert_true(lab_cast_init(&cast, s, &s->acts[0], &o, &p));
	assert_int_equal(cast.n, s->acts[0].n_variants + 1);
	assert_string_equal(cast.v[0].name, "naive");
	assert_string_equal(cast.v[1].name, "yours");
	struct lab_plan plan;
	lab_plan_init(&plan,
		&(struct lab_plan_of){ &s->acts[0], &cast.v[1], &o, &tools, "/d/1" });
	check_line(&plan.middle, "sh -c 'node app.js'");
	lab_plan_fini(&plan);
}

static void test_only(void **state)
{
	const struct lab_scenario *s = scenario_find("incident");
	struct lab_options o = plain_options();
	struct lab_cast cast;
	struct problem p = { "" };
	(void)state;
	o.only = "weir, pool-50";
	assert_true(lab_cast_init(&cast, s, &s->acts[0], &o, &p));
	assert_int_equal(cast.n, 1);
	assert_string_equal(cast.v[0].name, "weir");
	assert_true(lab_cast_init(&cast, s, &s->acts[1], &o, &p));
	assert_int_equal(cast.n, 2);
	o.only = "niave";
	assert_false(lab_cast_init(&cast, s, &s->acts[0], &o, &p));
	assert_non_null(strstr(p.text, "'niave'"));
	assert_non_null(strstr(p.text, "did you mean 'naive'"));
	p.text[0] = '\0';
	o.only = "yours"; /* there is none without --middleware */
	assert_false(lab_cast_init(&cast, s, &s->acts[0], &o, &p));
}

static void test_files_cover_what_can_be_open(void **state)
{
	struct lab_options o = plain_options();
	struct lab_setting set = lab_setting_of(&scenario_find("incident")->acts[0], &o);
	(void)state;
	/* 160 requests/s, held for 13 s, each with 3 calls, and every slot of the server. */
	assert_true(lab_plan_files(&set) >= 160 * 13 * 4 + 1000);
	assert_true(lab_plan_files(&set) < 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_naive_is_the_incident),
		cmocka_unit_test(test_scale_keeps_limits_in_step),
		cmocka_unit_test(test_rate_and_time_are_the_users),
		cmocka_unit_test(test_other_programs_are_told_by_environment),
		cmocka_unit_test(test_fasthttp_takes_the_origins_options),
		cmocka_unit_test(test_the_users_program_stands_beside_the_first),
		cmocka_unit_test(test_only),
		cmocka_unit_test(test_files_cover_what_can_be_open),
	};
	return cmocka_run_group_tests_name("lab/plan", tests, NULL, NULL);
}

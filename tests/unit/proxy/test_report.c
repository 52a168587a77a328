/* What is told of a report: the last line, the summary for people, the metrics. */
#include "proxy/crew.h"
#include "tests/unit/proxy/scene.h"

#define MANY 123456789012ull

/* A crew of one hand that has nothing but a clock: what is told is the report's alone. */
struct bed {
	struct sim *sim;
	struct hand hand;
	struct crew crew;
	struct report *report;
	struct text said;
};

static void bed_on(struct bed *b, struct io_loop *loop)
{
	*b = (struct bed){ .hand.proxy.worker.loop = loop };
	b->crew = (struct crew){ .hands = &b->hand,
		.count = 1,
		.ports = ports_new(&(struct ports_cfg){ .range = 0 }) };
	b->report = report_new();
	text_init(&b->said);
}

static void bed_init(struct bed *b)
{
	struct sim *sim = sim_new(&(struct sim_cfg){ .seed = 1 });
	bed_on(b, sim_host(sim, "10.0.0.1"));
	b->sim = sim;
}

static void bed_fini(struct bed *b)
{
	report_free(&b->report);
	ports_free(&b->crew.ports);
	text_fini(&b->said);
	if (b->sim)
		sim_free(&b->sim);
}

static struct report_target *add_target(struct bed *b, const char *name, const char *key)
{
	struct report_target *t = mem_zalloc(sizeof(*t));
	t->name = mem_strdup(name);
	t->key = mem_strdup(key);
	t->gauges.limit = UINT64_MAX;
	t->in_force = true;
	list_push_back(&b->report->targets, &t->node);
	map_put(&b->report->targets_by_key, &t->by_key, t->key);
	return t;
}

static void add_endpoint(
	struct report_target *t, const char *at, uint32_t conns, enum health_state state)
{
	struct report_endpoint *e = &t->endpoints[t->endpoint_count++];
	snprintf(e->at, sizeof(e->at), "%s", at);
	e->conns = conns;
	e->state = state;
}

static const char *summary(struct bed *b)
{
	text_reset(&b->said);
	summary_write(&b->said, &b->crew, b->report);
	return b->said.ptr;
}

static const char *metrics(struct bed *b)
{
	text_reset(&b->said);
	metrics_write(&b->said, &b->crew, b->report);
	return b->said.ptr;
}

static uint32_t count_of(const char *text, const char *what)
{
	uint32_t n = 0;
	for (const char *at = text; (at = strstr(at, what)); at++)
		n++;
	return n;
}

static void has(const char *text, const char *what)
{
	if (!strstr(text, what))
		fail_msg("no \"%s\"", what);
}

/* --- the last line --- */

static void test_refused_heads_are_requests(void **state)
{
	(void)state;
	struct scene s;
	struct raw a, b;
	struct report *one = report_new(), *sum = report_new();
	struct text t;
	scene_init(&s, NULL, NULL);
	scene_client(&s, &a, "GET / HTTP/1.1\r\n\r\n");
	scene_client(&s, &b, "what is this\r\n\r\n");
	scene_run(&s, 50 * NS_MS);
	report_fill(one, &s.proxy);
	report_add(sum, one);
	text_init(&t);
	report_last(sum, &t);
	assert_memory_equal(t.ptr, "2 requests, 2 without the server's whole answer", 47);
	text_fini(&t);
	report_free(&one);
	report_free(&sum);
	raw_fini(&a);
	raw_fini(&b);
	scene_fini(&s);
}

/* --- the summary --- */

static void test_lines_are_short(void **state)
{
	(void)state;
	struct bed b;
	bed_init(&b);
	struct report_target *t = add_target(&b, "api", "k");
	struct gauges *g = &t->gauges;
	for (int i = 0; i < SLOT_STATES; i++)
		g->in[i] = 1000000;
	g->used = g->peak = g->waiting = g->waiting_peak = 7000000;
	g->stats.admitted = g->stats.retried = g->stats.refused = MANY;
	g->stats.failed = g->stats.abandoned = g->stats.connects_failed = MANY;
	t->callers_paused = 1000000;
	b.report->exchanges_now = 1000000;
	b.report->exchanges_total = MANY * 1000;
	for (const char *line = summary(&b); *line; line += strcspn(line, "\n") + 1)
		if (strcspn(line, "\n") >= 80)
			fail_msg("too long: %s", line);
	has(b.said.ptr, "\n  taken      7,000,000: 1,000,000 connecting, ");
	has(b.said.ptr, "\n  calls      123,456,789,012 let through, ");
	bed_fini(&b);
}

static bool is_found_out(const char *limit)
{
	struct scene s;
	struct report *r = report_new();
	scene_init(&s, NULL, OPTIONS(limit));
	report_fill(r, &s.proxy);
	bool is = false;
	LIST_EACH (&r->targets, n, after)
		is |= CONTAINER_OF(n, struct report_target, node)->found_out;
	report_free(&r);
	scene_fini(&s);
	return is;
}

static void test_limits_that_are_found_out(void **state)
{
	(void)state;
	assert_true(is_found_out("--limit=auto"));
	assert_false(is_found_out("--limit=5"));
}

/* A host that lives on another thread alone: this one has no tuner of it. */
static void test_what_another_hand_finds_out(void **state)
{
	(void)state;
	struct bed b;
	bed_init(&b);
	struct report_target *t = add_target(&b, "http://api.test", "k");
	t->in_force = false;
	t->on_demand = t->found_out = true;
	t->gauges.limit = 3;
	t->gauges.stats.refused = 4;
	b.report->reasons[ERR_QUEUE_FULL] = 1;
	(void)summary(&b);
	assert_int_equal(count_of(b.said.ptr, "refused calls within"), 0);
	assert_int_equal(count_of(b.said.ptr, "limit, or let it be found out"), 0);
	assert_int_equal(count_of(b.said.ptr, "raise limit"), 0);
	/* one that is given, and refused above: */
	t->found_out = false;
	has(summary(&b), "upstream http://api.test: the server has refused calls within");
	has(b.said.ptr, "\n  to do      lower limit, or");
	t->retired = true; /* nobody can do anything about it */
	assert_int_equal(count_of(summary(&b), "lower limit"), 0);
	bed_fini(&b);
}

static void test_so_far_are_refused_heads_too(void **state)
{
	(void)state;
	struct bed b;
	bed_init(&b);
	b.report->exchanges_total = 3;
	b.report->heads_refused = b.report->reasons[ERR_REQ_SYNTAX] = 2;
	has(summary(&b), "0 requests under way, 5 so far");
	bed_fini(&b);
}

/* --- the metrics --- */

/* An endpoint is an address and a host; its label is the address. */
static void test_two_hosts_at_one_address(void **state)
{
	(void)state;
	struct bed b;
	bed_init(&b);
	struct report_target *t = add_target(&b, "api", "k");
	add_endpoint(t, "10.0.0.2:80", 3, HEALTH_OUT);
	add_endpoint(t, "10.0.0.3:80", 1, HEALTH_OUT);
	add_endpoint(t, "10.0.0.2:80", 4, HEALTH_IN);
	(void)metrics(&b);
#define AT(family, host) \
	"\nweir_upstream_endpoint_" family "{upstream=\"api\",endpoint=\"10.0.0." host \
	":80\"} "
	has(b.said.ptr, AT("connections", "2") "7\n");
	has(b.said.ptr, AT("connections", "3") "1\n");
	has(b.said.ptr, AT("in", "2") "1\n");
	has(b.said.ptr, AT("in", "3") "0\n");
	assert_int_equal(count_of(b.said.ptr, "10.0.0.2:80"), 2);
	bed_fini(&b);
}

/* Of two threads each is added to its own. */
static void test_two_hosts_at_one_address_on_threads(void **state)
{
	(void)state;
	struct bed b;
	bed_init(&b);
	struct report *sum = report_new();
	struct report_target *t = add_target(&b, "api", "k");
	add_endpoint(t, "10.0.0.2:80", 3, HEALTH_IN);
	add_endpoint(t, "10.0.0.2:80", 4, HEALTH_IN);
	report_add(sum, b.report);
	report_add(sum, b.report);
	assert_int_equal(sum->targets.len, 1);
	LIST_EACH (&sum->targets, n, after) {
		t = CONTAINER_OF(n, struct report_target, node);
		assert_int_equal(t->endpoint_count, 2);
		assert_int_equal(t->endpoints[0].conns, 6);
		assert_int_equal(t->endpoints[1].conns, 8);
	}
	report_free(&sum);
	bed_fini(&b);
}

/* An exchange holds the plan before, and what is in force was there before that. */
static void test_two_live_ones_of_a_name(void **state)
{
	(void)state;
	struct bed b;
	bed_init(&b);
	struct report_target *now = add_target(&b, "api", "k2");
	struct report_target *before = add_target(&b, "api", "k1");
	before->in_force = false;
	before->gauges.limit = 5;
	now->gauges.limit = 6;
	before->gauges.stats.admitted = 10;
	now->gauges.stats.admitted = 1;
	add_endpoint(before, "10.0.0.2:80", 3, HEALTH_IN);
	add_endpoint(now, "10.0.0.2:80", 1, HEALTH_IN);
	has(metrics(&b), "\nweir_upstream_limit{upstream=\"api\"} 6\n");
	has(b.said.ptr, AT("connections", "2") "1\n");
	has(b.said.ptr, "\nweir_upstream_calls_admitted_total{upstream=\"api\"} 11\n");
	assert_int_equal(count_of(b.said.ptr, "10.0.0.2:80"), 2);
	bed_fini(&b);
}

static void check_in_force(struct report *sum)
{
	struct gauges all;
	struct bed b;
	bed_init(&b);
	report_free(&b.report);
	b.report = sum;
	has(metrics(&b), "\nweir_upstream_limit{upstream=\"api\"} 6\n");
	has(b.said.ptr, "\nweir_upstream_callers_paused{upstream=\"api\"} 2\n");
	has(b.said.ptr, AT("connections", "3") "2\n");
	assert_int_equal(count_of(b.said.ptr, "10.0.0.2:80"), 0);
	report_sum(sum, &all);
	assert_int_equal(all.limit, 6);
	bed_fini(&b);
}

/* A call on one thread holds the plan before; on the other that one is gone. */
static void test_what_is_in_force_on_threads(void **state)
{
	(void)state;
	struct bed one, two;
	struct report *sum = report_new(), *reversed = report_new();
	bed_init(&one);
	bed_init(&two);
	struct report_target *before = add_target(&two, "api", "k1");
	struct report_target *now[] = { add_target(&one, "api", "k2"),
		add_target(&two, "api", "k2") };
	before->in_force = false;
	before->gauges.limit = 5;
	before->callers_paused = 7;
	add_endpoint(before, "10.0.0.2:80", 1, HEALTH_IN);
	for (size_t i = 0; i < ARRAY_LEN(now); i++) {
		now[i]->gauges.limit = 6;
		now[i]->callers_paused = 2;
		add_endpoint(now[i], "10.0.0.3:80", 1, HEALTH_IN);
	}
	report_add(sum, one.report);
	report_add(sum, two.report);
	check_in_force(sum);
	report_add(reversed, two.report);
	report_add(reversed, one.report);
	check_in_force(reversed);
	bed_fini(&one);
	bed_fini(&two);
}

static void test_callers_paused_of_hosts(void **state)
{
	(void)state;
	struct bed b;
	bed_init(&b);
	for (uint32_t i = 1; i <= 3; i++) {
		struct report_target *t = add_target(&b, "http://api.test",
			i == 1   ? "a"
			: i == 2 ? "b"
				 : "c");
		t->in_force = false;
		t->on_demand = true;
		t->callers_paused = i;
	}
	has(metrics(&b), "\nweir_upstream_callers_paused{upstream=\"*\"} 6\n");
	bed_fini(&b);
}

static void check_hosts(struct scene *s, const char *calls)
{
	struct bed b;
	struct report *one = report_new();
	bed_on(&b, s->near);
	report_fill(one, &s->proxy);
	report_add(b.report, one);
	has(metrics(&b), calls);
	assert_int_equal(count_of(b.said.ptr,
				 "weir_upstream_calls_admitted_total{upstream=\"*\"}"),
		1);
	report_free(&one);
	bed_fini(&b);
}

/* Two hosts are asked, are forgotten, and one is asked again. */
static void test_counts_of_hosts_do_not_fall(void **state)
{
#define ASK(host) "GET http://" host "/ok HTTP/1.1\r\nHost: x\r\n\r\n"
#define ADMITTED "\nweir_upstream_calls_admitted_total{upstream=\"*\"} "
	(void)state;
	struct scene s;
	struct raw r;
	scene_init_whole(
		&s, OPTIONS("--forward-listen=10.0.0.1:8080", "--forward-allow=10.0.0.2",
			    "--idle-for=1s", "--client-idle-for=10m"));
	sim_dns_set(s.sim, "a.test", "10.0.0.2", 10 * NS_S);
	sim_dns_set(s.sim, "b.test", "10.0.0.2", 10 * NS_S);
	scene_client(&s, &r, ASK("a.test") ASK("b.test") ASK("b.test"));
	scene_run(&s, NS_S);
	check_hosts(&s, ADMITTED "3\n");
	scene_run(&s, 120 * NS_S);
	assert_int_equal(s.proxy.targets.len + s.proxy.retired.len, 0);
	check_hosts(&s, ADMITTED "3\n");
	check_hosts(&s, "\nweir_upstream_connections{upstream=\"*\"} 0\n");
	raw_say(&r, ASK("a.test"));
	scene_run(&s, NS_S);
	check_hosts(&s, ADMITTED "4\n");
	raw_fini(&r);
	scene_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_refused_heads_are_requests),
		TEST(test_lines_are_short),
		TEST(test_limits_that_are_found_out),
		TEST(test_what_another_hand_finds_out),
		TEST(test_so_far_are_refused_heads_too),
		TEST(test_two_hosts_at_one_address),
		TEST(test_two_hosts_at_one_address_on_threads),
		TEST(test_two_live_ones_of_a_name),
		TEST(test_what_is_in_force_on_threads),
		TEST(test_callers_paused_of_hosts),
		TEST(test_counts_of_hosts_do_not_fall),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/unit/base/unit.h"

#include <jansson.h>

#include "load/report.h"

static struct load_asked usual(void)
{
	return (struct load_asked){
		.url = "http://127.0.0.1:9000/",
		.rate = 100,
		.run_for = 10 * NS_S,
		.patience = 6 * NS_S,
		.timeout = NS_NEVER,
		.interval = NS_S,
		.arrivals = "constant",
		.connections = "pool",
		.pool = UINT64_MAX,
		.idle = UINT64_MAX,
		.idle_for = NS_NEVER,
	};
}

struct scene {
	struct load_result result;
	struct tally *tally;
	struct text out;
};

static int setup(void **state)
{
	struct scene *s = mem_zalloc(sizeof(*s));
	s->tally = tally_new(0, &(struct tally_cfg){ 6 * NS_S, NS_S, 0 });
	s->result = (struct load_result){ .asked = usual(),
		.tally = s->tally,
		.started_at_ms = 1700000000123,
		.runs = 1,
		.ran_for = 10 * NS_S,
		.opened = 3,
		.reused = 7 };
	text_init(&s->out);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;
	tally_free(&s->tally);
	text_fini(&s->out);
	mem_free(s);
	return 0;
}

/* One request, `lateness` late, answered `latency` after it was meant to start. */
static void one(
	struct scene *s, ns_t lateness, uint16_t status, ns_t latency, struct slice body)
{
	struct tally_times times = { 0, lateness, lateness };
	tally_start(s->tally, &times);
	if (status)
		tally_answer(s->tally, &times, status, body, latency);
	else
		tally_failure(s->tally, &times, ERR_RESET, 0, body, latency);
}

static void assert_says(struct scene *s, const char *words)
{
	load_report_text(&s->out, &s->result);
	if (!strstr(s->out.ptr, words))
		fail_msg("no \"%s\" in:\n%s", words, s->out.ptr);
	text_reset(&s->out);
}

static void assert_silent(struct scene *s, const char *words)
{
	load_report_text(&s->out, &s->result);
	if (strstr(s->out.ptr, words))
		fail_msg("\"%s\" in:\n%s", words, s->out.ptr);
	text_reset(&s->out);
}

static void test_counts_and_units(void **state)
{
	struct scene *s = *state;
	for (int i = 0; i < 1200; i++)
		one(s, 0, 200, 52 * NS_MS, SLICE_NONE);
	one(s, 0, 200, 7 * NS_S, SLICE_NONE);
	tally_finish(s->tally, 10 * NS_S);
	assert_says(s, "1,201");
	assert_says(s, "120/s");
	assert_says(s, "answered after 6 s");
	assert_says(s, " ms");
	assert_says(s, "opened 3");
	assert_silent(s, "NOT VALID");
	assert_silent(s, "unanswered");
}

/* Steps and ramps: a row for each step of the time line, as it went. */
static void test_a_changing_rate_is_told_step_by_step(void **state)
{
	struct scene *s = *state;
	one(s, 0, 200, 52 * NS_MS, SLICE_NONE);
	one(s, 0, 0, NS_MS, SLICE_NONE);
	s->result.ran_for = 2500 * NS_MS;
	tally_finish(s->tally, s->result.ran_for);
	assert_silent(s, "begun from");
	s->result.asked.pace = "steps(2/s, 0/s)";
	assert_says(s, "steps(2/s, 0/s) constant for ");
	assert_says(s, "begun from     started       good      late      failed    p50 ");
	assert_says(
		s, "\n  0            2/s           1         0         1         52 ms ");
	assert_says(s, "\n  2 s          0/s           0         0         0         - ");
	assert_silent(s, "\n  3 s ");
}

static void test_several_runs_say_so(void **state)
{
	struct scene *s = *state;
	one(s, 0, 200, NS_MS, SLICE_NONE);
	tally_finish(s->tally, NS_S);
	assert_silent(s, "runs as one");
	s->result.runs = 3;
	s->result.begun_within = 12 * NS_MS;
	assert_says(
		s, "3 runs as one, begun within 12 ms of each other\n  100/s constant");
	s->result.invalid_why = "one of them is not";
	assert_says(s, "NOT VALID: one of them is not.");
}

static void test_words_come_verbatim_and_first(void **state)
{
	struct scene *s = *state;
	one(s, 0, 503, NS_MS,
		SLICE("The connection cannot be served because Server.Concurrency limit "
		      "exceeded"));
	one(s, 0, 0, NS_MS, SLICE_NONE);
	tally_finish(s->tally, NS_S);
	assert_says(s,
		"\"The connection cannot be served because Server.Concurrency limit "
		"exceeded\"\n");
	assert_says(s, "503 Service Unavailable");
	assert_says(s, "fasthttp");
	assert_says(s, "connection reset by the peer");
	load_report_text(&s->out, &s->result);
	assert_true(strstr(s->out.ptr, "Concurrency") < strstr(s->out.ptr, "requests\n"));
}

static void test_a_text_cannot_steer_the_terminal(void **state)
{
	struct scene *s = *state;
	one(s, 0, 500, NS_MS,
		SLICE("a\x1b[2Jb\r\nc\x07 \xc2\x9b"
		      "31m \xff \xc3\xa9 \xe2\x82\xac \u202e\r\n"));
	tally_finish(s->tally, NS_S);
	assert_silent(s, "\x1b");
	assert_silent(s, "\x07");
	assert_silent(s, "\xc2\x9b");
	assert_silent(s, "\xff");
	assert_silent(s, "\r");
	assert_says(s, "\"a\\x1b[2Jb\n");
	assert_says(s,
		" c\\x07 \\xc2\\x9b31m \\xff \xc3\xa9 \xe2\x82\xac \\xe2\\x80\\xae\"\n");
}

static void test_a_long_text_says_what_is_left_out(void **state)
{
	struct scene *s = *state;
	char text[1000];
	memset(text, 'x', sizeof(text));
	one(s, 0, 500, NS_MS, (struct slice){ text, sizeof(text) });
	tally_finish(s->tally, NS_S);
	assert_says(s, "xxx\" ... (600 bytes more)");
}

static void test_a_late_generator_is_not_valid(void **state)
{
	struct scene *s = *state;
	for (int i = 0; i < 1000; i++)
		one(s, i < 2 ? 6 * NS_MS : 0, 200, 10 * NS_MS, SLICE_NONE);
	tally_finish(s->tally, NS_S);
	assert_non_null(report_invalid_why(&s->result));
	assert_says(s, "NOT VALID");
}

static void test_a_rare_lateness_is_valid(void **state)
{
	struct scene *s = *state;
	for (int i = 0; i < 2000; i++)
		one(s, i < 1 ? 60 * NS_MS : 0, 200, 100 * NS_MS, SLICE_NONE);
	tally_finish(s->tally, NS_S);
	assert_null(report_invalid_why(&s->result));
}

static void test_what_was_never_sent_is_not_valid(void **state)
{
	struct scene *s = *state;
	struct tally_times t = { 0, 0, 0 };
	one(s, 0, 200, NS_MS, SLICE_NONE);
	tally_start(s->tally, &t);
	tally_failure(s->tally, &t, ERR_NO_PORTS, 0, SLICE_NONE, NS_MS);
	assert_null(report_invalid_why(&s->result));
	tally_start(s->tally, &t);
	tally_failure(s->tally, &t, ERR_NO_MEMORY, 0, SLICE_NONE, NS_MS);
	assert_non_null(strstr(report_invalid_why(&s->result), "memory"));
	assert_null(strstr(report_invalid_why(&s->result), "never sent"));
	tally_start(s->tally, &t);
	tally_failure(s->tally, &t, ERR_NO_FDS, 0, SLICE_NONE, NS_MS);
	tally_finish(s->tally, NS_S);
	assert_non_null(strstr(report_invalid_why(&s->result), "ulimit -Hn"));
	assert_says(s, "NOT VALID");
}

static json_int_t count_of(json_t *doc, const char *key)
{
	json_t *value = json_object_get(doc, key);
	assert_true(json_is_integer(value));
	return json_integer_value(value);
}

static void test_json(void **state)
{
	struct scene *s = *state;
	struct tally_times times = { 0, 0, 0 };
	one(s, 0, 200, 52 * NS_MS, SLICE_NONE);
	one(s, 0, 200, 7 * NS_S, SLICE_NONE);
	one(s, 0, 404, 3 * NS_MS, SLICE("no such \xff thing"));
	tally_start(s->tally, &times);
	tally_finish(s->tally, 3 * NS_S);
	load_report_json(&s->out, &s->result);
	json_t *doc = json_loadb(s->out.ptr, s->out.len, 0, NULL);
	assert_non_null(doc);
	assert_string_equal(
		json_string_value(json_object_get(doc, "schema")), "weir.load/1");
	assert_int_equal(count_of(doc, "started"), 4);
	assert_int_equal(count_of(doc, "good"), 1);
	assert_int_equal(count_of(doc, "late"), 1);
	assert_int_equal(count_of(doc, "failed"), 1);
	assert_int_equal(count_of(doc, "unanswered"), 1);
	assert_int_equal(count_of(json_object_get(doc, "statuses"), "200"), 2);
	assert_int_equal(count_of(json_object_get(doc, "statuses"), "404"), 1);
	assert_int_equal(count_of(json_object_get(doc, "latency"), "count"), 3);
	assert_int_equal(count_of(json_object_get(doc, "latency_good"), "count"), 1);
	assert_int_equal(json_array_size(json_object_get(doc, "intervals")), 3);
	assert_true(json_is_null(json_object_get(
		json_array_get(json_object_get(doc, "intervals"), 1), "p50_ms")));
	assert_true(json_is_true(json_object_get(doc, "valid")));
	assert_true(json_is_null(json_object_get(doc, "invalid_why")));
	json_t *histogram = json_object_get(doc, "histogram");
	assert_int_equal(json_array_size(histogram), 3);
	json_t *error = json_array_get(json_object_get(doc, "errors"), 0);
	assert_string_equal(json_string_value(json_object_get(error, "text")),
		"no such \xef\xbf\xbd thing");
	json_decref(doc);
}

static void test_nothing_started(void **state)
{
	struct scene *s = *state;
	s->result.ran_for = 0;
	s->result.interrupted = true;
	tally_finish(s->tally, 0);
	assert_says(s, "interrupted");
	load_report_json(&s->out, &s->result);
	json_t *doc = json_loadb(s->out.ptr, s->out.len, 0, NULL);
	assert_non_null(doc);
	assert_int_equal(count_of(doc, "started"), 0);
	assert_int_equal(json_array_size(json_object_get(doc, "intervals")), 0);
	json_decref(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_AROUND(test_counts_and_units),
		TEST_AROUND(test_a_changing_rate_is_told_step_by_step),
		TEST_AROUND(test_several_runs_say_so),
		TEST_AROUND(test_words_come_verbatim_and_first),
		TEST_AROUND(test_a_text_cannot_steer_the_terminal),
		TEST_AROUND(test_a_long_text_says_what_is_left_out),
		TEST_AROUND(test_a_late_generator_is_not_valid),
		TEST_AROUND(test_a_rare_lateness_is_valid),
		TEST_AROUND(test_what_was_never_sent_is_not_valid),
		TEST_AROUND(test_json),
		TEST_AROUND(test_nothing_started),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

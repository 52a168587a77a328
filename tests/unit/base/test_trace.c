#include "tests/unit/base/unit.h"
#include "base/schedule.h"
#include "base/trace.h"

static bool read_text(struct trace *t, const char *text, struct problem *p)
{
	char path[] = "/tmp/weir-trace-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	*p = (struct problem){ "" };
	bool good = trace_read(t, path, 10 * NS_S, p);
	unlink(path);
	return good;
}

static void test_starts(void **state)
{
	(void)state;
	struct trace t;
	struct problem p;
	assert_true(read_text(
		&t, "# two callers\n0ms\n 16.832ms # here\n\n16832000ns\r\n1.5s", &p));
	assert_int_equal(t.count, 4);
	assert_true(t.starts[0] == 0);
	assert_true(t.starts[1] == 16832000 && t.starts[2] == 16832000);
	assert_true(t.starts[3] == 3 * NS_S / 2);
	assert_true(trace_run_for(&t) == 3 * NS_S / 2 + 1);
	assert_true(trace_rate(&t) > 2.66 && trace_rate(&t) < 2.67);
	trace_fini(&t);
}

static void test_what_is_wrong_has_its_line(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "1ms\n16.832\n", ":2: " },
		{ "1ms\n2ms\n\n1ms\n", ":4: earlier" },
		{ "11s\n", ":1: later" },
		{ "none\n", ":1: later" },
		{ "-1s\n", ":1: " },
		{ "# nothing\n", "no start" },
		{ "", "no start" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct trace t;
		struct problem p;
		assert_false(read_text(&t, cases[i].text, &p));
		if (!strstr(p.text, cases[i].says))
			fail_msg("\"%s\" does not say \"%s\"", p.text, cases[i].says);
		assert_null(t.starts);
	}
}

static void test_a_long_line_is_told(void **state)
{
	(void)state;
	struct trace t;
	struct problem p;
	char text[600] = "1ms\n#";
	memset(text + 5, 'x', sizeof(text) - 6);
	assert_false(read_text(&t, text, &p));
	assert_non_null(strstr(p.text, ":2: too long"));
}

static void test_no_file(void **state)
{
	(void)state;
	struct trace t;
	struct problem p = { "" };
	assert_false(trace_read(&t, "/nonexistent/trace", NS_S, &p));
	assert_non_null(strstr(p.text, "/nonexistent/trace: "));
}

static void test_schedule_follows_it(void **state)
{
	(void)state;
	static const ns_t starts[] = { 5, 5, 7 };
	struct schedule s;
	schedule_init_recorded(&s, starts, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_true(schedule_peek(&s) == starts[i]);
		schedule_take(&s);
	}
	assert_true(schedule_peek(&s) == NS_NEVER);
	schedule_init_recorded(&s, NULL, 0);
	assert_true(schedule_peek(&s) == NS_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_starts),
		TEST(test_what_is_wrong_has_its_line),
		TEST(test_a_long_line_is_told),
		TEST(test_no_file),
		TEST(test_schedule_follows_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

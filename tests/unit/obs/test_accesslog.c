#include "tests/unit/base/unit.h"

#include <pthread.h>

#include "base/json_read.h"
#include "obs/accesslog.h"

static const struct access sample = { .client = { "127.0.0.1:5", 11 },
	.method = { "GET", 3 },
	.path = { "/a\"b", 4 },
	.status = 504,
	.reason = ERR_DEADLINE,
	.bytes_in = 7,
	.bytes_out = 9,
	.duration = 1500 * NS_US,
	.queued_for = NS_MS,
	.attempts = 2 };

/* All of a file; mem_free. */
static char *read_all(int fd)
{
	struct text t;
	char buf[4096];
	ssize_t n;
	text_init(&t);
	text_add(&t, "");
	lseek(fd, 0, SEEK_SET);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		text_add_slice(&t, (struct slice){ buf, (size_t)n });
	return text_take(&t);
}

static int temporary(char *path)
{
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	return fd;
}

static void add(struct accesslog *l, const struct access *a)
{
	struct text line;
	text_init(&line);
	accesslog_add(l, &line, a);
	text_fini(&line);
}

static void test_a_line(void **state)
{
	(void)state;
	char path[] = "/tmp/weir-log-XXXXXX";
	struct problem p = { "" };
	int back = temporary(path);
	struct accesslog *l = accesslog_new(accesslog_open(path, &p));
	add(l, &sample);
	accesslog_free(&l);
	assert_null(l);
	char *line = read_all(back);
	struct json_doc *d = json_doc_parse(slice_of(line), &p);
	struct slice s;
	int64_t n;
	double ms;
	assert_string_equal(p.text, "");
	assert_true(json_get_str(d, "client", &s));
	assert_slice(s, "127.0.0.1:5");
	assert_true(json_get_str(d, "path", &s));
	assert_slice(s, "/a\"b");
	assert_true(json_get_str(d, "reason", &s));
	assert_slice(s, "deadline");
	assert_true(json_get_str(d, "time", &s) && s.len == 24 && s.ptr[23] == 'Z');
	assert_true(json_get_int(d, "status", &n) && n == 504);
	assert_true(json_get_int(d, "bytes_in", &n) && n == 7);
	assert_true(json_get_int(d, "bytes_out", &n) && n == 9);
	assert_true(json_get_real(d, "duration_ms", &ms) && ms == 1.5);
	assert_true(json_get_real(d, "queue_ms", &ms) && ms == 1);
	assert_true(json_get_int(d, "attempts", &n) && n == 2);
	assert_true(json_is_null_at(d, "id") && json_is_null_at(d, "upstream"));
	assert_int_equal(json_len(d, ""), 14);
	json_doc_free(&d);
	mem_free(line);
	close(back);
	unlink(path);
}

/* What was added before goes into the file before; -1 is nowhere. */
static void test_switch(void **state)
{
	(void)state;
	char one[] = "/tmp/weir-log-XXXXXX", two[] = "/tmp/weir-log-XXXXXX";
	struct problem p = { "" };
	int first = temporary(one), second = temporary(two);
	struct accesslog *l = accesslog_new(accesslog_open(one, &p));
	add(l, &sample);
	accesslog_switch(l, -1);
	accesslog_switch(l, accesslog_open(two, &p));
	while (accesslog_counts(l).written < 1)
		usleep(1000);
	struct access other = sample;
	other.path = SLICE("/other");
	add(l, &other);
	accesslog_free(&l);
	char *a = read_all(first), *b = read_all(second);
	assert_non_null(strstr(a, "/a\\\"b"));
	assert_null(strstr(a, "/other"));
	assert_non_null(strstr(b, "/other"));
	mem_free(a);
	mem_free(b);
	close(first);
	close(second);
	unlink(one);
	unlink(two);
}

/* Nobody reads: what the buffers do not take is dropped and counted, and nothing waits. */
static void test_a_pipe_that_is_full(void **state)
{
	(void)state;
	char *path = mem_alloc(65536);
	int ends[2];
	struct accesslog_counts n;
	uint64_t lines = 0;
	memset(path, 'x', 65536);
	assert_int_equal(pipe(ends), 0);
	struct accesslog *l = accesslog_new(ends[1]);
	struct access a = sample;
	a.path = (struct slice){ path, 65536 };
	do {
		add(l, &a);
		lines++;
		n = accesslog_counts(l);
	} while (n.dropped < 10);
	assert_true(lines >= 10 + ACCESSLOG_BYTES / 65700);
	close(ends[0]); /* the writer's EPIPE: its lines have failed */
	signal(SIGPIPE, SIG_IGN);
	while (accesslog_counts(l).failed == 0)
		usleep(1000);
	accesslog_free(&l);
	mem_free(path);
}

static void test_a_line_that_never_fits(void **state)
{
	(void)state;
	char path[] = "/tmp/weir-log-XXXXXX";
	struct problem p = { "" };
	int back = temporary(path);
	char *big = mem_alloc(ACCESSLOG_BYTES);
	struct accesslog *l = accesslog_new(accesslog_open(path, &p));
	struct access a = sample;
	memset(big, 'x', ACCESSLOG_BYTES);
	a.path = (struct slice){ big, ACCESSLOG_BYTES };
	add(l, &a);
	assert_int_equal(accesslog_counts(l).dropped, 1);
	accesslog_free(&l);
	char *all = read_all(back);
	assert_string_equal(all, "");
	mem_free(all);
	mem_free(big);
	close(back);
	unlink(path);
}

static void test_open_problems(void **state)
{
	(void)state;
	struct problem p = { "" };
	assert_int_equal(accesslog_open("/nonexistent/x", &p), -1);
	assert_string_equal(p.text, "/nonexistent/x: No such file or directory");
	p.text[0] = '\0';
	assert_int_equal(accesslog_open("/tmp", &p), -1);
	assert_non_null(strstr(p.text, "/tmp: "));
	accesslog_drop(-1);
}

#define WRITERS 4
#define LINES 2000

static void *write_lines(void *log)
{
	for (int i = 0; i < LINES; i++)
		add(log, &sample);
	return NULL;
}

/* Lines of several threads: all there, each whole. */
static void test_many_writers(void **state)
{
	(void)state;
	char path[] = "/tmp/weir-log-XXXXXX";
	struct problem p = { "" };
	pthread_t writers[WRITERS];
	uint64_t lines = 0;
	int back = temporary(path);
	struct accesslog *l = accesslog_new(accesslog_open(path, &p));
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&writers[i], NULL, write_lines, l), 0);
	for (int i = 0; i < WRITERS; i++)
		pthread_join(writers[i], NULL);
	uint64_t dropped = accesslog_counts(l).dropped;
	accesslog_free(&l);
	char *all = read_all(back);
	for (char *at = all, *end; *at; at = end + 1) {
		end = strchr(at, '\n');
		assert_non_null(end);
		assert_int_equal(*at, '{');
		assert_int_equal(end[-1], '}');
		lines++;
	}
	assert_int_equal(lines + dropped, WRITERS * LINES);
	mem_free(all);
	close(back);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_line),
		TEST(test_switch),
		TEST(test_a_pipe_that_is_full),
		TEST(test_a_line_that_never_fits),
		TEST(test_many_writers),
		TEST(test_open_problems),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* How many writes a message takes: each is a system call, and wakes its reader. */
#include "scene.h"

static unsigned writes;

enum err __real_io_writev(struct io_sock *s, const struct iovec *iov, int n, size_t *put);
enum err __wrap_io_writev(struct io_sock *s, const struct iovec *iov, int n, size_t *put);

enum err __wrap_io_writev(struct io_sock *s, const struct iovec *iov, int n, size_t *put)
{
	writes++;
	return __real_io_writev(s, iov, n, put);
}

/* The client's, the request's, the server's, the answer's. */
static void assert_four_writes(struct scene *s, struct raw *r, const char *request)
{
	text_reset(&r->in);
	writes = 0;
	raw_say(r, request);
	scene_run(s, 10 * NS_MS);
	assert_true(scene_got(r, " 200 OK"));
	assert_int_equal(writes, 4);
}

static void test_body_goes_with_its_head(void **state)
{
	(void)state;
	struct scene s;
	struct raw r;
	scene_init(&s, NULL, OPTIONS("--timeout=1s"));
	scene_client(&s, &r, GET("/ok"));
	scene_run(&s, 10 * NS_MS);
	assert_four_writes(&s, &r, GET("/ok"));
	assert_four_writes(
		&s, &r, "POST /ok HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
	assert_four_writes(&s, &r,
		"POST /ok HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
		"2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n");
	assert_true(scene_count(&s, "\r\n4\r\nbody\r\n0\r\n\r\n") == 1);
	raw_fini(&r);
	scene_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_body_goes_with_its_head),
	};
	return cmocka_run_group_tests_name("forward", tests, NULL, NULL);
}

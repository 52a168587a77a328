/*
 * Slabs that run out: the n-th time anything is taken of a bounded one, there is none, for every
 * n of a run of exchanges. The program goes on, each request is answered or broken off at most
 * once, nothing leaks (scene_fini), and a later request is served.
 *
 * slab_take and slab_take_raw of this program are those below: the linker's --wrap. Unbounded
 * slabs never run out, and connections to the server have a test of their own: a call is not
 * admitted before there is one.
 */
#include "tests/unit/proxy/scene.h"

void *__real_slab_take(struct slab *s);
void *__real_slab_take_raw(struct slab *s);
void *__wrap_slab_take(struct slab *s);
void *__wrap_slab_take_raw(struct slab *s);

/* The linker gives the wrappers no argument of ours. rule zero: mutable file-scope data */
static uint32_t takes, fails_at, fails_for;
static const struct slab *spared[2];

static bool is_out(const struct slab *s)
{
	if (s->max == 0 || s == spared[0] || s == spared[1])
		return false;
	takes++;
	return fails_at && takes >= fails_at && takes < fails_at + fails_for;
}

void *__wrap_slab_take(struct slab *s)
{
	return is_out(s) ? NULL : __real_slab_take(s);
}

void *__wrap_slab_take_raw(struct slab *s)
{
	return is_out(s) ? NULL : __real_slab_take_raw(s);
}

#define CHUNKED_HEAD \
	"POST /ok?p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
#define CHUNKED CHUNKED_HEAD "5\r\nhello\r\n0\r\n\r\n"
#define LONG "POST /ok?l HTTP/1.1\r\nHost: h\r\nContent-Length: 40000\r\n\r\n"

/* What a client got: answers begun, and whether the last one is whole or visibly broken. */
static uint32_t check_client(const struct raw *r, uint32_t asked)
{
	uint32_t begun = 0;
	for (const char *at = r->in.ptr; at && (at = strstr(at, "HTTP/1.1 ")); at++)
		begun++;
	assert_true(begun <= asked);
	assert_true(begun == asked || r->end != ERR_AGAIN);
	return begun;
}

static uint64_t counted(const struct scene *s)
{
	uint64_t n = 0;
	for (int i = 0; i < PROXY_STATUS_MAX; i++)
		n += s->proxy.answers[i];
	return n;
}

static void play(struct scene *s)
{
	struct raw a, b, c, d, e, f;
	char body[40001];
	memset(body, 'x', sizeof(body));
	body[40000] = '\0';
	scene_client(s, &a, GET("/ok?1") GET("/ok?2"));
	scene_client(s, &b, CHUNKED);
	scene_client(s, &c, GET("/big?100000"));
	scene_client(s, &e, GET("/pieces"));
	scene_client(s, &f, CHUNKED_HEAD "5\r\nhello\r\n");
	scene_run(s, 20 * NS_MS);
	raw_say(&f, "0\r\n\r\n");
	scene_client(s, &d, LONG);
	raw_say(&d, body);
	scene_run(s, 20 * NS_MS);
	raw_say(&b, GET("/ok?3"));
	scene_run(s, 40 * NS_S);
	/* what a client has seen is counted; what was counted may have been broken off */
	assert_true(check_client(&a, 2) + check_client(&b, 2) + check_client(&c, 1) +
			    check_client(&d, 1) + check_client(&e, 1) +
			    check_client(&f, 1) <=
		    counted(s));
	/* no POST was sent twice */
	assert_true(scene_count(s, "POST /ok?p ") <= 2 * s->opt.gather);
	assert_true(scene_count(s, "POST /ok?l ") <= s->opt.gather);
	raw_fini(&a);
	raw_fini(&b);
	raw_fini(&c);
	raw_fini(&d);
	raw_fini(&e);
	raw_fini(&f);
}

static uint32_t play_with(uint32_t at, uint32_t for_takes, const char *const *options)
{
	struct scene s;
	struct raw r;
	takes = 0;
	fails_at = 0;
	scene_init(&s, NULL, options);
	spared[0] = &s.proxy.worker.cconns;
	spared[1] = &s.proxy.worker.sconns;
	fails_at = at;
	fails_for = for_takes;
	play(&s);
	fails_at = 0;
	uint32_t took = takes;
	scene_client(&s, &r, GET("/ok?after"));
	scene_run(&s, NS_S);
	assert_true(scene_got(&r, " 200 OK"));
	raw_fini(&r);
	scene_run(&s, NS_S);
	scene_fini(&s);
	return took;
}

static void every_nth(const char *const *options)
{
	uint32_t all = play_with(0, 0, options);
	assert_true(all > 20);
	for (uint32_t n = 1; n <= all; n++) {
		(void)play_with(n, 1, options);
		(void)play_with(n, 5, options);
	}
}

static void test_every_nth(void **state)
{
	(void)state;
	every_nth(OPTIONS("--timeout=10s"));
}

static void test_every_nth_with_gather(void **state)
{
	(void)state;
	every_nth(OPTIONS("--timeout=10s", "--gather=2"));
}

/* More clients than --clients wait in the kernel's backlog, and are served as others leave. */
static void test_clients_in_the_backlog(void **state)
{
	(void)state;
	struct scene s;
	struct raw r[6];
	fails_at = 0;
	scene_init(&s, NULL, OPTIONS("--clients=2"));
	for (size_t i = 0; i < ARRAY_LEN(r); i++)
		scene_client(&s, &r[i], GET("/ok"));
	for (size_t i = 0; i < ARRAY_LEN(r); i++) {
		scene_run(&s, NS_S);
		for (size_t j = 0; j < ARRAY_LEN(r); j++)
			assert_int_equal(scene_got(&r[j], " 200 OK"), j < i + 2);
		assert_true(server_conn_count(s.proxy.server) <= 2);
		raw_close(&r[i], IO_CLOSE_FIN);
	}
	for (size_t i = 0; i < ARRAY_LEN(r); i++)
		raw_fini(&r[i]);
	scene_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_nth),
		TEST(test_every_nth_with_gather),
		TEST(test_clients_in_the_backlog),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

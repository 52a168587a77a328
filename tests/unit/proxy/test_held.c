/* An error answer that is kept back, and given to a client that takes little at a time. */
#include "tests/unit/proxy/scene.h"

#define TAKES 2048 /* bytes, before it reads */

/* 503 with one field and a body of so many bytes. */
static void say_busy(struct scene *s, int field, int body)
{
	struct text t;
	text_init(&t);
	text_add(&t, "HTTP/1.1 503 Busy\r\nX-Why: ");
	for (int i = 0; i < field; i++)
		text_add_char(&t, 'f');
	text_addf(&t, "\r\nContent-Length: %d\r\n\r\n", body);
	for (int i = 0; i < body; i++)
		text_add_char(&t, 'b');
	scene_say(s, 0, t.ptr);
	text_fini(&t);
}

static size_t count_of(const struct raw *r, char c)
{
	size_t n = 0;
	for (size_t i = 0; i < r->in.len; i++)
		n += r->in.ptr[i] == c;
	return n;
}

static void get_busy(int field, int body)
{
	const struct sim_cfg sim = { .seed = 1, .buf_bytes = TAKES / 2 };
	struct scene s;
	struct raw r;
	scene_init(&s, &sim, OPTIONS("--limit=auto", "--server-timing"));
	scene_client(&s, &r, GET("/stall"));
	scene_run(&s, 20 * NS_MS);
	raw_set_deaf(&r, true);
	say_busy(&s, field, body);
	scene_run(&s, 200 * NS_MS);
	raw_set_deaf(&r, false);
	scene_run(&s, 500 * NS_MS);
	assert_true(scene_got(&r, "HTTP/1.1 503 Busy\r\n"));
	assert_true(scene_got(&r, "Weir-Id: "));
	assert_true(count_of(&r, 'f') >= (size_t)field);
	assert_true(count_of(&r, 'b') >= (size_t)body);
	assert_int_equal(r.end, ERR_AGAIN); /* not cut */
	assert_int_equal(s.proxy.answers[503], 1);
	raw_fini(&r);
	scene_fini(&s);
}

static void test_a_client_gets_it_whole_whatever_it_takes(void **state)
{
	(void)state;
	for (int field = 100; field <= 8100; field += 1000)
		for (int body = 0; body <= 12288; body += 1536)
			get_busy(field, body);
	get_busy(3000, 12288);
	get_busy(8100, 7200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_client_gets_it_whole_whatever_it_takes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "made.h"

static void a_socket_told_twice_is_held_once_as_told_last(void **state)
{
	struct diag_end a = end("10.0.0.1", 40000), b = end("10.0.0.2", 80);
	struct snap s;

	(void)state;
	snap_init(&s);
	put(&s, a, b, DIAG_ESTABLISHED);
	put(&s, a, b, DIAG_TIME_WAIT);
	assert_int_equal(s.len, 1);
	assert_int_equal(snap_find(&s, &a, &b)->state, DIAG_TIME_WAIT);
	assert_null(snap_find(&s, &b, &a));
	snap_fini(&s);
}

static void every_socket_of_many_is_found_and_walked_once(void **state)
{
	enum { N = 30000 };
	struct diag_end to = end("10.0.0.2", 80);
	const struct snap_sock *k;
	uint64_t sum = 0;
	uint32_t i = 0, walked = 0;
	struct snap s;

	(void)state;
	snap_init(&s);
	for (uint16_t port = 1; port <= N; port++)
		put(&s, end("10.0.0.1", port), to, DIAG_TIME_WAIT);
	assert_int_equal(s.len, N);
	for (uint16_t port = 1; port <= N; port++) {
		struct diag_end from = end("10.0.0.1", port);
		assert_non_null(snap_find(&s, &from, &to));
	}
	while ((k = snap_next(&s, &i))) {
		walked++;
		sum += k->local.port;
	}
	assert_int_equal(walked, N);
	assert_int_equal(sum, (uint64_t)N * (N + 1) / 2);
	snap_fini(&s);
}

static void a_restarted_dump_begins_empty(void **state)
{
	struct diag_end a = end("10.0.0.1", 40000), b = end("10.0.0.2", 80);
	struct snap s;

	(void)state;
	snap_init(&s);
	put(&s, a, b, DIAG_ESTABLISHED);
	put_listener(&s, end("::", 8080));
	s.visitor.on_restart(&s.visitor);
	assert_int_equal(s.len, 0);
	assert_int_equal(s.n_listeners, 0);
	assert_false(snap_has_ip(&s, &a));
	assert_null(snap_find(&s, &a, &b));
	snap_fini(&s);
}

static void mapped_and_plain_ipv4_are_one_address(void **state)
{
	struct diag_end plain = end("192.0.2.7", 443),
			mapped = end("::ffff:192.0.2.7", 443);
	struct diag_end six = end("2001:db8::1", 443);
	struct text t;

	(void)state;
	assert_true(diag_end_eq(&plain, &mapped));
	assert_true(diag_end_is_v4(&mapped));
	assert_false(diag_end_is_v4(&six));
	text_init(&t);
	text_add_end(&t, &mapped);
	text_add_char(&t, ' ');
	text_add_end(&t, &six);
	assert_string_equal(t.ptr, "192.0.2.7:443 [2001:db8::1]:443");
	text_fini(&t);
	assert_false(diag_end_parse("no address", 1, &plain));
}

static void ports_of_the_range_less_the_reserved(void **state)
{
	struct diag_ports p = range_of("32768\t60999\n", "\n");

	(void)state;
	assert_int_equal(p.usable, 28232);
	assert_int_equal(p.usable_first, 14116);
	p = range_of("1000 1009", "8080,1000-1002,1005\n");
	assert_int_equal(p.usable, 6);
	assert_int_equal(p.usable_first, 3); /* 1004 1006 1008 */
	assert_false(diag_ports_has(&p, 1005));
	assert_true(diag_ports_has(&p, 1004));
	assert_false(diag_ports_has(&p, 999));
	assert_false(diag_ports_has(&p, 1010));
	p = range_of("1 65535", "1-65535");
	assert_int_equal(p.usable, 0);
}

static void a_malformed_range_is_refused(void **state)
{
	static const char *const bad[] = { "", "1", "x y", "9 8", "1 65536", "-1 5" };
	struct diag_ports p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(diag_ports_parse(slice_of(bad[i]), SLICE_NONE, &p));
	assert_false(diag_ports_parse(SLICE("1 9"), SLICE("5-4"), &p));
	assert_false(diag_ports_parse(SLICE("1 9"), SLICE("70000"), &p));
	assert_false(diag_ports_parse(SLICE("1 9"), SLICE("a"), &p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_socket_told_twice_is_held_once_as_told_last),
		TEST(every_socket_of_many_is_found_and_walked_once),
		TEST(a_restarted_dump_begins_empty),
		TEST(mapped_and_plain_ipv4_are_one_address),
		TEST(ports_of_the_range_less_the_reserved),
		TEST(a_malformed_range_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

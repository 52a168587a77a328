#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/tap.h"

static const char v4[] = "\x45\0\0\x2c\0\0\0\0\x40\x06\0\0\x0a\0\0\x02\x0a\0\0\x01"
			 "\x1f\x90\x9c\x40\0\0\0\0\0\0\0\0\x50\x18\0\0\0\0\0\0"
			 "HTTPpad";
static const char v6[] = "\x60\0\0\0\0\x18\x06\x40"
			 "\xfd\x77\0\0\0\0\0\0\0\0\0\0\0\0\0\x02"
			 "\xfd\x77\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
			 "\x1f\x90\x9c\x40\0\0\0\0\0\0\0\0\x50\x18\0\0\0\0\0\0"
			 "HTTP";

static void assert_piece(struct slice packet, const char *from, const char *to)
{
	struct tap_piece p;
	struct text t;

	assert_true(tap_parse(packet, &p));
	assert_true(slice_eq(p.bytes, SLICE("HTTP")));
	text_init(&t);
	text_add_end(&t, &p.from);
	assert_string_equal(t.ptr, from);
	text_reset(&t);
	text_add_end(&t, &p.to);
	assert_string_equal(t.ptr, to);
	text_fini(&t);
}

static void both_families_are_read_and_padding_is_cut(void **state)
{
	(void)state;
	assert_piece(
		(struct slice){ v4, sizeof(v4) - 1 }, "10.0.0.2:8080", "10.0.0.1:40000");
	assert_piece((struct slice){ v6, sizeof(v6) - 1 }, "[fd77::2]:8080",
		"[fd77::1]:40000");
}

/* A copy that ends where its memory does, so that a read past it is seen. */
static void cut_short_it_is_no_piece(void **state)
{
	static const struct slice whole[] = { { v4, 44 }, { v6, sizeof(v6) - 1 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(whole); i++) {
		size_t head = whole[i].len - 4;

		for (size_t len = 1; len <= head; len++) {
			char *copy = mem_alloc(len);
			struct tap_piece p;

			memcpy(copy, whole[i].ptr, len);
			assert_false(tap_parse((struct slice){ copy, len }, &p));
			mem_free(copy);
		}
	}
}

static void what_is_not_tcp_is_no_piece(void **state)
{
	char packet[sizeof(v4)];
	struct tap_piece p;

	(void)state;
	memcpy(packet, v4, sizeof(v4));
	packet[9] = 17;
	assert_false(tap_parse((struct slice){ packet, 44 }, &p));
	packet[9] = 6;
	packet[32] = 0x40; /* a TCP header shorter than any */
	assert_false(tap_parse((struct slice){ packet, 44 }, &p));
	packet[0] = 0x41;
	assert_false(tap_parse((struct slice){ packet, 44 }, &p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_families_are_read_and_padding_is_cut),
		cmocka_unit_test(cut_short_it_is_no_piece),
		cmocka_unit_test(what_is_not_tcp_is_no_piece),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

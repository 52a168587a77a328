#include "tests/unit/base/unit.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/tap.h"
#include "io/tap_filter.h"

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

/* The filter, run as the kernel runs it. */

/* Big-endian, `size` bytes; a load past the end ends the program. */
static bool load(
	struct slice p, uint16_t protocol, uint32_t at, uint32_t size, uint32_t *a)
{
	if (at == (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)) {
		*a = protocol;
		return true;
	}
	if (at + size > p.len)
		return false;
	*a = 0;
	for (uint32_t i = 0; i < size; i++)
		*a = *a << 8 | (uint8_t)p.ptr[at + i];
	return true;
}

static bool jumps(uint16_t code, uint32_t a, uint32_t k)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ:
		return a == k;
	case BPF_JGE:
		return a >= k;
	case BPF_JSET:
		return (a & k) != 0;
	default:
		fail_msg("jump %x", code);
	}
	return false;
}

static uint32_t reckon(uint16_t code, uint32_t a, uint32_t b)
{
	switch (BPF_OP(code)) {
	case BPF_ADD:
		return a + b;
	case BPF_AND:
		return a & b;
	case BPF_RSH:
		return a >> b;
	default:
		fail_msg("reckoning %x", code);
	}
	return 0;
}

static uint32_t size_of(uint16_t code)
{
	return BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;
}

static uint32_t run(uint16_t protocol, struct slice p)
{
	uint32_t a = 0, x = 0;

	for (size_t pc = 0; pc < TAP_FILTER_LEN; pc++) {
		const struct sock_filter *i = &tap_filter[pc];
		uint32_t from = BPF_MODE(i->code) == BPF_IND ? x + i->k : i->k;

		switch (BPF_CLASS(i->code)) {
		case BPF_RET:
			return i->k;
		case BPF_LD:
			if (!load(p, protocol, from, size_of(i->code), &a))
				return 0;
			break;
		case BPF_LDX:
			x = BPF_MODE(i->code) == BPF_MSH
				    ? ((uint8_t)p.ptr[i->k] & 0xfU) * 4
				    : i->k;
			break;
		case BPF_ALU:
			a = reckon(i->code, a, BPF_SRC(i->code) == BPF_X ? x : i->k);
			break;
		case BPF_MISC:
			x = a;
			break;
		case BPF_JMP:
			pc += BPF_OP(i->code) == BPF_JA ? i->k
			      : jumps(i->code, a, i->k) ? i->jt
							: i->jf;
			break;
		default:
			fail_msg("code %x", i->code);
		}
	}
	fail_msg("past the end");
	return 0;
}

/* The data behind the headers above, in a block of just that size. */
static uint32_t run_with(
	const char *head, size_t len, uint16_t protocol, struct slice data)
{
	char *copy = mem_alloc(len + data.len);
	uint32_t kept;

	memcpy(copy, head, len);
	memcpy(copy + len, data.ptr, data.len);
	kept = run(protocol, (struct slice){ copy, len + data.len });
	mem_free(copy);
	return kept;
}

static void the_filter_lets_ours_through_and_nothing_else(void **state)
{
	const struct {
		struct slice data;
		bool ours;
	} rows[] = {
		{ SLICE("HTTP/1.1 503 Service Unavailable\r\n"), true },
		{ SLICE("HTTP/1.0 404 \r\n"), true },
		{ SLICE("HTTP/1.1 200 OK\r\n"), false },
		{ SLICE("HTTP/1.1 "), false },
		{ SLICE("Content-Length: 3\r\n\r\nno."), true },
		{ SLICE("Connection: close\r\n"), true },
		{ SLICE("Server: x\r\n"), true },
		{ SLICE("Date: x\r\n"), true },
		{ SLICE("\x16\x03\x01\0\xff\1\0\0"), true },
		{ SLICE("\x16\x03\x03\0\xff\2\0\0"), false }, /* a server's */
		{ SLICE("\x16\x03\x01\0\xff"), false },
		{ SLICE("\0\1\0\0\0\0\0\0"), false },
		{ SLICE("\0\0\0\1\0\1\0\0"), false },
		{ SLICE("\1\1\1\1\1\1\1\1"), false },
		{ SLICE("GET / HTTP/1.1\r\n"), false },
		{ SLICE("abc"), false },
		{ SLICE(""), false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t kept = rows[i].ours ? TAP_BYTES : 0;

		assert_int_equal(run_with(v4, 40, ETH_P_IP, rows[i].data), kept);
		assert_int_equal(run_with(v6, 60, ETH_P_IPV6, rows[i].data), kept);
		assert_int_equal(run_with(v4, 40, ETH_P_ARP, rows[i].data), 0);
	}
}

static void the_filter_lets_no_other_protocol_through(void **state)
{
	const struct slice hello = SLICE("HTTP/1.1 503 No\r\n");
	char v4_head[40], v6_head[60];

	(void)state;
	for (int protocol = 0; protocol < 256; protocol++) {
		uint32_t kept = protocol == IPPROTO_TCP ? TAP_BYTES : 0;

		memcpy(v4_head, v4, sizeof(v4_head));
		memcpy(v6_head, v6, sizeof(v6_head));
		v4_head[9] = v6_head[6] = (char)protocol;
		assert_int_equal(run_with(v4_head, 40, ETH_P_IP, hello), kept);
		assert_int_equal(run_with(v6_head, 60, ETH_P_IPV6, hello), kept);
	}
	memcpy(v4_head, v4, sizeof(v4_head));
	for (int at = 1; at < 0x2000; at++) { /* fragments but the first */
		v4_head[6] = (char)(at >> 8);
		v4_head[7] = (char)at;
		assert_int_equal(run_with(v4_head, 40, ETH_P_IP, hello), 0);
	}
	v4_head[6] = 0x40; /* not to be fragmented */
	v4_head[7] = 0;
	assert_int_equal(run_with(v4_head, 40, ETH_P_IP, hello), TAP_BYTES);
}

/* Each jump is within the program and each load is known: the kernel looks. */
static void the_kernel_takes_the_filter(void **state)
{
	struct sock_fprog p = { TAP_FILTER_LEN,
		(struct sock_filter *)(uintptr_t)tap_filter };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_families_are_read_and_padding_is_cut),
		TEST(cut_short_it_is_no_piece),
		TEST(what_is_not_tcp_is_no_piece),
		TEST(the_filter_lets_ours_through_and_nothing_else),
		TEST(the_filter_lets_no_other_protocol_through),
		TEST(the_kernel_takes_the_filter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "io/tap.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECE_BYTES = 2048 /* of a segment; the rest is not needed */ };

struct tap {
	int fd;
	char buf[PIECE_BYTES];
};

#define WORD(a, b, c, d) \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

/* Classic BPF; a load past the end refuses the packet. Jumps count instructions. */
static const struct sock_filter program[] = {
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 2, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 10, 0),
	BPF_STMT(BPF_RET | BPF_K, 0),
	/* 4: IPv4; X = where TCP begins, then A = where its data does */
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 24),
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 22, 0), /* a later fragment */
	BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
	BPF_STMT(BPF_LD | BPF_B | BPF_IND, 12),
	BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
	BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 2),
	BPF_JUMP(BPF_JMP | BPF_JA, 6, 0, 0),
	/* 13: IPv6 without extension headers */
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 15),
	BPF_STMT(BPF_LDX | BPF_IMM, 40),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 52),
	BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
	BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 2),
	/* 19: the data */
	BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
	BPF_STMT(BPF_MISC | BPF_TAX, 0),
	BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, WORD('H', 'T', 'T', 'P'), 8, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, WORD('C', 'o', 'n', 'n'), 9, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, WORD('C', 'o', 'n', 't'), 8, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, WORD('S', 'e', 'r', 'v'), 7, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, WORD('D', 'a', 't', 'e'), 6, 0),
	BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x1603, 0, 1),
	BPF_STMT(BPF_LD | BPF_B | BPF_IND, 5),
	/* 30: A is 1 in a client's hello; else it is what was looked for, or nothing */
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 2, 3),
	/* 31: the status */
	BPF_STMT(BPF_LD | BPF_B | BPF_IND, 9),
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, '4', 0, 1),
	BPF_STMT(BPF_RET | BPF_K, PIECE_BYTES),
	BPF_STMT(BPF_RET | BPF_K, 0),
};

static bool filter(int fd)
{
	struct sock_fprog p = { ARRAY_LEN(program),
		(struct sock_filter *)(uintptr_t)program };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)) == 0;
}

struct tap *tap_open(void)
{
	/* Protocol 0 hears nothing; bound to one only when the filter is in place. */
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_ll all = { .sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL) };
	struct tap *t;

	if (fd < 0)
		return NULL;
	if (!filter(fd) || bind(fd, (struct sockaddr *)&all, sizeof(all)) < 0) {
		close(fd);
		return NULL;
	}
	t = mem_zalloc(sizeof(*t));
	t->fd = fd;
	return t;
}

void tap_free(struct tap **t)
{
	if (!*t)
		return;
	close((*t)->fd);
	mem_free(*t);
	*t = NULL;
}

int tap_fd(const struct tap *t)
{
	return t->fd;
}

/* Over loopback each packet goes by twice: as it leaves and as it comes. */
static bool is_echo(const struct sockaddr_ll *from)
{
	return from->sll_pkttype == PACKET_OUTGOING &&
	       from->sll_hatype == ARPHRD_LOOPBACK;
}

void tap_read(struct tap *t, struct tap_visitor *v, uint32_t max)
{
	for (uint32_t i = 0; i < max; i++) {
		struct sockaddr_ll from = { 0 };
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(
			t->fd, t->buf, sizeof(t->buf), 0, (struct sockaddr *)&from, &len);
		struct tap_piece p;

		if (n < 0)
			return;
		if (!is_echo(&from) && tap_parse((struct slice){ t->buf, (size_t)n }, &p))
			v->on_piece(v, &p);
	}
}

/* Parsing. */

static uint8_t byte(struct slice s, size_t at)
{
	return (uint8_t)s.ptr[at];
}

static uint16_t two(struct slice s, size_t at)
{
	return (uint16_t)(byte(s, at) << 8 | byte(s, at + 1));
}

static void take_v4(struct slice packet, size_t at, struct diag_end *out)
{
	memset(out->ip, 0, 10);
	memset(out->ip + 10, 0xff, 2);
	memcpy(out->ip + 12, packet.ptr + at, 4);
}

/* Where TCP begins; 0: it does not. `*end`: where the packet says it ends. */
static size_t take_ips(struct slice p, struct tap_piece *out, size_t *end)
{
	if (p.len >= 20 && byte(p, 0) >> 4 == 4 && byte(p, 9) == IPPROTO_TCP) {
		take_v4(p, 12, &out->from);
		take_v4(p, 16, &out->to);
		*end = two(p, 2);
		return (byte(p, 0) & 0xfU) * 4U;
	}
	if (p.len >= 40 && byte(p, 0) >> 4 == 6 && byte(p, 6) == IPPROTO_TCP) {
		memcpy(out->from.ip, p.ptr + 8, 16);
		memcpy(out->to.ip, p.ptr + 24, 16);
		*end = 40U + two(p, 4);
		return 40;
	}
	return 0;
}

bool tap_parse(struct slice p, struct tap_piece *out)
{
	size_t end = 0, tcp = take_ips(p, out, &end), data;

	if (tcp < 20 || p.len < tcp + 20)
		return false;
	out->from.port = two(p, tcp);
	out->to.port = two(p, tcp + 2);
	data = tcp + (byte(p, tcp + 12) >> 4) * 4U;
	/* What was padded to the link's least is cut; a giant says 0. */
	if (end > tcp && end < p.len)
		p.len = end;
	if (data < tcp + 20 || data >= p.len)
		return false;
	out->bytes = slice_cut(p, data, p.len - data);
	return true;
}

#include "io/tap.h"

#include <arpa/inet.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/tap_filter.h"

enum {
	/* What comes while a look or a scan of /proc lasts: a second of thousands. */
	ROOM = 4 << 20,
	SEEN_MAX = 256,
};

struct tap {
	int fd;
	uint64_t lost;
	uint64_t seen[SEEN_MAX]; /* by hash: the last segments told; 0: none */
	char buf[TAP_BYTES];
};

static bool filter(int fd)
{
	struct sock_fprog p = { TAP_FILTER_LEN,
		(struct sock_filter *)(uintptr_t)tap_filter };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)) == 0;
}

/* Beyond net.core.rmem_max where that is allowed. */
static void make_room(int fd)
{
	int room = ROOM;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
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
	make_room(fd);
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

uint64_t tap_lost(struct tap *t)
{
	struct tpacket_stats since; /* it was asked last */
	socklen_t len = sizeof(since);

	if (getsockopt(t->fd, SOL_PACKET, PACKET_STATISTICS, &since, &len) == 0)
		t->lost += since.tp_drops;
	return t->lost;
}

/* Over loopback each packet goes by twice: as it leaves and as it comes. */
static bool is_echo(const struct sockaddr_ll *from)
{
	return from->sll_pkttype == PACKET_OUTGOING &&
	       from->sll_hatype == ARPHRD_LOOPBACK;
}

/* A bond, a bridge and a VLAN in one namespace show the same segment once each, and a sender
 * that has no acknowledgement sends it again. */
static bool seen_before(struct tap *t, const struct tap_piece *p)
{
	struct {
		struct diag_end from, to;
		uint32_t seq;
	} key = { p->from, p->to, p->seq };
	uint64_t hash = slice_hash((struct slice){ (const char *)&key, sizeof(key) });
	uint64_t *slot = &t->seen[hash % SEEN_MAX];
	bool seen = *slot == hash;

	*slot = hash;
	return seen;
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
		if (!is_echo(&from) &&
			tap_parse((struct slice){ t->buf, (size_t)n }, &p) &&
			!seen_before(t, &p))
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
	out->seq = (uint32_t)two(p, tcp + 4) << 16 | two(p, tcp + 6);
	data = tcp + (byte(p, tcp + 12) >> 4) * 4U;
	/* What was padded to the link's least is cut; a giant says 0. */
	if (end > tcp && end < p.len)
		p.len = end;
	if (data < tcp + 20 || data >= p.len)
		return false;
	out->bytes = slice_cut(p, data, p.len - data);
	return true;
}

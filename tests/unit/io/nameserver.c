#include "tests/unit/io/nameserver.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/base/unit.h"

enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_SOA = 6, TYPE_AAAA = 28 };
enum { RCODE_OK = 0, RCODE_SERVFAIL = 2, RCODE_NXDOMAIN = 3 };

struct message {
	uint8_t bytes[4096];
	size_t len;
	char name[256]; /* of the question */
	uint32_t type;
	size_t question_end;
	uint32_t answers, authorities, rcode;
	bool truncated;
};

static void put(struct message *m, uint64_t value, size_t bytes)
{
	assert_true(m->len + bytes <= sizeof(m->bytes));
	while (bytes-- > 0)
		m->bytes[m->len++] = (uint8_t)(value >> 8 * bytes);
}

static void put_name(struct message *m, const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");
		put(m, n, 1);
		for (size_t i = 0; i < n; i++)
			put(m, (uint8_t)name[i], 1);
		name += name[n] ? n + 1 : n;
	}
	put(m, 0, 1);
}

static bool read_question(struct message *m, const uint8_t *bytes, size_t len)
{
	size_t at = 12, n = 0;

	if (len < 17 || len > sizeof(m->bytes))
		return false;
	memcpy(m->bytes, bytes, len);
	while (at < len && bytes[at]) {
		size_t label = bytes[at++];
		if (at + label >= len || n + label + 2 > sizeof(m->name))
			return false;
		if (n)
			m->name[n++] = '.';
		memcpy(m->name + n, bytes + at, label);
		n += label;
		at += label;
	}
	m->name[n] = '\0';
	m->type = (uint32_t)bytes[at + 1] << 8 | bytes[at + 2];
	m->question_end = m->len = at + 5;
	return at + 5 <= len;
}

/* A record of `owner`, or of the question's name when NULL; its data follows. */
static void put_record(struct message *m, const char *owner, uint32_t type, uint32_t ttl,
	size_t data_bytes)
{
	if (owner)
		put_name(m, owner);
	else
		put(m, 0xc00c, 2);
	put(m, type, 2);
	put(m, 1, 2);
	put(m, ttl, 4);
	put(m, data_bytes, 2);
	m->answers++;
}

static void put_a(struct message *m, const char *owner, const char *ip, uint32_t ttl)
{
	struct in_addr a;
	assert_int_equal(inet_pton(AF_INET, ip, &a), 1);
	put_record(m, owner, TYPE_A, ttl, 4);
	put(m, ntohl(a.s_addr), 4);
}

static void put_aaaa(struct message *m, const char *ip, uint32_t ttl)
{
	struct in6_addr a;
	assert_int_equal(inet_pton(AF_INET6, ip, &a), 1);
	put_record(m, NULL, TYPE_AAAA, ttl, 16);
	for (int i = 0; i < 16; i++)
		put(m, a.s6_addr[i], 1);
}

static void put_cname(struct message *m, const char *to, uint32_t ttl)
{
	put_record(m, NULL, TYPE_CNAME, ttl, strlen(to) + 2);
	put_name(m, to);
}

static void put_soa(struct message *m, uint32_t ttl, uint32_t minimum)
{
	put_record(m, "test", TYPE_SOA, ttl, 9 + 9 + 20);
	m->answers--;
	m->authorities++;
	put_name(m, "ns.test");
	put_name(m, "me.test");
	put(m, 1, 4);
	put(m, 0, 8);
	put(m, 0, 4);
	put(m, minimum, 4);
}

static void put_nothing(struct message *m, uint32_t rcode, uint32_t ttl, uint32_t minimum)
{
	m->rcode = rcode;
	put_soa(m, ttl, minimum);
}

static void a_or_nothing(struct message *m, const char *ip, uint32_t ttl)
{
	if (m->type == TYPE_A)
		put_a(m, NULL, ip, ttl);
	else
		put_nothing(m, RCODE_OK, 40, 40);
}

static void put_both(struct message *m)
{
	if (m->type == TYPE_AAAA) {
		put_aaaa(m, "2001:db8::1", 7200);
		return;
	}
	put_a(m, NULL, "10.0.0.1", 100);
	put_a(m, NULL, "10.0.0.2", 100);
}

static void put_big(struct message *m, bool by_tcp)
{
	char ip[32];

	m->truncated = !by_tcp;
	for (int i = 0; by_tcp && m->type == TYPE_A && i < 20; i++) {
		(void)snprintf(ip, sizeof(ip), "10.1.0.%d", i);
		put_a(m, NULL, ip, 30);
	}
	if (by_tcp && m->type != TYPE_A)
		put_nothing(m, RCODE_OK, 40, 40);
}

static bool is(const struct message *m, const char *name)
{
	return strcasecmp(m->name, name) == 0;
}

static void put_alias(struct message *m, const char *to)
{
	put_cname(m, to, 5);
	if (m->type == TYPE_A && strcmp(to, "one.test") == 0)
		put_a(m, to, "10.0.0.1", 30);
	else
		put_nothing(m, RCODE_OK, 40, 40);
}

static void put_half(struct message *m)
{
	if (m->type == TYPE_A)
		put_a(m, NULL, "10.0.0.1", 30);
	else
		m->rcode = RCODE_SERVFAIL;
}

static void put_garbage(struct message *m)
{
	put_record(m, NULL, m->type, 30, 400);
	put(m, 0, 1);
}

/* False: nothing is said. */
static bool answer(struct message *m, bool by_tcp)
{
	if (is(m, "silent.test") || (is(m, "half.test") && m->type == TYPE_AAAA))
		return false;
	if (is(m, "one.test") || is(m, "half.test"))
		a_or_nothing(m, "10.0.0.1", 30);
	else if (is(m, "host.corp.test"))
		a_or_nothing(m, "10.9.9.9", 30);
	else if (is(m, "zero.test"))
		a_or_nothing(m, "10.0.0.1", 0);
	else if (is(m, "long.test"))
		a_or_nothing(m, "10.0.0.1", 100000);
	else if (is(m, "both.test"))
		put_both(m);
	else if (is(m, "alias.test"))
		put_alias(m, "one.test");
	else if (is(m, "dangling.test"))
		put_alias(m, "nowhere.test");
	else if (is(m, "big.test"))
		put_big(m, by_tcp);
	else if (is(m, "lame.test"))
		put_half(m);
	else if (is(m, "gone.test"))
		put_nothing(m, RCODE_NXDOMAIN, 900, 7);
	else if (is(m, "forever.test"))
		put_nothing(m, RCODE_NXDOMAIN, 86400, 86400);
	else if (is(m, "broken.test"))
		m->rcode = RCODE_SERVFAIL;
	else if (is(m, "garbage.test"))
		put_garbage(m);
	else if (is(m, "bare.test"))
		m->rcode = RCODE_NXDOMAIN;
	else
		put_nothing(m, RCODE_NXDOMAIN, 40, 40);
	m->bytes[2] = (uint8_t)(0x84 | (m->truncated ? 2 : 0) | (m->bytes[2] & 1));
	m->bytes[3] = (uint8_t)(0x80 | m->rcode);
	m->bytes[7] = (uint8_t)m->answers;
	m->bytes[9] = (uint8_t)m->authorities;
	m->bytes[6] = m->bytes[8] = m->bytes[10] = m->bytes[11] = 0;
	return true;
}

static void serve_udp(struct nameserver *s)
{
	struct message m = { .len = 0 };
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	uint8_t bytes[1500];
	ssize_t n = recvfrom(
		s->udp, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &from_len);

	if (n <= 0 || !read_question(&m, bytes, (size_t)n))
		return;
	s->asked++;
	if (answer(&m, false))
		(void)!sendto(
			s->udp, m.bytes, m.len, 0, (struct sockaddr *)&from, from_len);
}

static bool read_all(int fd, uint8_t *to, size_t n)
{
	while (n > 0) {
		ssize_t got = read(fd, to, n);
		if (got <= 0)
			return false;
		to += got;
		n -= (size_t)got;
	}
	return true;
}

/* One question of the connection; false: it has ended. */
static bool serve_tcp(struct nameserver *s, int fd)
{
	struct message m = { .len = 0 };
	uint8_t bytes[1500], head[2];

	if (!read_all(fd, head, 2))
		return false;
	size_t n = (size_t)head[0] << 8 | head[1];
	if (n > sizeof(bytes) || !read_all(fd, bytes, n) || !read_question(&m, bytes, n))
		return false;
	s->asked_tcp++;
	if (!answer(&m, true))
		return true;
	head[0] = (uint8_t)(m.len >> 8);
	head[1] = (uint8_t)m.len;
	return write(fd, head, 2) == 2 && write(fd, m.bytes, m.len) == (ssize_t)m.len;
}

/* One connection at a time, the next waits; a negative descriptor is not polled. */
static void *serve(void *arg)
{
	struct nameserver *s = arg;
	int conn = -1;

	for (;;) {
		struct pollfd fds[] = { { s->stop[0], POLLIN, 0 }, { s->udp, POLLIN, 0 },
			{ conn < 0 ? s->tcp : -1, POLLIN, 0 }, { conn, POLLIN, 0 } };
		assert_true(poll(fds, ARRAY_LEN(fds), -1) > 0);
		if (fds[0].revents)
			break;
		if (fds[1].revents)
			serve_udp(s);
		if (fds[2].revents)
			conn = accept(s->tcp, NULL, NULL);
		if (fds[3].revents && !serve_tcp(s, conn)) {
			close(conn);
			conn = -1;
		}
	}
	if (conn >= 0)
		close(conn);
	return NULL;
}

/* A port that is free for both. */
static bool bind_both(struct nameserver *s)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);

	s->udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	s->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->udp, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(s->udp, (struct sockaddr *)&at, &len), 0);
	s->port = ntohs(at.sin_port);
	if (bind(s->tcp, (struct sockaddr *)&at, sizeof(at)) == 0)
		return listen(s->tcp, 16) == 0;
	close(s->udp);
	close(s->tcp);
	return false;
}

void nameserver_start(struct nameserver *s)
{
	memset(s, 0, sizeof(*s));
	while (!bind_both(s))
		;
	assert_int_equal(pipe(s->stop), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

void nameserver_stop(struct nameserver *s)
{
	assert_int_equal(write(s->stop[1], "x", 1), 1);
	assert_int_equal(pthread_join(s->thread, NULL), 0);
	close(s->stop[0]);
	close(s->stop[1]);
	close(s->udp);
	close(s->tcp);
}

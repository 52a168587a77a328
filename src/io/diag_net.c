/* A namespace's counters and port range, from descriptors on its /proc files. */
#include "io/diag.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Opening. */

bool diag_net_open(struct diag_net *n, struct problem *p)
{
	/* thread-self, not self: setns moves one thread, and /proc/self is the first. */
	*n = (struct diag_net){
		.snmp_fd = open("/proc/thread-self/net/snmp", O_RDONLY | O_CLOEXEC),
		.netstat_fd = open("/proc/thread-self/net/netstat", O_RDONLY | O_CLOEXEC),
		.sockstat_fd = open(
			"/proc/thread-self/net/sockstat", O_RDONLY | O_CLOEXEC),
		.range_fd = open(
			"/proc/sys/net/ipv4/ip_local_port_range", O_RDONLY | O_CLOEXEC),
		.reserved_fd = open("/proc/sys/net/ipv4/ip_local_reserved_ports",
			O_RDONLY | O_CLOEXEC),
		.reuse_fd = open("/proc/sys/net/ipv4/tcp_tw_reuse", O_RDONLY | O_CLOEXEC),
		.reuse_delay_fd = open(
			"/proc/sys/net/ipv4/tcp_tw_reuse_delay", O_RDONLY | O_CLOEXEC),
		.timestamps_fd = open(
			"/proc/sys/net/ipv4/tcp_timestamps", O_RDONLY | O_CLOEXEC),
	};
	if (n->snmp_fd >= 0 && n->netstat_fd >= 0 && n->range_fd >= 0)
		return true;
	problem_set(p,
		"cannot read this network namespace's figures under /proc (net/snmp, "
		"net/netstat, sys/net/ipv4/ip_local_port_range): %s; is /proc mounted?",
		strerror(errno));
	diag_net_close(n);
	return false;
}

void diag_net_close(struct diag_net *n)
{
	int *const fds[] = { &n->snmp_fd, &n->netstat_fd, &n->sockstat_fd, &n->range_fd,
		&n->reserved_fd, &n->reuse_fd, &n->reuse_delay_fd, &n->timestamps_fd };

	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

/*
 * The whole file in one read: the sysctl of the reserved ports gives nothing at any
 * offset but 0. So read again with more room until there was room to spare.
 */
static enum err file_read(int fd, struct text *out)
{
	size_t cap = 8192;

	for (;;) {
		char *buf = mem_alloc(cap);
		ssize_t n = pread(fd, buf, cap, 0);

		if (n >= 0 && (size_t)n < cap) {
			text_reset(out);
			text_add_slice(out, (struct slice){ buf, (size_t)n });
			mem_free(buf);
			return ERR_OK;
		}
		mem_free(buf);
		if (n < 0 && errno != EINTR)
			return err_from_errno(errno);
		if (n >= 0)
			cap *= 2;
	}
}

/* Words and numbers. */

static struct slice cut_until(struct slice *rest, const char *stops)
{
	struct slice word = { rest->ptr, 0 };

	while (word.len < rest->len && !strchr(stops, rest->ptr[word.len]))
		word.len++;
	*rest = slice_cut(
		*rest, word.len < rest->len ? word.len + 1 : rest->len, rest->len);
	return word;
}

/* Skips what stands between words. */
static struct slice next_word(struct slice *rest)
{
	struct slice word = { NULL, 0 };

	while (rest->len && !word.len)
		word = cut_until(rest, " \t\n");
	return word;
}

static bool number(struct slice s, uint64_t *out)
{
	uint64_t n = 0;

	if (s.len == 0 || s.len > 19)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(s.ptr[i] - '0');
	}
	*out = n;
	return true;
}

/* Counters. */

static void counter_set(struct diag_counters *out, struct slice group, struct slice name,
	struct slice value)
{
	uint64_t n;

	if (!number(value, &n)) /* Tcp's MaxConn is -1 */
		return;
#define X(field, in, called) \
	if (slice_eq(group, SLICE(in)) && slice_eq(name, SLICE(called))) \
		out->field = n;
	DIAG_COUNTERS(X)
#undef X
}

/* snmp and netstat: a line "Group: names", then a line "Group: values". */
static void pairs_of_lines(struct diag_counters *out, struct slice file)
{
	while (file.len) {
		struct slice names = cut_until(&file, "\n");
		struct slice values = cut_until(&file, "\n");
		struct slice group = cut_until(&names, ":");

		(void)cut_until(&values, ":");
		while (names.len)
			counter_set(out, group, next_word(&names), next_word(&values));
	}
}

/* sockstat: lines "TCP: inuse 5 orphan 0 ...". The colon stays with the group, so that
 * it is not taken for snmp's. */
static void words_and_values(struct diag_counters *out, struct slice file)
{
	while (file.len) {
		struct slice line = cut_until(&file, "\n");
		struct slice group = next_word(&line);

		while (line.len) {
			struct slice name = next_word(&line);
			counter_set(out, group, name, next_word(&line));
		}
	}
}

enum err diag_net_counters(const struct diag_net *n, struct diag_counters *out)
{
	struct text t;
	enum err e;

	*out = (struct diag_counters){ 0 };
	text_init(&t);
	e = file_read(n->snmp_fd, &t);
	if (e == ERR_OK) {
		pairs_of_lines(out, text_slice(&t));
		e = file_read(n->netstat_fd, &t);
	}
	if (e == ERR_OK) {
		pairs_of_lines(out, text_slice(&t));
		if (n->sockstat_fd >= 0)
			e = file_read(n->sockstat_fd, &t);
		else
			text_reset(&t);
	}
	if (e == ERR_OK)
		words_and_values(out, text_slice(&t));
	text_fini(&t);
	return e;
}

enum err diag_net_aborts_on_data(const struct diag_net *n, uint64_t *out)
{
	struct diag_counters c = { 0 };
	struct text t;
	enum err e;

	text_init(&t);
	e = file_read(n->netstat_fd, &t);
	if (e == ERR_OK)
		pairs_of_lines(&c, text_slice(&t));
	text_fini(&t);
	*out = c.abort_on_data;
	return e;
}

/* Ports. */

static void reserve(struct diag_ports *p, uint32_t from, uint32_t to)
{
	for (uint32_t port = from; port <= to; port++)
		p->reserved[port / 8] |= (uint8_t)(1U << (port % 8));
}

bool diag_ports_has(const struct diag_ports *p, uint16_t port)
{
	return port >= p->low && port <= p->high &&
	       !(p->reserved[port / 8] & (1U << (port % 8)));
}

/* "9000-9010" or "8080". */
static bool reserved_item(struct diag_ports *p, struct slice item)
{
	struct slice first = cut_until(&item, "-");
	uint64_t from, to;

	if (!number(first, &from) || from > UINT16_MAX)
		return false;
	to = from;
	if (item.len && (!number(item, &to) || to > UINT16_MAX || to < from))
		return false;
	reserve(p, (uint32_t)from, (uint32_t)to);
	return true;
}

bool diag_ports_parse(struct slice range, struct slice reserved, struct diag_ports *out)
{
	uint64_t low, high;

	*out = (struct diag_ports){ 0 };
	if (!number(next_word(&range), &low) || !number(next_word(&range), &high) ||
		low > high || high > UINT16_MAX)
		return false;
	out->low = (uint16_t)low;
	out->high = (uint16_t)high;
	while (reserved.len) {
		struct slice item = cut_until(&reserved, ",\n");
		if (item.len && !reserved_item(out, item))
			return false;
	}
	for (uint32_t port = out->low; port <= out->high; port++) {
		if (!diag_ports_has(out, (uint16_t)port))
			continue;
		out->usable++;
		out->usable_first += port % 2 == out->low % 2;
	}
	return true;
}

/* A sysctl of one number; `dflt` where this kernel does not have it. */
static enum err sysctl_read(int fd, uint64_t dflt, uint64_t *out)
{
	struct text t;
	struct slice rest;
	enum err e;

	*out = dflt;
	if (fd < 0)
		return ERR_OK;
	text_init(&t);
	e = file_read(fd, &t);
	rest = text_slice(&t);
	if (e == ERR_OK && !number(next_word(&rest), out))
		e = ERR_SOCKET;
	text_fini(&t);
	return e;
}

enum err diag_net_reuse(const struct diag_net *n, struct diag_ports *out)
{
	uint64_t reuse, delay, stamps;
	enum err e = sysctl_read(n->reuse_fd, 0, &reuse);

	if (e == ERR_OK) /* a second, before there was a sysctl for it */
		e = sysctl_read(n->reuse_delay_fd, 1000, &delay);
	if (e == ERR_OK)
		e = sysctl_read(n->timestamps_fd, 1, &stamps);
	if (e != ERR_OK)
		return e;
	out->reuse = !stamps      ? DIAG_REUSE_NONE
		     : reuse == 1 ? DIAG_REUSE_ALL
		     : reuse == 2 ? DIAG_REUSE_LOOPBACK
				  : DIAG_REUSE_NONE;
	out->reuse_after_ms = (uint32_t)delay;
	return ERR_OK;
}

enum err diag_net_ports(const struct diag_net *n, struct diag_ports *out)
{
	struct text range, reserved;
	enum err e;

	text_init(&range);
	text_init(&reserved);
	e = file_read(n->range_fd, &range);
	if (e == ERR_OK && n->reserved_fd >= 0)
		e = file_read(n->reserved_fd, &reserved);
	if (e == ERR_OK &&
		!diag_ports_parse(text_slice(&range), text_slice(&reserved), out))
		e = ERR_SOCKET;
	if (e == ERR_OK)
		e = diag_net_reuse(n, out);
	text_fini(&range);
	text_fini(&reserved);
	return e;
}

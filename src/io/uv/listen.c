#include "io/uv/uv_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG_DEFAULT 4096
#define REST_FOR (10 * NS_MS)

static int open_bound(const struct addr *at, bool reuse_port, int *errnum)
{
	const int on = 1, off = 0;
	int fd = socket(at->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && !addr_is_unix(at))
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd >= 0 && at->sa.sa_family == AF_INET6 && addr_is_any(at))
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (fd >= 0 && reuse_port)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (fd >= 0 && bind(fd, &at->sa, at->len) == 0)
		return fd;
	*errnum = errno;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* With SO_REUSEPORT another program's port would be shared silently. */
static bool port_is_free(const struct addr *at, int *errnum)
{
	int fd = open_bound(at, false, errnum);

	if (fd < 0)
		return *errnum != EADDRINUSE;
	close(fd);
	return true;
}

/* A path whose socket nobody answers on. Anything else that has the name stays. */
static bool is_stale(const struct addr *at)
{
	struct stat st;

	if (lstat(at->un.sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool stale = fd >= 0 && connect(fd, &at->sa, at->len) < 0 &&
		     errno == ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	return stale;
}

static int bind_unix(const struct addr *at, int *errnum)
{
	int fd = open_bound(at, false, errnum);

	if (fd >= 0 || *errnum != EADDRINUSE || !is_stale(at))
		return fd;
	if (unlink(at->un.sun_path) < 0 && errno != ENOENT) {
		*errnum = errno;
		return -1;
	}
	return open_bound(at, false, errnum);
}

static int bind_tcp(struct addr *at, bool reuse_port, int *errnum)
{
	if (reuse_port && addr_port(at) != 0 && !port_is_free(at, errnum)) {
		*errnum = EADDRINUSE;
		return -1;
	}
	int fd = open_bound(at, reuse_port, errnum);
	if (fd >= 0 || *errnum != EAFNOSUPPORT || !addr_is_any(at))
		return fd;
	/* a host without IPv6: any address is any IPv4 address */
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = at->in6.sin6_port };
	*at = (struct addr){ .len = sizeof(in), .in = in };
	return open_bound(at, reuse_port, errnum);
}

/* The first of several; `at` becomes where it is. */
static int open_first(struct addr *at, bool shared, int backlog, int *errnum)
{
	struct addr bound = { .len = sizeof(bound) - offsetof(struct addr, sa) };
	int fd = addr_is_unix(at) ? bind_unix(at, errnum) : bind_tcp(at, shared, errnum);

	if (fd >= 0 && listen(fd, backlog) < 0) {
		*errnum = errno;
		close(fd);
		return -1;
	}
	if (fd >= 0 && addr_port(at) == 0 && !addr_is_unix(at) &&
		getsockname(fd, &bound.sa, &bound.len) == 0)
		addr_set_port(at, addr_port(&bound));
	return fd;
}

static int open_next(const struct addr *at, int first, int *errnum)
{
	int fd = addr_is_unix(at) ? fcntl(first, F_DUPFD_CLOEXEC, 0)
				  : open_bound(at, true, errnum);

	if (fd >= 0 && !addr_is_unix(at) && listen(fd, BACKLOG_DEFAULT) < 0) {
		close(fd);
		fd = -1;
	}
	if (fd < 0)
		*errnum = errno;
	return fd;
}

static enum err bind_failed(const struct addr *at, int errnum, struct problem *p)
{
	addr_bind_problem(p, at, errnum);
	/* here it does not speak of ports: the address is not one of this host */
	return errnum == EADDRNOTAVAIL ? ERR_SOCKET : err_from_errno(errnum);
}

enum err io_bind(
	const struct addr *at, struct io_bound *out, uint32_t n, struct problem *p)
{
	struct addr own = *at;
	int errnum = 0;

	for (uint32_t i = 0; i < n; i++) {
		int fd = i == 0 ? open_first(&own, n > 1, BACKLOG_DEFAULT, &errnum)
				: open_next(&own, out[0].fd, &errnum);
		out[i] = (struct io_bound){ fd, own, addr_is_unix(at) && i == 0 };
		if (fd >= 0)
			continue;
		while (i-- > 0)
			io_bound_close(&out[i]);
		return bind_failed(at, errnum, p);
	}
	return ERR_OK;
}

static void remove_file(const struct addr *at)
{
	struct stat st;

	if (lstat(at->un.sun_path, &st) == 0 && S_ISSOCK(st.st_mode))
		(void)unlink(at->un.sun_path);
}

void io_bound_close(struct io_bound *b)
{
	if (b->fd < 0)
		return;
	if (b->has_file)
		remove_file(&b->at);
	close(b->fd);
	b->fd = -1;
}

static void on_rest_over(struct timer *t)
{
	struct io_listener *l = CONTAINER_OF(t, struct io_listener, rest);
	uv_sock_poll(&l->sock)->resting = false;
	uv_sock_arm(&l->sock);
}

enum err io_adopt(struct io_loop *loop, struct io_listener *l, struct io_bound *from)
{
	CHECK(!io_is_open(&l->sock));
	enum err e = uv_sock_open(loop, &l->sock, from->fd, addr_is_unix(&from->at));
	if (e != ERR_OK && from->has_file)
		remove_file(&from->at);
	l->at = from->at;
	l->has_file = from->has_file;
	l->rest.on_fire = on_rest_over;
	from->fd = -1;
	return e;
}

enum err io_listen(struct io_loop *loop, struct io_listener *l, const struct addr *at,
	const struct io_listen_cfg *cfg, struct problem *p)
{
	struct io_bound bound = { .at = *at, .has_file = addr_is_unix(at) };
	int backlog = cfg && cfg->backlog > 0 ? cfg->backlog : BACKLOG_DEFAULT;
	int errnum = 0;

	bound.fd = open_first(&bound.at, false, backlog, &errnum);
	if (bound.fd < 0)
		return bind_failed(at, errnum, p);
	enum err e = io_adopt(loop, l, &bound);
	if (e != ERR_OK)
		addr_bind_problem(p, at, e == ERR_NO_MEMORY ? ENOMEM : ENOSPC);
	return e;
}

/* Those who wait stay in the backlog, and the loop sleeps instead of asking in vain. */
static void rest(struct io_listener *l)
{
	struct io_loop *loop = l->sock.loop;
	uv_sock_disarm(&l->sock);
	uv_sock_poll(&l->sock)->resting = true;
	io_timer_set(loop, &l->rest, ns_add(io_clock(loop), REST_FOR));
}

static bool somebody_waits(const struct io_listener *l)
{
	struct pollfd p = { .fd = l->sock.fd, .events = POLLIN };
	return poll(&p, 1, 0) == 1;
}

/* Without a free descriptor the kernel does not even look into the queue. */
static enum err accept_failed(struct io_listener *l, int errnum)
{
	enum err e = err_from_errno(errnum);
	if (e != ERR_NO_FDS && e != ERR_NO_MEMORY)
		return e;
	if (!somebody_waits(l))
		return ERR_AGAIN;
	rest(l);
	return ERR_NO_FDS;
}

enum err io_accept(struct io_listener *l, struct io_sock *s, struct addr *peer)
{
	struct addr from = { .len = sizeof(from) - offsetof(struct addr, sa) };
	bool is_unix = addr_is_unix(&l->at);
	int on = 1, fd;

	if (uv_sock_poll(&l->sock)->resting)
		return ERR_NO_FDS;
	do { /* a connection reset while it waited is no failure of the listener */
		fd = accept4(
			l->sock.fd, &from.sa, &from.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	} while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	if (fd < 0)
		return accept_failed(l, errno);
	if (!is_unix)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	addr_unmap(&from);
	if (peer)
		*peer = from;
	return uv_sock_open(l->sock.loop, s, fd, is_unix);
}

/* A filter in front of the listening socket that drops segments with SYN and without ACK. */
void io_listener_deafen(struct io_listener *l)
{
	enum { FLAGS_AT = 13, FLAG_SYN = 2, FLAG_ACK = 16 };
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FLAGS_AT),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, FLAG_SYN | FLAG_ACK),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FLAG_SYN, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	const struct sock_fprog filter = { ARRAY_LEN(code), code };
	if (l->has_file)
		remove_file(&l->at);
	l->has_file = false;
	if (!addr_is_unix(&l->at))
		(void)setsockopt(l->sock.fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter,
			sizeof(filter));
}

void io_listener_close(struct io_listener *l)
{
	if (!io_is_open(&l->sock))
		return;
	io_timer_stop(l->sock.loop, &l->rest);
	if (l->has_file)
		remove_file(&l->at);
	io_close(&l->sock, IO_CLOSE_FIN);
}

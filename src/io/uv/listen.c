#include "io/uv/uv_loop.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/tcp.h>
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

static bool listens_at(int fd, const struct addr *at)
{
	int listens = 0;
	socklen_t len = sizeof(listens);
	struct addr own = { .len = sizeof(own) - offsetof(struct addr, sa) };

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 &&
	       listens && getsockname(fd, &own.sa, &own.len) == 0 && addr_eq(&own, at);
}

/* Whether this process listens there already: then its other threads may join. */
static bool is_ours(const struct addr *at)
{
	DIR *dir = opendir("/proc/self/fd");
	bool found = false;

	if (!dir)
		return false;
	for (struct dirent *d = readdir(dir); d && !found; d = readdir(dir))
		found = listens_at((int)strtol(d->d_name, NULL, 10), at);
	closedir(dir);
	return found;
}

static bool port_is_free(const struct addr *at, int *errnum)
{
	int fd = open_bound(at, false, errnum);

	if (fd < 0)
		return *errnum != EADDRINUSE || is_ours(at);
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
	/* with SO_REUSEPORT another program's port would be shared silently */
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

static void on_rest_over(struct timer *t)
{
	struct io_listener *l = CONTAINER_OF(t, struct io_listener, rest);
	uv_sock_poll(&l->sock)->resting = false;
	uv_sock_arm(&l->sock);
}

enum err io_listen(struct io_loop *loop, struct io_listener *l, const struct addr *at,
	const struct io_listen_cfg *cfg, struct problem *p)
{
	const struct io_listen_cfg dflt = { 0 };
	int errnum = 0;

	CHECK(!io_is_open(&l->sock));
	cfg = cfg ? cfg : &dflt;
	l->at = *at;
	int fd = addr_is_unix(at) ? bind_unix(&l->at, &errnum)
				  : bind_tcp(&l->at, cfg->reuse_port, &errnum);
	if (fd >= 0 &&
		listen(fd, cfg->backlog > 0 ? cfg->backlog : BACKLOG_DEFAULT) < 0) {
		errnum = errno;
		close(fd);
		fd = -1;
	}
	if (fd < 0) {
		addr_bind_problem(p, at, errnum);
		/* here it does not speak of ports: the address is not one of this host */
		return errnum == EADDRNOTAVAIL ? ERR_SOCKET : err_from_errno(errnum);
	}
	enum err e = uv_sock_open(loop, &l->sock, fd, addr_is_unix(at));
	if (e != ERR_OK) {
		addr_bind_problem(p, at, e == ERR_NO_MEMORY ? ENOMEM : ENOSPC);
		return e;
	}
	struct addr bound = { .len = sizeof(bound) - offsetof(struct addr, sa) };
	if (addr_port(at) == 0 && !addr_is_unix(at) &&
		getsockname(fd, &bound.sa, &bound.len) == 0)
		addr_set_port(&l->at, addr_port(&bound));
	l->rest.on_fire = on_rest_over;
	return ERR_OK;
}

/* Those who wait stay in the backlog, and the loop sleeps instead of asking in vain. */
static void rest(struct io_listener *l)
{
	struct io_loop *loop = l->sock.loop;
	uv_sock_disarm(&l->sock);
	uv_sock_poll(&l->sock)->resting = true;
	io_timer_set(loop, &l->rest, ns_add(io_clock(loop), REST_FOR));
}

static enum err accept_failed(struct io_listener *l, int errnum)
{
	enum err e = err_from_errno(errnum);
	if (e == ERR_NO_FDS || e == ERR_NO_MEMORY) {
		rest(l);
		return ERR_NO_FDS;
	}
	return e;
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

void io_listener_close(struct io_listener *l)
{
	struct stat st;

	if (!io_is_open(&l->sock))
		return;
	io_timer_stop(l->sock.loop, &l->rest);
	if (addr_is_unix(&l->at) && lstat(l->at.un.sun_path, &st) == 0 &&
		S_ISSOCK(st.st_mode))
		(void)unlink(l->at.un.sun_path);
	io_close(&l->sock, IO_CLOSE_FIN);
}

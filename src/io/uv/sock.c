#include "io/uv/uv_loop.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

_Static_assert((int)IO_READ == (int)UV_READABLE && (int)IO_WRITE == (int)UV_WRITABLE,
	"bits pass through");

static void on_poll(uv_poll_t *p, int status, int events);

void uv_sock_arm(struct io_sock *s)
{
	struct sock_poll *sp = uv_sock_poll(s);

	if (!(s->wanted & ~s->armed) || sp->resting)
		return;
	CHECK(s->on_ready);
	CHECK(uv_poll_start(&sp->poll, s->wanted, on_poll) == 0);
	s->armed = s->wanted;
}

void uv_sock_disarm(struct io_sock *s)
{
	uv_poll_stop(&uv_sock_poll(s)->poll);
	s->armed = 0;
}

/* Something armed fired that nobody wants: here the lazy io_want is paid for. */
static void drop_unwanted(struct io_sock *s)
{
	if (!s->wanted) {
		uv_sock_disarm(s);
		return;
	}
	s->armed = 0; /* one uv_poll_start changes it all */
	uv_sock_arm(s);
}

static void on_poll(uv_poll_t *p, int status, int events)
{
	struct sock_poll *sp = CONTAINER_OF(p, struct sock_poll, poll);
	struct io_sock *s = sp->sock;
	unsigned bits = (unsigned)events;

	uv_turn_start(s->loop);
	s->loop->events++;
	if (status < 0) { /* an error is pending; libuv has stopped watching */
		s->armed = 0;
		bits = IO_READ | IO_WRITE;
	}
	if (bits & IO_WRITE)
		sp->writable = true;
	unsigned wanted = bits & s->wanted;
	if (bits & s->armed & ~s->wanted)
		drop_unwanted(s);
	if (wanted)
		s->on_ready(s, wanted);
	if (sp->sock) /* not closed meanwhile */
		uv_sock_arm(sp->sock);
}

static void on_poll_closed(uv_handle_t *h)
{
	struct io_loop *loop = h->data;
	slab_give(&loop->polls, CONTAINER_OF(h, struct sock_poll, poll));
}

enum err uv_sock_open(struct io_loop *loop, struct io_sock *s, int fd, bool is_unix)
{
	struct sock_poll *sp = slab_take(&loop->polls);
	int rc = uv_poll_init(&loop->uv, &sp->poll, fd);

	CHECK(!io_is_open(s));
	if (rc != 0) {
		slab_give(&loop->polls, sp);
		close(fd);
		return err_from_errno(-rc);
	}
	sp->poll.data = loop;
	sp->sock = s;
	sp->is_unix = is_unix;
	uv_unref((uv_handle_t *)&sp->poll); /* until something is wanted */
	s->loop = loop;
	s->fd = fd;
	s->wanted = s->armed = 0;
	s->connecting = false;
	s->twin = sp;
	loop->sock_count++;
	return ERR_OK;
}

void io_want(struct io_sock *s, unsigned bits)
{
	uv_handle_t *h = (uv_handle_t *)&uv_sock_poll(s)->poll;

	CHECK(io_is_open(s) && bits <= (IO_READ | IO_WRITE));
	s->wanted = (uint8_t)bits;
	if (bits)
		uv_ref(h);
	else
		uv_unref(h); /* perhaps still armed, but that could not call back */
	uv_sock_arm(s);
}

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif

/* A range of the socket's own makes inet_hash_connect go through the ports one by one, not two by
 * two; beyond the host's range it bounds nothing. Older kernels refuse it, no harm done. */
static void choose_from_all_ports(int fd)
{
	const uint32_t any = UINT32_C(65535) << 16 | 1;
	(void)setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &any, sizeof(any));
}

/* Without the port, so that the kernel picks it in connect, per destination. */
static enum err bind_source(int fd, const struct addr *from)
{
	int on = 1;
	struct addr at = *from;

	if (!addr_is_unix(&at)) {
		(void)setsockopt(
			fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
		addr_set_port(&at, 0);
	}
	if (bind(fd, &at.sa, at.len) == 0)
		return ERR_OK;
	/* here it does not speak of ports: the address is not one of this host */
	return errno == EADDRNOTAVAIL ? ERR_SOCKET : err_from_errno(errno);
}

static enum err start_connect(int fd, const struct addr *to, bool *connecting)
{
	int rc;

	*connecting = false;
	do {
		rc = connect(fd, &to->sa, to->len);
	} while (rc < 0 && errno == EINTR);
	if (rc == 0)
		return ERR_OK;
	*connecting = true;
	if (errno == EINPROGRESS)
		return ERR_OK;
	if (errno ==
		EAGAIN) /* unix: the listener's backlog is full; nothing is under way */
		return addr_is_unix(to) ? ERR_REFUSED : ERR_NO_PORTS;
	return err_from_errno(errno);
}

enum err io_connect(struct io_loop *loop, struct io_sock *s, const struct addr *to,
	const struct addr *from)
{
	int on = 1;
	bool connecting;
	enum err e = ERR_OK;
	int fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_from_errno(errno);
	if (!addr_is_unix(to))
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (loop->all_ports && !addr_is_unix(to))
		choose_from_all_ports(fd);
	if (from)
		e = bind_source(fd, from);
	if (e == ERR_OK)
		e = start_connect(fd, to, &connecting);
	if (e != ERR_OK) {
		close(fd);
		return e;
	}
	e = uv_sock_open(loop, s, fd, addr_is_unix(to));
	if (e == ERR_OK)
		s->connecting = connecting;
	return e;
}

static bool is_writable_now(struct io_sock *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLOUT };
	return poll(&p, 1, 0) == 1;
}

enum err io_connect_result(struct io_sock *s)
{
	struct sock_poll *sp = uv_sock_poll(s);
	int error = 0;
	socklen_t len = sizeof(error);

	if (!s->connecting)
		return ERR_OK;
	if (sp->failed != ERR_OK)
		return sp->failed;
	if (!sp->writable && !is_writable_now(s))
		return ERR_AGAIN;
	CHECK(getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0);
	if (error) { /* told once by the kernel, so it is kept */
		sp->failed = err_from_errno(error);
		return sp->failed;
	}
	s->connecting = false;
	return ERR_OK;
}

enum err io_read(struct io_sock *s, void *buf, size_t cap, size_t *got)
{
	ssize_t n;

	CHECK(cap > 0);
	*got = 0;
	do {
		n = recv(s->fd, buf, cap, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return ERR_EOF;
	if (n < 0)
		return err_from_errno(errno);
	*got = (size_t)n;
	return ERR_OK;
}

enum err io_writev(struct io_sock *s, const struct iovec *iov, int n, size_t *put)
{
	/* sendmsg reads the vector only; its type cannot say so */
	struct msghdr msg = { .msg_iov = (struct iovec *)(uintptr_t)iov,
		.msg_iovlen = (size_t)n };
	ssize_t sent;

	*put = 0;
	do {
		/* one run, the common case: no vector for the kernel to copy in */
		sent = n == 1 ? send(s->fd, iov->iov_base, iov->iov_len,
					MSG_NOSIGNAL | MSG_DONTWAIT)
			      : sendmsg(s->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return err_from_errno(errno);
	*put = (size_t)sent;
	return ERR_OK;
}

enum err io_shutdown(struct io_sock *s)
{
	return shutdown(s->fd, SHUT_WR) == 0 ? ERR_OK : err_from_errno(errno);
}

/* libuv takes the descriptor out of its epoll set and out of the batch of events being handled.
 * The descriptor is the caller's. */
static int unwatch(struct io_sock *s)
{
	struct sock_poll *sp = uv_sock_poll(s);
	int fd = s->fd;

	sp->sock = NULL;
	uv_close((uv_handle_t *)&sp->poll, on_poll_closed);
	s->loop->sock_count--;
	s->loop = NULL;
	s->twin = NULL;
	s->fd = -1;
	s->wanted = s->armed = 0;
	s->connecting = false;
	return fd;
}

/* libuv first: after close() the number may belong to another socket at once. */
void io_close(struct io_sock *s, enum io_close how)
{
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	if (!io_is_open(s))
		return;
	int fd = unwatch(s);
	if (how == IO_CLOSE_RESET)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
}

void io_detach(struct io_sock *s, struct io_sock *loose)
{
	CHECK(io_is_open(s) && !s->connecting);
	*loose = (struct io_sock){ .fd = unwatch(s) };
}

static bool is_unix(int fd)
{
	int domain = AF_UNSPEC;
	socklen_t len = sizeof(domain);
	CHECK(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0);
	return domain == AF_UNIX;
}

enum err io_attach(struct io_loop *loop, struct io_sock *s, struct io_sock *loose)
{
	int fd = loose->fd;
	CHECK(!io_is_open(loose) && fd >= 0);
	loose->fd = -1;
	return uv_sock_open(loop, s, fd, is_unix(fd));
}

uint32_t io_unacked(struct io_sock *s)
{
	int out = 0;

	/* a unix: socket has delivered what it has taken */
	if (uv_sock_poll(s)->is_unix || ioctl(s->fd, SIOCOUTQ, &out) < 0)
		return 0;
	return (uint32_t)out;
}

enum err io_queued(struct io_sock *s, uint32_t *unread, uint32_t *unacked)
{
	int in = 0;

	*unread = *unacked = 0;
	if (ioctl(s->fd, SIOCINQ, &in) < 0)
		return err_from_errno(errno);
	*unread = (uint32_t)in;
	*unacked = io_unacked(s);
	return ERR_OK;
}

ns_t io_rtt(struct io_sock *s)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (uv_sock_poll(s)->is_unix ||
		getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return 0;
	return info.tcpi_rtt * NS_US;
}

ns_t io_end_gap(struct io_sock *s)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (uv_sock_poll(s)->is_unix ||
		getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return NS_NEVER;
	/* a FIN acknowledges, as every segment does, and is no data */
	return ns_max(0, (ns_t)info.tcpi_last_data_recv - info.tcpi_last_ack_recv) *
	       NS_MS;
}

bool io_local_addr(struct io_sock *s, struct addr *out)
{
	*out = (struct addr){ .len = sizeof(*out) - offsetof(struct addr, sa) };
	if (getsockname(s->fd, &out->sa, &out->len) < 0) {
		out->len = 0;
		return false;
	}
	addr_unmap(out);
	return true;
}

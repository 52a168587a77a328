#include "conn/conn.h"

static enum err tcp_connected(struct conn *c)
{
	return io_connect_result(&c->sock);
}

static enum err tcp_read(struct conn *c, void *buf, size_t cap, size_t *got)
{
	return io_read(&c->sock, buf, cap, got);
}

static enum err tcp_writev(struct conn *c, const struct iovec *iov, int n, size_t *put)
{
	return io_writev(&c->sock, iov, n, put);
}

static enum err tcp_shutdown(struct conn *c)
{
	return io_shutdown(&c->sock);
}

static void tcp_farewell(struct conn *c)
{
	(void)c; /* FIN or RST say it */
}

static void tcp_close(struct conn *c, enum io_close how)
{
	io_close(&c->sock, how);
}

static void tcp_want(struct conn *c)
{
	io_want(&c->sock, c->wanted);
}

static void tcp_on_sock_ready(struct conn *c, unsigned bits)
{
	c->on_ready(c, bits);
}

static uint64_t tcp_sent(const struct conn *c)
{
	return c->tx_bytes;
}

static const char *tcp_detail(const struct conn *c)
{
	(void)c;
	return "";
}

static void tcp_release(struct conn *c)
{
	(void)c; /* nothing of ours is on the loop */
}

static void tcp_adopt(struct conn *c, bool open)
{
	(void)c;
	(void)open;
}

static const struct conn_filter tcp_filter = {
	.name = "tcp",
	.connected = tcp_connected,
	.read = tcp_read,
	.writev = tcp_writev,
	.shutdown = tcp_shutdown,
	.farewell = tcp_farewell,
	.close = tcp_close,
	.want = tcp_want,
	.on_sock_ready = tcp_on_sock_ready,
	.sent = tcp_sent,
	.detail = tcp_detail,
	.release = tcp_release,
	.adopt = tcp_adopt,
};

static void on_sock_ready(struct io_sock *s, unsigned bits)
{
	struct conn *c = CONTAINER_OF(s, struct conn, sock);
	c->filter->on_sock_ready(c, bits);
}

static void conn_start(struct conn *c)
{
	c->filter = &tcp_filter;
	c->tls = NULL;
	c->wanted = 0;
	c->cut = false;
	c->sock.on_ready = on_sock_ready;
	c->last_rx_at = c->last_tx_at = 0;
	c->shaking_at = 0;
	c->rx_bytes = c->tx_bytes = 0;
}

enum err conn_connect(struct conn *c, struct io_loop *loop, const struct addr *to,
	const struct addr *from)
{
	enum err e = io_connect(loop, &c->sock, to, from);
	if (e == ERR_OK)
		conn_start(c);
	return e;
}

enum err conn_connected(struct conn *c)
{
	return c->filter->connected(c);
}

bool conn_is_shaking(struct conn *c)
{
	return conn_is_open(c) && !c->sock.connecting &&
	       c->filter->connected(c) == ERR_AGAIN;
}

enum err conn_accept(struct conn *c, struct io_listener *l, struct addr *peer)
{
	enum err e = io_accept(l, &c->sock, peer);
	if (e == ERR_OK)
		conn_start(c);
	return e;
}

enum err conn_read(struct conn *c, void *buf, size_t cap, size_t *got)
{
	enum err e = c->filter->read(c, buf, cap, got);
	if (e == ERR_OK) {
		c->rx_bytes += *got;
		c->last_rx_at = io_now(c->sock.loop);
	}
	return e;
}

enum err conn_writev(struct conn *c, const struct iovec *iov, int n, size_t *put)
{
	enum err e = c->filter->writev(c, iov, n, put);
	if (e == ERR_OK) {
		c->tx_bytes += *put;
		c->last_tx_at = io_now(c->sock.loop);
	}
	return e;
}

uint64_t conn_sent(const struct conn *c)
{
	return c->filter->sent(c);
}

void conn_want(struct conn *c, unsigned bits)
{
	if (c->wanted == bits)
		return;
	c->wanted = (uint8_t)bits;
	c->filter->want(c);
}

enum err conn_shutdown(struct conn *c)
{
	return c->filter->shutdown(c);
}

void conn_farewell(struct conn *c)
{
	c->filter->farewell(c);
}

bool conn_is_left(struct conn *c)
{
	char beyond; /* what comes behind a close_notify is nobody's */
	size_t got;
	return !c->tls || io_read(&c->sock, &beyond, 1, &got) != ERR_AGAIN;
}

enum io_close conn_quiet_close(struct conn *c)
{
	uint32_t unread = 0, unacked = 0;
	bool quiet = io_queued(&c->sock, &unread, &unacked) == ERR_OK && unread == 0 &&
		     unacked == 0;
	return quiet ? IO_CLOSE_RESET : IO_CLOSE_FIN;
}

void conn_close(struct conn *c, enum io_close how)
{
	if (!conn_is_open(c))
		return;
	c->wanted = 0;
	c->filter->close(c, how);
}

void conn_strip(struct conn *c)
{
	conn_want(c, 0);
	c->filter->release(c);
	c->filter->adopt(c, false);
	c->filter = &tcp_filter;
	io_want(&c->sock, 0);
}

void conn_release(struct conn *c, struct conn *loose)
{
	CHECK(conn_is_open(c));
	c->wanted = 0;
	c->filter->release(c);
	*loose = *c;
	io_detach(&c->sock, &loose->sock);
	c->tls = NULL;
}

enum err conn_adopt(struct conn *c, struct io_loop *loop, struct conn *loose)
{
	struct conn from = *loose;
	from.on_ready = c->on_ready;
	from.sock = c->sock;
	*c = from;
	c->sock.on_ready = on_sock_ready;
	enum err e = io_attach(loop, &c->sock, &loose->sock);
	c->filter->adopt(c, e == ERR_OK);
	loose->tls = NULL;
	return e;
}

const char *conn_detail(const struct conn *c)
{
	return c->filter ? c->filter->detail(c) : "";
}

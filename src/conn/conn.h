/*
 * conn: a connection as a filter over one socket: bare (conn.c), or TLS (conn/tls.h), which
 * is put on after conn_connect or conn_accept. The owner's calls are the same.
 *
 * MODEL   Results and readiness are those of io/sock.h, of the owner's own bytes. What the
 *         kernel will not tell later (when bytes last moved, how many) is noted as it
 *         happens.
 * RULES   1. After conn_close no callback follows; the owner may free the storage at once.
 *         2. What conn_writev did not take is offered again, the same bytes before any
 *            others, or the connection is closed: TLS may have sealed them in a record that
 *            waits for room in the socket.
 * OWNS    embedded in the caller's object, zeroed before first use.
 */
#ifndef WEIR_CONN_CONN_H
#define WEIR_CONN_CONN_H

#include "io/sock.h"

struct conn;
struct tls;

struct conn_filter {
	const char *name;
	enum err (*connected)(struct conn *c);
	enum err (*read)(struct conn *c, void *buf, size_t cap, size_t *got);
	enum err (*writev)(struct conn *c, const struct iovec *iov, int n, size_t *put);
	enum err (*shutdown)(struct conn *c);
	void (*farewell)(struct conn *c);
	void (*close)(struct conn *c, enum io_close how);
	void (*want)(struct conn *c); /* conn.wanted has changed */
	void (*on_sock_ready)(
		struct conn *c, unsigned bits); /* may end in conn.on_ready */
	uint64_t (*sent)(const struct conn *c);
	const char *(*detail)(const struct conn *c);
	void (*release)(struct conn *c);
	void (*adopt)(struct conn *c, bool open); /* not open: it was closed on the way */
};

struct conn {
	struct io_sock sock;
	const struct conn_filter *filter;
	struct tls *tls; /* the TLS filter's; NULL: none */
	void (*on_ready)(struct conn *c, unsigned bits);
	uint8_t wanted; /* by the owner; sock.wanted is what that needs of the socket */
	bool cut; /* read gave ERR_EOF, but TLS's close_notify had not come: who ended the
		     stream is unknown, so a message that lasts until the end is not whole;
		     or the socket ended during the handshake, with no alert before */
	ns_t last_rx_at, last_tx_at; /* 0 until bytes moved */
	ns_t shaking_at; /* the TLS handshake began, as a client or a server; 0: not yet */
	uint64_t rx_bytes, tx_bytes;
};

/* Starts connecting; as io_connect, then ask conn_connected from on_ready. */
MUST_USE enum err conn_connect(struct conn *c, struct io_loop *loop,
	const struct addr *to, const struct addr *from);
/* ERR_OK: connected (with TLS: its handshake is over). ERR_AGAIN: not yet, on_ready comes.
 * Else why not. */
MUST_USE enum err conn_connected(struct conn *c);
/* The socket is connected, TLS's handshake is under way. */
bool conn_is_shaking(struct conn *c);
/* Takes a waiting connection of the listener; as io_accept. */
MUST_USE enum err conn_accept(struct conn *c, struct io_listener *l, struct addr *peer);

static inline bool conn_is_open(const struct conn *c)
{
	return io_is_open(&c->sock);
}

MUST_USE enum err conn_read(struct conn *c, void *buf, size_t cap, size_t *got);
MUST_USE enum err conn_writev(
	struct conn *c, const struct iovec *iov, int n, size_t *put);
/* Bytes that are with the kernel: those of the owner, and what TLS makes of them. */
uint64_t conn_sent(const struct conn *c);
void conn_want(struct conn *c, unsigned bits); /* the whole set */
static inline unsigned conn_wanted(const struct conn *c)
{
	return c->wanted;
}
/* No more will be written: TLS's close_notify, then FIN. */
MUST_USE enum err conn_shutdown(struct conn *c);
/* Before a reset of a connection at rest: says that this end is no accident (close_notify).
 * Without TLS: nothing. */
void conn_farewell(struct conn *c);
/* After ERR_EOF, or a failure: whether the peer has closed, too. Under TLS its close_notify may have come alone:
 * it waits for ours, or its FIN is on the way. */
bool conn_is_left(struct conn *c);
/* How to close a connection at rest so that no TIME_WAIT is left: a reset, unless there is
 * something unread or not acknowledged that it would destroy. Ask before the farewell. */
enum io_close conn_quiet_close(struct conn *c);
/* IO_CLOSE_FIN says the farewell by itself. */
void conn_close(struct conn *c, enum io_close how);
/* The filter comes off, and its state goes: bytes are the socket's own from now on. Nothing is
 * wanted any more. */
void conn_strip(struct conn *c);
/*
 * To another loop, at rest: no byte is under way in either direction, and conn_connected was
 * ERR_OK. conn_release takes it off its loop into `loose` (`c` is as closed); conn_adopt, in
 * the other loop's thread, puts it into `c`, whose on_ready is set, nothing wanted yet. Not
 * ERR_OK: it was closed. With TLS tls_adopt follows.
 */
void conn_release(struct conn *c, struct conn *loose);
MUST_USE enum err conn_adopt(struct conn *c, struct io_loop *loop, struct conn *loose);
/* What there is to say about the last error beyond err_text ("certificate of api: has
 * expired"); "" when nothing. Valid until conn_close. */
const char *conn_detail(const struct conn *c);

#endif

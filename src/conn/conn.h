/*
 * conn: a connection as a chain of filters over one socket. Today the chain is the socket
 * itself (conn/tcp.c); TLS is a second filter with the same five calls.
 *
 * MODEL   Results and readiness are those of io/sock.h. What the kernel will not tell later
 *         (when it opened, when bytes last moved, how many) is noted as it happens.
 * RULES   1. After conn_close no callback follows; the owner may free the storage at once.
 * OWNS    embedded in the caller's object, zeroed before first use.
 */
#ifndef WEIR_CONN_CONN_H
#define WEIR_CONN_CONN_H

#include "io/sock.h"

struct conn;

struct conn_filter {
	const char *name;
	enum err (*read)(struct conn *c, void *buf, size_t cap, size_t *got);
	enum err (*writev)(struct conn *c, const struct iovec *iov, int n, size_t *put);
	enum err (*shutdown)(struct conn *c);
	void (*close)(struct conn *c, enum io_close how);
};

struct conn {
	struct io_sock sock;
	const struct conn_filter *filter;
	void (*on_ready)(struct conn *c, unsigned bits);
	ns_t opened_at, last_rx_at, last_tx_at; /* last_*: 0 until bytes moved */
	uint64_t rx_bytes, tx_bytes;
};

/* Starts connecting; as io_connect, then ask conn_connected from on_ready. */
MUST_USE enum err conn_connect(struct conn *c, struct io_loop *loop,
	const struct addr *to, const struct addr *from);
MUST_USE enum err conn_connected(struct conn *c);
/* Takes a waiting connection of the listener; as io_accept. */
MUST_USE enum err conn_accept(struct conn *c, struct io_listener *l, struct addr *peer);

static inline bool conn_is_open(const struct conn *c)
{
	return io_is_open(&c->sock);
}

MUST_USE enum err conn_read(struct conn *c, void *buf, size_t cap, size_t *got);
MUST_USE enum err conn_writev(
	struct conn *c, const struct iovec *iov, int n, size_t *put);
void conn_want(struct conn *c, unsigned bits); /* the whole set */
static inline unsigned conn_wanted(const struct conn *c)
{
	return c->sock.wanted;
}
MUST_USE enum err conn_shutdown(struct conn *c);
void conn_close(struct conn *c, enum io_close how);

#endif

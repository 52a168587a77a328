/*
 * sock: stream sockets (TCP over IPv4 and IPv6, and unix:) by readiness. No buffering, no
 * HTTP.
 *
 * MODEL   Calls never block. on_ready(sock, bits) tells that a wanted direction may
 *         progress; the owner then reads or writes until ERR_AGAIN or until its budget is
 *         spent (readiness is level-like: with data left and IO_READ wanted, on_ready
 *         comes again next turn).
 * RULES   1. on_ready never runs inside a call of this header.
 *         2. After io_close no callback follows, and the owner may free the storage at
 *            once.
 *         3. Changing `wanted` costs system calls only when it matters: dropping a bit is
 *            lazy (the loop disarms when an unwanted event fires), so leave IO_READ
 *            wanted and change only when blocked.
 *         4. A hang-up or an error is reported as both bits that are wanted; the next
 *            read or write says what it was. A peer's FIN is readable (read gives
 *            ERR_EOF).
 *         5. A connection can move to another loop: io_detach in the one thread, io_attach in
 *            the other. In between nothing of it calls back, and nothing is lost.
 * OWNS    struct io_sock is embedded in the caller's object, zeroed before first use.
 * CONTEXT the loop's thread.
 */
#ifndef WEIR_IO_SOCK_H
#define WEIR_IO_SOCK_H

#include <sys/uio.h>

#include "io/addr.h"
#include "io/loop.h"

enum { IO_READ = 1, IO_WRITE = 2 };

/* How a descriptor goes away. */
enum io_close {
	IO_CLOSE_FIN,   /* close(): FIN, or RST by the kernel if bytes were left unread */
	IO_CLOSE_RESET, /* RST at once (SO_LINGER 0): leaves no state on either side */
};

struct io_sock {
	struct io_loop *loop; /* NULL: not open */
	void (*on_ready)(struct io_sock *s, unsigned bits);
	int fd;         /* real loop: the descriptor; simulated: an index for traces */
	uint8_t wanted; /* IO_READ | IO_WRITE, by io_want */
	uint8_t armed;  /* the loop's business */
	bool connecting;
	void *twin; /* the loop's business */
};

static inline bool io_is_open(const struct io_sock *s)
{
	return s->loop != NULL;
}

/*
 * Starts a connection, from `from` (address; port 0) when not NULL. ERR_OK: under way;
 * want IO_WRITE and ask io_connect_result when on_ready comes (it may be immediate, as
 * with unix:). Errors: ERR_NO_PORTS, ERR_NO_FDS, ERR_UNREACHABLE, ERR_ACCESS, ERR_REFUSED
 * (always so with unix:), ERR_SOCKET (`from` is not an address of this host); then the
 * socket is not open. TCP_NODELAY is set.
 */
MUST_USE enum err io_connect(struct io_loop *loop, struct io_sock *s,
	const struct addr *to, const struct addr *from);
/* ERR_OK connected, ERR_AGAIN not yet, else why not (the socket stays open until
 * io_close). */
MUST_USE enum err io_connect_result(struct io_sock *s);

/* ERR_OK: *got >= 1. ERR_EOF, ERR_AGAIN, ERR_RESET, ERR_SOCKET ... : *got == 0. EINTR is
 * retried inside. */
MUST_USE enum err io_read(struct io_sock *s, void *buf, size_t cap, size_t *got);
/* ERR_OK: *put >= 1, perhaps fewer than asked. ERR_PIPE and ERR_RESET: what arrived can
 * still be read. */
MUST_USE enum err io_writev(
	struct io_sock *s, const struct iovec *iov, int n, size_t *put);
void io_want(struct io_sock *s, unsigned bits);
MUST_USE enum err io_shutdown(struct io_sock *s); /* FIN after what was written */
/* Closes; fine on a socket that is not open. */
void io_close(struct io_sock *s, enum io_close how);

/* Off its loop: `s` is as after io_close, but the connection is there still, and `loose` holds
 * it. Not while it connects. */
void io_detach(struct io_sock *s, struct io_sock *loose);
/* Onto a loop: `s` is open, nothing wanted yet; `loose` is empty. Not ERR_OK: it was closed. */
MUST_USE enum err io_attach(
	struct io_loop *loop, struct io_sock *s, struct io_sock *loose);

/* Bytes received and not read, sent and not acknowledged (SIOCINQ, SIOCOUTQ). Unix
 * sockets: 0, 0 works too. */
MUST_USE enum err io_queued(struct io_sock *s, uint32_t *unread, uint32_t *unacked);
/* The second of them alone, for half the price; 0 where unknown. */
uint32_t io_unacked(struct io_sock *s);
/* Smoothed round trip (TCP_INFO); 0 where unknown. */
ns_t io_rtt(struct io_sock *s);
/*
 * Once io_read gave ERR_EOF: how long after the peer's last byte its FIN came, as the kernel saw
 * it (TCP_INFO, to a jiffy), however late this thread looked; longer if the peer acknowledged
 * something since. NS_NEVER where unknown.
 */
ns_t io_end_gap(struct io_sock *s);
bool io_local_addr(struct io_sock *s, struct addr *out);

/*
 * Listening. on_ready of `listener->sock` tells that connections wait; io_accept takes
 * one at a time. Out of descriptors: io_accept gives ERR_NO_FDS, and the listener rests
 * for 10 ms by itself (no spin; nobody is accepted and dropped).
 */
struct io_listener {
	struct io_sock sock;
	struct addr at; /* with the port the kernel chose, if 0 was asked */
	bool has_file;  /* unix: closing removes it */
	struct timer rest;
};

struct io_listen_cfg {
	int backlog; /* 0: 4096 (the kernel cuts at somaxconn) */
};

/*
 * Binds and listens. unix: a stale socket file (nobody answers) is replaced, a live one is
 * ERR_ADDR_IN_USE.
 */
MUST_USE enum err io_listen(struct io_loop *loop, struct io_listener *l,
	const struct addr *at, const struct io_listen_cfg *cfg, struct problem *p);

/* A socket that listens and is on no loop yet: so one thread binds for others. */
struct io_bound {
	int fd;         /* -1: none */
	struct addr at; /* as of the listener */
	bool has_file;  /* unix: the one of them that removes it */
};

/*
 * Binds `n` sockets at one address, all or none, as io_listen does. TCP: they share the port
 * (SO_REUSEPORT), and the kernel gives each connection to one of them; with n = 1, or a port
 * that somebody else holds, nothing is shared. unix: one socket under n descriptors: who comes
 * first takes the connection. Only the real loop has them.
 */
MUST_USE enum err io_bind(
	const struct addr *at, struct io_bound *out, uint32_t n, struct problem *p);
/* Onto a loop; the descriptor is taken in any case. ERR_NO_MEMORY: it could not be watched. */
MUST_USE enum err io_adopt(
	struct io_loop *loop, struct io_listener *l, struct io_bound *from);
void io_bound_close(struct io_bound *b); /* fine with none */
/* ERR_OK: `s` is open (TCP_NODELAY set), nothing wanted yet. */
MUST_USE enum err io_accept(struct io_listener *l, struct io_sock *s, struct addr *peer);
/* Who has not begun to connect is not heard any more; who has may finish, and waits to be
 * accepted. TCP: what asks for a connection is dropped, so who comes asks again after a second,
 * and should find the listener closed. unix: its file is gone. */
void io_listener_deafen(struct io_listener *l);
void io_listener_close(struct io_listener *l);

#endif

/*
 * rig: client and server of the benchmark in one process and one epoll loop, so that both
 * together cost less than the proxy between them: no switch between processes, edges
 * instead of levels, bodies dropped inside the kernel.
 *
 * MODEL   A link is one connection, plain or TLS. Its owner is told of edges: it goes on
 *         until LINK_WAIT. What TLS seals leaves in one send.
 */
#ifndef WEIR_BENCH_RIG_H
#define WEIR_BENCH_RIG_H

#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <time.h>

#include "relay.h"

#define RIG_BODY 65536
#define RIG_CHUNK 4096
#define RIG_HUGE (16 * 1024 * 1024)
#define RIG_POST 1024
#define RIG_UPLOAD (1024 * 1024)
#define LINK_WAIT (-1)
#define LINK_END (-2)

struct link {
	int fd;
	SSL *ssl; /* NULL: plain */
	BIO *out; /* sealed bytes that wait */
	void (*on_ready)(struct link *l, uint32_t events);
};

struct rig {
	int ep;
	SSL_CTX *server_tls, *client_tls;
};

/* Watches the descriptor, for reading and writing, by edges. */
void link_open(struct rig *r, struct link *l, int fd, SSL_CTX *tls);
void link_close(struct link *l);
/* Bytes, LINK_WAIT or LINK_END. */
ssize_t link_recv(struct link *l, char *buf, size_t cap);
/* The same, for bytes nobody looks at. */
ssize_t link_drop(struct link *l, size_t bytes);
ssize_t link_send(struct link *l, const char *bytes, size_t len);
/* LINK_WAIT: bytes taken by link_send are not with the kernel yet. */
int link_flush(struct link *l);

/* One key type, one cipher, one curve: whatever the proxy would choose. */
void rig_tls(struct rig *r, const char *cert_file, const char *key_file);

/* Listens, plain and (with server_tls) TLS, and tells both ports. */
void server_start(struct rig *r);

struct run {
	char port[8];
	unsigned conns;
	/* get, 64k, 16m, chunk, up, post; close: a GET on a connection of its own; any: one that
	 * may be refused; each: the same, of /N with a field `Caller: N`, N being the number of
	 * the connection */
	char job[8];
	int tls;
	double seconds;
	double rate; /* requests a second; 0: each answer is followed by the next request */
};

struct client;
/* All connections are open, and have been served once. */
struct client *client_new(struct rig *r, const struct run *run);
int client_is_ready(const struct client *c);
void client_go(struct client *c);
/* Starts what is due. Nanoseconds until more is; -1: nothing is known to come. */
long client_tick(struct client *c);
/* Tells "done REQUESTS SECONDS P50_US P99_US LATE_US REFUSED", once it is over, and frees. */
int client_is_done(const struct client *c);
void client_end(struct client *c);

static inline long long now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (long long)t.tv_sec * 1000000000 + t.tv_nsec;
}

#endif

/*
 * raw: peers of the simulated world that speak bytes, not HTTP: clients and servers as a test
 * scripts them, on io/sock.h alone.
 *
 * MODEL   A raw is one connection, made by raw_connect or accepted by a raw_server. All that
 *         arrives is appended to `in`, unless it is deaf. What raw_send is given goes out in
 *         its own write, as fast as the socket takes it.
 * OWNS    the test owns a raw it connects (raw_fini); a raw_server owns those it accepts,
 *         closed ones too, until raw_server_fini.
 */
#ifndef WEIR_TESTS_SIM_RAW_H
#define WEIR_TESTS_SIM_RAW_H

#include "io/sim.h"

struct raw_server;

struct raw {
	struct io_sock sock;
	struct list_node node; /* on its server's list */
	struct raw_server *server;
	struct text in, out;
	struct text said; /* all that raw_send was given, if it keeps that */
	bool keeps;
	size_t out_at;
	size_t parsed; /* the script's: how far it has looked at `in` */
	uint64_t rx_bytes;
	struct addr peer;
	enum err end;     /* what reading ended with; ERR_AGAIN: not yet */
	bool deaf;        /* leaves what arrives in the socket */
	bool close_after; /* once all is sent */
	bool shut_after;  /* the same: FIN alone, and reads on */
	bool shut;        /* was asked to: nothing more is said */
	bool broken; /* a write was told of a reset: `end` may be ERR_EOF all the same */
	enum io_close how;
	void (*on_bytes)(
		struct raw *r); /* bytes, or the end, have come; NULL: nobody asks */
	void (*on_closed)(struct raw *r); /* this side has closed; NULL: nobody asks */
	struct timer timer;               /* the script's */
	void *ctx;                        /* the script's */
	uint64_t number;                  /* the script's */
};

void raw_init(struct raw *r);
void raw_connect(struct raw *r, struct io_loop *loop, const struct addr *to);
void raw_send(struct raw *r, struct slice bytes);
void raw_say(struct raw *r, const char *text);
void raw_set_deaf(struct raw *r, bool deaf);
/* Now, or once all that waits is written. */
void raw_close(struct raw *r, enum io_close how);
void raw_close_after(struct raw *r, enum io_close how);
/* FIN, once all that waits is written; what comes is still read. */
void raw_shutdown(struct raw *r);
void raw_fini(struct raw *r);
/* Whether all that came is exactly this. */
bool raw_got(const struct raw *r, const char *text);

struct raw_server {
	struct io_listener listener;
	struct list conns; /* struct raw, open and closed */
	uint64_t accepted;
	void (*on_accept)(struct raw_server *s, struct raw *r);
	void (*on_bytes)(struct raw *r); /* of the raws it accepts */
	void *ctx;
};

void raw_server_listen(struct raw_server *s, struct io_loop *loop, const char *at);
const struct addr *raw_server_addr(const struct raw_server *s);
struct raw *raw_server_nth(
	const struct raw_server *s, uint32_t nth); /* NULL past the last */
void raw_server_fini(struct raw_server *s);

void raw_addr(const char *text, struct addr *out);

#endif

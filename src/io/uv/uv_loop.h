/*
 * uv_loop: what the files of the real loop share. Nobody outside io/uv includes it.
 *
 * MODEL   A turn of libuv is: its timers, poll with our I/O callbacks, check. Everything
 *         of ours that is not I/O runs in the check phase (on_turn_end in loop.c): due
 *         timers of the wheel, hooks, deferred calls. libuv's own timer, or the timerfd,
 *         only ends the poll in time.
 */
#ifndef WEIR_IO_UV_UV_LOOP_H
#define WEIR_IO_UV_UV_LOOP_H

#include <uv.h>

#include "base/slab.h"
#include "io/gather.h"
#include "io/sock.h"
#include "io/turn.h"

struct io_loop {
	uv_loop_t uv;
	uv_check_t check;
	uv_idle_t busy;    /* started while the next turn must come at once */
	uv_timer_t alarm;  /* ends the poll at the wheel's next instant */
	uv_poll_t precise; /* or this does: a timerfd */
	bool all_ports;
	int timer_fd;  /* -1: not precise */
	ns_t alarm_at; /* what is armed; NS_NEVER: nothing */
	bool rang;     /* the timerfd did, and is readable until it is set anew */
	struct wheel *wheel;
	struct io_turn turn;
	struct slab polls; /* struct sock_poll */
	uint32_t sock_count;
	uint32_t signal_count;
	ns_t now, timers_ran_at, lag_max;
	bool now_is_stale; /* the turn has not looked at the clock yet */
	bool gathers;
	uint32_t events; /* of sockets, in this turn */
	struct gather gather;
};

/*
 * The watcher of a socket. Apart from it, because libuv needs it until the end of the
 * turn in which it was closed, and the socket's storage may be gone by then.
 */
struct sock_poll {
	uv_poll_t poll;
	struct io_sock *sock; /* NULL: closed */
	enum err failed;      /* why connecting failed */
	bool writable;        /* seen since the connect began */
	bool resting;         /* a listener out of descriptors: armed by its timer only */
	bool is_unix;
};

void uv_turn_start(struct io_loop *loop); /* first thing in every callback from libuv */

/* Puts an open descriptor into `s` and watches it (nothing wanted yet). On failure the
 * descriptor is closed. */
MUST_USE enum err uv_sock_open(
	struct io_loop *loop, struct io_sock *s, int fd, bool is_unix);
/* Tells libuv what is wanted and not armed yet. */
void uv_sock_arm(struct io_sock *s);
void uv_sock_disarm(struct io_sock *s);

static inline struct sock_poll *uv_sock_poll(const struct io_sock *s)
{
	return s->twin;
}

#endif

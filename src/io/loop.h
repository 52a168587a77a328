/*
 * loop: the event loop of one thread. Two implementations share this header and
 * io/sock.h, chosen at link time: io/uv (libuv; real sockets) and io/sim (virtual clock,
 * scripted network; io/sim.h).
 *
 * MODEL   A turn is: poll, I/O callbacks, due timers, turn hooks, deferred calls.
 *         io_now is read once a turn (and after the poll); all of one turn's decisions
 *         see the same instant.
 * RULES   1. A callback never runs inside the call that registered it.
 *         2. A loop and everything on it belongs to one thread.
 *         3. io_loop_free CHECKs that no socket, timer or defer is left: the leak test.
 *         4. What a deferred call or a due timer asks for "at once" happens in the
 *            next turn.
 */
#ifndef WEIR_IO_LOOP_H
#define WEIR_IO_LOOP_H

#include "base/err.h"
#include "base/wheel.h"

struct io_loop;

struct io_loop_cfg {
	/* Its connects choose among all local ports at once (Linux 6.3): else the kernel tries
	 * those of one parity first, milliseconds long when they are taken. */
	bool all_ports;
	bool precise; /* timers to about 50 µs (timerfd) instead of 1 ms: for generators
		       */
	bool gathers; /* lets events gather when it is busy: io/gather.h */
};

struct io_loop *io_loop_new(const struct io_loop_cfg *cfg);
void io_loop_free(struct io_loop **loop);
/* Runs until io_loop_stop, or until nothing is left that could call back. */
void io_loop_run(struct io_loop *loop);
void io_loop_stop(struct io_loop *loop);
ns_t io_now(const struct io_loop *loop); /* monotonic, cached for the turn */
ns_t io_clock(struct io_loop *loop);     /* monotonic, read now */
int64_t io_wall_s(const struct io_loop
		*loop); /* seconds since 1970, for Date; never for deadlines */

/* Timers are struct timer of base/wheel.h, in the caller's storage. A set timer keeps the
 * loop running. */
void io_timer_set(struct io_loop *loop, struct timer *t, ns_t at);
void io_timer_stop(struct io_loop *loop, struct timer *t);

/* Runs fn once at the end of this turn: "close now, free at the end of the turn". */
struct io_defer {
	struct list_node node;
	void (*fn)(struct io_defer *d);
};
void io_defer(
	struct io_loop *loop, struct io_defer *d); /* again while waiting: no effect */
void io_defer_cancel(struct io_loop *loop, struct io_defer *d);

/* Called at the end of every turn, before deferred calls: compare wanted with have, and
 * reconcile. */
struct io_turn_hook {
	struct list_node node;
	void (*fn)(struct io_turn_hook *h);
};
void io_turn_hook_add(struct io_loop *loop, struct io_turn_hook *h);
void io_turn_hook_remove(struct io_loop *loop, struct io_turn_hook *h);

/* The largest delay seen between a timer's `at` and its call since the last reset, for
 * load and gauges. */
ns_t io_loop_lag_max(const struct io_loop *loop);
void io_loop_lag_reset(struct io_loop *loop);

#endif

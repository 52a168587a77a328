/*
 * signals: SIGTERM, SIGINT and SIGHUP as callbacks of a loop, and SIGPIPE ignored.
 *
 * RULES   1. The handler runs on the loop, in a turn, never in signal context.
 *         2. Watching does not keep the loop running.
 *         3. At most one watch a process: signals are the process's, not a thread's.
 * OWNS    struct io_signals is the caller's until io_signals_unwatch.
 * CONTEXT the loop's thread. Only the real loop has them.
 */
#ifndef WEIR_IO_SIGNALS_H
#define WEIR_IO_SIGNALS_H

#include "io/loop.h"

struct io_signals {
	struct io_loop *loop; /* NULL: not watching */
	void (*on_signal)(struct io_signals *s, int signum);
	void *twin; /* the loop's business */
};

/* `s->on_signal` is set. */
void io_signals_watch(struct io_loop *loop, struct io_signals *s);
/* Their default dispositions are back; SIGPIPE stays ignored. Fine when not watching. */
void io_signals_unwatch(struct io_signals *s);

#endif

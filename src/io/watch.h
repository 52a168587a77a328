/*
 * watch: readiness of a descriptor that a library owns (c-ares' sockets). The real loop only.
 *
 * RULES   1. As io/sock.h: level-like, on_ready never inside a call of this header, none
 *            after io_unwatch, and the storage may go then.
 *         2. io_unwatch comes before the descriptor is closed.
 *         3. An error or a hang-up is both bits that are wanted: the library's own read or
 *            write says what it was.
 * OWNS    struct io_watch is embedded in the caller's object, zeroed before first use.
 */
#ifndef WEIR_IO_WATCH_H
#define WEIR_IO_WATCH_H

#include "io/loop.h"

struct io_watch {
	struct io_loop *loop;                                /* NULL: not watching */
	void (*on_ready)(struct io_watch *w, unsigned bits); /* IO_READ | IO_WRITE */
	int fd;
	uint8_t wanted;
	void *twin; /* the loop's business */
};

/* ERR_OK: watching, nothing wanted yet. */
MUST_USE enum err io_watch_fd(struct io_loop *loop, struct io_watch *w, int fd);
void io_watch_want(struct io_watch *w, unsigned bits);
void io_unwatch(struct io_watch *w); /* fine when it is not watching */

#endif

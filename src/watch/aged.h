/*
 * aged: what has stood still for a second or more: sockets in CLOSE_WAIT, bytes that the program
 * here does not read, bytes that the peer takes no more of.
 *
 * MODEL   Ages are in a socket's info, which a dump tells for twice its cost: it is asked for
 *         only where a look shows enough of what may be old. Connections that no program has
 *         accepted yet do not count as unread.
 */
#ifndef WEIR_WATCH_AGED_H
#define WEIR_WATCH_AGED_H

#include "attr/tally.h"

enum {
	AGED_CLOSE_WAIT_MIN = 10, /* fewer lie forgotten in any pool */
	AGED_UNREAD_MIN = 5,
};

struct aged_part {
	uint32_t n;
	uint64_t bytes;
	uint32_t most;        /* of one */
	struct diag_sock one; /* that */
};

struct aged {
	uint32_t close_wait;
	struct aged_part unread, untaken;
};

/* False: nothing to ask for, or the dump failed: then nothing is known. */
bool aged_read(struct aged *a, struct diag *diag, const struct snap *snap);

#endif

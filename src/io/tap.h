/*
 * tap: the beginnings of what servers say in clear when they say no, and of TLS's hellos, as they
 * go by in this network namespace.
 *
 * MODEL   A packet socket whose filter (io/tap_filter.h) runs in the kernel: of all TCP segments
 *         it lets through those that begin an HTTP/1 answer of status 4xx or 5xx, those that
 *         begin with a field such an answer goes on with (some servers write the status line
 *         by itself), and those that begin a TLS client's hello. Nothing else is ever read.
 *         A segment that goes by on several devices, or again soon after, is told once (by its
 *         ends and sequence number, among the last SEEN_MAX); what comes again with more behind
 *         it is not told anew.
 * RULES   1. Takes CAP_NET_RAW; without it there is no tap, which is no error.
 *         2. What the kernel had no room for is counted (tap_lost).
 * COST    some 100 ns for each packet of the namespace.
 * CONTEXT bound to the namespace of the thread that opens it. Never blocks.
 */
#ifndef WEIR_IO_TAP_H
#define WEIR_IO_TAP_H

#include "io/diag.h"

struct tap;

struct tap_piece {
	struct diag_end from, to;
	uint32_t seq;
	struct slice bytes; /* what the segment carries; borrowed for the call */
};

struct tap_visitor {
	void (*on_piece)(struct tap_visitor *v, const struct tap_piece *p);
};

/* NULL: errno says why; EPERM: not allowed. */
struct tap *tap_open(void);
void tap_free(struct tap **t);
int tap_fd(const struct tap *t);
/* Up to `max` pieces that have come. */
void tap_read(struct tap *t, struct tap_visitor *v, uint32_t max);
/* Since tap_open, segments that were ours and that the kernel had to drop; over loopback each
 * counts twice. */
uint64_t tap_lost(struct tap *t);
/* An IP packet as the kernel gave it; false: not one of TCP, or cut short. Pure. */
bool tap_parse(struct slice packet, struct tap_piece *out);

#endif

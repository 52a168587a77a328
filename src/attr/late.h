/*
 * late: data that came after this side had closed.
 *
 * MODEL   Such data makes the kernel reset a connection that this side was the first to
 *         close, and nothing is left of it: just as nothing is left where the peer was
 *         first. The records of the two are alike. But the kernel counts the one
 *         (TCPAbortOnData), so over a batch of records the count tells them apart: all of
 *         those in question were late, none was, or some.
 * RULES   1. What others of the batch explain (aborts on purpose; connections that never
 *            got a FIN) is taken off first.
 *         2. A count may be ahead of its record; what is left over waits for the next
 *            batch. What two late_forget find left over has lost its record.
 */
#ifndef WEIR_ATTR_LATE_H
#define WEIR_ATTR_LATE_H

#include "attr/closes.h"

struct late {
	uint64_t counted; /* by the kernel, as last read */
	uint64_t spare;   /* of these, those that no record has explained yet */
	uint64_t stale;   /* of those, what the last late_forget found */
	uint32_t explained, open;
};

void late_init(struct late *l, uint64_t counted);
/* A record of this batch. */
void late_add(struct late *l, enum close_late_part part);
/* Whether the count is worth reading now: some record asks for it. */
bool late_asks(const struct late *l);
/* More was counted than records have explained: theirs may still be on the way. */
bool late_is_ahead(const struct late *l, uint64_t counted);
/* The end of a batch: `counted` is what the kernel says now. */
enum close_late late_judge(struct late *l, uint64_t counted);
/* The end of a batch when the kernel's count cannot be read: its records stay unjudged,
 * and are none of the next. */
void late_skip(struct late *l);
/* From time to time, between batches. */
void late_forget(struct late *l, uint64_t counted);

#endif

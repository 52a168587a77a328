/*
 * holds: the slots that calls hold, over all threads of a limit, and what is learned from them of how
 * long they are held. Pure.
 *
 * MODEL   A thread that saw its own slots alone would take those of the others to come free as slots
 *         do on the average. But by length of time most of them are held by long calls, and all of
 *         them may be at once: who waits for them is then told late. So each sees them all.
 * OWNS    the slots are the app's, until holds_give.
 * CONTEXT one thread, or several under the lock of their accounts (flow/accounts.h); `now` may be a turn
 *         behind what another one said.
 * COST    holds_take, holds_give O(1); holds_look O(slots).
 */
#ifndef WEIR_FLOW_HOLDS_H
#define WEIR_FLOW_HOLDS_H

#include "flow/chance.h"
#include "flow/slots.h"

struct holds {
	struct list slots;
	uint32_t seen; /* held, at the last look */
	struct chance chance;
};

void holds_init(struct holds *h, ns_t half_life);
/* By a call, from now on (slot->since). */
void holds_take(struct holds *h, struct slot *slot, ns_t now);
void holds_give(struct holds *h, struct slot *slot, ns_t now);
/* From here on h->chance answers by all that hold one now. */
void holds_look(struct holds *h, ns_t now);

#endif

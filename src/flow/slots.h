/*
 * slots: how much of the server's limit is taken, as one list a state. Pure.
 *
 * MODEL   A slot stands for what the server counts. CONNECTING: a connect is under way;
 *         BUSY: a call whose caller waits; IDLE: a kept-alive connection without a call;
 *         PARKED: the same above the limit, kept for when that rises (connection units);
 *         DRAINING: a call nobody waits for any more, whose answer is still to come; GHOST:
 *         the connection was reset while the server was (as far as we know) at work;
 *         SETTLING: the connection is closed, the server may not have noticed yet; in request
 *         units only if it closed before the whole answer came.
 * RULES   1. used = the lengths of the lists that count in this unit; never kept by hand.
 *         2. slot_enter is the only writer of a state; it CHECKs the edge.
 *         3. used + reserved <= limit after every call, or slots_reserve refused (a limit
 *            lowered while it runs is met by taking none until used has fallen).
 *         4. GHOST and SETTLING end by time alone: slots_expire.
 *         5. Tied to a share, these are one thread's slots of several: what counts here
 *            counts there, and the share's limit is the limit. A slot that moves to another
 *            thread's stays charged on the way.
 * OWNS    struct slot is the caller's (a slab's); it must outlive its connection.
 */
#ifndef WEIR_FLOW_SLOTS_H
#define WEIR_FLOW_SLOTS_H

#include "base/list.h"
#include "flow/share.h"

enum slot_state {
#define SLOT(name, label, in_conn, in_req) SLOT_##name,
#include "flow/slots.def"
#undef SLOT
	SLOT_STATES
};

enum slot_unit { SLOT_UNIT_CONNECTION, SLOT_UNIT_REQUEST };

#define SLOTS_NO_LIMIT UINT32_MAX

struct caller;

struct slot {
	struct list_node node;
	enum slot_state state;
	ns_t until;            /* GHOST, SETTLING: when it is free */
	struct caller *caller; /* the app's: who holds it; NULL: nobody */
	struct list_node held; /* flow/holds.h's, while somebody does */
	ns_t since;            /* the same: since when */
};

struct slots {
	struct list in[SLOT_STATES];
	struct share *share; /* NULL: alone */
	uint32_t limit;      /* SLOTS_NO_LIMIT: none */
	uint32_t used;       /* here, not over the share */
	uint32_t peak;       /* highest used */
	uint32_t reserved;   /* for slots_take */
	enum slot_unit unit;
	double drain_share; /* 0..1 of limit that DRAINING and GHOST may hold together */
};

void slots_init(struct slots *s, enum slot_unit unit, uint32_t limit, double drain_share);
/* While nothing is taken yet. The share is borrowed. */
void slots_tie(struct slots *s, struct share *share);
/* What is taken stays charged to the share for good, and is no longer given back. */
void slots_untie(struct slots *s);
void slots_set_limit(struct slots *s, uint32_t limit); /* of the share, when tied */
uint32_t slots_limit(const struct slots *s);
/* So many above the limit, if it was lowered; what settles is on its way already. */
uint32_t slots_surplus(const struct slots *s);
/* PARKED, over all threads. */
uint32_t slots_parked(const struct slots *s);
static inline uint32_t slots_used(const struct slots *s)
{
	return s->used;
}
/* How many more may be taken now (0 when at or above the limit). Tied: a hint, for other
 * threads take too. */
uint32_t slots_room(const struct slots *s);
/* Room for the next `n` slots_take, all or none. */
MUST_USE bool slots_reserve(struct slots *s, uint32_t n);
void slots_unreserve(struct slots *s, uint32_t n);
/* Whether zombies hold their whole share, so that new calls are shed. Never at 100 %: then
 * the queue alone decides. */
bool slots_is_drained_up(const struct slots *s);
/* A new slot enters CONNECTING or BUSY. CHECKs that room was reserved. */
void slots_take(struct slots *s, struct slot *slot, enum slot_state state);
/* Moves a slot; FREE takes it off its list. `until` is for GHOST and SETTLING, else 0. For one that
 * was PARKED room must have been reserved, unless it is FREE now. */
void slot_enter(struct slots *s, struct slot *slot, enum slot_state state, ns_t until);
/* An IDLE slot leaves for another thread's slots, charged to the share as it is; and one
 * comes. Connection units. */
void slots_move_out(struct slots *s, struct slot *slot);
void slots_move_in(struct slots *s, struct slot *slot);
/* The first GHOST or SETTLING slot whose time has come, now FREE; NULL when none. */
struct slot *slots_expire(struct slots *s, ns_t now);
ns_t slots_next_expiry(const struct slots *s); /* NS_NEVER: none */
const char *slot_state_label(enum slot_state state);

#endif

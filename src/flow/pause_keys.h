/*
 * pause_keys: whose calls are not wanted for a while, where a server counts by caller. Pure.
 *
 * RULES   1. PAUSE_KEYS_MAX callers at once; past that the one whose time is over first is let go.
 *         2. Those of one caller that wait take turns afterwards, at PAUSE_PACE (flow/pause.h).
 */
#ifndef WEIR_FLOW_PAUSE_KEYS_H
#define WEIR_FLOW_PAUSE_KEYS_H

#include "flow/pause.h"

#define PAUSE_KEYS_MAX 64

struct pause_key {
	uint64_t key;
	ns_t until;
	uint32_t turns; /* given out */
};

struct pause_keys {
	struct pause_key at[PAUSE_KEYS_MAX];
	uint32_t count; /* some may be over */
};

/* No call of that caller before `until`; never shortens. */
void pause_keys_ask(struct pause_keys *all, uint64_t key, ns_t until, ns_t now);
/* Until when; 0: it may go. */
ns_t pause_keys_until(struct pause_keys *all, uint64_t key, ns_t now);
/* Of one who waits: when it is its turn. Not before `deadline`: it is not taken, and stays for
 * another. */
ns_t pause_keys_turn(struct pause_keys *all, uint64_t key, ns_t deadline, ns_t now);
/* How many callers wait. */
uint32_t pause_keys_count(const struct pause_keys *all, ns_t now);

#endif

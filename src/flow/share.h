/*
 * share: one limit over several threads, each of which has a seat. Pure.
 *
 * MODEL   A thread keeps its own slots and its own queue (flow/slots.h, flow/queue.h); tied
 *         to a share they count there too: slots that count, zombies, what settles, calls
 *         that wait, connections.
 * RULES   1. used <= limit at every instant, over all seats; a limit lowered while it runs is
 *            met by taking none until used has fallen.
 *         2. n are taken all or none.
 *         3. What a seat takes it gives back, or another seat does that was handed it.
 * OWNS    counted: each seat's upstream holds it, and so may others.
 * CONTEXT any thread.
 * COST    an atomic exchange for a slot that begins or ceases to count: in connection units
 *         none a request.
 */
#ifndef WEIR_FLOW_SHARE_H
#define WEIR_FLOW_SHARE_H

#include "base/quota.h"

struct share;

struct share *share_new(uint32_t seats);
void share_ref(struct share *s);
void share_unref(struct share **s);
uint32_t share_seats(const struct share *s);

/* --- slots --- */
void share_set_limit(struct share *s, uint32_t limit); /* SLOTS_NO_LIMIT at first */
uint32_t share_limit(const struct share *s);
MUST_USE bool share_take(struct share *s, uint32_t n);
void share_give(struct share *s, uint32_t n);
uint32_t share_room(
	const struct share *s); /* as quota_room: a hint by the time it is used */
uint32_t share_used(const struct share *s);
uint32_t share_peak(const struct share *s); /* highest used */
/* DRAINING and GHOST slots, and SETTLING ones, over all seats. */
void share_add_zombies(struct share *s, int by);
uint32_t share_zombies(const struct share *s);
void share_add_settling(struct share *s, int by);
uint32_t share_settling(const struct share *s);

/* --- calls that wait --- */
/* False: more than `max` would wait, over all seats. */
MUST_USE bool share_wait(struct share *s, uint32_t calls, uint64_t max);
void share_wait_anyway(struct share *s, uint32_t calls);
void share_wait_over(struct share *s, uint32_t calls);
uint64_t share_waiting(const struct share *s);
uint64_t share_waiting_peak(const struct share *s);

/* --- connections, in every state --- */
struct quota *share_sockets(struct share *s); /* no bound at first */

#endif

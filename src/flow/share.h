/*
 * share: one limit over several threads, each of which has a seat. Pure.
 *
 * MODEL   A thread keeps its own slots and its own queue (flow/slots.h, flow/queue.h); tied
 *         to a share they count there too: slots that count, zombies, what settles, calls
 *         that wait, connections.
 *         A seat tells the others since when its first call has waited (front), how many idle
 *         connections it has, and how many it wants of theirs. Who finds that another seat
 *         can go on now rings its bell.
 * RULES   1. used <= limit at every instant, over all seats; a limit lowered while it runs is
 *            met by taking none until used has fallen.
 *         2. n are taken all or none.
 *         3. What a seat takes it gives back, or another seat does that was handed it.
 *         4. Slots go to whoever is first, over all seats: of those that the app puts on a level
 *            whoever has waited longest. Fronts within SHARE_EVEN_FOR are of one age: then each seat serves its own first, so
 *            that no connection moves for nothing.
 *         5. No wake-up is lost: who gives something back looks for who waits afterwards;
 *            who waits says so first, then looks for something.
 *         6. Between seats as many connections are on their way as were wanted, no more.
 * OWNS    counted: each seat's upstream holds it, and so may others.
 * CONTEXT any thread.
 * COST    an atomic exchange for a slot that begins or ceases to count: in connection units
 *         none a request.
 */
#ifndef WEIR_FLOW_SHARE_H
#define WEIR_FLOW_SHARE_H

#include "base/quota.h"
#include "flow/last_word.h"

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
/* DRAINING and GHOST slots, SETTLING ones, and PARKED ones, over all seats. */
void share_add_zombies(struct share *s, int by);
uint32_t share_zombies(const struct share *s);
void share_add_settling(struct share *s, int by);
uint32_t share_settling(const struct share *s);
void share_add_parked(struct share *s, int by);
uint32_t share_parked(const struct share *s);

/* --- calls that wait --- */
/* False: more than `max` would wait, over all seats. */
MUST_USE bool share_wait(struct share *s, uint32_t calls, uint64_t max);
void share_wait_anyway(struct share *s, uint32_t calls);
void share_wait_over(struct share *s, uint32_t calls);
uint64_t share_waiting(const struct share *s);
uint64_t share_waiting_peak(const struct share *s);

/* --- seats --- */
#define SHARE_EVEN_FOR (2 * NS_MS)
#define SHARE_NOBODY UINT32_MAX

/* How a seat is told, from any thread, to look at the share again. */
struct share_bell {
	void (*ring)(struct share_bell *b);
	void (*end)(struct share_bell *b); /* the share is gone: the last call */
};
/* Once a seat. */
void share_sit(struct share *s, uint32_t seat, struct share_bell *bell);
/* Nothing waits there any more, and nothing is to be had. The bell stays. */
void share_leave(struct share *s, uint32_t seat);
struct share_bell *share_bell_of(
	const struct share *s, uint32_t seat); /* NULL: not yet */
void share_ring(const struct share *s, uint32_t seat);

/* By the seat itself; costs next to nothing when nothing changed. The front is since when the call
 * waits that may go there next, and later by what is the app's for one that others go before. */
void share_set_front(
	struct share *s, uint32_t seat, ns_t since); /* NS_NEVER: none may go */
void share_set_idle(struct share *s, uint32_t seat, uint32_t idle);
/* Calls wait there from whom all there is is kept: none of them is its front. */
void share_set_held(struct share *s, uint32_t seat, bool held);
bool share_is_held(const struct share *s, uint32_t seat);
uint32_t share_idle(const struct share *s, uint32_t seat);
/* So many connections are wanted; those on their way are subtracted. Returns what is left. */
uint32_t share_set_want(struct share *s, uint32_t seat, uint32_t want);

/* So many answers the seat has had; and all of them together, about now. */
void share_set_answered(struct share *s, uint32_t seat, uint64_t answered);
uint64_t share_answered(const struct share *s);

/* The seat whose call has waited longest; SHARE_NOBODY. */
uint32_t share_oldest(const struct share *s);
/* No other seat's call has waited longer than one that waits since then (rule 4). */
bool share_may_go(const struct share *s, uint32_t seat, ns_t since);
/* There is a free slot, or an idle connection somewhere. */
bool share_has_something(const struct share *s);
/* It wants a connection, by now. */
bool share_wants(const struct share *s, uint32_t seat);
/* One connection is sent to the seat; false: it wants none. share_arrived: it has it. */
MUST_USE bool share_send(struct share *s, uint32_t seat);
void share_arrived(struct share *s, uint32_t seat);
/* It wants none, and none is on its way. */
bool share_is_quiet(const struct share *s, uint32_t seat);

/* How all seats close connections first. */
struct last_word *share_last_word(struct share *s);

/* --- connections, in every state --- */
struct quota *share_sockets(struct share *s); /* no bound at first */

#endif

/*
 * wheel: hierarchical timer wheel, intrusive, O(1) to set and stop. Pure: `now` is an
 * argument.
 *
 * MODEL   ticks of a grain chosen at init; levels of 64 slots; a far timer cascades down
 *         as its level turns (Varghese & Lauck 1987). The real loop and the simulated
 *         loop both use it.
 * RULES   1. A timer never fires early: it fires in the first wheel_run whose now >= at.
 *         2. Timers due at the same run fire in order of `at`, then of setting, when the
 *            grain is 1 ns apart or more (within one tick too).
 *         3. on_fire may set or stop any timer, itself included; a timer set in a
 *            callback for a time that is already due fires in the next run, not in this
 *            one.
 * COST    48 bytes a timer.
 */
#ifndef WEIR_BASE_WHEEL_H
#define WEIR_BASE_WHEEL_H

#include "base/list.h"

struct wheel;

struct timer {
	struct list_node node;
	ns_t at; /* absolute; meaningful while set */
	void (*on_fire)(struct timer *t);
	uint32_t order; /* of setting; it wraps */
	uint16_t level, slot;
};

struct wheel *wheel_new(ns_t now, ns_t grain);
void wheel_free(struct wheel **w); /* CHECKs that no timer is set */
/* Setting a set timer moves it. at == NS_NEVER stops it. */
void wheel_set(struct wheel *w, struct timer *t, ns_t at);
void wheel_stop(struct wheel *w, struct timer *t); /* fine when it is not set */
static inline bool timer_is_set(const struct timer *t)
{
	return list_on(&t->node);
}
/* An instant not after the earliest timer (may be early by up to its level's width);
 * NS_NEVER: none. */
ns_t wheel_next(const struct wheel *w);
uint32_t wheel_count(const struct wheel *w);
void wheel_run(struct wheel *w, ns_t now);

#endif

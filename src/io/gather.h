/*
 * gather: whether a thread should let events gather before it is woken. Pure.
 *
 * MODEL   A sleeping thread is woken by the first event, and pushes aside whoever runs on its
 *         core; where that is the very program that sends the events, the two change places
 *         for every few of them. A thread that gathers waits until the other has done what it
 *         is at, and finds many at once.
 *         It begins after a window with GATHER_TURNS turns a second or more, and from
 *         GATHER_FEW to GATHER_MANY events in each: with fewer the thread keeps up with them
 *         one by one, and gathering would only delay them; with more there is no need to.
 * RULES   1. It ends when less than that many events come, and after GATHER_FOR, for one
 *            window: how they come without it is seen only without it.
 * CONTEXT one loop; `now` never goes back.
 */
#ifndef WEIR_IO_GATHER_H
#define WEIR_IO_GATHER_H

#include "base/base.h"

#define GATHER_WINDOW (20 * NS_MS) /* several slices of a scheduler, 3 to 4 ms each */
#define GATHER_FOR NS_S
#define GATHER_TURNS 4000 /* fewer wake-ups, at some 4 µs, cost no fiftieth of a core */
#define GATHER_FEW 2
#define GATHER_MANY \
	16 /* a wake-up shared by so many costs each of them nothing to speak of */

struct gather {
	ns_t since, until;      /* the window's begin; the end, if it gathers */
	uint32_t turns, events; /* in the window */
	bool on;
};

void gather_init(struct gather *g, ns_t now);
/* A turn with so many events has ended. True: gather from now on. */
bool gather_turn(struct gather *g, uint32_t events, ns_t now);

#endif

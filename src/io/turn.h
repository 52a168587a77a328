/*
 * turn: the end of a loop's turn, alike in both loops: hooks, then deferred calls.
 *
 * RULES   1. A hook or a deferred call may add, cancel and remove any, itself included.
 *         2. What is deferred meanwhile waits for the next turn, so a turn ends.
 */
#ifndef WEIR_IO_TURN_H
#define WEIR_IO_TURN_H

#include "io/loop.h"

struct io_turn {
	struct list hooks, defers;
	struct list_node *next_hook; /* of the round in progress; NULL: none */
	/* Among the defers while they run: the next turn's follow */
	struct list_node round_end;
};

void turn_init(struct io_turn *t);
void turn_fini(struct io_turn *t); /* CHECKs that nothing is left */
void turn_run(struct io_turn *t);
static inline bool turn_has_work(const struct io_turn *t)
{
	return t->defers.len > 0;
}
void turn_defer(struct io_turn *t, struct io_defer *d);
void turn_defer_cancel(struct io_turn *t, struct io_defer *d);
void turn_hook_add(struct io_turn *t, struct io_turn_hook *h);
void turn_hook_remove(struct io_turn *t, struct io_turn_hook *h);

#endif

/*
 * last_word: how connections are closed first, by RST or by FIN. Pure.
 *
 * WHY     An RST leaves no TIME_WAIT, but is never sent again: lost on its way, it leaves the
 *         server's slot held, and the server's count is above ours from then on.
 * MODEL   Whoever sets a limit says that the server takes so many. One that refuses a call
 *         although no more are held, and that was sent an RST before, may not have heard it:
 *         from then on FINs are sent, which are delivered whatever is lost.
 * RULES   1. A limit that is found out proves nothing: refusals are how it is found.
 *         2. FIN for good: nothing tells that RSTs arrive again.
 * CONTEXT any thread: all that share a limit share one.
 */
#ifndef WEIR_FLOW_LAST_WORD_H
#define WEIR_FLOW_LAST_WORD_H

#include <stdatomic.h>

#include "base/base.h"

enum last_word_state { LAST_WORD_NONE, LAST_WORD_RESET, LAST_WORD_FIN };

struct last_word { /* zeroed before first use */
	_Atomic uint32_t state;
};

static inline bool last_word_turn(struct last_word *w, uint32_t from, uint32_t to)
{
	return atomic_load_explicit(&w->state, memory_order_relaxed) == from &&
	       atomic_compare_exchange_strong(&w->state, &from, to);
}

/* An RST is sent. */
static inline void last_word_reset(struct last_word *w)
{
	(void)last_word_turn(w, LAST_WORD_NONE, LAST_WORD_RESET);
}

/* A call was refused within the limit. True: this is what makes it FIN. */
MUST_USE static inline bool last_word_refused(struct last_word *w)
{
	return last_word_turn(w, LAST_WORD_RESET, LAST_WORD_FIN);
}

static inline bool last_word_is_fin(const struct last_word *w)
{
	return atomic_load_explicit(&w->state, memory_order_relaxed) == LAST_WORD_FIN;
}

#endif

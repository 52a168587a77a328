/*
 * demand: for how long a connection that nobody needs is kept, so that its slot is given
 * back to the server's other callers soon after demand has fallen, and yet steady demand,
 * which ebbs and flows by itself, hardly ever connects anew. Pure.
 *
 * MODEL   The pool gives out the newest connection first, so one that has been idle for the
 *         window was not needed at the highest demand within the window. It is yielded.
 *         A connect soon after, while a kept one would have done, shows the window to be too
 *         short: regret. A regret is paid with a credit, or doubles the window. Each
 *         DEMAND_REQUESTS requests earn a credit; a yield with all credits at hand spends
 *         one to halve the window, to see whether less will do by now.
 * RULES   1. Regrets without a credit happen only where the window doubles, at most once for
 *            each window that passes; halving costs a credit: so over a long time regrets
 *            stay below two for each DEMAND_REQUESTS requests, as long as the window is
 *            below its max.
 * COST    constant; an increment a request.
 */
#ifndef WEIR_FLOW_DEMAND_H
#define WEIR_FLOW_DEMAND_H

#include "base/base.h"

#define DEMAND_WINDOW_MIN (10 * NS_S) /* calls of 3 to 5 s ebb and flow in it, too */
/* Half of them regretted would be one connect in 2,000 requests. */
#define DEMAND_REQUESTS 4000
#define DEMAND_CREDITS 3

struct demand {
	ns_t window, max;
	ns_t moved_at, yielded_at;
	uint32_t yielded; /* and not regretted yet */
	uint32_t requests, credits;
};

void demand_init(struct demand *d, ns_t max);
void demand_set_max(struct demand *d, ns_t max); /* the window is never longer */
/* A connection idle for so long is not needed. */
static inline ns_t demand_window(const struct demand *d)
{
	return d->window;
}
void demand_note_yield(struct demand *d, ns_t now);
/* A connection is opened for a call. */
void demand_note_connect(struct demand *d, ns_t now);
static inline void demand_note_request(struct demand *d)
{
	if (++d->requests < DEMAND_REQUESTS)
		return;
	d->requests = 0;
	d->credits += d->credits < DEMAND_CREDITS;
}

#endif

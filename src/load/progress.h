/*
 * progress: one line on a terminal's standard error, renewed once a second: where the run is and
 * what is left of it. Nothing when it is not a terminal, or with --quiet.
 */
#ifndef WEIR_LOAD_PROGRESS_H
#define WEIR_LOAD_PROGRESS_H

#include "load/plan.h"
#include "load/tally.h"

struct progress {
	struct io_loop *loop;
	const struct load_plan *plan;
	const struct tally *tally;
	const struct upstream *upstream;
	ns_t waiting_since; /* NS_NEVER: requests are still being started */
	struct timer timer;
};

/* What it shows is borrowed until progress_stop. */
void progress_start(struct progress *p, struct io_loop *loop,
	const struct load_plan *plan, const struct tally *tally,
	const struct upstream *upstream);
/* No more requests are started: it waits for those that are open. */
void progress_waiting(struct progress *p, ns_t now);
void progress_stop(struct progress *p); /* takes the line away */

#endif

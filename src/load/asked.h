/*
 * asked: what a run was asked for, as its report tells it: of a plan, or of what the report of
 * another run said.
 *
 * OWNS    nothing: the texts are the plan's, or the document's.
 */
#ifndef WEIR_LOAD_ASKED_H
#define WEIR_LOAD_ASKED_H

#include "base/base.h"

struct load_asked {
	const char *url;
	double rate;      /* per second; of one that changes the mean */
	const char *pace; /* how it changes, as the user wrote it; NULL: it does not */
	ns_t run_for, warm_up;
	ns_t patience, timeout;  /* NS_NEVER */
	ns_t interval;           /* of the time line */
	const char *arrivals;    /* "constant", "poisson" or "recorded" */
	const char *connections; /* "pool", "close" or "pretend" */
	const char *as;          /* the client whose manner it is; NULL: none's */
	uint64_t pool, idle;     /* UINT64_MAX: no bound */
	ns_t idle_for;           /* NS_NEVER */
	bool tls;
};

#endif

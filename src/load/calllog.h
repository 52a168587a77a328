/*
 * calllog: a line for each request that was started, as it ends: what the figures of a run are
 * made of, for those who want to make others of it.
 *
 *   intended_ns,started_ns,sent_ns,ended_ns,outcome,status,error
 *
 * MODEL   Times are from the start of the run; of what was never sent, or has no end, there is none.
 *         `outcome` is good, late, failed or unanswered (then
 *         there is no end). `status` is of the answer, as far as one came; `error` the label in
 *         err.def where no whole answer came.
 */
#ifndef WEIR_LOAD_CALLLOG_H
#define WEIR_LOAD_CALLLOG_H

#include "load/tally.h"

struct calllog {
	FILE *out; /* NULL: none is kept */
	const char *file;
	ns_t start;
};

/* file: NULL or "": none. */
MUST_USE bool calllog_open(struct calllog *l, const char *file, struct problem *p);
/* The end of one; ended: NS_NEVER: none. */
void calllog_add(struct calllog *l, const struct tally_times *times, ns_t ended,
	enum tally_end how, uint16_t status, enum err why);
/* False: not all of it could be written. */
MUST_USE bool calllog_close(struct calllog *l, struct problem *p);

#endif

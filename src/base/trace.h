/*
 * trace: starts that were recorded: a file with the offset of one request a line, as a duration
 * from the start of the run ("16.832ms"), in order. Empty lines, and what follows a #, say nothing.
 *
 * OWNS    `starts`.
 */
#ifndef WEIR_BASE_TRACE_H
#define WEIR_BASE_TRACE_H

#include "base/err.h"
#include "base/slice.h"

#define TRACE_STARTS_MAX 50000000

struct trace {
	ns_t *starts; /* none before the one in front of it */
	uint64_t count, cap;
};

/* Each 0 <= start <= last_max. False: `file`, the line and what is wrong with it. */
MUST_USE bool trace_read(
	struct trace *t, const char *file, ns_t last_max, struct problem *p);
void trace_fini(struct trace *t);

/* How long requests are started: to just behind the last start. */
static inline ns_t trace_run_for(const struct trace *t)
{
	return t->starts[t->count - 1] + 1;
}
/* Per second. */
double trace_rate(const struct trace *t);

#endif

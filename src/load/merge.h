/*
 * merge: the figures of several runs as one: of generators on several machines that loaded one
 * server together. Reads what `weir load --json` wrote.
 *
 * RULES   1. Quantiles are of the sum of the histograms, never of other quantiles; where there is
 *            no histogram (the time line's steps) there is none.
 *         2. Counts are sums, and the rate: each run is a part of one load. So runs that were
 *            asked for another length, warm-up, patience or time line are refused.
 *         3. What is merged can be merged again, in any order.
 * OWNS    the tally and the texts that the result points to, until merge_fini.
 */
#ifndef WEIR_LOAD_MERGE_H
#define WEIR_LOAD_MERGE_H

#include "load/report.h"

struct merge {
	struct load_result result;
	struct tally *tally;
	int64_t first_ms, last_ms; /* Unix times of the first start and of the last one */
	ns_t over; /* and, in ns, when the first run had started its last request */
	uint32_t documents, invalid; /* so far; those of them that were not valid */
	const char *culprit;         /* the first of these; `why` is what it says */
	struct text url, pace, arrivals, manner, as, why;
};

void merge_init(struct merge *m);
void merge_fini(struct merge *m);
/* One more; false: it is not taken, and m is of no more use. */
MUST_USE bool merge_add(struct merge *m, const char *file, struct problem *p);
/* After the last: m->result is whole. */
void merge_end(struct merge *m);

#endif

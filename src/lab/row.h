/*
 * row: what one variant came to: the figures of its line in the table. Pure.
 */
#ifndef WEIR_LAB_ROW_H
#define WEIR_LAB_ROW_H

#include "lab/run.h"

struct lab_peaks {
	uint32_t established, time_wait, fin_wait2;
};

/* Shares of the connections to the server that ended, 0..1; they add up to 1 when there
 * were any. */
struct lab_first {
	uint64_t closes;
	double middleware, server, both, reset, unknown;
};

struct lab_row {
	const char *name, *what;
	enum lab_role role;
	bool known; /* the callers reported */
	bool valid; /* and kept their schedule */
	char invalid_why[128];
	double in_per_s,
		out_per_s; /* requests that came in; calls that reached the server,
				       refused ones included */
	int64_t started, good, late, failed, unanswered;
	int64_t calls, refused; /* as the server counted them */
	ns_t p50, p99, max;     /* of all that were answered */
	ns_t good_p50, good_p99;
	struct lab_peaks peak[LAB_SIDES]; /* on the middleware's host */
	struct lab_first first;
	int64_t slots_limit, slots_peak, slots_over;
	int64_t abandoned_peak; /* slots held by calls whose caller had hung up */
	double closes_per_s;    /* towards the server, begun by the middleware */
};

void lab_row_init(struct lab_row *row, const struct lab_run *run);

/* The server's own words: the most frequent text among refusals and other error answers
 * that a run saw. */
struct lab_words {
	int64_t count;
	int status;
	char text[256];
};
/* False: it got no error answer with a text. */
bool lab_words_init(struct lab_words *w, const struct lab_run *run);

#endif

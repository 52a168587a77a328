/*
 * progress: where a lab is and what is left: one live line on a terminal, plain lines
 * every few seconds elsewhere.
 */
#ifndef WEIR_LAB_PROGRESS_H
#define WEIR_LAB_PROGRESS_H

#include "lab/run.h"

struct lab_progress {
	bool quiet, live;
	size_t width;    /* of the terminal */
	const char *act; /* that runs */
	ns_t next_line;
	ns_t after_for; /* what comes after the batch that runs, as far as known */
};

void lab_progress_init(struct lab_progress *p, bool quiet);
/* The batch that runs. */
void lab_progress_show(
	struct lab_progress *p, struct lab_run *const *runs, uint32_t n, ns_t now);
void lab_progress_clear(struct lab_progress *p);

#endif

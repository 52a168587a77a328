/*
 * row: what one case came to over its runs: its line in the table. Pure.
 */
#ifndef WEIR_LAB_ROW_H
#define WEIR_LAB_ROW_H

#include "lab/run.h"

struct lab_row {
	const char *name, *what; /* name: with the values of what is swept */
	enum lab_role role;
	bool known; /* the callers reported */
	bool valid; /* in all runs the machine kept up */
	const char *invalid_why;
	struct figures f; /* medians */
};

/* The rows point into the case and its runs. */
void lab_row_init(struct lab_row *row, const struct lab_case *c,
	const struct lab_run *const *runs, uint32_t n);
/* A count for people: what is not known is 0. */
uint64_t row_count(const struct lab_row *row, enum figure_id id);

#endif

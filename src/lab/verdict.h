/*
 * verdict: an act in three sentences: what was wrong, what shows it, what cures it and at
 * what price. Pure: every number in them is one of the figures given, and what was not
 * measured is not told.
 *
 * MODEL   Judged is the first variant whose role is the fault, else the first. What may cure
 *         it are the others of its group: they met the same arrivals and the same server.
 * RULES   1. Variants that are not valid are named first and then left out; when the one
 *            that is judged is not valid, there is no verdict.
 *         2. Better is only what is better in every run than the other in any, and by more
 *            than separate runs differ anyway.
 */
#ifndef WEIR_LAB_VERDICT_H
#define WEIR_LAB_VERDICT_H

#include "base/text.h"
#include "lab/result.h"

struct lab_verdict {
	char *invalid;               /* NULL: all were valid */
	char *wrong, *shows, *cures; /* NULL: no verdict */
};

void lab_verdict_init(struct lab_verdict *v, const struct lab_act_figures *a);
void lab_verdict_fini(struct lab_verdict *v);

#endif

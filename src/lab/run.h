/*
 * run: one case run once, from its hosts to what is known when it is over.
 *
 * MODEL   PREPARED: server and middleware listen; RUNNING: the callers are at work; OVER:
 *         they have reported, all its programs are gone, what was seen stays.
 * RULES   1. A run that fails says why in `note` and is over; the others go on.
 *         2. When it is over, times of samples count from the first request's due time, as
 *            those of the load's report do.
 * OWNS    its hosts, children and what was seen, until lab_run_fini.
 */
#ifndef WEIR_LAB_RUN_H
#define WEIR_LAB_RUN_H

#include "io/child.h"
#include "lab/plan.h"
#include "lab/sample.h"
#include "lab/trouble.h"

enum lab_run_state { LAB_RUN_NEW, LAB_RUN_PREPARED, LAB_RUN_RUNNING, LAB_RUN_OVER };

struct lab_run {
	const struct lab_case *c;
	uint32_t repetition; /* from 1 */
	uint64_t seed;
	struct lab_plan plan;
	char *dir;
	enum lab_run_state state;
	struct lab_hosts hosts;
	struct child child[LAB_HOSTS]; /* the program on each host */
	ns_t began;                    /* when the callers did, monotonic */
	double began_at_ms;            /* the same as Unix time */
	ns_t took_for;
	struct lab_sample *samples;
	uint32_t n_samples, cap_samples;
	struct json_doc *load, *server, *middle; /* the last of each; NULL: none */
	char *note;                              /* what went wrong, or NULL */
	char *invalid; /* why its figures are the machine's, or NULL */
	struct figures figures;
};

struct lab_run_of {
	struct lab_plan_of plan;
	uint32_t repetition;
};

/* Makes the hosts and starts server and middleware; returns when both listen. False: why,
 * with the last words of the program that did not. */
MUST_USE bool lab_run_init(
	struct lab_run *r, const struct lab_run_of *of, struct lab_trouble *why);
void lab_run_fini(struct lab_run *r);
/* The callers begin. */
MUST_USE bool lab_run_start(struct lab_run *r, struct problem *p);
/* Twenty times a second: connections that ended, programs that did. Over when the callers
 * are done, or long after they should have been. */
void lab_run_poll(struct lab_run *r, ns_t now);
/* Twice a second, while running. */
void lab_run_sample(struct lab_run *r);
const struct lab_sample *lab_run_last(const struct lab_run *r); /* NULL: none yet */
/* How long it is meant to take at most, but for callers that do not end. */
ns_t lab_case_for(const struct lab_case *c);

#endif

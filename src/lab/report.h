/*
 * report: what a lab says of its runs: text on the terminal, and its result as JSON
 * (schema weir.lab/2, docs/json/lab.md).
 */
#ifndef WEIR_LAB_REPORT_H
#define WEIR_LAB_REPORT_H

#include "lab/machine.h"
#include "lab/row.h"
#include "lab/story.h"

struct lab_act_result {
	const struct lab_act *act;
	const struct lab_case **cases; /* those that were run */
	uint32_t n;
	uint32_t repeat;
	struct lab_run *runs; /* of case i: repeat of them, from i * repeat */
	struct lab_row *rows; /* one a case */
	struct lab_story story;
	struct args missing;             /* "node (`node` is not installed)" */
	struct expect_verdict *verdicts; /* one a line of act->expects */
};

struct lab_result {
	const struct lab_scenario *scenario;
	const struct lab_options *options;
	const struct opt_texts *words; /* behind `weir lab` */
	struct lab_machine machine;
	int64_t started_at_ms; /* Unix time */
	ns_t took_for;
	struct lab_act_result acts[LAB_ACTS_MAX];
	uint32_t n_acts;
};

/* A parameter of that name has several values in it. */
bool lab_act_sweeps(const struct lab_act_result *a, const char *name);
/* Whether every line held, or could not be judged. */
bool lab_result_passed(const struct lab_result *r);

/* One act: the server's own words, the table, the sentences, what was expected. */
void lab_report_text(struct text *t, const struct lab_act_result *a, size_t width);
/* samples.json. */
void lab_report_json(struct text *t, const struct lab_result *r);

#endif

/*
 * report: what a lab leaves: text on the terminal, table.md, samples.json (schema
 * weir.lab/1, docs/json/lab.md).
 */
#ifndef WEIR_LAB_REPORT_H
#define WEIR_LAB_REPORT_H

#include "lab/row.h"
#include "lab/story.h"

struct lab_act_result {
	const struct lab_act *act;
	struct lab_setting set;
	struct lab_cast cast;
	struct lab_run *runs; /* their variants are in `cast` */
	struct lab_row *rows;
	uint32_t n;
	struct lab_story story;
	struct args missing; /* "node (`node` is not installed)" */
};

struct lab_result {
	const struct lab_scenario *scenario;
	const struct lab_options *options;
	int64_t started_at_ms; /* Unix time */
	struct lab_act_result acts[4];
	uint32_t n_acts;
};

/* One act: the server's own words, the table, the sentences. */
void lab_report_text(struct text *t, const struct lab_act_result *a, size_t width);
void lab_report_markdown(struct text *t, const struct lab_result *r);
void lab_report_json(struct text *t, const struct lab_result *r);

/* Whether DIR may take our files: absent, or holding none of somebody else's by their
 * names. Makes it. */
MUST_USE bool lab_report_check(const char *dir, struct problem *p);
/* Writes samples.json and table.md, each whole or not at all. */
MUST_USE bool lab_report_write(
	const char *dir, const struct lab_result *r, struct problem *p);

#endif

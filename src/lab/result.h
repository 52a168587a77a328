/*
 * result: what a lab's result (schema weir.lab/2, docs/json/lab.md) says of each
 * variant, read from its JSON.
 *
 * RULES   1. What was not measured is not known; it never reads as 0.
 * OWNS    a lab_act_figures its texts, until lab_act_figures_fini.
 */
#ifndef WEIR_LAB_RESULT_H
#define WEIR_LAB_RESULT_H

#include "base/json_read.h"

/* Over the runs of a variant; counts as they are, durations in ms, shares 0 to 1. */
struct lab_measure {
	bool known;
	double median, low, high;
};

/* X(field, "key of the catalogue of figures") */
#define LAB_MEASURES(X) \
	X(started, "started") \
	X(good, "good") \
	X(good_share, "good_share") \
	X(late, "late") \
	X(failed, "failed") \
	X(unanswered, "unanswered") \
	X(p50, "p50_ms") \
	X(p99, "p99_ms") \
	X(max, "max_ms") \
	X(calls, "calls") \
	X(refused, "refused") \
	X(slots_limit, "slots_limit") \
	X(slots_peak, "slots_peak") \
	X(abandoned, "abandoned") \
	X(in_established, "in_established") \
	X(established, "established") \
	X(time_wait, "time_wait") \
	X(fin_wait2, "fin_wait2") \
	X(ended, "ended") \
	X(closed_middleware, "closed_middleware") \
	X(closed_server, "closed_server") \
	X(closed_reset, "closed_reset")

/* A variant at a point. */
struct lab_figures {
	char *label;   /* name and point */
	bool is_fault; /* its role: it shows what goes wrong */
	bool valid;
	char *invalid_why; /* may be NULL */
	/* Variants of the same group met the same arrivals at the same server. */
	uint32_t group;
#define X(field, key) struct lab_measure field;
	LAB_MEASURES(X)
#undef X
	/* The error answer with a text that was seen most, over all runs. */
	char *words; /* NULL: none */
	int64_t words_count, words_status;
	/* What callers of the first run got most often instead of a good answer. */
	char *error;                       /* its kind; NULL: nothing */
	int64_t error_count, error_status; /* status 0: none */
};

struct lab_act_figures {
	char *title;
	int64_t repetitions;
	struct lab_figures *v;
	size_t n;
};

void lab_act_figures_init(
	struct lab_act_figures *a, const struct json_doc *doc, size_t act);
void lab_act_figures_fini(struct lab_act_figures *a);
size_t lab_result_acts(const struct json_doc *doc);
/* Whether it is a result at all, and of a schema we know. */
MUST_USE bool lab_result_check(const struct json_doc *doc, struct problem *p);

#endif

/*
 * metrics: Prometheus' text exposition format, version 0.0.4, and durations in its buckets.
 *
 * MODEL   A family is a name with its kind and help, then its samples, one a line, that differ
 *         in their labels. Times are in seconds, as is the custom there.
 * RULES   1. All samples of a family follow it before the next one begins.
 *         2. No two samples of a family have the same labels.
 * COST    durations_note: a walk over at most METRIC_BUCKETS edges.
 * SOURCE  https://prometheus.io/docs/instrumenting/exposition_formats/
 */
#ifndef WEIR_OBS_METRICS_H
#define WEIR_OBS_METRICS_H

#include "base/text.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define METRIC_LABELS_MAX 3
#define METRIC_BUCKETS 14 /* and one without an end */

enum metric_kind { METRIC_GAUGE, METRIC_COUNTER, METRIC_HISTOGRAM };

struct metric_labels {
	uint32_t n;
	struct {
		const char *name, *value;
	} v[METRIC_LABELS_MAX];
};

struct durations {
	uint64_t in[METRIC_BUCKETS + 1]; /* not cumulated */
	ns_t sum;
};

void durations_note(struct durations *d, ns_t took);
void durations_add(struct durations *sum, const struct durations *d);

void metrics_family(
	struct text *t, const char *name, enum metric_kind kind, const char *help);
/* labels NULL: none. Values are escaped. */
void metrics_count(struct text *t, const char *name, const struct metric_labels *labels,
	uint64_t value);
void metrics_seconds(
	struct text *t, const char *name, const struct metric_labels *labels, ns_t value);
/* At most METRIC_LABELS_MAX - 1 labels: the bucket's edge is one. */
void metrics_durations(struct text *t, const char *name,
	const struct metric_labels *labels, const struct durations *d);

#endif

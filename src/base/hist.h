/*
 * hist: HDR-style histogram of durations, 1 µs to 1 h, 3 significant digits (relative
 * error <= 0.1 %).
 *
 * MODEL   buckets of doubling width, 2048 linear steps in each (Gil Tene's HdrHistogram
 *         layout).
 * COST    a record is O(1), no allocation; about 190 KiB a histogram (64-bit counts).
 */
#ifndef WEIR_BASE_HIST_H
#define WEIR_BASE_HIST_H

#include "base/json.h"

#define HIST_US_MAX 3600000000u /* an hour */

struct hist;

struct hist *hist_new(void);
void hist_free(struct hist **h);
void hist_reset(struct hist *h);
void hist_record(struct hist *h, ns_t value); /* below 0 counts as 0; above 1 h as 1 h */
/* n times the same value: reads hist_json_buckets back (value: bucket_low_us * NS_US). */
void hist_record_n(struct hist *h, ns_t value, uint64_t n);
/* What hist_json told of it, for one that was read back: its buckets hold both ends and the mean to
 * three digits only. False: they are no ends of it. */
MUST_USE bool hist_set_exact(struct hist *h, ns_t min, ns_t mean, ns_t max);
/* Takes one recorded value back; hist_min and hist_max keep what they have seen. */
void hist_take_back(struct hist *h, ns_t value);
void hist_merge(struct hist *into, const struct hist *from);
uint64_t hist_count(const struct hist *h);
ns_t hist_min(const struct hist *h);  /* exact; 0 when empty */
ns_t hist_max(const struct hist *h);  /* exact; 0 when empty */
ns_t hist_mean(const struct hist *h); /* exact sum over count */
/* Highest equivalent value of the bucket that holds quantile q in [0, 1]; never above
 * hist_max. */
ns_t hist_quantile(const struct hist *h, double q);
/* How many recorded values are <= value (to bucket precision). */
uint64_t hist_count_at_most(const struct hist *h, ns_t value);
/* {count, min_ms, mean_ms, p50_ms, p90_ms, p99_ms, p999_ms, max_ms} */
void hist_json(struct json *j, const char *key, const struct hist *h);
/* Lossless and mergeable: [[bucket_low_us, count], ...] of the buckets in use. */
void hist_json_buckets(struct json *j, const char *key, const struct hist *h);

#endif

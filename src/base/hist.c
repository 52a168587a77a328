/*
 * Gil Tene's layout in whole microseconds: the first 2048 buckets are 1 µs wide; then each
 * group of 1024 covers twice the range of all before it, with buckets of twice the width.
 */
#include "base/hist.h"

#include <math.h>

#define SUB_BITS 11 /* 2^11 >= 2 * 10^3: three significant digits */
#define HALF ((size_t)1 << (SUB_BITS - 1))
#define VALUE_MAX ((ns_t)HIST_US_MAX * NS_US)
#define GROUPS 22 /* 2048 << 21 is the first power beyond 3.6e9 µs */
#define BUCKETS ((GROUPS + 1) * HALF)

__extension__ typedef unsigned __int128 sum_t; /* 2^64 values of an hour each */

struct hist {
	uint64_t count;
	ns_t min, max; /* valid when count > 0 */
	sum_t sum;
	size_t used; /* buckets from here on are 0 */
	uint64_t buckets[BUCKETS];
};

static size_t bucket_of(ns_t value)
{
	uint64_t us = (uint64_t)(value / NS_US);
	if (us < 2 * HALF)
		return us;
	unsigned shift = 64u - SUB_BITS - (unsigned)__builtin_clzll(us);
	return shift * HALF + (us >> shift);
}

static uint64_t bucket_low_us(size_t bucket)
{
	if (bucket < 2 * HALF)
		return bucket;
	size_t shift = bucket / HALF - 1;
	return (uint64_t)(HALF + bucket % HALF) << shift;
}

/* The highest value that falls into the bucket. */
static ns_t bucket_high(size_t bucket)
{
	return (ns_t)bucket_low_us(bucket + 1) * NS_US - 1;
}

struct hist *hist_new(void)
{
	return mem_zalloc(sizeof(struct hist));
}

void hist_free(struct hist **h)
{
	mem_free(*h);
	*h = NULL;
}

void hist_reset(struct hist *h)
{
	memset(h, 0, sizeof(*h));
}

void hist_record(struct hist *h, ns_t value)
{
	hist_record_n(h, value, 1);
}

void hist_record_n(struct hist *h, ns_t value, uint64_t n)
{
	if (n == 0)
		return;
	value = ns_min(ns_max(value, 0), VALUE_MAX);
	h->min = h->count ? ns_min(h->min, value) : value;
	h->max = h->count ? ns_max(h->max, value) : value;
	h->count += n;
	h->sum += (sum_t)(uint64_t)value * n;
	size_t bucket = bucket_of(value);
	h->buckets[bucket] += n;
	if (bucket >= h->used)
		h->used = bucket + 1;
}

bool hist_set_exact(struct hist *h, ns_t min, ns_t mean, ns_t max)
{
	if (!h->count || min < 0 || mean < min || max < mean || max > VALUE_MAX)
		return false;
	h->min = min;
	h->max = max;
	h->sum = (sum_t)(uint64_t)mean * h->count;
	return true;
}

void hist_take_back(struct hist *h, ns_t value)
{
	value = ns_min(ns_max(value, 0), VALUE_MAX);
	CHECK(h->buckets[bucket_of(value)] > 0);
	h->buckets[bucket_of(value)]--;
	h->count--;
	h->sum -= (sum_t)(uint64_t)value;
}

void hist_merge(struct hist *into, const struct hist *from)
{
	if (from->count == 0)
		return;
	into->min = into->count ? ns_min(into->min, from->min) : from->min;
	into->max = into->count ? ns_max(into->max, from->max) : from->max;
	into->count += from->count;
	into->sum += from->sum;
	for (size_t i = 0; i < from->used; i++)
		into->buckets[i] += from->buckets[i];
	if (from->used > into->used)
		into->used = from->used;
}

uint64_t hist_count(const struct hist *h)
{
	return h->count;
}

ns_t hist_min(const struct hist *h)
{
	return h->count ? h->min : 0;
}

ns_t hist_max(const struct hist *h)
{
	return h->count ? h->max : 0;
}

ns_t hist_mean(const struct hist *h)
{
	return h->count ? (ns_t)(h->sum / h->count) : 0;
}

ns_t hist_quantile(const struct hist *h, double q)
{
	if (h->count == 0)
		return 0;
	if (!(q > 0))
		return h->min;
	/* One step down, so that 0.07 of 100 is the 7th value though 0.07 * 100 > 7. */
	double rank = ceil(nextafter(fmin(q, 1), 0) * (double)h->count);
	uint64_t seen = 0;
	for (size_t i = 0; i < h->used; i++) {
		seen += h->buckets[i];
		if ((double)seen >= rank)
			return ns_min(bucket_high(i), h->max);
	}
	return h->max;
}

uint64_t hist_count_at_most(const struct hist *h, ns_t value)
{
	if (value < 0)
		return 0;
	size_t last = bucket_of(ns_min(value, VALUE_MAX));
	uint64_t seen = 0;
	for (size_t i = 0; i <= last && i < h->used; i++)
		seen += h->buckets[i];
	return seen;
}

static void add_quantity(
	struct json *j, const char *key, const struct hist *h, ns_t value)
{
	/* Nothing recorded has no median: null, not 0. */
	json_ms(j, key, h->count ? value : NS_NEVER);
}

void hist_json(struct json *j, const char *key, const struct hist *h)
{
	json_object(j, key);
	json_int(j, "count", (int64_t)h->count);
	add_quantity(j, "min_ms", h, hist_min(h));
	add_quantity(j, "mean_ms", h, hist_mean(h));
	add_quantity(j, "p50_ms", h, hist_quantile(h, 0.5));
	add_quantity(j, "p90_ms", h, hist_quantile(h, 0.9));
	add_quantity(j, "p99_ms", h, hist_quantile(h, 0.99));
	add_quantity(j, "p999_ms", h, hist_quantile(h, 0.999));
	add_quantity(j, "max_ms", h, hist_max(h));
	json_end(j);
}

void hist_json_buckets(struct json *j, const char *key, const struct hist *h)
{
	json_array(j, key);
	for (size_t i = 0; i < h->used; i++) {
		if (!h->buckets[i])
			continue;
		json_array(j, NULL);
		json_int(j, NULL, (int64_t)bucket_low_us(i));
		json_int(j, NULL, (int64_t)h->buckets[i]);
		json_end(j);
	}
	json_end(j);
}

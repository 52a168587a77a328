/*
 * units: numbers as people write them. A number that needs a unit and has none is an
 * error, and the message says what to write instead.
 *
 *   duration  800ms 1.5s 250us 2m 1h, `none` where the caller allows it (NS_NEVER)
 *   size      64KiB 10MiB 1GiB 512B, also kB MB GB (powers of ten)
 *   rate      700/s 12000/m 0.5/s
 *   percent   20% 0.5% -> permille or a share in 0..1
 *   count     1000 1_000 10k
 */
#ifndef WEIR_BASE_UNITS_H
#define WEIR_BASE_UNITS_H

#include "base/err.h"
#include "base/text.h"

/* Each fills *out and returns true, or sets the problem ("'800' has no unit: write 800ms
 * or 800s"). */
MUST_USE bool units_duration(struct slice s, ns_t *out, struct problem *p);
MUST_USE bool units_size(struct slice s, uint64_t *out, struct problem *p);
MUST_USE bool units_rate(struct slice s, double *per_second, struct problem *p);
MUST_USE bool units_share(
	struct slice s, double *share, struct problem *p); /* "20%" -> 0.2 */
MUST_USE bool units_count(struct slice s, uint64_t *out, struct problem *p);

/* For people: three significant digits and a unit: 812 µs, 52.1 ms, 4.03 s, 12m 5s;
 * NS_NEVER: "none". */
void text_add_duration(struct text *t, ns_t d);
void text_add_size(struct text *t, uint64_t bytes); /* 1.5 MiB */
void text_add_count(struct text *t, uint64_t n);    /* 12,345 */
/* 1 call; 12,345 calls */
void text_add_counted(struct text *t, uint64_t n, const char *one, const char *many);
/* Not below 0, to three digits, or whole: 0.0667, 6.67, 667, 12,345. */
void text_add_number(struct text *t, double n);

/* "did you mean": the nearest of `n` words within an edit distance that fits its length,
 * or NULL. */
const char *units_nearest(struct slice word, const char *const *words, size_t n);
/* One edit away, or the same in other case. */
bool units_is_slip(struct slice word, const char *meant);

#endif

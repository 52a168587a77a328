/*
 * samples: the corpus (tests/fuzz/corpus/KIND with its INDEX) for tests, and memory that
 * ends at a page nobody may touch.
 */
#ifndef WEIR_TEST_SAMPLES_H
#define WEIR_TEST_SAMPLES_H

#include "base/text.h"

struct sample {
	char *name;
	struct text bytes;
	char *line; /* of the INDEX, name and verdict cut off: key=value ... */
	char *verdict;
};

struct samples {
	struct sample *v;
	size_t count;
};

/* Aborts when a file or a line is missing or a file has no line. */
void samples_load(struct samples *s, const char *corpus, const char *kind);
void samples_fini(struct samples *s);
/* The value of `key`, \xHH decoded; false when the line has no such key. */
bool sample_key(const struct sample *s, const char *key, struct text *value);
uint64_t sample_number(const struct sample *s, const char *key, uint64_t if_absent);
/* N of "limits=head:N,target:N"; 0 when absent. */
uint32_t sample_limit(const struct sample *s, const char *which);

struct guard {
	char *pages;
	size_t bytes;
};

void guard_init(struct guard *g, size_t bytes);
void guard_fini(struct guard *g);
/* The bytes, copied so that the byte behind them is on the forbidden page. */
struct slice guard_put(struct guard *g, struct slice bytes);

#endif

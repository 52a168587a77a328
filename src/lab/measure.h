/*
 * measure: the figures of a run that is over. Pure.
 */
#ifndef WEIR_LAB_MEASURE_H
#define WEIR_LAB_MEASURE_H

#include "lab/run.h"

void measure(struct figures *f, const struct lab_run *r);
/* Why the figures are the machine's or the generator's rather than the programs'; NULL:
 * they are not. mem_free. */
char *measure_invalid(const struct lab_run *r);

/* A text that the server, or the middleware in its place, answered errors with. */
struct lab_words {
	int64_t count;
	int status;  /* 0: unknown */
	bool server; /* it is certain whose they are: the server's */
	char text[256];
};
#define LAB_WORDS_MAX 16
/* Merges the texts that a run saw into `w`, most frequent first; how many there are. */
uint32_t measure_words(
	struct lab_words w[LAB_WORDS_MAX], uint32_t n, const struct lab_run *r);

#endif

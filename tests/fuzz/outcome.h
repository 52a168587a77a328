/*
 * outcome: all that the head parser says of some bytes, to compare with what it says of them
 * on another occasion.
 */
#ifndef WEIR_TEST_OUTCOME_H
#define WEIR_TEST_OUTCOME_H

#include "proto/h1.h"

struct outcome {
	enum h1_result r;
	enum err why;
	size_t used;
	const char *base; /* where the bytes lay */
	struct h1_head head;
};

/* The head is garbage before each call: nothing may be kept in it from one to the next. */
void outcome_of_request(struct outcome *o, struct h1_scan *scan, struct slice in,
	const struct h1_limits *limits);
void outcome_of_response(struct outcome *o, struct h1_scan *scan, struct slice in,
	const struct h1_limits *limits, enum h1_method asked);
/* The same verdict, and if it is H1_DONE the same head, slices at the same offsets. */
bool outcome_same(const struct outcome *a, const struct outcome *b);

#endif

/*
 * fuzz_head: properties that hold for any bytes given to the head parser.
 */
#ifndef WEIR_TEST_FUZZ_HEAD_H
#define WEIR_TEST_FUZZ_HEAD_H

#include "outcome.h"

struct fuzz_head {
	struct slice in;
	struct h1_limits limits;
	bool response;
	enum h1_method asked;
};

/* Parses all; CHECKs that every prefix (of long inputs: some) says nothing or the same, that
 * two parts and single bytes say the same, and that all slices lie in the head. */
void fuzz_head_run(const struct fuzz_head *f, struct outcome *whole);

#endif

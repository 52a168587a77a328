/*
 * fuzz: what the fuzz targets share.
 *
 * MODEL   Each target is one file with LLVMFuzzerTestOneInput, built twice: with libFuzzer
 *         (-Dfuzz=true, clang), and with replay.c, which runs every file of the corpus
 *         through it in each test run.
 */
#ifndef WEIR_TEST_FUZZ_H
#define WEIR_TEST_FUZZ_H

#include "base/slice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A number that the input decides (FNV-1a), to choose cuts and limits by. */
uint64_t fuzz_hash(struct slice in);
/* The first `len` bytes in a block of just that size, so that reading past them is seen. */
char *fuzz_prefix(struct slice in, size_t len);
/* What conf_show said of `file`, as "x": complaints begin with the name, a line of the file
 * and a column; what is quoted of the file is indented. */
void fuzz_check_complaints(struct slice shown, struct slice file);

#endif

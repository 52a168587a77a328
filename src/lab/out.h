/*
 * out: the folder a lab leaves its report in: samples.json, and made from it alone
 * report.html and report.md.
 *
 * RULES   1. A file is written whole or not at all.
 *         2. A file of ours is replaced; one of the same name that is not ours never.
 */
#ifndef WEIR_LAB_OUT_H
#define WEIR_LAB_OUT_H

#include "base/err.h"
#include "base/text.h"

/* Whether DIR may take our files. Makes it. */
MUST_USE bool lab_out_check(const char *dir, struct problem *p);
/* All three, from a result's JSON. */
MUST_USE bool lab_out_write(const char *dir, const struct text *json, struct problem *p);
/* report.html and report.md made again from the samples.json in DIR. */
MUST_USE bool lab_out_again(const char *dir, struct problem *p);

#endif

/*
 * pairs: a growing list of names with values, in order: options, environments, the values
 * of swept parameters.
 *
 * OWNS    the list, until pairs_fini; not the strings.
 */
#ifndef WEIR_LAB_PAIRS_H
#define WEIR_LAB_PAIRS_H

#include "base/text.h"

struct lab_pair {
	const char *name, *value; /* value NULL: a flag */
};

struct lab_pairs {
	struct lab_pair *v;
	uint32_t n, cap;
};

void pairs_init(struct lab_pairs *p);
void pairs_fini(struct lab_pairs *p);
void pairs_add(struct lab_pairs *p, const char *name, const char *value);
/* NULL: none of that name. */
const struct lab_pair *pairs_find(const struct lab_pairs *p, const char *name);

#endif

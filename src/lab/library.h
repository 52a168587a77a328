/*
 * library: scenarios by name or path: weir's own (lab/scenarios/) and the user's files.
 */
#ifndef WEIR_LAB_LIBRARY_H
#define WEIR_LAB_LIBRARY_H

#include "lab/scenario.h"

#define LIBRARY_NAMES_MAX 64

/* Weir's own, number i; NULL beyond the last. */
const char *library_name(size_t i);

struct library_item {
	struct lab_source source;
	char *name, *text; /* of a file */
};

/* A word with a / or ending in .yaml or .yml is a path, else a name. False: there is none,
 * with what was likely meant. */
MUST_USE bool library_find(
	struct library_item *item, const char *word, struct problem *p);
void library_item_fini(struct library_item *item);

#endif

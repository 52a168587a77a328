/*
 * story: what the figures of an act say, in a few plain sentences. Pure: every number in
 * them is from the rows given.
 */
#ifndef WEIR_LAB_STORY_H
#define WEIR_LAB_STORY_H

#include "lab/row.h"

#define LAB_STORY_MAX 16

struct lab_story {
	char *says[LAB_STORY_MAX];
	uint32_t n;
};

void lab_story_init(struct lab_story *s, const struct lab_row *rows, size_t n);
void lab_story_fini(struct lab_story *s);

#endif

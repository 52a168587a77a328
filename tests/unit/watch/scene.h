/*
 * scene: one place, what was counted and heard there within a minute, and the causes that are
 * found. A test sets the place's other figures itself.
 */
#ifndef WEIR_TESTS_WATCH_SCENE_H
#define WEIR_TESTS_WATCH_SCENE_H

#include "tests/unit/base/unit.h"
#include "watch/causes.h"

struct scene {
	struct place place;
	struct place *of_places[1];
	struct places places;
	struct users_of_place user;
	struct users users;
	struct heard heard;
	struct tally tally;
	struct diag_counters before, now;
	struct causes_from from;
	struct causes c;
};

void scene_init(struct scene *s, enum tally_side_id side);
/* One program, whose connections there ended. */
void seen_there(struct scene *s, enum runtime runtime);
/* One more kind of error answer, by its status. */
void heard_there(struct scene *s, uint16_t status, uint32_t count);
/* So many more closes, judged so. */
void closes(struct scene *s, enum close_first first, enum close_why why, uint32_t n);
/* Right after an answer, by how often they had been used. */
void closed_by_us(struct scene *s, uint32_t once, uint32_t few, uint32_t many);
void ages_put_many(struct ages *ages, uint32_t n, ns_t at);

/* The one cause there is; NULL: there is none. */
const struct cause *only_cause(struct scene *s);
void assert_cause(struct scene *s, const char *name);

#endif

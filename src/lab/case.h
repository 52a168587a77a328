/*
 * case: one variant at one point of its sweep, as the file has it.
 */
#ifndef WEIR_LAB_CASE_H
#define WEIR_LAB_CASE_H

#include "lab/reader.h"
#include "lab/scenario.h"

struct case_source {
	const struct conf_node *map; /* the variant's; NULL: the user's --middleware */
	const char *name;
	struct conf_place at;
	struct reader_levels levels; /* of its act */
	const struct lab_options *options;
	const char *dir_of; /* paths are relative to this file's folder; NULL: to ours */
};

extern const char *const lab_server_words[]; /* by enum lab_server_program; NULL ends */
extern const char *const lab_role_words[];   /* by enum lab_role; NULL ends */

/* Into zeroed storage. The reader's figures are filled on the way. */
void case_read(struct lab_case *c, struct reader *r, const struct case_source *source);
void case_fini(struct lab_case *c);

#endif

/*
 * args: a growing list of words, as exec takes them: a command line or an environment.
 *
 * OWNS    copies of its words, until args_fini.
 */
#ifndef WEIR_LAB_ARGS_H
#define WEIR_LAB_ARGS_H

#include "base/text.h"

struct args {
	char **v; /* ends with NULL once anything was added */
	uint32_t n, cap;
};

void args_init(struct args *a);
void args_fini(struct args *a);
void args_add(struct args *a, const char *word);
void args_addf(struct args *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* For exec. */
const char *const *args_v(const struct args *a);
/* As one would type it: words that a shell would split or change are quoted. */
void text_add_args(struct text *t, const struct args *a);

#endif

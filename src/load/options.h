/*
 * options: what weir load takes on its command line: options.def as a struct and as a table.
 *
 * OWNS    texts point into argv.
 */
#ifndef WEIR_LOAD_OPTIONS_H
#define WEIR_LOAD_OPTIONS_H

#include "base/opts.h"

struct load_options {
#define OPT(kind, field, name, meta, dflt, help) OPT_FIELD_##kind field;
#define GROUP(title)
#include "load/options.def"
#undef OPT
#undef GROUP
	struct opt_froms froms;
};

enum {
	LOAD_OPTS = 0
#define OPT(kind, field, name, meta, dflt, help) +1
#define GROUP(title) +1
#include "load/options.def"
#undef OPT
#undef GROUP
};
extern const struct opt load_opts[LOAD_OPTS]; /* groups too */

/* It stands on the command line, whatever its value. */
bool load_is_given(const struct load_options *o, const char *name);

#endif

/* options: what `weir lab` takes, made from options.def. */
#ifndef WEIR_LAB_OPTIONS_H
#define WEIR_LAB_OPTIONS_H

#include "base/opts.h"

enum lab_origin { LAB_ORIGIN_WEIR, LAB_ORIGIN_FASTHTTP };

/* Of requests, from files and from the command line. */
#define LAB_RATE_MAX 1e6 /* per second */
#define LAB_RUN_MAX (24 * 3600 * NS_S)

struct lab_options {
#define OPT(kind, field, name, meta, dflt, help) OPT_FIELD_##kind field;
#define GROUP(title)
#include "lab/options.def"
#undef OPT
#undef GROUP
	struct opt_froms froms;
};

#endif

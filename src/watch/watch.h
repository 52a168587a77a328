/*
 * watch: the verb. Once, or again and again until SIGINT: look at a namespace's sockets,
 * and say what they prove. Between two looks the deaths of sockets are read, so that
 * every close is attributed.
 */
#ifndef WEIR_WATCH_WATCH_H
#define WEIR_WATCH_WATCH_H

#include "base/opts.h"

struct watch_options {
#define OPT(kind, field, name, meta, dflt, help) OPT_FIELD_##kind field;
#define GROUP(title)
#include "watch/options.def"
#undef OPT
#undef GROUP
};

extern const struct verb watch_verb;

int watch_main(const void *options, const struct opt_texts *words);

#endif

#include "load/options.h"

const struct opt load_opts[LOAD_OPTS] = {
#define OPT(kind, field, name, meta, dflt, help) \
	{ OPT_##kind, name, meta, dflt, help, offsetof(struct load_options, field) },
#define GROUP(title) { OPT_group, title, NULL, NULL, NULL, 0 },
#include "load/options.def"
#undef OPT
#undef GROUP
};

bool load_is_given(const struct load_options *o, const char *name)
{
	for (size_t i = 0; i < LOAD_OPTS; i++)
		if (load_opts[i].kind != OPT_group &&
			strcmp(load_opts[i].name, name) == 0)
			return o->froms.of[i] == OPT_FROM_ARGV;
	CHECK(!"an option");
	return false;
}

/* The table of options.def: as rows for base/opts, and each row's scope. */
#include "proxy/config.h"

const struct opt proxy_opts[PROXY_OPT_COUNT] = {
#define OPT(kind, field, name, meta, dflt, help) \
	{ OPT_##kind, name, meta, dflt, help, offsetof(struct proxy_options, field) },
#define GROUP(title) { .kind = OPT_group, .name = title },
#include "proxy/options.def"
#undef OPT
#undef GROUP
};

#undef OPT_COMMAND
#undef OPT_UPSTREAM
#undef OPT_ROUTE

static const uint8_t scopes[] = {
#define OPT(kind, field, name, meta, dflt, help) PROXY_SCOPE_PROCESS,
#define OPT_COMMAND(kind, field, name, meta, dflt, help) PROXY_SCOPE_COMMAND,
#define OPT_UPSTREAM(kind, field, name, meta, dflt, help) PROXY_SCOPE_UPSTREAM,
#define OPT_ROUTE(kind, field, name, meta, dflt, help) PROXY_SCOPE_ROUTE,
#define GROUP(title) PROXY_SCOPE_COMMAND,
#include "proxy/options.def"
};

enum proxy_scope proxy_opt_scope(size_t row)
{
	CHECK(row < ARRAY_LEN(scopes));
	return (enum proxy_scope)scopes[row];
}

/*
 * config: what the command line, the environment and the file of --config say together.
 *
 * MODEL   Options have a scope: of the process, of an upstream, or of a route. An upstream
 *         begins with the process's options and says what it wants otherwise; a route begins
 *         with its upstream's. So each has a whole struct proxy_options, and a key may stand
 *         wherever what it applies to is inside.
 *         With forward-listen and nothing of a reverse proxy, there is neither upstream nor
 *         route. Without `upstreams` in the file, --upstream is one named `default`; without
 *         `routes`, the only upstream has every request.
 * RULES   1. The stronger source stands: command line, environment, file, default.
 *         2. All that is wrong is found at once: in the file each with its place (conf.h), on
 *            the command line the first.
 *         3. Nothing outside the file is looked at: no name is resolved, nothing is opened.
 * OWNS    the config owns its file; texts live as long as it does.
 * CONTEXT one thread, until nothing is complained of any more; then any.
 */
#ifndef WEIR_PROXY_CONFIG_H
#define WEIR_PROXY_CONFIG_H

#include "base/conf.h"
#include "base/opts.h"
#include "proxy/template.h"

enum proxy_scope {
	PROXY_SCOPE_COMMAND, /* --config itself: not in the file */
	PROXY_SCOPE_PROCESS,
	PROXY_SCOPE_UPSTREAM,
	PROXY_SCOPE_ROUTE,
};

/* A row of options.def is OPT, of the process, or one of these. */
#define OPT_COMMAND OPT
#define OPT_UPSTREAM OPT
#define OPT_ROUTE OPT

struct proxy_options {
#define OPT(kind, field, name, meta, dflt, help) OPT_FIELD_##kind field;
#define GROUP(title)
#include "proxy/options.def"
#undef OPT
#undef GROUP
	struct opt_froms froms;
};

#define PROXY_ENV "WEIR_PROXY_"
#define PROXY_UPSTREAMS_MAX 64
#define PROXY_ROUTES_MAX 256
#define PROXY_THREADS_MAX 256
#define PROXY_METHODS_MAX 16
#define PROXY_PARTS_MAX 32

enum {
	PROXY_OPT_COUNT = 0 /* rows, groups too */
#define OPT(kind, field, name, meta, dflt, help) +1
#define GROUP(title) +1
#include "proxy/options.def"
#undef OPT
#undef GROUP
};
extern const struct opt proxy_opts[PROXY_OPT_COUNT];
enum proxy_scope proxy_opt_scope(size_t row);

/* Options, and where in the file they stand: the innermost map first. */
struct config_level {
	struct proxy_options opt;
	const struct conf_node *maps[3];
};

struct config_upstream {
	const char *name;
	struct config_level at; /* at.opt.upstream: its URLs */
};

/* One call of several that a request becomes. */
struct config_part {
	const char *name;
	const char *method;
	struct template path;
	uint32_t upstream; /* index */
	bool optional;
	char *instead; /* JSON that stands for it when it is missing; NULL: nothing does */
	struct conf_place at;
};

/* By the caller's Accept; the words of `as`. */
enum config_as { CONFIG_AS_JSON, CONFIG_AS_MULTIPART, CONFIG_AS_ACCEPT };

struct config_gather {
	enum config_as as;
	struct config_part *parts;
	uint32_t count;
	char *upstreams; /* the names of all, with commas */
};

struct config_route {
	const char *host; /* NULL: any; "*.suffix" */
	const char *path; /* NULL: any; "prefix" with a * at the end */
	const char *methods[PROXY_METHODS_MAX];
	uint32_t method_count;       /* 0: any */
	uint32_t upstream;           /* index; with parts the first one's */
	struct config_gather *parts; /* NULL: its requests go on as they are */
	struct config_level at;
};

struct config {
	_Atomic uint32_t refs;
	struct config_level at; /* the process's */
	struct conf *conf;      /* NULL: no file, or it cannot be read */
	bool unreadable;
	struct problem problem; /* outside the file; "": none */
	struct config_upstream *upstreams;
	uint32_t upstream_count;
	struct config_route *routes;
	uint32_t route_count;
};

/* `given`: as opts_parse left them. Never NULL: config_is_good tells. */
struct config *config_read(const struct proxy_options *given);
/* The same with the file read already; takes the conf. */
struct config *config_of(const struct proxy_options *given, struct conf *conf);
/* Counted: plans of several threads hold it. */
struct config *config_ref(struct config *c);
void config_unref(struct config **c);
bool config_is_good(const struct config *c);
/* What --threads says; 0: nothing that makes sense. */
/* --hedge-after: after so long, 0: never; or p95. False: it says nothing of that kind. */
MUST_USE bool config_hedge(const struct proxy_options *o, ns_t *after, bool *p95);
uint32_t config_threads(const struct proxy_options *o);
/* Nobody comes in but to hosts of their own choosing. */
bool config_is_forward_only(const struct config *c);
/* All complaints, a line or three each. */
void config_show(const struct config *c, struct text *out);

/*
 * Something is wrong with an option: told at its place in the file, or as --name, as
 * WEIR_PROXY_NAME. `item`: which of several values. The text goes on behind the name.
 */
struct config_option {
	const struct config_level *at;
	const char *name;
	uint32_t item;
};
void config_complain(struct config *c, struct config_option option, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

/* Host without its port; false: any path with a query has been cut before. */
bool config_host_matches(const char *pattern, struct slice host);
bool config_path_matches(const char *pattern, struct slice path);

#endif

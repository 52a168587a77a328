/*
 * plan: what the user asked for, checked and ready to run.
 *
 * OWNS    `target`, `fields` and `recorded`; the rest points into the options and the URL.
 */
#ifndef WEIR_LOAD_PLAN_H
#define WEIR_LOAD_PLAN_H

#include "base/opts.h"
#include "base/pace.h"
#include "base/trace.h"
#include "http/upstream.h"
#include "load/asked.h"
#include "load/client.h"
#include "load/options.h"

struct load_plan {
	const struct load_options *opts;
	const char *url;    /* as written */
	struct addr_url to; /* points into `url` */
	struct text target; /* path and query of the request line */
	struct text fields; /* "Name: value\r\n" lines: Host, and the user's */
	struct slice method;
	enum h1_method method_id;
	enum h1_body framing; /* of the request */
	uint64_t body_bytes;
	struct trace recorded;   /* of --schedule; no starts: there is none */
	struct pace pace;        /* else: of --rate */
	ns_t interval;           /* of the time line */
	const struct client *as; /* NULL: as the options say alone */
	enum upstream_connections connections;
	uint32_t pool; /* connections at most; SLOTS_NO_LIMIT */
	uint32_t idle; /* idle ones at most; 0: no bound */
	ns_t idle_for; /* NS_NEVER */
	struct addr endpoints[UPSTREAM_ENDPOINTS_MAX];
	uint32_t endpoint_count;
};

/* False and a problem: misuse. Looks up no name. */
MUST_USE bool plan_check(struct load_plan *plan, const struct load_options *opts,
	const struct opt_texts *words, struct problem *p);
/* The endpoints of the URL, by name if need be (blocks). */
MUST_USE bool plan_resolve(struct load_plan *plan, struct problem *p);
void plan_fini(struct load_plan *plan);

/* How long requests are started. */
ns_t plan_run_for(const struct load_plan *plan);

/* The whole of it, for a report; borrows from the plan. */
struct load_asked plan_asked(const struct load_plan *plan);

#endif

/*
 * plan: one configuration made ready: upstreams with their addresses, and the routes that
 * requests find them by.
 *
 * MODEL   A target is an upstream as a live object (http/upstream.h), with its connections and
 *         slots. A plan names targets; after a reload the next plan goes on with those whose
 *         name, URLs and limit-unit have stayed, so that a cap holds across it. A target that
 *         no plan names any more is retired: it ends when the server has nothing of it left.
 *         The names in URLs are looked up before a plan is opened (lookup.c).
 *         Each thread has a plan and targets of its own. What is the same for all (config,
 *         certificates, addresses) is made by the main thread's; the others' are copies.
 *         A request holds the plan it was routed by until it ends.
 * RULES   1. Nothing of a plan changes once it is open.
 *         2. Of one name, its URLs and unit there is one target a thread, a retired one taken
 *            back included; and one limit.
 * OWNS    the plan holds its config; the proxy owns the targets.
 * CONTEXT the proxy's thread.
 */
#ifndef WEIR_PROXY_PLAN_H
#define WEIR_PROXY_PLAN_H

#include "base/map.h"
#include "http/names.h"
#include "http/server.h"
#include "io/addr.h"
#include "proxy/config.h"
#include "proxy/way.h"

struct proxy;
struct plan;
struct egress_policy;

#define PLAN_PLACES_MAX (2 * OPT_TEXTS_MAX)

struct target {
	struct list_node node;  /* on the proxy's targets or retired */
	struct map_node by_key; /* on the proxy's, either way */
	struct proxy *proxy;
	char *name;
	char *key; /* name, unit, URLs, and rules if there are any */
	struct upstream *up;
	/* With the targets of that key on other threads; NULL: alone */
	struct share *share;
	/* What the URLs stand for; NULL: made without a config, or another thread looks it up. */
	struct names *names;
	void *guard;    /* of the names: who judges their addresses; or NULL */
	uint32_t plans; /* that name it; 0: it is retired */
};

struct plan_upstream;
struct egress_host;

enum fair_by { FAIR_BY_ADDRESS, FAIR_BY_ROUTE, FAIR_BY_NONE, FAIR_BY_FIELD };

/* What a request needs of its route, at hand. */
struct route {
	struct plan *plan;
	const struct config_route *cfg; /* NULL: takes every request */
	struct upstream *upstream;
	const char *name; /* of the upstream; with parts of all of theirs */
	const struct config_gather *gathered; /* NULL: no parts by name */
	struct route *parts;      /* one each: its upstream, name and base are its own */
	struct egress_host *host; /* made for a request that named it; else NULL */
	struct slice base;        /* path prefix of the upstream's URL, "" or "/v1" */
	ns_t timeout, tunnel_idle_for;
	uint32_t gather;
	enum fair_by fair_by;    /* whose slots are whose: account.c */
	struct slice fair_field; /* FAIR_BY_FIELD: its name */
	uint8_t priority;
	bool preserve_host, server_timing;
	bool takes_all;
	bool forwards;  /* its requests name where they go themselves (egress.h) */
	uint32_t index; /* of the upstream, with a cfg */
};

struct plan_upstream {
	const struct config_upstream *cfg; /* NULL: made without a config */
	const char *name;
	/* By which its addresses were judged: another number, another target */
	uint32_t rules;
	struct upstream_cfg up;                              /* names point into cfg */
	struct names_source sources[UPSTREAM_ENDPOINTS_MAX]; /* its URLs, inside cfg */
	uint32_t source_count;
	struct names *names;    /* for a target to be made; NULL: there is one */
	void *guard;            /* goes with the names */
	struct tls_client *tls; /* of up; NULL: plain */
	struct target *target;
	struct route as_egress; /* for those who name it themselves */
};

struct plan {
	uint32_t refs; /* requests, and 1 while it is the proxy's */
	struct proxy *proxy;
	struct config *config; /* NULL: proxy_make's */
	const struct proxy_options *opt;
	struct dns *dns; /* not in use yet; NULL: the proxy's will do */
	void (*on_found)(struct plan *plan);
	struct server_place places[PLAN_PLACES_MAX]; /* where clients come in */
	uint32_t place_count;
	uint32_t threads; /* each listens at each place */
	struct addr admin;
	uint64_t id; /* no other has it, but for its copies */
	struct way way;
	struct tls_server *tls;       /* NULL: clients come in without */
	struct egress_policy *egress; /* NULL: no forward proxy */
	struct plan_upstream *upstreams;
	uint32_t upstream_count;
	struct route *routes;
	uint32_t route_count;
};

/* Takes the config and reads its certificates. NULL: config_show tells why; the config stays
 * the caller's. */
MUST_USE struct plan *plan_new(struct config *c);
/* One upstream and one route, by the options alone. */
MUST_USE struct plan *plan_of(
	const struct proxy_options *o, const struct upstream_cfg *upstream);
/* For another thread's proxy: what an open plan says, and where its names lead now. */
MUST_USE struct plan *plan_copy(const struct plan *plan);
/* Shares the connections the descriptors allow among the upstreams; how many in all. Then
 * room for them. False and a problem: they do not fit. */
MUST_USE bool plan_share_files(struct plan *plan, uint64_t *servers, struct problem *p);
/* From now on the proxy routes by it; the plan before is let go. Its names are found. */
void plan_open(struct proxy *p, struct plan *plan);
void plan_ref(struct plan *plan);
void plan_unref(struct plan *plan); /* frees the last one's; the proxy may be stopping */

/* NULL: none takes it. */
const struct route *plan_route(const struct plan *plan, const struct h1_head *head);
/* Whether a server that reads more into the path than its bytes (proto/path.h) would still take
 * the request for one of route `r`, and below the path of its upstream's URL. */
bool plan_path_is_clear(
	const struct plan *plan, const struct h1_head *head, const struct route *r);

/* What the options say about requests. */
void plan_fill_route(struct route *r, const struct proxy_options *o);

/* --- lookup.c --- */
/*
 * Looks up the names of those upstreams that are not there yet. plan.on_found comes when each
 * has had an answer, unless plan_is_found now. False and a problem: there is no resolver.
 */
MUST_USE bool plan_look_up(
	struct plan *plan, struct proxy *p, struct io_loop *loop, struct problem *why);
bool plan_is_found(const struct plan *plan);
/* False: a name does not exist, and the config says so. Names that nobody could tell about
 * are warned of. */
MUST_USE bool plan_check_names(struct plan *plan, struct text *warnings);
/* Its resolver is the proxy's from now on. */
void plan_open_dns(struct plan *plan, struct proxy *p);

/* --- target.c --- */
/* The target for these URLs, made if there is none: it takes u's names then. To be given up
 * again, upon which it is retired if nobody else has it. */
struct target *target_take(struct proxy *p, struct plan_upstream *u);
void target_give(struct proxy *p, struct target *t);
/* Retired or not; NULL: there is none. */
struct target *target_find(const struct proxy *p, const char *key);
/* One that will be there when the plan is opened: a retired one may end before. */
bool target_is_there(const struct proxy *p, const struct plan_upstream *u);
/* Retired targets that nothing is left of end here; others are looked at again later. */
void targets_reap(struct proxy *p);
void targets_free(struct proxy *p);

#endif

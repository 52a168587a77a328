/*
 * plan: the exact commands of one variant, from its act's table row and the user's
 * options. Pure.
 *
 * MODEL   Three hosts: client 10.77.1.2, middleware 10.77.1.1 and 10.77.2.1, server
 *         10.77.2.2 and 10.77.2.3. The server listens on port 8080, the middleware on
 *         9090. Gauges are read on Unix sockets in the variant's folder.
 */
#ifndef WEIR_LAB_PLAN_H
#define WEIR_LAB_PLAN_H

#include "lab/args.h"
#include "lab/options.h"
#include "lab/scenario.h"

#define LAB_CLIENT_IP "10.77.1.2"
#define LAB_MIDDLE_IP_IN "10.77.1.1"
#define LAB_MIDDLE_IP_OUT "10.77.2.1"
#define LAB_SERVER_IP_1 "10.77.2.2"
#define LAB_SERVER_IP_2 "10.77.2.3"
#define LAB_PREFIX 24
#define LAB_SERVER_PORT 8080
#define LAB_MIDDLE_PORT 9090

/* An act's figures after --rate, --for and --scale. */
struct lab_setting {
	double rate;
	ns_t run_for, patience, wait_for;
	uint32_t gather, addresses;
	uint64_t limit, pool;
};

struct lab_setting lab_setting_of(
	const struct lab_act *act, const struct lab_options *options);

/* Where programs are, as they go into argv. */
struct lab_tools {
	const char *weir, *node, *node_js, *go_middleware, *fasthttp;
};

struct lab_plan_of {
	const struct lab_act *act;
	const struct lab_variant *variant;
	const struct lab_options *options;
	const struct lab_tools *tools;
	const char *dir; /* the variant's folder, for its Unix sockets */
};

struct lab_plan {
	struct lab_setting set;
	struct args server, middle, middle_env, client;
};

void lab_plan_init(struct lab_plan *p, const struct lab_plan_of *of);
void lab_plan_fini(struct lab_plan *p);

/* How many descriptors one program of this plan may need at once. */
uint64_t lab_plan_files(const struct lab_setting *set);

/* All variants of an act, the user's --middleware behind the first; no more than
 * LAB_VARIANTS_MAX. --only chooses among them: false and a problem for a name that no act
 * of the scenario has. */
struct lab_cast {
	struct lab_variant v[LAB_VARIANTS_MAX];
	uint32_t n;
};
MUST_USE bool lab_cast_init(struct lab_cast *c, const struct lab_scenario *scenario,
	const struct lab_act *act, const struct lab_options *options, struct problem *p);

#endif

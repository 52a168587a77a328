/*
 * scenario: what a lab runs, as data.
 *
 * MODEL   A scenario has acts; an act fixes the callers, the API and the figures that
 *         are alike for all its variants; a variant is a program in the middle. Words of
 *         `args` and `env` may hold {limit}, {pool}, {gather}: the act's figures, after
 *         --scale.
 * OWNS    nothing: everything points into constant tables.
 */
#ifndef WEIR_LAB_SCENARIO_H
#define WEIR_LAB_SCENARIO_H

#include "base/slice.h"

enum lab_program {
	LAB_PROXY,   /* weir proxy, with `args` */
	LAB_NODE,    /* lab/middlewares/node.js */
	LAB_GO,      /* lab/middlewares/go */
	LAB_COMMAND, /* the user's, by `sh -c` */
};

/* What the sentences below the table make of a row. */
enum lab_role {
	LAB_FAULT,   /* shows what went wrong */
	LAB_WITNESS, /* another program with the same fault: no sentence */
	LAB_CURE,    /* compared with the fault */
	LAB_WEIR,    /* compared with all */
};

struct lab_variant {
	const char *name, *what;
	enum lab_program program;
	enum lab_role role;
	const char *const *args, *const *env; /* end with NULL; may be NULL */
};

struct lab_act {
	uint32_t number;
	const char *title, *about;
	double rate; /* requests a second that come in */
	ns_t run_for;
	ns_t patience;       /* an answer after it is late */
	ns_t wait_for;       /* for answers, when no more requests come in */
	const char *manner;  /* of the callers: load's --connections */
	uint32_t gather;     /* calls out for each request in */
	uint32_t addresses;  /* of the server, 1 or 2 */
	uint64_t limit;      /* the server's slots */
	uint64_t pool;       /* the caller's own, where it has one */
	const char *latency; /* of the server */
	const struct lab_variant *variants;
	size_t n_variants;
};

struct lab_scenario {
	const char *name, *summary;
	const struct lab_act *acts;
	size_t n_acts;
};

#define LAB_VARIANTS_MAX 16 /* in an act, the user's included */

/* NULL: no such scenario. */
const struct lab_scenario *scenario_find(const char *name);
/* Number i, NULL beyond the last. */
const struct lab_scenario *scenario_at(size_t i);

#endif

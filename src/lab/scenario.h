/*
 * scenario: a scenario file read, checked and made ready (weir-scenario(5)).
 *
 * MODEL   A scenario has acts; an act has cases: each variant, and of one that sweeps
 *         parameters each point. All figures are final: after --full, --rate, --for and
 *         --scale, with $names filled in.
 * OWNS    all of it, until scenario_free; cases point into their scenario.
 */
#ifndef WEIR_LAB_SCENARIO_H
#define WEIR_LAB_SCENARIO_H

#include "lab/expect.h"
#include "lab/options.h"
#include "lab/pairs.h"

#define LAB_ACTS_MAX 16
#define LAB_VARIANTS_MAX 32 /* of an act, the user's included */
#define LAB_POINTS_MAX 64   /* of a variant */
#define LAB_CASES_MAX 128   /* of an act */
#define LAB_ADDRESSES_MAX 8
#define LAB_PHASES_MAX 32

/* What stands in the middle. */
enum lab_program {
	LAB_WEIR,    /* weir proxy */
	LAB_NGINX,   /* lab/middlewares/nginx.conf */
	LAB_HAPROXY, /* lab/middlewares/haproxy.conf */
	LAB_NODE,    /* lab/middlewares/node.js */
	LAB_GO,      /* lab/middlewares/go */
	LAB_PYTHON,  /* lab/middlewares/python.py */
	LAB_COMMAND, /* the user's, by `sh -c` */
};

enum lab_server_program {
	LAB_SERVER_WEIR, /* weir origin */
	LAB_SERVER_FASTHTTP,
	LAB_SERVER_NODE,
	LAB_SERVER_NGINX,
	LAB_SERVER_COMMAND,
};

/* What the sentences below the table make of a row. */
enum lab_role {
	LAB_FAULT,   /* shows what went wrong */
	LAB_WITNESS, /* another program with the same fault: no sentence */
	LAB_CURE,    /* compared with the fault */
	LAB_BEST,    /* compared with all */
};

const char *lab_program_name(enum lab_program p);               /* "haproxy" */
const char *lab_server_program_name(enum lab_server_program p); /* "fasthttp" */
const char *lab_role_name(enum lab_role r);                     /* "cure" */

struct lab_phase {
	ns_t at; /* since the beginning */
	double rate;
};

struct lab_callers {
	const char *command; /* NULL: weir load */
	const char *replay;  /* a file of arrivals; NULL: those below */
	bool poisson;
	double rate; /* per second; 0: a command that is told none */
	struct lab_phase phases[LAB_PHASES_MAX];
	uint32_t n_phases;
	ns_t run_for;
	ns_t patience, timeout, wait_for; /* as among the options */
	struct lab_pairs options, env;    /* of weir load; of the command */
};

struct lab_server {
	enum lab_server_program program;
	const char *command;
	uint32_t addresses;
	uint64_t limit;      /* UINT64_MAX: none */
	const char *latency; /* NULL: its own */
	bool tls;            /* with a certificate of the lab's own */
	struct lab_pairs options, env;
};

/* How nginx and haproxy are configured. */
struct lab_peer {
	bool held;     /* waits for the answer; callers give up by themselves */
	bool close;    /* a connection for each call */
	ns_t deadline; /* NS_NEVER: none */
	ns_t hold_for;
	uint64_t slots; /* UINT64_MAX: no cap */
};

struct lab_case {
	const char *name, *what;
	enum lab_role role;
	char *label; /* "naive timeout=300ms" */
	struct lab_pairs point;
	enum lab_program program;
	const char *command;
	struct lab_peer peer;
	struct lab_pairs options, env; /* of weir proxy; of the others */
	struct lab_callers callers;
	struct lab_server server;
	uint64_t calls; /* out for each request */
	bool one_host;
	ns_t delay_callers, delay_server; /* one way, of the links */
	struct lab_pairs sysctls;         /* of the middleware's host */
	ns_t warm_up;
};

struct lab_act {
	const char *name, *title, *about;
	uint64_t repeat, at_once, seed;
	struct lab_case *cases;
	uint32_t n;
	struct lab_expect *expects;
	uint32_t n_expects;
};

struct lab_source {
	const char *name; /* "incident" */
	const char *file; /* NULL: of weir's own */
	const char *text;
};

struct lab_scenario {
	struct lab_source source;
	char *name, *text; /* of it */
	const char *title, *about;
	struct lab_act *acts; /* those that --act leaves */
	uint32_t n_acts;
	struct conf *conf;
	struct args kept;
};

/* NULL: `wrong` says what, with places. */
MUST_USE struct lab_scenario *scenario_read(const struct lab_source *source,
	const struct lab_options *options, struct text *wrong);
void scenario_free(struct lab_scenario **s);

#endif

/*
 * plan: the exact commands of one case, and the files they need. Pure.
 *
 * MODEL   Three hosts: client 10.77.1.2, middleware 10.77.1.1 and 10.77.2.1, server
 *         10.77.2.2 and following; or one, where all are on 127/8. The server listens on
 *         port 8080, the middleware on 9090. Gauges are read on Unix sockets in the run's
 *         folder.
 */
#ifndef WEIR_LAB_PLAN_H
#define WEIR_LAB_PLAN_H

#include "lab/args.h"
#include "lab/scenario.h"

#define LAB_CLIENT_IP "10.77.1.2"
#define LAB_MIDDLE_IP_IN "10.77.1.1"
#define LAB_MIDDLE_IP_OUT "10.77.2.1"
#define LAB_LOOPBACK_IP "127.0.0.1"
#define LAB_PREFIX 24
#define LAB_SERVER_PORT 8080
#define LAB_MIDDLE_PORT 9090
#define LAB_ARRIVALS_FILE "arrivals"
#define LAB_IP_BYTES 16
#define LAB_PLAN_FILES 2

/* Where programs are, as they go into argv. */
struct lab_tools {
	const char *weir, *node, *node_js, *go_middleware, *fasthttp, *node_server,
		*nginx, *haproxy, *python_py;
	const char *cert, *key; /* of a server that speaks TLS, in PEM form */
};

struct lab_plan_of {
	const struct lab_case *c;
	const struct lab_tools *tools;
	const char *dir; /* the run's folder */
	uint64_t seed;
};

struct lab_file {
	const char *name;
	char *text;
};

struct lab_plan {
	struct args server, middle, client;
	struct args server_env, middle_env, client_env;
	struct lab_file files[LAB_PLAN_FILES]; /* to be written into the folder */
	uint32_t n_files;
};

void lab_plan_init(struct lab_plan *p, const struct lab_plan_of *of);
void lab_plan_fini(struct lab_plan *p);

/* Address `i` of the server; where the middleware listens. */
void lab_server_ip(const struct lab_case *c, uint32_t i, char ip[LAB_IP_BYTES]);
const char *lab_middle_ip(const struct lab_case *c);

/* When requests come in, as `weir load --schedule` reads it. */
void text_add_arrivals(struct text *t, const struct lab_callers *c, uint64_t seed);

/* How many descriptors one program of this case may need at once. */
uint64_t lab_plan_files(const struct lab_case *c);

#endif

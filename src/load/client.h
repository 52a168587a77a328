/*
 * client: what HTTP clients that many programs use do with their connections, so that a run
 * leaves the sockets that such a program would leave.
 *
 * SOURCE  Their defaults, by their documentation and code. Those of Go and Node are held against
 *         themselves (tests/cli/test_load_as.py).
 */
#ifndef WEIR_LOAD_CLIENT_H
#define WEIR_LOAD_CLIENT_H

#include "http/upstream.h"

struct client {
	const char *name; /* as --as has it */
	enum upstream_connections connections;
	uint64_t pool, idle; /* as --pool and --idle: UINT64_MAX: no bound */
	ns_t idle_for;       /* as --idle-for: NS_NEVER: none */
};

/* NULL and a problem that lists them: none has that name. */
MUST_USE const struct client *client_named(const char *name, struct problem *p);

#endif

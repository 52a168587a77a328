/*
 * tools: the programs a lab needs besides weir, found or built. Sources come out of weir
 * itself; Go's are built with what the machine has (Debian's packages, no download). The
 * certificate of servers that speak TLS is made anew.
 */
#ifndef WEIR_LAB_TOOLS_H
#define WEIR_LAB_TOOLS_H

#include "lab/machine.h"
#include "lab/plan.h"
#include "lab/trouble.h"

struct lab_toolbox {
	struct lab_tools tools; /* NULL: not wanted */
	char *weir, *node_js, *node_server, *go_middleware, *fasthttp, *nginx, *haproxy,
		*python_py, *cert, *key;
};

/* Which are wanted. */
struct lab_wants {
	bool node, node_server, go, fasthttp, nginx, haproxy, python, tls;
};
void lab_wants_add(struct lab_wants *w, const struct lab_case *c);

/* What of a case's programs is not installed ("node"); NULL: all is there. */
const char *lab_case_lacks(const struct lab_case *c);

/* Writes and builds into `dir`. `say` (may be NULL) hears what takes a while. False: what
 * is missing, or what the compiler said; then too lab_tools_fini. */
MUST_USE bool lab_tools_init(struct lab_toolbox *b, const char *dir,
	const struct lab_wants *wants, void (*say)(const char *what),
	struct lab_trouble *why);
/* What is used, with its version. */
void lab_tools_versions(
	const struct lab_toolbox *b, const char *dir, struct lab_machine *m);
void lab_tools_fini(struct lab_toolbox *b);

#endif

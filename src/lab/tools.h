/*
 * tools: the programs a lab needs besides weir, found or built. Sources come out of weir
 * itself; Go's are built with what the machine has (Debian's packages, no download).
 */
#ifndef WEIR_LAB_TOOLS_H
#define WEIR_LAB_TOOLS_H

#include "lab/plan.h"
#include "lab/trouble.h"

struct lab_toolbox {
	struct lab_tools
		tools; /* go_middleware, fasthttp, node: NULL when not to be had */
	char *weir, *node_js, *go_middleware, *fasthttp;
};

/* Which are wanted. */
struct lab_wants {
	bool node, go, fasthttp;
};

/* What is installed: looks along PATH. */
bool lab_has_program(const char *name);

/* Writes and builds into `dir`. `say` (may be NULL) hears what takes a while. False: what
 * is missing, or what the compiler said; then too lab_tools_fini. */
MUST_USE bool lab_tools_init(struct lab_toolbox *b, const char *dir,
	const struct lab_wants *wants, void (*say)(const char *what),
	struct lab_trouble *why);
void lab_tools_fini(struct lab_toolbox *b);

#endif

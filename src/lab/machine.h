/*
 * machine: what a lab ran on, for its report.
 */
#ifndef WEIR_LAB_MACHINE_H
#define WEIR_LAB_MACHINE_H

#include "base/json.h"
#include "lab/args.h"

struct lab_machine {
	const char *namespaces; /* "root" or "user" */
	struct args notes;      /* what could not be had */
	struct args programs;   /* name, version, name, version ... */
};

void lab_machine_init(struct lab_machine *m, const char *namespaces);
void lab_machine_fini(struct lab_machine *m);
/* Once each. */
void lab_machine_note(struct lab_machine *m, const char *note);
/* Asks a program for its version; `dir` is for what it says. */
void lab_machine_program(struct lab_machine *m, const char *dir, const char *name,
	const char *const *argv);
void lab_machine_json(struct json *j, const char *key, const struct lab_machine *m);

#endif

/*
 * session: a whole `weir lab run`, inside its cage: tools, then act after act, then the
 * report.
 */
#ifndef WEIR_LAB_SESSION_H
#define WEIR_LAB_SESSION_H

#include "io/cage.h"
#include "lab/scenario.h"

struct lab_session {
	const struct lab_scenario *scenario;
	const struct lab_options *options;
	const struct opt_texts *words;
	const struct cage *cage;
	const char *dir; /* of the run's files */
};

/* Exit status. `arg` is a struct lab_session. */
int lab_session_main(void *arg);

/* Before a cage is made: names in --only and --act, and that something is left to run. */
MUST_USE bool lab_session_check(const struct lab_session *s, struct problem *p);
/* Then: false and a problem where none of what was asked for is installed. */
MUST_USE bool lab_session_can_run(const struct lab_session *s, struct problem *p);
/* Descriptors that the largest program may need. */
uint64_t lab_session_files(const struct lab_session *s);

#endif

/*
 * child: programs started as children.
 *
 * MODEL   A child runs argv in a session of its own (no terminal signal reaches it), with
 *         its standard input at /dev/null, in the network namespace it is given. It dies
 *         with its parent (PDEATHSIG). What it starts itself may outlive it: io/cage.h.
 * RULES   1. A parent that dies before PDEATHSIG is armed is noticed: the child ends
 *            itself.
 *         2. child_start returns when the program runs, or with the reason why it cannot.
 * OWNS    struct child is the caller's; descriptors handed over in the cfg stay the
 *         caller's.
 * CONTEXT a process of one thread (fork).
 */
#ifndef WEIR_IO_CHILD_H
#define WEIR_IO_CHILD_H

#include <sys/types.h>

#include "base/text.h"
#include "io/netns.h"

struct child {
	pid_t pid;  /* 0: not started, or reaped */
	int status; /* as waitpid has it, once reaped */
};

struct child_cfg {
	const char *const *argv; /* ends with NULL; argv[0] is looked up in PATH */
	const char *const
		*env; /* NAME=VALUE added to ours; ends with NULL; may be NULL */
	const struct netns *net; /* NULL: ours */
	const char *dir;         /* working directory; NULL: ours */
	int out_fd, err_fd;      /* its standard output and error; -1: /dev/null */
	bool prompt; /* to run soon after it wakes, it and what it starts: real-time
			where we may, else by what any user may ask */
};

MUST_USE bool child_start(
	struct child *c, const struct child_cfg *cfg, struct problem *p);
/* True while it runs; reaps it when it has ended. Never blocks. */
bool child_runs(struct child *c);
/* Waits up to `wait_for` for its end; false when it still runs. */
bool child_wait(struct child *c, ns_t wait_for);
/* Ends the child's whole session (SIGKILL), and reaps it. */
void child_kill(struct child *c);
/* "exit status 3", "killed by SIGSEGV" */
void text_add_child_end(struct text *t, const struct child *c);

#endif

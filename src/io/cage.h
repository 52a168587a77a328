/*
 * cage: the wall that keeps anything we start from outliving us.
 *
 * MODEL   A cage is a child of this very program that is init of a new PID namespace, in
 *         a mount and a network namespace of its own (the latter empty, and one it may
 *         come back to: a user namespace has no right to its parent's), and for an
 *         ordinary user also in a user namespace where it is root. When it ends, by whatever
 *         signal, the kernel kills everything in it; and it ends when its parent does. So one
 *         kill -9 of the parent leaves no process, and with the last process go the network
 *         namespaces.
 * RULES   1. A parent that dies before PDEATHSIG is armed is noticed: the cage ends.
 *         2. From cage_start to cage_wait the caller's SIGINT, SIGTERM, SIGHUP and
 *            SIGCHLD are blocked.
 * CONTEXT a process of one thread (fork).
 */
#ifndef WEIR_IO_CAGE_H
#define WEIR_IO_CAGE_H

#include <sys/types.h>

#include "base/err.h"

/* How namespaces could be had here. */
enum cage_kind {
	CAGE_ROOT, /* CAP_SYS_ADMIN: no user namespace needed */
	CAGE_USER, /* an unprivileged user namespace, root inside */
};

struct cage {
	pid_t pid; /* of its init, as the parent sees it; 0: none */
	enum cage_kind kind;
	int lifeline; /* our end of a pipe whose other end notices our death */
};

/* Runs `inside(arg)` as init of a new cage; what it returns is the cage's exit status.
 * False: what is missing, and what can be done about it. */
MUST_USE bool cage_start(
	struct cage *c, int (*inside)(void *arg), void *arg, struct problem *p);
/* Waits for its end: the exit status of `inside`, or 128 + the signal it died of. When
 * SIGINT, SIGTERM or SIGHUP comes first, kills all that is in the cage and tells the
 * signal in *caught (else 0). */
int cage_wait(struct cage *c, int *caught);
/* In a cage's init alone: kills every other process in the cage, and reaps it. */
void cage_clear(void);

#endif

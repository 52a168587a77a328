/*
 * fds: file descriptors enough for what is going to be open.
 *
 * WHAT    Raises the soft limit (RLIMIT_NOFILE) to what is needed. The hard limit is the
 *         administrator's: when it is too low the problem says what fits under it.
 */
#ifndef WEIR_IO_FDS_H
#define WEIR_IO_FDS_H

#include "base/err.h"

/* What a process has open besides sockets: standard streams, epoll, timers, logs. */
#define FDS_SPARE 64

/*
 * Room for `sockets` and the spare. `what` names them for people ("1,000 connections to
 * the server and 2,000 from clients"). False and a problem: does not fit.
 */
MUST_USE bool fds_ensure(uint64_t sockets, const char *what, struct problem *p);

/* How many sockets fit under the hard limit, spare taken off. */
uint64_t fds_fit(void);

#endif

/*
 * usage: processor time of a program and all it started, from /proc.
 *
 * MODEL   A child is the leader of a session (io/child.h); what it starts belongs to it
 *         unless it begins a session of its own.
 */
#ifndef WEIR_LAB_USAGE_H
#define WEIR_LAB_USAGE_H

#include <sys/types.h>

#include "base/base.h"

struct usage {
	ns_t cpu_for;  /* processor time */
	ns_t wait_for; /* ready to run, and no processor free */
	int64_t turns; /* on a processor */
};

/* Of several sessions (leaders' ids; 0: none) in one look. */
void usage_read(const pid_t *leaders, struct usage *out, uint32_t n);

#endif

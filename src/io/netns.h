/*
 * netns: unnamed network namespaces, held by a descriptor alone.
 *
 * MODEL   A namespace lives as long as a process is in it or a descriptor is open on it;
 *         nothing is ever mounted under /run/netns, so a process that dies leaves none.
 *         A visit moves the calling thread into a namespace and back, because a socket
 *         belongs for life to the namespace it was opened in.
 * RULES   1. Visits do not nest.
 *         2. Descriptors are close-on-exec.
 * CONTEXT a process of one thread: a namespace is a thread's property.
 */
#ifndef WEIR_IO_NETNS_H
#define WEIR_IO_NETNS_H

#include "base/err.h"

struct netns {
	int fd; /* -1: none */
};

struct netns_visit {
	int home; /* descriptor of the namespace to return to; -1: none */
};

#define NETNS_NONE ((struct netns){ -1 })

/* Makes an empty namespace (its loopback down); the caller stays where it is. Needs
 * CAP_SYS_ADMIN in the user namespace it is in. */
MUST_USE bool netns_init(struct netns *n, struct problem *p);
void netns_fini(struct netns *n);

MUST_USE bool netns_visit(
	struct netns_visit *v, const struct netns *n, struct problem *p);
void netns_return(struct netns_visit *v); /* CHECKs that it could go back */

/* For a child between fork and exec: stays. 0 or errno. */
MUST_USE int netns_enter(const struct netns *n);

#endif

/*
 * host: the three hosts of one variant: network namespaces joined by veth pairs, each
 * with what watches its sockets.
 *
 *     client ──10.77.1.0/24── middleware ──10.77.2.0/24── server
 *
 * OWNS    namespaces (held by descriptors alone), netlink sockets, tables.
 */
#ifndef WEIR_LAB_HOST_H
#define WEIR_LAB_HOST_H

#include "attr/closes.h"
#include "io/child.h"
#include "io/rtnl.h"

enum lab_host_id { LAB_CLIENT, LAB_MIDDLE, LAB_SERVER, LAB_HOSTS };

const char *lab_host_name(enum lab_host_id id); /* "middleware" */

struct lab_host {
	enum lab_host_id id;
	struct netns net;
	struct diag *diag;
	struct diag_deaths *deaths; /* the middleware's alone; else NULL */
	struct diag_net files;
	struct diag_ports ports;
	struct snap snap;
	struct tally tally;
};

struct lab_hosts {
	struct lab_host at[LAB_HOSTS];
	struct closes closes; /* of the middleware's connections */
	struct diag_visitor on_death;
	ns_t now; /* when the deaths being read are read */
};

/* Zeroed storage. On failure nothing is left. */
MUST_USE bool lab_hosts_init(struct lab_hosts *h, struct problem *p);
void lab_hosts_fini(struct lab_hosts *h);

/* Dumps and counts one host's sockets into its snap and tally. */
MUST_USE enum err lab_host_count(struct lab_host *h, ns_t now);
/* Judges the connections that ended on the middleware since the last call. */
void lab_hosts_read_deaths(struct lab_hosts *h, ns_t now);
/* Whether somebody listens on the TCP port of `at`; *reachable: on its address or on all. */
bool lab_host_listens(struct lab_host *h, const struct diag_end *at, bool *reachable);

#endif

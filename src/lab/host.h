/*
 * host: the three hosts of one run: network namespaces joined by veth pairs, each with
 * what watches its sockets.
 *
 *     client ──10.77.1.0/24── middleware ──10.77.2.0/24── server
 *
 * MODEL   With `one_host` all three are in one namespace, on its loopback device: its
 *         sockets are told apart by their ports, its counters are everybody's.
 * OWNS    namespaces (held by descriptors alone), netlink sockets, tables.
 */
#ifndef WEIR_LAB_HOST_H
#define WEIR_LAB_HOST_H

#include "attr/closes.h"
#include "io/netns.h"
#include "lab/scenario.h"

enum lab_host_id { LAB_CLIENT, LAB_MIDDLE, LAB_SERVER, LAB_HOSTS };

const char *lab_host_name(enum lab_host_id id); /* "middleware" */

struct lab_host {
	enum lab_host_id id;
	struct netns net;
	struct diag *diag;
	struct diag_net files;
	struct diag_ports ports;
	struct snap snap;
	struct tally tally;
	bool counted; /* the last count worked */
};

struct lab_hosts {
	struct lab_host at[LAB_HOSTS]; /* with one_host the middleware's alone is open */
	bool one_host;
	struct diag_deaths *deaths; /* the middleware's */
	struct closes closes;       /* of its connections */
	struct diag_visitor on_death, on_sock;
	ns_t now;   /* when the deaths being read are read */
	char *note; /* what could not be had; NULL: nothing */
};

/* Zeroed storage. On failure nothing is left. */
MUST_USE bool lab_hosts_init(
	struct lab_hosts *h, const struct lab_case *c, struct problem *p);
/* All but the closes. */
void lab_hosts_leave(struct lab_hosts *h);
void lab_hosts_fini(struct lab_hosts *h);

const struct netns *lab_hosts_net(const struct lab_hosts *h, enum lab_host_id id);
/* Dumps and counts the sockets of all into their snaps and tallies. False: of some host
 * they could not be had, errno tells why. */
bool lab_hosts_count(struct lab_hosts *h, ns_t now);
MUST_USE enum err lab_hosts_counters(
	const struct lab_hosts *h, enum lab_host_id id, struct diag_counters *out);
/* Judges the connections that ended on the middleware since the last call. */
void lab_hosts_read_deaths(struct lab_hosts *h, ns_t now);
/* Whether somebody listens on the TCP port of `at`; *reachable: on its address or on all. */
bool lab_hosts_listens(struct lab_hosts *h, enum lab_host_id id,
	const struct diag_end *at, bool *reachable);

#endif

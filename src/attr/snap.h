/*
 * snap: the sockets of one host at one time, by tuple: what a dump told, made exact.
 *
 * MODEL   A table keyed by (local, remote). A socket told twice is held once, as told
 *         last. Listeners are kept apart.
 * OWNS    its memory; snap_reset keeps it for the next dump.
 * COST    52 bytes a slot, at most three quarters full; insert and find O(1).
 */
#ifndef WEIR_ATTR_SNAP_H
#define WEIR_ATTR_SNAP_H

#include "io/diag.h"

struct snap_sock {
	struct diag_end local, remote;
	uint8_t state; /* enum diag_state; DIAG_UNKNOWN: free slot */
	bool orphan;   /* no program holds it (inode 0) */
	uint8_t resent;
	uint8_t timer; /* enum diag_timer */
	uint32_t inode;
	uint32_t rqueue;
	uint32_t expires_ms; /* TIME_WAIT, orphaned FIN_WAIT2: what is left of it */
};

struct snap_listener {
	struct diag_end at;
	uint32_t inode, uid;
	uint32_t waiting, backlog; /* connections not yet accepted, and how many may be */
};

#define SNAP_IPS_MAX 64

struct snap {
	struct diag_visitor visitor; /* hand &snap->visitor to diag_dump */
	struct snap_sock *slots;
	uint32_t cap, len; /* cap is a power of two */
	struct snap_listener *listeners;
	uint32_t n_listeners, cap_listeners;
	struct diag_end ips[SNAP_IPS_MAX]; /* own addresses in use; port 0 */
	uint32_t n_ips;
};

void snap_init(struct snap *s);
void snap_fini(struct snap *s);
void snap_reset(struct snap *s);
/* What the visitor does; for tests and for records that come otherwise. */
void snap_add(struct snap *s, const struct diag_sock *sock);
/* NULL: not there. */
const struct snap_sock *snap_find(const struct snap *s, const struct diag_end *local,
	const struct diag_end *remote);
/* The same connection as its other end would hold it. */
const struct snap_sock *snap_find_mirror(
	const struct snap *s, const struct snap_sock *of);
/* Whether this host is seen to own the address, so that a socket which is not in the snap
 * does not exist. */
bool snap_has_ip(const struct snap *s, const struct diag_end *ip);
/* Walk: start with *i = 0; NULL at the end. */
const struct snap_sock *snap_next(const struct snap *s, uint32_t *i);

/* Of a tuple; the low bits are as good as the high ones. */
uint64_t snap_hash(const struct diag_end *local, const struct diag_end *remote);

#endif

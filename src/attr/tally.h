/*
 * tally: one host's sockets counted: by side and state, by destination, who closed first,
 * how many ports are left.
 *
 * MODEL   Side: `in` when the local port listens here, or did; `out` when it is one that
 *         connect() chooses from; else `unsure`.
 *         First closer, as far as the state proves it:
 *           ESTABLISHED, SYN_*              open: nobody yet
 *           FIN_WAIT1, FIN_WAIT2            this side
 *           TIME_WAIT                       this side, or both at once; a join decides
 *           CLOSE_WAIT, LAST_ACK            the peer
 *           CLOSING                         both at once
 *         Join: where the other end is in sight (the same dump on loopback, or another
 *         host's), TIME_WAIT on both ends means both at once, on one end that side alone.
 *         Destination: (own address, peer's address and port) of `out` sockets: that is
 *         what ports are exhausted towards.
 * RULES   1. Sums agree: over sides, over destinations (out), over first closers.
 *         2. left = usable ports - distinct local ports in use towards the destination
 *            (those outside the range do not count) - ports of the range that listen
 *            + ports in TIME_WAIT that the kernel gives again (tcp_tw_reuse).
 * OWNS    its arrays, until tally_fini; refilled by every tally_make.
 */
#ifndef WEIR_ATTR_TALLY_H
#define WEIR_ATTR_TALLY_H

#include "attr/snap.h"

enum tally_side_id { SIDE_IN, SIDE_OUT, SIDE_UNSURE, SIDE_COUNT };

enum tally_first {
	FIRST_OPEN,          /* nobody has closed */
	FIRST_LOCAL,         /* this side, proven to be alone */
	FIRST_LOCAL_OR_BOTH, /* TIME_WAIT whose other end is out of sight */
	FIRST_PEER,
	FIRST_BOTH,
	FIRST_COUNT
};

/* TIME_WAIT lasts 60 s (TCP_TIMEWAIT_LEN), so its count over 60 is the mean rate of closes
 * in the last minute, and those with more than 50 s left are the closes of the last 10. */
enum { TALLY_TIME_WAIT_S = 60, TALLY_FRESH_S = 10 };

const char *tally_side_name(enum tally_side_id side);   /* "in" */
const char *tally_first_name(enum tally_first f);       /* "local-or-both" */
enum tally_first tally_first_of(enum diag_state state); /* without a join */

struct tally_side {
	uint32_t total;
	uint32_t by_state[DIAG_STATE_COUNT];
	uint32_t by_first[FIRST_COUNT];
	/* [state][first]: the whole table */
	uint32_t state_first[DIAG_STATE_COUNT][FIRST_COUNT];
	uint32_t orphan_fin_wait2; /* of FIN_WAIT2: shown as TIME_WAIT by others */
	uint32_t fresh_time_wait;  /* of TIME_WAIT: entered in the last 10 s */
	uint32_t half_open; /* of SYN_RECV: the answer to the SYN had to go again */
};

struct tally_dest {
	struct diag_end from; /* own address; port 0 */
	struct diag_end to;
	uint32_t total;
	uint32_t by_state[DIAG_STATE_COUNT];
	uint32_t by_first[FIRST_COUNT];
	uint32_t orphan_fin_wait2;
	uint32_t fresh_time_wait;
	/* Of orphan_fin_wait2, which by default stay as long: those of the 10 s before these. Most
	 * end sooner, by the reset that a late answer gets. */
	uint32_t lasting_orphans;
	uint32_t unanswered; /* of SYN_SENT: the SYN had to go again, a second after the
				first */
	uint32_t used;       /* distinct local ports of the range */
	uint32_t used_first; /* of these, of the parity that connect() walks first */
	bool reuse;          /* the kernel gives ports in TIME_WAIT again towards it */
	uint32_t reusable;   /* of `used`: those it would give now */
	uint32_t reusable_first; /* the same of used_first */
	uint32_t left;           /* rule 2 */
	uint32_t cliff_left; /* ports of the first parity left: at 0 each connect costs
				milliseconds */
};

struct tally_listener {
	struct snap_listener l;
	uint32_t total; /* connections accepted, or waiting, on it */
	uint32_t by_state[DIAG_STATE_COUNT];
	uint32_t half_open; /* as tally_side's */
};

/* Ports that have listened, with the time they last did. */
struct tally_port {
	uint16_t port;
	ns_t last;
};

struct tally {
	struct tally_side side[SIDE_COUNT];
	struct tally_dest *dests; /* most ports used first */
	uint32_t n_dests;
	struct tally_listener *listeners; /* by port */
	uint32_t n_listeners;
	uint32_t usable, usable_first; /* ports, before any use */

	struct tally_port *ports; /* memory over time */
	uint16_t *port_at;        /* by port: its place in `ports` + 1 */
	uint32_t n_ports, cap_ports, cap_dests, cap_listeners;
	uint32_t *index; /* destinations by hash */
	uint32_t cap_index;
};

void tally_init(struct tally *t);
void tally_fini(struct tally *t);

/* Other hosts in sight, for the join. */
struct tally_peers {
	const struct snap *const *snaps;
	uint32_t n;
};

/* Counts `snap` anew. `peers` may be NULL. `now`: monotonic, grows from call to call. */
void tally_make(struct tally *t, const struct snap *snap, const struct diag_ports *ports,
	const struct tally_peers *peers, ns_t now);

/* Which side a connection is on, by what the last tally_make saw. */
enum tally_side_id tally_side_of(const struct tally *t, const struct diag_ports *ports,
	const struct diag_end *local, ns_t now);
/* First closer of one socket with the join over its own snap and its peers'. */
enum tally_first tally_first_joined(const struct snap_sock *sock, const struct snap *own,
	const struct tally_peers *peers);

#endif

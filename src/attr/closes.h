/*
 * closes: every connection that ended on one host, counted once: who closed first, and
 * why as far as the kernel's last word on it proves.
 *
 * MODEL   The death record of a socket (diag_deaths) is the event. Joined at once with
 *         what stands in its place (diag_find on the same tuple: TIME_WAIT or FIN_WAIT2
 *         when this side closed first, nothing otherwise) and, where the other host is in
 *         sight, with its end (diag_find there, the tuple turned round).
 *         What proves what:
 *           all counts 0, but a send window  this side aborted (SO_LINGER 0): reset
 *           our FIN never acknowledged       reset; with bytes unread here, or by the
 *                                            peer
 *           FIN acknowledged, stand-in here  this side first; or both at once, when the
 *                                            other end stands too
 *           FIN acknowledged, none           the peer first (LAST_ACK ended); where nothing
 *                                            is left of the other end either: reset. A
 *                                            late word, such as TLS's goodbye, found the
 *                                            side that had closed first in FIN_WAIT2.
 *                                            Out of sight the kernel's count tells the
 *                                            two apart (attr/late.h), as far as it does
 *         Our FIN is acknowledged when bytes_acked exceeds the data sent: by 1, or by 2
 *         on the side that connected, whose SYN counts too.
 * RULES   1. A connection is counted once: by its death.
 *         2. What is not proven is UNKNOWN, and TIME_WAIT with the other end out of sight
 *            is LOCAL_OR_BOTH.
 *         3. Records lost show: the kernel's own counters (closes_counters) say how many
 *            closes there were.
 * OWNS    plain memory; histograms made when first needed.
 */
#ifndef WEIR_ATTR_CLOSES_H
#define WEIR_ATTR_CLOSES_H

#include "attr/tally.h"
#include "base/hist.h"

enum close_first {
	CLOSE_LOCAL,
	CLOSE_LOCAL_OR_BOTH,
	CLOSE_PEER,
	CLOSE_BOTH,
	CLOSE_RESET, /* nobody keeps a state */
	CLOSE_UNKNOWN,
	CLOSE_FIRST_COUNT
};

enum close_why {
	WHY_UNKNOWN,
	WHY_AFTER_ANSWER, /* bytes went both ways and the last just now: no keep-alive, or
			     a pool without room */
	WHY_IDLE,         /* bytes went both ways, the last long ago: reaped, or its
			     program ended */
	WHY_SILENCE, /* idle, or a call given up: bytes both ways, then silence, then a last
			     word of the side that connected as it left, such as TLS's goodbye;
			     or an answer and another question within one tick, for all that
			     is known, and then silence */
	WHY_NO_ANSWER, /* the last word was a question, without reply until the close:
			     the asking side's timeout, or the answering side's drop */
	WHY_REFUSED, /* the server spoke, and had not read a byte: a full server, or a greeting
			  that the side that connected left unread */
	WHY_UNREAD,     /* closed with bytes unread here: the kernel resets */
	WHY_ABORT,      /* reset by this side on purpose (SO_LINGER 0) */
	WHY_PEER_RESET, /* reset by the peer, or given up by the kernel */
	WHY_UNUSED,     /* no byte went either way */
	WHY_COUNT
};

const char *close_first_name(enum close_first f); /* "local-or-both" */
const char *close_why_name(enum close_why w);     /* "after-answer" */
/* By this side alone or, for all that is known, with the peer at once. */
bool close_is_local(enum close_first f);

struct close_verdict {
	enum close_first first;
	enum close_why why;
	ns_t age; /* since the byte that `why` speaks of: how long idle, how long without
		     answer, since the last question of an answer left unread; 0 when it
		     says nothing; NS_NEVER: not to be told */
};

/* Whether data came after this side had closed, and ended it by a reset (attr/late.h). */
enum close_late { LATE_NOT_ASKED, LATE_NONE, LATE_SOME, LATE_ALL };

/* What was found when the record came. */
struct close_found {
	enum diag_state own;    /* under the same tuple; DIAG_UNKNOWN: nothing */
	bool mirror_in_sight;   /* the other end's host was asked */
	enum diag_state mirror; /* DIAG_UNKNOWN: nothing */
	enum close_late late;   /* of the records like this one */
};

/* What a record has to do with data that came late. */
enum close_late_part {
	LATE_PART_NO,
	LATE_PART_EXPLAINED, /* the kernel has counted it so, and the record shows it */
	LATE_PART_OPEN,      /* late, or closed by the peer: the record does not tell */
};

/* The side of a record that no port tells: who has connected has its SYN acknowledged beside its FIN,
 * where that is known to be. Else SIDE_UNSURE. */
enum tally_side_id closes_side(const struct diag_sock *record, enum diag_state own);

enum close_late_part closes_late_part(const struct diag_sock *record,
	enum tally_side_id side, const struct close_found *found);

/* Pure. `record` is of a connection (closes_is_connection). */
struct close_verdict closes_judge(const struct diag_sock *record, enum tally_side_id side,
	const struct close_found *found);
/* Not the death of a listener, of a socket that was only bound, or of a connect that
 * failed. */
bool closes_is_connection(const struct diag_sock *record, enum tally_side_id side);

struct closes {
	uint64_t count[SIDE_COUNT][CLOSE_FIRST_COUNT][WHY_COUNT];
	uint64_t total;
	uint64_t never_open; /* deaths of sockets that were no connection */
	/* Ages of WHY_NO_ANSWER, WHY_IDLE and WHY_SILENCE by side, of closes by this side;
	 * NULL until there is one. Clustered ages show a configured timeout. */
	struct hist *ages[SIDE_COUNT][WHY_COUNT];
	bool has_counters;
	struct diag_counters begin, last;
};

void closes_init(struct closes *c);
void closes_fini(struct closes *c);
/* Back to zero; counters begin anew at the next closes_counters. */
void closes_reset(struct closes *c);

/* Whether ages of closes of this kind are kept. */
bool closes_has_ages(enum close_first first, enum close_why why);

/* Counts one death and returns the verdict; deaths that are no connection's give UNKNOWN
 * and do not count. */
struct close_verdict closes_death(struct closes *c, const struct diag_sock *record,
	enum tally_side_id side, const struct close_found *found);

/* Takes an idle age back that closes_death has recorded: the close was the end of its
 * program, and those are alike without a timeout. */
void closes_idle_back(struct closes *c, enum tally_side_id side, ns_t age);

/* The namespace's counters, at the beginning and whenever read again. */
void closes_counters(struct closes *c, const struct diag_counters *now);
/* Closes by this side that the kernel counted (TcpExtTW) and no record told: lost
 * records, or stand-ins that were gone when asked for (then they count as PEER). */
uint64_t closes_unseen_local(const struct closes *c);

uint64_t closes_sum_first(
	const struct closes *c, enum tally_side_id side, enum close_first first);
uint64_t closes_sum_why(
	const struct closes *c, enum tally_side_id side, enum close_why why);

/*
 * The timeout that ages cluster at: true when there are 5 or more, and seven tenths of
 * them lie within 10 % (or 50 ms) above their tenth percentile, which *at is; not when that
 * is below 10 ms, where nobody waited.
 */
bool closes_cluster(const struct hist *ages, ns_t *at);

#endif

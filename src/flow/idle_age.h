/*
 * idle_age: the age at which a server closes connections that are idle, learned from its
 * closes, so that they can be closed before it does. Pure.
 *
 * WHY     A request that is on its way as the server closes is lost, and may not be sent
 *         again unless it is idempotent.
 * MODEL   Closes at one moment are one piece of evidence: a burst of connections that went
 *         idle together, or, when their ages differ, a server that stops; that says nothing.
 *         Moments whose ages agree make a cluster; one of ENOUGH moments is believed, and
 *         there may be several (two servers behind one address): the lowest counts.
 *         Agree: within a tenth, or a second for servers that look once a second.
 * RULES   1. Fewer than IDLE_AGE_ENOUGH moments that agree bound nothing.
 *         2. What is believed is put to the test when nothing has confirmed it for as long
 *            as it had held before, at most IDLE_AGE_KEEP_FOR, for connections closed early
 *            confirm nothing: then one moment confirms it anew. So a short fit of a server's
 *            costs as short a time without idle connections, and what holds is hardly tested.
 *         3. A close younger than IDLE_AGE_MIN says nothing: it follows the answer (a server
 *            that closes after each, or after so many), and to close before it would be to
 *            keep nothing.
 *         4. Connections that outlive it, IDLE_AGE_ENOUGH with no close between, refute it.
 * COST    constant; two hundred bytes.
 */
#ifndef WEIR_FLOW_IDLE_AGE_H
#define WEIR_FLOW_IDLE_AGE_H

#include "base/base.h"

#define IDLE_AGE_ENOUGH 3
#define IDLE_AGE_KEEP_FOR (600 * NS_S)
#define IDLE_AGE_MIN (100 * NS_MS)
#define IDLE_AGE_CLUSTERS 3

struct idle_cluster {
	ns_t low, high;         /* ages */
	ns_t first_at, seen_at; /* moments */
	uint32_t moments, outlived;
};

struct idle_age {
	struct idle_cluster clusters[IDLE_AGE_CLUSTERS];
	struct idle_cluster moment; /* moments 0: none under way */
};

/* By zeroing: idle_age_note_* and all else work on a zeroed one. */

/* The server closed a connection that had been idle for `age`. */
void idle_age_note_closed(struct idle_age *a, ns_t age, ns_t now);
/* A connection served again after so long. */
void idle_age_note_lived(struct idle_age *a, ns_t age);
/* Idle connections are to be closed at this age, a margin before the server would: a tenth, at
 * most a second. NS_NEVER: nothing is known. */
ns_t idle_age_bound(struct idle_age *a, ns_t now);
/* What is believed, without the margin; NS_NEVER: nothing. */
ns_t idle_age_learned(const struct idle_age *a);

/* From `age`, at which a server is said or believed to close, to when we do. */
ns_t idle_age_before(ns_t age);

#endif

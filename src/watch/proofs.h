/*
 * proofs: what a place's figures prove, one rule a cause, and its evidence in words. What makes
 * a row of it is for watch/finding.h.
 *
 * MODEL   A figure of attr/places.h is a count of closes that look alike on the wire. A rule
 *         takes away from it what another manner explains (a goodbye, TLS's ticket, a probe, a
 *         program's end), and tells of the rest.
 * RULES   1. Two causes that the figures cannot tell apart are one row that says both.
 *         2. A close is counted towards one cause.
 */
#ifndef WEIR_WATCH_PROOFS_H
#define WEIR_WATCH_PROOFS_H

#include "watch/finding.h"

/* Of a destination of connections made here. */
void proofs_outgoing(struct finding *f);
/* Of an end that listens here. */
void proofs_accepted(struct finding *f);

#endif

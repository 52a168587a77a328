/*
 * ruled_out: what is not the cause, each with the figure that rules it out: local ports,
 * TIME_WAIT, lost packets, a full backlog, the kernel's own limits.
 *
 * RULES   1. Nothing is ruled out while nothing went on: a counter that stands still proves
 *            something only beside one that moved.
 */
#ifndef WEIR_WATCH_RULED_OUT_H
#define WEIR_WATCH_RULED_OUT_H

#include "watch/causes.h"

/* Adds to c->out, of which there must be room for all (RULED_OUT_MAX). */
void ruled_out_find(struct causes *c, const struct causes_from *from);

#endif

/*
 * probe: which family of addresses the server listens on, when its name has both.
 *
 * WHY     "localhost" is ::1 and 127.0.0.1, and most servers listen on one of them. Programs try
 *         one after the other; a generator that used both would fail half of its requests.
 */
#ifndef WEIR_LOAD_PROBE_H
#define WEIR_LOAD_PROBE_H

#include "load/plan.h"

/*
 * Leaves the endpoints of one family: the first, in the resolver's order, that takes a connection
 * within a second, else the first of all. One family only: connects to nothing. Blocks.
 */
void probe_family(struct load_plan *plan);

#endif

/*
 * spare: when connections are opened ahead of need, so that some are ready. Pure.
 *
 * RULES   1. At most `want` are ready or on their way.
 *         2. One that could not be opened, or that the server closed within SPARE_AT_ONCE,
 *            shows that they are not welcome: the next comes after a second, then two, up to
 *            a minute, until one lives or serves.
 * COST    constant.
 */
#ifndef WEIR_FLOW_SPARE_H
#define WEIR_FLOW_SPARE_H

#include "base/base.h"

#define SPARE_AT_ONCE NS_S
#define SPARE_WAIT_MIN NS_S
#define SPARE_WAIT_MAX (60 * NS_S)

struct spare {
	uint32_t want;
	ns_t wait, again_at; /* 0: no need to wait */
};

/* How many to open now, with so many ready or on their way. */
uint32_t spare_missing(const struct spare *s, uint32_t ready, ns_t now);
/* When to look again unasked; NS_NEVER: no need. */
ns_t spare_again_at(const struct spare *s, uint32_t ready, ns_t now);
/* It was closed after so long without having served; 0: never opened. */
void spare_lost(struct spare *s, ns_t lived, ns_t now);
void spare_served(struct spare *s);

#endif

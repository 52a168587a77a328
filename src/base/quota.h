/*
 * quota: a number of things that several threads may hold together, and no more.
 *
 * RULES   1. used <= max at every instant; a max lowered while it runs is met by taking none
 *            until used has fallen.
 *         2. n are taken all or none.
 * OWNS    the struct is the caller's; it outlives whoever is tied to it.
 * CONTEXT any thread. What one thread wrote before quota_give is seen by the one whose
 *         quota_take it makes room for.
 * COST    one atomic exchange a call.
 */
#ifndef WEIR_BASE_QUOTA_H
#define WEIR_BASE_QUOTA_H

#include <stdatomic.h>

#include "base/base.h"

#define QUOTA_NO_BOUND UINT32_MAX

struct quota {
	_Atomic uint32_t used, max;
};

void quota_init(struct quota *q, uint32_t max);
void quota_set_max(struct quota *q, uint32_t max);
MUST_USE bool quota_take(struct quota *q, uint32_t n);
void quota_give(struct quota *q, uint32_t n);
uint32_t quota_used(const struct quota *q);
/* How many more there are now: another thread may have taken them by the time of quota_take. */
uint32_t quota_room(const struct quota *q);

#endif

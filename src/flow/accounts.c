#include "flow/accounts.h"

#include <math.h>

void accounts_init(struct accounts *a)
{
	*a = (struct accounts){ .empty_since = 0 };
	callers_init(&a->all, 0);
	a->all.max = 0; /* of each that is tied its own */
	list_init(&a->tied);
	for (uint32_t p = 0; p < CALLERS_PRIORITIES; p++)
		list_init(&a->active[p]);
}

void accounts_fini(struct accounts *a)
{
	callers_fini(&a->all);
}

void callers_tie(struct callers *own, struct accounts *a)
{
	CHECK(own->count == 0 && !own->accounts);
	own->accounts = a;
	a->lock(a);
	a->all.max += own->max;
	list_push_back(&a->tied, &own->tied);
	a->unlock(a);
}

void accounts_untie(struct callers *own)
{
	struct accounts *a = own->accounts;
	a->all.max -= own->max;
	list_remove(&a->tied, &own->tied);
}

/* 0: none knows anything yet. */
static ns_t mean_of_all(const struct accounts *a)
{
	double held = 0, calls = 0;
	LIST_EACH (&a->tied, n, after) {
		const struct callers *own = CONTAINER_OF(n, struct callers, tied);
		const struct callers_told *told = &own->told;
		double age = (double)(a->all.refreshed_at - told->at);
		double counts = told->mean_of * exp2(-age / (double)CALLERS_FADE_FOR);
		held += (double)told->mean * counts;
		calls += counts;
	}
	return calls > 0 ? (ns_t)llround(held / calls) : 0;
}

/* What this thread has found out, it brings with it. */
static void tell(struct accounts *a, struct callers *own)
{
	struct callers_told *told = &own->told;
	a->all.soon += own->soon - told->soon;
	told->soon = own->soon;
	if (own->mean == told->mean && own->mean_of == told->mean_of)
		return;
	told->mean = own->mean;
	told->mean_of = own->mean_of;
	told->at = a->all.refreshed_at;
	a->all.mean = mean_of_all(a);
}

struct callers *accounts_enter(struct callers *own)
{
	struct accounts *a = own->accounts;
	if (own->inside++ > 0)
		return &a->all;
	a->lock(a);
	tell(a, own);
	return &a->all;
}

/* And takes with it what is asked without the lock. */
void accounts_leave(struct callers *own)
{
	struct accounts *a = own->accounts;
	CHECK(own->inside > 0);
	if (--own->inside > 0)
		return;
	own->kept = a->all.kept;
	own->share = a->all.share;
	own->claiming = a->all.claiming;
	memcpy(own->claiming_by, a->all.claiming_by, sizeof(own->claiming_by));
	own->rate = a->all.rate;
	a->unlock(a);
}

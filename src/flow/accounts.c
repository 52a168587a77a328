#include "flow/accounts.h"

void accounts_init(struct accounts *a)
{
	*a = (struct accounts){ .empty_since = 0 };
	callers_init(&a->all, 0);
	a->all.max = 0; /* of each that is tied its own */
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
	a->unlock(a);
}

/* What this thread has found out, it brings with it. */
struct callers *accounts_enter(struct callers *own)
{
	struct accounts *a = own->accounts;
	if (own->inside++ > 0)
		return &a->all;
	a->lock(a);
	if (own->mean) /* else it knows nothing yet */
		a->all.mean = own->mean;
	a->all.soon += own->soon - own->soon_told;
	own->soon_told = own->soon;
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
	own->rate = a->all.rate;
	a->unlock(a);
}

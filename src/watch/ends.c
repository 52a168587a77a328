#include "watch/ends.h"

#include "watch/owners.h"

#define ENDS_MAX 65536 /* 3 MiB: two seconds of 30,000 idle closes each */

void ends_init(struct ends *e)
{
	*e = (struct ends){ 0 };
}

void ends_fini(struct ends *e)
{
	mem_free(e->v);
	*e = (struct ends){ 0 };
}

void ends_put(struct ends *e, const struct ends_close *close)
{
	if (e->n == ENDS_MAX)
		return;
	if (e->n == e->cap) {
		e->cap = e->cap ? e->cap * 2 : 64;
		e->v = mem_realloc(e->v, e->cap * sizeof(*e->v));
	}
	e->v[e->n++] = *close;
}

void ends_settle(struct ends *e, struct closes *c, struct places *p)
{
	uint32_t kept = 0;
	int32_t asked = 0; /* closes of one program come together: asked once */
	bool ended = false;

	for (uint32_t i = 0; i < e->n; i++) {
		struct ends_close *x = &e->v[i];

		if (x->pid != asked)
			ended = owners_ended(x->pid);
		asked = x->pid;
		if (ended) {
			if (x->close.why == WHY_IDLE)
				closes_idle_back(c, x->close.side, x->close.age);
			places_end(p, &x->close);
		} else if (!x->ripe) {
			x->ripe = true;
			e->v[kept++] = *x;
		}
	}
	e->n = kept;
}

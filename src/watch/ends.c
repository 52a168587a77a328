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

/* What /proc said: closes of one program come together, those of its workers mixed. */
enum { ASKED = 256 };

struct asked {
	int32_t pid; /* 0: not asked */
	bool ended;
};

static bool has_ended(struct asked *asked, int32_t pid)
{
	struct asked *a = &asked[(uint32_t)pid % ASKED];

	if (a->pid != pid)
		*a = (struct asked){ pid, owners_ended(pid) };
	return a->ended;
}

void ends_settle(struct ends *e, struct closes *c, struct places *p)
{
	struct asked asked[ASKED] = { 0 };
	uint32_t kept = 0;

	for (uint32_t i = 0; i < e->n; i++) {
		struct ends_close *x = &e->v[i];

		if (has_ended(asked, x->pid)) {
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

#include "watch/ends.h"

#include "watch/owners.h"

#define LAST_MOMENT (50 * NS_MS)
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
	ns_t last;        /* close with bytes unread */
	uint32_t at_last; /* how many at that moment */
};

static struct asked *ask(struct asked *asked, int32_t pid)
{
	struct asked *a = &asked[(uint32_t)pid % ASKED];

	if (a->pid != pid)
		*a = (struct asked){ .pid = pid, .ended = owners_ended(pid) };
	return a;
}

/* The kernel closes what a program held, one after the other, as it ends. */
static bool at_last_moment(const struct asked *a, const struct ends_close *x)
{
	return x->at + LAST_MOMENT >= a->last;
}

static void find_last_moments(struct asked *asked, const struct ends *e)
{
	for (uint32_t i = 0; i < e->n; i++) {
		struct asked *a = ask(asked, e->v[i].pid);

		if (e->v[i].close.why == WHY_UNREAD)
			a->last = ns_max(a->last, e->v[i].at);
	}
	for (uint32_t i = 0; i < e->n; i++) {
		struct asked *a = ask(asked, e->v[i].pid);

		a->at_last += e->v[i].close.why == WHY_UNREAD &&
			      at_last_moment(a, &e->v[i]);
	}
}

static void take_back(const struct asked *a, const struct ends_close *x, struct closes *c,
	struct places *p)
{
	if (x->close.why == WHY_UNREAD && (a->at_last < 2 || !at_last_moment(a, x)))
		return;
	if (x->close.why == WHY_IDLE)
		closes_idle_back(c, x->close.side, x->close.age);
	places_end(p, &x->close);
}

void ends_settle(struct ends *e, struct closes *c, struct places *p)
{
	struct asked asked[ASKED] = { 0 };
	uint32_t kept = 0;

	find_last_moments(asked, e);
	for (uint32_t i = 0; i < e->n; i++) {
		struct ends_close *x = &e->v[i];
		const struct asked *a = ask(asked, x->pid);

		if (a->ended) {
			take_back(a, x, c, p);
		} else if (!x->ripe) {
			x->ripe = true;
			e->v[kept++] = *x;
		}
	}
	e->n = kept;
}

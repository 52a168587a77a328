#include "watch/ends.h"

#include "watch/owners.h"

#define LAST_MOMENT (50 * NS_MS)
#define ENDS_MAX 65536 /* 4.5 MiB: two seconds of 30,000 closes each */

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

/* The closes of one program, which has ended. */
struct run {
	const struct ends_close *v;
	uint32_t n;
	ns_t last;        /* close with bytes unread */
	uint32_t at_last; /* how many at that moment */
	ns_t end;         /* the last close of all */
	bool idle_at_end; /* an idle one was among those of that moment */
};

/* The kernel closes what a program held, one after the other, as it ends. */
static bool at_last_moment(const struct run *r, const struct ends_close *x)
{
	return x->close.why == WHY_UNREAD && x->at + LAST_MOMENT >= r->last;
}

static void find_last_moment(struct run *r)
{
	for (uint32_t i = 0; i < r->n; i++) {
		if (r->v[i].close.why == WHY_UNREAD)
			r->last = ns_max(r->last, r->v[i].at);
	}
	for (uint32_t i = 0; i < r->n; i++)
		r->at_last += at_last_moment(r, &r->v[i]);
}

static bool at_end(const struct run *r, const struct ends_close *x)
{
	return x->at + LAST_MOMENT >= r->end;
}

static void find_end(struct run *r)
{
	for (uint32_t i = 0; i < r->n; i++)
		r->end = ns_max(r->end, r->v[i].at);
	for (uint32_t i = 0; i < r->n; i++) {
		const struct ends_close *x = &r->v[i];

		r->idle_at_end |= x->close.why == WHY_IDLE && at_end(r, x);
	}
}

/* Who only gives calls up keeps its idle connections: an end takes both. With bytes unread, and no
 * more than one such, it may as well be its manner. */
static bool is_of_end(const struct run *r, const struct ends_close *x)
{
	if (x->close.why == WHY_UNREAD)
		return r->at_last >= 2 && at_last_moment(r, x);
	if (x->close.why == WHY_NO_ANSWER)
		return r->idle_at_end && at_end(r, x);
	return true;
}

static void take_back(struct run *r, struct closes *c, struct places *p)
{
	find_last_moment(r);
	find_end(r);
	for (uint32_t i = 0; i < r->n; i++) {
		const struct ends_close *x = &r->v[i];

		if (!is_of_end(r, x))
			continue;
		if (x->close.why == WHY_IDLE)
			closes_idle_back(c, x->close.side, x->close.age);
		places_end(p, &x->close);
	}
}

static int by_pid(const void *a, const void *b)
{
	const struct ends_close *x = a, *y = b;

	return x->pid != y->pid ? (x->pid < y->pid ? -1 : 1) : 0;
}

static uint32_t run_end(const struct ends *e, uint32_t from)
{
	uint32_t end = from + 1;

	while (end < e->n && e->v[end].pid == e->v[from].pid)
		end++;
	return end;
}

void ends_settle(struct ends *e, struct closes *c, struct places *p)
{
	uint32_t kept = 0, end;

	if (e->n)
		qsort(e->v, e->n, sizeof(*e->v), by_pid); /* each is asked for once */
	for (uint32_t from = 0; from < e->n; from = end) {
		struct run run = { .v = e->v + from };

		end = run_end(e, from);
		run.n = end - from;
		if (owners_ended(run.v->pid)) {
			take_back(&run, c, p);
			continue;
		}
		for (uint32_t i = from; i < end; i++) {
			if (e->v[i].ripe)
				continue;
			e->v[i].ripe = true;
			e->v[kept++] = e->v[i];
		}
	}
	e->n = kept;
}

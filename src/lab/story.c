#include "lab/story.h"

#include "base/units.h"

static void count(struct text *t, int64_t n)
{
	text_add_count(t, (uint64_t)(n < 0 ? 0 : n));
}

static void tell(struct lab_story *s, struct text *t)
{
	if (s->n < LAB_STORY_MAX)
		s->says[s->n++] = text_take(t);
	else
		text_fini(t);
}

static const struct lab_row *find_role(
	const struct lab_row *rows, size_t n, enum lab_role role)
{
	for (size_t i = 0; i < n; i++) {
		if (rows[i].role == role && rows[i].known)
			return &rows[i];
	}
	return NULL;
}

static void tell_fault(struct lab_story *s, const struct lab_row *r)
{
	const struct lab_peaks *out = &r->peak[LAB_OUT];
	struct text t;
	text_init(&t);
	text_addf(&t, "%s: ", r->name);
	count(&t, r->good);
	text_add(&t, " of ");
	count(&t, r->started);
	text_add(&t, " requests got a good answer, half of all answers took more than ");
	text_add_duration(&t, r->p50);
	text_add(&t, "; the server held ");
	count(&t, r->slots_peak);
	text_add(&t, " of its ");
	count(&t, r->slots_limit);
	text_add(&t, " slots and refused ");
	count(&t, r->refused);
	text_add(&t, " of ");
	count(&t, r->calls);
	text_add(&t, " calls.");
	if (out->time_wait > 0 && r->first.middleware >= 0.005) {
		text_addf(&t,
			" The middleware closed first on %.0f%% of its connections to the "
			"server, %.0f a second: with 60 s each, ",
			r->first.middleware * 100, r->closes_per_s);
		count(&t, out->time_wait);
		text_add(&t, " sockets stood in TIME_WAIT, beside ");
		count(&t, out->established);
		text_add(&t, " ESTABLISHED.");
	}
	tell(s, &t);
}

static void change(struct text *t, const char *what, int64_t from, int64_t to)
{
	text_addf(t, "%s %s from ", what,
		to > from   ? "rose"
		: to < from ? "fell"
			    : "stayed:");
	count(t, from);
	text_add(t, " to ");
	count(t, to);
}

static void tell_cure(
	struct lab_story *s, const struct lab_row *r, const struct lab_row *fault)
{
	const struct lab_peaks *was = &fault->peak[LAB_OUT], *is = &r->peak[LAB_OUT];
	struct text t;
	text_init(&t);
	text_addf(&t, "%s: ", r->name);
	change(&t, "against the first row good answers", fault->good, r->good);
	text_add(&t, ", the median wait went from ");
	text_add_duration(&t, fault->p50);
	text_add(&t, " to ");
	text_add_duration(&t, r->p50);
	text_add(&t, ". Towards the server ");
	change(&t, "TIME_WAIT", was->time_wait, is->time_wait);
	text_add(&t, ", ");
	change(&t, "FIN_WAIT2", was->fin_wait2, is->fin_wait2);
	text_add(&t, ". The server ");
	change(&t, "refused calls", fault->refused, r->refused);
	text_add(&t, "; its slots held ");
	count(&t, r->slots_peak);
	if (r->abandoned_peak > 0) {
		text_add(&t, ", up to ");
		count(&t, r->abandoned_peak);
		text_add(&t, " of them for callers who had hung up");
	}
	text_add(&t, ".");
	tell(s, &t);
}

/* The best of the others by good answers. */
static const struct lab_row *runner_up(
	const struct lab_row *rows, size_t n, const struct lab_row *but)
{
	const struct lab_row *best = NULL;
	for (size_t i = 0; i < n; i++) {
		if (&rows[i] != but && rows[i].known &&
			(!best || rows[i].good > best->good))
			best = &rows[i];
	}
	return best;
}

static void tell_weir(struct lab_story *s, const struct lab_row *rows, size_t n,
	const struct lab_row *r)
{
	const struct lab_row *next = runner_up(rows, n, r);
	const struct lab_peaks *out = &r->peak[LAB_OUT];
	struct text t;
	text_init(&t);
	text_addf(&t, "%s: ", r->name);
	count(&t, r->good);
	text_add(&t, " of ");
	count(&t, r->started);
	text_add(&t, " requests got a good answer");
	if (next) {
		int64_t more = r->good - next->good;
		text_add(&t, ", ");
		count(&t, more < 0 ? -more : more);
		text_addf(&t, " %s than with %s, the best of the others",
			more < 0 ? "fewer" : "more", next->name);
	}
	text_add(&t, ". The server counted at most ");
	count(&t, r->slots_peak);
	text_add(&t, " of ");
	count(&t, r->slots_limit);
	text_add(&t, " slots taken and refused ");
	count(&t, r->refused);
	text_add(&t, " calls; towards it stood at most ");
	count(&t, out->time_wait);
	text_add(&t, " sockets in TIME_WAIT, ");
	count(&t, out->fin_wait2);
	text_add(&t, " in FIN_WAIT2 and ");
	count(&t, out->established);
	text_add(&t, " ESTABLISHED.");
	tell(s, &t);
}

void lab_story_init(struct lab_story *s, const struct lab_row *rows, size_t n)
{
	const struct lab_row *fault = find_role(rows, n, LAB_FAULT);
	s->n = 0;
	if (fault)
		tell_fault(s, fault);
	for (size_t i = 0; fault && i < n; i++) {
		if (rows[i].role == LAB_CURE && rows[i].known)
			tell_cure(s, &rows[i], fault);
	}
	for (size_t i = 0; i < n; i++) {
		if (rows[i].role == LAB_WEIR && rows[i].known)
			tell_weir(s, rows, n, &rows[i]);
	}
}

void lab_story_fini(struct lab_story *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		mem_free(s->says[i]);
	s->n = 0;
}

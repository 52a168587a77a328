#include "lab/story.h"

#include "base/units.h"

/* Two counts of separate runs closer than this are told as alike. */
#define ALIKE 0.03

static void count(struct text *t, int64_t n)
{
	text_add_count(t, (uint64_t)(n < 0 ? 0 : n));
}

static void good_of(struct text *t, const struct lab_row *r)
{
	count(t, r->good);
	text_add(t, " of ");
	count(t, r->started);
	text_add(t, " requests got a good answer");
}

static void tell(struct lab_story *s, struct text *t)
{
	if (s->n < LAB_STORY_MAX)
		s->says[s->n++] = text_take(t);
	else
		text_fini(t);
}

/* What became of the connections to the server. */
static void tell_closes(struct text *t, const struct lab_row *r)
{
	const struct lab_peaks *out = &r->peak[LAB_OUT];
	if (!out->time_wait || r->first.middleware < 0.005)
		return;
	double whole = r->first.middleware + r->first.server + r->first.both;
	text_addf(t,
		" The middleware closed first on %.0f%% of the connections that were not "
		"reset, %.0f a second, and each stays in TIME_WAIT for 60 s: ",
		100 * r->first.middleware / whole, r->closes_per_s);
	count(t, out->time_wait);
	text_add(t, " at the peak, beside ");
	count(t, out->established);
	text_add(t, " ESTABLISHED.");
	if (r->refused > 0 && r->first.reset >= 0.005)
		text_addf(t,
			" %.0f%% of all ended in a reset, as refusals do, and left none.",
			100 * r->first.reset);
}

static void tell_fault(struct lab_story *s, const struct lab_row *r)
{
	struct text t;
	text_init(&t);
	text_addf(&t, "%s: ", r->name);
	good_of(&t, r);
	text_add(&t, "; half of all answers took ");
	text_add_duration(&t, r->p50);
	text_add(&t, " or more. At the peak ");
	count(&t, r->slots_peak);
	text_add(&t, " of the server's ");
	count(&t, r->slots_limit);
	text_add(&t, " slots were taken, and it refused ");
	if (r->refused) {
		count(&t, r->refused);
		text_add(&t, " of ");
		count(&t, r->calls);
		text_add(&t, " calls.");
	} else {
		text_add(&t, "nothing: what was full was not the server.");
	}
	tell_closes(&t, r);
	tell(s, &t);
}

/* "good answers fell from 3,138 to 0" */
static void change(struct text *t, const char *what, int64_t from, int64_t to)
{
	double far = (double)(to > from ? to - from : from - to);
	bool alike = far <= ALIKE * (double)(to > from ? to : from);
	text_addf(t, "%s %s ", what,
		alike       ? "stayed about the same, from"
		: to > from ? "rose from"
			    : "fell from");
	count(t, from);
	text_add(t, " to ");
	count(t, to);
}

/* Socket states that stand in neither row are not worth a word. */
static void tell_sockets(
	struct text *t, const struct lab_peaks *was, const struct lab_peaks *is)
{
	bool tw = was->time_wait || is->time_wait, fw = was->fin_wait2 || is->fin_wait2;
	if (!tw && !fw)
		return;
	text_add(t, " Towards the server ");
	if (tw)
		change(t, "TIME_WAIT", was->time_wait, is->time_wait);
	if (tw && fw)
		text_add(t, " and ");
	if (fw)
		change(t, "FIN_WAIT2", was->fin_wait2, is->fin_wait2);
	text_add(t, ".");
}

static void tell_cure(
	struct lab_story *s, const struct lab_row *r, const struct lab_row *fault)
{
	struct text t;
	text_init(&t);
	text_addf(&t, "%s: against %s ", r->name, fault->name);
	change(&t, "good answers", fault->good, r->good);
	text_add(&t, ", and the median wait went from ");
	text_add_duration(&t, fault->p50);
	text_add(&t, " to ");
	text_add_duration(&t, r->p50);
	text_add(&t, ".");
	tell_sockets(&t, &fault->peak[LAB_OUT], &r->peak[LAB_OUT]);
	if (fault->refused || r->refused) {
		text_add_char(&t, ' ');
		change(&t, "Refusals", fault->refused, r->refused);
		text_add(&t, ".");
	}
	if (r->abandoned_peak > 0) {
		text_add(&t, " Up to ");
		count(&t, r->abandoned_peak);
		text_add(&t,
			" slots of the server were held by calls whose caller had hung up.");
	}
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
	good_of(&t, r);
	if (next) {
		int64_t more = r->good - next->good;
		text_add(&t, ", ");
		count(&t, more < 0 ? -more : more);
		text_addf(&t, " %s than with %s, the best of the others",
			more < 0 ? "fewer" : "more", next->name);
	}
	text_add(&t, ". The server itself counted at most ");
	count(&t, r->slots_peak);
	text_add(&t, " of ");
	count(&t, r->slots_limit);
	text_add(&t, " slots taken and ");
	count(&t, r->refused);
	text_add(&t, " refusals; towards it stood ");
	count(&t, out->time_wait);
	text_add(&t, " sockets in TIME_WAIT, ");
	count(&t, out->fin_wait2);
	text_add(&t, " in FIN_WAIT2 and ");
	count(&t, out->established);
	text_add(&t, " ESTABLISHED at the peak.");
	tell(s, &t);
}

void lab_story_init(struct lab_story *s, const struct lab_row *rows, size_t n)
{
	const struct lab_row *fault = NULL;
	s->n = 0;
	for (size_t i = 0; i < n && !fault; i++) {
		if (rows[i].role == LAB_FAULT && rows[i].known)
			fault = &rows[i];
	}
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

#include "lab/story.h"

#include <math.h>

#include "base/units.h"

/* Two counts of separate runs closer than this are told as alike. */
#define ALIKE 0.03

static void count(struct text *t, const struct lab_row *r, enum figure_id id)
{
	text_add_count(t, row_count(r, id));
}

static void duration(struct text *t, const struct lab_row *r, enum figure_id id)
{
	text_add_figure(t, id, r->f.of[id]);
}

static void good_of(struct text *t, const struct lab_row *r)
{
	count(t, r, FIG_good);
	text_add(t, " of ");
	count(t, r, FIG_started);
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
	double middleware = r->f.of[FIG_closed_middleware],
	       reset = r->f.of[FIG_closed_reset];
	if (!row_count(r, FIG_time_wait) || !(middleware >= 0.005))
		return;
	double whole = middleware + r->f.of[FIG_closed_server] + r->f.of[FIG_closed_both];
	text_addf(t,
		" The middleware closed first on %.0f%% of the connections that were not "
		"reset, %.0f a second, and each stays in TIME_WAIT for 60 s: ",
		100 * middleware / whole, r->f.of[FIG_closes]);
	count(t, r, FIG_time_wait);
	text_add(t, " at the peak, beside ");
	count(t, r, FIG_established);
	text_add(t, " ESTABLISHED.");
	if (row_count(r, FIG_refused) && reset >= 0.005)
		text_addf(t,
			" %.0f%% of all ended in a reset, as refusals do, and left none.",
			100 * reset);
}

/* What the server counted of itself. */
static void tell_server(struct text *t, const struct lab_row *r)
{
	if (isnan(r->f.of[FIG_slots_peak]) || isnan(r->f.of[FIG_refused]))
		return;
	text_add(t, " At the peak ");
	count(t, r, FIG_slots_peak);
	if (!isnan(r->f.of[FIG_slots_limit])) {
		text_add(t, " of the server's ");
		count(t, r, FIG_slots_limit);
	}
	text_add(t, " slots were taken, and it refused ");
	if (row_count(r, FIG_refused)) {
		count(t, r, FIG_refused);
		text_add(t, " of ");
		count(t, r, FIG_calls);
		text_add(t, " calls.");
	} else {
		text_add(t, "nothing");
		text_add(t, r->f.of[FIG_good] < r->f.of[FIG_started]
				    ? ": its slots were not what was short."
				    : ".");
	}
}

static void tell_fault(struct lab_story *s, const struct lab_row *r)
{
	struct text t;
	text_init(&t);
	text_addf(&t, "%s: ", r->name);
	good_of(&t, r);
	text_add(&t, "; half of all answers took ");
	duration(&t, r, FIG_p50);
	text_add(&t, " or more.");
	tell_server(&t, r);
	tell_closes(&t, r);
	tell(s, &t);
}

/* "good answers fell from 3,138 to 0", "refusals stayed at 14,932" */
static void change(struct text *t, const char *what, uint64_t from, uint64_t to)
{
	if (from == to) {
		text_addf(t, "%s stayed at ", what);
		text_add_count(t, from);
		return;
	}
	double far = (double)(to > from ? to - from : from - to);
	bool alike = far <= ALIKE * (double)(to > from ? to : from);
	text_addf(t, "%s %s ", what,
		alike       ? "stayed about the same, from"
		: to > from ? "rose from"
			    : "fell from");
	text_add_count(t, from);
	text_add(t, " to ");
	text_add_count(t, to);
}

static void change_of(struct text *t, const char *what, const struct lab_row *was,
	const struct lab_row *is, enum figure_id id)
{
	change(t, what, row_count(was, id), row_count(is, id));
}

static bool any_has(const struct lab_row *a, const struct lab_row *b, enum figure_id id)
{
	return row_count(a, id) || row_count(b, id);
}

/* Socket states that stand in neither row are not worth a word. */
static void tell_sockets(
	struct text *t, const struct lab_row *was, const struct lab_row *is)
{
	bool tw = any_has(was, is, FIG_time_wait), fw = any_has(was, is, FIG_fin_wait2);
	if (!tw && !fw)
		return;
	text_add(t, " Towards the server ");
	if (tw)
		change_of(t, "TIME_WAIT", was, is, FIG_time_wait);
	if (tw && fw)
		text_add(t, " and ");
	if (fw)
		change_of(t, "FIN_WAIT2", was, is, FIG_fin_wait2);
	text_add(t, ".");
}

/* Two that read alike are told once. */
static void tell_wait(struct text *t, const struct lab_row *was, const struct lab_row *is)
{
	struct text before, after;
	text_init(&before);
	text_init(&after);
	duration(&before, was, FIG_p50);
	duration(&after, is, FIG_p50);
	if (slice_eq(text_slice(&before), text_slice(&after)))
		text_addf(t, "stayed at %s.", after.ptr);
	else
		text_addf(t, "went from %s to %s.", before.ptr, after.ptr);
	text_fini(&before);
	text_fini(&after);
}

static void tell_cure(
	struct lab_story *s, const struct lab_row *r, const struct lab_row *fault)
{
	struct text t;
	text_init(&t);
	text_addf(&t, "%s: against %s ", r->name, fault->name);
	change_of(&t, "good answers", fault, r, FIG_good);
	text_add(&t, ", and the median wait ");
	tell_wait(&t, fault, r);
	tell_sockets(&t, fault, r);
	if (any_has(fault, r, FIG_refused)) {
		text_add_char(&t, ' ');
		change_of(&t, "Refusals", fault, r, FIG_refused);
		text_add(&t, ".");
	}
	if (row_count(r, FIG_abandoned)) {
		text_add(&t, " Up to ");
		count(&t, r, FIG_abandoned);
		text_add(&t,
			" slots of the server were held by calls whose caller had hung up.");
	}
	tell(s, &t);
}

/* Before a server with other slots it is another task. */
static bool same_slots(const struct lab_row *a, const struct lab_row *b)
{
	double x = a->f.of[FIG_slots_limit], y = b->f.of[FIG_slots_limit];
	return x == y || (isnan(x) && isnan(y));
}

/* The best of the others by good answers, of those who met the same server. */
static const struct lab_row *runner_up(
	const struct lab_row *rows, size_t n, const struct lab_row *but)
{
	const struct lab_row *best = NULL;
	for (size_t i = 0; i < n; i++) {
		if (&rows[i] != but && rows[i].known && same_slots(&rows[i], but) &&
			(!best || rows[i].f.of[FIG_good] > best->f.of[FIG_good]))
			best = &rows[i];
	}
	return best;
}

static void tell_weir(struct lab_story *s, const struct lab_row *rows, size_t n,
	const struct lab_row *r)
{
	const struct lab_row *next = runner_up(rows, n, r);
	struct text t;
	text_init(&t);
	text_addf(&t, "%s: ", r->name);
	good_of(&t, r);
	if (next) {
		uint64_t own = row_count(r, FIG_good), best = row_count(next, FIG_good);
		text_add(&t, ", ");
		if (own == best)
			text_add(&t, "as many as");
		else
			text_add_count(&t, own < best ? best - own : own - best);
		text_addf(&t, "%s with %s, the best of the others",
			own == best  ? ""
			: own < best ? " fewer than"
				     : " more than",
			next->name);
	}
	text_add_char(&t, '.');
	if (!isnan(r->f.of[FIG_slots_peak])) {
		text_add(&t, " The server itself counted at most ");
		count(&t, r, FIG_slots_peak);
		if (!isnan(r->f.of[FIG_slots_limit])) {
			text_add(&t, " of ");
			count(&t, r, FIG_slots_limit);
		}
		text_add(&t, " slots taken and ");
		count(&t, r, FIG_refused);
		text_add(&t, " refusals;");
	}
	text_add(&t, " towards it stood ");
	count(&t, r, FIG_time_wait);
	text_add(&t, " sockets in TIME_WAIT, ");
	count(&t, r, FIG_fin_wait2);
	text_add(&t, " in FIN_WAIT2 and ");
	count(&t, r, FIG_established);
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
		if (rows[i].role == LAB_BEST && rows[i].known)
			tell_weir(s, rows, n, &rows[i]);
	}
}

void lab_story_fini(struct lab_story *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		mem_free(s->says[i]);
	s->n = 0;
}

#include "lab/verdict.h"

#include "base/units.h"

/* Two figures of separate runs closer than this are told as alike. */
#define ALIKE 0.03
/* A wait that is longer by less is no price worth naming. */
#define DEARER 0.10
#define QUOTE_BYTES 160

/* Words for figures. */

static void add_count(struct text *t, struct lab_measure m)
{
	text_add_count(t, m.median > 0 ? (uint64_t)(m.median + 0.5) : 0);
}

static void add_wait(struct text *t, struct lab_measure m)
{
	text_add_duration(t, (ns_t)(m.median * (double)NS_MS));
}

/* "199 of 480" */
static void add_of(struct text *t, struct lab_measure part, struct lab_measure whole)
{
	add_count(t, part);
	text_add(t, " of ");
	add_count(t, whole);
}

/* "once", "199 times" */
static void add_times(struct text *t, int64_t n)
{
	if (n == 1) {
		text_add(t, "once");
		return;
	}
	text_add_count(t, (uint64_t)n);
	text_add(t, " times");
}

static const char *plural(struct lab_measure m, const char *one, const char *many)
{
	return m.median == 1 ? one : many;
}

/* Which figures differ. */

static bool is_alike(struct lab_measure a, struct lab_measure b)
{
	double far = a.median > b.median ? a.median - b.median : b.median - a.median;
	double most = a.median > b.median ? a.median : b.median;
	return far <= ALIKE * most;
}

/* a's every run above b's every run. */
static bool is_above(struct lab_measure a, struct lab_measure b)
{
	return a.known && b.known && a.low > b.high && !is_alike(a, b);
}

static bool is_some(struct lab_measure m)
{
	return m.known && m.median > 0;
}

static bool is_judgeable(const struct lab_figures *f)
{
	return f->valid && f->started.known && f->started.median > 0 && f->good.known &&
	       f->good_share.known;
}

/* All answers good, in every run. */
static bool is_well(const struct lab_figures *f)
{
	return f->good_share.low >= 1;
}

/* Who is judged, and who may cure. */

static const struct lab_figures *judged_of(const struct lab_act_figures *a)
{
	for (size_t i = 0; i < a->n; i++) {
		if (a->v[i].is_fault)
			return &a->v[i];
	}
	return &a->v[0];
}

static bool may_cure(const struct lab_figures *f, const struct lab_figures *judged)
{
	return f != judged && f->group == judged->group && is_judgeable(f);
}

static bool is_better(const struct lab_figures *a, const struct lab_figures *b)
{
	if (!is_alike(a->good_share, b->good_share))
		return a->good_share.median > b->good_share.median;
	return a->p50.known && b->p50.known && a->p50.median < b->p50.median;
}

static const struct lab_figures *best_of(
	const struct lab_act_figures *a, const struct lab_figures *judged, size_t *n)
{
	const struct lab_figures *best = NULL;
	*n = 0;
	for (size_t i = 0; i < a->n; i++) {
		if (!may_cure(&a->v[i], judged))
			continue;
		++*n;
		if (!best || is_better(&a->v[i], best))
			best = &a->v[i];
	}
	return best;
}

/* Invalid. */

static char *invalid_of(const struct lab_act_figures *a, const struct lab_figures *judged)
{
	struct text t;
	const char *why = NULL;
	text_init(&t);
	for (size_t i = 0; i < a->n; i++) {
		const struct lab_figures *f = &a->v[i];
		if (f->valid)
			continue;
		text_addf(&t, "%s%s", why ? ", " : "Not valid: ", f->label);
		why = why ? why : f->invalid_why ? f->invalid_why : "no reason is told";
	}
	if (!why)
		return NULL;
	text_addf(&t, " (%s). ", why);
	if (judged->valid)
		text_add(&t, "The verdict leaves that out.");
	else
		text_addf(&t, "There is no verdict, for it would be about %s.",
			judged->label);
	return text_take(&t);
}

/* What was wrong. */

static void add_half(struct text *t, const struct lab_figures *f, const char *lead)
{
	if (!f->p50.known)
		return;
	text_addf(t, "%shalf of all answers took ", lead);
	add_wait(t, f->p50);
	text_add(t, " or more");
}

static bool slots_are_known(const struct lab_figures *f)
{
	return f->slots_peak.known && is_some(f->slots_limit);
}

static bool is_full(const struct lab_figures *f)
{
	return slots_are_known(f) && f->slots_peak.median >= f->slots_limit.median;
}

/* ": the server was full (100 of 100 slots taken at the peak) and refused " */
static void add_slots(struct text *t, const struct lab_figures *f, const char *lead)
{
	text_addf(t, "%s (", lead);
	add_of(t, f->slots_peak, f->slots_limit);
	text_addf(t, " %s taken at the peak)", plural(f->slots_limit, "slot", "slots"));
}

static void add_refusals(struct text *t, const struct lab_figures *f)
{
	if (is_full(f)) {
		add_slots(t, f, ": the server was full");
		text_add(t, " and refused ");
	} else {
		text_add(t, ": the server refused ");
	}
	if (f->calls.known)
		add_of(t, f->refused, f->calls);
	else
		add_count(t, f->refused);
	text_add(t, " calls");
}

/* No refusal, but waiting: where, as far as the slots tell. */
static void add_waiting(struct text *t, const struct lab_figures *f)
{
	if (is_full(f)) {
		add_slots(t, f, ": the server was full");
		text_add(t, " but refused nothing");
	} else if (slots_are_known(f)) {
		add_slots(t, f, ": yet the server had room");
		text_add(t, " and refused nothing, so what was short lay before it");
	}
	add_half(t, f, "; ");
}

static void add_most_frequent(struct text *t, const struct lab_figures *f)
{
	if (!f->error || !f->error_count)
		return;
	text_add(t, "; the most frequent error, ");
	add_times(t, f->error_count);
	text_add(t, " in the first run, was ");
	if (f->error_status > 0)
		text_addf(t, "status %lld", (long long)f->error_status);
	else
		text_add(t, f->error);
}

static char *wrong_of(const struct lab_figures *f)
{
	double late = (f->late.known ? f->late.median : 0) +
		      (f->unanswered.known ? f->unanswered.median : 0);
	struct text t;
	text_init(&t);
	if (!is_judgeable(f)) {
		text_addf(&t, "What callers of %s got was not measured", f->label);
	} else if (is_well(f)) {
		text_addf(&t, "Nothing went wrong with %s: all ", f->label);
		add_count(&t, f->started);
		text_add(&t, " requests got a good answer in time");
		add_half(&t, f, ", and ");
	} else {
		text_addf(&t, "With %s only ", f->label);
		add_of(&t, f->good, f->started);
		text_add(&t, " requests got a good answer in time");
		if (is_some(f->refused))
			add_refusals(&t, f);
		else if (f->refused.known && f->failed.known && late > f->failed.median)
			add_waiting(&t, f);
		else
			add_most_frequent(&t, f);
	}
	text_add_char(&t, '.');
	return text_take(&t);
}

/* What shows it. */

/* On one line and not too long; cut between characters. */
static void add_quote(struct text *t, const char *words)
{
	size_t len = strlen(words), cut = 0;
	text_add(t, "“");
	while (cut < len) {
		struct slice rest = { words + cut, len - cut };
		size_t one = slice_utf8_len(rest);
		one = one ? one : 1;
		if (cut + one > QUOTE_BYTES)
			break;
		if (text_shown_len(rest))
			text_add_slice(t, slice_cut(rest, 0, one));
		else
			text_add_char(t, ' ');
		cut += one;
	}
	text_add(t, cut < len ? "…”" : "”");
}

/* Each of these says whether anything has been said. */

static bool add_words(struct text *t, const struct lab_figures *f, int64_t runs)
{
	if (!f->words || f->words_count < 1)
		return false;
	text_add(t, "The error answers say so themselves, ");
	add_times(t, f->words_count);
	if (runs > 1)
		text_addf(t, " in %lld runs", (long long)runs);
	text_add(t, ": ");
	add_quote(t, f->words);
	return true;
}

static bool has_left_sockets(const struct lab_figures *f)
{
	return is_some(f->time_wait) && is_some(f->closed_middleware) && f->ended.known;
}

/* The sockets are what one sees first, and mostly not what is wrong. */
static bool add_sockets(struct text *t, const struct lab_figures *f, bool said)
{
	if (!has_left_sockets(f))
		return said;
	text_add(t, said ? "; the " : "The ");
	add_count(t, f->time_wait);
	text_addf(t,
		" %s in TIME_WAIT towards the server %s only that the middleware "
		"closed first, %.0f%% of the ",
		plural(f->time_wait, "socket", "sockets"),
		plural(f->time_wait, "tells", "tell"), 100 * f->closed_middleware.median);
	add_count(t, f->ended);
	text_addf(t, " %s that ended", plural(f->ended, "connection", "connections"));
	if (is_some(f->refused) && is_some(f->closed_reset))
		text_addf(t, " (%.0f%% ended in a reset, which leaves nothing behind)",
			100 * f->closed_reset.median);
	return true;
}

static bool add_crowd(struct text *t, const struct lab_figures *f, bool said)
{
	if (said || !is_above(f->in_established, f->established))
		return said;
	text_add(t, "At the peak ");
	add_count(t, f->in_established);
	text_addf(t, " %s stood open from callers to the middleware, and ",
		plural(f->in_established, "connection", "connections"));
	add_count(t, f->established);
	text_add(t, " from there to the server");
	return true;
}

/* Nothing was wrong. */
static void add_room(struct text *t, const struct lab_figures *f)
{
	if (slots_are_known(f)) {
		text_add(t, "At the peak ");
		add_of(t, f->slots_peak, f->slots_limit);
		text_addf(t, " %s of the server were taken",
			plural(f->slots_limit, "slot", "slots"));
	}
	if (f->refused.known) {
		text_add(t,
			slots_are_known(f) ? ", and it refused " : "The server refused ");
		add_count(t, f->refused);
		text_addf(t, " %s", plural(f->refused, "call", "calls"));
	} else if (!slots_are_known(f)) {
		text_add(t, "No more than the answers was measured");
	}
	text_add_char(t, '.');
}

static char *shows_of(const struct lab_figures *f, int64_t runs)
{
	struct text t;
	text_init(&t);
	if (is_judgeable(f) && is_well(f)) {
		add_room(&t, f);
		if (has_left_sockets(f)) {
			text_add_char(&t, ' ');
			(void)add_sockets(&t, f, false);
			text_add_char(&t, '.');
		}
		return text_take(&t);
	}
	bool said = add_words(&t, f, runs);
	said = add_sockets(&t, f, said);
	said = add_crowd(&t, f, said);
	if (!said)
		text_add(&t,
			"No error answer with a text was seen, and no socket was left "
			"in TIME_WAIT by the middleware");
	text_add_char(&t, '.');
	return text_take(&t);
}

/* What cures it, and the price: what got worse of the figures that a user pays with. */

struct price {
	struct text *t;
	bool begun;
};

static void begin_item(struct price *p)
{
	text_add(p->t, p->begun ? ", " : "; the price: ");
	p->begun = true;
}

static void add_dearer(
	struct price *p, const char *what, struct lab_measure was, struct lab_measure is)
{
	if (!is_above(is, was) || is.median <= (1 + DEARER) * was.median)
		return;
	begin_item(p);
	text_addf(p->t, "%s went from ", what);
	add_wait(p->t, was);
	text_add(p->t, " to ");
	add_wait(p->t, is);
}

static void add_more(
	struct price *p, const char *what, struct lab_measure was, struct lab_measure is)
{
	if (!is_above(is, was))
		return;
	begin_item(p);
	text_addf(p->t, "%s rose from ", what);
	add_count(p->t, was);
	text_add(p->t, " to ");
	add_count(p->t, is);
}

static void add_price(
	struct text *t, const struct lab_figures *f, const struct lab_figures *best)
{
	struct price p = { t, false };
	struct lab_measure rest = best->started;
	rest.median -= best->good.median;
	if (rest.median > 0) {
		begin_item(&p);
		add_count(t, rest);
		text_addf(t, " %s still got none in time",
			plural(rest, "request", "requests"));
	}
	add_dearer(&p, "the median wait", f->p50, best->p50);
	add_dearer(&p, "the 99th percentile", f->p99, best->p99);
	add_more(&p, "late answers", f->late, best->late);
	add_more(&p, "errors", f->failed, best->failed);
	add_more(&p, "the server's refusals", f->refused, best->refused);
	add_more(&p, "its slots held for callers who had gone", f->abandoned,
		best->abandoned);
	if (!p.begun)
		text_add(t, "; no figure compared got worse");
}

static bool is_sooner(const struct lab_figures *a, const struct lab_figures *b)
{
	return is_above(b->p50, a->p50) && b->p50.median > (1 + DEARER) * a->p50.median;
}

static void add_cure(
	struct text *t, const struct lab_figures *f, const struct lab_figures *best)
{
	text_addf(t, "%s %s: ", best->label,
		is_well(best) ? "cures it" : "helps most of what was tried");
	add_of(t, best->good, best->started);
	text_add(t, " good answers instead of ");
	add_count(t, f->good);
	if (is_above(f->refused, best->refused)) {
		text_add(t, ", ");
		add_count(t, best->refused);
		text_addf(t, " %s by the server instead of ",
			plural(best->refused, "refusal", "refusals"));
		add_count(t, f->refused);
	}
	if (is_sooner(best, f)) {
		text_add(t, ", a median wait of ");
		add_wait(t, best->p50);
		text_add(t, " instead of ");
		add_wait(t, f->p50);
	}
	add_price(t, f, best);
}

/* More good answers; or as many, and clearly sooner. */
static bool helps(const struct lab_figures *best, const struct lab_figures *f)
{
	if (is_above(best->good_share, f->good_share))
		return true;
	return is_alike(best->good_share, f->good_share) && is_sooner(best, f);
}

static char *cures_of(const struct lab_act_figures *a, const struct lab_figures *f)
{
	size_t n = 0;
	const struct lab_figures *best = best_of(a, f, &n);
	struct text t;
	text_init(&t);
	if (!is_judgeable(f) || !best) {
		text_add(&t, "Nothing ran that it could be compared with");
	} else if (!is_well(f) && helps(best, f)) {
		add_cure(&t, f, best);
	} else {
		text_add(&t, is_well(f) ? "Nothing needs a cure"
					: "Nothing that was tried helps");
		text_addf(&t, ": %s, the best of %zu, got ", best->label, n);
		add_of(&t, best->good, best->started);
	}
	text_add_char(&t, '.');
	return text_take(&t);
}

void lab_verdict_init(struct lab_verdict *v, const struct lab_act_figures *a)
{
	*v = (struct lab_verdict){ 0 };
	if (!a->n)
		return;
	const struct lab_figures *judged = judged_of(a);
	v->invalid = invalid_of(a, judged);
	if (!judged->valid)
		return;
	v->wrong = wrong_of(judged);
	v->shows = shows_of(judged, a->repetitions);
	v->cures = cures_of(a, judged);
}

void lab_verdict_fini(struct lab_verdict *v)
{
	mem_free(v->invalid);
	mem_free(v->wrong);
	mem_free(v->shows);
	mem_free(v->cures);
	*v = (struct lab_verdict){ 0 };
}

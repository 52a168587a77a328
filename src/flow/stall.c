#include "flow/stall.h"

#include <math.h>

#define HEARD_SHARE \
	4 /* of a row at most one in so many was answered, in another's place */
#define SPAN_LEAST (2 * NS_MS)
#define SPAN_SHARE 6      /* of the time since one was answered */
#define CHANCE_WITHIN 0.1 /* by the calls of nearly the same time alone */

void stall_init(struct stall *s)
{
	*s = (struct stall){ .due = NS_NEVER };
}

ns_t stall_patience(const struct stall *s)
{
	return ns_max(STALL_MIN, STALL_TIMES * longest_of(&s->longest));
}

static ns_t span_most(const struct stall *s)
{
	return stall_patience(s) / 16;
}

static ns_t span_for(const struct stall *s, ns_t now)
{
	ns_t since = (now - s->fresh_at) / SPAN_SHARE;
	return ns_min(ns_max(since, SPAN_LEAST), span_most(s));
}

/* So long calls beside a span are of its time, unless there is another. */
static ns_t beside_for(const struct stall *s)
{
	return stall_patience(s) / 2;
}

static struct stall_span *span_of(struct stall *s, uint32_t id)
{
	struct stall_span *span = &s->spans[id % STALL_SPANS];
	return id && span->id == id ? span : NULL;
}

/* --- what is told --- */

static struct stall_span *span_new(struct stall *s, ns_t now, bool trial)
{
	struct stall_span *span = &s->spans[++s->newest % STALL_SPANS];
	*span = (struct stall_span){ .id = s->newest,
		.began_at = now,
		.lasts = span_for(s, now),
		.tries = trial };
	return span;
}

void stall_note_asked(struct stall *s, ns_t now, bool found, struct stall_mark *mark)
{
	struct stall_span *span = span_of(s, s->newest);
	bool has_place = s->lost > s->waiting, trial = found && !has_place;
	if (!s->waiting)
		s->fresh_at = now;
	if (!span || trial || span->tries || now - span->began_at >= span->lasts)
		span = span_new(s, now, trial);
	*mark = (struct stall_mark){
		.sent_at = now,
		.span = span->id,
		.kind = STALL_NEW,
		.has_place = has_place,
		.trial = trial,
	};
	span->waiting++;
	s->waiting++;
	if (s->due == NS_NEVER)
		s->due = now + span_most(s);
}

static struct stall_beside *beside_of(
	struct stall_span *span, const struct stall_mark *mark)
{
	return mark->near ? &span->near : &span->behind;
}

void stall_note_beside(struct stall *s, ns_t now, struct stall_mark *mark)
{
	struct stall_span *span = span_of(s, s->newest);
	*mark = (struct stall_mark){ .sent_at = now, .kind = STALL_BESIDE };
	if (!span || now - span->began_at >= beside_for(s))
		return;
	mark->span = span->id;
	mark->near = now - span->began_at < span_most(s);
	beside_of(span, mark)->sent++;
}

/* It waits no longer. */
static struct stall_span *new_over(struct stall *s, const struct stall_mark *mark)
{
	struct stall_span *span = span_of(s, mark->span);
	s->waiting--;
	if (span)
		span->waiting--;
	return span;
}

void stall_note_heard(struct stall *s, ns_t now, struct stall_mark *mark)
{
	const bool in_place = s->lost > 0;
	s->proven++;
	s->lost -= in_place;
	s->fresh_at = now;
	if (mark->kind != STALL_NEW)
		return;
	struct stall_span *span = new_over(s, mark);
	if (span)
		span->heard++;
	mark->kind = STALL_NONE;
	if (mark->span < s->row_from)
		return;
	if (!in_place || mark->has_place)
		longest_note(&s->longest, now - mark->sent_at, now);
	if (!in_place)
		s->row_from = mark->span + 1;
}

static void beside_over(
	struct stall *s, ns_t now, const struct stall_mark *mark, bool answered)
{
	struct stall_span *span = span_of(s, mark->span);
	ns_t took = now - mark->sent_at;
	bool early = took < stall_patience(s);
	if (answered) {
		longest_note(&s->longest, took, now);
		s->answered_at = now;
	}
	if (span && answered)
		beside_of(span, mark)->answered++;
	else if (span && early)
		beside_of(span, mark)->sent--;
	else if (span)
		beside_of(span, mark)->gone++;
}

void stall_note_ended(
	struct stall *s, ns_t now, const struct stall_mark *mark, bool answered)
{
	if (mark->kind == STALL_BESIDE)
		beside_over(s, now, mark, answered);
	else if (mark->kind == STALL_NEW)
		(void)new_over(s, mark);
}

void stall_note_closed(struct stall *s)
{
	s->proven -= s->proven > 0;
	s->lost++;
}

/* --- what is made of it --- */

struct row {
	uint32_t first; /* id; 0: none */
	uint32_t waiting, heard;
	struct stall_beside within; /* in its spans, and between them */
	struct stall_beside beside; /* and behind the last one */
	ns_t ended_at;
};

static uint32_t oldest_in_row(const struct stall *s)
{
	uint32_t kept = s->newest >= STALL_SPANS ? s->newest - STALL_SPANS + 1 : 1;
	return kept > s->row_from ? kept : s->row_from;
}

static struct stall_beside sum(struct stall_beside a, struct stall_beside b)
{
	return (struct stall_beside){ a.sent + b.sent, a.answered + b.answered,
		a.gone + b.gone };
}

static void row_add(struct row *r, const struct stall_span *span)
{
	if (!r->first)
		r->first = span->id;
	r->within = sum(r->beside, span->near);
	r->beside = sum(r->within, span->behind);
	r->waiting += span->waiting;
	r->heard += span->heard;
	r->ended_at = span->began_at;
}

static struct row row_look(struct stall *s, ns_t now)
{
	struct row r = { 0 };
	ns_t patience = stall_patience(s);
	for (uint32_t id = oldest_in_row(s); id <= s->newest; id++) {
		const struct stall_span *span = span_of(s, id);
		bool counts = span && now - span->began_at >= patience + span_most(s);
		if (counts && (r.first || span->waiting))
			row_add(&r, span);
	}
	if (now - r.ended_at < patience + beside_for(s))
		r.beside = r.within; /* those behind are younger */
	return r;
}

/* lgamma would write to a variable of the whole process. */
static double factorial_log(double n)
{
	int sign;
	return lgamma_r(n + 1, &sign);
}

static double choose_log(double n, double k)
{
	return factorial_log(n) - factorial_log(k) - factorial_log(n - k);
}

/* That so many of the NEW ones, or more, are among those that wait still. */
static double chance_of(const struct row *r, const struct stall_beside *b)
{
	double fresh = r->waiting + r->heard, all = fresh + b->sent;
	double wait = (double)r->waiting + b->sent - b->answered, p = 0;
	for (double k = r->waiting; k <= fmin(fresh, wait); k++)
		p += exp(choose_log(fresh, k) + choose_log(all - fresh, wait - k) -
			 choose_log(all, wait));
	return p;
}

static bool is_stalled(const struct stall *s, const struct row *r, ns_t now)
{
	bool answers = s->answered_at > r->ended_at &&
		       now - s->answered_at < stall_patience(s);
	return answers && r->waiting >= STALL_ROW &&
	       r->heard * HEARD_SHARE <= r->waiting &&
	       chance_of(r, &r->within) < CHANCE_WITHIN &&
	       chance_of(r, &r->beside) < STALL_CHANCE;
}

/* NEW ones that wait since before; 0: nobody. */
static uint32_t waiting_before(const struct stall *s, ns_t from)
{
	uint32_t since = 0;
	for (int i = 0; i < STALL_SPANS; i++)
		since += s->spans[i].began_at >= from ? s->spans[i].waiting : 0;
	return from && s->waiting > since ? s->waiting - since : 0;
}

static bool some_wait(const struct stall_beside *b)
{
	return b->answered + b->gone < b->sent;
}

/* Calls on PROVEN connections wait that were sent by then. */
static bool others_wait(const struct stall *s, ns_t until)
{
	for (int i = 0; i < STALL_SPANS; i++) {
		const struct stall_span *span = &s->spans[i];
		ns_t since = until - span->began_at;
		if (since >= span_most(s) && some_wait(&span->near))
			return true;
		if (since >= beside_for(s) && some_wait(&span->behind))
			return true;
	}
	return false;
}

/* One that was sent since the last verdict has waited for so long, while others were served: what was
 * answered so late was sent after it. */
static bool trial_stalled(struct stall *s, ns_t now)
{
	ns_t patience = stall_patience(s);
	for (uint32_t id = oldest_in_row(s); id <= s->newest; id++) {
		const struct stall_span *span = span_of(s, id);
		bool waits = span && span->tries && span->waiting &&
			     span->began_at > s->found_at;
		if (waits && now - span->began_at >= patience &&
			s->answered_at - span->began_at >= patience / 2)
			return true;
	}
	return false;
}

static struct stall_verdict verdict_of_trial(const struct stall *s, ns_t now)
{
	ns_t until = now - stall_patience(s);
	ns_t from = others_wait(s, until) ? s->from : 0;
	return (struct stall_verdict){
		.trial = true,
		.took = s->proven + s->lost + waiting_before(s, from),
		.waited = 1,
		.from = from,
		.until = until,
	};
}

static struct stall_verdict verdict_of_row(
	const struct stall *s, ns_t now, const struct row *r)
{
	ns_t from = some_wait(&r->beside) ? s->spans[r->first % STALL_SPANS].began_at : 0;
	return (struct stall_verdict){
		.took = s->proven + waiting_before(s, from),
		.waited = r->waiting,
		.from = from,
		.until = now,
	};
}

bool stall_judge(struct stall *s, ns_t now, struct stall_verdict *v)
{
	const struct row r = row_look(s, now);
	const bool row = is_stalled(s, &r, now);
	s->due = s->waiting ? now + span_most(s) : NS_NEVER;
	if (!row && !trial_stalled(s, now))
		return false;
	*v = row ? verdict_of_row(s, now, &r) : verdict_of_trial(s, now);
	v->patience = stall_patience(s);
	s->found_at = now;
	s->row_from = s->newest + 1;
	if (row) {
		s->lost = 0;
		s->from = v->from;
	}
	return true;
}

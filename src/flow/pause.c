#include "flow/pause.h"

#include <math.h>

/* At a high pace several go in one turn of the loop, which may be late by so much. */
#define AT_ONCE_FOR (10 * NS_MS)

void pause_init(struct pause *p)
{
	*p = (struct pause){ .state = PAUSE_OPEN };
}

static double doublings(ns_t span)
{
	return (double)span / (double)PAUSE_DOUBLES_FOR;
}

/* So many calls go in the first `span` of a ramp: the integral of pace * 2^t. */
static double calls_within(const struct pause *p, ns_t span)
{
	const double unit = p->pace * ((double)PAUSE_DOUBLES_FOR / NS_S) / M_LN2;
	return unit * (exp2(doublings(span)) - 1);
}

/* And so long a ramp takes for so many. */
static ns_t span_of(const struct pause *p, double calls)
{
	const double unit = p->pace * ((double)PAUSE_DOUBLES_FOR / NS_S) / M_LN2;
	return (ns_t)ceil(log2(1 + calls / unit) * (double)PAUSE_DOUBLES_FOR);
}

static void begin_ramp(struct pause *p, ns_t now)
{
	p->state = PAUSE_RAMP;
	p->since = p->credit_at = now;
	p->credit = 1;
}

enum pause_state pause_look(struct pause *p, ns_t now)
{
	if (p->state == PAUSE_SHUT && now >= p->until) {
		p->state = PAUSE_PROBE;
		p->since = 0;
	}
	if (p->state == PAUSE_PROBE && p->since && now - p->since >= PAUSE_PROBE_FOR)
		begin_ramp(p, now);
	if (p->state == PAUSE_RAMP && now - p->since >= PAUSE_RAMP_FOR)
		p->state = PAUSE_OPEN;
	return p->state;
}

/* --- what the server says --- */

static double pace_of(const struct pause *p, uint64_t answered, ns_t now)
{
	const ns_t span = now - p->begun_at;
	const bool counts = answered >= p->answered; /* who counts may begin anew */
	if (!p->begun_at || !counts || span <= 0 || span > PAUSE_AGAIN_FOR)
		return PAUSE_PACE;
	double pace = (double)(answered - p->answered) / ((double)span / NS_S);
	return pace > PAUSE_PACE_MIN ? pace : PAUSE_PACE_MIN;
}

void pause_ask(struct pause *p, ns_t until, uint64_t answered, ns_t now)
{
	CHECK(until > now);
	if (pause_look(p, now) == PAUSE_SHUT) {
		p->until = ns_max(p->until, until);
		return;
	}
	p->pace = pace_of(p, answered, now);
	p->state = PAUSE_SHUT;
	p->begun_at = now;
	p->until = until;
	p->answered = answered;
	p->times++;
}

bool pause_ended(struct pause *p, ns_t sent_at, ns_t now)
{
	if (pause_look(p, now) != PAUSE_PROBE || !p->since || sent_at < p->since)
		return false;
	begin_ramp(p, now);
	return true;
}

/* --- what goes --- */

static void earn(struct pause *p, ns_t now)
{
	const ns_t before = p->credit_at - p->since, by_now = now - p->since;
	const double pace = p->pace * exp2(doublings(by_now));
	const double most = fmax(1, pace * ((double)AT_ONCE_FOR / NS_S));
	p->credit += calls_within(p, by_now) - calls_within(p, before);
	p->credit = fmin(p->credit, most);
	p->credit_at = now;
}

/* Several that go together are let go when one may; those behind wait for longer. A part of a
 * nanosecond's worth is not waited for. */
static bool has_credit(const struct pause *p)
{
	return p->credit > 1 - 1e-6;
}

bool pause_take(struct pause *p, uint32_t n, ns_t now)
{
	switch (pause_look(p, now)) {
	case PAUSE_OPEN:
		return true;
	case PAUSE_SHUT:
		return false;
	case PAUSE_PROBE:
		if (p->since)
			return false;
		p->since = now;
		return true;
	case PAUSE_RAMP:
		earn(p, now);
		if (!has_credit(p))
			return false;
		p->credit -= n;
		return true;
	}
	NEVER_HERE();
}

bool pause_take_again(struct pause *p, ns_t now)
{
	const enum pause_state state = pause_look(p, now);
	if (state == PAUSE_PROBE && !p->since)
		p->since = now;
	return state != PAUSE_SHUT;
}

void pause_untake(struct pause *p, uint32_t n, ns_t taken_at)
{
	if (p->state == PAUSE_PROBE && taken_at == p->since)
		p->since = 0;
	else if (p->state == PAUSE_RAMP && taken_at >= p->since)
		p->credit += n;
}

ns_t pause_next(struct pause *p, ns_t now)
{
	switch (pause_look(p, now)) {
	case PAUSE_OPEN:
		return NS_NEVER;
	case PAUSE_SHUT:
		return p->until;
	case PAUSE_PROBE:
		return p->since ? ns_add(p->since, PAUSE_PROBE_FOR) : NS_NEVER;
	case PAUSE_RAMP:
		earn(p, now);
		if (has_credit(p))
			return NS_NEVER;
		return pause_start(p, 0, now);
	}
	NEVER_HERE();
}

/* When so many calls' worth of a ramp that begins then has gone. */
static ns_t start_in_ramp(const struct pause *p, ns_t begin, double calls)
{
	return ns_add(begin, ns_min(span_of(p, fmax(0, calls)), PAUSE_RAMP_FOR));
}

ns_t pause_start(struct pause *p, uint64_t ahead, ns_t now)
{
	const enum pause_state state = pause_look(p, now);
	const bool probe_due = state == PAUSE_SHUT || (state == PAUSE_PROBE && !p->since);
	const ns_t begin = state == PAUSE_SHUT ? p->until : now;
	if (state == PAUSE_OPEN)
		return now;
	if (probe_due) /* it goes first, then one with the ramp's begin */
		return ahead == 0 ? begin : start_in_ramp(p, begin, (double)ahead - 1);
	if (state == PAUSE_PROBE)
		return start_in_ramp(p, begin, (double)ahead);
	earn(p, now);
	const double gone = calls_within(p, now - p->since) - p->credit;
	return ns_max(now, start_in_ramp(p, p->since, gone + 1 + (double)ahead));
}

const char *pause_state_label(enum pause_state state)
{
	switch (state) {
	case PAUSE_OPEN:
		return "open";
	case PAUSE_SHUT:
		return "shut";
	case PAUSE_PROBE:
		return "probe";
	case PAUSE_RAMP:
		return "ramp";
	}
	NEVER_HERE();
}

#include "flow/hangup.h"

#include "base/rng.h"

/* Of the limit, at most a sixteenth is under watch at once, and no more than this. */
#define WATCHED_MAX 4
#define WATCHED_SHARE 16

void hangup_init(struct hangup *h, uint64_t seed)
{
	*h = (struct hangup){ .seed = seed, .pause = HANGUP_PAUSE, .trust = 1 };
}

/* --- trials --- */

static uint32_t watched_max(uint32_t limit)
{
	uint32_t share = limit / WATCHED_SHARE;
	if (share < 1)
		return 1;
	return share < WATCHED_MAX ? share : WATCHED_MAX;
}

static void end_doubts(struct hangup *h, ns_t now)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < h->doubt_count; i++)
		if (h->doubts[i] > now)
			h->doubts[kept++] = h->doubts[i];
	if (kept < h->doubt_count && h->proved && h->trust < HANGUP_TRUST_MAX) {
		h->trust *= 2;
		h->proved = false;
	}
	h->doubt_count = kept;
}

static bool is_too_often(struct hangup *h, ns_t now)
{
	if (now - h->second >= NS_S) {
		h->second = now;
		h->in_second = 0;
	}
	return h->in_second >= HANGUP_RATE_MAX;
}

static enum hangup_arm ask_trusting(struct hangup *h, ns_t until, ns_t now)
{
	end_doubts(h, now);
	bool sure = h->trust >= HANGUP_TRUST_MAX;
	bool room = h->doubt_count < h->trust && h->doubt_count < HANGUP_TRUST_MAX;
	if (is_too_often(h, now) || !(sure || (until && room)))
		return HANGUP_OUT;
	if (until && room)
		h->doubts[h->doubt_count++] = until;
	h->in_second++;
	return HANGUP_TRUSTED;
}

enum hangup_arm hangup_ask(struct hangup *h, uint32_t limit, ns_t until, ns_t now)
{
	if (h->frees)
		return ask_trusting(h, until, now);
	if (!until || now < h->next_at || h->watched >= watched_max(limit))
		return HANGUP_OUT;
	h->watched++;
	return rng_mix(h->seed, h->lots++) & 1 ? HANGUP_TRIED : HANGUP_LEFT;
}

double hangup_chance(const struct hangup *h)
{
	uint32_t soon = h->tried.soon + h->left.soon;
	uint32_t all = soon + h->tried.late + h->left.late;
	double p = 1;
	if (h->tried.late)
		return 1;
	/* All of the tried are among those that ended soon. */
	for (uint32_t i = 0; i < h->tried.soon; i++)
		p *= (double)(soon - i) / (double)(all - i);
	return p;
}

static void believe(struct hangup *h, bool frees, enum hangup_cause cause, ns_t now)
{
	h->changes += h->frees != frees;
	h->frees = frees;
	h->cause = cause;
	h->since = now;
}

/* They do not free slots, it seems, or not all of them: trials begin anew, later. */
static bool disappoint(struct hangup *h, enum hangup_cause cause, ns_t now)
{
	bool believed = h->frees;
	if (believed && now - h->since >= HANGUP_PAUSE_MAX)
		h->pause = HANGUP_PAUSE; /* it was true for long */
	believe(h, false, cause, now);
	h->tried = h->left = (struct hangup_count){ 0, 0 };
	h->trust = 1;
	if (cause == HANGUP_BY_REFUSAL)
		h->pause = HANGUP_PAUSE_MAX;
	h->next_at = now + h->pause;
	h->pause = ns_min(2 * h->pause, HANGUP_PAUSE_MAX);
	return believed;
}

static void count(struct hangup_count *c, bool soon)
{
	if (soon)
		c->soon++;
	else
		c->late++;
}

static bool trial_ended(struct hangup *h, enum hangup_arm arm, bool soon, ns_t now)
{
	CHECK(h->watched > 0);
	h->watched--;
	if (h->frees || now < h->next_at)
		return false; /* from before */
	count(arm == HANGUP_TRIED ? &h->tried : &h->left, soon);
	if (h->tried.late)
		return disappoint(h, HANGUP_BY_LATE, now);
	if (hangup_chance(h) > HANGUP_CHANCE)
		return false;
	believe(h, true, HANGUP_BY_TRIAL, now);
	return true;
}

bool hangup_ended(struct hangup *h, enum hangup_arm arm, bool soon, ns_t now)
{
	switch (arm) {
	case HANGUP_OUT:
		break;
	case HANGUP_LEFT:
	case HANGUP_TRIED:
		return trial_ended(h, arm, soon, now);
	case HANGUP_TRUSTED:
		return h->frees && !soon && disappoint(h, HANGUP_BY_LATE, now);
	}
	return false;
}

void hangup_forget(struct hangup *h, enum hangup_arm arm)
{
	if (arm != HANGUP_LEFT && arm != HANGUP_TRIED)
		return;
	CHECK(h->watched > 0);
	h->watched--;
}

/* --- trust --- */

void hangup_note_served(struct hangup *h)
{
	h->proved |= h->doubt_count > 0;
}

bool hangup_note_refused(struct hangup *h, ns_t now)
{
	end_doubts(h, now);
	h->owed = h->doubt_count ? h->doubt_count : 1;
	h->owed_until = hangup_natural_end(h, now, now);
	if (!h->doubt_count)
		return false;
	for (uint32_t i = 0; i < h->doubt_count; i++)
		h->owed_until = ns_max(h->owed_until, h->doubts[i]);
	h->doubt_count = 0;
	return disappoint(h, HANGUP_BY_REFUSAL, now);
}

bool hangup_owes(struct hangup *h, ns_t now, ns_t *until)
{
	if (!h->owed || now >= h->owed_until) {
		h->owed = 0;
		return false;
	}
	h->owed--;
	*until = h->owed_until;
	return true;
}

/* --- how long it may hold a slot --- */

void hangup_note_took(struct hangup *h, ns_t took, ns_t now)
{
	longest_note(&h->longest, took, now);
}

ns_t hangup_longest(const struct hangup *h)
{
	return longest_of(&h->longest);
}

ns_t hangup_natural_end(const struct hangup *h, ns_t sent_at, ns_t now)
{
	ns_t at = ns_add(sent_at, HANGUP_MARGIN * hangup_longest(h));
	return at > now ? at : 0;
}

/* --- in words --- */

static void add_trials(const struct hangup *h, struct text *t)
{
	const struct hangup_count *a = &h->tried, *b = &h->left;
	text_addf(t,
		"%u of %u calls hung up on ended within %d ms, and %u of %u that were not",
		a->soon, a->soon + a->late, (int)(HANGUP_SOON / NS_MS), b->soon,
		b->soon + b->late);
}

void hangup_because(const struct hangup *h, struct text *t)
{
	switch (h->cause) {
	case HANGUP_BY_NOTHING:
		break;
	case HANGUP_BY_TRIAL:
		add_trials(h, t);
		text_addf(t, ": chance alone does that once in %.0f times",
			1 / hangup_chance(h));
		return;
	case HANGUP_BY_LATE:
		text_addf(t, "a call hung up on had not ended after %d ms",
			(int)(HANGUP_SOON / NS_MS));
		break;
	case HANGUP_BY_REFUSAL:
		text_addf(t, "the server refused a call below the limit when slots of "
			     "calls hung up on had been used again");
		break;
	}
	if (h->cause != HANGUP_BY_NOTHING && !h->tried.soon && !h->left.soon)
		return;
	if (h->cause != HANGUP_BY_NOTHING)
		text_addf(t, "; since then ");
	if (h->tried.soon + h->left.soon + h->left.late)
		add_trials(h, t);
	else
		text_addf(t, "no call was hung up on yet");
}

#include "flow/wall.h"

#include <math.h>

#define REGROWN 0.9  /* of what was before: as good as all of it */
#define TOKENS_MAX 1 /* trials not made are not saved up for a wall that moves */
#define DEBT_MAX 8
#define CALM_FOR NS_S
#define DEEPEST 8 /* a cut of one in so many: half of that is overshot on average */
#define DEEP 4    /* so many times more was let in before: a brown-out */
/* By then a series has mostly ended: the next of its refusals comes sooner. */
#define TRY_FIRST (500 * NS_MS)
#define TAKEN_AFTER (50 * NS_MS) /* while nothing was ever refused */
#define TAKEN_AFTER_MIN (20 * NS_MS)
#define REFUSED_AFTER_MAX NS_S /* longer ones waited for a server that was stopped */

void wall_init(struct wall *w)
{
	*w = (struct wall){ .ceiling = WALL_NO_CEILING };
}

void wall_sent(struct wall *w)
{
	w->tokens = fmin(w->tokens + 1.0 / WALL_CALLS_A_TRY, TOKENS_MAX);
	w->rested += w->rested < WALL_CALLS_STANDING;
}

bool wall_is_regrown(const struct wall *w, double stand)
{
	return stand >= REGROWN * w->former;
}

static bool is_deep(const struct wall *w, double stand)
{
	return DEEP * stand < w->former;
}

static ns_t moved_for(const struct wall *w, double stand)
{
	return is_deep(w, stand) ? WALL_DEEP_FOR : WALL_MOVED_FOR;
}

bool wall_may_return(const struct wall *w, double stand, ns_t now)
{
	return !wall_is_regrown(w, stand) && now - w->moved_at < moved_for(w, stand);
}

/* No cut, and no more than the limit at the server. */
static bool has_kept(const struct wall *w, ns_t for_ns, ns_t now)
{
	return now - ns_max(w->cut_at, w->over_at) > for_ns;
}

static bool is_calm(const struct wall *w, ns_t now)
{
	return !w->cut_at || has_kept(w, CALM_FOR, now);
}

/* How much less than what the server has of us. */
static double series_goes_on(struct wall *w, double took)
{
	double less = fmin(w->deeper, fmax(1, floor(took / DEEPEST)));
	w->deeper = w->deeper ? 2 * w->deeper : 1;
	return fmin(less, took);
}

double wall_cut(
	struct wall *w, ns_t now, double stand, const struct wall_refusal *refusal)
{
	bool first = !w->moved_at, later = refusal->sent_at >= w->cut_at;
	double left = (double)refusal->level - 1;
	if (is_calm(w, now)) {
		if (wall_is_regrown(w, stand))
			w->former = stand;
		w->deeper = 0;
	}
	if (later) {
		left -= series_goes_on(w, left);
		w->cut_at = now;
		w->unasked = refusal->cause == WALL_UNASKED;
	}
	left = fmin(left, stand);
	bool asked = refusal->cause != WALL_UNASKED;
	if (first || (!asked && !wall_is_regrown(w, left))) {
		w->moved_at = now;
		w->gap = TRY_FIRST;
	}
	if (is_deep(w, left))
		w->restless_until = now + WALL_RESTLESS_FOR;
	return left;
}

static bool is_same_place(const struct wall *w, double took)
{
	double from = fmin(w->place, took), to = fmax(w->place, took);
	return to - from <= 1 || from >= REGROWN * to;
}

/* A call refused for no reason of ours may be chance, or the first of many: one trial tells. */
static void place_note(struct wall *w, ns_t now, enum wall_cause cause)
{
	if (!is_same_place(w, w->took)) {
		if (w->tried)
			w->restless_until = now + WALL_RESTLESS_FOR;
		w->place = w->took;
		w->tried = false;
	} else if (cause == WALL_BY_TRIAL) {
		w->tried = true;
		w->doubted = false;
	} else if (cause == WALL_UNASKED) {
		w->doubted = true;
	}
}

void wall_note_refused(struct wall *w, ns_t now, const struct wall_refusal *refusal)
{
	w->ceiling = fmin(w->ceiling, (double)refusal->level - 1);
	w->took = (uint32_t)w->ceiling;
	place_note(w, now, refusal->cause);
	ns_t after = ns_min(now - refusal->sent_at, REFUSED_AFTER_MAX);
	w->refused_after = ns_max(after, w->refused_after * 7 / 8);
	if (now - w->moved_at >= moved_for(w, (double)refusal->level - 1))
		w->tokens = fmax(w->tokens - 1, -DEBT_MAX);
}

void wall_passed(struct wall *w, double level)
{
	w->deeper = 0;
	w->unasked = false;
	if (level > w->ceiling)
		w->ceiling = WALL_NO_CEILING;
}

bool wall_falls(const struct wall *w, ns_t now)
{
	return w->unasked && !has_kept(w, TRY_FIRST, now);
}

void wall_held(struct wall *w, ns_t now)
{
	w->unasked = wall_falls(w, now);
}

void wall_doubt(struct wall *w)
{
	w->doubted = true;
}

bool wall_stands(const struct wall *w, ns_t now)
{
	return w->tried && !w->doubted && now >= w->restless_until;
}

ns_t wall_wait(struct wall *w, double stand, ns_t now)
{
	w->rested = 0;
	ns_t gap = is_deep(w, stand) ? TRY_FIRST : w->gap;
	w->gap = ns_min(2 * gap, WALL_TRY_EACH);
	if (wall_may_return(w, stand, now))
		return gap;
	return w->tried ? WALL_TRY_EACH : WALL_TRY_NEW;
}

bool wall_may_try(const struct wall *w, double stand, ns_t now)
{
	bool rested = !wall_stands(w, now) || w->rested >= WALL_CALLS_STANDING;
	return (w->tokens >= 1 && rested) || wall_may_return(w, stand, now);
}

ns_t wall_taken_after(const struct wall *w)
{
	return w->refused_after ? ns_max(TAKEN_AFTER_MIN, 3 * w->refused_after)
				: TAKEN_AFTER;
}

/*
 * wall: what refusals tell of how many calls a server takes at once, and when to try one more.
 * Pure.
 *
 * MODEL   A refusal says that the server takes no more than it has of us. While calls that it
 *         took before still fill it, each further one is refused: a series, which is one piece
 *         of news. It ends when the limit has been kept, and nothing refused, for a second, or
 *         a trial was taken. In a series each cut goes deeper by twice as much as the one
 *         before, but never by more than an eighth: so few are refused, and the limit ends
 *         little below the wall. What was refused last is a ceiling: below it the limit may
 *         climb fast, above it goes one call alone, the trial. A trial that is taken does away
 *         with the ceiling. The wall has MOVED when it is met for the first time, and when a
 *         call is refused that was no trial and the limit falls by more than a tenth.
 * RULES   1. A wall that is lifted is seen within WALL_TRY_EACH, while callers wait, by a server
 *            that gets WALL_CALLS_A_TRY calls in that time or more; of others, by so many calls.
 *         2. Refusals by trial are at most one in WALL_CALLS_A_TRY of the calls sent, but for the
 *            WALL_MOVED_FOR after it moved; the WALL_DEEP_FOR where it fell to less than a quarter.
 * COST    O(1).
 */
#ifndef WEIR_FLOW_WALL_H
#define WEIR_FLOW_WALL_H

#include "base/base.h"

/* A change is to be followed within 5 s, of which growing to twice as much needs 0.5 s. */
#define WALL_TRY_EACH (4 * NS_S)
/* A trial costs a refusal and, where the server counts connections, a connect: so 0.45 % of the
 * calls at most, and less than one in 1,000 of a server that does 250 a second or more. Of one
 * that does 55 or more it is one each WALL_TRY_EACH. */
#define WALL_CALLS_A_TRY 220
#define WALL_MOVED_FOR (5 * NS_S)
/* A wall that fell to less than a quarter is a brown-out, which ends as it came: so it is tried
 * twice a second, for so long, that good service is back within a second. */
#define WALL_DEEP_FOR (60 * NS_S)
#define WALL_NO_CEILING 1e18

struct wall {
	uint32_t took;   /* calls that it had of us, last refusal; 0: none yet */
	double former;   /* the limit before it came down */
	double ceiling;  /* more was refused */
	ns_t cut_at;     /* 0: never */
	ns_t over_at;    /* more than the limit was at the server, from before the cut */
	uint32_t deeper; /* than what the server has: the next cut of the series */
	ns_t moved_at;   /* 0: never met */
	double tokens;   /* refusals we may cause */
	ns_t refused_after; /* how long a refusal takes to reach us */
	ns_t gap;           /* until the next trial, after it moved */
};

void wall_init(struct wall *w);
/* A call is sent. */
void wall_sent(struct wall *w);
/* The level'th call, sent then, was refused, and no call is known to be taken above that. */
struct wall_refusal {
	ns_t sent_at;
	uint32_t level;
	bool asked; /* by growth or a trial of ours */
};
/* The limit from now on, of one that stands at `stand`: no more than that. */
double wall_cut(
	struct wall *w, ns_t now, double stand, const struct wall_refusal *refusal);
/* What any refusal tells, whether it cuts or not; behind wall_cut. */
void wall_note_refused(struct wall *w, ns_t now, const struct wall_refusal *refusal);
/* A trial, or what is as good as one, was taken. */
void wall_passed(struct wall *w, double level);
/* It came down by much, and not long ago: so it may soon be back. */
bool wall_may_return(const struct wall *w, double stand, ns_t now);
/* How long until the next trial. */
ns_t wall_wait(struct wall *w, double stand, ns_t now);
/* A trial may be refused. */
bool wall_may_try(const struct wall *w, double stand, ns_t now);
/* A call that was not refused after so long was taken. */
ns_t wall_taken_after(const struct wall *w);
/* Below a limit that held before, and not above what was refused since. */
bool wall_is_regrown(const struct wall *w, double stand);

#endif

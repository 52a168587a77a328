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
 *         with the ceiling. The wall FALLS from a call refused that was no trial until the limit has
 *         been kept for as long as the next refusal of its series mostly takes, or a trial was
 *         taken: what ends meanwhile may be one more that is not replaced.
 *         The wall has MOVED when it is met for the first time, and when a
 *         call is refused that was no trial and the limit falls by more than a tenth.
 *         It STANDS once a trial was refused where it was met, give or take a tenth, and since
 *         then no call but trials, nor was the server gone; but not in the WALL_RESTLESS_FOR after
 *         it left a place where a trial had been refused, or fell to less than a quarter.
 * RULES   1. A wall that is lifted is seen within WALL_TRY_EACH, while callers wait, or by so
 *            many calls as a trial takes, where that is longer: WALL_CALLS_A_TRY, and
 *            WALL_CALLS_STANDING of one that stands.
 *         2. Refusals by trial are at most one in so many calls sent, but for the
 *            WALL_MOVED_FOR after it moved; the WALL_DEEP_FOR where it fell to less than a quarter.
 * COST    O(1).
 */
#ifndef WEIR_FLOW_WALL_H
#define WEIR_FLOW_WALL_H

#include "base/base.h"

/* A change is to be followed within 5 s, of which growing to twice as much needs 0.5 s. */
#define WALL_TRY_EACH (4 * NS_S)
/* Where it has not been tried yet: whether it stands there is known by 5 s after the start. */
#define WALL_TRY_NEW (3 * NS_S)
/* A trial costs a refusal and, where the server counts connections, a connect: so 0.45 % of the
 * calls at most. Of a server that does 55 a second or more it is one each WALL_TRY_EACH. */
#define WALL_CALLS_A_TRY 220
/* Less than one connect in 1,000 calls, with room for those that age brings. From 275 a second on
 * that is still a trial each WALL_TRY_EACH; at 60 a second it is one in 18 s. */
#define WALL_CALLS_STANDING 1100
/* What has moved, by a tenant who came or a server that was replaced, is likely to move back, or
 * again. One that moves more rarely is seen some 7 s later at 60 calls a second, on average of all
 * instants at which it may be lifted: by a fortieth of the time that it stands. */
#define WALL_RESTLESS_FOR (300 * NS_S)
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
	bool unasked;    /* that was by a call that was no trial, and it may still fall */
	ns_t over_at;    /* more than the limit was at the server, from before the cut */
	uint32_t deeper; /* than what the server has: the next cut of the series */
	ns_t moved_at;   /* 0: never met */
	double place;    /* what it took, give or take */
	bool tried;      /* a trial was refused there */
	bool doubted;    /* and then a call that was none; or the server was gone */
	uint32_t rested; /* calls sent since the last trial, or cut */
	ns_t restless_until;
	double tokens;      /* refusals we may cause */
	ns_t refused_after; /* how long a refusal takes to reach us */
	ns_t gap;           /* until the next trial, after it moved */
};

void wall_init(struct wall *w);
/* A call is sent. */
void wall_sent(struct wall *w);
/* Why so many were at the server. */
enum wall_cause { WALL_UNASKED, WALL_BY_GROWTH, WALL_BY_TRIAL };
/* The level'th call, sent then, was refused, and no call is known to be taken above that. */
struct wall_refusal {
	ns_t sent_at;
	uint32_t level;
	enum wall_cause cause;
};
/* The limit from now on, of one that stands at `stand`: no more than that. */
double wall_cut(
	struct wall *w, ns_t now, double stand, const struct wall_refusal *refusal);
/* What any refusal tells, whether it cuts or not; behind wall_cut. */
void wall_note_refused(struct wall *w, ns_t now, const struct wall_refusal *refusal);
/* A trial, or what is as good as one, was taken. */
void wall_passed(struct wall *w, double level);
/* A trial was refused: what it leaves behind at the server is no more than was asked for. */
void wall_held(struct wall *w, ns_t now);
/* Most calls fail: the server may come back as another. One trial tells. */
void wall_doubt(struct wall *w);
/* It came down by much, and not long ago: so it may soon be back. */
bool wall_may_return(const struct wall *w, double stand, ns_t now);
/* It is still where a trial found it, and has not moved for long. */
bool wall_stands(const struct wall *w, ns_t now);
/* What comes free tells nothing of what will. */
bool wall_falls(const struct wall *w, ns_t now);
/* A trial was refused, or the limit was cut: how long until the next trial. */
ns_t wall_wait(struct wall *w, double stand, ns_t now);
/* A trial may be refused. */
bool wall_may_try(const struct wall *w, double stand, ns_t now);
/* A call that was not refused after so long was taken. */
ns_t wall_taken_after(const struct wall *w);
/* Below a limit that held before, and not above what was refused since. */
bool wall_is_regrown(const struct wall *w, double stand);

#endif

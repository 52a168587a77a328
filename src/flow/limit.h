/*
 * limit: how many calls a server can take at once, found out by using it. Pure.
 *
 * MODEL   Two things bound a server: the wall, above which it refuses, and the knee, above
 *         which calls only wait inside it. SEARCH: neither is met; the limit grows. WALL: it
 *         stands at the wall, and tries one more now and then. KNEE: it stands a little above
 *         the knee, and makes a step up now and then to see what that gains (flow/gain.h),
 *         rarely while nothing changes (flow/steady.h).
 *         BROWN_OUT: the server refuses every call, so one is let through now and then; or it
 *         answers none, so nothing can be learned and the limit stands still.
 * RULES   1. Growth is by time, not by answer: slow answers do not slow the search. It needs
 *            the limit to be what binds: reached, with callers waiting.
 *         2. A refusal cuts to what was at the server without the refused call, or somewhat
 *            deeper if it is one of several (flow/wall.h). Calls sent before the cut was in
 *            force cut no deeper than that.
 *         3. It is never lowered to learn something, and never for slowness: only by a
 *            refusal, by a step up that gained nothing, or to the connections that are
 *            answered, where more of them stall. What a step that gained nothing took is given
 *            back where calls then take as long as before: there was no queue, and the server is
 *            slower than where its time was learned (gain_judge_less).
 *         4. A refused or failed call says nothing about the server's speed: neither its time
 *            nor its end counts as an answer. While more calls fail than are answered, there
 *            is no growth.
 *         5. Trying above a wall costs a refusal: at most one for each WALL_CALLS_A_TRY calls
 *            sent, and one for each WALL_CALLS_STANDING of a wall that has long been in its place;
 *            but for the 5 s after it moved, or the minute where it fell to less than a quarter
 *            (flow/wall.h).
 *         6. Below a limit that held before a cut, and not above what was refused since, growth
 *            is fast; above, and where nothing is known, it doubles in twice the time that an
 *            answer usually takes, from 100 ms to 300 ms: within the time of an answer (of up
 *            to 150 ms), which is more than a refusal takes, it grows by less than a half.
 *         7. Where connections above the wall stall, the limit goes up by one for each that is
 *            answered above it: one at a time, and one more for each eight answered in a row. One
 *            that is not ends that, until the next trial: STALL_TRY_EACH, and twice as long each
 *            time it fails, up to four times.
 *         8. A step up lets in half as many calls more as there are: now and then while the knee
 *            stands. Where the queue inside the server cannot be told from noise, more workers
 *            show in a step alone: so there is one each 3 s, or a change would not be followed
 *            within 5 s. What a step opened may be kept for the next, idle: limit_keeps.
 *         9. A server that refuses all is asked five times a second; one that has never
 *            answered is not sent ever more for longer than 5 s. One that owes answers
 *            (flow/silence.h), as while it is stopped, is sent no more than before, while
 *            it is searched sixteen calls more: the limit stands; and no trial at a wall is taken
 *            to have passed before one has come, unless the wall came down lately and none is due.
 *         10. Times may be of several threads' clocks, a little behind each other.
 * OWNS    nothing; a mark is the caller's, one a call, from limit_sent to limit_ended.
 * COST    about 7 KiB a server; O(1) a call.
 */
#ifndef WEIR_FLOW_LIMIT_H
#define WEIR_FLOW_LIMIT_H

#include "flow/gain.h"
#include "flow/silence.h"
#include "flow/stall.h"
#include "flow/steady.h"
#include "flow/wall.h"

enum limit_state { LIMIT_SEARCH, LIMIT_WALL, LIMIT_KNEE, LIMIT_BROWN_OUT };

enum limit_end {
	LIMIT_ANSWERED, /* by the server's own work; however late, and whoever still waited */
	LIMIT_REFUSED, /* recognised (flow/refusal.h) */
	LIMIT_FAILED,  /* no answer, or one that shows no work: connect, reset, 5xx */
	LIMIT_CUT_OFF, /* the same, of a new connection that ended without a word; as FAILED */
	LIMIT_UNSENT, /* the server never had it */
	LIMIT_LEFT,   /* we hung up: nobody will know how long it took */
};

/* Why the limit is what it is. */
enum limit_cause {
	LIMIT_BY_START,   /* it has not been met yet */
	LIMIT_BY_DEMAND,  /* grew while callers waited */
	LIMIT_BY_MAX,     /* the user's bound */
	LIMIT_BY_REFUSAL, /* the server refused a call: see refused_at_level */
	LIMIT_BY_QUEUE,   /* a step up gained nothing: see before, after */
	LIMIT_BY_STALL,   /* connections above it are never answered (flow/stall.h) */
	LIMIT_BY_SILENCE, /* calls run and none is answered */
};

struct limit_mark {
	ns_t sent_at;
	uint32_t level; /* at the server as it was sent, itself included */
	uint32_t step;  /* 0: of none */
	bool tries;     /* more than the server is known to take: it may well refuse */
	ns_t opened_at; /* the app's: when a connection of its own was there; 0: not yet, or on
			   one that was there before */
	struct stall_mark stall; /* the app's */
};

/* A trial costs one caller his answer, unless his call can be sent twice. */
#define STALL_TRY_EACH (8 * NS_S)

#define LIMIT_STEPS 8 /* that have ended and whose time is still to come */

struct limit {
	enum limit_state state;
	enum limit_cause cause;
	uint32_t max;
	uint32_t now;  /* the limit in force */
	uint32_t need; /* limit_need */
	double stand;  /* where it stands, a step or probe above it aside */
	ns_t looked_at;
	uint32_t level_peak; /* since then */
	bool bound;          /* then: the limit was reached and callers waited */
	bool quiet;          /* then: answers are owed, so nothing more is tried */
	bool silent;         /* then: BROWN_OUT by silence; state is what it was before */
	ns_t growing_since;  /* after a wall growth starts gently; 0: from the start */

	struct wall wall;
	ns_t probe_at;      /* WALL, KNEE, BROWN_OUT: the next one */
	ns_t probe_sent_at; /* WALL, BROWN_OUT: 0: not yet */
	bool probing;
	uint32_t climbed;     /* BY_STALL: trials answered in a row */
	uint32_t failed;      /* BY_STALL: trials that stalled in a row */
	double stalled_above; /* BY_STALL: where that was found */

	/* knee */
	double knee;                  /* 0: none yet */
	double probe_level, probe_up; /* KNEE: while it probes; how much more that is */
	double keeps;                 /* KNEE: the most that it has probed */
	uint32_t probe_step;          /* id of the step whose gain decides; 0: none */
	uint32_t step_ids;
	ns_t probe_began_at;
	struct steady steady;      /* how often it is tried */
	struct gain_fact before;   /* what a step is judged against */
	struct gain_fact clear;    /* the quickest of those: no queue, or the least */
	struct gain_fact lowered;  /* it came down from there for a queue; at 0: no */
	struct gain_fact shown[2]; /* the two steps that showed the knee */
	struct gain_step step;     /* what is sent now */
	struct gain_step ended[LIMIT_STEPS];
	uint32_t ended_first, ended_count;

	/* health */
	uint64_t answered;
	ns_t answered_at;
	struct silence silence;
	double recent_ok, recent_failed;
	ns_t recent_at;

	/* for the report */
	ns_t since; /* state and cause */
	uint32_t refused_at_level;
	uint64_t refused;
};

void limit_init(struct limit *l, uint32_t max, ns_t now);
void limit_set_max(struct limit *l, uint32_t max);
/*
 * The limit in force from now on. To be asked whenever a slot was freed or a caller has come
 * to wait, and at limit_next: `level` calls are at the server, and somebody waits or not.
 * It may be 0.
 */
uint32_t limit_look(struct limit *l, ns_t now, uint32_t level, bool waiting);
/* Who is the first to wait needs so many at once: a trial at the wall lets in that many at least, for
 * fewer would never be used. For the looks to come; 0: one, or nobody waits. */
void limit_need(struct limit *l, uint32_t need);
/*
 * So many connections the server has taken at once in a step up, of which those above the limit may
 * be kept, idle, so that the next step opens none; 0: none may. Only at a KNEE: a server that queues
 * has more slots than it can use, one that refuses has not.
 */
uint32_t limit_keeps(const struct limit *l);
/* When it must be asked even if nothing happens; NS_NEVER: not before something does. */
ns_t limit_next(const struct limit *l);
/* The limit would double in so long, if callers waited all the while; NS_NEVER: it stands. */
ns_t limit_doubles_in(const struct limit *l);
/* A call is sent; `level` counts it; `waiting`: others wait still. Fills the mark. */
void limit_sent(
	struct limit *l, ns_t now, uint32_t level, bool waiting, struct limit_mark *mark);
void limit_ended(
	struct limit *l, ns_t now, const struct limit_mark *mark, enum limit_end how);
/* New connections stall: one trial, or a row of them where the server takes `took`. */
void limit_stalled(struct limit *l, ns_t now, bool trial, uint32_t took);
/* It stands where it was found so; what goes above is a trial. */
bool limit_is_stalled(const struct limit *l);
/* A trial has ended without an answer, before it was found to stall. Of several that were open at
 * once the first one counts. */
void limit_trial_over(struct limit *l, ns_t now);
/* A new connection has been answered, of `proven`; trial: it was one. */
void limit_heard(struct limit *l, ns_t now, bool trial, uint32_t proven);
enum limit_state limit_state(const struct limit *l);
const char *limit_state_label(enum limit_state state);
/* It came down because calls were refused, and what was taken is not slow: so lately that more
 * may be at the server than the limit is, and no trial is due yet; or nothing else is answered. Or
 * because connections stalled: those that were answered are what it has. */
bool limit_is_cut(const struct limit *l, ns_t now);
/* It has come down because calls were refused, and may have further to go (flow/wall.h). */
bool limit_falls(const struct limit *l, ns_t now);
/* Why the limit is what it is, in a few words. */
const char *limit_because(const struct limit *l);

#endif

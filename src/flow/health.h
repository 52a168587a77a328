/*
 * health: which of several endpoints of one API are left out for a while, by how the calls sent to
 * them ended. Pure.
 *
 * MODEL   IN: has its share of the calls. OUT, until a time: none. Then TRIAL: one call at a time
 *         is sent there; the first that goes well brings it back in, one that fails puts it out for
 *         twice as long, up to HEALTH_OUT_MOST. An endpoint that was in for as long as it had been
 *         out begins anew.
 *         It is put out when HEALTH_IN_A_ROW calls in a row have failed there; when nobody listens
 *         there, which one failed connect tells; or when its calls fail more often than those to
 *         the others by more than chance explains: the difference of the two shares is above
 *         HEALTH_WORSE, and four standard deviations of it (four, for each failure is an
 *         occasion to be wrong). And when it asks for it itself.
 * RULES   1. No more than a share of all are out at once, rounded down, but for those that
 *            have asked for it: the last one standing is never put out.
 *         2. None is put out unless another one that is in does better: what befalls all of
 *            them is no fault of one.
 *         3. What a call met that was sent before its endpoint was put out tells nothing new.
 * CONTEXT `now` may be a little behind what was said before: another thread's clock of a turn.
 */
#ifndef WEIR_FLOW_HEALTH_H
#define WEIR_FLOW_HEALTH_H

#include "base/base.h"

#define HEALTH_IN_A_ROW 5
#define HEALTH_OUT_FOR (10 * NS_S) /* the first time */
#define HEALTH_OUT_MOST (300 * NS_S)
#define HEALTH_JITTER 0.1  /* longer by up to so much: several weirs do not try at once */
#define HEALTH_SAMPLE 20.0 /* calls of late, before shares are compared */
#define HEALTH_WORSE 0.1   /* share of calls that fail, above that of the others */
#define HEALTH_HALF (10 * NS_S)      /* how fast what happened is forgotten */
#define HEALTH_TRIAL_FOR (10 * NS_S) /* a trial without an end is none after so long */

enum health_state { HEALTH_IN, HEALTH_OUT, HEALTH_TRIAL };

enum health_why {
	HEALTH_WELL,
	HEALTH_UNREACHABLE, /* nobody listens there */
	HEALTH_FAILS,       /* several calls in a row */
	HEALTH_OUTLIER,     /* more often than the others */
	HEALTH_ASKED,       /* it said so */
};

struct health {
	enum health_state state;
	enum health_why why; /* it was put out last */
	uint32_t in_a_row;   /* failures */
	uint32_t times;   /* put out again, without having been well for long between */
	uint64_t out;     /* put out so far */
	double good, bad; /* calls of late, as of `at` */
	ns_t at;
	ns_t since;   /* IN: came back; OUT: was put out; TRIAL: the trial began */
	ns_t until;   /* OUT */
	ns_t out_for; /* the last time */
};

enum health_sign { HEALTH_GOOD, HEALTH_BAD, HEALTH_GONE /* a connect that failed */ };

/* All of one API, this one among them. */
struct health_set {
	struct health *all[16];
	uint32_t n;
	double share; /* of them that may be out at once: 0 to 1 */
};

void health_init(struct health *h, ns_t now);
/* A call to `h` has ended; sent_at: when it began. `unit`: a draw of [0, 1). True: it has been
 * put out, or has come back. */
bool health_note(const struct health_set *set, struct health *h, enum health_sign sign,
	ns_t sent_at, double unit, ns_t now);
/* It wants no calls until then. */
void health_ask(struct health *h, ns_t until, ns_t now);
/* It is out, its time is over, and nobody is trying it. */
bool health_is_due(const struct health *h, ns_t now);
/* It is out as it asked for that. */
static inline bool health_is_asked(const struct health *h)
{
	return h->state == HEALTH_OUT && h->why == HEALTH_ASKED;
}
/* A call goes there to try it. */
void health_try(struct health *h, ns_t now);
const char *health_state_label(enum health_state state); /* "in" "out" "trial" */
const char *health_why_text(enum health_why why);

#endif

/*
 * chance: how likely a call is to be over within a time, from what calls took lately. Pure.
 *
 * MODEL   The product-limit estimator (Kaplan and Meier, 1958) over spans that grow with the
 *         duration. Of each span is known how many calls came to its begin and how many were
 *         over inside it. Calls that still run have come so far: a server that falls silent
 *         shows before any of them ends. Evidence fades by half each half-life. Past the age of
 *         the oldest call nothing is known: there the tail is taken to be a heavy one.
 *         Fading is slow where a server turns slow at once. So what was learned is put to the
 *         test: calls begun since the last one that has ended was, all of them still at work, are
 *         by it as unlikely as the product of their chances of lasting so long. Below
 *         CHANCE_REFUTED it is wrong by now, and counts for a hundredth. From CHANCE_IN_QUESTION on
 *         it is not to be relied upon, until a call has ended that was begun since.
 *         How many come free is less sure the more calls differ, if each is drawn by itself. Where
 *         they take turns (every fifth is a long one) it is surer by far. So it is tried: each
 *         time that some calls have ended, how many did is set against what their chances, summed
 *         over all that were at work, had said (the compensator of a counting process; Aalen,
 *         1978). The mean square of the differences over their variance is `scatter`: 1 of calls
 *         that are drawn, next to 0 of calls in turns.
 * RULES   1. Every call that was sent counts, whoever still waits for it: durations are not cut
 *            at anybody's deadline. Refusals and failures are no durations.
 *         2. With no evidence every chance is 1: what is not known is tried.
 *         3. chance_within never falls as the time grows.
 *         4. Answers are of the last chance_refresh; it is the app's to call it often enough.
 * COST    chance_done O(1); chance_refresh O(CHANCE_SPANS), some 2 µs; chance_frees about 4 µs when first
 *         asked of a span after a refresh, then O(1); 26 KiB.
 */
#ifndef WEIR_FLOW_CHANCE_H
#define WEIR_FLOW_CHANCE_H

#include "base/base.h"

/* The first ends at 1.05 ms, then 64 an octave; the last begins at 18 minutes. (With sixteen the
 * moment at which a call of 4 s ends would be known to 0.13 s, of the half a second that another one
 * may wait for it, and by test_hold.c's model 7 % more would be taken to come free than do.) */
#define CHANCE_SPANS 1282
#define CHANCE_OCTAVES 22 /* the first is of one span */
#define CHANCE_ASKED 16   /* times that are asked for again before the next refresh */
#define CHANCE_STEPS 32   /* of a time within which slots come free */

/* Where every fifth call is a long one, one in 1.6e6 runs of calls begins with nine of them: at a
 * hundred calls a second twice a day, and then what is lost is learned again within a second. */
#define CHANCE_REFUTED 1e-6
/* Long before that it is in question. By the same calls five in a row are enough, and one run in three
 * thousand begins with them: by simulation no good answer is lost for it; with 1/200, 0.1 % where calls
 * are drawn one by one. */
#define CHANCE_IN_QUESTION 1e-3

/* How many slots come free: what is expected, how sure that is, and the chance of none. */
struct chance_frees {
	double mean, variance, none;
};

/* Within a time that ends where that span begins. */
struct chance_until {
	uint32_t span; /* 0: none */
	struct chance_frees frees;
};

/* How many calls are still at work. */
struct chance_rest {
	double mean, variance;
};

struct chance {
	ns_t half_life, epoch;
	ns_t begun; /* when the last one began of those that have ended, or was last refuted */
	double weight; /* of an event now; grows, so that nothing else has to shrink */
	/* Of each span; kept to a ten-millionth, which is half the memory, but summed in full. */
	float over[CHANCE_SPANS]; /* calls that ended inside it */
	float gone[CHANCE_SPANS]; /* calls whose end nobody will know: seen so far */
	uint32_t running[CHANCE_SPANS]; /* calls at work whose age is inside it */
	float left[CHANCE_SPANS + 1];   /* share of calls not over at its begin */
	float spent[CHANCE_SPANS + 1];  /* mean ns at work until then, of all begun */
	/* Octaves with anything in over or gone, or in running, a bit each: few are, and no more is
	 * gone through. */
	uint32_t seen, busy;
	struct chance_until until[CHANCE_ASKED];
	/* Since scatter was reckoned last, of an octave: calls that ended in it, and those that
	 * were in it then, less those in it of whom nobody knows more. */
	double ends[CHANCE_OCTAVES], were[CHANCE_OCTAVES];
	double scatter_sum, scatter_weight; /* of trials, faded */
	double evidence; /* calls, faded: those that ended, and those that run */
	double ended;    /* of them, those that ended */
	bool in_question;
	ns_t mean;
};

void chance_init(struct chance *c, ns_t half_life);
/* A call is over after so long. */
void chance_done(struct chance *c, ns_t duration, ns_t now);
/* We hung up on one of that age: it would have lasted longer. */
void chance_gone(struct chance *c, ns_t age, ns_t now);
/* The calls that run now: begin, then each with its age. */
void chance_running_begin(struct chance *c);
void chance_running(struct chance *c, ns_t age);
/* From here on it answers by all that it was told. */
void chance_refresh(struct chance *c, ns_t now);
/* What was learned so far of calls that lasted for longer than `time` counts for a `factor` (0 to 1)
 * of what it did: one was over within it though by what was learned hardly any is. */
void chance_doubt_late(struct chance *c, ns_t time, double factor);

/* None of the last that were begun has ended, and by what was learned some should have. */
static inline bool chance_is_in_question(const struct chance *c)
{
	return c->in_question;
}
/* A call has ended of late: it can be said when slots come free. */
static inline bool chance_knows_ends(const struct chance *c)
{
	return c->ended >= 0.9;
}
/* In [0, 1]. */
double chance_within(const struct chance *c, ns_t time);
/* The least time within which the chance is at least p; NS_NEVER: there is none. 0 without
 * evidence. */
ns_t chance_time_for(const struct chance *c, double p);
/* Of how many come free, the variance over what it would be of calls drawn one by one: 1 until
 * it is known to be less. */
double chance_scatter(const struct chance *c);
/*
 * How many slots are expected to come free within `time`, when each that does is taken at once by
 * a call like those before: from the ages of the calls that run (a renewal process; Cox, 1962).
 */
struct chance_frees chance_frees(struct chance *c, ns_t time);
/* Calls, faded, that all this is by; 0: nothing is known. */
static inline double chance_evidence(const struct chance *c)
{
	return c->evidence;
}
/* Of calls, as far as they have been seen to last; 0: nothing is known. */
static inline ns_t chance_mean(const struct chance *c)
{
	return c->mean;
}
/* Up to which age calls have been seen; 0: nothing is known. */
ns_t chance_known(const struct chance *c);
/* Share of calls that last so long; past what is known none ends. */
double chance_lasts(const struct chance *c, ns_t age);
/* Of that time a call that begins with it is at work, on the average. */
ns_t chance_spent(const struct chance *c, ns_t time);
/* Of the calls that run, those that do so after that time still; past what is known none ends
 * (NS_NEVER: then). */
struct chance_rest chance_rest(const struct chance *c, ns_t time);

#endif

/*
 * steady: how often a knee (flow/limit.h) that was found is tried with a step up. Pure.
 *
 * MODEL   A step up shows whether the server can do more, and lets calls wait in it meanwhile; one
 *         that comes after a while opens a connection for each call that it lets in more, for what
 *         the last one opened is not kept for long. Where calls wait in the server another thing
 *         shows it: were more worked on, less would wait, and calls took less time, with as many at
 *         the server. So the usual time is learned, as a running mean of facts (flow/gain.h), and
 *         how far facts are off it, as a share of the error that each is thought to have. What a
 *         fact is off, in that measure, is summed up, less what chance may do, one sum for quicker
 *         and one for slower (CUSUM; Page, Continuous Inspection Schemes, Biometrika 1954). The knee
 *         STANDS when STEADY_SAME steps, the last one among them, left the limit in its place, give
 *         or take a tenth, and none between took it further up; and when calls would take so much
 *         less without a queue that two facts or three would tell.
 * RULES   1. While it stands, a step up of n calls more comes once in n x STEADY_CALLS calls
 *            sent; else as often as the limit likes.
 *         2. Time has changed when a sum is past its bound: after a fact that is off by four
 *            deviations, or three by two; by chance once in some 1,000 facts. Then a step may
 *            follow at once, and what is usual is learned anew.
 *         3. Nothing is usual before STEADY_FACTS are there.
 * COST    O(1).
 */
#ifndef WEIR_FLOW_STEADY_H
#define WEIR_FLOW_STEADY_H

#include "flow/gain.h"

#define STEADY_SAME 4
#define STEADY_FACTS 4
/* Half a connect in 1,000 calls; what is left of one is for steps where time seems to have changed. */
#define STEADY_CALLS 2000

struct steady {
	uint32_t same;   /* steps in a row that left the limit in its place */
	uint64_t rested; /* calls sent since the last step */
	/* of the usual time */
	uint32_t facts; /* that are in the means */
	double time;    /* seconds */
	double error;   /* the same: what facts are thought to have */
	double square;  /* of what they are off, in errors */
	double quicker, slower;
	double noise; /* what that came to when it was last usual; 0: never yet */
};

/* A call is sent. */
void steady_sent(struct steady *s);
/* The knee was found, or found to be elsewhere. */
void steady_moved(struct steady *s);
/* A step up begins. */
void steady_step(struct steady *s);
/* It moved the limit from there to here. */
void steady_stepped(struct steady *s, double from, double to);
/* Of calls sent at the limit. True: they take another time than they did. */
MUST_USE bool steady_note(struct steady *s, const struct gain_fact *fact);
/* How far facts lie apart, in their errors. */
double steady_noise(const struct steady *s);
/* `clear`: calls where none waits, or fewest; chance may have made it too short. */
bool steady_stands(const struct steady *s, const struct gain_fact *clear);
/* A step up of so many calls more may come. */
bool steady_may_step(const struct steady *s, const struct gain_fact *clear, double added);

#endif

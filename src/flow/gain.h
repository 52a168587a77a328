/*
 * gain: what a step up gained: more calls at once, did more get done, or do they wait? Pure.
 *
 * MODEL   A step is the calls sent while about so many were at the server (its level). The
 *         time it took is that of the middle of all calls SENT: the slowest four in ten count
 *         as the sixth, so that a minority of slow calls moves nothing and need not have
 *         ended; the quickest one in ten as the next. Of two steps, the later at a higher
 *         level, by Little's law: of the calls added, rate x (rise of the time) only wait in
 *         the server, the others are worked on. A server with a free worker for each shows 0,
 *         one whose workers are all busy shows 1, whatever its speed.
 * RULES   1. Nothing is read from time alone: without a step up there is no verdict.
 *         2. More than all of the added calls cannot wait: then it is the server's speed that
 *            has changed (SPEED), and not a queue.
 *         3. A verdict needs more than noise: where the error is too large, OPEN.
 *         4. A time is known only when every call of the step has had as long.
 * COST    Some 700 bytes a step; all O(1) but gain_know: O(buckets).
 */
#ifndef WEIR_FLOW_GAIN_H
#define WEIR_FLOW_GAIN_H

#include "base/base.h"

#define GAIN_BUCKETS 320     /* 16 an octave, from 64 us to 67 s */
#define GAIN_STEP_MIN 0.15   /* of the level: a step up of less is none */
#define GAIN_CALLS_MAX 16384 /* of a step: more tell nothing new */

struct gain_step {
	uint32_t id; /* 0: none */
	ns_t began_at, ended_at;
	uint64_t done_before; /* by the server, before the step began */
	uint64_t level_sum;
	uint32_t sent, done;
	uint16_t took[GAIN_BUCKETS];
};

/* What is known of a step once its time is. */
struct gain_fact {
	double level;  /* calls at the server */
	double time;   /* seconds */
	double spread; /* seconds: its standard error, had it been one call */
	double error;  /* seconds: its standard error */
	double rate;   /* calls the server did a second, while it was at these */
	ns_t at;       /* when the step ended; 0: no fact */
};

enum gain_verdict {
	GAIN_NO_STEP, /* not up, or hardly */
	GAIN_OPEN,    /* not to be told from noise */
	GAIN_WORKED,  /* most of the calls added were worked on */
	GAIN_WAITED,  /* most of the calls added waited */
	GAIN_SPEED,   /* the server's speed has changed: nothing can be said */
};

void gain_begin(struct gain_step *s, uint32_t id, ns_t now, uint64_t done);
/* A call is sent while `level` calls are at the server, itself included. False: the step is
 * full and does not count it. */
bool gain_sent(struct gain_step *s, uint32_t level);
/* It was no work after all: refused, failed. */
void gain_withdrawn(struct gain_step *s, uint32_t level);
void gain_done(struct gain_step *s, ns_t took);
/* Rule 4; `done`: by the server until now. False: not yet. */
bool gain_know(
	const struct gain_step *s, ns_t now, uint64_t done, struct gain_fact *fact);
/* `share` (may be NULL): of the calls added, how many wait. */
enum gain_verdict gain_judge(
	const struct gain_fact *before, const struct gain_fact *after, double *share);
/*
 * Where the queue begins: what is at the server in `after`, less those that wait there and did
 * not in `clear`, a step without a queue. Never below `before`, which was found to work.
 * `error`: of it.
 */
double gain_knee(const struct gain_fact *clear, const struct gain_fact *before,
	const struct gain_fact *after, double *error);
/* How many of the calls added are worked on; `error`: of that. */
double gain_worked(
	const struct gain_fact *before, const struct gain_fact *after, double *error);
/* As counted, and not by how long calls took: more was done a second. */
bool gain_is_counted(const struct gain_fact *before, const struct gain_fact *after);
/* A step down, of whatever size: where calls waited those that are left take less by as much as they
 * are fewer (WAITED); where none did, as long as before (WORKED). `noise`: how far such times lie
 * apart, in their errors. */
enum gain_verdict gain_judge_less(
	const struct gain_fact *before, const struct gain_fact *after, double noise);
/* How many calls a step of `added` more must have to be judged against this one. */
uint32_t gain_calls_needed(const struct gain_fact *before, double added);

#endif

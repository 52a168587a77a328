#include "flow/gain.h"

#include <math.h>
#include <string.h>

#define PER_OCTAVE 16
#define LOWEST (64 * NS_US)
#define LOW 0.1  /* of the calls: the quicker count as this one */
#define HIGH 0.6 /* the slower */
#define SPREAD \
	2.2      /* what cutting takes from the deviation; right for exponential times */
#define MOST 0.5 /* of the calls added */
#define MORE_THAN_ALL 1.5 /* the like: with room for what the middle misses of a mean */
#define ERROR_WANTED 0.17 /* of the share, in a probe */
#define CALLS_MIN 32
#define SURE 3          /* errors */
#define COUNTED_MIN 0.2 /* of what the calls added would do if all were worked on */

void gain_begin(struct gain_step *s, uint32_t id, ns_t now, uint64_t done)
{
	memset(s, 0, sizeof(*s));
	s->id = id;
	s->began_at = s->ended_at = now;
	s->done_before = done;
}

bool gain_sent(struct gain_step *s, uint32_t level)
{
	if (s->sent >= GAIN_CALLS_MAX)
		return false;
	s->sent++;
	s->level_sum += level;
	return true;
}

void gain_withdrawn(struct gain_step *s, uint32_t level)
{
	CHECK(s->sent > 0 && s->level_sum >= level);
	s->sent--;
	s->level_sum -= level;
}

void gain_done(struct gain_step *s, ns_t took)
{
	int bucket = 0;
	if (took > LOWEST)
		bucket = (int)(PER_OCTAVE * log2((double)took / (double)LOWEST));
	if (bucket >= GAIN_BUCKETS)
		bucket = GAIN_BUCKETS - 1;
	s->took[bucket]++;
	s->done++;
}

/* The time at a place in a bucket, in seconds. */
static double time_at(double bucket)
{
	return exp2(bucket / PER_OCTAVE) * (double)LOWEST / (double)NS_S;
}

/* As if a bucket's calls were spread over it evenly. INFINITY: not known. */
static double quantile(const struct gain_step *s, double q)
{
	double rank = q * (double)s->sent, below = 0;
	for (int i = 0; i < GAIN_BUCKETS; i++) {
		double here = s->took[i];
		if (here > 0 && below + here >= rank)
			return time_at(i + (rank - below) / here);
		below += here;
	}
	return INFINITY;
}

/* The mean of the calls' times, cut at both ends, and their variance. */
static double middle(const struct gain_step *s, double low, double high, double *variance)
{
	double first = LOW * s->sent, last = HIGH * s->sent, below = 0;
	double sum = first * low + (s->sent - last) * high;
	double squares = first * low * low + (s->sent - last) * high * high;
	for (int i = 0; i < GAIN_BUCKETS && below < last; i++) {
		double here = s->took[i];
		double from = fmax(first, below), to = fmin(last, below + here);
		if (to > from) {
			double at = time_at(i + ((from + to) / 2 - below) / here);
			sum += (to - from) * at;
			squares += (to - from) * at * at;
		}
		below += here;
	}
	double mean = sum / s->sent;
	*variance = fmax(0, squares / s->sent - mean * mean);
	return mean;
}

bool gain_know(const struct gain_step *s, ns_t now, uint64_t done, struct gain_fact *fact)
{
	if (s->sent == 0 || now <= s->began_at)
		return false;
	double high = quantile(s, HIGH), variance;
	if ((double)(now - s->ended_at) / (double)NS_S < high)
		return false;
	double time = middle(s, quantile(s, LOW), high, &variance);
	/* Calls that wait do so together: their time is as unsure as the server's rate. */
	double spread = sqrt(SPREAD * SPREAD * variance + time * time);
	*fact = (struct gain_fact){
		.level = (double)s->level_sum / s->sent,
		.time = time,
		.spread = spread,
		.error = spread / sqrt(s->sent),
		.rate = (double)(done - s->done_before) * (double)NS_S /
			(double)(now - s->began_at),
		.at = s->ended_at,
	};
	return true;
}

/* The number of calls that wait now and did not before, and that number's error. */
static double queued(
	const struct gain_fact *before, const struct gain_fact *after, double *error)
{
	double rate = fmax(before->rate, after->rate);
	*error = rate * sqrt(before->error * before->error + after->error * after->error);
	return rate * (after->time - before->time);
}

enum gain_verdict gain_judge(
	const struct gain_fact *before, const struct gain_fact *after, double *share)
{
	double error, added = after->level - before->level;
	if (added < GAIN_STEP_MIN * before->level || added < 1)
		return GAIN_NO_STEP;
	double waits = queued(before, after, &error) / added;
	error /= added;
	if (share)
		*share = waits;
	if (waits + 2 * error < MOST)
		return GAIN_WORKED;
	if (waits - 2 * error > MORE_THAN_ALL)
		return GAIN_SPEED;
	if (waits - 2 * error > MOST && waits < MORE_THAN_ALL)
		return GAIN_WAITED;
	return GAIN_OPEN;
}

double gain_knee(const struct gain_fact *clear, const struct gain_fact *before,
	const struct gain_fact *after, double *error)
{
	double knee = after->level - queued(clear, after, error);
	return fmin(fmax(knee, before->level), after->level);
}

double gain_worked(
	const struct gain_fact *before, const struct gain_fact *after, double *error)
{
	return after->level - before->level - queued(before, after, error);
}

bool gain_is_counted(const struct gain_fact *before, const struct gain_fact *after)
{
	double added = after->level / before->level - 1;
	return after->rate > before->rate * (1 + COUNTED_MIN * added);
}

enum gain_verdict gain_judge_less(
	const struct gain_fact *before, const struct gain_fact *after, double noise)
{
	double left = after->level / before->level;
	double all = (1 - left) * before->time; /* less, if calls waited */
	double error = noise * hypot(after->error, left * before->error);
	double more = after->time - left * before->time;
	if (left >= 1)
		return GAIN_NO_STEP;
	if (more > all + SURE * error)
		return GAIN_SPEED;
	if (more > fmax(SURE * error, MOST * all))
		return GAIN_WORKED;
	return more > MOST * all ? GAIN_OPEN : GAIN_WAITED;
}

uint32_t gain_calls_needed(const struct gain_fact *before, double added)
{
	double one = before->spread * before->rate / (added * ERROR_WANTED);
	double needed = 2 * one * one; /* both steps have their error */
	return needed > CALLS_MIN ? (uint32_t)fmin(needed, GAIN_CALLS_MAX) : CALLS_MIN;
}

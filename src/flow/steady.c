#include "flow/steady.h"

#include <math.h>

#define PLACE 0.1     /* of the limit */
#define SLACK 1.0     /* deviations, of each fact */
#define SUM_MAX 3.0   /* deviations */
#define SHOWS 3.0     /* deviations */
#define FACTS_MOST 16 /* the means are of about so many */
#define SQUARE_MIN \
	0.06 /* a quarter of the error: where all are alike, chance comes late */

void steady_sent(struct steady *s)
{
	s->rested++;
}

static void begin(struct steady *s)
{
	*s = (struct steady){ .same = s->same, .rested = s->rested, .noise = s->noise };
}

void steady_moved(struct steady *s)
{
	s->same = 0;
	begin(s);
}

void steady_step(struct steady *s)
{
	s->rested = 0;
}

static void one_step_tells(struct steady *s)
{
	s->same -= s->same == STEADY_SAME;
}

void steady_stepped(struct steady *s, double from, double to)
{
	if (to - from > PLACE * from)
		s->same = 0;
	else if (from - to > PLACE * from)
		one_step_tells(s);
	else
		s->same += s->same < STEADY_SAME;
	if (floor(to) != floor(from))
		begin(s); /* so many more or fewer wait */
}

static double deviation(const struct steady *s)
{
	return sqrt(fmax(s->square, SQUARE_MIN));
}

static void learn(struct steady *s, const struct gain_fact *fact, double off)
{
	s->facts += s->facts < FACTS_MOST;
	s->time += (fact->time - s->time) / s->facts;
	s->error += (fact->error - s->error) / s->facts;
	s->square += (off * off - s->square) / s->facts;
	if (s->facts >= STEADY_FACTS)
		s->noise = deviation(s);
}

double steady_noise(const struct steady *s)
{
	return s->noise > 0 ? fmin(s->noise, 1) : 1; /* more is a change in its midst */
}

bool steady_note(struct steady *s, const struct gain_fact *fact)
{
	/* Of the first its error is what is known. */
	double off = s->facts ? (fact->time - s->time) / fact->error : 1;
	if (s->facts >= STEADY_FACTS) {
		double by = off / deviation(s);
		s->slower = fmax(0, s->slower + by - SLACK);
		s->quicker = fmax(0, s->quicker - by - SLACK);
	}
	if (fmax(s->slower, s->quicker) <= SUM_MAX) {
		learn(s, fact, off);
		return false;
	}
	begin(s);
	one_step_tells(s);
	return true;
}

/* Of its calls alone: those that do not wait do not do so together (flow/gain.c). */
static double error_alone(const struct gain_fact *f)
{
	double square = f->spread * f->spread - f->time * f->time;
	return sqrt(fmax(0, square)) * f->error / f->spread;
}

bool steady_stands(const struct steady *s, const struct gain_fact *clear)
{
	double least = clear->time + 2 * error_alone(clear);
	double shows = SHOWS * s->error * deviation(s);
	return s->same >= STEADY_SAME && s->facts >= STEADY_FACTS &&
	       s->time - least > shows;
}

bool steady_may_step(const struct steady *s, const struct gain_fact *clear, double added)
{
	return !steady_stands(s, clear) || (double)s->rested >= STEADY_CALLS * added;
}

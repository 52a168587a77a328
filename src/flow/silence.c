#include "flow/silence.h"

#define MEAN_OF 64 /* answers */
#define IN_STEP 2  /* times what half of the calls take */
#define SLOW 0.95

void silence_init(struct silence *s)
{
	*s = (struct silence){ 0 };
	quantile_init(&s->usual, 0.5);
	quantile_init(&s->slow, SLOW);
}

void silence_sent(struct silence *s, ns_t now)
{
	if (!s->asked_at || !s->at_work)
		s->asked_at = now;
	s->at_work++;
	s->asked++;
}

void silence_ended(struct silence *s)
{
	s->at_work -= s->at_work > 0;
}

void silence_broken(struct silence *s)
{
	s->asked_at = 0;
	s->asked = 0;
}

void silence_answered(struct silence *s, ns_t took)
{
	/* Of the first ones, the mean of all. */
	double of = s->usual.seen < SILENCE_KNOWN ? s->usual.seen + 1 : MEAN_OF;
	s->mean += ((double)took - s->mean) / of;
	quantile_add(&s->usual, took);
	quantile_add(&s->slow, took);
	silence_broken(s);
}

ns_t silence_lasts(const struct silence *s, ns_t now)
{
	return s->asked_at && s->at_work ? now - s->asked_at : 0;
}

double silence_owed(const struct silence *s, ns_t now)
{
	ns_t usual = silence_usual(s), lasts = silence_lasts(s, now);
	if (!usual || lasts < IN_STEP * usual)
		return 0;
	return (double)lasts * s->at_work / s->mean;
}

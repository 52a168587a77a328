/*
 * silence: how many answers a server owes by now that has not said a word for a while. Pure.
 *
 * MODEL   Of n calls at work that take so long on the average, answers come n times as often, if
 *         they are drawn one by one. Calls that run in step are all answered at once: so the first
 *         call that was sent since anything was heard must have had twice what half of them take,
 *         too. The middle one hardly moves for calls that a stop of the server made long; the
 *         mean does, and is itself again some hundred answers later.
 * RULES   1. Before SILENCE_KNOWN answers nothing is owed.
 *         2. What is heard ends it: one that was presumed for nothing lasts until the next answer.
 * COST    O(1); 400 bytes.
 */
#ifndef WEIR_FLOW_SILENCE_H
#define WEIR_FLOW_SILENCE_H

#include "flow/quantile.h"

#define SILENCE_KNOWN QUANTILE_KNOWN

struct silence {
	ns_t asked_at; /* the first call since anything was heard; 0: none */
	struct quantile usual, slow; /* of what an answer takes: 0.5, 0.95 */
	uint32_t at_work;
	uint32_t asked; /* calls sent since anything was heard */
	double mean;    /* time of an answer, of late: ns */
};

void silence_init(struct silence *s);
/* A call is sent. */
void silence_sent(struct silence *s, ns_t now);
/* It has ended, or nothing will be heard of it. */
void silence_ended(struct silence *s);
/* It was answered, and took so long; beside silence_ended. */
void silence_answered(struct silence *s, ns_t took);
/* Anything else that the server itself has said. */
void silence_broken(struct silence *s);
/* What an answer takes: half of them no more; and but one in twenty. 0: not known yet. */
static inline ns_t silence_usual(const struct silence *s)
{
	return quantile_at(&s->usual);
}
static inline ns_t silence_slow(const struct silence *s)
{
	return quantile_at(&s->slow);
}
/* For so long; 0: nobody has asked, or it has spoken since. */
ns_t silence_lasts(const struct silence *s, ns_t now);
/* So many answers should have come. */
double silence_owed(const struct silence *s, ns_t now);

#endif

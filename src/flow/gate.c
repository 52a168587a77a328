#include "flow/gate.h"

#include <math.h>

#define MARGIN_UP 0.1
#define GROWTH_MAX 2.0 /* doublings that are believed in: a wall may be near */

void gate_init(struct gate *g, struct chance *calls, struct chance *slots)
{
	*g = (struct gate){ .calls = calls, .slots = slots, .margin = GATE_MARGIN_FIRST };
}

static bool probe_is_due(const struct gate *g, uint32_t limit, ns_t now)
{
	uint32_t most = limit / GATE_SHARE > 1 ? limit / GATE_SHARE : 1;
	return g->owed > 0 || g->probes < most || now >= g->probe_at;
}

/* What comes free within that time, of all slots. */
static struct chance_frees all_frees(
	const struct gate *g, const struct gate_call *call, ns_t time)
{
	struct chance_frees frees = chance_frees(g->slots, time);
	ns_t mean = chance_mean(g->slots);
	double each = mean > 0 ? (double)time / (double)mean : 1;
	double unknown = ((double)call->elsewhere + (double)call->room) * each;
	frees.mean += unknown + (double)call->room;
	frees.variance += unknown;
	frees.none *= call->room ? 0 : exp(-unknown);
	return frees;
}

/* What comes free while the slots become more, and those that are new. */
static void grow(struct chance_frees *frees, uint32_t limit, ns_t doubles_in, ns_t time)
{
	if (doubles_in == 0 || doubles_in == NS_NEVER)
		return;
	double doublings = (double)time / (double)doubles_in;
	double at_end = exp2(fmin(doublings, GROWTH_MAX)), added = at_end - 1;
	double mean = added / (fmin(doublings, GROWTH_MAX) * M_LN2);
	frees->mean = frees->mean * mean + added * limit;
	frees->variance = frees->variance * mean * mean + added * limit;
	frees->none *= exp(-added * limit);
}

/* So much time it must have left when its turn comes. As long as nobody can say how long calls take by
 * now, what the longest of them took: who has less than that waits for nothing if they have turned
 * slow. */
static ns_t must_have(const struct gate *g, double worth)
{
	ns_t usual = chance_time_for(g->calls, worth);
	return chance_is_in_question(g->calls) ? ns_max(usual, chance_known(g->calls))
					       : usual;
}

/* Its turn comes while it is still worth a slot. */
static bool comes_in_time(
	const struct gate *g, const struct gate_call *call, double worth, uint32_t limit)
{
	ns_t spare = call->left - must_have(g, worth);
	spare = ns_min(spare, call->wait_max);
	if (spare <= 0)
		return false;
	struct chance_frees frees = all_frees(g, call, spare);
	grow(&frees, limit, call->doubles_in, spare);
	double sure = frees.mean - g->margin * sqrt(frees.variance);
	if (frees.none > fmin(1.0 / limit, GATE_NEXT_FAILS))
		return false;
	if (call->ahead == 0 && call->share >= 1)
		return true;
	return (double)call->ahead + 1 <= sure * call->share;
}

static bool is_late(const struct gate *g, ns_t budget, ns_t left, double worth)
{
	return left < budget && chance_within(g->calls, left) < worth;
}

enum gate_verdict gate_ask_again(const struct gate *g, ns_t budget, ns_t left)
{
	double best = chance_within(g->calls, budget);
	if (best < GATE_FUTILE)
		return GATE_SHUT;
	return is_late(g, budget, left, best * GATE_WORTH) ? GATE_LATE : GATE_GO;
}

enum gate_verdict gate_ask(
	struct gate *g, const struct gate_call *call, uint32_t limit, ns_t now)
{
	double best = chance_within(g->calls, call->budget);
	if (best < GATE_FUTILE)
		return !call->waits && probe_is_due(g, limit, now) ? GATE_PROBE
								   : GATE_SHUT;
	g->owed = 0; /* it is open: the next time begins with one */
	double worth = best * GATE_WORTH;
	if (is_late(g, call->budget, call->left, worth))
		return GATE_LATE;
	if (call->waits && chance_knows_ends(g->slots) &&
		!comes_in_time(g, call, worth, limit))
		return GATE_LATE;
	return GATE_GO;
}

void gate_note_refused(struct gate *g, bool had_waited)
{
	g->margin += had_waited ? MARGIN_UP : -MARGIN_UP / GATE_TOLD_LATE;
	g->margin = fmin(fmax(g->margin, 0), GATE_MARGIN_MAX);
}

void gate_probe_sent(struct gate *g, ns_t now)
{
	g->probes++;
	g->owed -= g->owed > 0;
	g->probe_at = now + GATE_PROBE_EVERY;
}

bool gate_probe_over(struct gate *g, bool in_time)
{
	CHECK(g->probes > 0);
	g->probes--;
	if (in_time)
		g->owed += 2;
	return in_time;
}

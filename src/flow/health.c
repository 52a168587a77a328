#include "flow/health.h"

#include <math.h>

void health_init(struct health *h, ns_t now)
{
	*h = (struct health){ .state = HEALTH_IN, .at = now, .since = now };
}

/* --- what happened of late --- */

static double fade(const struct health *h, ns_t now)
{
	return exp2(-(double)ns_max(now - h->at, 0) / (double)HEALTH_HALF);
}

static void count(struct health *h, bool good, ns_t now)
{
	const double faded = fade(h, now);
	h->good = h->good * faded + good;
	h->bad = h->bad * faded + !good;
	h->at = ns_max(h->at, now);
	h->in_a_row = good ? 0 : h->in_a_row + 1;
}

static bool is_outlier(const struct health_set *set, const struct health *h, ns_t now)
{
	const double calls = h->good + h->bad, share = h->bad / calls;
	double good = 0, bad = 0;
	for (uint32_t i = 0; i < set->n; i++) {
		const struct health *o = set->all[i];
		if (o == h || o->state != HEALTH_IN)
			continue;
		good += o->good * fade(o, now);
		bad += o->bad * fade(o, now);
	}
	if (calls < HEALTH_SAMPLE || good + bad < HEALTH_SAMPLE)
		return false;
	const double common = (h->bad + bad) / (calls + good + bad);
	const double deviation = sqrt(
		common * (1 - common) * (1 / calls + 1 / (good + bad)));
	return share - bad / (good + bad) > fmax(HEALTH_WORSE, 4 * deviation);
}

/* --- out and in --- */

/* Rule 1. */
static bool may_leave(const struct health_set *set)
{
	uint32_t out = 0, asked = 0;
	for (uint32_t i = 0; i < set->n; i++) {
		const struct health *o = set->all[i];
		out += o->state != HEALTH_IN;
		asked += o->state != HEALTH_IN && o->why == HEALTH_ASKED;
	}
	return out + 1 < set->n && out - asked + 1 <= set->share * set->n;
}

/* Rule 2: where calls fail alike, the first to fail five times is no worse. */
static bool another_does_better(const struct health_set *set, const struct health *h)
{
	for (uint32_t i = 0; i < set->n; i++) {
		const struct health *o = set->all[i];
		if (o != h && o->state == HEALTH_IN && 2 * o->in_a_row < h->in_a_row)
			return true;
	}
	return false;
}

static void leave(struct health *h, enum health_why why, double unit, ns_t now)
{
	ns_t out_for = HEALTH_OUT_FOR;
	for (uint32_t i = 0; i < h->times && out_for < HEALTH_OUT_MOST; i++)
		out_for *= 2;
	out_for = ns_min(out_for, HEALTH_OUT_MOST);
	h->state = HEALTH_OUT;
	h->why = why;
	h->times++;
	h->out++;
	h->since = now;
	h->out_for = out_for + (ns_t)((double)out_for * HEALTH_JITTER * unit);
	h->until = ns_add(now, h->out_for);
}

static void come_back(struct health *h, ns_t now)
{
	h->state = HEALTH_IN;
	h->since = h->at = now;
	h->good = 1;
	h->bad = 0;
	h->in_a_row = 0;
}

static enum health_why judge(const struct health_set *set, const struct health *h,
	enum health_sign sign, ns_t now)
{
	if (sign == HEALTH_GONE)
		return HEALTH_UNREACHABLE;
	if (h->in_a_row >= HEALTH_IN_A_ROW)
		return HEALTH_FAILS;
	return is_outlier(set, h, now) ? HEALTH_OUTLIER : HEALTH_WELL;
}

bool health_note(const struct health_set *set, struct health *h, enum health_sign sign,
	ns_t sent_at, double unit, ns_t now)
{
	if (h->state == HEALTH_OUT || sent_at < h->since)
		return false;
	if (h->state == HEALTH_TRIAL && sign == HEALTH_GOOD) {
		come_back(h, now);
		return true;
	}
	if (h->state == HEALTH_TRIAL) {
		leave(h, sign == HEALTH_GONE ? HEALTH_UNREACHABLE : HEALTH_FAILS, unit,
			now);
		return true;
	}
	count(h, sign == HEALTH_GOOD, now);
	if (h->times && now - h->since >= h->out_for)
		h->times = 0;
	if (sign == HEALTH_GOOD)
		return false;
	enum health_why why = judge(set, h, sign, now);
	if (why == HEALTH_WELL || !may_leave(set) || !another_does_better(set, h))
		return false;
	leave(h, why, unit, now);
	return true;
}

void health_ask(struct health *h, ns_t until, ns_t now)
{
	if (h->state != HEALTH_OUT) {
		h->out++;
		h->since = now;
		h->until = until;
	}
	h->state = HEALTH_OUT;
	h->why = HEALTH_ASKED;
	h->until = ns_max(h->until, until);
	h->out_for = h->until - h->since;
}

bool health_is_due(const struct health *h, ns_t now)
{
	return (h->state == HEALTH_OUT && now >= h->until) ||
	       (h->state == HEALTH_TRIAL && now - h->since >= HEALTH_TRIAL_FOR);
}

void health_try(struct health *h, ns_t now)
{
	h->state = HEALTH_TRIAL;
	h->since = now;
}

const char *health_state_label(enum health_state state)
{
	switch (state) {
	case HEALTH_IN:
		return "in";
	case HEALTH_OUT:
		return "out";
	case HEALTH_TRIAL:
		return "trial";
	}
	NEVER_HERE();
}

const char *health_why_text(enum health_why why)
{
	switch (why) {
	case HEALTH_WELL:
		return "it is well";
	case HEALTH_UNREACHABLE:
		return "it could not be connected to";
	case HEALTH_FAILS:
		return "several calls in a row failed there";
	case HEALTH_OUTLIER:
		return "calls fail there more often than elsewhere";
	case HEALTH_ASKED:
		return "it asked to be left alone";
	}
	NEVER_HERE();
}

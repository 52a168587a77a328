#include "flow/demand.h"

static ns_t least(const struct demand *d)
{
	return ns_min(DEMAND_WINDOW_MIN, d->max);
}

void demand_init(struct demand *d, ns_t max)
{
	*d = (struct demand){ .max = max };
	d->window = least(d);
}

void demand_set_max(struct demand *d, ns_t max)
{
	d->max = max;
	d->window = ns_max(ns_min(d->window, max), least(d));
}

void demand_note_yield(struct demand *d, ns_t now)
{
	d->yielded++;
	d->yielded_at = now;
	if (d->credits < DEMAND_CREDITS || d->window <= least(d) ||
		now - d->moved_at < d->window)
		return;
	d->credits--;
	d->window = ns_max(d->window / 2, least(d));
	d->moved_at = now;
}

/* So long after the yield that no window would have kept the connection: no regret. */
static bool is_too_late(const struct demand *d, ns_t now)
{
	return d->max != NS_NEVER && now - d->yielded_at > d->max - d->window;
}

void demand_note_connect(struct demand *d, ns_t now)
{
	if (!d->yielded)
		return;
	if (is_too_late(d, now)) {
		d->yielded = 0;
		return;
	}
	d->yielded--;
	if (d->credits) {
		d->credits--;
		return;
	}
	if (now - d->moved_at < d->window && d->moved_at)
		return; /* of the same surge as the one that doubled it */
	d->window = d->window > d->max / 2 ? d->max : 2 * d->window;
	d->moved_at = now;
}

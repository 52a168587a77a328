#include "flow/spare.h"

uint32_t spare_missing(const struct spare *s, uint32_t ready, ns_t now)
{
	return ready < s->want && now >= s->again_at ? s->want - ready : 0;
}

ns_t spare_again_at(const struct spare *s, uint32_t ready, ns_t now)
{
	return ready < s->want && now < s->again_at ? s->again_at : NS_NEVER;
}

void spare_lost(struct spare *s, ns_t lived, ns_t now)
{
	if (lived >= SPARE_AT_ONCE) {
		spare_served(s);
		return;
	}
	if (now < s->again_at)
		return; /* opened together with the one before */
	s->wait = s->wait ? ns_min(2 * s->wait, SPARE_WAIT_MAX) : SPARE_WAIT_MIN;
	s->again_at = ns_add(now, s->wait);
}

void spare_served(struct spare *s)
{
	s->wait = s->again_at = 0;
}

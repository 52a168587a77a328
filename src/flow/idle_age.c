#include "flow/idle_age.h"

/* Closes that follow each other within this are of one moment. */
#define MOMENT_GAP (100 * NS_MS)
/* How late a server may be that looks at its connections once a second. */
#define COARSE (1100 * NS_MS)

/* Whether ages from low to high can be one timeout. */
static bool is_one(ns_t low, ns_t high)
{
	return high - low <= ns_max(low / 10, ns_min(low, COARSE));
}

static bool fits(const struct idle_cluster *c, const struct idle_cluster *moment)
{
	return c->moments &&
	       is_one(ns_min(c->low, moment->low), ns_max(c->high, moment->high));
}

static bool is_believed(const struct idle_cluster *c)
{
	return c->moments >= IDLE_AGE_ENOUGH;
}

/* How long nothing need confirm it. */
static ns_t keep_for(const struct idle_cluster *c)
{
	return ns_min(c->seen_at - c->first_at, IDLE_AGE_KEEP_FOR);
}

/* The one it belongs to, else the one that is missed least. */
static struct idle_cluster *place_for(struct idle_age *a, const struct idle_cluster *m)
{
	struct idle_cluster *stale = &a->clusters[0];
	for (int i = 0; i < IDLE_AGE_CLUSTERS; i++) {
		struct idle_cluster *c = &a->clusters[i];
		if (fits(c, m))
			return c;
		if (is_believed(c) != is_believed(stale) ? is_believed(stale)
							 : c->seen_at < stale->seen_at)
			stale = c;
	}
	return stale;
}

static void moment_over(struct idle_age *a)
{
	struct idle_cluster *m = &a->moment;
	if (is_one(m->low, m->high)) {
		struct idle_cluster *c = place_for(a, m);
		if (!fits(c, m))
			*c = (struct idle_cluster){
				.low = m->low, .high = m->high, .first_at = m->first_at
			};
		c->low = ns_min(c->low, m->low);
		c->high = ns_max(c->high, m->high);
		c->seen_at = m->seen_at;
		c->moments++;
		c->outlived = 0;
	}
	m->moments = 0;
}

void idle_age_note_closed(struct idle_age *a, ns_t age, ns_t now)
{
	struct idle_cluster *m = &a->moment;
	if (age < IDLE_AGE_MIN)
		return;
	if (m->moments && now - m->seen_at > MOMENT_GAP)
		moment_over(a);
	if (!m->moments)
		*m = (struct idle_cluster){
			.low = age, .high = age, .first_at = now, .moments = 1
		};
	m->low = ns_min(m->low, age);
	m->high = ns_max(m->high, age);
	m->seen_at = now;
}

void idle_age_note_lived(struct idle_age *a, ns_t age)
{
	for (int i = 0; i < IDLE_AGE_CLUSTERS; i++) {
		struct idle_cluster *c = &a->clusters[i];
		if (!c->moments || age <= c->high || is_one(c->high, age))
			continue;
		if (++c->outlived >= IDLE_AGE_ENOUGH)
			c->moments = 0;
	}
}

ns_t idle_age_bound(struct idle_age *a, ns_t now)
{
	ns_t low = NS_NEVER;
	if (a->moment.moments && now - a->moment.seen_at > MOMENT_GAP)
		moment_over(a);
	for (int i = 0; i < IDLE_AGE_CLUSTERS; i++) {
		const struct idle_cluster *c = &a->clusters[i];
		if (is_believed(c) && now - c->seen_at <= keep_for(c))
			low = ns_min(low, c->low);
	}
	return low == NS_NEVER ? NS_NEVER : idle_age_before(low);
}

ns_t idle_age_learned(const struct idle_age *a)
{
	ns_t low = NS_NEVER;
	for (int i = 0; i < IDLE_AGE_CLUSTERS; i++)
		if (is_believed(&a->clusters[i]))
			low = ns_min(low, a->clusters[i].low);
	return low;
}

ns_t idle_age_before(ns_t age)
{
	return age - ns_min(age / 10, NS_S);
}

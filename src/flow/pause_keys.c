#include "flow/pause_keys.h"

static struct pause_key *find(struct pause_keys *all, uint64_t key, ns_t now)
{
	for (uint32_t i = 0; i < all->count; i++)
		if (all->at[i].key == key && all->at[i].until > now)
			return &all->at[i];
	return NULL;
}

/* One that is over, or a new one, or the first that will be. */
static struct pause_key *place(struct pause_keys *all, ns_t now)
{
	struct pause_key *first = &all->at[0];
	for (uint32_t i = 0; i < all->count; i++)
		if (all->at[i].until < first->until)
			first = &all->at[i];
	if (all->count < PAUSE_KEYS_MAX && (all->count == 0 || first->until > now))
		return &all->at[all->count++];
	return first;
}

void pause_keys_ask(struct pause_keys *all, uint64_t key, ns_t until, ns_t now)
{
	struct pause_key *k = find(all, key, now);
	if (k) {
		k->until = ns_max(k->until, until);
		return;
	}
	*place(all, now) = (struct pause_key){ .key = key, .until = until };
}

ns_t pause_keys_until(struct pause_keys *all, uint64_t key, ns_t now)
{
	const struct pause_key *k = find(all, key, now);
	return k ? k->until : 0;
}

ns_t pause_keys_turn(struct pause_keys *all, uint64_t key, ns_t deadline, ns_t now)
{
	struct pause_key *k = find(all, key, now);
	if (!k)
		return now;
	ns_t turn = ns_add(k->until, (ns_t)(k->turns * (NS_S / PAUSE_PACE)));
	k->turns += turn < deadline;
	return turn;
}

uint32_t pause_keys_count(const struct pause_keys *all, ns_t now)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < all->count; i++)
		n += all->at[i].until > now;
	return n;
}

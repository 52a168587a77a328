#include "flow/holds.h"

void holds_init(struct holds *h, ns_t half_life)
{
	list_init(&h->slots);
	h->seen = 0;
	chance_init(&h->chance, half_life);
}

void holds_take(struct holds *h, struct slot *slot, ns_t now)
{
	slot->since = now;
	list_push_back(&h->slots, &slot->held);
}

void holds_give(struct holds *h, struct slot *slot, ns_t now)
{
	list_remove(&h->slots, &slot->held);
	chance_done(&h->chance, now - slot->since, now);
}

void holds_look(struct holds *h, ns_t now)
{
	chance_running_begin(&h->chance);
	LIST_EACH (&h->slots, n, after) {
		const struct slot *slot = CONTAINER_OF(n, struct slot, held);
		chance_running(&h->chance, ns_max(now - slot->since, 0));
	}
	h->seen = h->slots.len;
	chance_refresh(&h->chance, now);
}

#include "flow/slots.h"

struct slot_state_row {
	const char *label;
	bool counts[2]; /* by enum slot_unit */
};

static const struct slot_state_row slot_rows[SLOT_STATES] = {
#define SLOT(name, label, in_conn, in_req) [SLOT_##name] = { label, { in_conn, in_req } },
#include "flow/slots.def"
#undef SLOT
};

/* Which states may follow which: a bit per state. Everything may become FREE. */
#define BIT(name) (1u << SLOT_##name)
static const uint32_t slot_edges[SLOT_STATES] = {
	[SLOT_FREE] = BIT(CONNECTING) | BIT(BUSY),
	[SLOT_CONNECTING] = BIT(FREE) | BIT(BUSY) | BIT(IDLE) | BIT(DRAINING) |
			    BIT(SETTLING) | BIT(GHOST),
	[SLOT_BUSY] = BIT(FREE) | BIT(CONNECTING) | BIT(IDLE) | BIT(DRAINING) |
		      BIT(GHOST) | BIT(SETTLING),
	[SLOT_IDLE] = BIT(FREE) | BIT(BUSY) | BIT(PARKED) | BIT(SETTLING),
	[SLOT_PARKED] = BIT(FREE) | BIT(IDLE),
	[SLOT_DRAINING] = BIT(FREE) | BIT(IDLE) | BIT(GHOST) | BIT(SETTLING),
	[SLOT_GHOST] = BIT(FREE),
	[SLOT_SETTLING] = BIT(FREE),
};
#undef BIT

void slots_init(struct slots *s, enum slot_unit unit, uint32_t limit, double drain_share)
{
	*s = (struct slots){ .unit = unit, .limit = limit, .drain_share = drain_share };
	for (size_t i = 0; i < SLOT_STATES; i++)
		list_init(&s->in[i]);
}

void slots_tie(struct slots *s, struct share *share)
{
	CHECK(slots_used(s) == 0 && s->reserved == 0);
	s->share = share;
	if (share)
		share_set_limit(share, s->limit);
}

void slots_untie(struct slots *s)
{
	if (!s->share)
		return;
	CHECK(s->reserved == 0);
	share_add_zombies(
		s->share, -(int)(s->in[SLOT_DRAINING].len + s->in[SLOT_GHOST].len));
	share_add_settling(s->share, -(int)s->in[SLOT_SETTLING].len);
	share_add_parked(s->share, -(int)s->in[SLOT_PARKED].len);
	s->share = NULL;
}

void slots_set_limit(struct slots *s, uint32_t limit)
{
	s->limit = limit;
	if (s->share)
		share_set_limit(s->share, limit);
}

uint32_t slots_limit(const struct slots *s)
{
	return s->share ? share_limit(s->share) : s->limit;
}

uint32_t slots_surplus(const struct slots *s)
{
	uint32_t used = s->share ? share_used(s->share) : slots_used(s);
	uint32_t going = s->share ? share_settling(s->share) : s->in[SLOT_SETTLING].len;
	uint32_t limit = slots_limit(s);
	return used > going && used - going > limit ? used - going - limit : 0;
}

uint32_t slots_parked(const struct slots *s)
{
	return s->share ? share_parked(s->share) : s->in[SLOT_PARKED].len;
}

uint32_t slots_room(const struct slots *s)
{
	if (s->share)
		return share_room(s->share);
	uint32_t used = slots_used(s) + s->reserved;
	return used < s->limit ? s->limit - used : 0;
}

bool slots_reserve(struct slots *s, uint32_t n)
{
	if (n == 0)
		return true;
	if (s->share ? !share_take(s->share, n) : slots_room(s) < n)
		return false;
	s->reserved += n;
	return true;
}

void slots_unreserve(struct slots *s, uint32_t n)
{
	CHECK(s->reserved >= n);
	s->reserved -= n;
	if (s->share && n)
		share_give(s->share, n);
}

bool slots_is_drained_up(const struct slots *s)
{
	uint32_t zombies = s->share ? share_zombies(s->share)
				    : s->in[SLOT_DRAINING].len + s->in[SLOT_GHOST].len;
	uint32_t limit = slots_limit(s);
	if (limit == SLOTS_NO_LIMIT || s->drain_share >= 1 || zombies == 0)
		return false;
	return (double)zombies >= s->drain_share * (double)limit;
}

static bool is_zombie(enum slot_state state)
{
	return state == SLOT_DRAINING || state == SLOT_GHOST;
}

/* Before the slot moves. */
static void tell_share(struct slots *s, enum slot_state from, enum slot_state to)
{
	bool counted = slot_rows[from].counts[s->unit],
	     counts = slot_rows[to].counts[s->unit];
	int zombies = (int)is_zombie(to) - (int)is_zombie(from);
	int settling = (int)(to == SLOT_SETTLING) - (int)(from == SLOT_SETTLING);
	int parked = (int)(to == SLOT_PARKED) - (int)(from == SLOT_PARKED);
	if (zombies)
		share_add_zombies(s->share, zombies);
	if (settling)
		share_add_settling(s->share, settling);
	if (parked)
		share_add_parked(s->share, parked);
	if (counted && !counts)
		share_give(s->share, 1);
}

/* A state that a slot newly counts for: room for it was reserved. */
static void count_newly(struct slots *s)
{
	CHECK(s->reserved > 0);
	s->reserved--;
}

/* Puts a slot on its state's list; GHOST and SETTLING lists are kept in order of `until`. */
static void slot_file(
	struct slots *s, struct slot *slot, enum slot_state state, ns_t until)
{
	struct list *l = &s->in[state];
	struct list_node *prev = l->head.prev;
	slot->state = state;
	slot->until = until;
	if (state == SLOT_GHOST || state == SLOT_SETTLING)
		while (prev != &l->head &&
			CONTAINER_OF(prev, struct slot, node)->until > until)
			prev = prev->prev;
	list_link(l, &slot->node, prev);
	s->used += slot_rows[state].counts[s->unit];
	if (s->used > s->peak)
		s->peak = s->used;
}

static void slot_unfile(struct slots *s, struct slot *slot)
{
	list_remove(&s->in[slot->state], &slot->node);
	s->used -= slot_rows[slot->state].counts[s->unit];
	slot->state = SLOT_FREE;
}

void slots_take(struct slots *s, struct slot *slot, enum slot_state state)
{
	CHECK(slot->state == SLOT_FREE && !list_on(&slot->node));
	CHECK(slot_edges[SLOT_FREE] & (1u << state));
	count_newly(s);
	if (s->share)
		tell_share(s, SLOT_FREE, state);
	slot_file(s, slot, state, 0);
}

void slot_enter(struct slots *s, struct slot *slot, enum slot_state state, ns_t until)
{
	CHECK(slot->state != SLOT_FREE && (slot_edges[slot->state] & (1u << state)));
	if (slot->state == SLOT_PARKED && slot_rows[state].counts[s->unit])
		count_newly(s);
	if (s->share)
		tell_share(s, slot->state, state);
	slot_unfile(s, slot);
	if (state != SLOT_FREE)
		slot_file(s, slot, state, until);
}

void slots_move_out(struct slots *s, struct slot *slot)
{
	CHECK(s->share && s->unit == SLOT_UNIT_CONNECTION && slot->state == SLOT_IDLE);
	slot_unfile(s, slot);
}

void slots_move_in(struct slots *s, struct slot *slot)
{
	CHECK(s->share && s->unit == SLOT_UNIT_CONNECTION && slot->state == SLOT_FREE);
	slot_file(s, slot, SLOT_IDLE, 0);
}

struct slot *slots_expire(struct slots *s, ns_t now)
{
	static const enum slot_state timed[] = { SLOT_SETTLING, SLOT_GHOST };
	for (size_t i = 0; i < ARRAY_LEN(timed); i++) {
		struct list_node *n = list_front(&s->in[timed[i]]);
		if (!n || CONTAINER_OF(n, struct slot, node)->until > now)
			continue;
		struct slot *slot = CONTAINER_OF(n, struct slot, node);
		slot_enter(s, slot, SLOT_FREE, 0);
		return slot;
	}
	return NULL;
}

ns_t slots_next_expiry(const struct slots *s)
{
	struct list_node *settling = list_front(&s->in[SLOT_SETTLING]);
	struct list_node *ghost = list_front(&s->in[SLOT_GHOST]);
	ns_t at = NS_NEVER;
	if (settling)
		at = CONTAINER_OF(settling, struct slot, node)->until;
	if (ghost)
		at = ns_min(at, CONTAINER_OF(ghost, struct slot, node)->until);
	return at;
}

const char *slot_state_label(enum slot_state state)
{
	CHECK(state < SLOT_STATES);
	return slot_rows[state].label;
}

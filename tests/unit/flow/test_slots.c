/* Slots: every edge, the counts against a naive model, and the order of expiry. */
#include "flow/slots.h"
#include "tests/unit/base/unit.h"

/* The law, written down once more and by itself: rows are from, columns are to. */
static const bool may_follow[SLOT_STATES][SLOT_STATES] = {
	/*               free   conn.  busy   idle   parked drain. ghost  settling */
	[SLOT_FREE] = { false, true, true, false, false, false, false, false },
	[SLOT_CONNECTING] = { true, false, true, true, false, true, true, true },
	[SLOT_BUSY] = { true, true, false, true, false, true, true, true },
	[SLOT_IDLE] = { true, false, true, false, true, false, false, true },
	[SLOT_PARKED] = { true, false, false, true, false, false, false, false },
	[SLOT_DRAINING] = { true, false, false, true, false, false, true, true },
	[SLOT_GHOST] = { true, false, false, false, false, false, false, false },
	[SLOT_SETTLING] = { true, false, false, false, false, false, false, false },
};

static const bool counts[2][SLOT_STATES] = {
	[SLOT_UNIT_CONNECTION] = { false, true, true, true, false, true, true, true },
	[SLOT_UNIT_REQUEST] = { false, true, true, false, false, true, true, true },
};

static void take(struct slots *s, struct slot *slot, enum slot_state state)
{
	CHECK(slots_reserve(s, 1));
	slots_take(s, slot, state);
}

/* A way from FREE to each state. */
static void bring_to(struct slots *s, struct slot *slot, enum slot_state state)
{
	*slot = (struct slot){ 0 };
	switch (state) {
	case SLOT_FREE:
	case SLOT_STATES:
		return;
	case SLOT_CONNECTING:
	case SLOT_BUSY:
		take(s, slot, state);
		return;
	case SLOT_PARKED:
		take(s, slot, SLOT_BUSY);
		slot_enter(s, slot, SLOT_IDLE, 0);
		slot_enter(s, slot, state, 0);
		return;
	case SLOT_IDLE:
	case SLOT_DRAINING:
	case SLOT_GHOST:
	case SLOT_SETTLING:
		take(s, slot, SLOT_BUSY);
		slot_enter(s, slot, state, 7);
		return;
	}
}

/* One that is parked needs room to be anything else. */
static void enter(struct slots *s, struct slot *slot, enum slot_state to, ns_t until)
{
	if (slot->state == SLOT_PARKED && to == SLOT_IDLE && counts[s->unit][to])
		CHECK(slots_reserve(s, 1));
	slot_enter(s, slot, to, until);
}

static struct slots edge_slots;
static struct slot edge_slot;
static enum slot_state edge_to;

static void cross_edge(void)
{
	enter(&edge_slots, &edge_slot, edge_to, 5);
}

static void take_edge(void)
{
	take(&edge_slots, &edge_slot, edge_to);
}

static void test_every_edge(void **state)
{
	(void)state;
	for (int from = 0; from < SLOT_STATES; from++) {
		for (int to = 0; to < SLOT_STATES; to++) {
			slots_init(&edge_slots, SLOT_UNIT_CONNECTION, 4, 1);
			bring_to(&edge_slots, &edge_slot, (enum slot_state)from);
			edge_to = (enum slot_state)to;
			bool ok = may_follow[from][to];
			if (from == SLOT_FREE)
				assert_int_equal(aborts(take_edge), !ok);
			else
				assert_int_equal(aborts(cross_edge), !ok);
			if (!ok || from == SLOT_FREE)
				continue;
			cross_edge();
			assert_int_equal(edge_slot.state, to);
			assert_int_equal(list_on(&edge_slot.node), to != SLOT_FREE);
			assert_int_equal(slots_used(&edge_slots),
				counts[SLOT_UNIT_CONNECTION][to]);
		}
	}
}

static void enter_from_free(void)
{
	slots_init(&edge_slots, SLOT_UNIT_CONNECTION, 4, 1);
	edge_slot = (struct slot){ 0 };
	slot_enter(&edge_slots, &edge_slot, SLOT_BUSY, 0);
}

static void take_twice(void)
{
	slots_init(&edge_slots, SLOT_UNIT_CONNECTION, 4, 1);
	bring_to(&edge_slots, &edge_slot, SLOT_BUSY);
	take(&edge_slots, &edge_slot, SLOT_BUSY);
}

static void leave_parking_without_room(void)
{
	slots_init(&edge_slots, SLOT_UNIT_CONNECTION, 4, 1);
	bring_to(&edge_slots, &edge_slot, SLOT_PARKED);
	slot_enter(&edge_slots, &edge_slot, SLOT_IDLE, 0);
}

static void take_over_limit(void)
{
	struct slot a = { 0 }, b = { 0 };
	slots_init(&edge_slots, SLOT_UNIT_CONNECTION, 1, 1);
	take(&edge_slots, &a, SLOT_BUSY);
	take(&edge_slots, &b, SLOT_BUSY);
}

static void test_misuse_aborts(void **state)
{
	(void)state;
	assert_true(aborts(enter_from_free));
	assert_true(aborts(take_twice));
	assert_true(aborts(take_over_limit));
	assert_true(aborts(leave_parking_without_room));
}

/* --- a walk beside a naive model --- */

#define WALK_SLOTS 24
#define WALK_STEPS 200000

struct walk {
	struct slots s;
	struct slot slot[WALK_SLOTS];
	enum slot_state model[WALK_SLOTS];
	ns_t until[WALK_SLOTS];
	uint32_t peak;
	ns_t now;
	struct rng rng;
};

static uint32_t model_used(const struct walk *w)
{
	uint32_t used = 0;
	for (int i = 0; i < WALK_SLOTS; i++)
		used += counts[w->s.unit][w->model[i]];
	return used;
}

static ns_t model_next(const struct walk *w)
{
	ns_t next = NS_NEVER;
	for (int i = 0; i < WALK_SLOTS; i++)
		if (w->model[i] == SLOT_GHOST || w->model[i] == SLOT_SETTLING)
			next = ns_min(next, w->until[i]);
	return next;
}

static void walk_check(const struct walk *w)
{
	uint32_t in[SLOT_STATES] = { 0 }, used = model_used(w);
	for (int i = 0; i < WALK_SLOTS; i++) {
		assert_int_equal(w->slot[i].state, w->model[i]);
		in[w->model[i]]++;
	}
	for (int i = SLOT_FREE + 1; i < SLOT_STATES; i++)
		assert_int_equal(w->s.in[i].len, in[i]);
	assert_int_equal(w->s.in[SLOT_FREE].len, 0);
	assert_int_equal(slots_used(&w->s), used);
	assert_int_equal(slots_parked(&w->s), in[SLOT_PARKED]);
	assert_int_equal(slots_room(&w->s), used < w->s.limit ? w->s.limit - used : 0);
	assert_int_equal(w->s.peak, w->peak);
	assert_true(slots_next_expiry(&w->s) == model_next(w));
}

static void walk_move(struct walk *w, int i)
{
	enum slot_state to = (enum slot_state)rng_below(&w->rng, SLOT_STATES);
	ns_t until = 0;
	if (!may_follow[w->model[i]][to])
		return;
	if (to == SLOT_GHOST || to == SLOT_SETTLING)
		until = w->now + (ns_t)rng_below(&w->rng, 50);
	bool newly = w->model[i] == SLOT_FREE || w->model[i] == SLOT_PARKED;
	if (newly && slots_room(&w->s) == 0)
		return;
	if (w->model[i] == SLOT_FREE)
		take(&w->s, &w->slot[i], to);
	else
		enter(&w->s, &w->slot[i], to, until);
	w->model[i] = to;
	w->until[i] = until;
	if (model_used(w) > w->peak)
		w->peak = model_used(w);
}

/* Of each of the two lists the earliest goes first; and nothing due stays. */
static void walk_expire(struct walk *w)
{
	ns_t last[SLOT_STATES] = { 0 };
	struct slot *slot;
	while ((slot = slots_expire(&w->s, w->now))) {
		long i = slot - w->slot;
		assert_true(w->model[i] == SLOT_GHOST || w->model[i] == SLOT_SETTLING);
		assert_true(w->until[i] <= w->now && w->until[i] >= last[w->model[i]]);
		last[w->model[i]] = w->until[i];
		w->model[i] = SLOT_FREE;
	}
	assert_true(model_next(w) > w->now);
}

static void walk(enum slot_unit unit, uint64_t seed)
{
	struct walk w = { .now = 1 };
	rng_init(&w.rng, seed);
	slots_init(&w.s, unit, 12, 1);
	for (int step = 0; step < WALK_STEPS; step++) {
		switch (rng_below(&w.rng, 16)) {
		case 0:
			w.now += (ns_t)rng_below(&w.rng, 20);
			walk_expire(&w);
			break;
		case 1: /* lowered and raised while in use */
			w.s.limit = (uint32_t)rng_below(&w.rng, WALK_SLOTS + 2);
			break;
		default:
			walk_move(&w, (int)rng_below(&w.rng, WALK_SLOTS));
			break;
		}
		walk_check(&w);
	}
}

static void test_walk(void **state)
{
	(void)state;
	uint64_t seed = test_seed(1);
	walk(SLOT_UNIT_CONNECTION, seed);
	walk(SLOT_UNIT_REQUEST, seed + 1);
}

/* --- single rules --- */

static void test_limit_lowered_while_in_use(void **state)
{
	(void)state;
	struct slots s;
	struct slot slot[4] = { 0 };
	slots_init(&s, SLOT_UNIT_CONNECTION, 4, 1);
	for (int i = 0; i < 4; i++)
		take(&s, &slot[i], SLOT_BUSY);
	s.limit = 2;
	assert_int_equal(slots_used(&s), 4);
	assert_int_equal(slots_room(&s), 0);
	slot_enter(&s, &slot[0], SLOT_FREE, 0);
	slot_enter(&s, &slot[1], SLOT_FREE, 0);
	assert_int_equal(slots_room(&s), 0);
	slot_enter(&s, &slot[2], SLOT_FREE, 0);
	assert_int_equal(slots_room(&s), 1);
	assert_int_equal(s.peak, 4);
}

static void test_no_limit(void **state)
{
	(void)state;
	struct slots s;
	struct slot slot = { 0 };
	slots_init(&s, SLOT_UNIT_CONNECTION, SLOTS_NO_LIMIT, 0.5);
	take(&s, &slot, SLOT_BUSY);
	slot_enter(&s, &slot, SLOT_DRAINING, 0);
	assert_int_equal(slots_room(&s), SLOTS_NO_LIMIT - 1);
	assert_false(slots_is_drained_up(&s));
}

static void test_drain_share(void **state)
{
	(void)state;
	struct slots s;
	struct slot slot[10] = { 0 };
	slots_init(&s, SLOT_UNIT_CONNECTION, 10, 0.3);
	for (int i = 0; i < 10; i++)
		take(&s, &slot[i], SLOT_BUSY);
	assert_false(slots_is_drained_up(&s));
	slot_enter(&s, &slot[0], SLOT_DRAINING, 0);
	slot_enter(&s, &slot[1], SLOT_DRAINING, 0);
	assert_false(slots_is_drained_up(&s));
	slot_enter(&s, &slot[1], SLOT_GHOST, 9); /* ghosts are zombies too */
	slot_enter(&s, &slot[2], SLOT_DRAINING, 0);
	assert_true(slots_is_drained_up(&s));
	s.drain_share = 1;
	assert_false(slots_is_drained_up(&s));
	s.drain_share = 0; /* none may drain: but with none draining nothing is shed */
	slot_enter(&s, &slot[0], SLOT_FREE, 0);
	slot_enter(&s, &slot[1], SLOT_FREE, 0);
	assert_true(slots_is_drained_up(&s));
	slot_enter(&s, &slot[2], SLOT_FREE, 0);
	assert_false(slots_is_drained_up(&s));
}

/* Two settle for the same time: the one that began first is first. */
static void test_expiry_order(void **state)
{
	(void)state;
	struct slots s;
	struct slot slot[4] = { 0 };
	static const ns_t until[] = { 30, 10, 20, 10 };
	static const int order[] = { 1, 3, 2, 0 };
	slots_init(&s, SLOT_UNIT_CONNECTION, 4, 1);
	for (int i = 0; i < 4; i++) {
		take(&s, &slot[i], SLOT_BUSY);
		slot_enter(&s, &slot[i], SLOT_SETTLING, until[i]);
	}
	assert_null(slots_expire(&s, 9));
	for (int i = 0; i < 4; i++) {
		assert_int_equal(slots_next_expiry(&s), until[order[i]]);
		assert_ptr_equal(slots_expire(&s, 100), &slot[order[i]]);
	}
	assert_null(slots_expire(&s, 100));
	assert_true(slots_next_expiry(&s) == NS_NEVER);
}

static void test_labels(void **state)
{
	(void)state;
	assert_string_equal(slot_state_label(SLOT_GHOST), "ghost");
	for (int i = 0; i < SLOT_STATES; i++)
		assert_non_null(slot_state_label((enum slot_state)i));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_edge),
		TEST(test_misuse_aborts),
		TEST(test_walk),
		TEST(test_limit_lowered_while_in_use),
		TEST(test_no_limit),
		TEST(test_drain_share),
		TEST(test_expiry_order),
		TEST(test_labels),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A share: two seats' slots and queues under one limit. */
#include "flow/share.h"

#include "flow/queue.h"
#include "flow/slots.h"
#include "tests/unit/base/unit.h"

struct two {
	struct share *share;
	struct slots s[2];
	struct queue q[2];
	struct callers callers[2];
	struct slot slot[8];
};

static void two_init(struct two *t, enum slot_unit unit, uint32_t limit)
{
	memset(t, 0, sizeof(*t));
	t->share = share_new(2);
	for (int i = 0; i < 2; i++) {
		slots_init(&t->s[i], unit, limit, 0.5);
		slots_tie(&t->s[i], t->share);
		callers_init(&t->callers[i], limit);
		queue_init(&t->q[i], &t->callers[i], 3, NS_NEVER);
		t->q[i].share = t->share;
	}
}

static struct caller *caller(struct two *t, int seat)
{
	return callers_find(&t->callers[seat], 1, CALLERS_NORMAL, 0);
}

static void take(struct slots *s, struct slot *slot)
{
	assert_true(slots_reserve(s, 1));
	slots_take(s, slot, SLOT_BUSY);
}

static void test_one_limit(void **state)
{
	struct two t;
	(void)state;
	two_init(&t, SLOT_UNIT_CONNECTION, 3);
	take(&t.s[0], &t.slot[0]);
	assert_false(slots_reserve(&t.s[1], 3));
	assert_int_equal(slots_room(&t.s[1]), 2);
	assert_true(slots_reserve(&t.s[1], 2));
	assert_int_equal(slots_room(&t.s[0]), 0);
	slots_take(&t.s[1], &t.slot[1], SLOT_CONNECTING);
	slots_unreserve(&t.s[1], 1);
	take(&t.s[0], &t.slot[2]);
	assert_int_equal(slots_used(&t.s[0]), 2);
	assert_int_equal(share_used(t.share), 3);
	slot_enter(&t.s[0], &t.slot[2], SLOT_IDLE, 0);
	assert_int_equal(share_used(t.share), 3);
	slots_set_limit(&t.s[1], 2);
	assert_int_equal(slots_limit(&t.s[0]), 2);
	assert_int_equal(slots_surplus(&t.s[0]), 1);
	slot_enter(&t.s[0], &t.slot[2], SLOT_SETTLING, 9);
	assert_int_equal(share_settling(t.share), 1);
	assert_int_equal(slots_surplus(&t.s[1]), 0);
	slot_enter(&t.s[0], &t.slot[2], SLOT_FREE, 0);
	assert_false(slots_reserve(&t.s[0], 1));
	slot_enter(&t.s[1], &t.slot[1], SLOT_FREE, 0);
	slot_enter(&t.s[0], &t.slot[0], SLOT_FREE, 0);
	assert_int_equal(share_used(t.share), 0);
	assert_int_equal(share_settling(t.share), 0);
	assert_int_equal(share_peak(t.share), 3);
	share_unref(&t.share);
}

static void test_request_units(void **state)
{
	struct two t;
	(void)state;
	two_init(&t, SLOT_UNIT_REQUEST, 1);
	take(&t.s[0], &t.slot[0]);
	assert_false(slots_reserve(&t.s[1], 1));
	slot_enter(&t.s[0], &t.slot[0], SLOT_IDLE, 0); /* counts no more */
	assert_int_equal(share_used(t.share), 0);
	take(&t.s[1], &t.slot[1]);
	slot_enter(&t.s[1], &t.slot[1], SLOT_FREE, 0);
	slot_enter(&t.s[0], &t.slot[0], SLOT_FREE, 0);
	assert_int_equal(share_used(t.share), 0);
	share_unref(&t.share);
}

static void test_zombies_of_all(void **state)
{
	struct two t;
	(void)state;
	two_init(&t, SLOT_UNIT_CONNECTION, 4);
	for (int i = 0; i < 2; i++) {
		take(&t.s[i], &t.slot[i]);
		assert_false(slots_is_drained_up(&t.s[0]));
		slot_enter(&t.s[i], &t.slot[i], SLOT_DRAINING, 0);
	}
	assert_true(slots_is_drained_up(&t.s[0]));
	assert_true(slots_is_drained_up(&t.s[1]));
	slot_enter(&t.s[0], &t.slot[0], SLOT_GHOST, 5);
	assert_int_equal(share_zombies(t.share), 2);
	assert_ptr_equal(slots_expire(&t.s[0], 5), &t.slot[0]);
	assert_false(slots_is_drained_up(&t.s[1]));
	slot_enter(&t.s[1], &t.slot[1], SLOT_FREE, 0);
	share_unref(&t.share);
}

static void test_moves_charged(void **state)
{
	struct two t;
	(void)state;
	two_init(&t, SLOT_UNIT_CONNECTION, 1);
	take(&t.s[0], &t.slot[0]);
	slot_enter(&t.s[0], &t.slot[0], SLOT_IDLE, 0);
	slots_move_out(&t.s[0], &t.slot[0]);
	assert_int_equal(slots_used(&t.s[0]), 0);
	assert_int_equal(share_used(t.share), 1);
	assert_false(slots_reserve(&t.s[0], 1));
	slots_move_in(&t.s[1], &t.slot[1]);
	assert_int_equal(slots_used(&t.s[1]), 1);
	slot_enter(&t.s[1], &t.slot[1], SLOT_BUSY, 0);
	slot_enter(&t.s[1], &t.slot[1], SLOT_FREE, 0);
	assert_int_equal(share_used(t.share), 0);
	share_unref(&t.share);
}

static void test_one_queue_bound(void **state)
{
	struct two t;
	struct ticket a = { 0 }, b = { 0 }, c = { 0 };
	(void)state;
	two_init(&t, SLOT_UNIT_CONNECTION, 1);
	assert_int_equal(queue_push(&t.q[0], &a, caller(&t, 0), 2, 0, NS_NEVER), ERR_OK);
	assert_int_equal(
		queue_push(&t.q[1], &b, caller(&t, 1), 2, 0, NS_NEVER), ERR_QUEUE_FULL);
	assert_int_equal(queue_push(&t.q[1], &b, caller(&t, 1), 1, 0, NS_NEVER), ERR_OK);
	assert_int_equal(
		queue_push(&t.q[0], &c, caller(&t, 0), 1, 0, NS_NEVER), ERR_QUEUE_FULL);
	queue_push_front(&t.q[0], &c, caller(&t, 0), 1, 0, NS_NEVER); /* past the bound */
	assert_int_equal(share_waiting(t.share), 4);
	queue_remove(&t.q[0], &a, 0);
	queue_remove(&t.q[1], &b, 0);
	queue_remove(&t.q[0], &c, 0);
	assert_int_equal(share_waiting(t.share), 0);
	assert_int_equal(share_waiting_peak(t.share), 3);
	callers_fini(&t.callers[0]);
	callers_fini(&t.callers[1]);
	share_unref(&t.share);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_limit),
		TEST(test_request_units),
		TEST(test_zombies_of_all),
		TEST(test_moves_charged),
		TEST(test_one_queue_bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

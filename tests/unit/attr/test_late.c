#include "attr/late.h"
#include "made.h"

static enum close_late batch(
	struct late *l, uint32_t open, uint32_t explained, uint64_t counted)
{
	for (uint32_t i = 0; i < open; i++)
		late_add(l, LATE_PART_OPEN);
	for (uint32_t i = 0; i < explained; i++)
		late_add(l, LATE_PART_EXPLAINED);
	late_add(l, LATE_PART_NO);
	assert_int_equal(late_asks(l), open > 0);
	return late_judge(l, counted);
}

static void the_count_tells_late_data_from_a_peer_that_was_first(void **state)
{
	struct late l;

	(void)state;
	late_init(&l, 100);
	assert_int_equal(batch(&l, 3, 0, 100), LATE_NONE);
	assert_int_equal(batch(&l, 3, 0, 103), LATE_ALL);
	assert_int_equal(batch(&l, 3, 0, 104), LATE_SOME);
	assert_int_equal(batch(&l, 3, 0, 104), LATE_NONE);
}

static void what_others_explain_is_taken_off(void **state)
{
	struct late l;

	(void)state;
	late_init(&l, 0);
	late_add(&l, LATE_PART_EXPLAINED);
	assert_false(late_is_ahead(&l, 1));
	assert_true(late_is_ahead(&l, 2));
	assert_int_equal(batch(&l, 1, 1, 2), LATE_NONE);
	assert_int_equal(batch(&l, 1, 2, 5), LATE_ALL);
}

static void a_count_ahead_of_its_record_waits_for_it_and_not_for_ever(void **state)
{
	struct late l;

	(void)state;
	late_init(&l, 0);
	assert_int_equal(batch(&l, 1, 0, 2), LATE_ALL);
	assert_int_equal(batch(&l, 1, 0, 2), LATE_ALL); /* the second */
	assert_int_equal(batch(&l, 1, 0, 5), LATE_ALL);
	late_forget(&l, 6); /* three without a record */
	assert_int_equal(batch(&l, 1, 0, 6), LATE_ALL);
	late_forget(&l, 7); /* the two are gone, not the new one */
	assert_int_equal(batch(&l, 1, 0, 7), LATE_ALL);
	assert_int_equal(batch(&l, 1, 0, 7), LATE_NONE);
}

static void a_batch_whose_count_cannot_be_read_leaves_nothing_to_the_next(void **state)
{
	struct late l;

	(void)state;
	late_init(&l, 0);
	late_add(&l, LATE_PART_OPEN);
	late_skip(&l);
	assert_false(late_asks(&l));
	assert_int_equal(batch(&l, 2, 0, 2), LATE_ALL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_count_tells_late_data_from_a_peer_that_was_first),
		TEST(what_others_explain_is_taken_off),
		TEST(a_count_ahead_of_its_record_waits_for_it_and_not_for_ever),
		TEST(a_batch_whose_count_cannot_be_read_leaves_nothing_to_the_next),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* When an RST is not relied on any more. */
#include "flow/last_word.h"
#include "tests/unit/base/unit.h"

static void test_a_refusal_behind_a_reset(void **state)
{
	struct last_word w = { .state = LAST_WORD_NONE };
	(void)state;
	assert_false(last_word_refused(&w)); /* no RST can have been lost */
	assert_false(last_word_is_fin(&w));
	last_word_reset(&w);
	last_word_reset(&w);
	assert_false(last_word_is_fin(&w));
	assert_true(last_word_refused(&w));
	assert_true(last_word_is_fin(&w));
}

static void test_it_is_told_once_and_stays(void **state)
{
	struct last_word w = { .state = LAST_WORD_NONE };
	(void)state;
	last_word_reset(&w);
	assert_true(last_word_refused(&w));
	assert_false(last_word_refused(&w));
	last_word_reset(&w); /* by a thread that did not know */
	assert_true(last_word_is_fin(&w));
	assert_false(last_word_refused(&w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_refusal_behind_a_reset),
		TEST(test_it_is_told_once_and_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

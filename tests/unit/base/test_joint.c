/* A joint: the last holder is told so, and one thread at a time looks. */
#include "base/joint.h"

#include "unit.h"

#define LOOKS 20000

static void test_last_one(void **state)
{
	struct joint j;
	(void)state;
	joint_init(&j);
	joint_ref(&j);
	joint_ref(&j);
	assert_false(joint_unref(&j));
	assert_false(joint_unref(&j));
	assert_true(joint_unref(&j));
}

static void test_alone(void **state)
{
	struct joint j;
	(void)state;
	joint_init(&j);
	assert_true(joint_unref(&j));
}

/* What stands under the lock, and who let go of it last. */
struct till {
	struct joint joint;
	uint64_t sum, at_end;
	_Atomic uint32_t ended_by;
};

static void *look(void *arg)
{
	struct till *t = arg;
	for (uint32_t i = 0; i < LOOKS; i++) {
		joint_lock(&t->joint);
		t->sum++;
		joint_unlock(&t->joint);
	}
	if (joint_unref(&t->joint)) {
		t->at_end = t->sum; /* all of the other's looks are seen */
		t->ended_by++;
	}
	return NULL;
}

static void test_two_threads(void **state)
{
	struct till t = { .sum = 0 };
	pthread_t other;
	(void)state;
	joint_init(&t.joint);
	joint_ref(&t.joint);
	assert_int_equal(pthread_create(&other, NULL, look, &t), 0);
	look(&t);
	assert_int_equal(pthread_join(other, NULL), 0);
	assert_int_equal(t.ended_by, 1);
	assert_int_equal(t.at_end, 2 * LOOKS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_last_one),
		TEST(test_alone),
		TEST(test_two_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

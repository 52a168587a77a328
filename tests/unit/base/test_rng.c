#include "unit.h"

#include <math.h>

/* First outputs of xoshiro256** seeded by splitmix64(0), from the authors' C code. */
static void test_known(void **state)
{
	(void)state;
	struct rng r;
	rng_init(&r, 0);
	assert_true(r.s[0] == UINT64_C(0xe220a8397b1dcdaf));
	assert_true(r.s[1] == UINT64_C(0x6e789e6aa1b965f4));
	assert_true(r.s[2] == UINT64_C(0x06c45d188009454f));
	assert_true(r.s[3] == UINT64_C(0xf88bb8a8724c81ec));
	r = (struct rng){ { 1, 2, 3, 4 } };
	assert_true(rng_next(&r) == 11520);
	assert_true(rng_next(&r) == 0);
	assert_true(rng_next(&r) == 1509978240);
	assert_true(rng_next(&r) == UINT64_C(1215971899390074240));
}

static void test_same_seed(void **state)
{
	(void)state;
	struct rng a, b, c;
	rng_init(&a, 5);
	rng_init(&b, 5);
	rng_init(&c, 6);
	unsigned equal = 0;
	for (int i = 0; i < 1000; i++) {
		uint64_t draw = rng_next(&a);
		assert_true(draw == rng_next(&b));
		equal += draw == rng_next(&c);
	}
	assert_int_equal(equal, 0);
}

static void test_unit(void **state)
{
	(void)state;
	struct rng r;
	double sum = 0;
	rng_init(&r, test_seed(1));
	for (int i = 0; i < 100000; i++) {
		double u = rng_unit(&r);
		assert_true(u >= 0 && u < 1);
		sum += u;
	}
	assert_true(fabs(sum / 100000 - 0.5) < 0.01); /* 11 deviations */
}

static void test_below(void **state)
{
	(void)state;
	struct rng r;
	rng_init(&r, test_seed(2));
	unsigned counts[7] = { 0 };
	for (int i = 0; i < 70000; i++)
		counts[rng_below(&r, 7)]++;
	for (size_t i = 0; i < 7; i++)
		assert_in_range(counts[i], 9300, 10700); /* 7 deviations */
	unsigned low = 0; /* a plain remainder would put half here, not a third */
	for (int i = 0; i < 30000; i++)
		low += rng_below(&r, UINT64_C(3) << 62) < UINT64_C(1) << 62;
	assert_in_range(low, 9400, 10600);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(rng_below(&r, 1), 0);
		assert_true(rng_below(&r, UINT64_MAX) < UINT64_MAX);
		assert_true(rng_below(&r, (UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
	}
}

static void below_nothing(void)
{
	struct rng r;
	rng_init(&r, 1);
	rng_below(&r, 0);
}

static void test_below_nothing(void **state)
{
	(void)state;
	assert_true(aborts(below_nothing));
}

static void test_exponential(void **state)
{
	(void)state;
	struct rng r;
	rng_init(&r, test_seed(3));
	double sum = 0;
	unsigned beyond = 0;
	for (int i = 0; i < 100000; i++) {
		double x = rng_exponential(&r, 20);
		assert_true(x >= 0 && isfinite(x));
		sum += x;
		beyond += x > 20 * log(10); /* one in ten */
	}
	assert_true(fabs(sum / 100000 - 20) < 0.6); /* 9 deviations */
	assert_in_range(beyond, 9300, 10700);
}

static void test_mix(void **state)
{
	(void)state;
	uint64_t bits = 0;
	assert_true(rng_mix(1, 2) == rng_mix(1, 2));
	for (uint64_t n = 0; n < 1000; n++) {
		assert_true(rng_mix(1, n) != rng_mix(1, n + 1));
		assert_true(rng_mix(1, n) != rng_mix(2, n));
		/* Streams of seeds that are one step of splitmix apart do not meet. */
		assert_true(rng_mix(1 + UINT64_C(0x9e3779b97f4a7c15), n) !=
			    rng_mix(1, n + 1));
		bits += (uint64_t)__builtin_popcountll(rng_mix(1, n) ^ rng_mix(1, n + 1));
	}
	assert_in_range(bits, 31000, 33000); /* half of 64 change */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_known),
		TEST(test_same_seed),
		TEST(test_unit),
		TEST(test_below),
		TEST(test_below_nothing),
		TEST(test_exponential),
		TEST(test_mix),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

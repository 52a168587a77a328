#include "unit.h"

#include "base/compat.h"
#include "base/slab.h"

#define N 3000

static void check_zero(const char *obj, size_t size)
{
	for (size_t i = 0; i < size; i++)
		assert_int_equal(obj[i], 0);
}

static void test_take_give(void **state)
{
	(void)state;
	static const size_t sizes[] = { 1, 8, 16, 17, 100, 4096, 70000 };
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct slab s;
		char *objs[200];
		slab_init(&s, sizes[i], 0);
		for (int round = 0; round < 3; round++) {
			for (size_t k = 0; k < ARRAY_LEN(objs); k++) {
				objs[k] = slab_take(&s);
				assert_int_equal((uintptr_t)objs[k] % 16, 0);
				check_zero(objs[k], sizes[i]);
				memset(objs[k], (int)(k + 1), sizes[i]);
			}
			assert_int_equal(s.out, ARRAY_LEN(objs));
			for (size_t k = 0; k < ARRAY_LEN(objs); k++)
				assert_int_equal(
					(unsigned char)objs[k][sizes[i] - 1], k + 1);
			for (size_t k = 0; k < ARRAY_LEN(objs); k++)
				slab_give(&s, objs[k]);
		}
		slab_fini(&s);
	}
}

static void test_bound(void **state)
{
	(void)state;
	struct slab s;
	void *objs[10];
	slab_init(&s, 64, 10);
	for (size_t i = 0; i < 10; i++)
		assert_non_null(objs[i] = slab_take(&s));
	assert_null(slab_take(&s));
	slab_give(&s, objs[4]);
	assert_ptr_equal(slab_take(&s), objs[4]);
	assert_null(slab_take(&s));
	for (size_t i = 0; i < 10; i++)
		slab_give(&s, objs[i]);
	slab_fini(&s);
}

/* Raw: counted and bounded alike, only that nobody wipes it. */
static void test_raw(void **state)
{
	(void)state;
	struct slab s;
	slab_init(&s, 64, 2);
	char *a = slab_take_raw(&s);
	memset(a, 7, 64);
	slab_give(&s, a);
	assert_ptr_equal(slab_take_raw(&s), a);
	assert_int_equal(a[63], 7);
	slab_give(&s, a);
	assert_ptr_equal(slab_take(&s), a);
	check_zero(a, 64);
	void *b = slab_take_raw(&s);
	assert_non_null(b);
	assert_null(slab_take_raw(&s));
	assert_null(slab_take(&s));
	slab_give(&s, a);
	slab_give(&s, b);
	slab_fini(&s);
}

/* Objects that are out at the same time never overlap, whatever the order. */
static void test_random(void **state)
{
	(void)state;
	struct slab s;
	uint64_t **objs = mem_zalloc(N * sizeof(*objs));
	struct rng r;

	rng_init(&r, test_seed(1));
	slab_init(&s, 40, N / 2);
	for (int i = 0; i < 200000; i++) {
		size_t k = rng_below(&r, N);
		if (objs[k]) {
			for (size_t w = 0; w < 5; w++)
				assert_int_equal(objs[k][w], k);
			slab_give(&s, objs[k]);
			objs[k] = NULL;
			continue;
		}
		objs[k] = slab_take(&s);
		assert_int_equal(objs[k] == NULL, s.out == N / 2 && !objs[k]);
		for (size_t w = 0; objs[k] && w < 5; w++)
			objs[k][w] = k;
	}
	for (size_t k = 0; k < N; k++)
		if (objs[k])
			slab_give(&s, objs[k]);
	slab_fini(&s);
	mem_free(objs);
}

static void test_poison(void **state)
{
	(void)state;
	struct slab s;
	slab_init(&s, 32, 0);
	char *obj = slab_take(&s);
	assert_false(mem_is_poisoned(obj));
	assert_int_equal(mem_is_poisoned(obj + 32), MEM_POISONS); /* its free neighbour */
	slab_give(&s, obj);
	assert_int_equal(mem_is_poisoned(obj), MEM_POISONS);
	assert_ptr_equal(slab_take(&s), obj);
	assert_false(mem_is_poisoned(obj + 31));
	slab_give(&s, obj);
	slab_fini(&s);
}

static void fini_with_object(void)
{
	struct slab s;
	slab_init(&s, 32, 0);
	assert_non_null(slab_take(&s));
	slab_fini(&s);
}

static void give_too_often(void)
{
	struct slab s;
	slab_init(&s, 32, 0);
	void *obj = slab_take(&s);
	slab_give(&s, obj);
	slab_give(&s, obj);
}

static void test_rules(void **state)
{
	(void)state;
	assert_true(aborts(fini_with_object));
	assert_true(aborts(give_too_often));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_take_give),
		TEST(test_bound),
		TEST(test_raw),
		TEST(test_random),
		TEST(test_poison),
		TEST(test_rules),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

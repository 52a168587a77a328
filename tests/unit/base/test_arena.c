#include "unit.h"

#include "base/arena.h"
#include "base/compat.h"

static void test_pieces(void **state)
{
	(void)state;
	struct arena a;
	char *pieces[500];

	arena_init(&a, 1 << 20);
	assert_null(a.chunks); /* an idle owner holds nothing */
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		pieces[i] = arena_alloc(&a, i);
		assert_non_null(pieces[i]);
		assert_int_equal((uintptr_t)pieces[i] % 16, 0);
		memset(pieces[i], (int)i, i);
	}
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
		for (size_t k = 0; k < i; k++)
			assert_int_equal((unsigned char)pieces[i][k], i & 0xff);
	arena_fini(&a);
	assert_null(a.chunks);
}

static void test_bound(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 100);
	assert_int_equal(arena_left(&a), 100);
	assert_non_null(arena_alloc(&a, 33)); /* counts as 48 */
	assert_int_equal(arena_left(&a), 52);
	assert_null(arena_alloc(&a, 53));
	assert_null(arena_alloc(&a, 49)); /* would count as 64 */
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_alloc(&a, SIZE_MAX - 14));
	assert_null(arena_dup(&a, (struct slice){ "", SIZE_MAX }));
	assert_non_null(arena_alloc(&a, 48));
	assert_null(arena_alloc(&a, 0)); /* an empty piece counts too */
	arena_reset(&a);
	assert_int_equal(arena_left(&a), 100);
	assert_non_null(arena_alloc(&a, 96));
	arena_fini(&a);
	arena_init(&a, 0);
	assert_null(arena_alloc(&a, 1));
	arena_fini(&a);
}

static void test_large(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 10 << 20);
	char *small = arena_zalloc(&a, 100);
	char *large = arena_zalloc(&a, 5 << 20);
	assert_non_null(large);
	for (size_t i = 0; i < 5 << 20; i += 4096)
		assert_int_equal(large[i], 0);
	assert_null(arena_zalloc(&a, 6 << 20));
	assert_int_equal(small[99], 0);
	arena_fini(&a);
}

static void test_reset_keeps_first(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 1 << 20);
	arena_reset(&a);
	void *first = arena_alloc(&a, 10);
	for (int round = 0; round < 3; round++) {
		while (arena_alloc(&a, 1000))
			;
		arena_reset(&a);
		assert_ptr_equal(arena_alloc(&a, 10), first);
	}
	arena_fini(&a);
}

static void test_dup(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 64);
	assert_string_equal(arena_dup(&a, SLICE("host")), "host");
	assert_string_equal(arena_dup(&a, SLICE_NONE), "");
	assert_null(arena_dup(&a, SLICE("this text has 33 bytes, one more.")));
	arena_fini(&a);
}

static void test_poison(void **state)
{
	(void)state;
	struct arena a;
	arena_init(&a, 1 << 20);
	char *piece = arena_alloc(&a, 20);
	assert_false(mem_is_poisoned(piece));
	assert_false(mem_is_poisoned(piece + 19));
	assert_int_equal(mem_is_poisoned(piece + 20), MEM_POISONS);
	char *next = arena_alloc(&a, 16);
	assert_int_equal(mem_is_poisoned(next - 1), MEM_POISONS);
	arena_reset(&a);
	assert_int_equal(mem_is_poisoned(piece), MEM_POISONS);
	assert_int_equal(mem_is_poisoned(next), MEM_POISONS);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_pieces),
		TEST(test_bound),
		TEST(test_large),
		TEST(test_reset_keeps_first),
		TEST(test_dup),
		TEST(test_poison),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "unit.h"

#include "base/map.h"

#define MANY 3000

struct thing {
	struct map_node node;
	char key[16];
	bool on;
};

static void test_put_get_remove(void **state)
{
	(void)state;
	struct map m = { .cap = 0 };
	struct thing a = { .key = "a" }, b = { .key = "b" };
	assert_null(map_get(&m, "a"));
	map_put(&m, &a.node, a.key);
	map_put(&m, &b.node, b.key);
	assert_ptr_equal(map_get(&m, "a"), &a.node);
	assert_ptr_equal(map_get(&m, "b"), &b.node);
	assert_null(map_get(&m, "c"));
	map_remove(&m, &a.node);
	assert_null(map_get(&m, "a"));
	assert_ptr_equal(map_get(&m, "b"), &b.node);
	map_put(&m, &a.node, a.key); /* again */
	map_remove(&m, &a.node);
	map_remove(&m, &b.node);
	assert_int_equal(m.len, 0);
	map_fini(&m);
}

/* Put and removed at random, while it grows: all that are on it are found, and no other. */
static void test_many(void **state)
{
	(void)state;
	static struct thing things[MANY];
	struct map m = { .cap = 0 };
	struct rng rng;
	uint32_t len = 0;
	rng_init(&rng, 1);
	for (int i = 0; i < MANY; i++)
		snprintf(things[i].key, sizeof(things[i].key), "host%d", i);
	for (int round = 0; round < 10 * MANY; round++) {
		struct thing *t = &things[rng_below(&rng, MANY)];
		if (t->on)
			map_remove(&m, &t->node);
		else
			map_put(&m, &t->node, t->key);
		t->on = !t->on;
		len += t->on ? 1U : -1U;
		assert_int_equal(m.len, len);
	}
	for (int i = 0; i < MANY; i++) {
		struct thing *t = &things[i];
		assert_ptr_equal(map_get(&m, t->key), t->on ? &t->node : NULL);
		if (t->on)
			map_remove(&m, &t->node);
	}
	map_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_put_get_remove),
		TEST(test_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

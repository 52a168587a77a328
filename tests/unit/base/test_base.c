#include "unit.h"

#include "base/base.h"
#include "base/list.h"

static void fail_check(void)
{
	CHECK(1 + 1 == 3);
}

static void test_check(void **state)
{
	(void)state;
	CHECK(1 + 1 == 2);
	assert_true(aborts(fail_check));
}

static void test_ns(void **state)
{
	(void)state;
	assert_int_equal(ns_add(1, 2), 3);
	assert_int_equal(ns_add(NS_NEVER, 1), NS_NEVER);
	assert_int_equal(ns_add(1, NS_NEVER), NS_NEVER);
	assert_int_equal(ns_add(NS_NEVER, -1), NS_NEVER);
	assert_int_equal(ns_add(NS_NEVER - 1, 1), NS_NEVER);
	assert_int_equal(ns_add(NS_NEVER - 1, 2), NS_NEVER);
	assert_int_equal(ns_min(-1, 1), -1);
	assert_int_equal(ns_max(-1, 1), 1);
}

static void test_mem(void **state)
{
	(void)state;
	char *empty = mem_alloc(0);
	assert_non_null(empty);
	mem_free(empty);
	char *zero = mem_zalloc(64);
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(zero[i], 0);
	zero = mem_realloc(zero, 128);
	mem_free(zero);
	char *copy = mem_strdup("weir");
	assert_string_equal(copy, "weir");
	mem_free(copy);
	mem_free(NULL);
}

struct thing {
	int id;
	struct list_node node;
};

static int id_of(struct list_node *n)
{
	return n ? CONTAINER_OF(n, struct thing, node)->id : 0;
}

static void test_list_order(void **state)
{
	(void)state;
	struct thing a = { .id = 1 }, b = { .id = 2 }, c = { .id = 3 };
	struct list l;

	list_init(&l);
	assert_null(list_front(&l));
	assert_null(list_back(&l));
	assert_null(list_pop_front(&l));
	list_push_back(&l, &b.node);
	list_push_back(&l, &c.node);
	list_push_front(&l, &a.node);
	assert_int_equal(l.len, 3);
	assert_int_equal(id_of(list_front(&l)), 1);
	assert_int_equal(id_of(list_back(&l)), 3);
	list_remove(&l, &b.node);
	assert_false(list_on(&b.node));
	assert_int_equal(id_of(list_pop_front(&l)), 1);
	assert_int_equal(id_of(list_pop_front(&l)), 3);
	assert_int_equal(l.len, 0);
	list_push_front(&l, &b.node); /* what was removed can be put back */
	assert_int_equal(id_of(list_back(&l)), 2);
	list_remove(&l, &b.node);
}

static void test_list_each(void **state)
{
	(void)state;
	struct thing t[5] = { 0 };
	struct list l;
	int sum = 0;

	list_init(&l);
	LIST_EACH (&l, n, after) {
		sum += 100;
	}
	assert_int_equal(sum, 0);
	for (int i = 0; i < 5; i++) {
		t[i].id = i + 1;
		list_push_back(&l, &t[i].node);
	}
	LIST_EACH (&l, n, after) {
		sum = sum * 10 + id_of(n);
		if (id_of(n) % 2)
			list_remove(&l, n);
	}
	assert_int_equal(sum, 12345);
	assert_int_equal(l.len, 2);
}

static void push_twice(void)
{
	struct thing a = { 0 };
	struct list l;
	list_init(&l);
	list_push_back(&l, &a.node);
	list_push_back(&l, &a.node);
}

static void remove_unlisted(void)
{
	struct thing a = { 0 };
	struct list l;
	list_init(&l);
	list_remove(&l, &a.node);
}

static void test_list_rules(void **state)
{
	(void)state;
	assert_true(aborts(push_twice));
	assert_true(aborts(remove_unlisted));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_check),
		TEST(test_ns),
		TEST(test_mem),
		TEST(test_list_order),
		TEST(test_list_each),
		TEST(test_list_rules),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Ports counted by way: taken, lingering, none left; told at half. */
#include "http/ports.h"
#include "tests/unit/base/unit.h"

#define RANGE 10

static uint32_t told;

static void on_half(void *ctx, const struct ports_view *v)
{
	(void)ctx;
	assert_int_equal(v->open + v->lingering, RANGE / 2);
	assert_string_equal(v->name, "a");
	told++;
}

static struct ports *new_ports(void)
{
	const struct ports_cfg cfg = { .range = RANGE,
		.linger_for = PORTS_LINGER_FOR,
		.linger_near_for = NS_S,
		.on_half = on_half };
	told = 0;
	return ports_new(&cfg);
}

static struct ports_view view(struct ports *p, struct ports_way *w, ns_t now)
{
	struct ports_view v;
	ports_view(p, w, now, &v);
	return v;
}

static void test_a_closed_one_lingers(void **state)
{
	(void)state;
	struct ports *p = new_ports();
	struct ports_way *a = ports_hold(p, SLICE("a"), false);
	struct ports_way *b = ports_hold(p, SLICE("b"), false);
	ns_t now = 5000 * NS_S + 500 * NS_MS;
	for (int i = 0; i < RANGE; i++)
		assert_true(ports_take(p, a, now));
	assert_int_equal(told, 1);
	assert_false(ports_take(p, a, now));
	assert_true(ports_take(p, b, now)); /* another destination */
	ports_give(p, a, false, now);
	assert_int_equal(ports_left(p, a, now), 1);
	for (int i = 1; i < RANGE; i++)
		ports_give(p, a, true, now + i * NS_S);
	now += RANGE * NS_S;
	assert_int_equal(view(p, a, now).lingering, RANGE - 1);
	assert_int_equal(ports_left(p, a, now), 1);
	/* each until a minute after its close, and at most a second more */
	now += 50 * NS_S;
	assert_int_equal(view(p, a, now).lingering, RANGE - 1);
	now += 2 * NS_S;
	assert_int_equal(view(p, a, now).lingering, RANGE - 2);
	now += 100 * NS_S;
	assert_int_equal(view(p, a, now).lingering, 0);
	assert_int_equal(ports_left(p, a, now), RANGE);
	ports_give(p, b, false, now);
	ports_unhold(p, &a);
	ports_unhold(p, &b);
	assert_null(a);
	ports_free(&p);
}

/* On loopback the kernel has them again sooner. */
static void test_a_near_one(void **state)
{
	(void)state;
	struct ports *p = new_ports();
	struct ports_way *w = ports_hold(p, SLICE("lo"), true);
	assert_true(ports_take(p, w, NS_S));
	ports_give(p, w, true, NS_S);
	assert_int_equal(ports_left(p, w, NS_S), RANGE - 1);
	assert_int_equal(ports_left(p, w, 3 * NS_S), RANGE);
	ports_unhold(p, &w);
	ports_free(&p);
}

/* Others take ports too: the kernel's word counts, for a second, or until one comes back. */
static void test_the_kernel_has_none(void **state)
{
	(void)state;
	struct ports *p = new_ports();
	struct ports_way *w = ports_hold(p, SLICE("x"), false);
	assert_true(ports_take(p, w, NS_S));
	assert_true(ports_take(p, w, NS_S));
	ports_give_none(p, w, NS_S);
	assert_false(ports_take(p, w, NS_S + NS_MS));
	assert_int_equal(ports_left(p, w, NS_S), 0);
	assert_true(ports_take(p, w, 2 * NS_S));
	ports_give_none(p, w, 2 * NS_S);
	ports_give(p, w, false, 2 * NS_S);
	assert_true(ports_take(p, w, 2 * NS_S));
	ports_give(p, w, false, 2 * NS_S);
	ports_unhold(p, &w);
	ports_free(&p);
}

static void count(void *ctx, const struct ports_view *v)
{
	*(uint32_t *)ctx += v->open + v->lingering;
}

/* One name is one way, whoever holds it; it outlives them while something is taken. */
static void test_ways_come_and_go(void **state)
{
	(void)state;
	struct ports *p = new_ports();
	struct ports_way *w = ports_hold(p, SLICE("x"), false), *same = w, *more = NULL;
	uint32_t taken = 0;
	assert_ptr_equal(ports_hold(p, SLICE("x"), false), w);
	assert_true(ports_take(p, w, NS_S));
	ports_unhold(p, &same);
	same = w;
	ports_unhold(p, &same);
	ports_each(p, NS_S, count, &taken);
	assert_int_equal(taken, 1);
	assert_ptr_equal(ports_hold(p, SLICE("x"), false), w);
	ports_give(p, w, true, NS_S);
	ports_unhold(p, &w);
	for (int i = 0; i < 1000;
		i++) { /* as many hosts as callers of a forward proxy name */
		char name[16];
		snprintf(name, sizeof(name), "%d", i);
		more = ports_hold(p, slice_of(name), false);
		assert_true(ports_take(p, more, 90 * NS_S));
		ports_give(p, more, false, 90 * NS_S);
		ports_unhold(p, &more);
	}
	taken = 0;
	ports_each(p, 90 * NS_S, count, &taken);
	assert_int_equal(taken, 0);
	ports_free(&p);
}

/* Where the range is not known nothing is refused. */
static void test_no_range(void **state)
{
	(void)state;
	const struct ports_cfg cfg = { .range = 0 };
	struct ports *p = ports_new(&cfg);
	struct ports_way *w = ports_hold(p, SLICE("x"), false);
	for (int i = 0; i < 100000; i++)
		assert_true(ports_take(p, w, NS_S));
	for (int i = 0; i < 100000; i++)
		ports_give(p, w, false, NS_S);
	ports_unhold(p, &w);
	ports_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_closed_one_lingers),
		TEST(test_a_near_one),
		TEST(test_the_kernel_has_none),
		TEST(test_ways_come_and_go),
		TEST(test_no_range),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

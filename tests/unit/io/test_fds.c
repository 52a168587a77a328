#include "io/fds.h"
#include "tests/unit/base/unit.h"

static void limit(rlim_t soft, rlim_t hard)
{
	const struct rlimit l = { soft, hard };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &l), 0);
}

static void the_soft_limit_is_raised(void **state)
{
	struct problem p = { 0 };
	struct rlimit l;
	(void)state;

	limit(128, 1024);
	assert_true(fds_ensure(10, "10 connections", &p));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &l), 0);
	assert_int_equal(l.rlim_cur, 128); /* enough: left alone */
	assert_true(fds_ensure(500, "500 connections", &p));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &l), 0);
	assert_int_equal(l.rlim_cur, 500 + FDS_SPARE);
	assert_int_equal(l.rlim_max, 1024);
	assert_string_equal(p.text, "");
}

static void what_fits_is_said(void **state)
{
	struct problem p = { 0 };
	(void)state;

	assert_int_equal(fds_fit(), 1024 - FDS_SPARE);
	assert_false(fds_ensure(20000, "20,000 connections", &p));
	assert_non_null(strstr(p.text, "20,000 connections"));
	assert_non_null(strstr(p.text, "960 connections fit"));
	memset(&p, 0, sizeof(p));
	assert_false(fds_ensure(UINT64_MAX, "all", &p));
	assert_true(fds_ensure(fds_fit(), "what fits", &p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_soft_limit_is_raised),
		TEST(what_fits_is_said),
	};
	return cmocka_run_group_tests_name("fds", tests, NULL, NULL);
}

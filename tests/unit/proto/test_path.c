/* What else a path may be read as. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "proto/path.h"

/* It reads as that; nothing is written behind path.len + 1 bytes. */
static bool reads(
	const char *path, enum path_params params, const char *want, bool climbs)
{
	bool above;
	const size_t room = strlen(path) + 1;
	char *out = mem_alloc(room);
	const struct slice got = path_read(slice_of(path), params, out, &above);
	const bool same = slice_eq(got, slice_of(want)) && above == climbs;
	if (!same)
		print_error("'%s' reads as '%.*s'%s\n", path, SLICE_ARG(got),
			above ? ", from above" : "");
	mem_free(out);
	return same;
}

static void test_what_is_plain_reads_as_it_is(void **state)
{
	static const char *const paths[] = { "/", "/a", "/a/", "/a/b.c", "/a.b/c..d",
		"/a~b/c_d-e/f+g,h=i!j$k&l'm(n)*o:p@q", "/{a}|\"b\"" };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		assert_true(path_is_plain(slice_of(paths[i])));
		assert_true(reads(paths[i], PATH_KEEPS_PARAMS, paths[i], false));
		assert_true(reads(paths[i], PATH_DROPS_PARAMS, paths[i], false));
	}
	assert_true(path_is_plain(SLICE("*")));
	assert_true(path_is_plain(SLICE_NONE));
}

static const struct {
	const char *path, *as, *without;
	bool climbs;
} odd[] = {
	{ "/%61", "/a", "/a", false },
	{ "/%2e", "/", "/", false },
	{ "/a/.", "/a/", "/a/", false },
	{ "/a/./b", "/a/b", "/a/b", false },
	{ "/a/..", "/", "/", false },
	{ "/a/b/../c", "/a/c", "/a/c", false },
	{ "/a/%2E%2e/b", "/b", "/b", false },
	{ "/a%2f..%2Fb", "/b", "/b", false },
	{ "/..", "/", "/", true },
	{ "/../../a", "/a", "/a", true },
	{ "/a/../../b", "/b", "/b", true },
	{ "/a/..\\..\\b", "/b", "/b", true },
	{ "//", "/", "/", false },
	{ "//a", "/a", "/a", false },
	{ "/a//b///", "/a/b/", "/a/b/", false },
	{ "/\\a", "/a", "/a", false },
	{ "/a%5cb", "/a/b", "/a/b", false },
	{ "/...", "/...", "/...", false },
	{ "/.a/..b", "/.a/..b", "/.a/..b", false },
	{ "/a;b/c", "/a;b/c", "/a/c", false },
	{ "/a;b", "/a;b", "/a", false },
	{ "/;b/a", "/;b/a", "/a", false },
	{ "/a/..;/b", "/a/..;/b", "/b", false },
	{ "/..;a=b/..;/c", "/..;a=b/..;/c", "/c", true },
	{ "/a%3bb", "/a;b", "/a;b", false },
	{ "/%252e%252e/a", "/%2e%2e/a", "/%2e%2e/a", false },
	{ "/a%", "/a%", "/a%", false },
	{ "/a%4", "/a%4", "/a%4", false },
	{ "/%zz%4g", "/%zz%4g", "/%zz%4g", false },
};

static void test_what_else_it_may_be(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		const bool climbs = odd[i].climbs;
		const bool params = strchr(odd[i].path, ';') != NULL;
		assert_false(path_is_plain(slice_of(odd[i].path)));
		assert_true(reads(
			odd[i].path, PATH_KEEPS_PARAMS, odd[i].as, climbs && !params));
		assert_true(
			reads(odd[i].path, PATH_DROPS_PARAMS, odd[i].without, climbs));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_plain_reads_as_it_is),
		cmocka_unit_test(test_what_else_it_may_be),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

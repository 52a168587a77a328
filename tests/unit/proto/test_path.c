/* What else a path may be read as. */
#include "tests/unit/base/unit.h"
#include "proto/path.h"

#define ALL \
	(PATH_DECODES | PATH_DECODES_SLASHES | PATH_DECODES_BACKSLASHES | \
		PATH_BACKSLASHES | PATH_MERGES | PATH_DROPS_PARAMS | PATH_TAKES_BACK | \
		PATH_TAKES_BACK_FIRST)
#define KEEPS_PARAMS (ALL & ~(unsigned)PATH_DROPS_PARAMS)

/* It reads as that; nothing is written behind path.len + 1 bytes. */
static bool reads(const char *path, unsigned ways, const char *want, bool climbs)
{
	bool above;
	const size_t room = strlen(path) + 1;
	char *out = mem_alloc(room);
	const struct slice got = path_read(slice_of(path), ways, out, &above);
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
		assert_int_equal(path_ways(slice_of(paths[i])), 0);
		assert_true(reads(paths[i], ALL, paths[i], false));
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
		assert_true(
			reads(odd[i].path, KEEPS_PARAMS, odd[i].as, climbs && !params));
		assert_true(reads(odd[i].path, ALL, odd[i].without, climbs));
		assert_true(reads(odd[i].path, 0, odd[i].path, false));
	}
}

/* By one that does a part of it. */
static void test_each_way_by_itself(void **state)
{
	static const struct {
		const char *path;
		unsigned ways;
		const char *as;
	} some[] = {
		{ "/a/../b//../c", PATH_TAKES_BACK, "/b/c" },
		{ "/a/../b//../c", PATH_TAKES_BACK | PATH_MERGES, "/c" },
		{ "/a/../b//../c", PATH_MERGES, "/a/../b/../c" },
		{ "//", PATH_TAKES_BACK, "//" },
		{ "/a//", PATH_TAKES_BACK, "/a//" },
		{ "/a//..", PATH_TAKES_BACK, "/a/" },
		{ "/%61/%2e%2e/b", PATH_TAKES_BACK, "/%61/%2e%2e/b" },
		{ "/%61/%2e%2e/b", PATH_DECODES, "/a/../b" },
		{ "/%61/%2e%2e/b", PATH_DECODES | PATH_TAKES_BACK, "/b" },
		{ "/a%2Fb%5c/%2e%2e", PATH_DECODES | PATH_TAKES_BACK, "/" },
		{ "/a%2Fb%5c/%2e", PATH_DECODES, "/a%2Fb%5c/." },
		{ "/a%2Fb%5cc", PATH_DECODES | PATH_DECODES_SLASHES, "/a/b%5cc" },
		{ "/a%2Fb%5cc", PATH_DECODES | PATH_DECODES_BACKSLASHES, "/a%2Fb\\c" },
		{ "/a%2Fb%5cc", PATH_DECODES | PATH_BACKSLASHES, "/a%2Fb%5cc" },
		{ "/a%2Fb%5c../c",
			PATH_DECODES | PATH_DECODES_BACKSLASHES | PATH_BACKSLASHES |
				PATH_TAKES_BACK,
			"/c" },
		{ "/a\\..\\b", PATH_TAKES_BACK, "/a\\..\\b" },
		{ "/a\\..\\b", PATH_BACKSLASHES, "/a/../b" },
		{ "/a/;x/../b", PATH_DROPS_PARAMS, "/a//../b" },
		{ "/a/..//b/c//../../d", PATH_TAKES_BACK_FIRST, "//b/d" },
		{ "/a/..//b/c//../../d", PATH_TAKES_BACK_FIRST | PATH_MERGES, "/b/d" },
		{ "/a/..//b/c//../../d", PATH_TAKES_BACK | PATH_MERGES, "/d" },
		{ "/a/../%62/%2e%2e/c", PATH_TAKES_BACK_FIRST | PATH_DECODES, "/b/../c" },
		{ "/a/..;/../b", PATH_TAKES_BACK_FIRST | PATH_DROPS_PARAMS, "/a/b" },
		{ "/a\\b/../c", PATH_TAKES_BACK_FIRST | PATH_BACKSLASHES, "/c" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(some); i++)
		assert_true(reads(some[i].path, some[i].ways, some[i].as, false));
	assert_true(reads("/../a", PATH_TAKES_BACK_FIRST, "/a", true));
	assert_true(reads("/../a", PATH_TAKES_BACK_FIRST | PATH_TAKES_BACK, "/a", true));
}

/* What path_ways leaves out makes no difference. */
static void test_no_way_is_left_out(void **state)
{
	static const char bytes[] = "/.a\\;%2fecE5";
	char path[10], one[sizeof(path) + 1], other[sizeof(path) + 1];
	uint32_t seed = 1;
	(void)state;
	for (int n = 0; n < 8000; n++) {
		const struct slice p = { path, sizeof(path) };
		bool climbs, would;
		for (size_t i = 0; i < sizeof(path); i++) {
			seed = seed * 1664525 + 1013904223;
			path[i] = i ? bytes[(seed >> 16) % (sizeof(bytes) - 1)] : '/';
		}
		const unsigned all = path_ways(p);
		for (unsigned ways = ALL; ways; ways = path_next(ways, ALL)) {
			const struct slice a = path_read(p, ways, one, &climbs);
			const struct slice b = path_read(p, ways & all, other, &would);
			assert_true(slice_eq(a, b) && climbs == would);
		}
		assert_true(slice_eq(path_read(p, 0, one, &climbs), p));
		assert_true(all != 0 || path_is_plain(p));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_plain_reads_as_it_is),
		TEST(test_what_else_it_may_be),
		TEST(test_each_way_by_itself),
		TEST(test_no_way_is_left_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/ascii.h"
#include "unit.h"

static void test_eq(void **state)
{
	(void)state;
	assert_true(slice_eq(SLICE("abc"), slice_of("abc")));
	assert_false(slice_eq(SLICE("abc"), SLICE("abd")));
	assert_false(slice_eq(SLICE("abc"), SLICE("ab")));
	assert_true(slice_eq(SLICE_NONE, SLICE("")));
	assert_true(slice_eq(slice_of(NULL), SLICE_NONE));
	assert_true(slice_eq(SLICE("a\0b"), SLICE("a\0b")));
	assert_false(slice_eq(SLICE("a\0b"), SLICE("a\0c")));
}

static void test_eq_nocase(void **state)
{
	(void)state;
	assert_true(slice_eq_nocase(SLICE("Content-Length"), SLICE("cONTENT-lENGTH")));
	assert_true(slice_eq_nocase(SLICE_NONE, SLICE("")));
	assert_false(slice_eq_nocase(SLICE("a"), SLICE("ab")));
	/* Only letters are folded: these differ in bit 0x20 too. */
	assert_false(slice_eq_nocase(SLICE("@"), SLICE("`")));
	assert_false(slice_eq_nocase(SLICE("["), SLICE("{")));
	assert_false(slice_eq_nocase(SLICE("\xc4"), SLICE("\xe4")));
	for (int c = 0; c < 256; c++) {
		char a = (char)c, b = (char)(c ^ 0x20);
		bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
		assert_int_equal(
			slice_eq_nocase((struct slice){ &a, 1 }, (struct slice){ &b, 1 }),
			letter);
	}
}

static void test_starts_find(void **state)
{
	(void)state;
	assert_true(slice_starts(SLICE("http://x"), SLICE("http://")));
	assert_true(slice_starts(SLICE("x"), SLICE_NONE));
	assert_true(slice_starts(SLICE_NONE, SLICE_NONE));
	assert_false(slice_starts(SLICE("htt"), SLICE("http")));
	assert_int_equal(slice_find(SLICE("a:b:c"), ':'), 1);
	assert_int_equal(slice_find(SLICE("abc"), ':'), 3);
	assert_int_equal(slice_find(SLICE_NONE, ':'), 0);
	assert_int_equal(slice_find(SLICE("a\0b"), '\0'), 1);
}

static void test_cut(void **state)
{
	(void)state;
	assert_slice(slice_cut(SLICE("abcdef"), 2, 3), "cde");
	assert_slice(slice_cut(SLICE("abcdef"), 0, SIZE_MAX), "abcdef");
	assert_slice(slice_cut(SLICE("abcdef"), 5, SIZE_MAX), "f");
	assert_slice(slice_cut(SLICE("abcdef"), 6, 1), "");
	assert_slice(slice_cut(SLICE("abcdef"), SIZE_MAX, SIZE_MAX), "");
	assert_slice(slice_cut(SLICE_NONE, 0, 1), "");
	assert_slice(slice_cut(SLICE_NONE, 3, 1), "");
}

static void test_trim(void **state)
{
	(void)state;
	assert_slice(slice_trim(SLICE(" \t a b\t ")), "a b");
	assert_slice(slice_trim(SLICE("a")), "a");
	assert_slice(slice_trim(SLICE(" \t ")), "");
	assert_slice(slice_trim(SLICE_NONE), "");
	assert_slice(slice_trim(SLICE("\r\na\r\n")), "\r\na\r\n"); /* not OWS */
}

static void check_items(struct slice list, const char *const *items, size_t n)
{
	struct slice item;
	for (size_t i = 0; i < n; i++) {
		assert_true(slice_next_item(&list, &item));
		assert_slice(item, items[i]);
	}
	assert_false(slice_next_item(&list, &item));
	assert_false(slice_next_item(&list, &item));
}

static void test_items(void **state)
{
	(void)state;
	const char *const items[] = { "close", "x y", "te" };
	check_items(SLICE("close, x y ,te"), items, 3);
	check_items(SLICE(",, close,\t,x y,te ,"), items, 3);
	check_items(SLICE("close"), items, 1);
	check_items(SLICE(" , ,"), items, 0);
	check_items(SLICE_NONE, items, 0);
}

static void test_dup(void **state)
{
	(void)state;
	char *copy = slice_dup(slice_cut(SLICE("abcdef"), 1, 2));
	assert_string_equal(copy, "bc");
	mem_free(copy);
	copy = slice_dup(SLICE_NONE);
	assert_string_equal(copy, "");
	mem_free(copy);
}

static void test_percent(void **state)
{
	(void)state;
	assert_int_equal(slice_percent(SLICE("%2F"), 0), '/');
	assert_int_equal(slice_percent(SLICE("a%fFb"), 1), 0xff);
	assert_int_equal(slice_percent(SLICE("%00"), 0), 0);
	static const char *const none[] = { "", "%", "%2", "2F%", "%2G", "%g2", "%-1",
		"%%2F" };
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		assert_int_equal(slice_percent(slice_of(none[i]), 0), -1);
	assert_int_equal(slice_percent(SLICE("%2F"), 9), -1);
}

static void test_ascii(void **state)
{
	(void)state;
	for (int c = -128; c < 256; c++) {
		bool is_char = c > 0;
		const char *digit = strchr("0123456789", c),
			   *hex = strchr("abcdef", c | 0x20);
		assert_int_equal(ascii_is_digit(c), is_char && digit);
		bool is_hex = is_char && c < 0x80 && (digit || hex);
		assert_int_equal(ascii_hex(c) >= 0, is_hex);
		bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z' && is_char &&
			      c < 0x80;
		assert_int_equal(ascii_is_letter(c), letter);
		assert_int_equal(ascii_is_alnum(c), letter || (is_char && digit));
	}
	assert_int_equal(ascii_hex('f'), 15);
	assert_int_equal(ascii_hex('A'), 10);
	assert_int_equal(ascii_lower('Z'), 'z');
	assert_int_equal(ascii_lower('['), '[');
	assert_int_equal(ascii_upper('a'), 'A');
	assert_int_equal(ascii_upper('`'), '`');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_eq),
		TEST(test_eq_nocase),
		TEST(test_starts_find),
		TEST(test_cut),
		TEST(test_trim),
		TEST(test_items),
		TEST(test_dup),
		TEST(test_percent),
		TEST(test_ascii),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

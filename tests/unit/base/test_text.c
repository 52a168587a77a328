#include "unit.h"

static void test_grow(void **state)
{
	(void)state;
	struct text t;
	text_init(&t);
	assert_null(t.ptr);
	assert_int_equal(text_slice(&t).len, 0);
	for (int i = 0; i < 1000; i++)
		text_addf(&t, "%03d,", i);
	assert_int_equal(t.len, 4000);
	assert_int_equal(strlen(t.ptr), 4000);
	assert_memory_equal(t.ptr + 3996, "999,", 5);
	text_reset(&t);
	assert_text(&t, "");
	text_add(&t, "a");
	text_add_char(&t, 'b');
	text_add_slice(&t, SLICE("c\0d"));
	text_add_slice(&t, SLICE_NONE);
	text_add(&t, "");
	assert_int_equal(t.len, 5);
	assert_memory_equal(t.ptr, "abc\0d", 6);
	text_fini(&t);
	assert_null(t.ptr);
	text_fini(&t);
}

static void test_addf_lengths(void **state)
{
	(void)state;
	char word[300];
	for (size_t len = 0; len < 299; len++) { /* across every growth step */
		struct text t;
		text_init(&t);
		memset(word, 'x', len);
		word[len] = '\0';
		text_addf(&t, "%s", word);
		text_addf(&t, "%s", word);
		assert_int_equal(t.len, 2 * len);
		assert_true(t.len < t.cap);
		text_fini(&t);
	}
}

static void test_pad(void **state)
{
	(void)state;
	struct text t;
	text_init(&t);
	text_pad(&t, 3);
	assert_text(&t, "   ");
	text_add(&t, "long line\nab");
	text_pad(&t, 4);
	text_add_char(&t, '|');
	assert_text(&t, "long line\nab  |");
	text_add(&t, "5 \xc2\xb5s");
	text_pad(&t, 6);
	text_add_char(&t, '|');
	assert_text(&t, "5 \xc2\xb5s  |");
	text_add(&t, "wider");
	text_pad(&t, 2);
	assert_text(&t, "wider");
	text_fini(&t);
}

static void test_take(void **state)
{
	(void)state;
	struct text t;
	text_init(&t);
	char *taken = text_take(&t);
	assert_string_equal(taken, "");
	mem_free(taken);
	taken = text_format("%s/%0200d", "a", 7);
	assert_int_equal(strlen(taken), 202);
	assert_string_equal(taken + 199, "007");
	mem_free(taken);
	text_add(&t, "moved");
	taken = text_take(&t);
	assert_string_equal(taken, "moved");
	assert_null(t.ptr);
	assert_int_equal(t.len, 0);
	mem_free(taken);
	text_fini(&t);
}

static void test_wire(void **state)
{
	(void)state;
	char buf[8];
	struct wire w;
	wire_init(&w, buf, sizeof(buf));
	WIRE_LIT(&w, "GET ");
	wire_put_slice(&w, SLICE_NONE);
	wire_put_slice(&w, SLICE("/abc"));
	assert_false(w.over);
	assert_int_equal(w.len, 8);
	wire_put(&w, "x", 1);
	assert_true(w.over);
	assert_int_equal(w.len, 8);
	assert_memory_equal(buf, "GET /abc", 8);
	wire_init(&w, buf, 2);
	wire_put_u64(&w, 100);
	assert_true(w.over);
	assert_int_equal(w.len, 0);
	wire_put_u64(&w, 10);
	assert_true(w.over); /* stays, though this fits */
}

static void test_wire_numbers(void **state)
{
	(void)state;
	static const struct {
		uint64_t n;
		const char *decimal, *hex;
	} rows[] = {
		{ 0, "0", "0" },
		{ 9, "9", "9" },
		{ 10, "10", "a" },
		{ 255, "255", "ff" },
		{ 256, "256", "100" },
		{ UINT64_MAX, "18446744073709551615", "ffffffffffffffff" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char buf[20];
		struct wire w;
		wire_init(&w, buf, sizeof(buf));
		wire_put_u64(&w, rows[i].n);
		assert_slice((struct slice){ buf, w.len }, rows[i].decimal);
		assert_false(w.over);
		wire_init(&w, buf, sizeof(buf));
		wire_put_hex(&w, rows[i].n);
		assert_slice((struct slice){ buf, w.len }, rows[i].hex);
	}
}

/* RFC 4648 10, and bytes above 127. */
static void test_base64(void **state)
{
	(void)state;
	static const char *const pairs[][2] = { { "", "" }, { "f", "Zg==" },
		{ "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
		{ "\xff\xfe\xfb", "//77" } };
	struct text t;
	text_init(&t);
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		text_add_base64(&t, slice_of(pairs[i][0]));
		assert_text(&t, pairs[i][1]);
		assert_true(text_add_unbase64(&t, slice_of(pairs[i][1])));
		assert_text(&t, pairs[i][0]);
	}
	text_fini(&t);
}

static void test_what_is_no_base64_adds_nothing(void **state)
{
	(void)state;
	static const char *const wrong[] = { "Zg=", "Zg", "Zm9v ",
		"Zg==Zg==", "Z===", "====", "Zm9vZ\xff==", "Zh==", "Zm9=", "Zm\n9" };
	struct text t;
	text_init(&t);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		text_add(&t, "before");
		if (text_add_unbase64(&t, slice_of(wrong[i])))
			fail_msg("\"%s\" is taken", wrong[i]);
		assert_text(&t, "before");
	}
	assert_false(text_add_unbase64(&t, (struct slice){ "Zm\0v", 4 }));
	text_fini(&t);
}

static void test_shown(void **state)
{
	/* A line's direction, its end, what hides, tags, and what is no character. */
	static const char *const hidden[] = { "", "\n", "\t", "\x1b", "\x7f", "\xc2\x80",
		"\xc2\x85", "\xc2\x9f", "\u00ad", "\u061c", "\u180e", "\u200b", "\u200e",
		"\u200f", "\u2028", "\u2029", "\u202a", "\u202e", "\u2060", "\u2066",
		"\u2069", "\u206a", "\u206f", "\ufeff", "\ufff9", "\ufffb", "\U00013430",
		"\U0001bca0", "\U0001d173", "\U000e0001", "\U000e0041", "\U000e007f",
		"\xc0\x80", "\xed\xa0\x80", "\xe2\x80", "\x80", "\xff" };
	static const char *const shown[] = { " ", "~", "\u00a0", "\u00ac", "\u00ae",
		"\u061b", "\u0600", "\u06dd", "\u200c", "\u200d", "\u2010", "\u2027",
		"\u202f", "\u205f", "\u2070", "\ufffd", "\U0001f600", "\U000e0100" };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hidden); i++)
		if (text_shown_len(slice_of(hidden[i])))
			fail_msg("number %zu is shown", i);
	for (size_t i = 0; i < ARRAY_LEN(shown); i++)
		if (text_shown_len(slice_of(shown[i])) != strlen(shown[i]))
			fail_msg("\"%s\" is not shown", shown[i]);
	assert_int_equal(text_shown_len(SLICE("ab")), 1);
}

static void test_tidy(void **state)
{
	static const char *const pairs[][2] = { { "", "" }, { " \t a \r\n\n b ", "a b" },
		{ "\x1b[2J\x7f", "?[2J?" }, { "\xc2\x9b", "?" },
		{ "\xc2\xa0", "\xc2\xa0" }, { "\xe2\x80\x8e\xe2\x80\x8f", "??" },
		{ "\xe2\x80\x8d\xe2\x80\x90", "\xe2\x80\x8d\xe2\x80\x90" },
		{ "a\xe2\x80\xa8\xe2\x80\xae", "a??" },
		{ "\xe2\x80\xa7\xe2\x80\xaf", "\xe2\x80\xa7\xe2\x80\xaf" },
		{ "\xe2\x81\xa6\xe2\x81\xa9", "??" },
		{ "Gr\xc3\xbc\xc3\x9f", "Gr\xc3\xbc\xc3\x9f" }, { "a\xc3", "a?" },
		{ "\xff\xfe", "??" }, { "1234567890", "123456789" },
		{ "12345678\xc3\xbc", "12345678" }, { "12345678 0", "12345678" } };
	char out[10];
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		text_tidy(slice_of(pairs[i][0]), out, sizeof(out));
		assert_string_equal(out, pairs[i][1]);
	}
	text_tidy((struct slice){ "a\0b", 3 }, out, sizeof(out));
	assert_string_equal(out, "a?b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_grow),
		TEST(test_addf_lengths),
		TEST(test_pad),
		TEST(test_take),
		TEST(test_wire),
		TEST(test_wire_numbers),
		TEST(test_base64),
		TEST(test_what_is_no_base64_adds_nothing),
		TEST(test_shown),
		TEST(test_tidy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/unit/base/unit.h"

#include <jansson.h>

#include "obs/words.h"

static int setup(void **state)
{
	*state = words_new();
	return 0;
}

static int teardown(void **state)
{
	struct words *w = *state;
	words_free(&w);
	assert_null(w);
	return 0;
}

static void answer(struct words *w, uint16_t status, const char *text, ns_t now)
{
	words_add(w, ERR_OK, status, slice_of(text), 0, now);
}

static void assert_words(const struct words_entry *e, const char *text)
{
	assert_non_null(e);
	assert_int_equal(e->text_len, strlen(text));
	assert_memory_equal(e->text, text, e->text_len);
}

static void test_empty(void **state)
{
	struct words *w = *state;
	assert_null(words_nth(w, 0));
	assert_int_equal(words_dropped(w), 0);
}

static void test_digits_fold_into_one_entry(void **state)
{
	struct words *w = *state;
	answer(w, 500, "request 17 failed", 10);
	answer(w, 500, "request 18 failed", 20);
	answer(w, 500, "request 1234567 failed", 30);
	const struct words_entry *e = words_nth(w, 0);
	assert_words(e, "request 17 failed");
	assert_int_equal(e->count, 3);
	assert_int_equal(e->first, 10);
	assert_int_equal(e->last, 30);
	assert_null(words_nth(w, 1));
}

static void test_ledgers_are_merged(void **state)
{
	struct words *w = *state, *other = words_new();
	answer(w, 500, "request 17 failed", 20);
	answer(w, 502, "only here", 30);
	answer(other, 500, "request 18 failed", 10);
	answer(other, 500, "request 19 failed", 40);
	words_add(other, ERR_OK, 503, SLICE("full"), WORDS_REFUSAL, 15);
	words_merge(w, other);
	const struct words_entry *e = words_nth(w, 0);
	assert_words(e, "request 17 failed");
	assert_int_equal(e->count, 3);
	assert_int_equal(e->first, 10);
	assert_int_equal(e->last, 40);
	e = words_nth(w, 1);
	assert_words(e, "full");
	assert_true(e->refusal);
	assert_int_equal(e->first, 15);
	assert_words(words_nth(w, 2), "only here");
	assert_null(words_nth(w, 3));
	assert_int_equal(words_nth(other, 0)->count, 2);
	words_free(&other);
}

static void test_what_another_ledger_told_is_added(void **state)
{
	struct words *w = *state;
	answer(w, 503, "full since 20 s", 20);
	const struct words_many many = { .status = 503,
		.text = SLICE("full since 5 s"),
		.marks = WORDS_REFUSAL,
		.count = 40,
		.first = 5,
		.last = 17 };
	words_add_many(w, &many);
	words_add_dropped(w, 3);
	const struct words_entry *e = words_nth(w, 0);
	assert_words(e, "full since 20 s");
	assert_int_equal(e->count, 41);
	assert_int_equal(e->first, 5);
	assert_int_equal(e->last, 20);
	assert_true(e->refusal);
	assert_null(words_nth(w, 1));
	assert_int_equal(words_dropped(w), 3);
}

static void test_what_differs_is_kept_apart(void **state)
{
	struct words *w = *state;
	answer(w, 500, "a1b", 1);
	answer(w, 500, "ab", 2);    /* no digits at all */
	answer(w, 500, "a1b ", 3);  /* longer */
	answer(w, 503, "a1b", 4);   /* another status */
	answer(w, 500, "a1.b2", 5); /* another word */
	answer(w, 500, "", 6);      /* no text */
	words_add(w, ERR_RESET, 0, SLICE_NONE, 0, 7);
	words_add(w, ERR_PIPE, 0, SLICE_NONE, 0, 8);
	for (uint32_t n = 0; n < 8; n++) {
		const struct words_entry *e = words_nth(w, n);
		assert_non_null(e);
		assert_int_equal(e->count, 1);
		assert_int_equal(e->first, n + 1); /* ties: the first seen first */
	}
	assert_null(words_nth(w, 8));
}

static void test_most_frequent_first(void **state)
{
	struct words *w = *state;
	answer(w, 500, "once", 1);
	for (int i = 0; i < 3; i++)
		answer(w, 502, "thrice", 2);
	for (int i = 0; i < 2; i++)
		answer(w, 503, "twice", 3);
	assert_words(words_nth(w, 0), "thrice");
	assert_words(words_nth(w, 1), "twice");
	assert_words(words_nth(w, 2), "once");
	for (int i = 0; i < 3; i++)
		answer(w, 500, "once", 4);
	assert_words(words_nth(w, 0), "once");
}

static void test_text_is_cut_at_its_bound(void **state)
{
	struct words *w = *state;
	char long_text[WORDS_TEXT_BYTES + 100];
	memset(long_text, 'x', sizeof(long_text));
	struct slice s = { long_text, sizeof(long_text) };
	words_add(w, ERR_OK, 500, s, 0, 1);
	/* Past the bound nothing counts: the ledger never saw it. */
	long_text[WORDS_TEXT_BYTES + 50] = 'y';
	words_add(w, ERR_OK, 500, s, 0, 2);
	const struct words_entry *e = words_nth(w, 0);
	assert_int_equal(e->text_len, WORDS_TEXT_BYTES);
	assert_memory_equal(e->text, long_text, WORDS_TEXT_BYTES);
	assert_int_equal(e->count, 2);
}

static void test_bytes_are_verbatim(void **state)
{
	struct words *w = *state;
	const char raw[] = "\0\xff\r\n\x1b[31m";
	words_add(w, ERR_OK, 500, (struct slice){ raw, sizeof(raw) }, 0, 1);
	const struct words_entry *e = words_nth(w, 0);
	assert_int_equal(e->text_len, sizeof(raw));
	assert_memory_equal(e->text, raw, sizeof(raw));
}

static void test_the_refusal_mark_stays(void **state)
{
	struct words *w = *state;
	words_add(w, ERR_OK, 503, SLICE("full"), WORDS_REFUSAL, 1);
	words_add(w, ERR_OK, 503, SLICE("full"), 0, 2);
	assert_true(words_nth(w, 0)->refusal);
}

/* 26^2 names without digits, so that none folds into another. */
static void unlike(char out[4], int n)
{
	out[0] = 'n';
	out[1] = (char)('a' + n / 26);
	out[2] = (char)('a' + n % 26);
	out[3] = '\0';
}

static void test_the_rarest_and_stalest_makes_room(void **state)
{
	struct words *w = *state;
	char name[4];
	for (int n = 0; n < 64; n++) {
		unlike(name, n);
		answer(w, 500, name, n);
		if (n != 5 && n != 9)
			answer(w, 500, name, 100 + n);
	}
	answer(w, 500, "newcomer", 1000); /* 5 and 9 were seen once; 5 earlier */
	assert_int_equal(words_dropped(w), 1);
	bool saw5 = false, saw9 = false, saw_new = false;
	for (uint32_t n = 0; n < 64; n++) {
		const struct words_entry *e = words_nth(w, n);
		assert_non_null(e);
		unlike(name, 5);
		saw5 |= e->text_len == 3 && !memcmp(e->text, name, 3);
		unlike(name, 9);
		saw9 |= e->text_len == 3 && !memcmp(e->text, name, 3);
		saw_new |= e->text_len == 8;
	}
	assert_false(saw5);
	assert_true(saw9);
	assert_true(saw_new);
	assert_null(words_nth(w, 64));
}

/* Whatever comes: what is told and what was dropped is all that was added. */
static void test_nothing_is_lost_from_the_count(void **state)
{
	struct words *w = *state;
	char name[4];
	for (int i = 0; i < 5000; i++) {
		unlike(name, (i * 7919) % 300);
		answer(w, (uint16_t)(500 + i % 3), name, i);
	}
	uint64_t told = 0;
	const struct words_entry *e;
	for (uint32_t n = 0; (e = words_nth(w, n)); n++)
		told += e->count;
	assert_int_equal(told + words_dropped(w), 5000);
}

static void test_json(void **state)
{
	struct words *w = *state;
	struct text t;
	struct json j;
	words_add(w, ERR_OK, 503, SLICE("no \"slot\""), WORDS_REFUSAL, 3 * NS_MS);
	words_add(w, ERR_OK, 503, SLICE("no \"slot\""), WORDS_REFUSAL, 5 * NS_MS);
	words_add(w, ERR_RESET, 0, SLICE_NONE, 0, 4 * NS_MS);
	text_init(&t);
	json_init(&j, &t, false);
	json_object(&j, NULL);
	words_json(&j, "errors", w, 1 * NS_MS);
	json_end(&j);

	json_t *doc = json_loadb(t.ptr, t.len, 0, NULL);
	assert_non_null(doc);
	json_t *errors = json_object_get(doc, "errors");
	assert_int_equal(json_array_size(errors), 2);
	json_t *first = json_array_get(errors, 0), *second = json_array_get(errors, 1);
	assert_string_equal(json_string_value(json_object_get(first, "kind")), "status");
	assert_int_equal(json_integer_value(json_object_get(first, "status")), 503);
	assert_int_equal(json_integer_value(json_object_get(first, "count")), 2);
	assert_true(json_number_value(json_object_get(first, "first_ms")) == 2);
	assert_true(json_number_value(json_object_get(first, "last_ms")) == 4);
	assert_string_equal(
		json_string_value(json_object_get(first, "text")), "no \"slot\"");
	assert_true(json_is_true(json_object_get(first, "refusal")));
	assert_string_equal(json_string_value(json_object_get(second, "kind")), "reset");
	assert_true(json_is_null(json_object_get(second, "status")));
	assert_true(json_is_null(json_object_get(second, "text")));
	assert_true(json_is_false(json_object_get(second, "refusal")));
	json_decref(doc);
	text_fini(&t);
}

static void assert_said(struct words *w, const char *text, const char *base64)
{
	struct text t;
	struct json j;
	text_init(&t);
	json_init(&j, &t, false);
	json_object(&j, NULL);
	words_json(&j, "words", w, 0);
	json_end(&j);
	json_t *doc = json_loadb(t.ptr, t.len, JSON_ALLOW_NUL, NULL);
	assert_non_null(doc);
	json_t *all = json_object_get(doc, "words");
	assert_int_equal(json_array_size(all), 1);
	json_t *one = json_array_get(all, 0), *bytes = json_object_get(one, "base64");
	assert_int_equal(json_is_null(json_object_get(one, "text")), !text);
	assert_int_equal(bytes == NULL, !base64);
	if (base64)
		assert_string_equal(json_string_value(bytes), base64);
	json_decref(doc);
	text_fini(&t);
}

/* Codings of one text differ in their bytes, such as gzip's time. */
static void test_a_coded_text_is_one_whatever_its_bytes(void **state)
{
	struct words *w = *state;
	words_add(w, ERR_OK, 503, SLICE("\x1f\x8b\x01"), WORDS_CODED, 1);
	words_add(w, ERR_OK, 503, SLICE("\x1f\x8b\x02"), WORDS_CODED, 2);
	assert_int_equal(words_nth(w, 0)->count, 2);
	assert_said(w, NULL, "H4sB");
	struct words *other = words_new();
	words_merge(other, w);
	words_add(other, ERR_OK, 503, SLICE("abc"), WORDS_CODED, 3);
	assert_int_equal(words_nth(other, 0)->count, 3);
	words_add(other, ERR_OK, 503, SLICE("abc"), 0, 3);
	assert_int_equal(words_nth(other, 1)->count, 1);
	words_free(&other);
}

static void test_bytes_that_are_no_text_are_told_as_bytes(void **state)
{
	struct words *w = *state;
	words_add(w, ERR_OK, 500, SLICE("\xb0\xfa"), 0, 1);
	assert_said(w, "", "sPo=");
}

/* The bound may cut a character. */
static void test_a_long_text_is_text(void **state)
{
	struct words *w = *state;
	char text[WORDS_TEXT_BYTES + 1] = "x";
	for (size_t i = 1; i < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xbc", 2);
	words_add(w, ERR_OK, 500, (struct slice){ text, sizeof(text) }, 0, 1);
	assert_said(w, "", NULL);
}

static void test_the_first_exchange_is_the_sample(void **state)
{
	struct words *w = *state, *other = words_new(), *third = words_new();
	struct words_sample *s = words_add(w, ERR_OK, 500, SLICE("no 1"), 0, 20);
	assert_non_null(s);
	snprintf(s->method, sizeof(s->method), "GET");
	assert_null(words_add(w, ERR_OK, 500, SLICE("no 2"), 0, 30));
	s = words_add(other, ERR_OK, 500, SLICE("no 3"), 0, 10);
	snprintf(s->method, sizeof(s->method), "PUT");
	words_merge(third, w);
	assert_string_equal(words_nth(third, 0)->sample.method, "GET");
	words_merge(third, other);
	assert_string_equal(words_nth(third, 0)->sample.method, "PUT");
	words_free(&other);
	words_free(&third);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_AROUND(test_empty),
		TEST_AROUND(test_digits_fold_into_one_entry),
		TEST_AROUND(test_ledgers_are_merged),
		TEST_AROUND(test_what_another_ledger_told_is_added),
		TEST_AROUND(test_the_first_exchange_is_the_sample),
		TEST_AROUND(test_what_differs_is_kept_apart),
		TEST_AROUND(test_most_frequent_first),
		TEST_AROUND(test_text_is_cut_at_its_bound),
		TEST_AROUND(test_bytes_are_verbatim),
		TEST_AROUND(test_the_refusal_mark_stays),
		TEST_AROUND(test_the_rarest_and_stalest_makes_room),
		TEST_AROUND(test_nothing_is_lost_from_the_count),
		TEST_AROUND(test_json),
		TEST_AROUND(test_a_coded_text_is_one_whatever_its_bytes),
		TEST_AROUND(test_bytes_that_are_no_text_are_told_as_bytes),
		TEST_AROUND(test_a_long_text_is_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Bodies: every chunked sample whole, at every cut, at every pair of cuts, byte by byte, and
 * with a caller who takes less than is offered. */
#include "tests/unit/base/unit.h"
#include "proto/h1.h"
#include "samples.h"

#define PAIRS_BELOW 300 /* every pair of cuts in samples shorter than this */

static const char *corpus;

struct run {
	struct h1_decoder d;
	struct text data;
	size_t used;
	enum h1_result r;
};

static void run_init(struct run *run, enum h1_body body, uint64_t length)
{
	h1_decoder_init(&run->d, body, length);
	text_reset(&run->data);
	run->used = 0;
	run->r = run->d.done ? H1_DONE : H1_PARTIAL;
}

/* Feeds bytes as a caller does: until nothing is used or all is done. */
static void feed(struct run *run, struct guard *g, struct slice bytes)
{
	struct slice in = guard_put(g, bytes);
	size_t used = 1;
	while (run->r == H1_PARTIAL && used) {
		struct slice data;
		run->r = h1_decode(&run->d, in, &used, &data);
		assert_true(used <= in.len && data.len <= used);
		if (data.len)
			assert_ptr_equal(data.ptr + data.len, in.ptr + used);
		assert_int_equal(run->d.done, run->r == H1_DONE);
		text_add_slice(&run->data, data);
		run->used += used;
		in = slice_cut(in, used, in.len);
	}
	if (run->r == H1_PARTIAL)
		assert_int_equal(in.len, 0);
}

static bool same(const struct run *a, const struct run *b)
{
	return a->r == b->r && slice_eq(text_slice(&a->data), text_slice(&b->data)) &&
	       (a->r == H1_BAD || a->used == b->used);
}

static void feed_cut(
	struct run *run, struct guard *g, struct slice all, size_t a, size_t b)
{
	run_init(run, H1_BODY_CHUNKED, 0);
	feed(run, g, slice_cut(all, 0, a));
	feed(run, g, slice_cut(all, a, b - a));
	feed(run, g, slice_cut(all, b, all.len));
}

/* Takes `most` bytes of payload at a time and gives the rest back. */
static void feed_slowly(struct run *run, struct slice all, size_t most)
{
	size_t used = 1;
	run_init(run, H1_BODY_CHUNKED, 0);
	while (run->r == H1_PARTIAL && used) {
		struct slice data;
		run->r = h1_decode(&run->d, all, &used, &data);
		size_t rest = data.len > most ? data.len - most : 0;
		h1_decoder_untake(&run->d, rest);
		if (rest && run->r == H1_DONE)
			run->r = H1_PARTIAL;
		used -= rest;
		text_add_slice(&run->data, slice_cut(data, 0, data.len - rest));
		run->used += used;
		all = slice_cut(all, used, all.len);
	}
}

static int expect(const struct sample *s, const struct run *run)
{
	static const char *const verdicts[] = { "ok", "partial", "bad" };
	struct text want = { 0 };
	bool has = sample_key(s, "data", &want);
	uint64_t used = sample_number(s, "used", s->bytes.len);
	bool right = has && strcmp(verdicts[run->r], s->verdict) == 0 &&
		     slice_eq(text_slice(&want), text_slice(&run->data)) &&
		     (run->r == H1_BAD || run->used == used);
	if (!right)
		fprintf(stderr, "%s: %s, %zu bytes of data, %zu used\n", s->name,
			verdicts[run->r], run->data.len, run->used);
	text_fini(&want);
	return !right;
}

static int check_sample(
	const struct sample *s, struct guard *g, struct run *whole, struct run *part)
{
	struct slice all = text_slice(&s->bytes);
	int faults;
	feed_cut(whole, g, all, all.len, all.len);
	faults = expect(s, whole);
	for (size_t a = 0; a <= all.len; a++) {
		size_t last = all.len < PAIRS_BELOW ? all.len : a;
		for (size_t b = a; b <= last; b++) {
			feed_cut(part, g, all, a, b);
			if (!same(part, whole)) {
				fprintf(stderr, "%s: cut at %zu and %zu\n", s->name, a,
					b);
				faults++;
			}
		}
	}
	run_init(part, H1_BODY_CHUNKED, 0);
	for (size_t i = 0; i < all.len; i++)
		feed(part, g, slice_cut(all, i, 1));
	faults += !same(part, whole);
	for (size_t most = 1; most < 4; most++) {
		feed_slowly(part, all, most);
		faults += !same(part, whole);
	}
	return faults;
}

static void test_chunked_samples(void **state)
{
	struct samples all;
	struct guard g;
	struct run whole = { 0 }, part = { 0 };
	int faults = 0;
	(void)state;
	samples_load(&all, corpus, "chunked");
	guard_init(&g, 65536);
	for (size_t i = 0; i < all.count; i++)
		faults += check_sample(&all.v[i], &g, &whole, &part);
	print_message("%zu samples\n", all.count);
	text_fini(&whole.data);
	text_fini(&part.data);
	guard_fini(&g);
	samples_fini(&all);
	assert_int_equal(faults, 0);
}

static void decode(struct h1_decoder *d, const char *in, enum h1_result r, size_t used,
	const char *payload)
{
	size_t is_used;
	struct slice data;
	assert_int_equal(h1_decode(d, slice_of(in), &is_used, &data), r);
	assert_int_equal(is_used, used);
	assert_true(slice_eq(data, slice_of(payload)));
}

static void test_length(void **state)
{
	struct h1_decoder d;
	(void)state;
	h1_decoder_init(&d, H1_BODY_LENGTH, 5);
	assert_false(d.done);
	decode(&d, "", H1_PARTIAL, 0, "");
	decode(&d, "hel", H1_PARTIAL, 3, "hel");
	assert_int_equal(h1_decoder_eof(&d), H1_BAD);
	decode(&d, "loGET", H1_DONE, 2, "lo");
	assert_true(d.done);
	decode(&d, "GET", H1_DONE, 0, "");
	assert_int_equal(h1_decoder_eof(&d), H1_DONE);
}

static void test_nothing_to_decode(void **state)
{
	struct h1_decoder d;
	(void)state;
	h1_decoder_init(&d, H1_BODY_LENGTH, 0);
	assert_true(d.done);
	decode(&d, "GET", H1_DONE, 0, "");
	h1_decoder_init(&d, H1_BODY_NONE, 0);
	assert_true(d.done);
	decode(&d, "GET", H1_DONE, 0, "");
	assert_int_equal(h1_decoder_eof(&d), H1_DONE);
}

static void test_until_close(void **state)
{
	static const enum h1_body bodies[] = { H1_BODY_CLOSE, H1_BODY_TUNNEL };
	struct h1_decoder d;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		h1_decoder_init(&d, bodies[i], 0);
		assert_false(d.done);
		decode(&d, "abc", H1_PARTIAL, 3, "abc");
		h1_decoder_untake(&d, 2);
		decode(&d, "bc", H1_PARTIAL, 2, "bc");
		assert_int_equal(h1_decoder_eof(&d), H1_DONE);
		assert_true(d.done);
		decode(&d, "abc", H1_DONE, 0, "");
	}
}

static void test_untake(void **state)
{
	struct h1_decoder d;
	(void)state;
	h1_decoder_init(&d, H1_BODY_LENGTH, 5);
	decode(&d, "hello", H1_DONE, 5, "hello");
	h1_decoder_untake(&d, 2);
	assert_false(d.done);
	assert_int_equal(h1_decoder_eof(&d), H1_BAD);
	decode(&d, "lo", H1_DONE, 2, "lo");
	h1_decoder_untake(&d, 0);
	assert_true(d.done);

	h1_decoder_init(&d, H1_BODY_CHUNKED, 0);
	decode(&d, "3\r\nabc\r\n", H1_PARTIAL, 6, "abc");
	h1_decoder_untake(&d, 3);
	decode(&d, "abc\r\n", H1_PARTIAL, 3, "abc");
	decode(&d, "\r\n0\r\n\r\n", H1_DONE, 7, "");
}

/* A message that breaks off is never whole, wherever it breaks (RFC 9112 8). */
static void test_chunked_eof(void **state)
{
	static const char whole[] = "3;x\r\nabc\r\n0\r\nT: v\r\n\r\n";
	(void)state;
	for (size_t len = 0; len < sizeof(whole); len++) {
		struct run run = { 0 };
		struct guard g;
		guard_init(&g, 64);
		run_init(&run, H1_BODY_CHUNKED, 0);
		feed(&run, &g, (struct slice){ whole, len });
		bool all = len == sizeof(whole) - 1;
		assert_int_equal(run.r, all ? H1_DONE : H1_PARTIAL);
		assert_int_equal(h1_decoder_eof(&run.d), all ? H1_DONE : H1_BAD);
		text_fini(&run.data);
		guard_fini(&g);
	}
}

static void test_bad_stays_bad(void **state)
{
	struct h1_decoder d;
	(void)state;
	h1_decoder_init(&d, H1_BODY_CHUNKED, 0);
	decode(&d, "x", H1_BAD, 1, "");
	decode(&d, "0\r\n\r\n", H1_BAD, 0, "");
	assert_int_equal(h1_decoder_eof(&d), H1_BAD);
	assert_false(d.done);
}

/* Sizes of more than 32 bits are not cut. */
static void test_large_sizes(void **state)
{
	struct h1_decoder d;
	(void)state;
	h1_decoder_init(&d, H1_BODY_CHUNKED, 0);
	decode(&d, "100000001\r\nab", H1_PARTIAL, 13, "ab");
	assert_true(d.left == 0x100000001 - 2);
	h1_decoder_init(&d, H1_BODY_CHUNKED, 0);
	decode(&d, "7fffffffffffffff\r\nab", H1_PARTIAL, 20, "ab");
	assert_true(d.left == INT64_MAX - 2);
	h1_decoder_init(&d, H1_BODY_CHUNKED, 0);
	decode(&d, "8000000000000000\r\nab", H1_BAD, 16, "");
	h1_decoder_init(&d, H1_BODY_LENGTH, UINT64_MAX);
	decode(&d, "ab", H1_PARTIAL, 2, "ab");
	assert_true(d.left == UINT64_MAX - 2);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_chunked_samples),
		TEST(test_length),
		TEST(test_nothing_to_decode),
		TEST(test_until_close),
		TEST(test_untake),
		TEST(test_chunked_eof),
		TEST(test_bad_stays_bad),
		TEST(test_large_sizes),
	};
	CHECK(argc == 2);
	corpus = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Heads that are built, not kept as files: each byte value in each place, the default limits
 * at their boundaries, names, words. */
#include <ctype.h>
#include "tests/unit/base/unit.h"
#include "proto/h1.h"
#include "samples.h"

static struct h1_head head;
static enum err why;
static size_t used;

static enum h1_result request(struct slice in, const struct h1_limits *limits)
{
	struct h1_scan scan = { 0 };
	return h1_parse_request(&scan, in, limits, &head, &used, &why);
}

static enum h1_result response(struct slice in)
{
	struct h1_scan scan = { 0 };
	return h1_parse_response(&scan, in, NULL, H1_GET, &head, &used, &why);
}

/* The verdict on before + byte + after. */
static enum h1_result with_byte(const char *before, int byte, const char *after, bool res)
{
	struct text t = { 0 };
	text_add(&t, before);
	text_add_char(&t, (char)byte);
	text_add(&t, after);
	enum h1_result r = res ? response(text_slice(&t)) : request(text_slice(&t), NULL);
	text_fini(&t);
	return r;
}

/* The sets are written out here once more, independent of the parser's table. */
static bool in_set(int byte, const char *set)
{
	return byte != 0 && strchr(set, byte) != NULL;
}

#define ALNUM "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define TCHARS "!#$%&'*+-.^_`|~" ALNUM

static void test_each_byte_in_a_name(void **state)
{
	(void)state;
	for (int b = 0; b < 256; b++) {
		bool good = in_set(b, TCHARS) || b == ':'; /* "N::" is name, value ":" */
		bool blank = b == ' ' || b == '\t';        /* taken away in answers */
		char one = (char)b;
		assert_int_equal(with_byte("GET / HTTP/1.1\r\nHost: a\r\nN", b,
					 ": v\r\n\r\n", false),
			good ? H1_DONE : H1_BAD);
		assert_int_equal(
			with_byte("HTTP/1.1 200 OK\r\nN", b, ": v\r\n\r\n", true),
			good || blank ? H1_DONE : H1_BAD);
		assert_int_equal(
			h1_is_token((struct slice){ &one, 1 }), in_set(b, TCHARS));
	}
	assert_false(h1_is_token(SLICE_NONE));
	assert_true(h1_is_token(SLICE("Sixteen-Byte-Nam-and-more_than.that")));
	assert_false(h1_is_token(SLICE("Sixteen-Byte-Nam-and-more_than that")));
}

/* At a place of its own in a vector of 16, and in the bytes after the last vector. */
static void each_byte_in_a_value(const char *before, const char *after)
{
	for (int b = 0; b < 256; b++) {
		bool good = b == '\t' || (b >= 0x20 && b != 0x7f);
		struct text request_head = { 0 }, response_head = { 0 };
		text_addf(&request_head, "GET / HTTP/1.1\r\nHost: a\r\nN: %s", before);
		text_addf(&response_head, "HTTP/1.1 200 %s", before);
		assert_int_equal(with_byte(request_head.ptr, b, after, false),
			good ? H1_DONE : H1_BAD);
		assert_int_equal(with_byte(response_head.ptr, b, after, true),
			good ? H1_DONE : H1_BAD);
		text_fini(&request_head);
		text_fini(&response_head);
	}
}

static void test_each_byte_in_a_value(void **state)
{
	(void)state;
	each_byte_in_a_value("", "\r\n\r\n");
	each_byte_in_a_value("0123456789", "0123456789abcdef0123456789\r\n\r\n");
	each_byte_in_a_value("0123456789abcdef0123456789", "0\r\n\r\n");
}

static void test_each_byte_in_a_target(void **state)
{
	(void)state;
	for (int b = 0; b < 256; b++) {
		bool good = b > 0x20 && b < 0x7f && b != '#';
		const char *host = " HTTP/1.1\r\nHost: a\r\n\r\n";
		assert_int_equal(
			with_byte("GET /", b, host, false), good ? H1_DONE : H1_BAD);
		assert_int_equal(with_byte("GET /0123456789abcdef012345", b, host, false),
			good ? H1_DONE : H1_BAD);
	}
}

static void test_each_byte_in_a_host(void **state)
{
	(void)state;
	for (int b = 0; b < 256; b++) {
		bool good = in_set(b, "-._~!$&'()*+;=" ALNUM ":"); /* "a:" has a port */
		if (b == ':')
			assert_int_equal(with_byte("GET / HTTP/1.1\r\nHost: a", b,
						 "\r\n\r\n", false),
				H1_DONE);
		else
			assert_int_equal(with_byte("GET / HTTP/1.1\r\nHost: a", b,
						 "b\r\n\r\n", false),
				good ? H1_DONE : H1_BAD);
	}
}

static void test_each_byte_in_a_method(void **state)
{
	(void)state;
	for (int b = 0; b < 256; b++)
		assert_int_equal(
			with_byte("G", b, "T / HTTP/1.1\r\nHost: a\r\n\r\n", false),
			in_set(b, TCHARS) ? H1_DONE : H1_BAD);
}

/* ---- limits ---- */

static void add_many(struct text *t, char c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		text_add_char(t, c);
}

static void head_of(struct text *t, size_t bytes)
{
	text_reset(t);
	text_add(t, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
	add_many(t, 'v', bytes - t->len - 4);
	text_add(t, "\r\n\r\n");
}

static void test_head_limit_by_default(void **state)
{
	struct text t = { 0 };
	(void)state;
	head_of(&t, 32768);
	assert_int_equal(request(text_slice(&t), NULL), H1_DONE);
	assert_int_equal(used, 32768);
	head_of(&t, 32769);
	assert_int_equal(request(text_slice(&t), NULL), H1_BAD);
	assert_int_equal(why, ERR_REQ_HEAD_LARGE);
	/* Without an end: open at one byte less, certain at the limit. */
	assert_int_equal(request(slice_cut(text_slice(&t), 0, 32767), NULL), H1_PARTIAL);
	assert_int_equal(request(slice_cut(text_slice(&t), 0, 32768), NULL), H1_BAD);
	assert_int_equal(why, ERR_REQ_HEAD_LARGE);
	text_fini(&t);
}

static void test_target_limit_by_default(void **state)
{
	struct text t = { 0 };
	(void)state;
	for (size_t bytes = 8192; bytes <= 8193; bytes++) {
		text_reset(&t);
		text_add(&t, "GET /");
		add_many(&t, 'x', bytes - 1);
		text_add(&t, " HTTP/1.1\r\nHost: a\r\n\r\n");
		enum h1_result r = request(text_slice(&t), NULL);
		assert_int_equal(r, bytes == 8192 ? H1_DONE : H1_BAD);
		assert_int_equal(why, bytes == 8192 ? ERR_OK : ERR_REQ_TARGET_LONG);
	}
	text_fini(&t);
}

static void test_limits_larger_than_the_defaults(void **state)
{
	const struct h1_limits limits = { .head_bytes = 100000, .target_bytes = 50000 };
	struct text t = { 0 };
	(void)state;
	text_add(&t, "GET /");
	add_many(&t, 'x', 49999);
	text_add(&t, " HTTP/1.1\r\nHost: a\r\nX: ");
	add_many(&t, 'v', 100000 - t.len - 4);
	text_add(&t, "\r\n\r\n");
	assert_int_equal(request(text_slice(&t), &limits), H1_DONE);
	assert_int_equal(used, 100000);
	text_fini(&t);
}

static void test_no_bytes_at_no_address(void **state)
{
	struct h1_decoder d;
	struct slice data;
	(void)state;
	assert_int_equal(request(SLICE_NONE, NULL), H1_PARTIAL);
	assert_int_equal(response(SLICE_NONE), H1_PARTIAL);
	h1_decoder_init(&d, H1_BODY_CHUNKED, 0);
	assert_int_equal(h1_decode(&d, SLICE_NONE, &used, &data), H1_PARTIAL);
	assert_int_equal(used, 0);
	assert_int_equal(data.len, 0);
}

/* Byte by byte the work stays in proportion: the resumed walk never starts over. */
static void test_scan_goes_on_where_it_was(void **state)
{
	struct h1_scan scan = { 0 };
	struct text t = { 0 };
	(void)state;
	head_of(&t, 4096);
	for (size_t len = 0; len < t.len; len++) {
		struct slice in = slice_cut(text_slice(&t), 0, len);
		assert_int_equal(h1_parse_request(&scan, in, NULL, &head, &used, &why),
			H1_PARTIAL);
		/* A CR, a version or an empty line waits for its last byte. */
		assert_true(scan.at <= len && scan.at + 16 > len);
	}
	assert_int_equal(
		h1_parse_request(&scan, text_slice(&t), NULL, &head, &used, &why),
		H1_DONE);
	assert_int_equal(scan.at, 0);
	assert_int_equal(scan.fields, 0);
	text_fini(&t);
}

/* ---- names and words ---- */

static void add_swapped_case(struct text *t, const char *name)
{
	for (; *name; name++)
		text_add_char(
			t, isalpha((unsigned char)*name) ? (char)(*name ^ 0x20) : *name);
}

static void name_is(const char *name, size_t len, enum h1_field_id id)
{
	struct text t = { 0 };
	text_add(&t, "HTTP/1.1 204 x\r\n");
	text_add_slice(&t, (struct slice){ name, len });
	text_add(&t, ":close\r\n\r\n");
	/* The verdict may be bad (Content-Length: close); the naming comes before it. */
	(void)!response(text_slice(&t));
	assert_int_equal(head.field_count, 1);
	assert_int_equal(head.fields[0].id, id);
	assert_true(head.seen == (uint64_t)1 << id);
	assert_ptr_equal(h1_field_find(&head, id), &head.fields[0]);
	assert_ptr_equal(
		h1_field_named(&head, (struct slice){ name, len }), &head.fields[0]);
	text_fini(&t);
}

/* A name one byte off: of X-Forwarded-* there are no others. */
static enum h1_field_id kin(const struct text *t)
{
	const struct slice family = SLICE("X-Forwarded");
	return slice_eq_nocase(slice_cut(text_slice(t), 0, family.len), family)
		       ? H1_FIELD_X_FORWARDED
		       : H1_FIELD_OTHER;
}

static void check_name(const char *name, enum h1_field_id id, bool hop)
{
	struct text other = { 0 };
	const size_t len = strlen(name);
	name_is(name, len, id);
	assert_int_equal(head.fields[0].hop, hop);
	add_swapped_case(&other, name);
	name_is(other.ptr, len, id);
	for (size_t i = 0; i < len; i++) { /* one byte off */
		char was = other.ptr[i];
		other.ptr[i] = '~';
		name_is(other.ptr, len, kin(&other));
		other.ptr[i] = was;
	}
	text_add(&other, "x");
	name_is(other.ptr, len + 1, kin(&other));
	text_fini(&other);
}

static void test_every_known_name(void **state)
{
	(void)state;
#define FIELD(id, name, hop) check_name(name, H1_FIELD_##id, hop);
#include "proto/field.def"
#undef FIELD
	assert_null(h1_field_find(&head, H1_FIELD_HOST));
	assert_null(h1_field_named(&head, SLICE("absent")));
}

/* What a server behind CGI or WSGI would take for a field that weir answers for. */
static void test_other_spellings(void **state)
{
	static const char *const kin[] = { "X_Forwarded_For", "x-forwarded_for",
		"X_FORWARDED-PROTO", "X_Real_IP", "x-real_ip", "X-Forwarded-Server",
		"x_forwarded", "X-ForwardedFor" };
	static const char *const none[] = { "X", "X-", "X_Forward", "Y-Forwarded-For",
		"X~Forwarded-For", "X_Real_IPs", "X-Real-Name", "Forwarded_For" };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kin); i++)
		name_is(kin[i], strlen(kin[i]), H1_FIELD_X_FORWARDED);
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		name_is(none[i], strlen(none[i]), H1_FIELD_OTHER);
}

static void test_methods(void **state)
{
	static const struct {
		const char *name;
		enum h1_method method;
		bool idempotent;
	} rows[] = {
		{ "GET", H1_GET, true },
		{ "HEAD", H1_HEAD, true },
		{ "POST", H1_POST, false },
		{ "PUT", H1_PUT, true },
		{ "DELETE", H1_DELETE, true },
		{ "CONNECT", H1_CONNECT, false },
		{ "OPTIONS", H1_OPTIONS, true },
		{ "TRACE", H1_TRACE, true },
		{ "PATCH", H1_PATCH, false },
		{ "get", H1_OTHER, false },
		{ "GETS", H1_OTHER, false },
		{ "GE", H1_OTHER, false },
		{ "", H1_OTHER, false },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(h1_method_of(slice_of(rows[i].name)), rows[i].method);
		assert_int_equal(h1_is_idempotent(rows[i].method), rows[i].idempotent);
	}
}

static void test_reasons(void **state)
{
	(void)state;
	assert_string_equal(h1_status_reason(200), "OK");
	assert_string_equal(h1_status_reason(503), "Service Unavailable");
	assert_string_equal(h1_status_reason(299), "");
	assert_string_equal(h1_status_reason(0), "");
	/* Whatever we tell a caller has a name. */
	for (int e = 0; e < ERR_COUNT; e++)
		if (err_status((enum err)e))
			assert_true(*h1_status_reason(err_status((enum err)e)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_byte_in_a_name),
		TEST(test_each_byte_in_a_value),
		TEST(test_each_byte_in_a_target),
		TEST(test_each_byte_in_a_host),
		TEST(test_each_byte_in_a_method),
		TEST(test_head_limit_by_default),
		TEST(test_target_limit_by_default),
		TEST(test_limits_larger_than_the_defaults),
		TEST(test_no_bytes_at_no_address),
		TEST(test_scan_goes_on_where_it_was),
		TEST(test_every_known_name),
		TEST(test_other_spellings),
		TEST(test_methods),
		TEST(test_reasons),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

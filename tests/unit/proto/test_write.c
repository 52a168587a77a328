/* What is written: byte for byte, and read back by the parser. */
#include "tests/unit/base/unit.h"
#include "proto/h1.h"
#include "samples.h"

#define BIT(id) ((uint64_t)1 << H1_FIELD_##id)

static const char *corpus;

static char buf[65536];
static struct wire w;

static void start(void)
{
	wire_init(&w, buf, sizeof buf);
}

static void assert_written(const char *want)
{
	assert_false(w.over);
	assert_int_equal(w.len, strlen(want));
	assert_memory_equal(w.ptr, want, w.len);
}

static void test_request_line(void **state)
{
	(void)state;
	start();
	h1_put_request_line(&w, SLICE("GET"), SLICE("/a?b"));
	assert_written("GET /a?b HTTP/1.1\r\n");
	start();
	h1_put_request_line(&w, SLICE("OPTIONS"), SLICE("*"));
	assert_written("OPTIONS * HTTP/1.1\r\n");
	start(); /* RFC 9112 3.2.1: the path of http://a?b is empty */
	h1_put_request_line(&w, SLICE("GET"), SLICE("?b"));
	assert_written("GET /?b HTTP/1.1\r\n");
}

static void test_request_line_refused(void **state)
{
	static const char *const paths[] = { "", "/a b", "/a\r\nX: y", "/a\nb", "/#",
		"/\x7f", "/\xe9" };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		start();
		h1_put_request_line(&w, SLICE("GET"), slice_of(paths[i]));
		assert_true(w.over);
		assert_int_equal(w.len, 0);
	}
	start();
	h1_put_request_line(&w, SLICE("GET / HTTP/1.1\r\nX:"), SLICE("/"));
	assert_true(w.over);
}

static void test_status_line(void **state)
{
	(void)state;
	start();
	h1_put_status_line(&w, 503, SLICE_NONE);
	h1_put_status_line(&w, 299, SLICE_NONE);
	h1_put_status_line(&w, 200, SLICE("Fine \xe9"));
	h1_put_status_line(&w, 200, SLICE("a\r\nb: c"));
	assert_written("HTTP/1.1 503 Service Unavailable\r\n"
		       "HTTP/1.1 299 \r\n"
		       "HTTP/1.1 200 Fine \xe9\r\n"
		       "HTTP/1.1 200 a  b: c\r\n");
}

static void test_fields(void **state)
{
	(void)state;
	start();
	h1_put_field(&w, SLICE("Via"), SLICE("1.1 weir"));
	h1_put_field(&w, SLICE("X"), SLICE(""));
	h1_put_field(&w, SLICE("X"), SLICE("a\tb\r\nc\0d"));
	h1_put_field_u64(&w, SLICE("Age"), UINT64_MAX);
	h1_put_framing(&w, H1_BODY_LENGTH, 0);
	h1_put_framing(&w, H1_BODY_LENGTH, 1234567890123);
	h1_put_framing(&w, H1_BODY_CHUNKED, 0);
	h1_put_framing(&w, H1_BODY_NONE, 7);
	h1_put_framing(&w, H1_BODY_CLOSE, 7);
	h1_put_framing(&w, H1_BODY_TUNNEL, 7);
	h1_put_end(&w);
	assert_written("Via: 1.1 weir\r\n"
		       "X: \r\n"
		       "X: a\tb  c d\r\n"
		       "Age: 18446744073709551615\r\n"
		       "Content-Length: 0\r\n"
		       "Content-Length: 1234567890123\r\n"
		       "Transfer-Encoding: chunked\r\n"
		       "\r\n");
	start();
	h1_put_field(&w, SLICE("X: y\r\nZ"), SLICE("v"));
	assert_true(w.over);
	start();
	h1_put_field_u64(&w, SLICE(""), 1);
	assert_true(w.over);
}

static void test_chunk_sizes(void **state)
{
	(void)state;
	start();
	h1_put_chunk_size(&w, 1);
	h1_put_chunk_size(&w, 500);
	h1_put_chunk_size(&w, UINT64_MAX);
	assert_written("1\r\n1f4\r\nffffffffffffffff\r\n");
}

static void test_what_is_dropped(void **state)
{
	static const char in[] = "POST /x HTTP/1.1\r\n"
				 "Host: a\r\n"
				 "Content-Length: 5\r\n"
				 "Connection: keep-alive, X-Named\r\n"
				 "x-named: 1\r\n"
				 "Keep-Alive: timeout=5\r\n"
				 "Proxy-Connection: close\r\n"
				 "TE: trailers\r\n"
				 "Trailer: T\r\n"
				 "Upgrade: h2c\r\n"
				 "Proxy-Authorization: x\r\n"
				 "Expect: 100-continue\r\n"
				 "Cookie: c\r\n"
				 "Accept:\t text/html \r\n"
				 "Via:1.0 b\r\n"
				 "X-Tab:\tt\r\n"
				 "\r\n";
	struct h1_scan scan = { 0 };
	struct h1_head head;
	size_t used;
	enum err why;
	(void)state;
	assert_int_equal(
		h1_parse_request(&scan, slice_of(in), NULL, &head, &used, &why), H1_DONE);
	start();
	h1_put_fields(&w, &head, 0);
	assert_written("Cookie: c\r\nAccept: text/html\r\nVia: 1.0 b\r\n"
		       "X-Tab: t\r\n");
	for (size_t cap = 0, all = w.len; cap <= all; cap++) {
		wire_init(&w, buf, cap);
		h1_put_fields(&w, &head, 0);
		assert_int_equal(w.over, cap < all);
		assert_true(w.len <= cap);
	}
	start();
	h1_put_fields(&w, &head, BIT(COOKIE) | BIT(VIA));
	assert_written("Accept: text/html\r\nX-Tab: t\r\n");
}

/* Too small by one byte, at every size: `over` is set, nothing beyond is touched. */
static void test_over(void **state)
{
	char small[64];
	(void)state;
	for (size_t cap = 0; cap < 26; cap++) {
		memset(small, '#', sizeof small);
		wire_init(&w, small, cap);
		h1_put_request_line(&w, SLICE("GET"), SLICE("/"));
		h1_put_field(&w, SLICE("A"), SLICE("b"));
		h1_put_end(&w);
		assert_int_equal(w.over, cap < 16 + 6 + 2);
		assert_int_equal(small[cap], '#');
	}
}

/* ---- round trips ---- */

static struct h1_head first, second;

static void write_request(const struct h1_head *h)
{
	start();
	h1_put_request_line(
		&w, h->method_text, h->form == H1_FORM_AUTHORITY ? h->target : h->path);
	if (h->authority.len || h->minor > 0)
		h1_put_field(&w, SLICE("Host"), h->authority);
	h1_put_fields(&w, h, 0);
	h1_put_framing(&w, (enum h1_body)h->body, h->content_length);
	h1_put_end(&w);
	assert_false(w.over);
}

static size_t end_to_end(const struct h1_head *h, size_t from)
{
	const uint64_t ours = BIT(HOST) | BIT(CONTENT_LENGTH) | BIT(EXPECT);
	while (from < h->field_count &&
		(h->fields[from].hop || ours >> h->fields[from].id & 1))
		from++;
	return from;
}

/* The same end-to-end fields, in the same order. */
static void assert_same_fields(const struct h1_head *a, const struct h1_head *b)
{
	size_t i = end_to_end(a, 0), j = end_to_end(b, 0);
	while (i < a->field_count && j < b->field_count) {
		assert_true(slice_eq(a->fields[i].name, b->fields[j].name));
		assert_true(slice_eq(a->fields[i].value, b->fields[j].value));
		i = end_to_end(a, i + 1);
		j = end_to_end(b, j + 1);
	}
	assert_int_equal(i, a->field_count);
	assert_int_equal(j, b->field_count);
}

static const struct h1_limits wide = { .fields = H1_FIELDS_MAX, .head_bytes = 65536 };

static void round_trip_request(struct slice in)
{
	struct h1_scan scan = { 0 };
	size_t used;
	enum err why;
	if (h1_parse_request(&scan, in, &wide, &first, &used, &why) != H1_DONE)
		return;
	if (first.minor == 0 && first.authority.len == 0)
		return; /* goes on as HTTP/1.1, and needs the server's name as Host */
	write_request(&first);
	assert_int_equal(h1_parse_request(&scan, (struct slice){ w.ptr, w.len }, &wide,
				 &second, &used, &why),
		H1_DONE);
	assert_int_equal(used, w.len);
	assert_int_equal(second.method, first.method);
	assert_true(slice_eq(second.method_text, first.method_text));
	assert_true(slice_eq(second.authority, first.authority));
	if (*first.path.ptr != '?')
		assert_true(slice_eq(second.path, first.path));
	assert_int_equal(second.body, first.body);
	assert_true(second.content_length == first.content_length);
	assert_true(second.keep_alive);
	assert_same_fields(&first, &second);
}

static void round_trip_response(struct slice in)
{
	struct h1_scan scan = { 0 };
	size_t used;
	enum err why;
	if (h1_parse_response(&scan, in, &wide, H1_GET, &first, &used, &why) != H1_DONE)
		return;
	start();
	h1_put_status_line(&w, first.status, first.reason);
	h1_put_fields(&w, &first, 0);
	h1_put_framing(&w, (enum h1_body)first.body, first.content_length);
	h1_put_end(&w);
	assert_int_equal(h1_parse_response(&scan, (struct slice){ w.ptr, w.len }, &wide,
				 H1_GET, &second, &used, &why),
		H1_DONE);
	assert_int_equal(used, w.len);
	assert_int_equal(second.status, first.status);
	assert_int_equal(second.body, first.body);
	if (first.body == H1_BODY_LENGTH)
		assert_true(second.content_length == first.content_length);
	if (first.reason.len)
		assert_true(slice_eq(second.reason, first.reason));
	assert_same_fields(&first, &second);
}

static void each(const char *kind, void (*check)(struct slice))
{
	struct samples all;
	samples_load(&all, corpus, kind);
	for (size_t i = 0; i < all.count; i++)
		check(text_slice(&all.v[i].bytes));
	samples_fini(&all);
}

static void test_round_trip(void **state)
{
	(void)state;
	each("request", round_trip_request);
	each("response", round_trip_response);
}

/* ---- date ---- */

static void assert_date(int64_t wall_s, const char *want)
{
	char out[H1_DATE_BYTES + 1] = { 0 };
	h1_date(out, wall_s);
	assert_string_equal(out, want);
}

static void test_date(void **state)
{
	(void)state;
	assert_date(784111777, "Sun, 06 Nov 1994 08:49:37 GMT"); /* RFC 9110's own */
	assert_date(0, "Thu, 01 Jan 1970 00:00:00 GMT");
	assert_date(951782400, "Tue, 29 Feb 2000 00:00:00 GMT");
	assert_date(951868799, "Tue, 29 Feb 2000 23:59:59 GMT");
	assert_date(951868800, "Wed, 01 Mar 2000 00:00:00 GMT");
	assert_date(4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"); /* 2100 has no 29 Feb */
	assert_date(253402300799, "Fri, 31 Dec 9999 23:59:59 GMT");
	assert_date(253402300800, "Fri, 31 Dec 9999 23:59:59 GMT");
	assert_date(INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT");
	assert_date(-1, "Thu, 01 Jan 1970 00:00:00 GMT");
}

/* Against the C library, a time of each day for 200 years. */
static void test_date_agrees_with_libc(void **state)
{
	(void)state;
	for (int64_t day = 0; day < 73100; day++) {
		time_t t = (time_t)(day * 86400 + day * 7919 % 86400);
		struct tm tm;
		char want[64], is[H1_DATE_BYTES + 1] = { 0 };
		assert_non_null(gmtime_r(&t, &tm));
		strftime(want, sizeof want, "%a, %d %b %Y %H:%M:%S GMT", &tm);
		h1_date(is, t);
		assert_string_equal(is, want);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_request_line),
		TEST(test_request_line_refused),
		TEST(test_status_line),
		TEST(test_fields),
		TEST(test_chunk_sizes),
		TEST(test_what_is_dropped),
		TEST(test_over),
		TEST(test_round_trip),
		TEST(test_date),
		TEST(test_date_agrees_with_libc),
	};
	CHECK(argc == 2);
	corpus = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}

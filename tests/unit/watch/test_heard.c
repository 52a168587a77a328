#include "tests/unit/base/unit.h"
#include "watch/heard.h"

static struct diag_end server, client;

static void hear_from(struct heard *h, const char *bytes, size_t len, uint16_t port)
{
	/* a copy that ends where its memory does */
	char *copy = mem_alloc(len);

	assert_true(diag_end_parse("10.0.0.2", 8080, &server));
	assert_true(diag_end_parse("10.0.0.1", port, &client));
	memcpy(copy, bytes, len);
	heard_piece(h, &(struct tap_piece){ server, client, 0, { copy, len } });
	mem_free(copy);
}

#define HEAR(h, literal) hear_from(h, literal, sizeof(literal) - 1, 40000)

static void assert_words(const struct heard *h, uint16_t status, const char *text)
{
	assert_int_equal(h->n, 1);
	assert_int_equal(h->v[0].status, status);
	assert_string_equal(h->v[0].text, text);
	assert_ptr_equal(heard_at(h, &server), &h->v[0]);
}

static void an_error_answer_is_kept_with_its_body(void **state)
{
	struct heard h = { 0 };

	(void)state;
	HEAR(&h, "HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\ndb \x1b[2J 17");
	HEAR(&h, "HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\ndb \x1b[2J 18");
	assert_words(&h, 500, "db ?[2J 17"); /* numbers make no other words of it */
	assert_int_equal(h.v[0].count, 2);
	assert_null(h.v[0].refusal);
}

static void a_status_line_by_itself_goes_on_in_the_next_segment(void **state)
{
	static const char rest[] =
		"Connection: close\r\nServer: api\r\nContent-Length: 73\r\n\r\n"
		"The connection cannot be served because Server.Concurrency limit exceeded";
	struct heard h = { 0 };

	(void)state;
	HEAR(&h, "HTTP/1.1 503 Service Unavailable\r\n");
	assert_int_equal(h.n, 0);
	hear_from(&h, rest, sizeof(rest) - 1, 40001); /* somebody else's */
	assert_int_equal(h.n, 0);
	HEAR(&h,
		"Connection: close\r\nServer: api\r\nContent-Length: 73\r\n\r\n"
		"The connection cannot be served because Server.Concurrency limit exceeded");
	assert_words(&h, 503,
		"The connection cannot be served because Server.Concurrency limit exceeded");
	assert_string_equal(h.v[0].refusal, "fasthttp");
}

static void halves_that_never_come_are_counted_by_their_reason(void **state)
{
	static const char line[] = "HTTP/1.1 503 Service Unavailable\r\n";
	struct heard h = { 0 };

	(void)state;
	for (uint16_t i = 0; i < HEARD_HALVES + 5; i++)
		hear_from(&h, line, sizeof(line) - 1, 40000 + i);
	assert_words(&h, 503, "Service Unavailable");
	assert_int_equal(h.v[0].count, 5);
}

static void chunks_are_put_together_and_codings_left_alone(void **state)
{
	struct heard h = { 0 };

	(void)state;
	HEAR(&h, "HTTP/1.1 500 E\r\nTransfer-Encoding: chunked\r\n\r\n"
		 "8\r\ndb down \r\n4\r\nnow!\r\n0\r\n\r\n");
	assert_words(&h, 500, "db down now!");
	h = (struct heard){ 0 };
	HEAR(&h, "HTTP/1.1 500 E\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08");
	assert_words(&h, 500, "E");
	h = (struct heard){ 0 };
	HEAR(&h, "HTTP/1.1 500 E\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffff\r\nx");
	assert_words(&h, 500, "x");
}

static void what_is_no_error_answer_is_not_kept(void **state)
{
	struct heard h = { 0 };

	(void)state;
	HEAR(&h, "HTTP/1.1 200 OK\r\n\r\nfine");
	HEAR(&h, "HTTP/1.1 5");
	HEAR(&h, "HTTP/1.1 5x3 No\r\n\r\n");
	HEAR(&h, "Content");
	HEAR(&h, "x");
	assert_int_equal(h.n, 0);
	HEAR(&h, "HTTP/1.1 503 \r\n");
	HEAR(&h, "Date: today");
	assert_words(&h, 503, "");
}

static void cut_anywhere_nothing_is_read_past_its_end(void **state)
{
	static const char whole[] = "HTTP/1.1 500 E\r\nTransfer-Encoding: chunked\r\n\r\n"
				    "8\r\ndb down \r\n4\r\nnow!\r\n0\r\n\r\n";

	(void)state;
	for (size_t len = 1; len < sizeof(whole); len++) {
		struct heard h = { 0 };

		hear_from(&h, whole, len, 40000);
		assert_true(h.n <= 1);
	}
}

static void tls_is_known_by_its_hello(void **state)
{
	struct heard h = { 0 };

	(void)state;
	HEAR(&h, "\x16\x03\x01\x02\x00\x01\x00");
	HEAR(&h, "\x16\x03\x01\x02\x00\x01\x00");
	assert_int_equal(h.n_tls, 1);
	assert_true(heard_tls(&h, &client));
	assert_false(heard_tls(&h, &server));
}

static void words_are_bounded(void **state)
{
	struct heard h = { 0 };
	char answer[64] = "HTTP/1.1 500 E\r\n\r\nx";

	(void)state;
	for (int i = 0; i < HEARD_MAX + 3; i++) {
		answer[18] = (char)('a' + i % 26);
		answer[19] = (char)('a' + i / 26);
		hear_from(&h, answer, 20, 40000);
	}
	assert_int_equal(h.n, HEARD_MAX);
	assert_int_equal(h.dropped, 3);
}

static void what_is_said_once_makes_room_for_what_is_said_often(void **state)
{
	static const char full[] = "HTTP/1.1 503 S\r\n\r\nService Too Busy";
	static const char often[] = "HTTP/1.1 500 E\r\n\r\ndb down";
	const struct heard_words *v[HEARD_MAX];
	struct heard h = { 0 };
	char answer[64] = "HTTP/1.1 404 N\r\n\r\nx";

	(void)state;
	for (int i = 0; i < 10 * HEARD_MAX; i++) {
		answer[18] = (char)('a' + i % 26);
		answer[19] = (char)('a' + i / 26);
		hear_from(&h, answer, 20, 40000);
		if (i == 2 * HEARD_MAX)
			HEAR(&h, full);
		if (i >= 2 * HEARD_MAX)
			HEAR(&h, often);
	}
	assert_int_equal(heard_sorted(&h, v), HEARD_MAX);
	assert_string_equal(v[0]->refusal, "iis"); /* said once, and long ago */
	assert_string_equal(v[1]->text, "db down");
	assert_int_equal(v[1]->count, 8 * HEARD_MAX);
	assert_int_equal(h.dropped, 10 * HEARD_MAX - (HEARD_MAX - 2));
	assert_ptr_equal(heard_at(&h, &server), v[0]);
}

static void only_what_denies_is_the_reason_of_a_denial(void **state)
{
	struct heard h = { 0 };

	(void)state;
	HEAR(&h, "HTTP/1.1 404 Not Found\r\n\r\nno such page");
	HEAR(&h, "HTTP/1.1 404 Not Found\r\n\r\nno such page");
	assert_null(heard_at(&h, &server));
	HEAR(&h, "HTTP/1.1 429 Slow\r\n\r\nwait");
	assert_string_equal(heard_at(&h, &server)->text, "wait");
	HEAR(&h, "HTTP/1.1 500 E\r\n\r\ndb down");
	HEAR(&h, "HTTP/1.1 500 E\r\n\r\ndb down");
	assert_string_equal(heard_at(&h, &server)->text, "db down");
	HEAR(&h, "HTTP/1.1 503 S\r\n\r\nService Too Busy");
	assert_string_equal(heard_at(&h, &server)->text, "Service Too Busy");
	assert_true(diag_end_parse("10.0.0.2", 8081, &server));
	assert_null(heard_at(&h, &server));
}

static void a_half_waits_from_one_time_to_the_next(void **state)
{
	struct heard h = { 0 };

	(void)state;
	HEAR(&h, "HTTP/1.1 503 Full\r\n");
	heard_settle(&h, false);
	assert_int_equal(h.n, 0);
	heard_settle(&h, false);
	assert_words(&h, 503, "Full");
	heard_settle(&h, true);
	assert_int_equal(h.v[0].count, 1);
	HEAR(&h, "HTTP/1.1 503 Full\r\n"); /* ripens anew */
	heard_settle(&h, false);
	HEAR(&h, "Date: today\r\n\r\nFull");
	assert_int_equal(h.v[0].count, 2);
	HEAR(&h, "HTTP/1.1 503 Full\r\n");
	heard_settle(&h, true);
	assert_words(&h, 503, "Full");
	assert_int_equal(h.v[0].count, 3);
}

static void secrets_are_masked(void **state)
{
	struct heard h = { 0 };

	(void)state;
	HEAR(&h, "HTTP/1.1 404 N\r\n\r\nCannot GET /x?api_key=abc&page=2");
	HEAR(&h, "HTTP/1.1 404 N\r\n\r\nCannot GET /x?api_key=def&page=3");
	assert_int_equal(h.n, 1); /* they differ in the secret alone */
	assert_string_equal(h.v[0].text, "Cannot GET /x?api_key=***&page=2");
	h = (struct heard){ 0 };
	HEAR(&h, "HTTP/1.1 401 token=abc\r\n");
	heard_settle(&h, true);
	assert_int_equal(h.n, 1);
	assert_string_equal(h.v[0].text, "token=***");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_error_answer_is_kept_with_its_body),
		TEST(a_status_line_by_itself_goes_on_in_the_next_segment),
		TEST(halves_that_never_come_are_counted_by_their_reason),
		TEST(chunks_are_put_together_and_codings_left_alone),
		TEST(what_is_no_error_answer_is_not_kept),
		TEST(cut_anywhere_nothing_is_read_past_its_end),
		TEST(tls_is_known_by_its_hello),
		TEST(words_are_bounded),
		TEST(what_is_said_once_makes_room_for_what_is_said_often),
		TEST(only_what_denies_is_the_reason_of_a_denial),
		TEST(a_half_waits_from_one_time_to_the_next),
		TEST(secrets_are_masked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

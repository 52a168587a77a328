#include "unit.h"

#include "base/err.h"

#include <errno.h>

static void test_rows(void **state)
{
	(void)state;
	assert_int_equal(ERR_OK, 0);
	assert_string_equal(err_text(ERR_RESET), "connection reset by the peer");
	assert_string_equal(err_label(ERR_RESET), "reset");
	assert_int_equal(err_fault(ERR_RESET), FAULT_UPSTREAM);
	assert_int_equal(err_retry(ERR_RESET), RETRY_UNSURE);
	assert_int_equal(err_status(ERR_RESET), 502);
	assert_int_equal(err_retry(ERR_REFUSED), RETRY_SAFE);
	assert_int_equal(err_status(ERR_DEADLINE), 504);
	assert_int_equal(err_status(ERR_OK), 0);
}

/* What log, metrics and manual rely on, for every row. */
static void test_table(void **state)
{
	(void)state;
	for (unsigned a = 0; a < ERR_COUNT; a++) {
		enum err e = (enum err)a;
		const char *label = err_label(e);
		assert_true(label[0] && err_text(e)[0]);
		assert_int_equal(
			strspn(label, "abcdefghijklmnopqrstuvwxyz-"), strlen(label));
		uint16_t status = err_status(e);
		assert_true(status == 0 || (status >= 400 && status <= 599));
		if (err_fault(e) == FAULT_CLIENT)
			assert_true(status == 0 || status / 100 == 4 || status >= 501);
		for (unsigned b = 0; b < a; b++)
			assert_string_not_equal(label, err_label((enum err)b));
	}
}

static void out_of_table(void)
{
	(void)err_text(ERR_COUNT);
}

static void test_out_of_table(void **state)
{
	(void)state;
	assert_true(aborts(out_of_table));
}

static void test_errno(void **state)
{
	(void)state;
	assert_int_equal(err_from_errno(0), ERR_OK);
	assert_int_equal(err_from_errno(EAGAIN), ERR_AGAIN);
	assert_int_equal(err_from_errno(EWOULDBLOCK), ERR_AGAIN);
	assert_int_equal(err_from_errno(EINPROGRESS), ERR_AGAIN);
	assert_int_equal(err_from_errno(ECONNREFUSED), ERR_REFUSED);
	assert_int_equal(err_from_errno(EHOSTUNREACH), ERR_UNREACHABLE);
	assert_int_equal(err_from_errno(ENETUNREACH), ERR_UNREACHABLE);
	assert_int_equal(err_from_errno(ETIMEDOUT), ERR_CONNECT_TIMEOUT);
	assert_int_equal(err_from_errno(ECONNRESET), ERR_RESET);
	assert_int_equal(err_from_errno(EPIPE), ERR_PIPE);
	assert_int_equal(err_from_errno(EADDRNOTAVAIL), ERR_NO_PORTS);
	assert_int_equal(err_from_errno(EMFILE), ERR_NO_FDS);
	assert_int_equal(err_from_errno(ENFILE), ERR_NO_FDS);
	assert_int_equal(err_from_errno(ENOBUFS), ERR_NO_MEMORY);
	assert_int_equal(err_from_errno(EADDRINUSE), ERR_ADDR_IN_USE);
	assert_int_equal(err_from_errno(EACCES), ERR_ACCESS);
	assert_int_equal(err_from_errno(EBADF), ERR_SOCKET);
	assert_int_equal(err_from_errno(-1), ERR_SOCKET);
}

static void test_problem(void **state)
{
	(void)state;
	struct problem p = { "" };
	assert_false(problem_set(&p, "line %d", 7));
	assert_string_equal(p.text, "line 7");
	assert_false(problem_set(&p, "later"));
	assert_string_equal(p.text, "line 7");
	assert_false(problem_set(NULL, "nobody listens"));
}

static void test_problem_long(void **state)
{
	(void)state;
	char word[600];
	for (size_t len = 505; len < 520; len++) {
		struct problem p = { "" };
		memset(word, 'x', len);
		word[len] = '\0';
		problem_set(&p, "%s", word);
		if (len < sizeof(p.text)) {
			assert_string_equal(p.text, word);
			continue;
		}
		assert_int_equal(strlen(p.text), sizeof(p.text) - 1);
		assert_string_equal(p.text + sizeof(p.text) - 5, "x...");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rows),
		TEST(test_table),
		TEST(test_out_of_table),
		TEST(test_errno),
		TEST(test_problem),
		TEST(test_problem_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/unit/base/unit.h"
#include "obs/fold.h"

static void assert_folds(const char *text, const char *into)
{
	char out[256];
	assert_true(strlen(text) < sizeof(out));
	size_t len = fold(slice_of(text), out);
	assert_true(len <= strlen(text));
	out[len] = '\0';
	assert_string_equal(out, into);
}

static void test_numbers_and_names_of_requests(void **state)
{
	(void)state;
	assert_folds("", "");
	assert_folds("request 17 failed", "request 0 failed");
	assert_folds("id deadbeef-0000-4000-8000-000000000000",
		"id 0"); /* no digit in its first group */
	assert_folds("id deadbeef", "id deadbeef");
	assert_folds("7", "0");
	assert_folds("at 12:03:55.120", "at 0:0:0.0");
	assert_folds("{\"id\":\"req_8hK2jS\"}", "{\"id\":\"req_0\"}");
	assert_folds(
		"<RequestId>4442587FB7D0A2F9</RequestId>", "<RequestId>0</RequestId>");
	assert_folds("Cf-Ray: 7d1c-FRA", "Cf-Ray: 0-FRA");
	assert_folds("a1b", "0");
}

static void test_identifiers_in_groups(void **state)
{
	(void)state;
	assert_folds("id 9f86d081-884c-4d65-a2ea-a0c55ad015a3.", "id 0.");
	assert_folds("id 9f86d081-abcd-fade-beef-deadbeefcafe.", "id 0.");
	assert_folds("id 9F86D081-", "id 0-");
	assert_folds("id 9f86d081-zone-7", "id 0-zone-0");
	assert_folds("id 9f86d081-abcdefgh", "id 0-abcdefgh");
	assert_folds("error 17-bad", "error 0-bad"); /* no such identifier */
}

static void test_all_else_stays(void **state)
{
	(void)state;
	assert_folds(
		"The connection cannot be served", "The connection cannot be served");
	assert_folds("deadbeefcafe", "deadbeefcafe");
	assert_folds("\xc3\xbc\xff\x01 - -", "\xc3\xbc\xff\x01 - -");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_numbers_and_names_of_requests),
		TEST(test_identifiers_in_groups),
		TEST(test_all_else_stays),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

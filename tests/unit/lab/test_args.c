#include "tests/unit/base/unit.h"
#include "lab/args.h"

static void test_grows_and_ends_with_null(void **state)
{
	struct args a;
	(void)state;
	args_init(&a);
	for (int i = 0; i < 100; i++)
		args_addf(&a, "word-%d", i);
	assert_int_equal(a.n, 100);
	assert_string_equal(args_v(&a)[99], "word-99");
	assert_null(args_v(&a)[100]);
	args_fini(&a);
	assert_int_equal(a.n, 0);
}

static void check_quoted(const char *word, const char *expected)
{
	struct args a;
	struct text t;
	args_init(&a);
	text_init(&t);
	args_add(&a, word);
	text_add_args(&t, &a);
	assert_string_equal(t.ptr, expected);
	text_fini(&t);
	args_fini(&a);
}

static void test_quotes_what_a_shell_would_change(void **state)
{
	(void)state;
	check_quoted("--limit", "--limit");
	check_quoted("http://10.77.2.2:8080", "http://10.77.2.2:8080");
	check_quoted("95%", "95%");
	check_quoted("uniform(3s, 5s)", "'uniform(3s, 5s)'");
	check_quoted("it's", "'it'\\''s'");
	check_quoted("", "''");
	check_quoted("$HOME", "'$HOME'");
	check_quoted("a;b", "'a;b'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_grows_and_ends_with_null),
		TEST(test_quotes_what_a_shell_would_change),
	};
	return cmocka_run_group_tests_name("lab/args", tests, NULL, NULL);
}

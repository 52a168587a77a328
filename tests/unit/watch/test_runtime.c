#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "watch/runtime.h"

static void a_program_is_known_by_its_name_and_version(void **state)
{
	static const struct {
		const char *name;
		enum runtime runtime;
	} rows[] = {
		{ "node", RUNTIME_NODE },
		{ "nodejs", RUNTIME_NODE },
		{ "node-14.21", RUNTIME_NODE },
		{ "nodelay", RUNTIME_UNKNOWN },
		{ "python3.11", RUNTIME_PYTHON },
		{ "pypy3", RUNTIME_PYTHON },
		{ "java", RUNTIME_JAVA },
		{ "javac", RUNTIME_UNKNOWN },
		{ "php-fpm8.2", RUNTIME_PHP },
		{ "go", RUNTIME_UNKNOWN }, /* told by what is in the file */
		{ "", RUNTIME_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (runtime_of_name(rows[i].name) != rows[i].runtime)
			fail_msg("%s: %s", rows[i].name,
				runtime_name(runtime_of_name(rows[i].name)));
	}
}

static void a_program_in_c_is_none_of_them(void **state)
{
	(void)state;
	assert_int_equal(runtime_of(getpid()), RUNTIME_UNKNOWN);
	assert_int_equal(runtime_of(INT32_MAX), RUNTIME_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_is_known_by_its_name_and_version),
		cmocka_unit_test(a_program_in_c_is_none_of_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

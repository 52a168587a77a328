#include "tests/unit/base/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>

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
	assert_int_equal(runtime_of(getpid(), "test"), RUNTIME_UNKNOWN);
	assert_int_equal(runtime_of(INT32_MAX, ""), RUNTIME_UNKNOWN);
}

static void one_that_is_gone_is_known_by_the_name_it_had(void **state)
{
	(void)state;
	assert_int_equal(runtime_of(INT32_MAX, "curl"), RUNTIME_CURL);
	assert_int_equal(runtime_of(INT32_MAX, "curler"), RUNTIME_UNKNOWN);
}

static void copy(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	char buf[65536];
	ssize_t n;

	assert_true(in >= 0 && out >= 0);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		assert_int_equal(write(out, buf, (size_t)n), n);
	close(in);
	close(out);
}

/* Runs until its input ends; when this returns it runs already. */
static pid_t run(const char *file, int *input)
{
	char *argv[] = { (char *)"cat", NULL };
	int in[2], begun[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe2(begun, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(in[0], 0);
		close(in[0]);
		close(in[1]);
		execv(file, argv);
		_exit(1);
	}
	close(in[0]);
	close(begun[1]);
	assert_int_equal(read(begun[0], &c, 1), 0); /* closed by exec */
	close(begun[0]);
	*input = in[1];
	return pid;
}

static void a_program_whose_file_was_replaced_is_still_known(void **state)
{
	char dir[] = "/tmp/weir-runtime-XXXXXX", file[64];
	int input, status;
	pid_t pid;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/node", dir);
	copy("/bin/cat", file);
	pid = run(file, &input);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(runtime_of(pid, "MainThread"), RUNTIME_NODE);
	close(input);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_program_is_known_by_its_name_and_version),
		TEST(a_program_in_c_is_none_of_them),
		TEST(one_that_is_gone_is_known_by_the_name_it_had),
		TEST(a_program_whose_file_was_replaced_is_still_known),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

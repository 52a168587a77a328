/*
 * unit: what every cmocka test of a layer includes first, and death tests.
 */
#ifndef WEIR_TESTS_UNIT_H
#define WEIR_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"
#include "base/text.h"

/* Whether fn ends in abort(), as a failed CHECK does. Runs it in a child. */
static inline bool aborts(void (*fn)(void))
{
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		const struct rlimit no_core = { 0, 0 };
		signal(SIGABRT, SIG_DFL); /* cmocka's own handler would go on */
		setrlimit(RLIMIT_CORE, &no_core);
		int sink = open("/dev/null", O_WRONLY | O_CLOEXEC);
		dup2(sink, STDERR_FILENO);
		fn();
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

/* Seeds of random tests: WEIR_TEST_SEED, else `dflt`; printed, so that a failure can be
 * replayed. */
static inline uint64_t test_seed(uint64_t dflt)
{
	const char *given = getenv("WEIR_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : dflt;
	print_message(
		"seed %llu (WEIR_TEST_SEED replays it)\n", (unsigned long long)seed);
	return seed;
}

static inline void assert_slice(struct slice s, const char *expected)
{
	assert_int_equal(s.len, strlen(expected));
	if (s.len)
		assert_memory_equal(s.ptr, expected, s.len);
}

/* Compares what was added to t, and empties it. */
static inline void assert_text(struct text *t, const char *expected)
{
	assert_string_equal(t->ptr ? t->ptr : "", expected);
	text_reset(t);
}

#define TEST(fn) cmocka_unit_test(fn)
/* With the file's own setup before it; with its teardown behind it, too. */
#define TEST_SETUP(fn) cmocka_unit_test_setup(fn, setup)
#define TEST_AROUND(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

#endif

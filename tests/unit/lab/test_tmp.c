#include "tests/unit/base/unit.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "lab/tmp.h"

/* Each test gets a TMPDIR of its own. */
static int set_up(void **state)
{
	char *dir = mem_strdup("/tmp/weir-unit-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(setenv("TMPDIR", dir, 1), 0);
	*state = dir;
	return 0;
}

static int tear_down(void **state)
{
	int rc = rmdir(*state); /* fails when a test left something */
	mem_free(*state);
	return rc;
}

static char *made(const char *dir, const char *name, bool with_lock)
{
	struct text t;
	text_init(&t);
	text_addf(&t, "%s/%s", dir, name);
	assert_int_equal(mkdir(t.ptr, 0700), 0);
	char *path = mem_strdup(t.ptr);
	if (with_lock) {
		text_add(&t, "/lock");
		int fd = open(t.ptr, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		close(fd);
	}
	text_fini(&t);
	return path;
}

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

static void test_ours_comes_and_goes(void **state)
{
	struct problem p = { "" };
	struct lab_tmp t;
	(void)state;
	assert_true(lab_tmp_init(&t, &p));
	assert_true(is_there(t.path));
	assert_int_equal(lab_tmp_sweep(), 0); /* we live */
	char *path = mem_strdup(t.path);
	assert_true(is_there(path));
	lab_tmp_fini(&t);
	assert_false(is_there(path));
	mem_free(path);
}

static void test_sweeps_the_dead_with_all_they_left(void **state)
{
	/* This PID lives, but it did not start then. */
	char name[64];
	snprintf(name, sizeof(name), "weir-lab-%ld-1", (long)getpid());
	char *reused = made(*state, name, true);
	char *early = made(*state, "weir-lab-999999999-5", false);
	char *sub = made(early, "deep", true);
	assert_int_equal(lab_tmp_sweep(), 2);
	assert_false(is_there(reused));
	assert_false(is_there(early));
	mem_free(reused);
	mem_free(early);
	mem_free(sub);
}

static void test_leaves_what_is_not_dead_or_not_ours(void **state)
{
	char *locked = made(*state, "weir-lab-999999999-5", true);
	char *foreign = made(*state, "weir-lab-notes", false);
	char *close_name = made(*state, "weir-lab-12-x", false);
	struct text t;
	text_init(&t);
	text_addf(&t, "%s/lock", locked);
	int fd = open(t.ptr, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(lab_tmp_sweep(), 0);
	assert_true(is_there(locked) && is_there(foreign) && is_there(close_name));
	close(fd);
	assert_int_equal(lab_tmp_sweep(), 1);
	assert_false(is_there(locked));
	assert_int_equal(rmdir(foreign), 0);
	assert_int_equal(rmdir(close_name), 0);
	text_fini(&t);
	mem_free(locked);
	mem_free(foreign);
	mem_free(close_name);
}

static void test_a_long_place_is_refused(void **state)
{
	struct problem p = { "" };
	struct lab_tmp t;
	char *old = mem_strdup(*state);
	setenv("TMPDIR",
		"/a-place-so-far-down-that-a-unix-socket-in-it-has-no-name/"
		"that-the-kernel-takes",
		1);
	assert_false(lab_tmp_init(&t, &p));
	assert_non_null(strstr(p.text, "TMPDIR"));
	setenv("TMPDIR", "/there-is-no-such-place", 1);
	struct problem q = { "" };
	assert_false(lab_tmp_init(&t, &q));
	assert_non_null(strstr(q.text, "/there-is-no-such-place"));
	setenv("TMPDIR", old, 1);
	mem_free(old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_ours_comes_and_goes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_sweeps_the_dead_with_all_they_left, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_leaves_what_is_not_dead_or_not_ours, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_long_place_is_refused, set_up, tear_down),
	};
	return cmocka_run_group_tests_name("lab/tmp", tests, NULL, NULL);
}

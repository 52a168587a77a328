#include "watch/where.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

static bool all_digits(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

/* The file that stands for the namespace. */
static bool path_of(const char *given, char *path, size_t cap)
{
	int n;

	if (all_digits(given))
		n = snprintf(path, cap, "/proc/%s/ns/net", given);
	else if (strchr(given, '/'))
		n = snprintf(path, cap, "%s", given);
	else
		n = snprintf(path, cap, "/run/netns/%s", given);
	return n > 0 && (size_t)n < cap;
}

static bool cannot_open(
	const char *given, const char *path, bool *misuse, struct problem *p)
{
	*misuse = errno == ENOENT || errno == ENOTDIR;
	if (!*misuse)
		return problem_set(p, "cannot open network namespace %s: %s; %s", path,
			strerror(errno),
			geteuid()
				? "run as root"
				: "root here may not look at that process: go where it may "
				  "(outside this container), or to its namespace's own path");
	if (all_digits(given))
		return problem_set(p, "--netns %s: there is no process %s", given, given);
	if (strchr(given, '/'))
		return problem_set(p, "--netns %s: there is no such file", given);
	return problem_set(p,
		"--netns %s: there is no %s; `ip netns` lists the named ones, and a PID "
		"names the namespace of its process",
		given, path);
}

static bool cannot_enter(const char *given, bool *misuse, struct problem *p)
{
	*misuse = errno == EINVAL;
	if (*misuse)
		return problem_set(
			p, "--netns %s: that is not a network namespace", given);
	return problem_set(p,
		"cannot enter network namespace %s: %s; run as root, or, where it belongs "
		"to a user namespace of yours: nsenter -U -n -t PID weir watch",
		given, strerror(errno));
}

static bool enter(const char *given, bool *misuse, struct problem *p)
{
	char path[512];
	int fd, failed;

	if (!path_of(given, path, sizeof(path))) {
		*misuse = true;
		return problem_set(p, "--netns: the name is too long");
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cannot_open(given, path, misuse, p);
	failed = setns(fd, CLONE_NEWNET);
	if (failed)
		(void)cannot_enter(given, misuse, p);
	close(fd);
	return !failed;
}

bool where_enter(const char *given, struct where *out, bool *misuse, struct problem *p)
{
	struct stat st;

	*out = (struct where){ 0 };
	if (given && !enter(given, misuse, p))
		return false;
	snprintf(out->name, sizeof(out->name), "%s", given ? given : "");
	if (stat("/proc/thread-self/ns/net", &st) == 0)
		out->inode = st.st_ino;
	return true;
}

enum where_answer where_holds(const struct where *w, int32_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	if (stat(path, &st) < 0)
		return errno == EACCES || errno == EPERM ? WHERE_HIDDEN : WHERE_NO;
	return st.st_ino == w->inode ? WHERE_YES : WHERE_NO;
}

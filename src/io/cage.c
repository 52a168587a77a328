#include "io/cage.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static sigset_t cage_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	return set;
}

/* fork() into new namespaces. */
static pid_t fork_into(unsigned long flags)
{
	return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
}

static bool write_file(pid_t pid, const char *file, const char *line)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t put = write(fd, line, strlen(line));
	int errnum = errno;
	close(fd);
	errno = errnum;
	return put == (ssize_t)strlen(line);
}

/* We become root inside: the one mapping an ordinary user may write. */
static bool map_ids(pid_t pid)
{
	char uid[32], gid[32];
	snprintf(uid, sizeof(uid), "0 %u 1", (unsigned)geteuid());
	snprintf(gid, sizeof(gid), "0 %u 1", (unsigned)getegid());
	return write_file(pid, "setgroups", "deny") && write_file(pid, "uid_map", uid) &&
	       write_file(pid, "gid_map", gid);
}

static bool no_namespaces(struct problem *p, int root_errnum, int user_errnum)
{
	return problem_set(p,
		"cannot make namespaces here (as this user: %s; in a user namespace: %s).\n"
		"A lab's hosts are network namespaces: run it as root, or let users make user "
		"namespaces\n(sysctl user.max_user_namespaces > 0; where they exist also "
		"kernel.unprivileged_userns_clone=1,\n"
		"kernel.apparmor_restrict_unprivileged_userns=0; in a container: --cap-add "
		"SYS_ADMIN)",
		strerror(root_errnum), strerror(user_errnum));
}

NORETURN static void init_of_cage(int gate, int (*inside)(void *arg), void *arg)
{
	sigset_t ours = cage_signals();
	char go;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The gate opens when the parent is ready, and hangs up when it has died: before
	 * the line above nothing else would tell. */
	struct pollfd parent = { .fd = gate };
	if (read(gate, &go, 1) != 1 || poll(&parent, 1, 0) != 0)
		_exit(1);
	close(gate);
	sigprocmask(SIG_UNBLOCK, &ours, NULL);
	(void)mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	/* With the host's /proc all works too, but `ps` inside would show the host's. */
	(void)mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	int status = inside(arg);
	cage_clear();
	exit(status);
}

bool cage_start(struct cage *c, int (*inside)(void *arg), void *arg, struct problem *p)
{
	unsigned long flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET;
	sigset_t ours = cage_signals();
	int gate[2];
	*c = (struct cage){ .kind = CAGE_ROOT };
	if (pipe2(gate, O_CLOEXEC))
		return problem_set(p, "cannot make a pipe: %s", strerror(errno));
	fflush(NULL); /* or the child would print it again */
	sigprocmask(SIG_BLOCK, &ours, NULL);
	int errnum = 0;
	c->pid = fork_into(flags);
	if (c->pid < 0) {
		errnum = errno;
		c->kind = CAGE_USER;
		c->pid = fork_into(flags | CLONE_NEWUSER);
	}
	if (c->pid == 0) {
		close(gate[1]);
		init_of_cage(gate[0], inside, arg);
	}
	close(gate[0]);
	bool ok = c->pid > 0 && (c->kind == CAGE_ROOT || map_ids(c->pid)) &&
		  write(gate[1], "", 1) == 1;
	if (!ok)
		no_namespaces(p, errnum, errno);
	c->lifeline = gate[1];
	if (ok)
		return true;
	close(gate[1]);
	if (c->pid > 0) {
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
		c->pid = 0;
	}
	sigprocmask(SIG_UNBLOCK, &ours, NULL);
	return false;
}

int cage_wait(struct cage *c, int *caught)
{
	sigset_t ours = cage_signals();
	int status = 0;
	*caught = 0;
	while (c->pid > 0) {
		int sig = sigwaitinfo(&ours, NULL);
		if (sig > 0 && sig != SIGCHLD) {
			*caught = sig;
			kill(c->pid, SIGKILL); /* of init: the kernel kills the rest */
			while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
				;
			c->pid = 0;
		} else if (waitpid(c->pid, &status, WNOHANG) == c->pid) {
			c->pid = 0;
		}
	}
	close(c->lifeline);
	sigprocmask(SIG_UNBLOCK, &ours, NULL);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void cage_clear(void)
{
	CHECK(getpid() == 1); /* elsewhere this would kill all there is */
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

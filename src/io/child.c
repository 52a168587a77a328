#include "io/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What goes wrong between fork and exec, told to the parent through a pipe that closes
 * itself when the program runs. */
struct child_failure {
	int errnum;
	char what[32];
};

NORETURN static void give_up(int pipe_fd, const char *what, int errnum)
{
	struct child_failure f = { .errnum = errnum };
	snprintf(f.what, sizeof(f.what), "%s", what);
	ssize_t put = write(pipe_fd, &f, sizeof(f));
	(void)put; /* nobody is left to be told */
	_exit(127);
}

static void default_signals(void)
{
	sigset_t none;
	sigemptyset(&none);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool redirect(int to, int fd)
{
	int from = fd >= 0 ? fd : open("/dev/null", to == 0 ? O_RDONLY : O_WRONLY);
	return from >= 0 && dup2(from, to) >= 0;
}

/* struct sched_attr of the kernel (linux/sched/types.h clashes with libc's sched.h). */
struct sched_wish {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

/* Not ours to insist on: without the right to it the child runs as others do. */
static void hurry(void)
{
	const struct sched_param low = { .sched_priority = 1 };
	/* A short slice lets it run before those with longer ones when it wakes; no right
	 * is needed, and kernels before 6.12 take no notice. */
	const struct sched_wish short_slice = {
		.size = sizeof(short_slice), .policy = SCHED_OTHER, .runtime = 100 * NS_US
	};
	if (sched_setscheduler(0, SCHED_RR, &low) == 0)
		return;
	(void)syscall(SYS_sched_setattr, 0, &short_slice, 0);
	(void)setpriority(PRIO_PROCESS, 0, -10);
}

NORETURN static void run_program(const struct child_cfg *cfg, int pipe_fd)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	default_signals();
	setsid();
	int errnum = cfg->net ? netns_enter(cfg->net) : 0;
	if (errnum)
		give_up(pipe_fd, "enter the namespace for", errnum);
	if (!redirect(0, -1) || !redirect(1, cfg->out_fd) || !redirect(2, cfg->err_fd))
		give_up(pipe_fd, "redirect the output of", errno);
	if (cfg->dir && chdir(cfg->dir))
		give_up(pipe_fd, "change directory for", errno);
	if (cfg->prompt)
		hurry();
	for (const char *const *e = cfg->env; e && *e; e++) {
		char *pair = mem_strdup(*e);
		if (putenv(pair))
			give_up(pipe_fd, "set the environment of", errno);
	}
	/* execvp promises not to write what its prototype lets it write. */
	union {
		const char *const *in;
		char *const *out;
	} argv = { .in = cfg->argv };
	execvp(argv.out[0], argv.out);
	give_up(pipe_fd, "run", errno);
}

bool child_start(struct child *c, const struct child_cfg *cfg, struct problem *p)
{
	int pipe_fds[2];
	*c = (struct child){ 0 };
	if (pipe2(pipe_fds, O_CLOEXEC))
		return problem_set(p, "cannot make a pipe: %s", strerror(errno));
	pid_t parent = getpid();
	pid_t pid = fork();
	if (pid == 0) {
		close(pipe_fds[0]);
		/* A parent that is not in sight (0) is one outside our namespace. */
		if (getppid() != parent && getppid() != 0)
			_exit(127);
		run_program(cfg, pipe_fds[1]);
	}
	close(pipe_fds[1]);
	if (pid < 0) {
		close(pipe_fds[0]);
		return problem_set(p, "cannot start a process: %s", strerror(errno));
	}
	struct child_failure f;
	ssize_t got;
	do
		got = read(pipe_fds[0], &f, sizeof(f));
	while (got < 0 && errno == EINTR);
	close(pipe_fds[0]);
	c->pid = pid;
	if (got != (ssize_t)sizeof(f))
		return true;
	child_kill(c);
	return problem_set(
		p, "cannot %s '%s': %s", f.what, cfg->argv[0], strerror(f.errnum));
}

bool child_runs(struct child *c)
{
	if (c->pid == 0)
		return false;
	pid_t got;
	do
		got = waitpid(c->pid, &c->status, WNOHANG);
	while (got < 0 && errno == EINTR);
	if (got == 0)
		return true;
	c->pid = 0;
	return false;
}

bool child_wait(struct child *c, ns_t wait_for)
{
	if (!child_runs(c))
		return true;
	struct pollfd ended = { .fd = pidfd_open(c->pid, 0), .events = POLLIN };
	struct timespec ts = { wait_for / NS_S, wait_for % NS_S };
	(void)ppoll(&ended, 1, &ts, NULL); /* the outcome is asked for below */
	if (ended.fd >= 0)
		close(ended.fd);
	return !child_runs(c);
}

void child_kill(struct child *c)
{
	if (c->pid <= 0)
		return;
	kill(-c->pid, SIGKILL);
	kill(c->pid, SIGKILL); /* before its setsid there is no such group */
	while (waitpid(c->pid, &c->status, 0) < 0 && errno == EINTR)
		;
	c->pid = 0;
}

void text_add_child_end(struct text *t, const struct child *c)
{
	if (WIFSIGNALED(c->status))
		text_addf(t, "killed by %s", strsignal(WTERMSIG(c->status)));
	else
		text_addf(t, "exit status %d", WEXITSTATUS(c->status));
}

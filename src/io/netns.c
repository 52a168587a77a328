#include "io/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

static int ns_open(void)
{
	return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

/* The namespace the calling thread is in. */
static bool open_here(struct netns *n, struct problem *p)
{
	n->fd = ns_open();
	if (n->fd < 0)
		return problem_set(
			p, "cannot open /proc/thread-self/ns/net: %s", strerror(errno));
	return true;
}

bool netns_init(struct netns *n, struct problem *p)
{
	int home = ns_open();
	*n = NETNS_NONE;
	if (home < 0)
		return problem_set(
			p, "cannot open /proc/thread-self/ns/net: %s", strerror(errno));
	if (unshare(CLONE_NEWNET)) {
		problem_set(p, "cannot make a network namespace: %s", strerror(errno));
		close(home);
		return false;
	}
	bool ok = open_here(n, p);
	CHECK(setns(home, CLONE_NEWNET) == 0);
	close(home);
	return ok;
}

void netns_fini(struct netns *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}

bool netns_visit(struct netns_visit *v, const struct netns *n, struct problem *p)
{
	v->home = ns_open();
	if (v->home >= 0 && setns(n->fd, CLONE_NEWNET) == 0)
		return true;
	problem_set(p, "cannot enter a network namespace: %s", strerror(errno));
	if (v->home >= 0)
		close(v->home);
	v->home = -1;
	return false;
}

void netns_return(struct netns_visit *v)
{
	CHECK(v->home >= 0 && setns(v->home, CLONE_NEWNET) == 0);
	close(v->home);
	v->home = -1;
}

int netns_enter(const struct netns *n)
{
	return setns(n->fd, CLONE_NEWNET) ? errno : 0;
}

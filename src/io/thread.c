#include "io/thread.h"

#include <sched.h>
#include <signal.h>

pthread_t io_thread_start(void *(*run)(void *arg), void *arg)
{
	sigset_t all, before;
	pthread_t thread;

	CHECK(sigfillset(&all) == 0);
	CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	CHECK(pthread_create(&thread, NULL, run, arg) == 0);
	CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	return thread;
}

uint32_t io_cpus(void)
{
	cpu_set_t set;

	/* Fails where there are more than a set holds: then all of those it holds. */
	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return CPU_SETSIZE;
	int n = CPU_COUNT(&set);
	return n > 0 ? (uint32_t)n : 1;
}

#include "io/fds.h"

#include <errno.h>
#include <sys/resource.h>

static uint64_t less_spare(rlim_t limit)
{
	if (limit == RLIM_INFINITY)
		return UINT64_MAX;
	return limit > FDS_SPARE ? limit - FDS_SPARE : 0;
}

uint64_t fds_fit(void)
{
	struct rlimit limit;
	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	return less_spare(limit.rlim_max);
}

bool fds_ensure(uint64_t sockets, const char *what, struct problem *p)
{
	struct rlimit limit;

	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	if (sockets >
		UINT32_MAX) /* more than any limit; keeps the sum below from wrapping */
		sockets = UINT32_MAX;
	if (sockets <= less_spare(limit.rlim_cur))
		return true;
	if (sockets > less_spare(limit.rlim_max))
		return problem_set(p,
			"%s need %llu file descriptors, and this process may have %llu: "
			"%llu connections fit; raise the hard limit (`ulimit -Hn`, "
			"LimitNOFILE= in a systemd unit) or ask for fewer",
			what, (unsigned long long)sockets + FDS_SPARE,
			(unsigned long long)limit.rlim_max,
			(unsigned long long)less_spare(limit.rlim_max));
	limit.rlim_cur = sockets + FDS_SPARE;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return problem_set(p, "cannot raise the limit of file descriptors: %s",
			strerror(errno));
	return true;
}

#include "io/clock.h"

#include <time.h>

ns_t clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_S + t.tv_nsec;
}

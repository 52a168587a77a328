#include "lab/usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ascii.h"

#define LINE_BYTES 1024

static bool read_line(const char *path, char line[LINE_BYTES])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd >= 0 ? read(fd, line, LINE_BYTES - 1) : -1;
	if (fd >= 0)
		close(fd);
	line[got > 0 ? got : 0] = '\0';
	return got > 0;
}

/* Field 6 of /proc/PID/stat; 0: it is gone. */
static pid_t session_of(const char *pid)
{
	char path[64], line[LINE_BYTES];
	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	if (!read_line(path, line))
		return 0;
	char *at = strrchr(line, ')'); /* the name before it may hold anything */
	for (int field = 2; at && field < 6; field++)
		at = strchr(at + 1, ' ');
	return at ? (pid_t)strtol(at, NULL, 10) : 0;
}

/* schedstat of each thread: "ran waited slices", in nanoseconds. */
static void add_threads(const char *pid, struct usage *to)
{
	char path[96], line[LINE_BYTES];
	struct dirent *e;
	snprintf(path, sizeof(path), "/proc/%.20s/task", pid);
	DIR *d = opendir(path);
	while (d && (e = readdir(d))) {
		char *end;
		if (!ascii_is_digit(e->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/task/%.20s/schedstat", pid,
			e->d_name);
		if (!read_line(path, line))
			continue;
		to->cpu_for += strtoll(line, &end, 10);
		to->wait_for += strtoll(end, &end, 10);
		to->turns += strtoll(end, NULL, 10);
	}
	if (d)
		closedir(d);
}

void usage_read(const pid_t *leaders, struct usage *out, uint32_t n)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	for (uint32_t i = 0; i < n; i++)
		out[i] = (struct usage){ 0, 0, 0 };
	while (d && (e = readdir(d))) {
		if (!ascii_is_digit(e->d_name[0]))
			continue;
		pid_t session = session_of(e->d_name);
		for (uint32_t i = 0; session && i < n; i++) {
			if (leaders[i] == session)
				add_threads(e->d_name, &out[i]);
		}
	}
	if (d)
		closedir(d);
}

#include "io/ask.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/clock.h"

static int connect_to(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(un.sun_path))
		return -1;
	memcpy(un.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&un, sizeof(un))) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool read_to_end(int fd, ns_t until, struct text *answer)
{
	char buf[16384];
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ns_t left = until - clock_now();
		if (left <= 0 || poll(&p, 1, (int)(left / NS_MS) + 1) == 0)
			return false;
		ssize_t got = read(fd, buf, sizeof(buf));
		if (got == 0)
			return true;
		if (got > 0)
			text_add_slice(answer, (struct slice){ buf, (size_t)got });
		else if (errno != EINTR && errno != EAGAIN)
			return false;
	}
}

bool ask_unix(const char *path, struct slice question, ns_t wait_for, struct text *answer)
{
	ns_t until = clock_now() + wait_for;
	int fd = connect_to(path);
	if (fd < 0)
		return false;
	bool ok = send(fd, question.ptr, question.len, MSG_NOSIGNAL) ==
			  (ssize_t)question.len &&
		  read_to_end(fd, until, answer);
	close(fd);
	return ok;
}

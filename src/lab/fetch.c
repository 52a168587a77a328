#include "lab/fetch.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char request[] = "GET / HTTP/1.0\r\nHost: lab\r\nConnection: close\r\n\r\n";

static ns_t clock_now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_S + ts.tv_nsec;
}

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

/* Reads to the end of the answer; false when that did not come in time. */
static bool read_all(int fd, struct text *out)
{
	char buf[16384];
	ns_t until = clock_now() + FETCH_FOR;
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ns_t left = until - clock_now();
		if (left <= 0 || poll(&p, 1, (int)(left / NS_MS) + 1) <= 0)
			return false;
		ssize_t got = read(fd, buf, sizeof(buf));
		if (got == 0)
			return true;
		if (got < 0)
			return false;
		text_add_slice(out, (struct slice){ buf, (size_t)got });
	}
}

struct json_doc *lab_fetch(const char *socket_path)
{
	struct json_doc *doc = NULL;
	struct text t;
	int fd = connect_to(socket_path);
	if (fd < 0)
		return NULL;
	text_init(&t);
	if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) ==
			(ssize_t)sizeof(request) - 1 &&
		read_all(fd, &t) && t.ptr) {
		const char *body = strstr(t.ptr, "\r\n\r\n");
		if (body)
			doc = json_doc_parse(slice_of(body + 4), NULL);
	}
	text_fini(&t);
	close(fd);
	return doc;
}

bool lab_read_file(const char *path, size_t max, struct text *out)
{
	struct stat st;
	char buf[16384];
	ssize_t got;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && (size_t)st.st_size > max)
		lseek(fd, (off_t)((size_t)st.st_size - max), SEEK_SET);
	while ((got = read(fd, buf, sizeof(buf))) > 0)
		text_add_slice(out, (struct slice){ buf, (size_t)got });
	close(fd);
	return got == 0;
}

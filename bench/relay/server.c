/* A keep-alive HTTP server that answers every request alike. */
#include <sys/epoll.h>

#include "relay.h"

static const char answer[] = "HTTP/1.1 200 OK\r\n"
			     "Content-Type: text/plain\r\n"
			     "Content-Length: 13\r\n"
			     "\r\n"
			     "Hello, world\n";

/* Requests come one at a time, and whole: wrk sends each in one write. */
static void serve(int fd)
{
	char buf[RELAY_BUF];
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n > 0)
		n = send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		close(fd);
}

static void admit(int ep, int listener)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int on = 1;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	ev.data.fd = fd;
	must(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == 0, "epoll_ctl");
}

int main(int argc, char **argv)
{
	struct epoll_event events[256];

	(void)argv;
	setup(argc, 1, "server");
	int ep = epoll_create1(EPOLL_CLOEXEC), listener = listen_anywhere();
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = listener };
	must(epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev) == 0, "epoll_ctl");
	for (;;) {
		int n = epoll_wait(ep, events, 256, -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				admit(ep, listener);
			else
				serve(events[i].data.fd);
		}
	}
}

/*
 * relay: what the three relays and the server of this benchmark share. They parse
 * nothing: for each client one connection to the server, bytes copied both ways.
 */
#ifndef WEIR_BENCH_RELAY_H
#define WEIR_BENCH_RELAY_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define RELAY_BUF 16384

static inline void must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static inline struct sockaddr_in loopback(const char *port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static inline void tell_port(const struct sockaddr_in *at)
{
	printf("%u\n", ntohs(at->sin_port));
	fflush(stdout);
}

/* Listens at a port the kernel chooses, and prints it. */
static inline int listen_anywhere(void)
{
	struct sockaddr_in at = loopback("0");
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	must(fd >= 0 && bind(fd, (struct sockaddr *)&at, len) == 0, "bind");
	must(listen(fd, 1024) == 0, "listen");
	must(getsockname(fd, (struct sockaddr *)&at, &len) == 0, "getsockname");
	tell_port(&at);
	return fd;
}

static inline int connect_to(const char *port)
{
	struct sockaddr_in to = loopback(port);
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	must(fd >= 0, "socket");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	must(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS,
		"connect");
	return fd;
}

/* On SIGTERM: the CPU time used, in µs, and out. Only async-signal-safe calls. */
static inline void tell_cpu(int signum)
{
	struct rusage u;
	char text[24];
	size_t at = sizeof(text);

	(void)signum;
	getrusage(RUSAGE_SELF, &u);
	unsigned long us = (unsigned long)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) *
				   1000000UL +
			   (unsigned long)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
	text[--at] = '\n';
	do {
		text[--at] = (char)('0' + us % 10);
		us /= 10;
	} while (us > 0);
	_exit(write(STDOUT_FILENO, text + at, sizeof(text) - at) < 0);
}

static inline void setup(int argc, int want, const char *usage)
{
	if (argc != want) {
		fprintf(stderr, "usage: %s\n", usage);
		exit(2);
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, tell_cpu);
}

#endif

/*
 * The one fast backend behind all proxies: a keep-alive HTTP server on bare epoll. /64k is
 * answered by 64 KiB, all else by 13 bytes; what is uploaded is dropped inside the kernel.
 */
#include <sys/epoll.h>

#include "relay.h"

#define BODY_MAX 65536
#define HEAD_MAX 8192

struct client {
	int fd;
	unsigned long upload;   /* bytes of a request's body still to come */
	const struct page *due; /* what is answered after it */
	size_t len;             /* bytes of a head */
	size_t sent, all;       /* of the answer on its way; all == 0: none */
	char head[HEAD_MAX];
};

struct page {
	size_t len;
	char bytes[256 + BODY_MAX];
};

struct server {
	int ep, listener;
	struct page small, big;
};

static void make_page(struct page *p, size_t body)
{
	int n = snprintf(p->bytes, 256,
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
		"Content-Length: %zu\r\n\r\n",
		body);
	p->len = (size_t)n + body;
	memset(p->bytes + n, 'x', body);
	p->bytes[p->len - 1] = '\n';
}

static int end_client(struct client *c)
{
	close(c->fd);
	free(c);
	return 0;
}

static void want(struct server *s, struct client *c, int op, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = c };
	must(epoll_ctl(s->ep, op, c->fd, &ev) == 0, "epoll_ctl");
}

/* 0: it is gone; 1: all was written, or waits for EPOLLOUT. */
static int answer(struct server *s, struct client *c)
{
	ssize_t n = send(c->fd, c->due->bytes + c->sent, c->all - c->sent,
		MSG_NOSIGNAL | MSG_DONTWAIT);
	int waited = c->sent > 0;

	if (n < 0 && errno != EAGAIN)
		return end_client(c);
	c->sent += n > 0 ? (size_t)n : 0;
	if (c->sent < c->all) {
		want(s, c, EPOLL_CTL_MOD, EPOLLOUT);
		return 1;
	}
	c->sent = c->all = 0;
	if (waited)
		want(s, c, EPOLL_CTL_MOD, EPOLLIN);
	return 1;
}

static int begin_answer(struct server *s, struct client *c)
{
	c->sent = 0;
	c->all = c->due->len;
	return answer(s, c);
}

static unsigned long content_length(const char *head)
{
	const char *at = strcasestr(head, "\r\ncontent-length:");
	return at ? strtoul(at + 17, NULL, 10) : 0;
}

/* A head, and perhaps the beginning of its body; requests come one at a time. */
static int read_head(struct server *s, struct client *c)
{
	ssize_t n = recv(c->fd, c->head + c->len, HEAD_MAX - 1 - c->len, MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN))
		return end_client(c);
	c->len += n > 0 ? (size_t)n : 0;
	c->head[c->len] = '\0';
	const char *end = strstr(c->head, "\r\n\r\n");
	if (!end)
		return c->len < HEAD_MAX - 1 ? 1 : end_client(c);
	size_t body = c->len - (size_t)(end + 4 - c->head);
	c->upload = content_length(c->head);
	c->due = strncmp(c->head, "GET /64k", 8) == 0 ? &s->big : &s->small;
	c->len = 0;
	c->upload -= body < c->upload ? body : c->upload;
	return c->upload ? 1 : begin_answer(s, c);
}

static int drop_body(struct server *s, struct client *c)
{
	/* MSG_TRUNC: TCP drops the bytes without a copy */
	ssize_t n = recv(c->fd, NULL, c->upload, MSG_DONTWAIT | MSG_TRUNC);

	if (n == 0 || (n < 0 && errno != EAGAIN))
		return end_client(c);
	c->upload -= n > 0 ? (unsigned long)n : 0;
	return c->upload ? 1 : begin_answer(s, c);
}

static void handle(struct server *s, struct client *c)
{
	if (c->all)
		answer(s, c);
	else if (c->upload)
		drop_body(s, c);
	else
		read_head(s, c);
}

static void admit(struct server *s)
{
	int on = 1, fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	struct client *c = calloc(1, sizeof(*c));
	must(c != NULL, "calloc");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->fd = fd;
	want(s, c, EPOLL_CTL_ADD, EPOLLIN);
}

int main(int argc, char **argv)
{
	static struct server s;
	struct epoll_event events[256];

	(void)argv;
	setup(argc, 1, "backend");
	make_page(&s.small, 13);
	make_page(&s.big, BODY_MAX);
	s.ep = epoll_create1(EPOLL_CLOEXEC);
	s.listener = listen_anywhere();
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL };
	must(epoll_ctl(s.ep, EPOLL_CTL_ADD, s.listener, &ev) == 0, "epoll_ctl");
	for (;;) {
		int n = epoll_wait(s.ep, events, 256, -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				handle(&s, events[i].data.ptr);
			else
				admit(&s);
		}
	}
}

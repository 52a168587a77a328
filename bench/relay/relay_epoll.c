/* The relay on bare epoll, level-triggered: the least there is to do. */
#include <sys/epoll.h>

#include "relay.h"

struct side {
	int fd;
	struct pair *pair;
	struct side *other;
	size_t len, off; /* read here, and how much of it is written to the other side */
	char buf[RELAY_BUF];
};

struct pair {
	struct side sides[2];
	int closed;
	struct pair *
		next; /* of the dead, until the batch of events that may name them ends */
};

struct relay {
	int ep, listener;
	const char *port;
	struct pair *dead;
};

static void want(struct relay *r, struct side *s, int op, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = s };
	must(epoll_ctl(r->ep, op, s->fd, &ev) == 0, "epoll_ctl");
}

static void end_pair(struct relay *r, struct pair *p)
{
	close(p->sides[0].fd);
	close(p->sides[1].fd);
	p->closed = 1;
	p->next = r->dead;
	r->dead = p;
}

static void admit(struct relay *r)
{
	int on = 1;
	int fd = accept4(r->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	struct pair *p = calloc(1, sizeof(*p));
	must(p != NULL, "calloc");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	p->sides[0].fd = fd;
	p->sides[1].fd = connect_to(r->port);
	for (size_t i = 0; i < 2; i++) {
		p->sides[i].pair = p;
		p->sides[i].other = &p->sides[1 - i];
		want(r, &p->sides[i], EPOLL_CTL_ADD,
			i == 0 ? EPOLLIN : EPOLLIN | EPOLLOUT);
	}
}

/* False: it broke. */
static int push(struct relay *r, struct side *from)
{
	struct side *to = from->other;
	ssize_t n = send(to->fd, from->buf + from->off, from->len - from->off,
		MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN && errno != ENOTCONN)
		return 0;
	from->off += n > 0 ? (size_t)n : 0;
	if (from->off == from->len) {
		from->off = from->len = 0;
		return 1;
	}
	want(r, from, EPOLL_CTL_MOD, 0); /* blocked: the reader rests */
	want(r, to, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
	return 1;
}

static void handle(struct relay *r, struct side *s, uint32_t events)
{
	int ok = 1;

	if (s->pair->closed)
		return;
	if (events & EPOLLOUT) {
		want(r, s, EPOLL_CTL_MOD, EPOLLIN);
		want(r, s->other, EPOLL_CTL_MOD, EPOLLIN);
		if (s->other->len > 0)
			ok = push(r, s->other);
	}
	if (ok && events & (EPOLLIN | EPOLLHUP | EPOLLERR) && s->len == 0) {
		ssize_t n = recv(s->fd, s->buf, sizeof(s->buf), MSG_DONTWAIT);
		ok = n > 0 || (n < 0 && errno == EAGAIN);
		s->len = n > 0 ? (size_t)n : 0;
		if (s->len > 0)
			ok = push(r, s);
	}
	if (!ok)
		end_pair(r, s->pair);
}

int main(int argc, char **argv)
{
	struct epoll_event events[256];
	struct relay r = { 0 };

	setup(argc, 2, "relay_epoll SERVER-PORT");
	r.port = argv[1];
	r.ep = epoll_create1(EPOLL_CLOEXEC);
	r.listener = listen_anywhere();
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL };
	must(epoll_ctl(r.ep, EPOLL_CTL_ADD, r.listener, &ev) == 0, "epoll_ctl");
	for (;;) {
		int n = epoll_wait(r.ep, events, 256, -1);
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				handle(&r, events[i].data.ptr, events[i].events);
			else
				admit(&r);
		}
		while (r.dead) {
			struct pair *p = r.dead;
			r.dead = p->next;
			free(p);
		}
	}
}

#include "tests/threads/served.h"

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define LAST_ANSWER \
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"

struct seen {
	struct io_sock sock;
	struct list_node node;
	struct list_node run; /* on served.running */
	struct served *server;
	struct timer timer; /* its answer */
	struct io_defer later;
	uint32_t newlines; /* of an empty line that may end the head */
};

static bool one_in(struct served *s, uint32_t n)
{
	return n && rng_below(&s->rng, n) == 0;
}

static void on_gone(struct io_defer *d)
{
	mem_free(CONTAINER_OF(d, struct seen, later));
}

static void seen_close(struct seen *c)
{
	struct served *s = c->server;
	if (!io_is_open(&c->sock))
		return;
	io_close(&c->sock, IO_CLOSE_FIN);
	io_timer_stop(s->loop, &c->timer);
	if (list_on(&c->run))
		list_remove(&s->running, &c->run);
	list_remove(&s->conns, &c->node);
	c->later.fn = on_gone;
	io_defer(s->loop, &c->later);
}

static void answer(struct seen *c)
{
	struct served *s = c->server;
	bool last = one_in(s, s->close_each);
	const char *text = last ? LAST_ANSWER : ANSWER;
	struct iovec iov = { (void *)(uintptr_t)text, strlen(text) };
	size_t put = 0;
	list_remove(&s->running, &c->run);
	io_want(&c->sock, IO_READ);
	enum err e = io_writev(&c->sock, &iov, 1, &put);
	if (e != ERR_OK || put < iov.iov_len || last)
		seen_close(c);
}

static void on_timer(struct timer *t)
{
	answer(CONTAINER_OF(t, struct seen, timer));
}

static void on_request(struct seen *c)
{
	struct served *s = c->server;
	s->requests++;
	if (one_in(s, s->cut_each)) {
		seen_close(c);
		return;
	}
	list_push_back(&s->running, &c->run);
	if (s->running.len > s->running_peak)
		s->running_peak = s->running.len;
	ns_t in = s->answer_in_max;
	in = in && one_in(s, 8) ? (ns_t)rng_below(&s->rng, (uint64_t)in) : 0;
	if (!in) {
		answer(c);
		return;
	}
	io_timer_set(s->loop, &c->timer, io_now(s->loop) + in);
	if (s->deaf)
		io_want(&c->sock, 0);
}

/* One request at a time, without a body. */
static void seen_read(struct seen *c)
{
	char buf[2048];
	size_t got;
	enum err e = ERR_OK;
	while (io_is_open(&c->sock) && !(c->server->deaf && list_on(&c->run)) &&
		(e = io_read(&c->sock, buf, sizeof(buf), &got)) == ERR_OK) {
		for (size_t i = 0; i < got && io_is_open(&c->sock); i++) {
			if (buf[i] != '\r')
				c->newlines = buf[i] == '\n' ? c->newlines + 1 : 0;
			if (c->newlines == 2) {
				c->newlines = 0;
				on_request(c);
			}
		}
	}
	if (e != ERR_OK && e != ERR_AGAIN)
		seen_close(c);
}

static void on_ready(struct io_sock *sock, unsigned bits)
{
	(void)bits;
	seen_read(CONTAINER_OF(sock, struct seen, sock));
}

static void on_listener(struct io_sock *sock, unsigned bits)
{
	struct io_listener *l = CONTAINER_OF(sock, struct io_listener, sock);
	struct served *s = CONTAINER_OF(l, struct served, listener);
	struct addr peer;
	(void)bits;
	for (;;) {
		struct seen *c = mem_zalloc(sizeof(*c));
		c->server = s;
		c->sock.on_ready = on_ready;
		c->timer.on_fire = on_timer;
		if (io_accept(l, &c->sock, &peer) != ERR_OK) {
			mem_free(c);
			return;
		}
		s->accepts++;
		LIST_EACH (&s->conns, n, after)
			seen_read(CONTAINER_OF(n, struct seen, node));
		list_push_back(&s->conns, &c->node);
		if (s->conns.len > s->open_peak)
			s->open_peak = s->conns.len;
		io_want(&c->sock, IO_READ);
	}
}

static void on_stop(struct io_letter *l)
{
	struct served *s = CONTAINER_OF(l, struct served, stop);
	io_listener_close(&s->listener);
	LIST_EACH (&s->conns, n, after)
		seen_close(CONTAINER_OF(n, struct seen, node));
}

static void *serve(void *arg)
{
	struct served *s = arg;
	io_loop_run(s->loop);
	return NULL;
}

void served_start(struct served *s)
{
	struct problem p = { 0 };
	struct addr at;
	CHECK(addr_parse(SLICE("127.0.0.1:0"), &at, &p));
	rng_init(&s->rng, s->seed);
	list_init(&s->conns);
	list_init(&s->running);
	s->loop = io_loop_new(NULL);
	s->mail = io_mailbox_new(s->loop);
	s->stop.on_read = on_stop;
	s->listener.sock.on_ready = on_listener;
	CHECK(io_listen(s->loop, &s->listener, &at, NULL, &p) == ERR_OK);
	io_want(&s->listener.sock, IO_READ);
	CHECK(pthread_create(&s->thread, NULL, serve, s) == 0);
}

void served_stop(struct served *s)
{
	io_mail(s->mail, &s->stop);
	CHECK(pthread_join(s->thread, NULL) == 0);
	io_mailbox_free(&s->mail);
	io_loop_free(&s->loop);
}

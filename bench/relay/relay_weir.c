/* The relay on weir's own seam, io/sock.h: uv_poll_t and our own system calls. */
#include "relay.h"

#include "io/sock.h"

struct side {
	struct io_sock sock;
	struct pair *pair;
	struct side *other;
	size_t len, off; /* read here, and how much of it is written to the other side */
	char buf[RELAY_BUF];
};

struct pair {
	struct side sides[2];
};

struct relay {
	struct io_loop *loop;
	struct io_listener listener;
	struct addr server;
};

static void end_pair(struct pair *p)
{
	io_close(&p->sides[0].sock, IO_CLOSE_FIN);
	io_close(&p->sides[1].sock, IO_CLOSE_FIN);
	free(p);
}

static enum err push(struct side *from)
{
	struct iovec iov = { from->buf + from->off, from->len - from->off };
	size_t put;
	enum err e = io_writev(&from->other->sock, &iov, 1, &put);

	from->off += put;
	if (from->off == from->len) {
		from->off = from->len = 0;
		return ERR_OK;
	}
	io_want(&from->sock,
		from->sock.wanted & (unsigned)~IO_READ); /* the reader rests */
	io_want(&from->other->sock, from->other->sock.wanted | IO_WRITE);
	return e == ERR_AGAIN ? ERR_OK : e;
}

static enum err pull(struct side *s)
{
	enum err e = io_read(&s->sock, s->buf, sizeof(s->buf), &s->len);

	if (e == ERR_OK)
		e = push(s);
	return e == ERR_AGAIN ? ERR_OK : e;
}

static void on_ready(struct io_sock *sock, unsigned bits)
{
	struct side *s = CONTAINER_OF(sock, struct side, sock);
	enum err e = ERR_OK;

	if (bits & IO_WRITE) {
		e = io_connect_result(sock);
		io_want(sock, sock->wanted & (unsigned)~IO_WRITE);
		io_want(&s->other->sock, s->other->sock.wanted | IO_READ);
		if (e == ERR_OK && s->other->len > 0)
			e = push(s->other);
	}
	if (e == ERR_OK && (bits & IO_READ) && s->len == 0)
		e = pull(s);
	if (e != ERR_OK)
		end_pair(s->pair);
}

static void on_connection(struct io_sock *listener, unsigned bits)
{
	struct relay *r = CONTAINER_OF(listener, struct relay, listener.sock);
	struct pair *p = calloc(1, sizeof(*p));

	(void)bits;
	must(p != NULL, "calloc");
	for (size_t i = 0; i < 2; i++) {
		p->sides[i].pair = p;
		p->sides[i].other = &p->sides[1 - i];
		p->sides[i].sock.on_ready = on_ready;
	}
	if (io_accept(&r->listener, &p->sides[0].sock, NULL) != ERR_OK ||
		io_connect(r->loop, &p->sides[1].sock, &r->server, NULL) != ERR_OK) {
		end_pair(p);
		return;
	}
	io_want(&p->sides[0].sock, IO_READ);
	io_want(&p->sides[1].sock, IO_READ | IO_WRITE);
}

int main(int argc, char **argv)
{
	struct relay r = { 0 };
	struct sockaddr_in any = loopback("0"), to = loopback(argc > 1 ? argv[1] : "0");
	struct addr at = { .len = sizeof(any), .in = any };
	struct problem p = { 0 };

	setup(argc, 2, "relay_weir SERVER-PORT");
	r.server = (struct addr){ .len = sizeof(to), .in = to };
	r.loop = io_loop_new(NULL);
	if (io_listen(r.loop, &r.listener, &at, NULL, &p) != ERR_OK) {
		fprintf(stderr, "%s\n", p.text);
		return 1;
	}
	r.listener.sock.on_ready = on_connection;
	io_want(&r.listener.sock, IO_READ);
	tell_port(&r.listener.at.in);
	io_loop_run(r.loop);
	return 0;
}

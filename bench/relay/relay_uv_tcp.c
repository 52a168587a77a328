/* The relay on libuv's streams: uv_read_start, uv_try_write, uv_write for the rest. */
#include <uv.h>

#include "relay.h"

struct side {
	uv_tcp_t tcp;
	struct pair *pair;
	struct side *other;
	char buf[RELAY_BUF];
};

struct pair {
	struct side sides[2];
	uv_connect_t connect;
	int closed, open_handles;
};

struct relay {
	uv_loop_t loop;
	uv_tcp_t listener;
	struct sockaddr_in server;
};

/* What uv_try_write did not take. */
struct rest {
	uv_write_t req;
	struct side *from;
	char bytes[];
};

static void on_closed(uv_handle_t *h)
{
	struct side *s = h->data;
	if (--s->pair->open_handles == 0)
		free(s->pair);
}

static void end_pair(struct pair *p)
{
	if (p->closed)
		return;
	p->closed = 1;
	uv_close((uv_handle_t *)&p->sides[0].tcp, on_closed);
	uv_close((uv_handle_t *)&p->sides[1].tcp, on_closed);
}

static void on_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct side *s = h->data;
	(void)hint;
	*buf = uv_buf_init(s->buf, sizeof(s->buf));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void on_written(uv_write_t *req, int status)
{
	struct rest *rest = (struct rest *)req;
	struct side *from = rest->from;

	free(rest);
	if (status < 0)
		end_pair(from->pair);
	else
		uv_read_start((uv_stream_t *)&from->tcp, on_alloc, on_read);
}

static void write_rest(struct side *from, const char *bytes, size_t len)
{
	struct rest *rest = malloc(sizeof(*rest) + len);
	uv_buf_t buf;

	must(rest != NULL, "malloc");
	memcpy(rest->bytes, bytes, len);
	rest->from = from;
	buf = uv_buf_init(rest->bytes, (unsigned)len);
	uv_read_stop((uv_stream_t *)&from->tcp); /* blocked: the reader rests */
	if (uv_write(&rest->req, (uv_stream_t *)&from->other->tcp, &buf, 1, on_written) <
		0) {
		free(rest);
		end_pair(from->pair);
	}
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct side *s = stream->data;
	uv_buf_t part;

	if (n == 0)
		return;
	if (n < 0) {
		end_pair(s->pair);
		return;
	}
	part = uv_buf_init(buf->base, (unsigned)n);
	int put = uv_try_write((uv_stream_t *)&s->other->tcp, &part, 1);
	if (put < 0 && put != UV_EAGAIN)
		end_pair(s->pair);
	else if (put < n)
		write_rest(s, buf->base + (put > 0 ? put : 0),
			(size_t)(n - (put > 0 ? put : 0)));
}

static void on_connected(uv_connect_t *req, int status)
{
	struct side *s = req->data;

	if (status < 0)
		end_pair(s->pair);
	else if (!s->pair->closed)
		uv_read_start((uv_stream_t *)&s->tcp, on_alloc, on_read);
}

static void on_connection(uv_stream_t *listener, int status)
{
	struct relay *r = listener->data;
	struct pair *p = calloc(1, sizeof(*p));

	must(status == 0 && p != NULL, "accept");
	for (size_t i = 0; i < 2; i++) {
		struct side *s = &p->sides[i];
		uv_tcp_init(&r->loop, &s->tcp);
		s->tcp.data = s;
		s->pair = p;
		s->other = &p->sides[1 - i];
		p->open_handles++;
	}
	if (uv_accept(listener, (uv_stream_t *)&p->sides[0].tcp) < 0) {
		end_pair(p);
		return;
	}
	uv_tcp_nodelay(&p->sides[0].tcp, 1);
	p->connect.data = &p->sides[1];
	uv_tcp_connect(&p->connect, &p->sides[1].tcp, (const struct sockaddr *)&r->server,
		on_connected);
	uv_tcp_nodelay(&p->sides[1].tcp, 1);
	uv_read_start((uv_stream_t *)&p->sides[0].tcp, on_alloc, on_read);
}

int main(int argc, char **argv)
{
	struct relay r;
	struct sockaddr_in at = loopback("0");
	int len = sizeof(at);

	setup(argc, 2, "relay_uv_tcp SERVER-PORT");
	r.server = loopback(argv[1]);
	uv_loop_init(&r.loop);
	uv_tcp_init(&r.loop, &r.listener);
	r.listener.data = &r;
	must(uv_tcp_bind(&r.listener, (const struct sockaddr *)&at, 0) == 0, "bind");
	must(uv_listen((uv_stream_t *)&r.listener, 1024, on_connection) == 0, "listen");
	must(uv_tcp_getsockname(&r.listener, (struct sockaddr *)&at, &len) == 0,
		"getsockname");
	tell_port(&at);
	return uv_run(&r.loop, UV_RUN_DEFAULT);
}

#include "tests/sim/raw.h"

static void raw_rearm(struct raw *r)
{
	unsigned bits = 0;
	if (!io_is_open(&r->sock))
		return;
	if (!r->deaf && r->end == ERR_AGAIN)
		bits |= IO_READ;
	if (r->sock.connecting || r->out_at < r->out.len)
		bits |= IO_WRITE;
	if (r->sock.connecting)
		bits = IO_WRITE;
	io_want(&r->sock, bits);
}

static void raw_write(struct raw *r)
{
	while (r->out_at < r->out.len && !r->sock.connecting) {
		struct iovec iov = { r->out.ptr + r->out_at, r->out.len - r->out_at };
		size_t put = 0;
		enum err e = io_writev(&r->sock, &iov, 1, &put);
		if (e == ERR_AGAIN)
			return;
		if (e != ERR_OK) {
			r->broken = true;
			r->out_at = r->out.len; /* nobody will read it */
			break;
		}
		r->out_at += put;
	}
	if (r->sock.connecting)
		return;
	text_reset(&r->out);
	r->out_at = 0;
	if (r->shut_after)
		(void)!io_shutdown(&r->sock);
	r->shut_after = false;
	if (r->close_after)
		raw_close(r, r->how);
}

static void raw_read(struct raw *r)
{
	char buf[16384];
	size_t got;
	while (io_is_open(&r->sock) && !r->deaf && r->end == ERR_AGAIN) {
		enum err e = io_read(&r->sock, buf, sizeof(buf), &got);
		if (e == ERR_AGAIN)
			return;
		if (e == ERR_OK) {
			text_add_slice(&r->in, (struct slice){ buf, got });
			r->rx_bytes += got;
		} else {
			r->end = e;
		}
		if (r->on_bytes)
			r->on_bytes(r);
	}
}

static void on_ready(struct io_sock *s, unsigned bits)
{
	struct raw *r = CONTAINER_OF(s, struct raw, sock);
	if (s->connecting) {
		enum err e = io_connect_result(s);
		if (e == ERR_AGAIN)
			return;
		if (e != ERR_OK) {
			r->end = e;
			io_close(s, IO_CLOSE_FIN);
			if (r->on_bytes)
				r->on_bytes(r);
			return;
		}
	}
	if (bits & IO_WRITE)
		raw_write(r);
	if (bits & IO_READ)
		raw_read(r);
	raw_rearm(r);
}

void raw_init(struct raw *r)
{
	*r = (struct raw){ .end = ERR_AGAIN };
	r->sock.on_ready = on_ready;
	text_init(&r->in);
	text_init(&r->out);
	text_init(&r->said);
}

void raw_connect(struct raw *r, struct io_loop *loop, const struct addr *to)
{
	r->end = io_connect(loop, &r->sock, to, NULL);
	if (r->end != ERR_OK)
		return;
	r->end = ERR_AGAIN;
	raw_rearm(r);
}

void raw_send(struct raw *r, struct slice bytes)
{
	if (!io_is_open(&r->sock) || r->shut)
		return;
	text_add_slice(&r->out, bytes);
	if (r->keeps)
		text_add_slice(&r->said, bytes);
	if (!r->sock.connecting)
		raw_write(r);
	raw_rearm(r);
}

void raw_say(struct raw *r, const char *text)
{
	raw_send(r, slice_of(text));
}

void raw_set_deaf(struct raw *r, bool deaf)
{
	r->deaf = deaf;
	raw_rearm(r);
}

void raw_close(struct raw *r, enum io_close how)
{
	if (!io_is_open(&r->sock))
		return;
	io_close(&r->sock, how);
	if (r->on_closed)
		r->on_closed(r);
}

void raw_close_after(struct raw *r, enum io_close how)
{
	r->close_after = true;
	r->how = how;
	if (r->out_at == r->out.len && !r->sock.connecting)
		raw_close(r, how);
}

void raw_shutdown(struct raw *r)
{
	if (!io_is_open(&r->sock) || r->shut)
		return;
	r->shut = r->shut_after = true;
	if (!r->sock.connecting)
		raw_write(r);
	raw_rearm(r);
}

void raw_fini(struct raw *r)
{
	io_close(&r->sock, IO_CLOSE_RESET);
	text_fini(&r->in);
	text_fini(&r->out);
	text_fini(&r->said);
}

bool raw_got(const struct raw *r, const char *text)
{
	return slice_eq(text_slice(&r->in), slice_of(text));
}

/* --- servers --- */

static void on_listener(struct io_sock *sock, unsigned bits)
{
	struct io_listener *l = CONTAINER_OF(sock, struct io_listener, sock);
	struct raw_server *s = CONTAINER_OF(l, struct raw_server, listener);
	(void)bits;
	for (;;) {
		struct raw *r = mem_alloc(sizeof(*r));
		raw_init(r);
		if (io_accept(l, &r->sock, &r->peer) != ERR_OK) {
			mem_free(r);
			return;
		}
		r->server = s;
		r->on_bytes = s->on_bytes;
		r->number = s->accepted++;
		list_push_back(&s->conns, &r->node);
		if (s->on_accept)
			s->on_accept(s, r);
		raw_rearm(r);
	}
}

void raw_server_listen(struct raw_server *s, struct io_loop *loop, const char *at)
{
	struct problem p = { "" };
	struct addr addr;
	raw_addr(at, &addr);
	list_init(&s->conns);
	s->listener.sock.on_ready = on_listener;
	CHECK(io_listen(loop, &s->listener, &addr, NULL, &p) == ERR_OK);
	io_want(&s->listener.sock, IO_READ);
}

const struct addr *raw_server_addr(const struct raw_server *s)
{
	return &s->listener.at;
}

struct raw *raw_server_nth(const struct raw_server *s, uint32_t nth)
{
	LIST_EACH (&s->conns, n, after) {
		if (nth-- == 0)
			return CONTAINER_OF(n, struct raw, node);
	}
	return NULL;
}

void raw_server_fini(struct raw_server *s)
{
	struct list_node *n;
	while ((n = list_pop_front(&s->conns))) {
		struct raw *r = CONTAINER_OF(n, struct raw, node);
		raw_fini(r);
		mem_free(r);
	}
	io_listener_close(&s->listener);
}

void raw_addr(const char *text, struct addr *out)
{
	struct problem p = { "" };
	CHECK(addr_parse(slice_of(text), out, &p));
}

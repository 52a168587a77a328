#include "io/sim/world.h"

static struct end *end_of(const struct io_sock *s)
{
	CHECK(io_is_open(s));
	return CONTAINER_OF(s->twin, struct end, twin);
}

/* unix: no network, no handshake: the listener has it at once. */
static enum err connect_local(
	struct io_loop *loop, struct io_sock *s, const struct addr *to)
{
	struct sim_listener *l = listener_find(loop->sim, loop, to);

	if (!l || listener_is_full(l))
		return ERR_REFUSED;
	struct sim_conn *c = conn_new(loop->sim);
	c->is_local = true;
	c->addrs[0] = (struct addr){ .len = sizeof(sa_family_t) };
	c->addrs[0].sa.sa_family = AF_UNIX;
	c->addrs[1] = *to;
	c->ends[0].host = loop;
	c->ends[1].host = l->host;
	conn_claim(c);
	twin_attach(&c->ends[0].twin, loop, s);
	end_enter(&c->ends[0], END_ESTABLISHED);
	end_enter(&c->ends[1], END_ESTABLISHED);
	c->ends[1].listener = l;
	listener_enqueue(l, &c->ends[1]);
	return ERR_OK;
}

/* The source: as asked for, unless another host owns it; and 127.0.0.1 and its like mean
 * this host. */
static enum err choose_ends(struct io_loop *loop, const struct addr *from,
	const struct addr *to, struct addr ends[2])
{
	ends[0] = from ? *from : loop->ip;
	ends[1] = *to;
	if (addr_is_any(to) || addr_is_loopback(to)) {
		ends[1] = loop->ip;
		addr_set_port(&ends[1], addr_port(to));
	}
	if (ends[0].sa.sa_family != ends[1].sa.sa_family)
		return ERR_UNREACHABLE;
	addr_set_port(&ends[0], 0);
	struct io_loop *owner = host_find(loop->sim, &ends[0]);
	return owner && owner != loop ? ERR_SOCKET : ERR_OK;
}

enum err io_connect(struct io_loop *loop, struct io_sock *s, const struct addr *to,
	const struct addr *from)
{
	struct addr ends[2];

	if (!host_has_fd(loop))
		return ERR_NO_FDS;
	if (addr_is_unix(to))
		return connect_local(loop, s, to);
	enum err e = choose_ends(loop, from, to, ends);
	if (e != ERR_OK)
		return e;
	struct sim_ports *ports = sim_ports_of(loop, &ends[0], &ends[1]);
	struct sim_conn *c = conn_new(loop->sim);
	c->addrs[1] = ends[1];
	c->ends[0].host = loop;
	conn_claim(c);
	if (!sim_ports_take(c, ports)) {
		conn_drop(c);
		return ERR_NO_PORTS;
	}
	twin_attach(&c->ends[0].twin, loop, s);
	s->connecting = true;
	loop->connects++;
	tcp_start(c);
	return ERR_OK;
}

enum err io_connect_result(struct io_sock *s)
{
	struct end *e = end_of(s);

	if (!s->connecting)
		return ERR_OK;
	if (e->state == END_SYN_SENT)
		return ERR_AGAIN;
	if (e->error != ERR_OK) {
		e->failed = e->error;
		e->error = ERR_OK;
	}
	if (e->failed == ERR_OK)
		s->connecting = false;
	return e->failed;
}

static enum err take_error(struct end *e)
{
	enum err error = e->error;
	e->error = ERR_OK;
	return error;
}

enum err io_read(struct io_sock *s, void *buf, size_t cap, size_t *got)
{
	struct end *e = end_of(s), *peer = end_peer(e);

	CHECK(cap > 0);
	*got = stream_take(peer, buf, cap < UINT32_MAX ? (uint32_t)cap : UINT32_MAX);
	if (*got > 0) {
		if (e->conn->is_local)
			end_touch(peer);
		else
			tcp_tell_window(e);
		return ERR_OK;
	}
	if (e->fin_seen && !e->conn->is_local)
		return ERR_EOF; /* before a pending error: that one is the writer's */
	if (e->error != ERR_OK)
		return take_error(e);
	return e->fin_seen || e->state == END_CLOSED ? ERR_EOF : ERR_AGAIN;
}

static uint32_t bytes_of(const struct iovec *iov, int n, uint32_t max)
{
	uint32_t sum = 0;

	for (int i = 0; i < n; i++) {
		if (iov[i].iov_len >= max - sum)
			return max;
		sum += (uint32_t)iov[i].iov_len;
	}
	return sum;
}

enum err io_writev(struct io_sock *s, const struct iovec *iov, int n, size_t *put)
{
	struct end *e = end_of(s);
	uint32_t max = e->conn->sim->cfg.write_max;

	*put = 0;
	if (e->state == END_SYN_SENT)
		return ERR_AGAIN;
	if (e->error != ERR_OK && !e->conn->is_local)
		return take_error(e);
	if (e->out.fin_queued || e->state == END_CLOSED ||
		(e->conn->is_local && end_peer(e)->is_deaf))
		return ERR_PIPE;
	uint32_t space = end_space(e);
	if (space == 0)
		return ERR_AGAIN;
	uint32_t bytes = bytes_of(iov, n, max && max < space ? max : space);
	stream_put(e, iov, n, bytes);
	*put = bytes;
	if (e->conn->is_local) {
		e->out.sent = e->out.delivered = e->out.acked = e->out.written;
		end_touch(end_peer(e));
	} else {
		tcp_pump(e);
	}
	return ERR_OK;
}

void io_want(struct io_sock *s, unsigned bits)
{
	CHECK(io_is_open(s) && bits <= (IO_READ | IO_WRITE));
	s->wanted = (uint8_t)bits;
	twin_touch(s->twin);
}

enum err io_shutdown(struct io_sock *s)
{
	struct end *e = end_of(s);

	if (e->state == END_SYN_SENT || e->state == END_CLOSED)
		return ERR_PIPE;
	if (!e->conn->is_local) {
		tcp_shutdown(e);
		return ERR_OK;
	}
	e->out.fin_queued = true;
	end_peer(e)->fin_seen = true;
	end_touch(end_peer(e));
	return ERR_OK;
}

/* unix: what Linux does in unix_release_sock: the other end sees the end of the stream,
 * or a reset if bytes for us were left, or if nobody accepted it. */
static void close_local(struct end *e)
{
	struct end *peer = end_peer(e);

	if (end_unread(e) > 0 || e->waits)
		peer->error = ERR_RESET;
	end_deafen(e);
	peer->fin_seen = true;
	end_enter(e, END_CLOSED);
	end_touch(peer);
}

void end_close(struct end *e, enum io_close how)
{
	if (e->conn->is_local)
		close_local(e);
	else
		tcp_close(e, how);
}

void io_close(struct io_sock *s, enum io_close how)
{
	if (!io_is_open(s))
		return;
	struct twin *t = s->twin;
	if (t->is_listener) {
		io_listener_close(CONTAINER_OF(s, struct io_listener, sock));
		return;
	}
	struct end *e = CONTAINER_OF(t, struct end, twin);
	twin_detach(t, s->loop);
	end_close(e, how);
	conn_drop(e->conn); /* the owner's claim */
}

/* The loop that has it need not be the host's whose address it has: hosts can play threads. */
void io_detach(struct io_sock *s, struct io_sock *loose)
{
	struct end *e = end_of(s);

	CHECK(!s->connecting);
	twin_detach(&e->twin, s->loop);
	e->moves = true;
	*loose = (struct io_sock){ .fd = -1, .twin = &e->twin };
}

enum err io_attach(struct io_loop *loop, struct io_sock *s, struct io_sock *loose)
{
	struct end *e = CONTAINER_OF(loose->twin, struct end, twin);

	CHECK(!io_is_open(loose) && e->moves);
	loose->twin = NULL;
	e->moves = false;
	twin_attach(&e->twin, loop, s);
	return ERR_OK;
}

uint32_t io_unacked(struct io_sock *s)
{
	const struct end *e = end_of(s);

	if (e->conn->is_local || e->state == END_CLOSED)
		return 0;
	return (uint32_t)(e->out.written - e->out.acked);
}

enum err io_queued(struct io_sock *s, uint32_t *unread, uint32_t *unacked)
{
	*unread = end_unread(end_of(s));
	*unacked = io_unacked(s);
	return ERR_OK;
}

ns_t io_rtt(struct io_sock *s)
{
	const struct end *e = end_of(s);
	const struct sim_cfg *cfg = &e->conn->sim->cfg;

	if (e->conn->is_local || e->state == END_SYN_SENT)
		return 0;
	return cfg->latency * 2 + cfg->jitter;
}

/* Its threads look at once. */
ns_t io_end_gap(struct io_sock *s)
{
	(void)s;
	return NS_NEVER;
}

bool io_local_addr(struct io_sock *s, struct addr *out)
{
	const struct twin *t = s->twin;

	if (t->is_listener) {
		*out = CONTAINER_OF(s, struct io_listener, sock)->at;
		return true;
	}
	const struct end *e = end_of(s);
	*out = e->conn->addrs[e == &e->conn->ends[1]];
	return true;
}

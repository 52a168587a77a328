#include "io/sim/world.h"

#define PORT_FIRST 32768

struct sim_conn *conn_new(struct sim *sim)
{
	struct sim_conn *c = slab_take(&sim->conn_slab);

	c->sim = sim;
	list_push_back(&sim->conns, &c->node);
	for (size_t i = 0; i < 2; i++) {
		c->ends[i].conn = c;
		c->ends[i].state = END_CLOSED;
		c->ends[i].out.edge = c->ends[i].out.promised = sim->cfg.buf_bytes;
	}
	return c;
}

void conn_claim(struct sim_conn *c)
{
	c->claims++;
}

void conn_drop(struct sim_conn *c)
{
	CHECK(c->claims > 0);
	if (--c->claims > 0)
		return;
	for (size_t i = 0; i < 2; i++) {
		CHECK(!c->ends[i].twin.sock && !list_on(&c->ends[i].twin.ready));
		mem_free(c->ends[i].out.ring);
	}
	list_remove(&c->sim->conns, &c->node);
	slab_give(&c->sim->conn_slab, c);
}

static void leave_port(struct end *e)
{
	struct sim_conn *c = e->conn;
	struct port *port = &c->ports->port[c->port];

	if (e == &c->ends[0]) {
		CHECK(port->used);
		port->used = false;
		c->ports->used--;
	} else if (port->server == c) {
		port->server = NULL;
	}
}

void end_enter(struct end *e, enum end_state state)
{
	enum end_state old = e->state;

	if (old == state)
		return;
	if (old == END_CLOSED)
		conn_claim(e->conn);
	e->state = state;
	if (!e->conn->is_local) {
		if (old != END_CLOSED)
			e->host->in_state[old]--;
		if (state != END_CLOSED)
			e->host->in_state[state]++;
		else
			leave_port(e);
	}
	if (state == END_CLOSED)
		conn_drop(e->conn);
}

void end_touch(struct end *e)
{
	twin_touch(&e->twin);
}

uint32_t end_unread(const struct end *e)
{
	const struct stream *in = &end_peer(e)->out;
	return (uint32_t)(in->delivered - in->taken);
}

/* What the kernel would call free send buffer; on unix: the reader's queue is that. */
uint32_t end_space(const struct end *e)
{
	const struct stream *out = &e->out;
	uint64_t held = out->written - (e->conn->is_local ? out->taken : out->acked);
	return (uint32_t)(e->conn->sim->cfg.buf_bytes - held);
}

static bool is_writable(const struct end *e)
{
	uint32_t space = end_space(e);

	switch (e->state) {
	case END_SYN_SENT:
	case END_SYN_RECV:
		return false;
	case END_ESTABLISHED:
	case END_CLOSE_WAIT:
		if (e->out.fin_queued || (e->conn->is_local && end_peer(e)->is_deaf))
			return true;
		/* from a third free on, as Linux has it: fewer, larger writes */
		return space > 0 && space >= (e->conn->sim->cfg.buf_bytes - space) / 2;
	case END_FIN_WAIT1:
	case END_FIN_WAIT2:
	case END_CLOSING:
	case END_TIME_WAIT:
	case END_LAST_ACK:
	case END_CLOSED:
	case END_STATES:
		break;
	}
	return true; /* the write says why not */
}

unsigned end_ready_bits(const struct end *e)
{
	if (e->error != ERR_OK || e->state == END_CLOSED)
		return IO_READ | IO_WRITE;
	return (end_unread(e) > 0 || e->fin_seen ? IO_READ : 0u) |
	       (is_writable(e) ? IO_WRITE : 0u);
}

void end_deafen(struct end *e)
{
	struct stream *in = &end_peer(e)->out;

	e->is_deaf = true;
	mem_free(in->ring);
	in->ring = NULL;
	in->ring_len = 0;
}

/* Room for all that is written and not taken; bounded by a send and a receive buffer. */
static void grow_ring(struct stream *s, uint64_t need)
{
	uint32_t len = s->ring_len ? s->ring_len : 512;

	if (need <= s->ring_len)
		return;
	while (len < need)
		len *= 2;
	uint8_t *ring = mem_alloc(len);
	for (uint64_t at = s->taken; at < s->written;) {
		uint32_t from = (uint32_t)at & (s->ring_len - 1),
			 to = (uint32_t)at & (len - 1);
		uint64_t n = s->written - at;
		n = n < s->ring_len - from ? n : s->ring_len - from;
		n = n < len - to ? n : len - to;
		memcpy(ring + to, s->ring + from, n);
		at += n;
	}
	mem_free(s->ring);
	s->ring = ring;
	s->ring_len = len;
}

static void put_bytes(struct stream *s, const uint8_t *bytes, uint32_t n)
{
	while (n > 0) {
		uint32_t at = (uint32_t)s->written & (s->ring_len - 1);
		uint32_t part = n < s->ring_len - at ? n : s->ring_len - at;
		memcpy(s->ring + at, bytes, part);
		s->written += part;
		bytes += part;
		n -= part;
	}
}

void stream_put(struct end *e, const struct iovec *iov, int n, uint32_t bytes)
{
	struct stream *s = &e->out;

	if (end_peer(e)->is_deaf) {
		s->written += bytes;
		return;
	}
	grow_ring(s, s->written - s->taken + bytes);
	for (int i = 0; i < n && bytes > 0; i++) {
		uint32_t part = iov[i].iov_len < bytes ? (uint32_t)iov[i].iov_len : bytes;
		put_bytes(s, iov[i].iov_base, part);
		bytes -= part;
	}
}

uint32_t stream_take(struct end *from, void *buf, uint32_t cap)
{
	struct stream *s = &from->out;
	uint32_t n = (uint32_t)(s->delivered - s->taken), done = 0;

	n = n < cap ? n : cap;
	while (done < n) {
		uint32_t at = (uint32_t)s->taken & (s->ring_len - 1);
		uint32_t part = n - done < s->ring_len - at ? n - done : s->ring_len - at;
		memcpy((uint8_t *)buf + done, s->ring + at, part);
		s->taken += part;
		done += part;
	}
	return n;
}

struct sim_ports *sim_ports_of(
	struct io_loop *host, const struct addr *from, const struct addr *to)
{
	uint32_t count = host->sim->cfg.ports;

	LIST_EACH (&host->ports, n, after) {
		struct sim_ports *p = CONTAINER_OF(n, struct sim_ports, node);
		if (addr_eq(&p->to, to) && addr_eq(&p->from, from))
			return p;
	}
	struct sim_ports *p = mem_zalloc(sizeof(*p) + count * sizeof(p->port[0]));
	p->from = *from;
	p->to = *to;
	p->next = (uint32_t)rng_below(&host->sim->rng, count);
	list_push_back(&host->ports, &p->node);
	return p;
}

bool sim_ports_take(struct sim_conn *c, struct sim_ports *p)
{
	uint32_t count = c->sim->cfg.ports;

	if (p->used == count)
		return false;
	while (p->port[p->next].used)
		p->next = (p->next + 1) % count;
	p->port[p->next].used = true;
	p->used++;
	c->ports = p;
	c->port = p->next;
	p->next = (p->next + 1) % count;
	c->addrs[0] = p->from;
	addr_set_port(&c->addrs[0], (uint16_t)(PORT_FIRST + c->port));
	return true;
}

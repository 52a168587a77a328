/*
 * The life of a TCP connection between two simulated hosts. Rules of closing as in Linux
 * net/ipv4/tcp.c (tcp_close, tcp_disconnect) and tcp_input.c (tcp_rcv_state_process,
 * tcp_reset).
 */
#include "io/sim/world.h"

#define SYN_TRIES 6   /* net.ipv4.tcp_syn_retries */
#define DATA_TRIES 15 /* net.ipv4.tcp_retries2 */
#define ORPHAN_TRIES 8
#define SYN_ACK_TRIES 5
#define RTO_FIRST (200 * NS_MS)
#define RTO_MAX (120 * NS_S)
#define UNREACHABLE_AFTER (3 * NS_S) /* ARP gives up */

static void post_at(struct end *to, enum event_kind kind, ns_t at, struct event ev)
{
	ev.at = at;
	ev.kind = kind;
	ev.conn = to->conn;
	ev.to = to == &to->conn->ends[1];
	conn_claim(to->conn);
	events_post(&to->conn->sim->queue, &ev);
}

/* Over the network, never overtaking what went before it the same way. */
static void send_event(struct end *from, enum event_kind kind, struct event ev)
{
	struct sim *sim = from->conn->sim;
	ns_t at = sim->now + sim->cfg.latency;

	if (sim->cfg.jitter > 0)
		at += (ns_t)rng_below(&sim->rng, (uint64_t)sim->cfg.jitter + 1);
	at = ns_max(at, from->last_arrival);
	from->last_arrival = at;
	post_at(end_peer(from), kind, at, ev);
}

static ns_t backoff(ns_t first, uint32_t tries)
{
	return tries > 20 ? RTO_MAX : ns_min(first << tries, RTO_MAX);
}

/* False: it was lost on the way. */
static bool send_rst(struct end *from)
{
	struct sim *sim = from->conn->sim;

	from->host->resets_sent++;
	if (sim->cfg.lose_rst > 0 && rng_unit(&sim->rng) < sim->cfg.lose_rst)
		return false;
	send_event(from, EVENT_RST, (struct event){ 0 });
	return true;
}

static void expire_after(struct end *e, ns_t wait)
{
	e->expires_at = e->conn->sim->now + wait;
	post_at(e, EVENT_EXPIRE, e->expires_at, (struct event){ 0 });
}

static bool is_orphan(const struct end *e)
{
	return !e->twin.sock && !e->waits && !e->moves;
}

static void enter_time_wait(struct end *e)
{
	end_enter(e, END_TIME_WAIT);
	expire_after(e, TIME_WAIT_FOR);
}

static void enter_fin_wait2(struct end *e)
{
	end_enter(e, END_FIN_WAIT2);
	if (is_orphan(e))
		expire_after(e, FIN_WAIT2_FOR);
}

void tcp_start(struct sim_conn *c)
{
	struct end *client = &c->ends[0];

	end_enter(client, END_SYN_SENT);
	if (host_find(c->sim, &c->addrs[1]))
		send_event(client, EVENT_SYN, (struct event){ 0 });
	else
		post_at(client, EVENT_FAIL, c->sim->now + UNREACHABLE_AFTER,
			(struct event){ .value = ERR_UNREACHABLE });
}

static bool may_send(const struct end *e)
{
	return e->state != END_SYN_SENT && e->state != END_SYN_RECV &&
	       e->state != END_FIN_WAIT2 && e->state != END_TIME_WAIT &&
	       e->state != END_CLOSED;
}

/*
 * The window is shut, and who could open it is gone and has not been heard saying so (a
 * lost RST): the window probe will be answered as any stray segment.
 */
static void probe(struct end *e)
{
	struct stream *s = &e->out;
	ns_t at = e->conn->sim->now + RTO_FIRST;

	if (end_peer(e)->state != END_CLOSED || s->written == s->sent ||
		s->acked != s->sent || s->probing || !may_send(e))
		return;
	s->probing = true;
	post_at(end_peer(e), EVENT_DATA, at, (struct event){ .value = 0 });
}

void tcp_pump(struct end *e)
{
	struct stream *s = &e->out;

	if (!may_send(e))
		return;
	uint64_t end = s->written < s->edge ? s->written : s->edge;
	if (end > s->sent) {
		uint64_t n = end - s->sent;
		s->sent = end;
		send_event(e, EVENT_DATA, (struct event){ .value = n });
	}
	if (s->fin_queued && !s->fin_sent && s->sent == s->written) {
		s->fin_sent = true;
		send_event(e, EVENT_FIN, (struct event){ 0 });
	}
	probe(e);
}

static void send_ack(struct end *from)
{
	struct stream *in = &end_peer(from)->out;

	in->promised = in->taken + from->conn->sim->cfg.buf_bytes;
	send_event(from, EVENT_ACK,
		(struct event){ .value = in->delivered,
			.edge = in->promised,
			.acks_fin = from->fin_seen });
}

/* Not for every byte: half a buffer more is worth a segment (RFC 9293 3.8.6.2.2). */
void tcp_tell_window(struct end *e)
{
	uint32_t buf = e->conn->sim->cfg.buf_bytes;
	const struct stream *in = &end_peer(e)->out;

	if (e->state != END_CLOSED && !e->fin_seen &&
		in->taken + buf - in->promised >= (buf + 1) / 2)
		send_ack(e);
}

void tcp_shutdown(struct end *e)
{
	if (e->out.fin_queued)
		return;
	e->out.fin_queued = true;
	end_enter(e, e->state == END_CLOSE_WAIT ? END_LAST_ACK : END_FIN_WAIT1);
	tcp_pump(e);
}

/* Sends an RST and forgets the connection. */
static void abort_conn(struct end *e)
{
	struct end *peer = end_peer(e);

	(void)send_rst(e);
	end_enter(e, END_CLOSED);
	probe(peer);
}

void tcp_close(struct end *e, enum io_close how)
{
	bool unread = end_unread(e) > 0;

	end_deafen(e);
	switch (e->state) {
	case END_SYN_SENT:
		end_enter(e, END_CLOSED);
		return;
	case END_ESTABLISHED:
	case END_CLOSE_WAIT:
		if (unread || how == IO_CLOSE_RESET)
			abort_conn(e);
		else
			tcp_shutdown(e);
		return;
	case END_FIN_WAIT1:
		if (unread || how == IO_CLOSE_RESET)
			abort_conn(e);
		return;
	case END_FIN_WAIT2:
		if (unread || how == IO_CLOSE_RESET)
			abort_conn(e);
		else
			expire_after(e, FIN_WAIT2_FOR);
		return;
	case END_CLOSING:
	case END_LAST_ACK:
		if (unread || (how == IO_CLOSE_RESET && !e->out.fin_sent))
			abort_conn(e);
		else if (how == IO_CLOSE_RESET)
			end_enter(e, END_CLOSED);
		return;
	case END_TIME_WAIT: /* a socket of the kernel's own by now */
	case END_CLOSED:
	case END_SYN_RECV:
	case END_STATES:
		return;
	}
}

void tcp_reset_now(struct end *e)
{
	switch (e->state) {
	case END_CLOSED:
	case END_STATES:
		return;
	case END_SYN_SENT:
		e->error = ERR_REFUSED;
		break;
	case END_SYN_RECV:
		if (e->listener)
			list_remove(&e->listener->half_open, &e->pending);
		e->listener = NULL;
		break;
	case END_CLOSE_WAIT:
		e->error = ERR_PIPE;
		break;
	case END_ESTABLISHED:
	case END_FIN_WAIT1:
	case END_FIN_WAIT2:
	case END_CLOSING:
	case END_LAST_ACK:
		e->error = ERR_RESET;
		break;
	case END_TIME_WAIT:
		break;
	}
	conn_claim(e->conn); /* entering may drop the last one */
	end_enter(e, END_CLOSED);
	end_touch(e);
	conn_drop(e->conn);
}

/* The SYN found no room: the client tries again after 1 s, 2 s, 4 s, ... */
static void retry_syn(struct end *server, const struct event *ev)
{
	struct end *client = end_peer(server);
	struct event again = { .tries = (uint8_t)(ev->tries + 1) };
	ns_t at = ev->at + backoff(NS_S, ev->tries);

	if (ev->tries < SYN_TRIES)
		post_at(server, EVENT_SYN, at, again);
	else
		post_at(client, EVENT_FAIL, at,
			(struct event){ .value = ERR_CONNECT_TIMEOUT });
}

/* True: another connection's server end stands on this 4-tuple; the SYN must wait. */
static bool tuple_is_taken(struct sim_conn *c)
{
	struct sim_conn *old = c->ports->port[c->port].server;

	if (!old || old == c)
		return false;
	bool was_time_wait = old->ends[1].state == END_TIME_WAIT;
	/* TIME_WAIT is recycled; else a challenge ACK makes the client reset the old. */
	tcp_reset_now(&old->ends[1]);
	return !was_time_wait;
}

static void on_syn(struct end *server, const struct event *ev)
{
	struct sim_conn *c = server->conn;

	if (c->ends[0].state != END_SYN_SENT) /* it gave up meanwhile */
		return;
	server->host = host_find(c->sim, &c->addrs[1]);
	if (tuple_is_taken(c)) {
		retry_syn(server, ev);
		return;
	}
	struct sim_listener *l = listener_find(c->sim, server->host, &c->addrs[1]);
	if (!l) {
		if (!send_rst(server))
			retry_syn(server, ev);
		return;
	}
	if (listener_is_full(l)) {
		retry_syn(server, ev);
		return;
	}
	c->ports->port[c->port].server = c;
	end_enter(server, END_SYN_RECV);
	server->listener = l;
	list_push_back(&l->half_open, &server->pending);
	send_event(server, EVENT_SYN_ACK, (struct event){ 0 });
}

/* For a client that closed while connecting. */
static void refuse_syn_ack(struct end *client, const struct event *ev)
{
	struct event again = { .tries = (uint8_t)(ev->tries + 1) };

	if (send_rst(client))
		return;
	if (ev->tries < SYN_ACK_TRIES)
		post_at(client, EVENT_SYN_ACK, ev->at + backoff(NS_S, ev->tries), again);
	else
		tcp_reset_now(end_peer(client));
}

static void on_syn_ack(struct end *client, const struct event *ev)
{
	if (client->state != END_SYN_SENT) {
		refuse_syn_ack(client, ev);
		return;
	}
	end_enter(client, END_ESTABLISHED);
	send_event(client, EVENT_ACCEPT, (struct event){ 0 });
	end_touch(client);
}

static void on_accept(struct end *server)
{
	struct sim_listener *l = server->listener;

	if (server->state != END_SYN_RECV)
		return;
	if (!l) { /* closed meanwhile */
		abort_conn(server);
		return;
	}
	list_remove(&l->half_open, &server->pending);
	end_enter(server, END_ESTABLISHED);
	listener_enqueue(l, server);
}

/* Something came for a connection that is gone here. A lost RST is asked for again by
 * what is sent again. */
static void answer_stray(struct end *e, const struct event *ev)
{
	struct end *sender = end_peer(e);
	uint32_t max = is_orphan(sender) ? ORPHAN_TRIES : DATA_TRIES;
	struct event again = { .value = ev->value, .tries = (uint8_t)(ev->tries + 1) };
	ns_t at = ev->at + backoff(RTO_FIRST, ev->tries);

	if (sender->state == END_CLOSED || send_rst(e))
		return;
	if (ev->tries < max)
		post_at(e, ev->kind, at, again);
	else
		post_at(sender, EVENT_FAIL, at,
			(struct event){ .value = ERR_CONNECT_TIMEOUT });
}

static void on_data(struct end *e, const struct event *ev)
{
	if (e->state == END_CLOSED) {
		answer_stray(e, ev);
	} else if (is_orphan(e)) { /* nobody will read it: TCPAbortOnData */
		end_enter(e, END_CLOSED);
		answer_stray(e, ev);
	} else {
		end_peer(e)->out.delivered += ev->value;
		send_ack(e);
		end_touch(e);
	}
}

static void on_fin(struct end *e, const struct event *ev)
{
	if (e->state == END_CLOSED) {
		answer_stray(e, ev);
		return;
	}
	e->fin_seen = true;
	send_ack(e);
	if (e->state == END_ESTABLISHED)
		end_enter(e, END_CLOSE_WAIT);
	else if (e->state == END_FIN_WAIT1)
		end_enter(e, END_CLOSING);
	else if (e->state == END_FIN_WAIT2)
		enter_time_wait(e);
	end_touch(e);
}

static void on_ack(struct end *e, const struct event *ev)
{
	if (e->state == END_CLOSED)
		return;
	e->out.acked = ev->value > e->out.acked ? ev->value : e->out.acked;
	e->out.edge = ev->edge > e->out.edge ? ev->edge : e->out.edge;
	if (ev->acks_fin && e->state == END_FIN_WAIT1)
		enter_fin_wait2(e);
	else if (ev->acks_fin && e->state == END_CLOSING)
		enter_time_wait(e);
	else if (ev->acks_fin && e->state == END_LAST_ACK)
		end_enter(e, END_CLOSED);
	tcp_pump(e);
	end_touch(e);
}

static void on_expire(struct end *e, const struct event *ev)
{
	if (e->expires_at == ev->at &&
		(e->state == END_TIME_WAIT || e->state == END_FIN_WAIT2))
		end_enter(e, END_CLOSED);
}

/* The host's own kernel gives up. */
static void on_fail(struct end *e, const struct event *ev)
{
	if (e->state == END_CLOSED)
		return;
	tcp_reset_now(e);
	if (e->error != ERR_OK)
		e->error = (enum err)ev->value;
}

void tcp_event(const struct event *ev)
{
	struct end *to = &ev->conn->ends[ev->to];

	switch (ev->kind) {
	case EVENT_SYN:
		on_syn(to, ev);
		break;
	case EVENT_SYN_ACK:
		on_syn_ack(to, ev);
		break;
	case EVENT_ACCEPT:
		on_accept(to);
		break;
	case EVENT_DATA:
		on_data(to, ev);
		break;
	case EVENT_ACK:
		on_ack(to, ev);
		break;
	case EVENT_FIN:
		on_fin(to, ev);
		break;
	case EVENT_RST:
		tcp_reset_now(to);
		break;
	case EVENT_EXPIRE:
		on_expire(to, ev);
		break;
	case EVENT_FAIL:
		on_fail(to, ev);
		break;
	}
	conn_drop(ev->conn);
}

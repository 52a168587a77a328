/*
 * world: what the files of the simulated loop share. Nobody outside io/sim includes it.
 *
 * MODEL   A connection has two ends, the client's (0) and the server's (1). Each end owns
 *         the stream it sends, as positions in one ring of bytes:
 *
 *             taken <= delivered <= sent <= written       acked <= delivered
 *
 *         written by its owner, sent into the network, delivered to the other host, taken
 *         by the other owner. Segments are counts in events; the bytes move once in and
 *         once out.
 *         The other end's owner gone, nobody will read them, and the ring is freed.
 * RULES   1. end_enter is the only writer of end.state: it keeps the hosts' counts, gives
 *            ports back and drops the end's claim on the connection.
 *         2. A connection is freed with its last claim: live ends, owners, the accept
 *            queue and events on their way each hold one.
 */
#ifndef WEIR_IO_SIM_WORLD_H
#define WEIR_IO_SIM_WORLD_H

#include "io/sim.h"
#include "io/sim/event.h"
#include "io/turn.h"

#define TIME_WAIT_FOR (60 * NS_S)
#define FIN_WAIT2_FOR (60 * NS_S)

enum end_state {
	END_SYN_SENT,
	END_SYN_RECV,
	END_ESTABLISHED,
	END_FIN_WAIT1,
	END_FIN_WAIT2,
	END_CLOSING,
	END_TIME_WAIT,
	END_CLOSE_WAIT,
	END_LAST_ACK,
	END_CLOSED,
	END_STATES
};

/* The simulated half of an open struct io_sock: of an end, or of a listener. */
struct twin {
	struct list_node ready; /* on its host's list: on_ready may be due */
	struct io_sock *sock;   /* NULL: no owner (any more, or not accepted yet) */
	bool is_listener;
};

struct stream {
	uint8_t *ring; /* NULL: nothing was written yet */
	uint32_t ring_len;
	uint64_t taken, delivered, sent, written;
	uint64_t acked, edge; /* as far as the sender knows */
	uint64_t promised;    /* the edge last told to the sender */
	bool fin_queued, fin_sent;
	bool probing; /* the window is shut by an end that is gone */
};

struct sim_conn;
struct sim_listener;

struct end {
	struct twin twin;
	struct sim_conn *conn;
	struct io_loop *host;
	enum end_state state;
	struct stream out;
	enum err error;  /* pending: told once, to a read or a write */
	enum err failed; /* why connecting failed */
	bool fin_seen;   /* the other end's, or its close on unix: */
	bool is_deaf;    /* its owner has closed: what arrives is not kept */
	bool waits;      /* in the accept queue */
	bool moves;      /* between two loops */
	struct sim_listener *listener; /* of a server's end until it is accepted */
	struct list_node pending;      /* on the listener's half_open or accepted */
	ns_t last_arrival;             /* of what this end sent */
	ns_t expires_at;
};

struct sim_conn {
	struct list_node node; /* on sim.conns */
	struct sim *sim;
	uint32_t claims;
	bool is_local; /* unix: no network between the ends */
	struct end ends[2];
	struct addr addrs[2];    /* of each end */
	struct sim_ports *ports; /* where the client's port comes from */
	uint32_t port;           /* its index there */
};

/* The ephemeral ports from one source address to one destination. */
struct sim_ports {
	struct list_node node; /* on its host's list */
	struct addr from, to;
	uint32_t used, next;
	struct port {
		bool used;
		struct sim_conn *server; /* whose server end still lives on this port */
	} port[];
};

struct sim_listener {
	struct twin twin;
	struct list_node node; /* on its host's list, or sim.unix_listeners */
	struct io_listener *owner;
	struct io_loop *host;
	struct list half_open, accepted; /* struct end */
	uint32_t backlog;
	bool is_resting;
};

/* A host. */
struct io_loop {
	struct list_node node;
	struct sim *sim;
	struct addr ip; /* port 0 */
	struct wheel *wheel;
	struct io_turn turn;
	struct list ready;          /* struct twin */
	struct list_node round_end; /* on `ready` while they are called */
	struct twin *current;       /* being called; NULL once it closed itself */
	ns_t wakes_at;              /* its next turn; NS_NEVER: none is due */
	uint64_t wake_order;        /* among the events of that instant */
	uint32_t wake_index;        /* in sim.wakes */
	ns_t last_turn, lag_max;
	bool in_turn;
	uint16_t next_listen_port;
	uint32_t sock_count;
	struct list listeners, ports;
	uint32_t in_state[END_STATES];
	uint64_t connects, accepts, resets_sent;
};

struct sim {
	struct sim_cfg cfg;
	struct rng rng;
	ns_t now;
	struct event_queue queue;
	struct list hosts, conns, unix_listeners;
	struct list names;      /* dns.c */
	struct io_loop **wakes; /* all hosts, a heap by their next turn */
	struct slab conn_slab;
	int next_fd;
	uint64_t events;
};

/* world.c */
struct io_loop *host_find(const struct sim *sim, const struct addr *a);

/* host.c */
void host_enlist(struct io_loop *host); /* a new one into sim.wakes */
void host_turn(struct io_loop *host);
/* on_ready will be called if a wanted direction can progress. */
void twin_touch(struct twin *t);
/* Takes it out of the host's hands before its owner is gone. */
void twin_detach(struct twin *t, struct io_loop *host);
void twin_attach(struct twin *t, struct io_loop *host, struct io_sock *s);
bool host_has_fd(const struct io_loop *host);

/* conn.c */
struct sim_conn *conn_new(struct sim *sim);
void conn_claim(struct sim_conn *c);
void conn_drop(struct sim_conn *c);
static inline struct end *end_peer(const struct end *e)
{
	return &e->conn->ends[e == &e->conn->ends[0]];
}
void end_enter(struct end *e, enum end_state state);
void end_touch(struct end *e);
uint32_t end_unread(const struct end *e); /* bytes delivered to it and not taken */
uint32_t end_space(const struct end *e);  /* bytes it can write now */
unsigned end_ready_bits(const struct end *e);
/* The owner is gone: arriving bytes are nobody's. */
void end_deafen(struct end *e);
void stream_put(struct end *e, const struct iovec *iov, int n, uint32_t bytes);
uint32_t stream_take(struct end *from, void *buf, uint32_t cap);
struct sim_ports *sim_ports_of(
	struct io_loop *host, const struct addr *from, const struct addr *to);
/* False: all are in use. */
MUST_USE bool sim_ports_take(struct sim_conn *c, struct sim_ports *p);

/* sock.c */
void end_close(struct end *e, enum io_close how); /* its owner is gone */

/* tcp.c */
void tcp_start(struct sim_conn *c);
void tcp_pump(struct end *e);        /* sends what may be sent */
void tcp_tell_window(struct end *e); /* after a read: lets the other end go on */
void tcp_shutdown(struct end *e);
void tcp_close(struct end *e, enum io_close how);
void tcp_reset_now(struct end *e); /* as if an RST arrived this instant */
void tcp_event(const struct event *ev);

/* dns.c */
void sim_dns_fini(struct sim *sim);

/* listen.c */
struct sim_listener *listener_find(
	const struct sim *sim, const struct io_loop *host, const struct addr *at);
unsigned listener_ready_bits(const struct sim_listener *l);
bool listener_is_full(const struct sim_listener *l);
void listener_enqueue(struct sim_listener *l, struct end *e);

#endif

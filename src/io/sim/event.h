/*
 * event: what will happen in the simulated world, ordered by time and then by creation.
 *
 * RULES   1. Events cannot be withdrawn: who has changed his mind ignores them when they
 *            come.
 * COST    a 4-ary heap of 24-byte entries; post and pop are O(log n), nothing is
 *         allocated once the high-water mark was reached.
 */
#ifndef WEIR_IO_SIM_EVENT_H
#define WEIR_IO_SIM_EVENT_H

#include "base/slab.h"

struct sim_conn;

enum event_kind {
	EVENT_SYN,     /* to the server: a try to connect arrives */
	EVENT_SYN_ACK, /* to the client: it is accepted */
	EVENT_ACCEPT,  /* to the server: the handshake's last ACK arrives */
	EVENT_DATA,    /* value: bytes */
	EVENT_ACK,     /* value: position acknowledged; edge: up to where may be sent */
	EVENT_FIN,
	EVENT_RST,
	EVENT_EXPIRE, /* the end of TIME_WAIT, or of an orphan's FIN_WAIT2 */
	EVENT_FAIL, /* value: enum err; the host's own verdict on a connect or on data */
};

struct event {
	ns_t at;
	enum event_kind kind;
	uint8_t to;    /* which end of the connection: 0 the client, 1 the server */
	uint8_t tries; /* retransmissions so far */
	bool acks_fin; /* of EVENT_ACK */
	struct sim_conn *conn;
	uint64_t value, edge;
};

struct event_entry {
	ns_t at;
	uint64_t order;
	struct event *event;
};

struct event_queue {
	struct event_entry *heap;
	uint32_t len, cap;
	uint64_t order;
	struct slab events;
};

void events_init(struct event_queue *q);
void events_fini(struct event_queue *q); /* what is still queued is dropped */
void events_post(struct event_queue *q, const struct event *e);
/* There must be one. */
struct event events_pop(struct event_queue *q);

#endif

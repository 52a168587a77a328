/* server and sconn: shared by server.c (connections, reading), answer.c (answering), pace.c and
 * listen.c, cut.c. */
#ifndef WEIR_HTTP_SERVER_INTERNAL_H
#define WEIR_HTTP_SERVER_INTERNAL_H

#include "http/server.h"

enum sconn_state {
#define SCONN(name, label) SCONN_##name,
#include "http/sconn.def"
#undef SCONN
	SCONN_STATES
};

enum { AWAIT_BODY = 1, AWAIT_WRITE = 2 };

#define SERVER_LISTENERS_MAX 32

struct server_listener {
	struct io_listener io;
	struct server *server;
	struct server_place place; /* as it was given: port 0 stays 0 */
	bool leaving;              /* takes who waits in it, and closes */
	struct timer left;         /* not before that */
};

struct server {
	struct worker *worker;
	struct server_cfg cfg;
	/* While one set gives way to another, both. */
	struct server_listener *listeners[2 * SERVER_LISTENERS_MAX];
	uint32_t listener_count;
	struct list conns[SCONN_STATES]; /* by state: idle ones are found at once */
	struct list_node accept_wait;    /* on the worker's list: accepting rests */
	bool draining;
	bool told_drained;
	bool stopping; /* server_free */
};

/* Thousands of them are idle: a field that leaves a hole costs each of them. */
struct sconn {
	struct conn conn;
	struct server *server;
	struct list_node node;
	struct inbound in;
	struct outbound out;
	struct h1_head *head; /* of the request being handled */
	struct timer timer;
	struct io_defer later; /* what must not happen inside the app's call */
	void *ctx, *conn_ctx;
	ns_t hears_from; /* reading goes on since then, after it had rested */
	union {
		ns_t waits_from; /* since then all of `awaited` is the client's to do */
		ns_t cut_at;     /* CUT: nothing has arrived since then */
	};
	ns_t window_from; /* of body_for, with rx_bytes (its low bits) at its begin */
	union {
		uint32_t window_rx;
		uint32_t cut_left; /* CUT: bytes that had not arrived then */
	};
	uint32_t sent_from; /* conn_sent before this exchange (its low bits) */
	uint32_t served;
	uint32_t peer; /* sconn_peer */
	enum sconn_state state;
	uint8_t mark;      /* the app's */
	uint8_t awaited;   /* AWAIT_*: what the client keeps us waiting for, while BUSY */
	bool body_done;    /* the request is here whole */
	bool body_paused;  /* on_body took only a part */
	bool continue_due; /* Expect: 100-continue, not answered yet */
	bool closing;      /* no further request on this connection */
	bool upgrade_said; /* the answer being begun has an Upgrade field */
	bool blocked;      /* sconn_data took only a part: on_drain is owed */
	bool broken; /* the client's socket failed or hung up: nothing more can be sent */
	bool hung_up; /* seen, and the app chose to ignore it */
	bool ended; /* FIN came right behind a request: all that is here is answered, no more comes */
	bool unserved; /* on_accept did not want it: no on_close */
	bool aborted;  /* by the app: on_close waits for the end of the turn */
	bool tunnel; /* the request was answered by one; body_done: the client's FIN came */
	bool shut;   /* a tunnel's: our FIN is out */
};

/* Nothing follows the request that is being handled. */
static inline bool sconn_is_last(const struct sconn *c)
{
	return c->closing || (c->ended && c->in.start == c->in.end);
}

void sconn_deadline(struct sconn *c, ns_t for_ns);
struct sconn *sconn_new(struct server *s); /* NULL: none is left */
void sconn_enter(struct sconn *c, enum sconn_state state);
/* A tunnel was asked for and none was made, and bytes came that were meant for it: who sent
 * them may be let choose them, so they must not pass for a request. CONNECT: whether or not
 * any are here yet (RFC 9110 9.3.6). */
static inline bool sconn_is_refused_tunnel(const struct sconn *c)
{
	const struct h1_head *head = c->head;
	if (c->tunnel)
		return false;
	return head->method == H1_CONNECT || (head->upgrade && c->in.end > c->in.start);
}
/* Tells the app, once, if all is drained. */
void server_check_drained(struct server *s);
/* Recomputes what the socket should tell us, and until when it must. */
void sconn_rearm(struct sconn *c);
/* The exchange ends for `why`; on_end is called. */
void sconn_finish(struct sconn *c, enum err why);
void sconn_close(struct sconn *c, enum io_close how);
/* Nothing in it is needed any more. */
void sconn_drop_head(struct sconn *c);
/* Answers for the engine itself, no app involved, and closes. */
void sconn_refuse(struct sconn *c, enum err why, struct server_words *words);

/* --- cut.c --- */
/* Closes so that an answer that is not whole looks broken: a FIN could pass for its end. The
 * answers before get there first: CUT, if any are on their way. */
void sconn_cut(struct sconn *c);
/* CUT: whether it has. */
void sconn_look_cut(struct sconn *c);
/* Nothing is waited for any more. */
void sconn_close_now(struct sconn *c);

/* --- pace.c: of a connection that is no tunnel; the first two: BUSY --- */
/* Notes since when the client has had something to do. */
void sconn_watch_pace(struct sconn *c, bool writing);
/* ERR_OK: the client is in time, and *due says until when. */
MUST_USE enum err sconn_check_pace(struct sconn *c, ns_t now, ns_t *due);
/* A FIN that came with the request (cfg.fin_within): its answer is waited for. */
bool sconn_is_early_fin(struct sconn *c);

/* --- listen.c --- */
/* A sconn is free again, as far as is known: for whichever server of this worker had none. */
void worker_accept_more(struct worker *w);
void server_close_listener(struct server *s, uint32_t nth);

#endif

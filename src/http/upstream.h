/*
 * upstream: the client side of HTTP/1.1 and the guard of the server: calls wait for a slot,
 * get a connection, are sent, answered, abandoned. Proxy and load stand on it.
 *
 * MODEL   A call is one request to the server and its answer. It is NEW, QUEUED (waits for a
 *         slot), CONNECTING (has a slot), SENDING (on a connection), RESTING (until it is sent
 *         again), and ends with on_end, or silently with call_abandon. A cconn is one
 *         connection with at most one call; its slot (flow/slots.h) says how it counts. What
 *         an abandoned call leaves behind is a zombie: it keeps its slot until the server
 *         answers or closes. A call becomes a tunnel when its Upgrade is answered by 101, or
 *         is one from the beginning (raw): bytes both ways, no HTTP in them, on a connection
 *         that serves nothing else after it.
 * RULES   1. slots used <= limit at every instant, as the server counts: a closed connection
 *            settles, a reset one under a running call is a ghost.
 *         2. Calls of one submit are admitted all or none.
 *         3. A new connection is read before its first write, and after a failed write: a
 *            refusal that was sent unasked is this call's answer. Where the call tries how many
 *            the server takes, and could not be sent twice, the write waits for that read.
 *         4. A kept-alive connection that dies before any byte of the answer: the call is sent
 *            once more, on a fresh connection, if it is replayable and idempotent, or if no
 *            byte of it had reached the kernel (on_ready comes again). That is a replay: it
 *            goes in front, and inherits the slot. Where too many kept connections turn out
 *            dead, none is kept (flow/retry.h).
 *            A call that has ended may be sent again by the app (call_again). That is a retry:
 *            it waits for a slot as a new one, behind others of its caller. But one that the
 *            server refused for want of slots, while that limit is being found out, goes back
 *            in front: it was weir's choice to try with it.
 *         5. on_end is the last callback of a call, exactly once; none after call_abandon.
 *         6. A 101 that was not asked for, or that names a protocol not offered, ends the call
 *            (ERR_RES_UPGRADE).
 *         7. A tunnel has its slot (BUSY) until it ends, and no deadline.
 *         8. With a share rule 1 holds over all its threads.
 *         9. Of several endpoints those that do badly are left out for a while (flow/health.h); a
 *            local fault, or a refusal for want of slots, is no evidence.
 *        10. A server that asks to be left alone gets no new call until then, replays
 *            included (flow/pause.h); calls wait, who cannot is told at once. Asked by a 503
 *            it is one of several endpoints that is left alone.
 * OWNS    struct call is the app's, valid until on_end or call_abandon.
 * CONTEXT the worker's thread.
 */
#ifndef WEIR_HTTP_UPSTREAM_H
#define WEIR_HTTP_UPSTREAM_H

#include "conn/tls.h"
#include "flow/gate.h"
#include "flow/last_word.h"
#include "flow/queue.h"
#include "flow/retry.h"
#include "flow/slots.h"
#include "http/books.h"
#include "http/brake.h"
#include "http/hangups.h"
#include "http/message.h"
#include "http/ports.h"
#include "http/tuner.h"
#include "http/vitals.h"
#include "io/mail.h"

struct upstream;
struct cconn;
struct call;

enum upstream_connections {
	UPSTREAM_POOL,    /* keep and reuse */
	UPSTREAM_CLOSE,   /* say close; the server closes first if it is quick */
	UPSTREAM_PRETEND, /* faulty on purpose: say nothing, close after each answer */
};
enum upstream_abandon { ABANDON_DRAIN, ABANDON_RESET, ABANDON_CLOSE, ABANDON_AUTO };

#define UPSTREAM_ENDPOINTS_MAX 16
#define UPSTREAM_SOURCES_MAX 8
#define UPSTREAM_GATHER_MAX 64 /* calls in one submit */

/* Upstreams that share a bound of connections. */
struct upstream_group {
	uint32_t conns, conns_max;
	struct list waits; /* upstreams whose calls wait for a connection to end */
};
void upstream_group_init(struct upstream_group *g, uint32_t conns_max);

struct upstream_cfg {
	struct addr endpoints[UPSTREAM_ENDPOINTS_MAX];
	/* Of each endpoint, host[:port] as the user wrote it: its Host, and with TLS whose
	 * certificate it must show. Empty: its address. Copied. */
	struct slice names[UPSTREAM_ENDPOINTS_MAX];
	uint32_t endpoint_count; /* 0: none yet: upstream_set_endpoints */
	struct tls_client *tls;  /* NULL: plain. The upstream holds it. */
	uint32_t limit;          /* SLOTS_NO_LIMIT */
	bool limit_auto;         /* found out by use (flow/limit.h): `limit` is its max */
	/* Of the limit; with a share one for all its seats. Held. NULL: its own */
	struct tuner *tuner;
	/* So long at most a server is believed that wants no calls for a while; 0: it is not
	 * heeded. And of the pause what `tuner` is of the limit. */
	ns_t pause_max;
	struct brake *brake;
	bool pause_caller; /* a pause for a rate is the caller's alone, whose call drew it */
	double eject_share; /* of the endpoints that may be left out at once; 0: none is */
	enum slot_unit unit;
	double drain_share;
	uint64_t queue_max;
	ns_t queue_for;
	enum upstream_connections connections;
	enum upstream_abandon abandon;
	/* What was learned of hang-ups; as `tuner`. */
	struct hangups *hangups;
	/* How its places do; as `tuner`. */
	struct vitals *vitals;
	/* On whose account its slots are, with a share one for all its seats. Held. NULL: its
	 * callers are this one's alone. */
	struct books *books;
	/* ABANDON_AUTO: it has come to another belief (upstream_hangups). NULL: nobody asks. */
	void (*on_mind)(void *ctx);
	/* The server lets connections above its limit stall (upstream_tuner). The same. */
	void (*on_stall)(void *ctx);
	/* It closes by FIN from now on, whatever idle_fin says (flow/last_word.h). The same. */
	void (*on_fin)(void *ctx);
	void *on_mind_ctx;
	ns_t connect_for; /* of the socket: TLS has its own bound (conn/tls.h) */
	ns_t drain_for, ghost_for, settle_for, idle_for;
	ns_t first_byte_for; /* from the request's last byte to the first of its answer, interim
				ones aside (ERR_FIRST_BYTE); 0: no bound */
	ns_t stall_for; /* between bytes of an answer, while we read, and between those of a request
			   that the server does not take (ERR_IDLE); 0: no bound. Both end the call as
			   an abandoned one. */
	/* Close idle connections, and those that are broken off (but for tunnels, and by
	 * ABANDON_RESET), by FIN, not by RST. Without it that changes when a reset seems to have
	 * been lost (flow/last_word.h). */
	bool idle_fin;
	/* Bodies of GET and its like are read by the server, too: other requests may follow. */
	bool reads_bodies;
	/* Idle connections are closed before the server does it (its Keep-Alive, or what it was
	 * seen to do), and when demand does not need them (flow/demand.h). */
	bool tended;
	ns_t age_max;          /* of a connection, less up to a tenth; 0: no bound */
	uint32_t requests_max; /* on a connection; 0: no bound */
	/* So many idle ones are kept at most: one that comes back beyond it is closed, unless a
	 * call waits for it. 0: no bound */
	uint32_t idle_max;
	/* Connects under way at once; calls beyond that wait for one to end, or for an idle
	 * connection. With a share each seat has its part. 0: no bound */
	uint32_t connects_max;
	/* So many idle connections are kept ready; with a share over all seats */
	uint32_t preconnect;
	struct retry_cfg retry; /* all 0: call_again never does */
	ns_t hedge_for; /* a second request after so long without an answer; 0: none */
	bool hedge_p95; /* the same: after as long as 19 of 20 answers take to begin */
	bool trusting;  /* connections are kept, however many of them turn out dead */
	/* Connections, over all states; 0: as many as the worker has */
	uint32_t sockets_max;
	/* Addresses of ours to connect from, by ports left; none: the kernel chooses. Ports 0. */
	struct addr sources[UPSTREAM_SOURCES_MAX];
	uint32_t source_count;
	struct ports *
		ports; /* where ports are counted; NULL: nowhere. Outlives the upstream. */
	/* NULL: none. Outlives the upstream; stays the same. */
	struct upstream_group *group;
	struct h1_limits limits;
	/* One of several threads' upstreams, to which the limit, the queue's bound and
	 * sockets_max are one: the share they have in common, this one's seat, and the thread's
	 * mailbox, which outlives all their upstreams. NULL: alone. The upstream holds it. */
	struct share *share;
	uint32_t seat;
	struct io_mailbox *mail;
};

struct call_ops {
	/*
	 * The connection is there: put the head with call_begin/call_head_end and, if the body
	 * is at hand, its data and end. Called again when the call is replayed (rule 4).
	 */
	void (*on_ready)(struct call *c);
	/* An answer's head; 1xx first if any come (status < 200). Valid inside the callback.
	 * 101: the call is a tunnel from here on. */
	void (*on_head)(struct call *c, const struct h1_head *head);
	/* Payload; returns what was taken; fewer stops the reading until call_resume. */
	size_t (*on_data)(struct call *c, struct slice data);
	/* What was blocked in call_data has been written. NULL: the app never streams. */
	void (*on_drain)(struct call *c);
	/* No more of this batch: write out what you hold. NULL: nothing to do. */
	void (*on_flush)(struct call *c);
	/* A tunnel's: the server's FIN; the other direction lives on. NULL: there is none. */
	void (*on_eof)(struct call *c);
	/* ERR_OK: the answer is whole; of a tunnel: both directions have ended. Else
	 * why there is none, or none whole (see answered). */
	void (*on_end)(struct call *c, enum err why);
};

enum call_state {
	CALL_NEW,
	CALL_QUEUED,
	CALL_CONNECTING,
	CALL_SENDING,
	CALL_RESTING, /* call_again was GO: it is sent again in a while */
	CALL_OVER
};

/* Why there was another attempt after this one. */
enum call_next { CALL_REPLAYED, CALL_RETRIED, CALL_HEDGED, CALL_REQUEUED };

/* An attempt that was not the last. */
struct call_try {
	ns_t queued_at, granted_at, sent_at, ended_at; /* 0: it did not come so far */
	enum err why;                                  /* ERR_OK: `status` */
	uint16_t status;
	uint8_t next; /* enum call_next */
};

#define CALL_TRIES 4 /* of a call so many are told of, the last ones */

struct call {
	const struct call_ops *ops; /* set by the app before upstream_submit */
	enum h1_method method;      /* the same: decides the answer's framing */
	bool replayable; /* the same: on_ready can put the whole request again */
	bool hedgeable; /* the same: on_ready puts the whole request at once, twice if need be */
	uint8_t priority; /* the same: 0 is the highest, CALLERS_NORMAL, ... */
	/* The same: whose it is; slots are shared fairly between keys */
	uint64_t caller_key;
	/*
	 * The same: a connection of its own (never a pooled one) to the server's address, with
	 * no HTTP on it. Submitted alone. It is a tunnel when on_ready comes: call_data and
	 * call_end, no call_begin.
	 */
	bool raw;
	/* The same: the protocols that its Upgrade offers ("websocket"), valid until the final
	 * head; empty: none. The engine puts the field and Connection. Only without a body. */
	struct slice upgrade;
	/* the upstream's */
	enum call_state state;
	bool replayed;
	bool lone;     /* submitted alone */
	bool admitted; /* had a slot once: what it gets from then on is more of the same */
	bool heard;    /* a part of a head had come as it failed */
	bool cut;      /* the server ended its connection in the TLS handshake */
	bool told_to_wait; /* its answer, an error, had Retry-After */
	bool gave_up; /* it was to be sent again, and got no slot: on_end is the last one */
	bool between; /* call_again was GO, and that attempt has not begun: the times below, of the
			 one before, are in `tries` too */
	uint8_t again;              /* times call_again was GO, to be sent in a while */
	uint8_t refused;            /* the same, to go back to the queue */
	bool hedged;                /* whether a hedge was worth it has been asked */
	uint8_t beside;             /* requests sent beside this one, for nothing */
	struct hedge *hedge;        /* under way beside it; or NULL */
	struct hedge *hedge_of;     /* it is one's own call; or NULL */
	uint8_t past;               /* attempts before this one */
	enum retry_verdict verdict; /* of the last call_again; GO: it was never asked */
	struct list_node resting;
	ns_t again_at;      /* while RESTING */
	enum err again_for; /* what the attempt before failed by */
	uint32_t at,
		shun; /* endpoints by number: where it went; to be avoided. 0: none */
	ns_t deadline;
	struct call_try tries[CALL_TRIES]; /* of `past`, the nth at n % CALL_TRIES */
	bool probe;            /* sent to see whether answers come in time again */
	bool answered;         /* a final head was delivered */
	bool reused;           /* its connection was there before it */
	bool kept;             /* its connection had served before */
	uint16_t status;       /* of the final answer; 0: none */
	struct batch *batch;   /* while QUEUED */
	struct caller *caller; /* from submit to grant */
	ns_t budget;           /* time it had in all */
	struct cconn *conn;
	uint32_t tried, tried_of; /* endpoints: a bit each; of which set of them */
	struct limit_mark mark;   /* sent_at 0: none, or over */
	struct brake_plea plea;   /* of its answer, unless that is a refusal */
	ns_t queued_at, granted_at, sent_at, first_byte_at; /* 0: not yet */
	ns_t tls_at; /* its connection's handshake began; 0: none, or before its time */
	/* In on_end: what there is to say beyond err_text; or empty */
	struct slice detail;
};

struct upstream *upstream_new(struct worker *w, const struct upstream_cfg *cfg);
/* Closes all; calls in progress get on_end(ERR_STOPPING). With a share, other threads' calls may
 * go on; but what was charged here stays charged to it, for the server may not have noticed. */
void upstream_free(struct upstream **u);
/*
 * New bounds while it runs, and TLS settings; endpoints and unit must be what they are, and
 * TLS be on or off as it is. A limit below what is used is met by taking none: idle
 * connections go first. Calls that wait together for more than the limit end with ERR_SHED.
 */
void upstream_reconfigure(struct upstream *u, const struct upstream_cfg *cfg);
/* The kth address that new connections may go to; NULL past the last. */
const struct addr *upstream_address(const struct upstream *u, uint32_t k);
/* Closes a connection that is parked, else the one that has been idle for longest. False: there is
 * none. */
bool upstream_drop_idle(struct upstream *u);
/* Nobody will submit to it any more: nothing is kept idle. upstream_reconfigure takes it
 * back. */
void upstream_retire(struct upstream *u);
/* Nothing is left of it: no call, no connection, no slot charged. */
bool upstream_is_spent(const struct upstream *u);

struct upstream_endpoint {
	struct addr addr;
	struct slice name; /* as upstream_cfg.names; copied */
};
/*
 * Where the server is from now on (n > 0; doubles are left out). New connections go there;
 * idle ones to addresses that are no longer among them are closed, running calls end as they
 * would. Slots are not touched: the limit is one over all endpoints, old ones included.
 * As long as there never was one, upstream_submit gives ERR_RESOLVE.
 */
void upstream_set_endpoints(
	struct upstream *u, const struct upstream_endpoint *list, uint32_t n);

/*
 * Asks for slots for `n` calls together. ERR_OK: each will get on_ready or on_end, never
 * inside this call. ERR_QUEUE_FULL, ERR_SHED (also when n is above the limit), ERR_LATE,
 * ERR_FUTILE, ERR_PAUSED: none of them was taken.
 * A call that has waited past `deadline` or the queue's bound ends with ERR_QUEUE_TIMEOUT.
 */
MUST_USE enum err upstream_submit(
	struct upstream *u, struct call *const *calls, uint32_t n, ns_t deadline);
/*
 * The app wants no more of this call. Queued: its batch leaves the queue, the other calls of
 * the batch with it. Running: by policy; a tunnel is reset, unless on_eof came and call_end
 * was called: then what it took is still written. Silent; the storage is the app's again.
 */
void call_abandon(struct call *c, struct upstream *u);

/* The request. Forms of sconn_begin, sconn_data ...; connection fields are the engine's. */
MUST_USE bool call_begin(
	struct call *c, struct slice method, struct slice path, struct wire *w);
MUST_USE bool call_head_end(
	struct call *c, struct wire *w, enum h1_body framing, uint64_t length);
/* Returns what was taken; less: on_drain follows. After a failed write all is "taken": the
 * answer, or on_end, is on its way. */
size_t call_data(struct call *c, struct slice data);
void call_end(struct call *c);    /* of a tunnel: FIN, behind what was taken */
void call_resume(struct call *c); /* goes on with on_data; in a later turn */

/* In on_head: whether a call with that status would be sent again now, or go back if it turns out
 * to be refused. Nothing is drawn. */
bool call_may_go_again(struct call *c, struct upstream *u);
/*
 * In on_end, or after it: the call failed by `why`, or by its status (ERR_OK) with an answer the
 * app keeps back. GO: it is sent again, on_ready comes anew, later on_end. Else it is over.
 */
MUST_USE enum retry_verdict call_again(struct call *c, struct upstream *u, enum err why);

/* Requests made for it so far, as the server may have counted. */
uint32_t call_attempts(const struct call *c);
/* The Host value of the endpoint this call was given: "10.0.0.1:8080" ("localhost" for unix:). */
struct slice call_endpoint(const struct call *c);

struct upstream_stats {
	uint64_t admitted; /* calls that got a slot; `sent` counts requests, extras too */
	uint64_t sent, answered, failed, abandoned, drained, refused, replayed, retried;
	uint64_t requeued; /* went back, refused for want of slots */
	uint64_t hedged, hedges_won;
	/* By why a call that failed was not sent again */
	uint64_t denied[RETRY_VERDICTS];
	uint64_t hung_up; /* of abandoned: the server was told, by abandon auto */
	uint64_t stalled; /* connections closed that the server let stall at its limit */
	uint64_t connects, connects_failed, reused;
	uint64_t adopted; /* connections that came from another thread's upstream */
	/* of closed_idle: before the server would, as nobody needed them; and of all, for their age
	 * or their count of requests */
	uint64_t reaped, yielded, aged;
	uint64_t closed_by_peer, closed_idle, closed_done, closed_reset, closed_error;
	uint64_t rx_bytes, tx_bytes; /* of closed connections */
	uint32_t sockets;            /* open now */
};
const struct upstream_stats *upstream_stats(const struct upstream *u);
struct upstream_pool {
	ns_t learned; /* the server closes idle connections at this age; NS_NEVER: not known */
	ns_t hinted;           /* so it said last; NS_NEVER: it does not say */
	bool fin, fin_learned; /* how it closes; and not by its configuration */
	ns_t window; /* an idle connection that nobody needs is kept for so long */
	uint32_t connecting,
		pending; /* connects under way, and calls that wait for their turn */
};
void upstream_pool(struct upstream *u, struct upstream_pool *view);
/* NULL: no TLS. */
const struct tls_counts *upstream_tls_counts(const struct upstream *u);
/* Bytes so far, those of open connections too (walks them). */
void upstream_bytes(const struct upstream *u, uint64_t *rx_bytes, uint64_t *tx_bytes);
/* So long a call that came now would have to wait because the server asked for it; 0: not at
 * all. While it is above 0 nothing is to be sent that need not be. */
ns_t upstream_paused_for(const struct upstream *u);
/* The same of this caller's calls, as call.caller_key has it. */
ns_t upstream_caller_paused_for(struct upstream *u, uint64_t caller_key);
/* How many callers' calls wait for that, or would. */
uint32_t upstream_callers_paused(const struct upstream *u);
/* Where it is, and how it does there. */
struct upstream_endpoint_view {
	struct slice host;
	struct addr addr;
	struct health health;
	uint32_t conns; /* open or opening */
};
uint32_t upstream_endpoints(const struct upstream *u);
struct upstream_endpoint_view upstream_endpoint(const struct upstream *u, uint32_t nth);
/* NULL: what the server asks is not heeded. */
struct brake *upstream_brake(const struct upstream *u);
/* NULL: the limit is fixed. */
struct tuner *upstream_tuner(const struct upstream *u);
/* What was learned of calls that nobody waits for; cfg.abandon, in force now. */
struct hangups *upstream_hangups(const struct upstream *u);
enum upstream_abandon upstream_abandon(const struct upstream *u);
/* The bound that an end for `why` was over: connect_for, first_byte_for or stall_for; NS_NEVER: none
 * of these. */
ns_t upstream_bound(const struct upstream *u, enum err why);
double upstream_drain_share(const struct upstream *u);
/* In a word; auto: what it does. */
const char *upstream_abandon_label(enum upstream_abandon abandon, bool frees);
const struct slots *upstream_slots(const struct upstream *u);
const struct queue *upstream_queue(const struct upstream *u);
/* A refusal was recognised in the answer to the call whose on_end this is (the app read its
 * body). */
void upstream_note_refusal(struct upstream *u);

#endif

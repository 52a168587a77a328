/* upstream, cconn and call: shared by the files of the client side; each part below names the file
 * that it is of. */
#ifndef WEIR_HTTP_UPSTREAM_INTERNAL_H
#define WEIR_HTTP_UPSTREAM_INTERNAL_H

#include "flow/demand.h"
#include "flow/idle_age.h"
#include "flow/spare.h"
#include "http/upstream.h"

enum cconn_state {
#define CCONN(name, label) CCONN_##name,
#include "http/cconn.def"
#undef CCONN
	CCONN_STATES
};

/* Calls that wait together; freed when it leaves the queue. */
struct batch {
	struct ticket ticket;
	ns_t deadline;
	uint32_t n;
	uint32_t ended; /* so many have been told: while it ends, out of the queue */
	enum err why;   /* pushed out: what they are told */
	struct call *calls[];
};

struct endpoint {
	struct list_node node; /* on upstream.gone, unless live */
	struct addr addr;
	uint32_t id;          /* from 1, no other ever has it */
	struct text host;     /* for the Host field */
	struct tls_peer *tls; /* NULL: plain */
	uint32_t conns;       /* open or opening: the least used gets the next */
	/* Of each source; [0] without any. NULL: ports are not counted. */
	struct ports_way *ways[UPSTREAM_SOURCES_MAX];
	bool live; /* new connections may go there */
	struct vital *vital;
};

/* --- admission.c --- */
struct admission {
	struct callers callers;
	struct books *books;     /* NULL: they are alone */
	bool gave_back;          /* a slot, since admission_gave_back */
	struct outlook *outlook; /* NULL: no call has come under a limit yet */
	struct holds *holds;     /* the books', or own; looked at inside; NULL likewise */
	uint32_t own;            /* slots that calls hold here */
	ns_t looked_at, sifted_at, refreshed_at;
	/* A call was last refused for want of slots, 0: never; with a tuner, which knows that, the limit was
	 * last looked at for it. */
	ns_t short_at;
};

struct upstream {
	struct worker *worker;
	struct upstream_cfg cfg;
	struct share *share;    /* NULL: alone */
	struct tuner *tuner;    /* NULL: the limit is fixed */
	struct tuner_told told; /* at the last look */
	struct brake *brake;    /* NULL: pauses are not heeded */
	bool refused;           /* the call that ends now */
	bool went_back;         /* the same, and it is in the queue again */
	bool refused_kept; /* once, on a connection that it had taken: it counts requests */
	struct seat_post *post; /* with a share: where letters find it */
	struct endpoint *endpoints[UPSTREAM_ENDPOINTS_MAX]; /* the live ones */
	uint32_t endpoint_count;                            /* 0: never set */
	uint32_t endpoints_set;                             /* counts up as they change */
	uint32_t endpoints_made; /* so far: gives them their id */
	struct list gone; /* struct endpoint: no longer live, with connections yet */
	struct slots slots;
	struct queue queue;
	/* By its first ticket at once, as the tuner knows it; 0: one, or none waits */
	uint32_t needed;
	struct list pushed_out; /* of the queue, to be told so: struct batch */
	struct retry retry;
	/* P95 of the time to an answer's head; with hedge_p95 */
	struct quantile first_bytes;
	struct list resting; /* struct call, by again_at */
	struct admission admission;
	struct hangups *hangups;
	struct vitals *vitals;
	/* Vitals_changes, when idle connections were last judged by it */
	uint64_t vitals_seen;
	struct last_word last_word; /* with a share its own is in use */
	/* pool.c's */
	struct demand demand;
	struct idle_age idle_age;
	struct spare spare;
	ns_t hinted;                     /* last */
	uint64_t opened;                 /* connections, ever */
	struct list conns[CCONN_STATES]; /* by state; IDLE: newest first */
	struct list_node group_wait;     /* on cfg.group's */
	struct timer timer;              /* the next slot or ticket whose time is over */
	struct io_defer pump;
	struct upstream_stats stats;
	char detail[320]; /* of the call that ends now */
	uint32_t next_endpoint, next_source;
	uint32_t stalled_seen; /* tuner_stalled_count */
	bool stopping;
	bool retired; /* nothing is kept idle */
};

/* pool.c's: what bounds a connection's life; goes with it to another thread. */
struct cconn_life {
	ns_t idle_since; /* IDLE */
	ns_t rested;     /* so long it was idle before its call */
	ns_t until;      /* too old from then on */
	ns_t hint;       /* the server said that it closes after so long */
	uint32_t served, serve_max;
	bool proven; /* the tuner knows that it was answered */
};

struct cconn {
	struct conn conn;
	struct upstream *up;
	struct list_node node;
	/* Connection units: for life; request units: while a call runs */
	struct slot *slot;
	struct call *call; /* NULL: nobody waits */
	/* Of a call that nobody waits for any more; sent_at 0: none */
	struct limit_mark mark;
	struct inbound in;
	struct outbound out;
	struct timer timer;
	struct io_defer later;
	ns_t resumed_at; /* reading goes on since then, after back-pressure */
	enum cconn_state state;
	enum hangup_arm arm;       /* DRAINING: how, while that is watched */
	struct endpoint *endpoint; /* NULL: CLOSED */
	struct cconn *rival; /* CONNECTING: the next of those for one call; NULL: alone */
	ns_t attempt_at;     /* CONNECTING: since when, to this endpoint */
	ns_t sent_at;        /* its request, with `told` */
	uint64_t sent_from;  /* conn_sent before it */
	uint32_t
		unacked; /* bytes that the server's TCP had not acknowledged when it answered */
	struct cconn_life life;
	struct ports_way *way; /* on which it has a port; NULL: not counted */
	uint16_t status;       /* of its final answer; 0: not yet */
	uint64_t caller_key;   /* of the call on it, or of the last one */
	uint8_t method;        /* of the request on it */
	uint8_t interims;      /* answers of 1xx before the final one */
	bool unshaken;         /* DRAINING: its TLS handshake was given up */
	bool raced;            /* CONNECTING: has set the next attempt going beside it */
	bool pooled;           /* its call got it from the pool: it may be dead already */
	bool told;             /* on_ready was called for this call */
	bool head_seen;        /* the final answer's head */
	bool keep;             /* that head allows reuse */
	bool last;             /* no other request is to follow this one */
	bool unasked;          /* bytes came before the request was written */
	bool early;        /* that head came before the server had the whole request */
	bool write_failed; /* nothing more can be sent; what arrived is still read */
	bool shut;         /* we said FIN and wait for the server's */
	bool tunnel;       /* 101, or raw: bytes both ways until both have ended */
	bool gone;         /* the server has said FIN, or RST */
	bool eof;          /* a tunnel's: the server said FIN */
	bool paused;       /* on_data took only a part */
	bool blocked;      /* call_data took only a part */
	enum err failed;   /* why connecting failed before there was a socket */
};

/* --- tune.c: what the tuner is told --- */
/* So many slots are used, over all threads. */
uint32_t upstream_used(const struct upstream *u);
/* The most the limit may be. */
uint32_t upstream_limit_max(const struct upstream *u);
void tune_start(struct upstream *u);
void tune_configure(struct upstream *u);
void tune_look(struct upstream *u);
/* Whether the limit grows, by what other threads' looks have found: this one may have slept. */
void tune_hear(struct upstream *u);
/* proven: its connection has been answered before. */
void tune_granted(struct upstream *u, struct call *call, bool proven);
/* A new connection is there, which was made for calls that wait: this one gets it. */
void tune_opened(struct upstream *u, struct call *call);
/* The server ended its connection in the TLS handshake, which began then. */
void tune_cut(struct call *call, ns_t since);
/* Idle connections to be parked or closed for the limit's sake. One that refusals brought down closes none:
 * what the server took before is its own to end, and serves meanwhile. */
uint32_t tune_surplus(const struct upstream *u);
/* The mark is over after this. */
void tune_ended(struct upstream *u, struct limit_mark *mark, enum limit_end how);

/* --- room.c --- */
static inline bool upstream_is_conn_unit(const struct upstream *u)
{
	return u->slots.unit == SLOT_UNIT_CONNECTION;
}
void upstream_slot_settle(struct upstream *u, struct cconn *cc);
void upstream_slot_ghost(struct upstream *u, struct cconn *cc, ns_t until);
/* The server has never heard of it: it is free at once. */
void upstream_slot_unused(struct upstream *u, struct cconn *cc);
/* Connection units: no call has it. */
void upstream_slot_idle(struct upstream *u, struct cconn *cc);
/* Request units: the call's slot is free. Connection units: nothing. */
void upstream_slot_call_over(struct upstream *u, struct cconn *cc);
/* It is free: a ghost's caller is rid of it only now. */
void upstream_slot_give(struct upstream *u, struct slot *slot);

/* A connection comes, or is gone for good: of all bounds but the limit's. */
void upstream_note_conn(struct upstream *u);
void upstream_note_no_conn(struct upstream *u);
struct slot *upstream_take_slot(struct upstream *u, enum slot_state state);
/* Room for so many upstream_take_slot, and so many new connections; all or none. */
MUST_USE bool upstream_reserve(struct upstream *u, uint32_t slots, uint32_t conns);
/* The same for `n` calls that need not be on fresh connections. An idle connection has a slot in
 * connection units; in request units it saves a connect, no more. */
MUST_USE bool upstream_reserve_any(struct upstream *u, uint32_t n);
/* The same for one connection that nobody waits for. */
MUST_USE bool upstream_reserve_spare(struct upstream *u);
void upstream_unreserve_spare(struct upstream *u);

/* How many connections its first ticket lacks. */
uint32_t upstream_missing(struct upstream *u);

/* How many calls could be given a slot now, with so many idle connections of other threads. */
uint32_t upstream_room(const struct upstream *u, uint32_t idle_elsewhere);
/* Here or on another thread. */
static inline bool upstream_has_waiters(const struct upstream *u)
{
	return u->share ? share_waiting(u->share) > 0 : !queue_is_empty(&u->queue);
}
bool upstream_is_group_full(const struct upstream *u);

/* --- upstream.c --- */
/* Something changed that may admit waiting calls: looked at when the turn ends. */
void upstream_poke(struct upstream *u);
/* The newest idle one; for a call that was let down, to another endpoint than before.
 * NULL: none. */
struct cconn *upstream_pick_idle(const struct upstream *u, const struct call *call);
/* A pooled connection will not do. Such a call waits alone. */
bool call_wants_fresh(const struct upstream *u, const struct call *call);
/* upstream_submit, for calls that are not new. */
MUST_USE enum err upstream_ask(
	struct upstream *u, struct call *const *calls, uint32_t n, ns_t deadline);
/* Another attempt of it begins: its times are not those of the one before. */
void call_times_anew(struct call *c, ns_t now);
/* A granted call whose connection was dead waits again, in front. */
void upstream_requeue(struct upstream *u, struct call *call);
/* The same with one that is over, refused: for its next attempt, until its deadline. */
void upstream_go_back(struct upstream *u, struct call *call);
/* Its whole batch leaves the queue. */
void upstream_unqueue(struct upstream *u, struct call *call);

/* The ticket that is next; NULL: none, or none that may take what is there. */
struct ticket *upstream_next(struct upstream *u);

/* --- admission.c --- */
void admission_init(struct upstream *u);
void admission_fini(struct upstream *u);
/* Whether they are worth their slots, which they may have to wait for: `room` is seat_room.
 * ERR_LATE, ERR_FUTILE. */
MUST_USE enum err admission_ask(struct upstream *u, struct call *const *calls, uint32_t n,
	ns_t deadline, uint32_t room);
/* The same when it is their turn; `call` is the first of them. */
MUST_USE enum err admission_ask_again(
	struct upstream *u, const struct call *call, ns_t deadline);
/* Once a turn: those that wait for nothing any more are pushed out of the queue; what it lends to
 * other threads is looked at again. */
void admission_sift(struct upstream *u);
/* Where one that waits since then stands among those that wait on all threads: the lowest goes
 * first. */
ns_t admission_rank(struct upstream *u, struct caller *c, ns_t since);
/* Slots are to be shared out between several callers. */
bool admission_has_several(const struct upstream *u);
/* `n` calls of `c` may take places in the queue that are not kept for callers on other threads, who
 * can push nobody out there. */
bool admission_has_place(struct upstream *u, struct caller *c, uint32_t n);
/* A slot was given back since this was asked last. */
bool admission_gave_back(struct upstream *u);
/* It waited in vain. */
void admission_note_expired(struct upstream *u);
/* The whole answer is here, whoever waits for it. */
void admission_note_answer(struct cconn *cc);
/* We hang up on its call. */
void admission_note_gone(struct cconn *cc);
/* Nobody waits for it any more; answered: because it has its answer. */
void admission_call_over(struct upstream *u, struct call *call, bool answered);
/* Of so much room, what its caller may take. */
uint32_t admission_room(struct upstream *u, struct caller *c, uint32_t room);
struct caller *admission_caller(struct upstream *u, const struct call *call);
/* Slots for so many calls go to it. Returns who pays for them; NULL: nobody, without a limit. */
MUST_USE struct caller *admission_charge(
	struct upstream *u, struct caller *c, uint32_t n);
/* The same for those that have waited: out of the queue. */
MUST_USE struct caller *admission_let_go(struct upstream *u, struct ticket *t);
/* One of these slots. */
void admission_hold(struct upstream *u, struct slot *slot, struct caller *charged);
void admission_release(struct upstream *u, struct slot *slot);
/* A call was turned away for want of slots, though it might have been served in one. Where nobody waits
 * and no answer comes for long, nothing else would have the limit looked at. */
void admission_note_short(struct upstream *u);
/* More would be sent if there were more slots: calls wait, or were refused for want of them. */
bool admission_is_wanted(const struct upstream *u);
ns_t admission_again_at(const struct upstream *u); /* when to look again unasked */

/* --- pool.c --- */
void pool_init(struct upstream *u);
void pool_configure(struct upstream *u);
/* It is connected. */
void pool_opened(struct cconn *cc);
/* The final answer's head: what it says of the connection. */
void pool_note_head(struct cconn *cc, const struct h1_head *head);
/* After a call: neither too old nor used up. */
bool pool_keeps(struct cconn *cc);
/* Into the pool, unless its address is the server's no longer, or nothing is kept. */
void pool_put(struct cconn *cc);
/* It is IDLE or PARKED from now on, and has been idle for as long as it has been. */
void pool_enter(struct cconn *cc, enum cconn_state state);
/* It has come out of another thread's pool, idle as it is. */
void pool_adopt(struct cconn *cc);
/* Out of the pool, for a call. */
void pool_took(struct cconn *cc);
void pool_on_timer(struct cconn *cc);
/* It is closed while idle, unasked or before its time. */
void pool_lost(struct cconn *cc);
/* A connect that no call waited for has failed. */
void pool_no_spare(struct upstream *u);
/* After admitting: opens connections ahead of need. */
void pool_settle(struct upstream *u);
ns_t pool_again_at(const struct upstream *u); /* when to look again unasked */

/* --- park.c: idle connections above a limit that came down by a step --- */
/* Of so many idle ones above the limit, those that may be kept: parked. Returns how many are left.
 * Of those that were parked before, such as may be kept no longer are closed. */
uint32_t park_surplus(struct upstream *u, uint32_t surplus);
/* Up to `n` that are parked here are idle again, as far as there is room under the limit. */
uint32_t park_take(struct upstream *u, uint32_t n);
/* On other threads: a call waits for one of those, and opens none. */
bool park_is_elsewhere(const struct upstream *u);
/* `n` at most are closed, the oldest first: they are not to be trusted, or not needed. */
void park_end(struct upstream *u, uint32_t n);
/* A connection must be new: it takes the place of one that is parked here, if there is none else. */
void park_make_room(struct upstream *u);

/* --- hold.c: pauses that the server asks for --- */
void hold_start(struct upstream *u);
void hold_configure(struct upstream *u);
/* The head of an answer, whoever waits for it. */
void hold_note_head(struct cconn *cc, const struct h1_head *head);
/* `at`: the endpoint that says so. */
void hold_ask(struct upstream *u, uint32_t at, const struct brake_plea *plea);
/* Until when nothing goes; 0: something does. */
ns_t hold_until(const struct upstream *u);
/* Who waits waits on. True: a pause has begun, or gets longer; there may be some who cannot. */
bool hold_look(struct upstream *u);
/* False: whoever waits has to wait on, whatever there is to be had. */
bool hold_lets_go(const struct upstream *u);
/* Whether `n` calls, of which this is the first, go now as far as the server asks. */
MUST_USE bool hold_take(struct upstream *u, const struct call *call, uint32_t n);
/* They do not go after all; in the same turn. */
void hold_untake(struct upstream *u, const struct call *call, uint32_t n);
void hold_call_over(struct upstream *u, const struct call *call);
ns_t hold_again_at(const struct upstream *u); /* when to look again unasked */
/* Whether the first of n calls may go, or queue, as far as its caller is concerned. ERR_PAUSED;
 * ERR_QUEUE_FULL; ERR_AGAIN: `*turn` is when to ask again. */
MUST_USE enum err hold_ask_caller(struct upstream *u, const struct call *call, uint32_t n,
	ns_t deadline, ns_t *turn);
/* Who comes now could not go before its deadline. */
bool hold_is_too_late(const struct upstream *u, ns_t deadline);

/* --- hedge.c --- */
/* After so long without an answer a second request goes; NS_NEVER: none does. */
ns_t hedge_delay(const struct upstream *u);
ns_t hedge_due(const struct cconn *cc); /* when, for the call on it; NS_NEVER */
void hedge_try(struct cconn *cc);       /* once for a call */
/* A head for a call that has a hedge, or is one's own: what call it is to from now on. */
struct call *hedge_settle(struct cconn *cc, const struct h1_head *head);
/* The call failed, and goes on with its hedge. */
void hedge_go_on(struct call *c, struct upstream *u, enum err why);
void hedge_drop(struct call *c); /* its hedge is abandoned */

/* --- again.c: calls that are sent once more --- */
/* An attempt is over, and is not the last. */
void again_note_past(
	struct upstream *u, struct call *c, enum err why, enum call_next next);
void again_init(struct upstream *u);
/* A pooled connection died: its call is on its way again. False: it may not be. */
bool again_replay(struct cconn *cc, enum err why);
/* The server has no slot for it: it waits in front of the queue for its next attempt. One that was
 * sent is drawn from the budget. */
void again_go_back(struct upstream *u, struct call *c, enum err why);
/* It has its answer. */
void again_note_answer(struct upstream *u, const struct call *c);
/* Kept connections may be used; else none is kept. */
bool again_trusts(const struct upstream *u);
/* Once a turn: those whose wait is over. */
void again_look(struct upstream *u);
ns_t again_next(const struct upstream *u); /* when to look again unasked */
/* It asks for a slot at that time. */
void again_wait(struct upstream *u, struct call *c, ns_t at);
void again_leave(struct upstream *u, struct call *c); /* it rests no more */
/* A retry that got no slot ends by what had failed: that is what its caller can do about. So does a
 * refused call when the server refuses all; else what it waits for in vain is weir's to tell. */
enum err again_end_as(struct call *c, enum err why);
void again_end_all(struct upstream *u); /* on_end(ERR_STOPPING) */

/* --- seat.c: nothing to do for an upstream that is alone --- */
void seat_take(struct upstream *u);
void seat_leave(struct upstream *u);
/* Before admitting: since when the first call waits. */
void seat_tell_front(struct upstream *u);
/* They look again, soon. */
void seat_ring_others(const struct upstream *u);
/* Idle connections of other threads, about now. */
uint32_t seat_idle_elsewhere(const struct upstream *u);
/* upstream_room, with what is idle on other threads if it is to be shared out. */
uint32_t seat_room_over_all(const struct upstream *u);
static inline uint32_t seat_room(const struct upstream *u)
{
	return u->share ? seat_room_over_all(u) : upstream_room(u, 0);
}
bool seat_may_go(struct upstream *u, const struct ticket *t);
/* Those that wait, here and there, come after a call of this caller. */
bool seat_passes(struct upstream *u, struct caller *c);
/* After admitting: tells what is left, wakes whom it may concern, hands over what is wanted. */
void seat_settle(struct upstream *u);
ns_t seat_again_at(const struct upstream *u); /* when to look again unasked */
bool seat_is_quiet(const struct upstream *u); /* nothing is on its way to it */

/* --- health.c --- */
void health_start(struct upstream *u);
/* Idle connections are closed to places that are left out, whichever thread said so. */
void health_look(struct upstream *u);
/* What a call's end says of where it went; at 0: nothing. */
struct health_end {
	uint32_t at;
	ns_t sent_at;
	bool bad, told_to_wait;
};
struct health_end health_end_of(
	const struct upstream *u, const struct call *c, enum err why);
void health_note_end(struct upstream *u, const struct health_end *end, bool refused);
void health_note_start(struct cconn *cc);                 /* a connect */
void health_note_connect(struct cconn *cc, enum err why); /* one that failed */
/* The endpoint wants no calls for so long. Returns for how long all do; 0: others are there. */
ns_t health_ask_for(struct upstream *u, uint32_t at, ns_t in);
/* One that is to be tried, by this call; NULL: none. */
struct endpoint *health_due(const struct upstream *u, const struct call *call);
/* It may have idle connections. */
bool endpoint_keeps(const struct endpoint *e);

/* --- endpoint.c --- */
/* The one there is for it, or one that is not live. */
struct endpoint *endpoint_for(
	struct upstream *u, const struct addr *addr, struct slice host);
void endpoint_take(struct cconn *cc, struct endpoint *e);
void endpoint_give(struct cconn *cc);
/* It could not be reached: the others come first for a while. */
void endpoint_avoid(struct upstream *u, struct endpoint *e);
/* It refused a call for want of slots: the same, for a shorter while. */
void endpoint_is_full(struct upstream *u, struct endpoint *e);
/* One the call has not tried yet: one it is to try, else of those that do well; reachable as far
 * as known, then with the fewest connections; ties go round. NULL: all were tried. */
struct endpoint *endpoint_pick(struct upstream *u, struct call *call);
/* For a connection that no call waits for: of those that are neither ejected nor out of reach the
 * one with the fewest. NULL: none is well. */
struct endpoint *endpoint_pick_well(const struct upstream *u);
/* cfg.tls or cfg.sources have changed: for connections to come. */
void endpoints_configure(struct upstream *u);
void endpoints_fini(struct upstream *u);

/* --- local.c --- */
void local_hold(struct upstream *u, struct endpoint *e);
void local_unhold(struct upstream *u, struct endpoint *e);
/* conn_connect to its endpoint, from the source with the most ports left. ERR_NO_PORTS: none is
 * left, as we count or as the kernel says. */
MUST_USE enum err local_connect(struct cconn *cc);
/* Before its socket is closed: what becomes of its port. */
void local_closed(struct cconn *cc, enum io_close how);
/* Into u->detail: how many ports are taken. */
void local_tell(struct upstream *u, const struct endpoint *e);

/* --- call.c --- */
/* It ends now: detached, counted, on_end. */
void call_finish(struct call *c, struct upstream *u, enum err why);

/* --- connect.c --- */
/* A new connection for `call`, whose slot is taken. Failure is told from a later callback. */
void cconn_open(struct upstream *u, struct call *call, struct slot *slot);
/* Idle connections go to calls that wait for their turn to connect, and turns to the others. */
void connect_settle(struct upstream *u);
/* One more connect may be under way. */
bool connect_may_start(const struct upstream *u);
/* A connection that no call waits for; room is reserved. False: there is nowhere to go. */
MUST_USE bool connect_spare(struct upstream *u);
void attempt_start(struct cconn *cc);
void attempt_on_timer(struct cconn *cc);
void attempt_failed(struct cconn *cc, enum err why);
void attempt_won(struct cconn *cc); /* it has the call now, if anybody waits */
/* Closes all other attempts for its call. */
void race_end(struct cconn *cc);
void race_leave(struct cconn *cc);

/* --- tunnel.c --- */
/* The call on it is a tunnel from now on. */
void tunnel_begin(struct cconn *cc);
/* Something has changed: passes our FIN on when all is written, and ends with both. Not inside
 * the app's own call. */
void tunnel_step(struct cconn *cc);
void tunnel_on_eof(struct cconn *cc);
/* Bytes have come; those `before` came then. Of a CONNECT's the longest wait for some says how long
 * its slot may be held when it is reset while it waits for more. */
void tunnel_heard(struct cconn *cc, ns_t before);
/* Its call is gone: a reset, unless all that is left is to write what was taken. */
void tunnel_abandon(struct cconn *cc);

/* --- zombie.c --- */
void zombies_start(struct upstream *u);
/* Nobody waits for its answer any more: it drains. The whole request is with the kernel. */
void zombie_begin(struct cconn *cc);
/* The same, of one whose answer tells something yet: no end of it is tried. */
void zombie_await(struct cconn *cc);
/*
 * We end the TLS handshake of a CONNECTING connection that no call waits for. The server may have
 * counted it as it accepted it, and not look at it for long: it is held, without TLS, until the
 * server says anything or closes, as an answer is drained. False: it is to be closed.
 */
bool zombie_unshaken(struct cconn *cc);
/* Its answer is whole, whoever waits for it. False: because we had hung up, as it seems. */
bool zombie_answered(struct cconn *cc);
/* Its connection has ended without one, and is about to be closed. */
void zombie_closed(struct cconn *cc);
/* It is closed, whatever became of it. */
void zombie_over(struct cconn *cc);
void zombie_on_timer(struct cconn *cc);
/* Its request will never be whole, or what came was no answer to it. A server that reads on sees that;
 * one that began at the head may be at work for as long as its calls take: so long the slot stays
 * charged. */
void zombie_cut_short(struct cconn *cc);
/* Zombies hold their whole share: hangs up on them where that frees slots. False: on none. */
bool zombies_hang_up(struct upstream *u);
void zombie_note_refused(struct upstream *u);
/* A whole answer came, in its own time. */
void zombie_note_served(struct cconn *cc);

/* --- stalled.c: nothing to do unless the limit is of connections, and found out --- */
/* Its request is whole. */
void stalled_note_asked(struct cconn *cc);
/* An answer has begun. */
void stalled_note_head(struct cconn *cc);
/* It is closed. */
void stalled_note_closed(struct cconn *cc);
/* The tuner is about to be another one: to this one all is over, and closed. */
void stalled_forget(struct upstream *u);
/* A trial whose call may be sent twice: when that goes back to the queue, unanswered; NS_NEVER. */
ns_t stalled_due(const struct cconn *cc);
MUST_USE bool stalled_give_back(struct cconn *cc); /* false: it stays */
/* It was found to stall: nothing is to be waited for, and it has no slot. */
bool stalled_is(const struct cconn *cc);
/* Once a turn: whether new connections stall; those that do are closed, and their calls, if they
 * may be sent twice, go back to the queue. */
void stalled_look(struct upstream *u);
ns_t stalled_again_at(const struct upstream *u); /* when to look again unasked */

/* --- close.c --- */
bool close_is_fin(struct upstream *u);
/* We close first: so that it leaves no TIME_WAIT where that is safe. */
void cconn_close_first(struct cconn *cc);
/* The server has ended it, or broke the rules as it stood idle: nothing on it is worth waiting for.
 * Where no FIN of its own has come (TLS's close_notify alone), ours is the first close. */
void cconn_close_after(struct cconn *cc);
/* In the midst of something: by RST, unless that is not to be relied on. */
void cconn_break(struct cconn *cc);
/* As cconn_close_first, with an idle connection. */
void cconn_close_idle(struct cconn *cc);
/* The server refused a call. */
void close_note_refused(struct upstream *u);

/* --- cconn.c --- */
static inline struct worker *cconn_worker(const struct cconn *cc)
{
	return cc->up->worker;
}
/* No call is on it, and one may come. */
static inline bool cconn_is_idle(const struct cconn *cc)
{
	return cc->state == CCONN_IDLE || cc->state == CCONN_PARKED;
}
/* The server is at work on a call, whoever waits for it. */
static inline bool cconn_is_active(const struct cconn *cc)
{
	return cc->state == CCONN_BUSY || cc->state == CCONN_DRAINING;
}
/* The whole request is with the kernel. */
static inline bool cconn_has_sent(const struct cconn *cc)
{
	return cc->out.done && outbound_is_flushed(&cc->out) && !cc->write_failed;
}
/* An idle connection gets a call. */
void cconn_assign(struct cconn *cc, struct call *call);
void cconn_init(struct cconn *cc);
void cconn_enter(struct cconn *cc, enum cconn_state state, ns_t for_ns);
/* Nothing of an answer to its call has come yet. */
static inline bool cconn_is_silent(const struct cconn *cc)
{
	return !cc->head_seen && !cc->interims && cc->in.start == cc->in.end;
}
/* The call is on the connection from here on, and off it. */
void cconn_take_call(struct cconn *cc, struct call *call);
struct call *cconn_detach(struct cconn *cc);
/* Off it, while the server may go on with it: its mark stays behind. */
struct call *cconn_leave_mark(struct cconn *cc);
/* What the connection can say about its end, for the call's on_end. */
void cconn_keep_detail(struct cconn *cc, struct call *call);
void cconn_rearm(struct cconn *cc);
void cconn_flush(struct cconn *cc);
/* The write side is gone: calls go on as if all were taken; the answer, or the end, comes from
 * what the server said before it closed and is still to be read. */
void cconn_write_failed(struct cconn *cc, enum err why);
/* Its call is abandoned: by policy it drains or is closed. */
void cconn_abandon(struct cconn *cc);
void cconn_close_socket(struct cconn *cc, enum io_close how);
/* Closes for good; the slot settles unless it became a ghost before. */
void cconn_close(struct cconn *cc, enum io_close how);
void cconn_free(struct cconn *cc);
/* An IDLE connection whose socket and slot have gone to another thread, charged as it is. */
void cconn_leave(struct cconn *cc);
void cconn_do_later(struct cconn *cc);
/* The connection failed or ended with an answer outstanding (or none). */
void cconn_fail(struct cconn *cc, enum err why);
/* The answer is whole: its call ends, and the connection is pooled or goes. */
void cconn_answer_done(struct cconn *cc);
/* The server has said FIN. */
void cconn_on_eof(struct cconn *cc);

/* --- reply.c: the answer, as it is read --- */
/* Goes through the bytes at hand. */
void cconn_process(struct cconn *cc);
/* Bytes, and the request is not even written. */
void cconn_on_unasked(struct cconn *cc);
/* The socket has something. */
void cconn_on_readable(struct cconn *cc);
/* All that arrived before the end: that, or what is wrong, ends the call. */
void cconn_read_out(struct cconn *cc);

#endif

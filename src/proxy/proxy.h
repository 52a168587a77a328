/*
 * proxy: the middleware done right: requests in, calls out, one cap and one deadline.
 *
 * MODEL   An exchange is one request of a client and what becomes of it: forward.c sends it
 *         on as one call, gather.c as several whose answers are merged. A forward may end as
 *         a tunnel (tunnel.c).
 * RULES   1. Every request is answered once, or its connection is cut where half an answer
 *            went out.
 *         2. At the deadline the client is answered; what the upstream still does is the
 *            upstream's affair (http/upstream.h).
 * OWNS    struct proxy owns worker, server, upstreams and ledger.
 * CONTEXT one thread: each has its own (crew.h).
 */
#ifndef WEIR_PROXY_PROXY_H
#define WEIR_PROXY_PROXY_H

#include "http/server.h"
#include "obs/accesslog.h"
#include "obs/metrics.h"
#include "obs/words.h"
#include "proxy/egress.h"
#include "proxy/explain.h"
#include "proxy/past.h"
#include "proxy/plan.h"

#define PROXY_STATUS_MAX 600

/* Whose an answer is: the server's, whole; or weir's own, or one that was cut, by whomever. */
enum { PROXY_BY_UPSTREAM, PROXY_BY_WEIR, PROXY_DECIDERS };

struct target;
struct access_head;

/* A proxy's place among those of the other threads (crew.h). */
struct proxy_seat {
	uint32_t nth; /* 0: the main thread's */
	struct io_mailbox *mail;
	struct shares *shares; /* NULL: it is the only one, and nothing is shared */
	struct quota *clients, *servers; /* NULL: the same */
	struct ports *ports;             /* NULL: they are not counted */
	/* Hand 0: the target's names lead elsewhere now. NULL: nobody else is to be told. */
	void (*on_endpoints)(struct target *t);
};

struct proxy {
	struct proxy_seat seat;          /* set before proxy_start */
	const struct proxy_options *opt; /* of the plan */
	struct worker worker;
	struct dns *dns;   /* NULL: no upstream ever had a name */
	char *dns_servers; /* which it asks; NULL: the system's */
	struct server *server;
	struct plan *plan;            /* by which new requests are routed */
	struct upstream *upstream;    /* of the plan's first route; NULL: it has none */
	struct list targets, retired; /* upstreams: plan.h */
	struct map targets_by_key;    /* both */
	struct past past;             /* of those that have ended */
	struct egress egress;
	struct timer reap; /* looks after the retired */
	struct words *words;
	struct explain_ring *explain;
	uint64_t weir_ids;     /* given out */
	struct accesslog *log; /* borrowed; NULL: there never was one */
	struct text log_line;  /* where its lines are put together */
	struct slab forwards;
	ns_t started_at;
	uint64_t exchanges_now, exchanges_total;
	uint64_t heads_refused; /* which never were exchanges, and have reasons */
	uint64_t tunnels_now, tunnels_total; /* of the exchanges */
	uint64_t gathered_bytes;             /* of answers, held by gathers now */
	uint64_t answers[PROXY_STATUS_MAX];
	uint64_t reasons[ERR_COUNT];
	struct durations
		took[PROXY_DECIDERS];        /* from a request to the end of its answer */
	void (*on_drained)(struct proxy *p); /* http/server.h's; NULL: nobody asks */
};

extern const struct verb proxy_verb;
extern const struct verb check_verb; /* check.c */

/* The text of an error answer as it passes, or what is known of a failure, for the ledger. */
struct capture {
	uint16_t status; /* 0: no error answer */
	bool coded;      /* its body, by Content-Encoding */
	uint16_t len;
	char text[WORDS_TEXT_BYTES];
	char endpoint[96]; /* with a status: where it came from, and its fields, masked */
	char fields[WORDS_FIELDS_BYTES];
};

/* The choices of --ledger-query. */
enum { LEDGER_MASK, LEDGER_KEEP };

/* The head of struct forward and struct gather, and the sconn's ctx. */
struct exchange {
	const struct server_ops *ops; /* forward's or gather's */
	const struct route *route;
	/* for the access log */
	ns_t begun_at, queued_for;
	uint64_t bytes_in, bytes_out; /* of bodies */
	struct access_head *kept;     /* of a tunnel, whose head is gone; NULL: none */
	bool tunnel;                  /* from its answer on */
	uint32_t attempts;            /* requests to the server, of all its calls */
	uint16_t status;              /* 0: no answer */
	enum err why;                 /* weir's own reason, or what it ended by */
	/* Of a gather's, which part's upstream is told of: `call` is its; NULL: its own */
	const struct route *told;
	/* for explain */
	uint64_t weir_id; /* 0: none yet */
	/* Of a gather's the one that decided, or else ended last. Lives as long as the
	 * exchange; NULL: none (yet) */
	const struct call *call;
	const char *part; /* its name; NULL: it has none */
	uint8_t parts, parts_missing;
};

/* --- exchange.c --- */
extern const struct server_ops proxy_ops; /* routes, then forwards or gathers */
/* It has a route from now on, whose plan stays until the end. */
void exchange_begin(struct proxy *p, struct exchange *x, const struct server_ops *ops,
	const struct route *r, ns_t begun_at);
void exchange_end(struct proxy *p, struct exchange *x, struct sconn *client);
/* It is over: to the access log, explain and the metrics. */
void exchange_tell(struct proxy *p, struct sconn *client, const struct exchange *x);
/* Its answer is the server's, whole. Without a route nobody but weir can have answered, be it no
 * error: Max-Forwards was 0. */
bool exchange_is_upstreams(const struct exchange *x);
/* It ends unseen: another one goes on with its request. */
void exchange_pass(struct proxy *p, struct exchange *x);

/* --- forward.c, gather.c, tunnel.c --- */
/* begun_at: when the request came; a part of its time may be over. */
void forward_request(struct proxy *p, struct sconn *client, const struct h1_head *head,
	const struct route *r, ns_t begun_at);
void gather_request(struct proxy *p, struct sconn *client, const struct h1_head *head,
	const struct route *r);
/* A CONNECT that is let through: a connection to the route's upstream, under its limit, and 200
 * when it is there; then bytes both ways (tunnel.c). */
void tunnel_request(struct proxy *p, struct sconn *client, const struct h1_head *head,
	const struct route *r, ns_t begun_at);
void proxy_init_exchanges(struct proxy *p, uint32_t max);

/* --- build.c --- */
/* What the options say about the upstream; its endpoints are left alone. */
void proxy_fill_upstream(const struct proxy_options *o, struct upstream_cfg *u);
/* Takes the plan; nothing listens yet. `servers`: connections to upstreams at most. */
void proxy_start(
	struct proxy *p, struct io_loop *loop, struct plan *plan, uint32_t servers);
/* The same with one upstream and one route; p->opt is set. */
void proxy_make(struct proxy *p, struct io_loop *loop,
	const struct upstream_cfg *upstream, uint32_t servers);
/* What the options say about clients. */
void proxy_fill_server(const struct proxy_options *o, struct server_cfg *s);
/* Ends every exchange; the loop stays the caller's. */
void proxy_unmake(struct proxy *p);

/* --- deadline.c --- */
/* The time a request has: --timeout, or less if its fields say so (Weir-Timeout, Envoy's). */
MUST_USE enum err proxy_budget(
	const struct route *r, const struct h1_head *head, ns_t *budget);
/* Its deadline. ERR_DEADLINE: that is over. */
MUST_USE enum err proxy_until(
	const struct route *r, const struct h1_head *head, ns_t begun_at, ns_t *until);
/* The fields that tell the server what is left, in place of the client's own. */
void proxy_put_time_left(
	struct wire *w, const struct proxy *p, const struct h1_head *head, ns_t until);
/* Bits of enum h1_field_id: the fields that are about deadlines. */
#define PROXY_TIME_FIELDS \
	((uint64_t)1 << H1_FIELD_WEIR_TIMEOUT | \
		(uint64_t)1 << H1_FIELD_X_ENVOY_EXPECTED_RQ_TIMEOUT_MS)

/* --- answer.c: what the two kinds of exchange share --- */
ns_t proxy_now(const struct proxy *p);
void proxy_count_answer(struct proxy *p, uint16_t status);
/* Answers for weir itself: status and text of the error, Weir-Reason, Retry-After. NULL: the
 * request has no route. */
void proxy_answer_reason(
	struct proxy *p, struct sconn *client, const struct route *r, enum err why);
/* The same, and more than err_text says ("certificate of api.example.com: ..."); or empty. */
void proxy_answer_detail(struct proxy *p, struct sconn *client, const struct route *r,
	enum err why, struct slice detail);
/* Of a 503: in whole seconds, when the servers of its calls may be asked again. */
void proxy_put_retry_after(
	struct wire *w, const struct route *r, const struct sconn *client);
/* One that is no error, to a request that has no exchange. */
void proxy_answer(struct proxy *p, struct sconn *client, const struct answer *a);
/* Puts the head of the client's request onto the call, and what is left until its deadline.
 * False: it does not fit. */
MUST_USE bool proxy_put_request(const struct route *r, struct call *call,
	const struct sconn *client, enum h1_body framing, uint64_t length, ns_t until);
/* The same with a line and fields that are not quite the client's. */
struct proxy_request {
	const struct h1_head *head; /* its fields, and who asks */
	struct slice method, path;
	enum h1_body framing;
	uint64_t length;
	ns_t until;
};
MUST_USE bool proxy_put_request_as(const struct route *r, struct call *call,
	const struct sconn *client, const struct proxy_request *q);
/* The fields of the server's answer, for the client. */
void proxy_put_answer_fields(
	struct wire *w, const struct route *r, const struct h1_head *head);
/* What can be refused before any call: CONNECT, targets with no path, no time left. ERR_OK:
 * none, and *until is the request's deadline. */
MUST_USE enum err proxy_check_request(
	const struct route *r, const struct sconn *client, ns_t begun_at, ns_t *until);
/* The client's side of an exchange is over: what it failed by is counted. */
void proxy_note_client(struct proxy *p, enum err why, bool answering);

/* --- ledger.c --- */
void capture_begin(struct capture *c, uint16_t status);
/* The same, and of an error answer where it came from and its fields. */
void capture_head(struct capture *c, const struct call *call, const struct h1_head *head,
	const struct proxy_options *o);
/* Its body is not to be read as it is: Content-Encoding. */
bool capture_is_coded(const struct h1_head *head);
void capture_add(struct capture *c, struct slice data);
/* What is known of a failure that is no answer. */
void capture_detail(struct capture *c, struct slice detail);
/* The answer or failure is complete: into the ledger, refusals recognised. */
void proxy_note(const struct route *r, const struct sconn *client, enum err why,
	const struct capture *c);

/* --- account.c --- */
void account_route(struct route *r, const struct proxy_options *o);
uint64_t account_key(const struct route *r, const struct sconn *client);
void account_call(const struct route *r, const struct sconn *client, struct call *call);

/* --- access.c --- */
bool access_is_on(const struct proxy *p);
void access_note(struct proxy *p, struct sconn *client, const struct exchange *x);
/* Copies what the log needs of the request's head, if there is a log: the head is to go. */
void access_keep(struct proxy *p, const struct sconn *client, struct exchange *x);
/* Of a head that never became a request: nothing in it can be relied on. */
void access_note_refused(struct proxy *p, struct sconn *client, enum err why);
/* How long the call waited for its slot, or has waited. */
ns_t access_queued_for(const struct proxy *p, const struct call *call);
/* The plan's log, to be switched to; *fd is -1 where it has none. */
MUST_USE bool access_open(const struct plan *plan, int *fd, struct problem *why);

#endif

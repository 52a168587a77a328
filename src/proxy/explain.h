/*
 * explain: what became of a request, told for a while after it is over: where its time went,
 * which rule decided, what the limits were.
 *
 * MODEL   A record is one finished request that can be asked for: its client gave it an
 *         X-Request-Id, or weir gave its answer a Weir-Id. That it does to all answers it
 *         makes itself, and to those with Server-Timing. Other requests leave none.
 * RULES   1. A ring of EXPLAIN_RECORDS a proxy, the oldest goes; nothing is allocated for a
 *            request.
 *         2. No secret is in a record: targets are masked (obs/mask.h).
 *         3. A Weir-Id tells nothing but which answer it is of which thread since the start.
 * OWNS    the ring; a record is a copy, of texts too.
 * CONTEXT the proxy's thread; a record found may go to another.
 */
#ifndef WEIR_PROXY_EXPLAIN_H
#define WEIR_PROXY_EXPLAIN_H

#include "base/json.h"
#include "http/upstream.h"

#define EXPLAIN_RECORDS 1024
#define EXPLAIN_ID_BYTES \
	64 /* of an X-Request-Id; a longer one is asked for by as much of it */
#define EXPLAIN_WEIR_ID_BYTES 40
#define EXPLAIN_PART_BYTES 65 /* a part's name has 64 at most */

struct proxy;
struct exchange;
struct route;
struct sconn;

/* Durations: NS_NEVER where it never came so far. */
struct explain_spans {
	ns_t queue;      /* waiting for a slot */
	ns_t connect;    /* 0: the connection was there already */
	ns_t tls;        /* its handshake, not in `connect` */
	ns_t first_byte; /* from the request sent to the answer's head */
	ns_t body;       /* from there to the end */
};
/* Of a call until `now`. */
struct explain_spans explain_spans_of(const struct call *call, ns_t now);

struct explain_record {
	char id[EXPLAIN_ID_BYTES];           /* "": none */
	char weir_id[EXPLAIN_WEIR_ID_BYTES]; /* "": none */
	char method[16], target[192], upstream[64];
	/* Of a gather, whose call and upstream it tells of; "": none */
	char part[EXPLAIN_PART_BYTES];
	uint8_t parts, parts_missing; /* of a gather; 0: it is none */
	uint16_t status;              /* 0: no answer */
	enum err why;
	bool ours;     /* weir's own answer, or its end of one */
	bool has_call; /* `spans` and what follows is known */
	bool reused, replayed;
	uint8_t past; /* attempts before the last; the latest are in `tries` */
	enum retry_verdict verdict; /* why there was no further one; GO: none was due */
	struct call_try tries[CALL_TRIES];
	ns_t begun_at, ended_at;
	struct explain_spans spans;
	ns_t timeout;   /* NS_NEVER: none */
	ns_t queue_for; /* NS_NEVER: no bound */
	uint64_t queue_max, waiting;
	uint32_t limit, used;   /* as it ended; limit: SLOTS_NO_LIMIT */
	struct brake_plea plea; /* the server's latest, while calls wait for its end */
	ns_t paused_for;        /* so long they would have; 0: not at all */
	uint32_t endpoints, endpoints_out; /* as it ended */
	const char *limit_because; /* of one that is found out; NULL: it is configured */
	ns_t limit_for;            /* the same: for so long that had been so */
	ns_t bound;                /* that an end for `why` was over; NS_NEVER: none */
	double drain_share;
	const char *abandon; /* what becomes of calls that nobody waits for */
	ns_t longest;        /* call; 0: none yet */
	enum slot_unit unit;
};

struct explain_ring;

struct explain_ring *explain_new(void);
void explain_free(struct explain_ring **e);
/* The place of the next record, zeroed: the oldest's if the ring is full. */
struct explain_record *explain_next(struct explain_ring *e);
/* The latest record with that X-Request-Id or Weir-Id; NULL: none. */
const struct explain_record *explain_find(const struct explain_ring *e, struct slice id);

/* The request is over, or a tunnel from now on; x has its status. Cheap when nothing
 * asks for a record. */
void explain_note(struct proxy *p, const struct sconn *client, const struct exchange *x);
/* The same of a head that was refused: nothing of it is known but why. */
void explain_note_refused(struct proxy *p, const struct exchange *x);
/* "Weir-Id: ...\r\n" and, on the route's request, Server-Timing: of the exchange so far. */
void explain_put_fields(struct wire *w, struct proxy *p, struct exchange *x);

enum explain_limit {
	EXPLAIN_GIVEN,     /* configured, or none */
	EXPLAIN_FOUND_OUT, /* nobody can raise it */
	EXPLAIN_SHUT, /* found out to be none at all: the server refuses every call */
};

static inline enum explain_limit explain_limit(bool found_out, uint32_t limit)
{
	if (!found_out)
		return EXPLAIN_GIVEN;
	return limit ? EXPLAIN_FOUND_OUT : EXPLAIN_SHUT;
}

/* What a person can change so that weir need not answer so. Never NULL. */
const char *explain_advice(enum err why, enum explain_limit limit);
/* What decided, in one sentence. */
void explain_why(struct text *t, const struct explain_record *r);
/* The members of weir.explain/1. */
void explain_json(struct json *j, const struct explain_record *r, ns_t now);

#endif

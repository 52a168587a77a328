/*
 * retry: which calls are sent again, and how many. Pure.
 *
 * MODEL   An extra is a request that the server gets beyond one for each call: a retry, a hedge
 *         (sent beside one that keeps its caller waiting), or a replay (a kept connection had
 *         died; the engine's own, once a call). Two accounts bound them:
 *         - the budget: each call pays in RETRY_SHARE, each extra draws 1. A retry or a hedge
 *           is made while there is 1 in it beside what the trust may still draw. The first
 *           RETRY_LENT extras of all are lent, so that a program of few calls is helped too,
 *           and paid back by the calls to come.
 *         - trust in kept connections: each call pays in RETRY_SHARE, each replay draws 1, and
 *           so does what is lent to a retry of what was sent. Replays are not refused (their
 *           calls did nothing wrong); when the trust is used up, nothing is kept and each call
 *           gets a fresh connection, which needs none.
 * RULES   1. What the server may have acted on is sent again only if its method is idempotent
 *            (RFC 9110 9.2.2), the whole request is at hand, and nothing of an answer came.
 *         2. Extras <= RETRY_SHARE of the calls, or RETRY_LENT while that is more, from the
 *            first on, whatever the server does. Only replays may go beyond that, by the calls
 *            that were on kept connections at the instant the trust ended.
 *         3. Never into a server that refuses for want of slots, or said when to come again. A
 *            refused call goes back only while the server takes others, RETRY_REFUSED times at
 *            most.
 *         4. Not with less time left than half of the answers take.
 * COST    O(1).
 */
#ifndef WEIR_FLOW_RETRY_H
#define WEIR_FLOW_RETRY_H

#include "base/err.h"
#include "base/slice.h"
#include "flow/quantile.h"

/* Amplification of 1.2: what Google's SRE book (ch. 21) gives for a client's retries is 1.1, and
 * Finagle's default is 1.2. */
#define RETRY_SHARE 0.2
/* A fifth of 50 calls: from there on a run keeps the share. A rate, as other budgets have it
 * (Finagle's 10 a second), would exceed it for as long as a program makes few calls. */
#define RETRY_LENT 10
/* Unused budget is kept up to this: a first burst after hours of peace is bounded by it. */
#define RETRY_SAVED 100.0
/* The same for trust: ten dead connections in a row, and the rest are not tried. */
#define RETRY_TRUST 10.0
/* Fifths do not add up to 1 in binary. */
#define RETRY_WHOLE (1 - 1e-6)
/* So long a refusal stands for those to come: it is about one answer's time of most servers,
 * and each further refusal renews it. */
#define RETRY_HOLD NS_S
/* So often a call goes back that was refused. A server whose limit is halved refuses several in a
 * row, one of which may have gone back already. */
#define RETRY_REFUSED 2
/* Waits: doubled from the first on, half of each spread evenly. As in Envoy (25 and 250 ms). */
#define RETRY_WAIT (25 * NS_MS)
#define RETRY_WAIT_MAX (250 * NS_MS)

enum retry_verdict {
#define RETRY(name, label, text) RETRY_##name,
#include "flow/retry.def"
#undef RETRY
	RETRY_VERDICTS
};
const char *retry_label(enum retry_verdict v);
const char *retry_text(enum retry_verdict v);

#define RETRIES_MAX 10

/* What is retried on: bits. */
enum retry_on {
	RETRY_ON_CONNECT = 1,    /* no connection: nothing was sent */
	RETRY_ON_RESET = 2,      /* it broke before any byte of the answer */
	RETRY_ON_FIRST_BYTE = 4, /* --first-byte-timeout */
	RETRY_ON_502 = 8,
	RETRY_ON_503 = 16,
	RETRY_ON_504 = 32,
};
/* "connect,reset,503", with or without spaces; "none", alone, is 0. False: `wrong` is a word that
 * is none of these, or "none" among others. */
MUST_USE bool retry_parse_on(struct slice text, uint32_t *on, struct slice *wrong);
/* The words; returns how many. */
#define RETRY_WORDS 7
uint32_t retry_words(const char *out[RETRY_WORDS]);

struct retry_cfg {
	uint32_t on;  /* enum retry_on */
	uint32_t max; /* times a call may be sent again; 0: never */
	double share; /* RETRY_SHARE; 0: no extra but replays */
};

struct retry {
	struct retry_cfg cfg;
	double budget, trust;
	uint64_t made; /* extras; it spreads the waits, too */
	uint64_t lent; /* so many of them at most */
	ns_t hold_until;
	struct quantile takes; /* median time to a whole answer */
};

/* seats: threads that each have one of these for the same server: what is lent is shared out, one
 * a seat at least. */
void retry_init(struct retry *r, uint32_t seats);
/* A call is sent for the first time. */
static inline void retry_note_call(struct retry *r)
{
	r->budget += r->budget < RETRY_SAVED ? r->cfg.share : 0;
	r->trust = r->trust < RETRY_TRUST - RETRY_SHARE ? r->trust + RETRY_SHARE
							: RETRY_TRUST;
}
/* A whole answer took so long. */
static inline void retry_note_answer(struct retry *r, ns_t took)
{
	quantile_add(&r->takes, took);
}
/* The server refused one for want of slots, or said when to come again. */
void retry_hold(struct retry *r, ns_t until);

struct retry_ask {
	enum err why;    /* what it failed by; ERR_OK: by its status */
	uint16_t status; /* with ERR_OK */
	bool idempotent;
	bool whole; /* the request can be put again */
	bool sent;  /* it was begun; a byte of it may have reached the server */
	bool heard; /* a byte of an answer came, or was passed on */
	bool told_to_wait;
	uint32_t again;   /* how often it was sent again already */
	uint32_t refused; /* how often it went back already, refused for want of slots */
	bool takes_none;  /* no call has a slot to wait for */
	ns_t wait;        /* retry_wait */
	ns_t left;        /* until its deadline; NS_NEVER: none */
};
/* Draws nothing. */
enum retry_verdict retry_ask(struct retry *r, const struct retry_ask *q, ns_t now);
/* The same for a call that was refused, and would go back to the queue. Whether it has time for
 * that is the queue's to judge. */
enum retry_verdict retry_ask_refused(const struct retry *r, const struct retry_ask *q);
/* The same for a hedge, of a request that may be sent twice. */
enum retry_verdict retry_ask_hedge(struct retry *r, ns_t left, ns_t now);
/* How long to wait before it is sent for the nth time again (1: first); elsewhere: to another
 * address, which has done nothing to be spared. */
ns_t retry_wait(struct retry *r, uint32_t nth, bool elsewhere);
/* A retry, a hedge, or a refused call that goes back, is sent; sent: the server may have seen a
 * byte of the attempt before it, or beside it. */
void retry_draw(struct retry *r, bool sent);
/* A request was replayed of which the server may have seen a byte. */
void retry_draw_replay(struct retry *r);

/* Kept connections may be used. */
static inline bool retry_trusts(const struct retry *r)
{
	return r->trust >= RETRY_WHOLE || r->made < r->lent;
}
/* They may, but look at each first: of late some were dead. */
static inline bool retry_doubts(const struct retry *r)
{
	return r->trust < RETRY_TRUST;
}

#endif

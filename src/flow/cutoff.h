/*
 * cutoff: whether a server that ends new connections without a word does so for want of slots.
 * Pure.
 *
 * WHY     Some servers say nothing at their limit: they accept, and close or reset at once, under
 *         TLS before its handshake is over. One such end looks like that of a call which the
 *         server could not bear.
 * MODEL   Want of slots befalls whoever comes above the limit, and nobody else. So it is that
 *         when CUTOFF_SURE new connections in a row ended so, and no call on another new one,
 *         with as many at the server as the lowest of these, was taken meanwhile: answered, or
 *         not ended after several times as long. From then on each such end is a refusal, until
 *         a call is taken so.
 * RULES   1. A server that answers nothing is down: its ends are no refusals.
 *         2. An end that took longer than CUTOFF_SOON is no refusal.
 * COST    constant; some 300 bytes.
 */
#ifndef WEIR_FLOW_CUTOFF_H
#define WEIR_FLOW_CUTOFF_H

#include "base/base.h"

/* Where three in ten new connections end by chance, six in a row do once in 1,400. */
#define CUTOFF_SURE 6
#define CUTOFF_SOON (500 * NS_MS) /* a round trip to a server far away included */
#define CUTOFF_OPENED 16

/* A call on a new connection. As long as that is not there, it may as well be refused. */
struct cutoff_call {
	ns_t opened_at; /* when that was there; 0: the call has ended */
	uint32_t level; /* at the server as it was sent, itself included */
};

struct cutoff {
	struct cutoff_call opened[CUTOFF_OPENED]; /* the last ones */
	uint32_t next;
	uint32_t row, lowest; /* so many ended; level of the lowest */
	ns_t answered_at;     /* by whatever connection; 0: never */
	ns_t took;            /* that answer */
};

void cutoff_note_opened(struct cutoff *c, const struct cutoff_call *call);
/* However it ended; before what follows. */
void cutoff_note_ended(struct cutoff *c, const struct cutoff_call *call);
/* On a connection that was there (is_new: false), opened_at is when it was sent. */
void cutoff_note_answer(
	struct cutoff *c, ns_t now, const struct cutoff_call *call, bool is_new);
/* Its connection, a new one, ended before a byte of an answer. */
MUST_USE bool cutoff_is_refusal(
	struct cutoff *c, ns_t now, const struct cutoff_call *call);

#endif

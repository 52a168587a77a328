/*
 * hangup: whether a server frees the slot of a call whose caller hangs up, found out by trying
 * it on calls that nobody waits for any more; and for how long a server that works on for
 * nobody may hold a slot. Pure.
 *
 * WHY     Where hang-ups go unseen (fasthttp, a handler that ignores its context), hanging up
 *         gains nothing and costs a connection: such calls are drained. Where they are seen,
 *         draining holds slots for nobody. A proxy cannot know which, and the two look alike
 *         until one is asked.
 * MODEL   To hang up here is to say FIN behind a whole request and to keep listening, the slot
 *         still charged: so a wrong belief costs a connection, not a refusal. What ends within
 *         HANGUP_SOON, by an answer or by the server's close, ended soon. While nothing is
 *         known the lot decides for single calls whether they are TRIED (hung up on) or LEFT
 *         (drained as ever, as a control). If hang-ups went unseen, it would not matter which;
 *         the probability that all of the tried, and so few of those left, end soon is then
 *         hypergeometric (Fisher's exact test). Below HANGUP_CHANCE the server is believed to
 *         free slots: all calls are hung up on (TRUSTED).
 *         A server may close at our FIN while another one behind it works on (nginx before
 *         fasthttp). So slots are given back on trust: first that of one call, and of the next
 *         when the first would have ended by itself; then of twice as many each time that
 *         connections were served meanwhile with the limit used up. All others drain.
 * RULES   1. It begins with draining.
 *         2. One that is hung up on and does not end soon, or a refusal below the limit while
 *            slots are given back on trust, ends the belief at once. The next trial waits, twice
 *            as long each time, and after a refusal for the longest time at once.
 *         3. After a refusal below the limit as many slots as were given back on trust, or else
 *            one, stay charged when their connections end: the server holds them for calls
 *            it had not dropped.
 * COST    constant; some 300 bytes.
 */
#ifndef WEIR_FLOW_HANGUP_H
#define WEIR_FLOW_HANGUP_H

#include "base/text.h"
#include "flow/longest.h"

/* Servers that watch close within milliseconds; a lost FIN comes again after 200 ms, and that
 * may well look like a late one. */
#define HANGUP_SOON (100 * NS_MS)
/* Eight tried and eight left that differ wholly: 1 in 12,870. */
#define HANGUP_CHANCE 1e-4
#define HANGUP_PAUSE (10 * NS_S) /* the first */
#define HANGUP_PAUSE_MAX (3600 * NS_S)
/* The longest call seen may be far from the longest there is. */
#define HANGUP_MARGIN 2
#define HANGUP_TRUST_MAX 16 /* so many and more: without bound */
/* A second: each leaves a TIME_WAIT here for 60 s, and beyond some 14,000 to one address connecting
 * becomes slow. */
#define HANGUP_RATE_MAX 100

enum hangup_arm {
	HANGUP_OUT, /* drained, not watched */
	HANGUP_LEFT,
	HANGUP_TRIED,
	HANGUP_TRUSTED,
};

enum hangup_cause {
	HANGUP_BY_NOTHING, /* untried, or too few */
	HANGUP_BY_TRIAL,   /* believed */
	HANGUP_BY_LATE,    /* no more: one did not end soon */
	HANGUP_BY_REFUSAL, /* no more: the server refused */
};

struct hangup_count {
	uint32_t soon, late;
};

struct hangup {
	bool frees; /* what is believed */
	enum hangup_cause cause;
	ns_t since; /* of the cause; 0: the beginning */
	uint32_t changes;
	/* of the trials that led to the belief, or that are going on */
	struct hangup_count tried, left;
	uint32_t watched; /* LEFT and TRIED that have not ended yet, nor become late */
	ns_t next_at, pause;
	uint64_t seed, lots;
	ns_t second;        /* began then */
	uint32_t in_second; /* TRUSTED */
	uint32_t trust;
	bool proved; /* served at the limit since the last doubt was over */
	ns_t doubts
		[HANGUP_TRUST_MAX]; /* given back on trust: when it would have been free */
	uint32_t doubt_count;
	uint32_t owed; /* slots the server holds beyond ours */
	ns_t owed_until;
	struct longest longest;
};

void hangup_init(struct hangup *h, uint64_t seed);
/*
 * What to do with a call that nobody waits for any more. Unless OUT, hangup_ended or hangup_forget
 * follows. Let alone, it would end by `until`; 0: nobody knows. A TRIED one's slot stays charged
 * till then if the server closes without an answer; a TRUSTED one's is free.
 */
MUST_USE enum hangup_arm hangup_ask(
	struct hangup *h, uint32_t limit, ns_t until, ns_t now);
/* It has ended (soon: within HANGUP_SOON), or has not within that time. True: another belief. */
bool hangup_ended(struct hangup *h, enum hangup_arm arm, bool soon, ns_t now);
/* It comes to no end that tells anything. */
void hangup_forget(struct hangup *h, enum hangup_arm arm);
/* The probability of what the trials showed, were hang-ups unseen. */
double hangup_chance(const struct hangup *h);

/* A new connection was served while the limit was used up. */
void hangup_note_served(struct hangup *h);
/* The server refused a call below the limit. True: another belief. */
bool hangup_note_refused(struct hangup *h, ns_t now);
/* When a call sent then would end at the latest, as far as can be told; 0: nobody knows. */
ns_t hangup_natural_end(const struct hangup *h, ns_t sent_at, ns_t now);
/* A slot is about to be given back: whether it is charged for one that is owed, until *until. */
MUST_USE bool hangup_owes(struct hangup *h, ns_t now, ns_t *until);

/* A whole answer came so long after its request. */
void hangup_note_took(struct hangup *h, ns_t took, ns_t now);
/* The longest of the last hour or two; 0: none. */
ns_t hangup_longest(const struct hangup *h);

/* "8 of 8 calls hung up on ended within 100 ms, ..." */
void hangup_because(const struct hangup *h, struct text *t);

#endif

/*
 * accounts: the callers of one limit over several threads. Pure but for the lock, which the app
 * brings.
 *
 * MODEL   Each thread has callers of its own (flow/callers.h), which wait in its own queue. Tied
 *         to accounts, they are fronts: of one key there is one account, and what it holds, needs,
 *         asks for and has used is that of all threads. What callers.h says holds over all of
 *         them, limit and fair shares too.
 *         What a front knows by itself is how many of its own calls wait and run: those are the
 *         thread's queue.
 *         How long a slot is held is by the calls of all threads: the mean of their means, each
 *         for as many calls as it is by. What a thread has not told again fades.
 * RULES   1. An account is there as long as a front of it is.
 *         2. A thread goes in once at a time, however many calls of callers.h it makes meanwhile.
 * OWNS    the app: it outlives all that are tied to it.
 * CONTEXT any thread; `now` may be a turn behind what another one said.
 * COST    the lock, held for one look; with several looks at once, once (callers_enter). Most are
 *         O(1). O(accounts): the one of callers_refresh that refreshes for all threads, at most
 *         every 50 ms, and one that changes the fair share (callers.h).
 */
#ifndef WEIR_FLOW_ACCOUNTS_H
#define WEIR_FLOW_ACCOUNTS_H

#include "flow/callers.h"

struct accounts {
	void (*lock)(struct accounts *a); /* the app's */
	void (*unlock)(struct accounts *a);
	/* under the lock */
	struct callers all;
	struct list tied;                       /* each thread's callers */
	struct list active[CALLERS_PRIORITIES]; /* accounts that wait */
	ns_t empty_since;                       /* while nobody does */
};

void accounts_init(struct accounts *a);
void accounts_fini(struct accounts *a); /* CHECKs that nothing is tied */

/* While it has no caller yet. Until callers_fini. */
void callers_tie(struct callers *own, struct accounts *a);
void accounts_untie(struct callers *own); /* inside: callers_fini's */

struct callers *accounts_enter(struct callers *own);
void accounts_leave(struct callers *own);
/* For several looks under one lock; nothing to do for callers that are alone. Returns whose the
 * numbers are: the accounts', or its own. */
static inline struct callers *callers_enter(struct callers *own)
{
	return LIKELY(!own->accounts) ? own : accounts_enter(own);
}
static inline void callers_leave(struct callers *own)
{
	if (UNLIKELY(own->accounts))
		accounts_leave(own);
}
/* Inside: whose numbers count, its account's or its own. */
static inline struct caller *caller_account(struct caller *front)
{
	return UNLIKELY(front->account) ? front->account : front;
}

#endif

/*
 * callers: who holds how much of the slots, so that one who asks for much takes nothing from
 * those who ask for little. Pure.
 *
 * MODEL   A caller is known by a key (an address, the value of a field, a route) and a priority.
 *         Its cost is slot-time: what it has held, and by the mean will hold of what runs;
 *         start-time fair queueing (Goyal, Vin and Cheng, 1996) with a cost that is learned
 *         while it arises. Who comes back after a pause starts at `floor`, where the others
 *         are: idleness earns no credit.
 *         Demand is what it asks for, refused or not, in slots: calls a second times the mean
 *         (Little's law).
 *         Order alone is not enough where slots are held for long: who floods fills them all
 *         while the others are away for a moment. So each caller that was seen of late has room
 *         kept for it: what it lately needed at once, at most its fair share. What a new one will
 *         need is not known: when it comes again it is taken to need its fair share, and that
 *         fades. It is kept from callers of its own priority and of lower ones.
 *         What will come free in good time need not stand free: so many are lent (soon;
 *         flow/lend.h).
 * RULES   1. With one caller nothing is kept: all slots are its own. Who asks for no more than its
 *            fair share may also take what is kept for others.
 *         2. What a caller used while nobody waited is forgotten CALLERS_FORGET_FOR later.
 *         3. The need seen of late fades by half each CALLERS_FADE_FOR.
 *         4. Past CALLERS_MAX (over several threads, so many for each) further callers share one
 *            place.
 *         5. Of several threads each has its own; tied together (flow/accounts.h) all this holds over
 *            all of them.
 * COST    O(1) a call, but O(callers) for one with whom the fair share changes: who has a need of
 *         late is one more or one fewer, in whole slots of the limit. callers_refresh O(callers).
 *         Who is cheapest, and how many are ahead, O(callers that wait), some 3 ns each.
 *         Some 170 bytes a caller; one that holds nothing, waits for nothing and has no claim left
 *         is forgotten.
 */
#ifndef WEIR_FLOW_CALLERS_H
#define WEIR_FLOW_CALLERS_H

#include "base/list.h"

#define CALLERS_PRIORITIES 3 /* 0 is the highest */
#define CALLERS_NORMAL 1
#define CALLERS_MAX 4096
#define CALLERS_BUCKETS 256
#define CALLERS_FORGET_FOR NS_S
#define CALLERS_FADE_FOR (5 * NS_S)
/* Calls of late, faded, from which on one is no passer-by (who calls every 10 s has 1.3). */
#define CALLERS_COMES_AGAIN 1.9
/* A slot stands free for that part of the time, at most, for want of a call that waits: 2 %. */
#define CALLERS_POUR 50

struct accounts;

struct caller {
	struct list_node node;  /* in its bucket */
	struct caller *account; /* over all threads; NULL: it is one itself */
	uint32_t fronts;        /* of threads, whose account it is */
	struct list_node
		active;      /* the queue's: while it has tickets; the accounts': waits */
	struct list tickets; /* the queue's */
	uint64_t key;
	uint32_t priority;
	uint32_t waiting, held; /* calls, slots */
	uint32_t epoch;
	uint32_t kept; /* slots kept for it beyond what it holds */
	bool presumed; /* its fair share was kept for it, to begin with */
	double need;   /* slots at once, of late */
	double asked;  /* calls, faded */
	ns_t asked_at, asked_first;
	double every; /* ns between two of its calls, as reckoned at every_at; below 0: not */
	ns_t every_at;
	ns_t used; /* slot-time up to `at` */
	ns_t at;
};

/* What the accounts have of one thread. */
struct callers_told {
	uint32_t soon;
	ns_t mean;
	double mean_of;
	ns_t at; /* of the mean: when needs were last refreshed then */
};

struct callers {
	struct list buckets[CALLERS_BUCKETS];
	uint32_t count;    /* in the buckets */
	uint32_t max;      /* of them */
	uint32_t claiming; /* with a need of late */
	uint32_t claiming_by[CALLERS_PRIORITIES];
	uint32_t share; /* a fair one; 0 with one caller */
	uint32_t kept;  /* over all */
	uint32_t kept_by[CALLERS_PRIORITIES];
	double rate;    /* calls a ns in fair shares, of all but who asks for most */
	uint32_t soon;  /* of kept, so many need no slot that is free now: the app's */
	uint32_t limit; /* slots; what fair shares are of; 0: nothing is kept */
	uint32_t epoch; /* what was used in another one is forgotten */
	ns_t floor;
	ns_t mean;      /* how long a slot is held: the app's estimate; 0: unknown */
	double mean_of; /* calls, faded, that it is by: the app's, if tied */
	ns_t refreshed_at;
	/* Of one thread's of several; what it tells of all is then as it last saw them. */
	struct accounts *accounts; /* NULL: alone */
	uint32_t inside;           /* it has the lock, so many times */
	struct list_node tied;     /* the accounts': while it is */
	struct callers_told told;
};

void callers_init(struct callers *all, uint32_t limit);
void callers_fini(struct callers *all); /* CHECKs that nothing is held or waits */
/* Valid while it holds or waits, or until the next call of this or of callers_refresh. */
struct caller *callers_find(
	struct callers *all, uint64_t key, uint32_t priority, ns_t now);
/* Once in a while (some 100 ms): needs fade, shares follow the limit. */
void callers_refresh(struct callers *all, uint32_t limit, ns_t now);
/* All are equal again, if for so long nobody has waited anywhere. */
void callers_forget(struct callers *all, ns_t now);

/* So many calls are asked for: told before anything is decided about them. */
void caller_ask(struct callers *all, struct caller *c, uint32_t calls, ns_t now);
void caller_wait(struct callers *all, struct caller *c, uint32_t calls, ns_t now);
void caller_leave(struct callers *all, struct caller *c, uint32_t calls, ns_t now);
void caller_hold(struct callers *all, struct caller *c, ns_t now);
void caller_release(struct callers *all, struct caller *c, ns_t now);
ns_t caller_cost(struct callers *all, const struct caller *c, ns_t now);
/* It asks for no more than its fair share; alone, than the limit. */
bool caller_is_modest(struct callers *all, struct caller *c, ns_t now);
/* Whose calls go first on whatever thread, coarsely, for calls of one age are in order by their
 * age: 0, one that is modest, or alone; then 1, whose slot-time is furthest behind, up to
 * CALLERS_TURNS - 1. */
#define CALLERS_TURNS 5
uint32_t caller_turn(struct callers *all, struct caller *c, ns_t now);
/* Its turn is the last, it has its fair share, nobody of a lower priority has a need, and its next call
 * comes within a CALLERS_POUR'th of the time for which one holds a slot: a slot that comes free with
 * none of its calls waiting is as good as taken, and by nobody who should come after it. */
bool caller_pours(struct callers *all, struct caller *c, ns_t now);
/* Callers of several priorities have a need, so one that floods may have to wait. */
bool callers_differ(const struct callers *own);
/* It is not, and so many slots are kept from it, for others. */
uint32_t caller_kept_from(struct callers *all, struct caller *c, ns_t now);
/* Of `room` slots, those it may take. */
static inline uint32_t caller_room(
	struct callers *all, struct caller *c, uint32_t room, ns_t now)
{
	uint32_t kept = caller_kept_from(all, c, now);
	return room > kept ? room - kept : 0;
}
/* Of those that wait, all of one priority, whose turn it is; NULL: nobody's, or what is there is
 * kept from all of them. */
struct caller *callers_cheapest(
	struct callers *all, const struct list *active, uint32_t room, ns_t now);
/* How many calls of those that wait, by priority (of tied ones: anywhere), come before one more of
 * `c`. */
uint64_t callers_ahead(struct callers *all, const struct list *active, struct caller *c,
	uint32_t room, ns_t now);

#endif

#include "flow/accounts.h"

#include <math.h>

#define SHARED_KEY UINT64_MAX /* of all callers past CALLERS_MAX */
#define LEAST_NEED 0.5
#define LEAST_AGE (100 * NS_MS)    /* one call makes no rate */
#define REFRESH_LEAST (50 * NS_MS) /* between two, of several threads */

#define CALLER(n) CONTAINER_OF(n, struct caller, node)
#define CALLER_ACTIVE(n) CONTAINER_OF(n, struct caller, active)

/* --- what is kept --- */

static void keep(struct callers *all, struct caller *c, uint32_t kept)
{
	all->kept += kept - c->kept;
	all->kept_by[c->priority] += kept - c->kept;
	c->kept = kept;
}

static void set_kept(struct callers *all, struct caller *c)
{
	uint32_t need = (uint32_t)ceil(c->need);
	uint32_t claim = need < all->share ? need : all->share;
	keep(all, c, claim > c->held ? claim - c->held : 0);
}

/* The number of those who claim, or the limit, may be another. */
static void set_share(struct callers *all)
{
	uint32_t share = all->claiming > 1 ? all->limit / all->claiming : 0;
	if (share == all->share)
		return;
	all->share = share;
	for (uint32_t b = 0; b < CALLERS_BUCKETS; b++)
		LIST_EACH (&all->buckets[b], n, after)
			set_kept(all, CALLER(n));
}

static bool has_claim(const struct caller *c)
{
	return c->need > LEAST_NEED;
}

static void set_need(struct callers *all, struct caller *c, double need)
{
	uint32_t had = has_claim(c);
	c->need = need;
	all->claiming += has_claim(c) - had;
	all->claiming_by[c->priority] += has_claim(c) - had;
}

static void claim(struct callers *all, struct caller *c, double need)
{
	set_need(all, c, fmax(c->need, need));
	set_share(all);
	set_kept(all, c);
}

/* --- over all threads --- */

static bool nobody_waits(const struct accounts *a)
{
	for (uint32_t p = 0; p < CALLERS_PRIORITIES; p++)
		if (a->active[p].len)
			return false;
	return true;
}

/* The account waits for more, or less. */
static void note_waiting(struct accounts *a, struct caller *c, ns_t now)
{
	struct list *active = &a->active[c->priority];
	if (c->waiting && !list_on(&c->active)) {
		list_push_back(active, &c->active);
	} else if (!c->waiting && list_on(&c->active)) {
		list_remove(active, &c->active);
		if (nobody_waits(a))
			a->empty_since = now;
	}
}

static void count_waiting(
	struct callers *own, struct caller *front, struct caller *c, int64_t by, ns_t now)
{
	c->waiting += (uint32_t)by;
	if (c == front)
		return;
	front->waiting += (uint32_t)by;
	note_waiting(own->accounts, c, now);
}

/* --- slot-time --- */

static bool is_idle(const struct caller *c)
{
	return c->waiting == 0 && c->held == 0;
}

static bool is_behind(const struct callers *all, const struct caller *c)
{
	return c->epoch != all->epoch || (is_idle(c) && c->used < all->floor);
}

/* Slot-time is brought up to date; what does not count any more is dropped. */
static void touch(const struct callers *all, struct caller *c, ns_t now)
{
	c->used += (ns_t)c->held * (now - c->at);
	c->at = now;
	if (is_behind(all, c))
		c->used = all->floor;
	c->epoch = all->epoch;
}

static ns_t cost(const struct callers *all, const struct caller *c, ns_t now)
{
	ns_t used = is_behind(all, c) ? all->floor : c->used;
	return used + (ns_t)c->held * (now - c->at + all->mean);
}

ns_t caller_cost(struct callers *own, const struct caller *c, ns_t now)
{
	const struct callers *all = callers_enter(own);
	ns_t is = cost(all, c->account ? c->account : c, now);
	callers_leave(own);
	return is;
}

void caller_wait(struct callers *own, struct caller *front, uint32_t calls, ns_t now)
{
	struct callers *all = callers_enter(own);
	struct caller *c = caller_account(front);
	touch(all, c, now);
	count_waiting(own, front, c, calls, now);
	claim(all, c, (double)c->held + (double)c->waiting);
	callers_leave(own);
}

void caller_leave(struct callers *own, struct caller *front, uint32_t calls, ns_t now)
{
	struct callers *all = callers_enter(own);
	struct caller *c = caller_account(front);
	CHECK(front->waiting >= calls);
	touch(all, c, now);
	count_waiting(own, front, c, -(int64_t)calls, now);
	callers_leave(own);
}

void caller_hold(struct callers *own, struct caller *front, ns_t now)
{
	struct callers *all = callers_enter(own);
	struct caller *c = caller_account(front);
	front->held += c != front;
	touch(all, c, now);
	all->floor = ns_max(all->floor, cost(all, c, now));
	c->held++;
	claim(all, c, (double)c->held + (double)c->waiting);
	callers_leave(own);
}

void caller_release(struct callers *own, struct caller *front, ns_t now)
{
	struct callers *all = callers_enter(own);
	struct caller *c = caller_account(front);
	CHECK(front->held > 0);
	front->held -= c != front;
	touch(all, c, now);
	c->held--;
	set_kept(all, c);
	callers_leave(own);
}

/* --- demand --- */

static double faded_asked(const struct caller *c, ns_t now)
{
	return c->asked * exp2(-(double)(now - c->asked_at) / (double)CALLERS_FADE_FOR);
}

/* What it will need is not known yet, and a flood leaves no time to learn it. */
static void presume(struct callers *all, struct caller *c)
{
	uint32_t others = all->claiming - has_claim(c);
	c->presumed = true;
	claim(all, c, (double)(all->limit / (others + 1)));
}

void caller_ask(struct callers *own, struct caller *front, uint32_t calls, ns_t now)
{
	struct callers *all = callers_enter(own);
	struct caller *c = caller_account(front);
	c->asked = faded_asked(c, now) + calls;
	c->asked_at = now;
	c->every = -1;
	if (!c->asked_first)
		c->asked_first = now;
	if (!c->presumed && all->limit > 0 && c->asked >= CALLERS_COMES_AGAIN)
		presume(all, c);
	callers_leave(own);
}

/* Between two of its calls; of one that has not been here for long, by the time that it has. Asked
 * several times a turn, reckoned once. */
static double every(struct caller *c, ns_t now)
{
	if (c->every >= 0 && c->every_at == now)
		return c->every;
	double age = (double)ns_max(now - c->asked_first, LEAST_AGE);
	double seen = 1 - exp2(-age / (double)CALLERS_FADE_FOR);
	c->every = (double)CALLERS_FADE_FOR * seen / M_LN2 / faded_asked(c, now);
	c->every_at = now;
	return c->every;
}

static bool is_modest(const struct callers *all, struct caller *c, ns_t now)
{
	uint32_t share = all->claiming > 1 ? all->share : all->limit;
	return (double)all->mean / every(c, now) <= share;
}

bool caller_is_modest(struct callers *own, struct caller *c, ns_t now)
{
	const struct callers *all = callers_enter(own);
	bool modest = is_modest(all, caller_account(c), now);
	callers_leave(own);
	return modest;
}

bool callers_differ(const struct callers *own)
{
	uint32_t priorities = 0;
	for (uint32_t p = 0; p < CALLERS_PRIORITIES; p++)
		priorities += own->claiming_by[p] > 0;
	return priorities > 1;
}

/* Steps of what a fair share is in the time of a call. */
static uint32_t turn(const struct callers *all, struct caller *c, ns_t now)
{
	const ns_t step = (ns_t)all->share * all->mean;
	if (!step || is_modest(all, c, now))
		return 0;
	ns_t behind = ns_max(all->floor - cost(all, c, now), 0) / step;
	return CALLERS_TURNS - 1 - (uint32_t)ns_min(behind, CALLERS_TURNS - 2);
}

/* Else the slot that comes free is taken by one that waits, but should come after it. */
static bool is_lowest(const struct callers *all, const struct caller *c)
{
	uint32_t lower = 0;
	for (uint32_t p = c->priority + 1; p < CALLERS_PRIORITIES; p++)
		lower += all->claiming_by[p];
	return lower == 0;
}

bool caller_pours(struct callers *own, struct caller *front, ns_t now)
{
	const struct callers *all = callers_enter(own);
	struct caller *c = caller_account(front);
	/* With less than its share it waits, so that it comes to it; and what it will ask for is
	 * not known before it has asked for as long as a slot is held. */
	bool pours = all->share > 0 && c->held >= all->share && is_lowest(all, c) &&
		     now - c->asked_first >= all->mean &&
		     turn(all, c, now) == CALLERS_TURNS - 1 &&
		     (double)all->mean >= CALLERS_POUR * every(c, now);
	callers_leave(own);
	return pours;
}

uint32_t caller_turn(struct callers *own, struct caller *c, ns_t now)
{
	const struct callers *all = callers_enter(own);
	uint32_t is = turn(all, caller_account(c), now);
	callers_leave(own);
	return is;
}

static uint32_t kept_from(const struct callers *all, struct caller *c, ns_t now)
{
	uint32_t others = 0;
	for (uint32_t p = 0; p <= c->priority; p++)
		others += all->kept_by[p];
	others -= c->kept;
	others = others > all->soon ? others - all->soon : 0;
	return others > 0 && !is_modest(all, c, now) ? others : 0;
}

uint32_t caller_kept_from(struct callers *own, struct caller *c, ns_t now)
{
	const struct callers *all = callers_enter(own);
	uint32_t kept = kept_from(all, caller_account(c), now);
	callers_leave(own);
	return kept;
}

static bool is_held_back(
	const struct callers *all, struct caller *c, uint32_t room, ns_t now)
{
	if (LIKELY(all->kept == 0))
		return false;
	uint32_t kept = kept_from(all, c, now);
	return kept > 0 && room <= kept;
}

/* --- whose turn --- */

struct caller *callers_cheapest(
	struct callers *own, const struct list *active, uint32_t room, ns_t now)
{
	struct caller *best = NULL;
	ns_t least = 0;
	if (active->len == 0)
		return NULL;
	/* Whatever it costs; of several threads by what was kept when this one last looked, which
	 * is no longer ago than the last call that came, was let go or ended here. */
	if (active->len == 1 && own->kept == 0)
		return CALLER_ACTIVE(list_front(active));
	const struct callers *all = callers_enter(own);
	LIST_EACH (active, n, after) {
		struct caller *front = CALLER_ACTIVE(n), *c = caller_account(front);
		ns_t is = cost(all, c, now);
		if ((best && is >= least) || is_held_back(all, c, room, now))
			continue;
		best = front;
		least = is;
	}
	callers_leave(own);
	return best;
}

/* How many of o's calls come before one that starts at that cost. */
static uint64_t ahead_of(
	const struct callers *all, const struct caller *o, ns_t start, ns_t now)
{
	ns_t before = start - cost(all, o, now);
	if (before < 0)
		return 0;
	if (o->waiting == 1 || all->mean == 0)
		return o->waiting;
	uint64_t turns = (uint64_t)(before / all->mean) + 1;
	return turns < o->waiting ? turns : o->waiting;
}

uint64_t callers_ahead(struct callers *own, const struct list *active,
	struct caller *front, uint32_t room, ns_t now)
{
	const struct callers *all = callers_enter(own);
	const struct caller *c = caller_account(front);
	uint64_t ahead = c->waiting;
	ns_t start = cost(all, c, now) + (ns_t)c->waiting * all->mean;
	if (own->accounts)
		active = own->accounts->active;
	for (uint32_t p = 0; p <= c->priority; p++) {
		LIST_EACH (&active[p], n, after) {
			struct caller *o = CALLER_ACTIVE(n);
			if (o != c && !is_held_back(all, o, room, now))
				ahead += p < c->priority ? o->waiting
							 : ahead_of(all, o, start, now);
		}
	}
	callers_leave(own);
	return ahead;
}

/* --- life --- */

static void free_caller(struct callers *all, struct list *bucket, struct caller *c)
{
	keep(all, c, 0);
	set_need(all, c, 0);
	if (c->account)
		c->account->fronts--;
	list_remove(bucket, &c->node);
	all->count--;
	mem_free(c);
}

static bool is_over(const struct callers *all, const struct caller *c)
{
	return is_idle(c) && !c->fronts && !has_claim(c) &&
	       (c->used <= all->floor || c->epoch != all->epoch);
}

static void fade(struct callers *all, struct caller *c, double by)
{
	set_need(all, c, fmax(c->need * by, (double)c->held + (double)c->waiting));
	set_kept(all, c);
}

/* Calls a ns that it asks for, at most those of its fair share. */
static double fair_rate(const struct callers *all, struct caller *c, ns_t now)
{
	double rate = has_claim(c) ? 1 / every(c, now) : 0;
	return all->mean > 0 ? fmin(rate, (double)all->share / (double)all->mean) : rate;
}

static void refresh(struct callers *all, ns_t now)
{
	double by = exp2(-(double)(now - all->refreshed_at) / (double)CALLERS_FADE_FOR);
	all->refreshed_at = now;
	double rate = 0, most = 0;
	for (uint32_t b = 0; b < CALLERS_BUCKETS; b++) {
		LIST_EACH (&all->buckets[b], n, after) {
			fade(all, CALLER(n), by);
			double own = fair_rate(all, CALLER(n), now);
			rate += own;
			most = fmax(most, own);
			if (is_over(all, CALLER(n)))
				free_caller(all, &all->buckets[b], CALLER(n));
		}
	}
	all->rate = rate - most;
}

/* Fronts of which nothing is left here. */
static void drop_fronts(struct callers *own)
{
	for (uint32_t b = 0; b < CALLERS_BUCKETS; b++)
		LIST_EACH (&own->buckets[b], n, after)
			if (is_idle(CALLER(n)) && !has_claim(CALLER(n)->account))
				free_caller(own, &own->buckets[b], CALLER(n));
}

void callers_refresh(struct callers *own, uint32_t limit, ns_t now)
{
	struct callers *all = callers_enter(own);
	all->limit = limit;
	if (own->accounts)
		drop_fronts(own);
	/* Of several threads one does it for all. */
	if (!own->accounts || now - all->refreshed_at >= REFRESH_LEAST)
		refresh(all, now);
	set_share(all);
	callers_leave(own);
}

static struct caller *bucket_find(
	const struct list *bucket, uint64_t key, uint32_t priority)
{
	LIST_EACH (bucket, n, after) {
		struct caller *c = CALLER(n);
		if (c->key == key && c->priority == priority)
			return c;
	}
	return NULL;
}

static struct caller *find_or_make(
	struct callers *all, uint64_t key, uint32_t priority, ns_t now)
{
	struct list *bucket = &all->buckets[key % CALLERS_BUCKETS];
	struct caller *c = bucket_find(bucket, key, priority);
	if (!c && all->count >= all->max) {
		key = SHARED_KEY;
		bucket = &all->buckets[key % CALLERS_BUCKETS];
		c = bucket_find(bucket, key, priority);
	}
	if (c)
		return c;
	c = mem_zalloc(sizeof(*c));
	c->key = key;
	c->priority = priority;
	c->epoch = all->epoch;
	c->used = all->floor;
	c->at = now;
	c->every = -1;
	list_init(&c->tickets);
	list_push_back(bucket, &c->node);
	all->count++;
	return c;
}

static void open_account(struct callers *own, struct caller *c, ns_t now)
{
	c->account = find_or_make(callers_enter(own), c->key, c->priority, now);
	c->account->fronts++;
	callers_leave(own);
}

struct caller *callers_find(
	struct callers *own, uint64_t key, uint32_t priority, ns_t now)
{
	CHECK(priority < CALLERS_PRIORITIES);
	struct caller *c = bucket_find(
		&own->buckets[key % CALLERS_BUCKETS], key, priority);
	if (LIKELY(c))
		return c;
	c = find_or_make(own, key, priority, now);
	if (own->accounts && !c->account)
		open_account(own, c, now);
	return c;
}

void callers_forget(struct callers *own, ns_t now)
{
	struct callers *all = callers_enter(own);
	const struct accounts *a = own->accounts;
	if (!a || (nobody_waits(a) && now - a->empty_since >= CALLERS_FORGET_FOR))
		all->epoch++;
	callers_leave(own);
}

void callers_init(struct callers *all, uint32_t limit)
{
	*all = (struct callers){ .limit = limit, .max = CALLERS_MAX };
	for (uint32_t b = 0; b < CALLERS_BUCKETS; b++)
		list_init(&all->buckets[b]);
}

void callers_fini(struct callers *own)
{
	own->soon = 0;
	(void)callers_enter(own);
	for (uint32_t b = 0; b < CALLERS_BUCKETS; b++) {
		LIST_EACH (&own->buckets[b], n, after) {
			CHECK(is_idle(CALLER(n)) && !CALLER(n)->fronts);
			free_caller(own, &own->buckets[b], CALLER(n));
		}
	}
	if (own->accounts)
		accounts_untie(own);
	callers_leave(own);
}

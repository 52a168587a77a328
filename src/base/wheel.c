/*
 * Levels are chosen by the highest digit (of 6 bits) in which a timer's tick differs from
 * the wheel's. So a timer on level n agrees with the wheel in all digits above n and is
 * greater in digit n: every timer of a level is earlier than every one of the next, slots
 * never wrap, and the earliest timer is in the first used slot of the first used level.
 * Eleven digits hold any tick, so no timer is too far.
 *
 * Each slot keeps the earliest `at` set in it, so that a turn with nothing due costs three
 * loads, and a timer far away causes no wake-up but its own. Stopping a timer leaves that
 * bound too early; the run it causes repairs it.
 */
#include "base/wheel.h"

#define DIGIT_BITS 6
#define SLOTS 64
#define LEVELS 11
#define LEVEL_DUE LEVELS /* timer.level of a timer on the due list of a run */

struct slot {
	struct list timers;
	ns_t earliest; /* no timer in it is earlier; NS_NEVER when empty */
};

struct wheel {
	uint64_t tick; /* where the wheel stands: nothing is filed before it */
	uint32_t order;
	uint32_t shift; /* a tick is 2^shift ns: the grain, rounded down */
	uint32_t count;
	bool running;
	uint32_t levels_used; /* a bit for each level with a used slot */
	uint64_t slots_used[LEVELS];
	struct list due; /* of the run in progress, in firing order */
	struct slot slots[LEVELS][SLOTS];
};

static struct timer *timer_of(struct list_node *n)
{
	return CONTAINER_OF(n, struct timer, node);
}

/* The list is not empty. */
static struct timer *pop_first(struct list *l)
{
	struct list_node *n = l->head.next;
	list_remove(l, n);
	return timer_of(n);
}

static uint64_t tick_of(const struct wheel *w, ns_t at)
{
	return at <= 0 ? 0 : (uint64_t)at >> w->shift;
}

static unsigned digit_of(uint64_t tick, unsigned level)
{
	return (unsigned)(tick >> (level * DIGIT_BITS)) & (SLOTS - 1);
}

static unsigned top_level(uint64_t difference)
{
	return difference ? (63u - (unsigned)__builtin_clzll(difference)) / DIGIT_BITS
			  : 0;
}

struct wheel *wheel_new(ns_t now, ns_t grain)
{
	CHECK(now >= 0 && grain >= 1);
	struct wheel *w = mem_zalloc(sizeof(*w));
	w->shift = 63u - (uint32_t)__builtin_clzll((uint64_t)grain);
	w->tick = tick_of(w, now);
	list_init(&w->due);
	for (size_t level = 0; level < LEVELS; level++) {
		for (size_t i = 0; i < SLOTS; i++) {
			list_init(&w->slots[level][i].timers);
			w->slots[level][i].earliest = NS_NEVER;
		}
	}
	return w;
}

void wheel_free(struct wheel **w)
{
	if (!*w)
		return;
	CHECK((*w)->count == 0 && !(*w)->running);
	mem_free(*w);
	*w = NULL;
}

static void mark_used(struct wheel *w, unsigned level, unsigned slot)
{
	w->slots_used[level] |= (uint64_t)1 << slot;
	w->levels_used |= 1u << level;
}

static void mark_empty(struct wheel *w, unsigned level, unsigned slot)
{
	w->slots[level][slot].earliest = NS_NEVER;
	w->slots_used[level] &= ~((uint64_t)1 << slot);
	if (!w->slots_used[level])
		w->levels_used &= ~(1u << level);
}

static void file_timer(struct wheel *w, struct timer *t)
{
	uint64_t tick = tick_of(w, t->at);
	if (tick < w->tick)
		tick = w->tick; /* already due: fires in the next run */
	unsigned level = top_level(tick ^ w->tick);
	unsigned slot = digit_of(tick, level);
	struct slot *s = &w->slots[level][slot];

	t->level = (uint16_t)level;
	t->slot = (uint16_t)slot;
	list_push_back(&s->timers, &t->node);
	s->earliest = ns_min(s->earliest, t->at);
	mark_used(w, level, slot);
}

void wheel_stop(struct wheel *w, struct timer *t)
{
	if (!timer_is_set(t))
		return;
	w->count--;
	if (t->level == LEVEL_DUE) {
		list_remove(&w->due, &t->node);
		return;
	}
	struct slot *s = &w->slots[t->level][t->slot];
	list_remove(&s->timers, &t->node);
	if (!s->timers.len)
		mark_empty(w, t->level, t->slot);
}

void wheel_set(struct wheel *w, struct timer *t, ns_t at)
{
	CHECK(t->on_fire);
	wheel_stop(w, t);
	if (at == NS_NEVER)
		return;
	t->at = at;
	t->order = w->order++;
	w->count++;
	file_timer(w, t);
}

ns_t wheel_next(const struct wheel *w)
{
	/* Asked from a callback, some of the run may still be due. */
	ns_t due = w->due.len ? timer_of(w->due.head.next)->at : NS_NEVER;
	if (!w->levels_used)
		return due;
	unsigned level = (unsigned)__builtin_ctz(w->levels_used);
	unsigned slot = (unsigned)__builtin_ctzll(w->slots_used[level]);
	return ns_min(due, w->slots[level][slot].earliest);
}

uint32_t wheel_count(const struct wheel *w)
{
	return w->count;
}

/* Timers of one slot go to the due list, or where they belong now that the tick moved. */
static void sift_slot(struct wheel *w, unsigned level, unsigned slot, ns_t now)
{
	struct slot *s = &w->slots[level][slot];
	uint32_t len = s->timers.len;

	s->earliest = NS_NEVER;
	while (len-- > 0) {
		struct timer *t = pop_first(&s->timers);
		if (t->at > now) {
			file_timer(w, t);
			continue;
		}
		t->level = LEVEL_DUE;
		list_push_back(&w->due, &t->node);
	}
	if (!s->timers.len)
		mark_empty(w, level, slot);
}

/*
 * Moves the wheel to `now` and what is due to the due list. Levels below the highest digit
 * that changed lie behind us whole; on that level the slots below the new digit do, and the
 * slot at it lies partly ahead. Cost: used slots and their timers, however far the jump.
 */
static void advance(struct wheel *w, ns_t now)
{
	uint64_t tick = tick_of(w, now);
	if (tick < w->tick)
		tick = w->tick;
	unsigned top = top_level(tick ^ w->tick);
	unsigned digit = digit_of(tick, top);

	w->tick = tick; /* before sifting: timers are filed by it */
	for (unsigned level = 0; level <= top; level++) {
		uint64_t passed = level < top ? UINT64_MAX : ((uint64_t)2 << digit) - 1;
		uint64_t used = w->slots_used[level] & passed;
		for (; used; used &= used - 1)
			sift_slot(w, level, (unsigned)__builtin_ctzll(used), now);
	}
}

static bool is_before(struct list_node *a, struct list_node *b)
{
	const struct timer *x = timer_of(a), *y = timer_of(b);
	if (x->at != y->at)
		return x->at < y->at;
	/* Which was set first, also where the count has wrapped between the two. */
	return (int32_t)(x->order - y->order) < 0;
}

static bool is_sorted(const struct list *l)
{
	for (struct list_node *n = l->head.next; n->next != &l->head; n = n->next)
		if (is_before(n->next, n))
			return false;
	return true;
}

/* Merges chains that end in NULL. */
static struct list_node *merge(struct list_node *a, struct list_node *b)
{
	struct list_node *first = NULL, **tail = &first;
	while (a && b) {
		struct list_node **least = is_before(b, a) ? &b : &a;
		*tail = *least;
		tail = &(*tail)->next;
		*least = *tail;
	}
	*tail = a ? a : b;
	return first;
}

/* Merge sort from below: runs[i] is empty or a sorted chain of 2^i nodes. */
static void sort_list(struct list *l)
{
	struct list_node *runs[32] = { NULL }, *chain = NULL;

	if (l->len < 2 || is_sorted(l))
		return;
	LIST_EACH (l, n, after) {
		size_t i = 0;
		n->next = NULL;
		for (chain = n; runs[i]; i++) {
			chain = merge(runs[i], chain);
			runs[i] = NULL;
		}
		runs[i] = chain;
	}
	chain = NULL;
	for (size_t i = 0; i < ARRAY_LEN(runs); i++)
		chain = merge(runs[i], chain);
	struct list_node *prev = &l->head;
	for (struct list_node *n = chain; n; n = n->next) {
		prev->next = n;
		n->prev = prev;
		prev = n;
	}
	prev->next = &l->head;
	l->head.prev = prev;
}

void wheel_run(struct wheel *w, ns_t now)
{
	if (LIKELY(now < wheel_next(w)))
		return;
	CHECK(!w->running);
	w->running = true;
	advance(w, now);
	sort_list(&w->due);
	while (w->due.len) {
		struct timer *t = pop_first(&w->due);
		w->count--;
		t->on_fire(t);
	}
	w->running = false;
}

#include "flow/share.h"

#define LINE_BYTES 64

/* Written by its own thread (`post` by the others too), read by all. */
struct seat {
	_Atomic(struct share_bell *) bell;
	_Atomic ns_t front;
	_Atomic uint32_t idle;
	_Atomic bool held;
	_Atomic uint64_t post; /* wanted, and above POST_SENT on their way */
	char apart[LINE_BYTES];
	_Atomic uint64_t answered; /* rarely read, and written all the time */
	char apart_2[LINE_BYTES];
};

#define POST_SENT ((uint64_t)1 << 32)

/* What one kind of event writes stands apart from what the others read. */
struct share {
	_Atomic uint32_t refs;
	uint32_t seats;
	char apart_1[LINE_BYTES];
	struct quota slots;
	_Atomic uint32_t peak, zombies, settling, parked;
	char apart_2[LINE_BYTES];
	_Atomic uint64_t waiting, waiting_peak;
	char apart_3[LINE_BYTES];
	struct quota sockets;
	struct last_word last_word;
	char apart_4[LINE_BYTES];
	struct seat seat[];
};

struct share *share_new(uint32_t seats)
{
	CHECK(seats > 0);
	struct share *s = mem_zalloc(sizeof(*s) + seats * sizeof(s->seat[0]));
	s->seats = seats;
	atomic_init(&s->refs, 1);
	quota_init(&s->slots, QUOTA_NO_BOUND);
	quota_init(&s->sockets, QUOTA_NO_BOUND);
	for (uint32_t i = 0; i < seats; i++)
		atomic_init(&s->seat[i].front, NS_NEVER);
	return s;
}

void share_ref(struct share *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
}

void share_unref(struct share **handle)
{
	struct share *s = *handle;
	*handle = NULL;
	if (!s || atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	for (uint32_t i = 0; i < s->seats; i++) {
		struct share_bell *bell = share_bell_of(s, i);
		if (bell)
			bell->end(bell);
	}
	mem_free(s);
}

uint32_t share_seats(const struct share *s)
{
	return s->seats;
}

void share_set_limit(struct share *s, uint32_t limit)
{
	quota_set_max(&s->slots, limit);
}

uint32_t share_limit(const struct share *s)
{
	return atomic_load_explicit(&s->slots.max, memory_order_relaxed);
}

static void note_peak(struct share *s)
{
	uint32_t used = quota_used(&s->slots);
	uint32_t peak = atomic_load_explicit(&s->peak, memory_order_relaxed);
	while (used > peak && !atomic_compare_exchange_weak(&s->peak, &peak, used))
		;
}

bool share_take(struct share *s, uint32_t n)
{
	if (!quota_take(&s->slots, n))
		return false;
	note_peak(s);
	return true;
}

void share_give(struct share *s, uint32_t n)
{
	quota_give(&s->slots, n);
}

uint32_t share_room(const struct share *s)
{
	return quota_room(&s->slots);
}

uint32_t share_used(const struct share *s)
{
	return quota_used(&s->slots);
}

uint32_t share_peak(const struct share *s)
{
	return atomic_load_explicit(&s->peak, memory_order_relaxed);
}

void share_add_zombies(struct share *s, int by)
{
	atomic_fetch_add_explicit(&s->zombies, (uint32_t)by, memory_order_relaxed);
}

uint32_t share_zombies(const struct share *s)
{
	return atomic_load_explicit(&s->zombies, memory_order_relaxed);
}

void share_add_settling(struct share *s, int by)
{
	atomic_fetch_add_explicit(&s->settling, (uint32_t)by, memory_order_relaxed);
}

uint32_t share_settling(const struct share *s)
{
	return atomic_load_explicit(&s->settling, memory_order_relaxed);
}

void share_add_parked(struct share *s, int by)
{
	atomic_fetch_add(&s->parked, (uint32_t)by); /* who waits goes by it: rule 5 */
}

uint32_t share_parked(const struct share *s)
{
	return atomic_load(&s->parked);
}

static void note_waiting_peak(struct share *s, uint64_t waiting)
{
	uint64_t peak = atomic_load_explicit(&s->waiting_peak, memory_order_relaxed);
	while (waiting > peak &&
		!atomic_compare_exchange_weak(&s->waiting_peak, &peak, waiting))
		;
}

bool share_wait(struct share *s, uint32_t calls, uint64_t max)
{
	uint64_t waiting = atomic_load_explicit(&s->waiting, memory_order_relaxed);
	do {
		if (calls > max || waiting > max - calls)
			return false;
	} while (!atomic_compare_exchange_weak(&s->waiting, &waiting, waiting + calls));
	note_waiting_peak(s, waiting + calls);
	return true;
}

void share_wait_anyway(struct share *s, uint32_t calls)
{
	atomic_fetch_add(&s->waiting, calls);
}

void share_wait_over(struct share *s, uint32_t calls)
{
	CHECK(atomic_fetch_sub(&s->waiting, calls) >= calls);
}

uint64_t share_waiting(const struct share *s)
{
	return atomic_load(&s->waiting);
}

uint64_t share_waiting_peak(const struct share *s)
{
	return atomic_load_explicit(&s->waiting_peak, memory_order_relaxed);
}

/* --- seats --- */

void share_sit(struct share *s, uint32_t seat, struct share_bell *bell)
{
	CHECK(seat < s->seats && !share_bell_of(s, seat));
	atomic_store(&s->seat[seat].bell, bell);
}

void share_leave(struct share *s, uint32_t seat)
{
	share_set_front(s, seat, NS_NEVER);
	share_set_idle(s, seat, 0);
	share_set_held(s, seat, false);
	(void)share_set_want(s, seat, 0);
}

struct share_bell *share_bell_of(const struct share *s, uint32_t seat)
{
	return atomic_load(&s->seat[seat].bell);
}

void share_ring(const struct share *s, uint32_t seat)
{
	struct share_bell *bell = share_bell_of(s, seat);
	if (bell)
		bell->ring(bell);
}

/* Rule 5: a store that the loads behind it do not overtake, and only when there is news. */
void share_set_front(struct share *s, uint32_t seat, ns_t since)
{
	_Atomic ns_t *front = &s->seat[seat].front;
	if (atomic_load_explicit(front, memory_order_relaxed) != since)
		atomic_store(front, since);
}

void share_set_idle(struct share *s, uint32_t seat, uint32_t n)
{
	_Atomic uint32_t *idle = &s->seat[seat].idle;
	if (atomic_load_explicit(idle, memory_order_relaxed) != n)
		atomic_store(idle, n);
}

void share_set_held(struct share *s, uint32_t seat, bool held)
{
	_Atomic bool *is = &s->seat[seat].held;
	if (atomic_load_explicit(is, memory_order_relaxed) != held)
		atomic_store(is, held);
}

bool share_is_held(const struct share *s, uint32_t seat)
{
	return atomic_load(&s->seat[seat].held);
}

uint32_t share_idle(const struct share *s, uint32_t seat)
{
	return atomic_load(&s->seat[seat].idle);
}

uint32_t share_set_want(struct share *s, uint32_t seat, uint32_t want)
{
	_Atomic uint64_t *post = &s->seat[seat].post;
	uint64_t was = atomic_load_explicit(post, memory_order_relaxed), sent, next;
	do {
		sent = was / POST_SENT;
		next = sent * POST_SENT + (want > sent ? want - sent : 0);
		if (next == was)
			break;
	} while (!atomic_compare_exchange_weak(post, &was, next));
	return (uint32_t)next;
}

void share_set_answered(struct share *s, uint32_t seat, uint64_t answered)
{
	atomic_store_explicit(&s->seat[seat].answered, answered, memory_order_relaxed);
}

uint64_t share_answered(const struct share *s)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < s->seats; i++)
		sum += atomic_load_explicit(&s->seat[i].answered, memory_order_relaxed);
	return sum;
}

uint32_t share_oldest(const struct share *s)
{
	uint32_t oldest = SHARE_NOBODY;
	ns_t since = NS_NEVER;
	for (uint32_t i = 0; i < s->seats; i++) {
		ns_t front = atomic_load(&s->seat[i].front);
		if (front < since) {
			since = front;
			oldest = i;
		}
	}
	return oldest;
}

bool share_may_go(const struct share *s, uint32_t seat, ns_t since)
{
	for (uint32_t i = 0; i < s->seats; i++)
		if (i != seat &&
			ns_add(atomic_load(&s->seat[i].front), SHARE_EVEN_FOR) < since)
			return false;
	return true;
}

bool share_has_something(const struct share *s)
{
	for (uint32_t i = 0; i < s->seats; i++)
		if (share_idle(s, i) > 0)
			return true;
	return share_room(s) > 0;
}

bool share_wants(const struct share *s, uint32_t seat)
{
	return (uint32_t)atomic_load(&s->seat[seat].post) > 0;
}

bool share_send(struct share *s, uint32_t seat)
{
	_Atomic uint64_t *post = &s->seat[seat].post;
	uint64_t was = atomic_load(post);
	do {
		if ((uint32_t)was == 0)
			return false;
	} while (!atomic_compare_exchange_weak(post, &was, was - 1 + POST_SENT));
	return true;
}

void share_arrived(struct share *s, uint32_t seat)
{
	CHECK(atomic_fetch_sub(&s->seat[seat].post, POST_SENT) >= POST_SENT);
}

bool share_is_quiet(const struct share *s, uint32_t seat)
{
	return atomic_load(&s->seat[seat].post) == 0;
}

struct last_word *share_last_word(struct share *s)
{
	return &s->last_word;
}

struct quota *share_sockets(struct share *s)
{
	return &s->sockets;
}

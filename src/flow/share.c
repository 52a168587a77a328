#include "flow/share.h"

#define LINE_BYTES 64

/* What one kind of event writes stands apart from what the others read. */
struct share {
	_Atomic uint32_t refs;
	uint32_t seats;
	char apart_1[LINE_BYTES];
	struct quota slots;
	_Atomic uint32_t peak, zombies, settling;
	char apart_2[LINE_BYTES];
	_Atomic uint64_t waiting, waiting_peak;
	char apart_3[LINE_BYTES];
	struct quota sockets;
};

struct share *share_new(uint32_t seats)
{
	CHECK(seats > 0);
	struct share *s = mem_zalloc(sizeof(*s));
	s->seats = seats;
	atomic_init(&s->refs, 1);
	quota_init(&s->slots, QUOTA_NO_BOUND);
	quota_init(&s->sockets, QUOTA_NO_BOUND);
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
	if (s && atomic_fetch_sub(&s->refs, 1) == 1)
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
	return atomic_load_explicit(&s->waiting, memory_order_relaxed);
}

uint64_t share_waiting_peak(const struct share *s)
{
	return atomic_load_explicit(&s->waiting_peak, memory_order_relaxed);
}

struct quota *share_sockets(struct share *s)
{
	return &s->sockets;
}

#include "base/quota.h"

void quota_init(struct quota *q, uint32_t max)
{
	atomic_init(&q->used, 0);
	atomic_init(&q->max, max);
}

void quota_set_max(struct quota *q, uint32_t max)
{
	atomic_store(&q->max, max);
}

bool quota_take(struct quota *q, uint32_t n)
{
	uint32_t used = atomic_load_explicit(&q->used, memory_order_relaxed);
	do {
		uint32_t max = atomic_load_explicit(&q->max, memory_order_relaxed);
		if (used > max || max - used < n)
			return false;
	} while (!atomic_compare_exchange_weak(&q->used, &used, used + n));
	return true;
}

void quota_give(struct quota *q, uint32_t n)
{
	CHECK(atomic_fetch_sub(&q->used, n) >= n);
}

uint32_t quota_used(const struct quota *q)
{
	return atomic_load_explicit(&q->used, memory_order_relaxed);
}

uint32_t quota_room(const struct quota *q)
{
	uint32_t used = atomic_load(&q->used), max = atomic_load(&q->max);
	return used < max ? max - used : 0;
}

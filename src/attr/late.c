#include "attr/late.h"

void late_init(struct late *l, uint64_t counted)
{
	*l = (struct late){ .counted = counted };
}

void late_add(struct late *l, enum close_late_part part)
{
	switch (part) {
	case LATE_PART_OPEN:
		l->open++;
		break;
	case LATE_PART_EXPLAINED:
		l->explained++;
		break;
	case LATE_PART_NO:
		break;
	}
}

bool late_asks(const struct late *l)
{
	return l->open > 0;
}

bool late_is_ahead(const struct late *l, uint64_t counted)
{
	return l->spare + counted > l->counted + l->explained;
}

/* The oldest first. */
static uint64_t take(struct late *l, uint64_t n)
{
	uint64_t taken = n < l->spare ? n : l->spare;

	l->spare -= taken;
	l->stale -= taken < l->stale ? taken : l->stale;
	return taken;
}

static void settle(struct late *l, uint64_t counted)
{
	l->spare += counted > l->counted ? counted - l->counted : 0;
	l->counted = counted;
	(void)take(l, l->explained);
	l->explained = 0;
}

enum close_late late_judge(struct late *l, uint64_t counted)
{
	uint32_t open = l->open;
	uint64_t late;

	settle(l, counted);
	late = take(l, open);
	l->open = 0;
	if (late == 0)
		return LATE_NONE;
	return late == open ? LATE_ALL : LATE_SOME;
}

void late_skip(struct late *l)
{
	l->open = 0;
}

void late_forget(struct late *l, uint64_t counted)
{
	settle(l, counted);
	(void)take(l, l->stale);
	l->stale = l->spare;
}

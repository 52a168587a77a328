/*
 * Connections above a limit that is found out: a step up that shows nothing is taken back, and what
 * it opened is kept for the next one.
 *
 * MODEL   Where a server queues, steps up come every few seconds (flow/limit.h). Were the
 *         connections of each closed after it, that would be ten connects in 1,000 calls. They are
 *         PARKED instead: open and idle, and out of use, for they take none of the limit. When it
 *         rises, they are idle again, before any new one is opened.
 * RULES   1. With those in use they are no more than the server has taken in a step: limit_keeps.
 *         2. While one is parked, on whatever thread, no call opens a connection, but one that wants
 *            a fresh one: it takes the place of one on its thread.
 *         3. Each waits for PARKED_FOR at most: other clients of the server may want its slot.
 */
#include "http/upstream_internal.h"

/* Of the connections that are open over all threads, with so many more, those that are too many. What
 * other threads do meanwhile makes it a guess, which is right again at the next look. */
static uint32_t open_over(const struct upstream *u, uint32_t more)
{
	uint32_t going = u->share ? share_settling(u->share)
				  : u->slots.in[SLOT_SETTLING].len;
	uint32_t open = upstream_used(u) + slots_parked(&u->slots) + more;
	uint32_t may = u->told.keeps + going;
	return open > may ? open - may : 0;
}

static struct cconn *oldest_in(const struct upstream *u, enum cconn_state state)
{
	return CONTAINER_OF(list_back(&u->conns[state]), struct cconn, node);
}

void park_end(struct upstream *u, uint32_t n)
{
	for (; n > 0 && u->conns[CCONN_PARKED].len; n--)
		cconn_close_idle(oldest_in(u, CCONN_PARKED));
}

void park_make_room(struct upstream *u)
{
	if (open_over(u, 1) > 0)
		park_end(u, 1);
}

static void park(struct upstream *u, struct cconn *cc)
{
	slot_enter(&u->slots, cc->slot, SLOT_PARKED, 0);
	pool_enter(cc, CCONN_PARKED);
}

uint32_t park_surplus(struct upstream *u, uint32_t surplus)
{
	if (!u->told.keeps) /* the limit rises past its steps, or none may be kept */
		(void)park_take(u, UINT32_MAX);
	uint32_t over = open_over(u, 0), parked = u->conns[CCONN_PARKED].len;
	uint32_t gone = over < parked ? over : parked;
	park_end(u, gone);
	over -= gone;
	for (; surplus > over && u->conns[CCONN_IDLE].len; surplus--)
		park(u, oldest_in(u, CCONN_IDLE));
	return surplus;
}

uint32_t park_take(struct upstream *u, uint32_t n)
{
	uint32_t taken = 0;
	struct list_node *newest;
	while (taken < n && (newest = list_front(&u->conns[CCONN_PARKED])) &&
		slots_reserve(&u->slots, 1)) {
		struct cconn *cc = CONTAINER_OF(newest, struct cconn, node);
		slot_enter(&u->slots, cc->slot, SLOT_IDLE, 0);
		pool_enter(cc, CCONN_IDLE);
		taken++;
	}
	return taken;
}

bool park_is_elsewhere(const struct upstream *u)
{
	return slots_parked(&u->slots) > u->conns[CCONN_PARKED].len;
}

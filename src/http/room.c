/*
 * What an upstream may take: slots under the limit, and connections under the bounds of its
 * worker, its group and its threads together. Reserved all or none; a slot comes back as its
 * state ends.
 */
#include "http/upstream_internal.h"

/* --- slots --- */

struct slot *upstream_take_slot(struct upstream *u, enum slot_state state)
{
	struct slot *slot = slab_take(&u->worker->slots);
	CHECK(slot); /* unbounded slab: the limit, reserved from, is what bounds it */
	slots_take(&u->slots, slot, state);
	return slot;
}

void upstream_slot_give(struct upstream *u, struct slot *slot)
{
	admission_release(u, slot);
	slab_give(&u->worker->slots, slot);
}

static void slot_release(struct upstream *u, struct slot *slot)
{
	slot_enter(&u->slots, slot, SLOT_FREE, 0);
	upstream_slot_give(u, slot);
	upstream_poke(u);
}

void upstream_slot_settle(struct upstream *u, struct cconn *cc)
{
	struct slot *slot = cc->slot;
	if (!slot)
		return;
	if (slot->state == SLOT_PARKED) { /* it took none of the limit; its end does */
		if (cc->gone || !slots_reserve(&u->slots, 1)) {
			upstream_slot_unused(u, cc);
			return;
		}
		slot_enter(&u->slots, slot, SLOT_IDLE, 0);
	}
	ns_t now = worker_now(u->worker), until;
	if (slot->state != SLOT_IDLE && hangups_owes(u->hangups, now, &until)) {
		upstream_slot_ghost(u, cc, until);
		return;
	}
	/* The server's FIN comes before its slot is free; ours must first reach it. */
	ns_t rtt = conn_is_open(&cc->conn) ? io_rtt(&cc->conn.sock) : 0;
	ns_t settle = ns_max(2 * rtt, u->cfg.settle_for);
	cc->slot = NULL;
	slot_enter(&u->slots, slot, SLOT_SETTLING, ns_add(now, settle));
	upstream_poke(u);
}

void upstream_slot_ghost(struct upstream *u, struct cconn *cc, ns_t until)
{
	struct slot *slot = cc->slot;
	if (!slot)
		return;
	cc->slot = NULL;
	slot_enter(&u->slots, slot, SLOT_GHOST, until);
	upstream_poke(u);
}

void upstream_slot_unused(struct upstream *u, struct cconn *cc)
{
	if (!cc->slot)
		return;
	slot_release(u, cc->slot);
	cc->slot = NULL;
}

void upstream_slot_idle(struct upstream *u, struct cconn *cc)
{
	admission_release(u, cc->slot);
	slot_enter(&u->slots, cc->slot, SLOT_IDLE, 0);
}

void upstream_slot_call_over(struct upstream *u, struct cconn *cc)
{
	ns_t until;
	if (upstream_is_conn_unit(u) || !cc->slot)
		return;
	if (hangups_owes(u->hangups, worker_now(u->worker), &until))
		upstream_slot_ghost(u, cc, until);
	else
		upstream_slot_unused(u, cc);
}

/* --- connections --- */

static uint32_t min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t room_under(uint32_t max, uint32_t used)
{
	return max > used ? max - used : 0;
}

bool upstream_is_group_full(const struct upstream *u)
{
	const struct upstream_group *g = u->cfg.group;
	return g && g->conns >= g->conns_max;
}

void upstream_group_init(struct upstream_group *g, uint32_t conns_max)
{
	*g = (struct upstream_group){ .conns_max = conns_max };
	list_init(&g->waits);
}

void upstream_note_conn(struct upstream *u)
{
	if (u->cfg.group)
		u->cfg.group->conns++;
}

/* Its place may be what they wait for, in this upstream or in another of the group. */
void upstream_note_no_conn(struct upstream *u)
{
	struct upstream_group *g = u->cfg.group;
	struct list_node *n;
	if (upstream_has_waiters(u))
		upstream_poke(u);
	if (!g)
		return;
	g->conns--;
	/* All of them: the first may be unable to use it. Who still finds none waits again. */
	while ((n = list_pop_front(&g->waits)))
		upstream_poke(CONTAINER_OF(n, struct upstream, group_wait));
}

/* How many connections more there may be. */
static uint32_t upstream_fresh(const struct upstream *u)
{
	const struct upstream_group *group = u->cfg.group;
	uint32_t fresh = slab_room(&u->worker->cconns), own = 0;
	if (group)
		fresh = min_u32(fresh, room_under(group->conns_max, group->conns));
	if (u->share)
		return min_u32(fresh, quota_room(share_sockets(u->share)));
	if (!u->cfg.sockets_max)
		return fresh;
	for (int i = 0; i < CCONN_STATES; i++)
		own += u->conns[i].len;
	return min_u32(fresh, room_under(u->cfg.sockets_max, own));
}

static bool conns_reserve(struct upstream *u, uint32_t n)
{
	if (n == 0)
		return true;
	if (upstream_fresh(u) < n ||
		(u->share && !quota_take(share_sockets(u->share), n)))
		return false;
	if (slab_hold(&u->worker->cconns, n))
		return true;
	if (u->share)
		quota_give(share_sockets(u->share), n);
	return false;
}

static void conns_unreserve(struct upstream *u, uint32_t n)
{
	slab_unhold(&u->worker->cconns, n);
	if (u->share)
		quota_give(share_sockets(u->share), n);
}

bool upstream_reserve(struct upstream *u, uint32_t slots, uint32_t conns)
{
	if (!slots_reserve(&u->slots, slots))
		return false;
	if (conns_reserve(u, conns))
		return true;
	slots_unreserve(&u->slots, slots);
	return false;
}

bool upstream_reserve_any(struct upstream *u, uint32_t n)
{
	uint32_t conns = n - min_u32(n, u->conns[CCONN_IDLE].len);
	if (!upstream_is_conn_unit(u))
		return upstream_reserve(u, n, conns);
	conns -= park_take(u, conns);
	/* One that is parked elsewhere is waited for, where calls may wait. */
	bool comes = conns > 0 && slots_parked(&u->slots) > 0 && u->queue.max > 0;
	return !comes && upstream_reserve(u, conns, conns);
}

uint32_t upstream_room(const struct upstream *u, uint32_t idle_elsewhere)
{
	uint32_t room = slots_room(&u->slots);
	uint32_t idle = u->conns[CCONN_IDLE].len + idle_elsewhere;
	if (upstream_is_conn_unit(u))
		return min_u32(room, upstream_fresh(u) + u->conns[CCONN_PARKED].len) +
		       idle;
	return min_u32(room, upstream_fresh(u) + idle);
}

uint32_t upstream_missing(struct upstream *u)
{
	const struct ticket *t = upstream_next(u);
	uint32_t idle = u->conns[CCONN_IDLE].len, fresh = upstream_fresh(u);
	if (!t)
		return 0;
	if (park_is_elsewhere(u))
		fresh = 0;
	if (upstream_is_conn_unit(u))
		fresh = min_u32(
			fresh + u->conns[CCONN_PARKED].len, slots_room(&u->slots));
	return room_under(t->need, idle) > fresh ? t->need - idle - fresh : 0;
}

void upstream_unreserve_spare(struct upstream *u)
{
	conns_unreserve(u, 1);
	slots_unreserve(&u->slots, upstream_is_conn_unit(u));
	upstream_poke(u); /* another thread may have looked for it meanwhile */
}

bool upstream_reserve_spare(struct upstream *u)
{
	return !upstream_has_waiters(u) && slots_parked(&u->slots) == 0 &&
	       upstream_reserve(u, upstream_is_conn_unit(u), 1);
}

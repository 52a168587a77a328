/*
 * For how long a connection is kept: what the server said and was seen to do about idle ones,
 * what demand needs, and the bounds of the configuration.
 *
 * MODEL   A connection in the pool has one timer, for whichever comes first: the server would
 *         close it (reaped), nobody has needed it (yielded), or it is too old. A connection
 *         that comes back from a call is looked at for its age and its count of requests.
 *         Some are opened ahead of need, if asked for (flow/spare.h).
 */
#include "http/upstream_internal.h"

/* Hints come in whole seconds, cut off or rounded: a second at most is left to that, and of a
 * short one a quarter. */
static ns_t hint_before(ns_t hint)
{
	return hint == NS_NEVER ? hint : hint - ns_min(hint / 4, NS_S);
}

/* Long enough for the next step up at a knee that does not stand (flow/limit.h), also where answers
 * take seconds; as long as demand is waited for at least. */
#define PARKED_FOR (10 * NS_S)

static ns_t pool_now(const struct cconn *cc)
{
	return worker_now(cc->up->worker);
}

/* With a share it is split: each seat has its own connections. */
static uint32_t spares_of(const struct upstream *u)
{
	uint32_t seats = u->cfg.share ? share_seats(u->cfg.share) : 1;
	return u->cfg.preconnect / seats +
	       (u->cfg.share && u->cfg.seat < u->cfg.preconnect % seats);
}

void pool_init(struct upstream *u)
{
	demand_init(&u->demand, u->cfg.idle_for);
	u->spare.want = spares_of(u);
	u->hinted = NS_NEVER;
}

void pool_configure(struct upstream *u)
{
	demand_set_max(&u->demand, u->cfg.idle_for);
	u->spare.want = spares_of(u);
}

/* Connections that were opened together do not end together: from nine tenths of the age on,
 * spread evenly (the golden ratio's multiples fill the unit interval without clusters). */
static ns_t age_of(struct upstream *u)
{
	const double golden = 0.6180339887498949;
	double nth = (double)u->opened++ * golden;
	double spread = nth - (double)(uint64_t)nth;
	ns_t age = u->cfg.age_max;
	return age - (ns_t)((double)(age / 10) * spread);
}

void pool_opened(struct cconn *cc)
{
	struct upstream *u = cc->up;
	ns_t now = pool_now(cc);
	cc->life = (struct cconn_life){ .hint = NS_NEVER, .until = NS_NEVER };
	cc->life.serve_max = u->cfg.requests_max ? u->cfg.requests_max : UINT32_MAX;
	if (u->cfg.age_max && u->cfg.age_max != NS_NEVER)
		cc->life.until = ns_add(now, age_of(u));
	if (cc->call)
		demand_note_connect(&u->demand, now);
}

/* RFC 2068 19.7.1.1: timeout is how long it stays open when idle, max how many requests more
 * it may serve. */
static void read_hint(struct cconn *cc, const struct h1_head *head)
{
	const struct h1_field *f = h1_field_find(head, H1_FIELD_KEEP_ALIVE);
	struct h1_keep_alive said;
	if (!f || !h1_read_keep_alive(f->value, &said))
		return;
	if (said.timeout_s != H1_KEEP_ALIVE_UNSAID)
		cc->life.hint = said.timeout_s * NS_S;
	if (said.max == H1_KEEP_ALIVE_UNSAID)
		return;
	/* this answer is not counted in `served` yet */
	uint64_t most = (uint64_t)cc->life.served + 1 + said.max;
	if (most < cc->life.serve_max)
		cc->life.serve_max = (uint32_t)most;
}

void pool_note_head(struct cconn *cc, const struct h1_head *head)
{
	struct upstream *u = cc->up;
	if (!u->cfg.tended)
		return;
	if (cc->pooled && cc->life.rested > IDLE_AGE_MIN)
		idle_age_note_lived(&u->idle_age, cc->life.rested);
	if (head->seen & (uint64_t)1 << H1_FIELD_KEEP_ALIVE)
		read_hint(cc, head);
	u->hinted = cc->life.hint;
}

bool pool_keeps(struct cconn *cc)
{
	const struct cconn_life *l = &cc->life;
	return l->served < l->serve_max && pool_now(cc) < l->until && l->hint > 0;
}

/* When it is to be closed, and as what that is counted. Those that are kept ready, unused as
 * they are, are not yielded. */
static ns_t pool_due(struct cconn *cc, uint64_t **counter)
{
	struct upstream *u = cc->up;
	const bool parked = cc->state == CCONN_PARKED;
	struct upstream_stats *stats = &u->stats;
	const struct cconn_life *l = &cc->life;
	uint32_t idle = u->conns[CCONN_IDLE].len;
	bool ready = idle <= u->spare.want && !parked;
	ns_t needed = u->cfg.idle_for, alive = NS_NEVER; /* while idle */
	if (u->cfg.tended) {
		needed = ns_min(needed, demand_window(&u->demand));
		alive = ns_min(
			hint_before(l->hint), idle_age_bound(&u->idle_age, pool_now(cc)));
	}
	if (ready)
		needed = NS_NEVER;
	if (parked)
		needed = ns_min(needed, PARKED_FOR);
	ns_t due = ns_add(l->idle_since, ns_min(needed, alive));
	if (l->until <= due) {
		*counter = &stats->aged;
		return l->until;
	}
	*counter = needed <= alive ? &stats->yielded : &stats->reaped;
	return due;
}

void pool_enter(struct cconn *cc, enum cconn_state state)
{
	uint64_t *ignored;
	cconn_enter(cc, state, NS_NEVER);
	ns_t due = pool_due(cc, &ignored);
	if (due != NS_NEVER)
		io_timer_set(cc->up->worker->loop, &cc->timer, ns_max(due, pool_now(cc)));
}

static bool is_surplus(const struct upstream *u)
{
	/* Others of its group wait for a connection to end. */
	bool wanted = upstream_is_group_full(u) && u->cfg.group->waits.len > 0;
	bool above = u->cfg.idle_max && u->conns[CCONN_IDLE].len > u->cfg.idle_max;
	return (wanted || above) && !upstream_has_waiters(u);
}

void pool_put(struct cconn *cc)
{
	cc->life.idle_since = pool_now(cc);
	pool_enter(cc, CCONN_IDLE);
	cconn_rearm(cc);
	if (endpoint_keeps(cc->endpoint) && again_trusts(cc->up) && !is_surplus(cc->up))
		upstream_poke(cc->up);
	else
		cconn_close_idle(cc);
}

void pool_adopt(struct cconn *cc)
{
	pool_enter(cc, CCONN_IDLE);
	cconn_rearm(cc);
}

void pool_took(struct cconn *cc)
{
	if (cc->life.served == 0)
		spare_served(&cc->up->spare);
	if (cc->up->spare.want)
		upstream_poke(cc->up);
	cc->life.rested = pool_now(cc) - cc->life.idle_since;
	demand_note_request(&cc->up->demand);
}

void pool_on_timer(struct cconn *cc)
{
	struct upstream *u = cc->up;
	uint64_t *counter;
	ns_t due = pool_due(cc, &counter), now = pool_now(cc);
	if (now < due) { /* what is known has changed meanwhile */
		io_timer_set(u->worker->loop, &cc->timer, due);
		return;
	}
	++*counter;
	if (counter == &u->stats.reaped && cc->life.served == 0)
		spare_lost(&u->spare, now - cc->life.idle_since, now);
	if (counter == &u->stats.yielded && cc->state != CCONN_PARKED)
		demand_note_yield(&u->demand, now);
	cconn_close_idle(cc);
	if (u->spare.want)
		upstream_poke(u);
}

void pool_lost(struct cconn *cc)
{
	ns_t now = pool_now(cc), age = now - cc->life.idle_since;
	/* For the first request servers wait by another clock. */
	if (cc->life.served)
		idle_age_note_closed(&cc->up->idle_age, age, now);
	else
		spare_lost(&cc->up->spare, age, now);
	upstream_poke(cc->up);
}

void pool_no_spare(struct upstream *u)
{
	spare_lost(&u->spare, 0, worker_now(u->worker));
	upstream_poke(u);
}

static uint32_t pool_ready(const struct upstream *u)
{
	return u->conns[CCONN_IDLE].len + u->conns[CCONN_CONNECTING].len;
}

void pool_settle(struct upstream *u)
{
	ns_t now = worker_now(u->worker);
	if (!u->spare.want || u->stopping || u->retired || !u->endpoint_count ||
		hold_until(u) > now || !again_trusts(u)) /* then none is kept */
		return;
	uint32_t n = spare_missing(&u->spare, pool_ready(u), now);
	while (n-- > 0 && connect_may_start(u) && upstream_reserve_spare(u)) {
		if (connect_spare(u))
			continue;
		upstream_unreserve_spare(u);
		pool_no_spare(u);
		return;
	}
}

ns_t pool_again_at(const struct upstream *u)
{
	if (u->stopping || u->retired)
		return NS_NEVER;
	return spare_again_at(&u->spare, pool_ready(u), worker_now(u->worker));
}

void upstream_pool(struct upstream *u, struct upstream_pool *view)
{
	bool fin = close_is_fin(u);
	*view = (struct upstream_pool){ .learned = idle_age_learned(&u->idle_age),
		.hinted = u->hinted,
		.fin = fin,
		.fin_learned = fin && !u->cfg.idle_fin,
		.window = u->cfg.tended ? demand_window(&u->demand) : u->cfg.idle_for,
		.connecting = u->conns[CCONN_CONNECTING].len,
		.pending = u->conns[CCONN_PENDING].len };
}

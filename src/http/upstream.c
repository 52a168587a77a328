#include "http/upstream_internal.h"

#define TICKET_BATCH(t) CONTAINER_OF(t, struct batch, ticket)
#define NODE_BATCH(n) TICKET_BATCH(CONTAINER_OF(n, struct ticket, node))

void upstream_poke(struct upstream *u)
{
	io_defer(u->worker->loop, &u->pump);
}

/* --- admission --- */

struct ticket *upstream_next(struct upstream *u)
{
	if (queue_is_empty(&u->queue))
		return NULL;
	if (!hold_lets_go(u)) /* nor must other threads be asked for anything */
		return NULL;
	return queue_next(&u->queue, seat_room(u), worker_now(u->worker));
}

struct cconn *upstream_pick_idle(const struct upstream *u, const struct call *call)
{
	LIST_EACH (&u->conns[CCONN_IDLE], n, after) {
		struct cconn *cc = CONTAINER_OF(n, struct cconn, node);
		if (cc->endpoint->id != call->shun)
			return cc;
	}
	return NULL;
}

bool call_wants_fresh(const struct upstream *u, const struct call *call)
{
	return call->replayed || call->raw ||
	       (u->endpoint_count > 1 && health_due(u, call)) ||
	       (call->shun && !upstream_pick_idle(u, call));
}

static bool batch_wants_fresh(const struct upstream *u, const struct batch *b)
{
	return b->n == 1 && call_wants_fresh(u, b->calls[0]);
}

/* What comes after its first slot is more of the same call. */
static void note_granted(struct upstream *u, struct call *call)
{
	call->granted_at = worker_now(u->worker);
	call->batch = NULL;
	if (call->admitted)
		return;
	call->admitted = true;
	u->stats.admitted++;
	retry_note_call(&u->retry);
}

/* fresh: call_wants_fresh. */
static void upstream_grant(
	struct upstream *u, struct call *call, struct caller *charged, bool fresh)
{
	struct slot *slot;
	struct cconn *cc = fresh ? NULL : upstream_pick_idle(u, call);
	note_granted(u, call);
	if (!cc) {
		slot = upstream_take_slot(u, SLOT_CONNECTING);
		admission_hold(u, slot, charged);
		tune_granted(u, call, false);
		cconn_open(u, call, slot);
		return;
	}
	if (upstream_is_conn_unit(u))
		slot_enter(&u->slots, cc->slot, SLOT_BUSY, 0);
	else
		cc->slot = upstream_take_slot(u, SLOT_BUSY);
	admission_hold(u, cc->slot, charged);
	u->stats.reused++;
	tune_granted(u, call, cc->life.proven);
	cconn_assign(cc, call);
}

/* Out of the queue already. on_end may abandon those that were not told yet. */
static void batch_end(struct upstream *u, struct batch *b, enum err why)
{
	while (b->ended < b->n)
		call_finish(b->calls[b->ended++], u, why);
	mem_free(b);
}

/* For a call that wants a fresh connection: an idle one gives up its place if it must. */
static bool upstream_reserve_fresh(struct upstream *u)
{
	struct list_node *oldest = list_back(&u->conns[CCONN_IDLE]);
	bool room = slots_room(&u->slots) > 0;
	if (room)
		park_make_room(u);
	if (upstream_reserve(u, 1, 1))
		return true;
	bool helps = room || upstream_is_conn_unit(u);
	/* One at a time: what was closed settles, or is freed when the turn ends. */
	if (oldest && helps && u->slots.in[SLOT_SETTLING].len == 0 &&
		u->conns[CCONN_CLOSED].len == 0)
		cconn_close_idle(CONTAINER_OF(oldest, struct cconn, node));
	return false;
}

/* `call` is the first of n. */
static bool upstream_can_admit(
	struct upstream *u, const struct call *call, uint32_t n, bool fresh)
{
	if (!hold_take(u, call, n))
		return false;
	if (fresh ? upstream_reserve_fresh(u) : upstream_reserve_any(u, n))
		return true;
	hold_untake(u, call, n);
	return false;
}

static bool is_its_turn(struct upstream *u, struct ticket *t)
{
	if (!seat_may_go(u, t))
		return false;
	queue_collect(&u->queue, t);
	return true;
}

static void upstream_admit(struct upstream *u)
{
	struct ticket *t;
	while ((t = upstream_next(u))) {
		struct batch *b = TICKET_BATCH(t);
		bool never = b->n > upstream_limit_max(u); /* it was lowered meanwhile */
		enum err why = never ? ERR_SHED
				     : admission_ask_again(u, b->calls[0], b->deadline);
		bool fresh = batch_wants_fresh(u, b);
		bool may = why == ERR_OK && is_its_turn(u, t) &&
			   upstream_can_admit(u, b->calls[0], b->n, fresh);
		if (why == ERR_OK && !may) {
			if (upstream_is_group_full(u) && !list_on(&u->group_wait))
				list_push_back(&u->cfg.group->waits, &u->group_wait);
			return;
		}
		if (why != ERR_OK) {
			queue_remove(&u->queue, t, worker_now(u->worker));
			batch_end(u, b, why);
			continue;
		}
		struct caller *charged = admission_let_go(u, t);
		for (uint32_t i = 0; i < b->n; i++)
			upstream_grant(u, b->calls[i], charged, fresh);
		mem_free(b);
	}
}

/* Idle connections above the limit, if it was lowered, but those that are parked; and all of a
 * retired upstream: the oldest first. What settles is on its way already. */
static void upstream_trim(struct upstream *u)
{
	uint32_t surplus = 0;
	struct list_node *oldest;
	if (upstream_is_conn_unit(u))
		surplus = park_surplus(u, tune_surplus(u));
	if (u->retired) {
		surplus = UINT32_MAX;
		park_end(u, UINT32_MAX);
	}
	while (surplus-- > 0 && (oldest = list_back(&u->conns[CCONN_IDLE])))
		cconn_close_idle(CONTAINER_OF(oldest, struct cconn, node));
}

/* Who cannot wait as long as the server wants to be left alone is told so. */
static void upstream_hold(struct upstream *u)
{
	struct ticket *t;
	ns_t now = worker_now(u->worker);
	if (!hold_look(u))
		return;
	while ((t = queue_take_before(&u->queue, u->queue.held_until, now)))
		batch_end(u, TICKET_BATCH(t), ERR_PAUSED);
}

static void on_pump(struct io_defer *d)
{
	struct upstream *u = CONTAINER_OF(d, struct upstream, pump);
	ns_t now = worker_now(u->worker);
	struct list_node *n;
	struct slot *slot;
	struct ticket *t;
	while ((slot = slots_expire(&u->slots, now)))
		upstream_slot_give(u, slot);
	if (u->endpoint_count > 1)
		health_look(u);
	admission_sift(u);
	while ((n = list_pop_front(&u->pushed_out)))
		batch_end(u, NODE_BATCH(n), NODE_BATCH(n)->why);
	while ((t = queue_expire(&u->queue, now))) {
		admission_note_expired(u);
		batch_end(u, TICKET_BATCH(t), ERR_QUEUE_TIMEOUT);
	}
	upstream_hold(u);
	stalled_look(u);
	tune_look(u);
	upstream_trim(u);
	connect_settle(u);
	again_look(u);
	seat_tell_front(u);
	upstream_admit(u);
	seat_settle(u);
	pool_settle(u);
	ns_t next = ns_min(slots_next_expiry(&u->slots), queue_next_expiry(&u->queue));
	next = ns_min(next, u->told.next);
	next = ns_min(next, stalled_again_at(u));
	next = ns_min(next, admission_again_at(u));
	next = ns_min(next, hold_again_at(u));
	next = ns_min(next, pool_again_at(u));
	next = ns_min(next, again_next(u));
	io_timer_set(u->worker->loop, &u->timer, ns_min(next, seat_again_at(u)));
}

static void on_timer(struct timer *t)
{
	upstream_poke(CONTAINER_OF(t, struct upstream, timer));
}

void call_times_anew(struct call *c, ns_t now)
{
	c->between = false;
	c->queued_at = now;
	c->granted_at = c->sent_at = c->first_byte_at = c->tls_at = 0;
}

static void call_prepare(struct call *c, ns_t now)
{
	c->state = CALL_QUEUED;
	c->answered = c->reused = c->heard = c->cut = c->told_to_wait = false;
	c->status = 0;
	c->detail = SLICE_NONE;
	c->batch = NULL;
	c->conn = NULL;
	call_times_anew(c, now);
	c->mark = (struct limit_mark){ 0 };
	c->plea = (struct brake_plea){ 0 };
}

/* So many of those that wait have to leave for n more: what is past the bound; or n, for a caller
 * from whom the places that are left are kept. */
static uint64_t too_many(struct upstream *u, struct caller *caller, uint32_t n)
{
	const struct queue *q = &u->queue;
	uint64_t would = (u->share ? share_waiting(u->share) : q->waiting) + n;
	uint64_t over = would > q->max ? would - q->max : 0;
	return over < n && !admission_has_place(u, caller, n) ? n : over;
}

/* Who floods the queue makes room for others, or keeps his own: he is told at the end of the turn. */
static bool make_room(struct upstream *u, struct caller *caller, uint32_t n)
{
	uint64_t over = too_many(u, caller, n), freed = 0;
	if (!over)
		return true;
	if (queue_could_push_out(&u->queue, caller) < over)
		return false;
	do {
		struct ticket *out = queue_push_out(
			&u->queue, caller, worker_now(u->worker));
		CHECK(out); /* as it could */
		freed += out->need;
		TICKET_BATCH(out)->why = ERR_QUEUE_FULL;
		list_push_back(&u->pushed_out, &out->node);
		/* what is past the bound already, another thread may be pushing out at once */
	} while (freed < over && too_many(u, caller, n) > 0);
	return true;
}

static enum err enqueue(struct upstream *u, struct batch *b, struct caller *caller)
{
	ns_t now = worker_now(u->worker);
	if (b->deadline > now && !make_room(u, caller, b->n))
		return ERR_QUEUE_FULL;
	return queue_push(&u->queue, &b->ticket, caller, b->n, now, b->deadline);
}

static enum err upstream_enqueue(
	struct upstream *u, struct call *const *calls, uint32_t n, ns_t deadline)
{
	struct batch *b = mem_zalloc(sizeof(*b) + n * sizeof(b->calls[0]));
	b->deadline = deadline;
	b->n = n;
	enum err e = enqueue(u, b, calls[0]->caller);
	upstream_poke(u);
	if (e == ERR_QUEUE_FULL && hold_until(u) <= worker_now(u->worker))
		admission_note_short(u);
	if (e != ERR_OK) {
		mem_free(b);
		return e;
	}
	for (uint32_t i = 0; i < n; i++) {
		b->calls[i] = calls[i];
		call_prepare(calls[i], worker_now(u->worker));
		calls[i]->batch = b;
	}
	return ERR_OK;
}

static void call_reset(struct call *c, ns_t deadline)
{
	CHECK(c->state == CALL_NEW || c->state == CALL_OVER);
	c->replayed = c->admitted = c->gave_up = c->hedged = false;
	c->beside = 0;
	c->hedge = c->hedge_of = NULL;
	c->again = c->refused = c->past = 0;
	c->verdict = RETRY_GO;
	c->at = c->shun = 0;
	c->deadline = deadline;
}

static bool upstream_can_start(struct upstream *u, const struct call *call, uint32_t n,
	uint32_t room, bool fresh)
{
	return (!upstream_has_waiters(u) || seat_passes(u, call->caller)) &&
	       admission_room(u, call->caller, room) >= n &&
	       upstream_can_admit(u, call, n, fresh);
}

enum err upstream_submit(
	struct upstream *u, struct call *const *calls, uint32_t n, ns_t deadline)
{
	CHECK(n > 0 && n <= UPSTREAM_GATHER_MAX);
	for (uint32_t i = 0; i < n; i++)
		call_reset(calls[i], deadline);
	return upstream_ask(u, calls, n, deadline);
}

enum err upstream_ask(
	struct upstream *u, struct call *const *calls, uint32_t n, ns_t deadline)
{
	for (uint32_t i = 0; i < n; i++)
		calls[i]->lone = n == 1;
	if (u->stopping)
		return ERR_STOPPING;
	if (!u->endpoint_count)
		return ERR_RESOLVE;
	if (n > upstream_limit_max(u))
		return ERR_SHED;
	if (slots_is_drained_up(&u->slots) && !zombies_hang_up(u))
		return ERR_SHED;
	CHECK(n == 1 || !calls[0]->raw);
	if (hold_is_too_late(u, deadline))
		return ERR_PAUSED;
	ns_t turn;
	enum err e = hold_ask_caller(u, calls[0], n, deadline, &turn);
	if (e == ERR_AGAIN) {
		call_prepare(calls[0], worker_now(u->worker));
		again_wait(u, calls[0], turn);
		return ERR_OK;
	}
	const uint32_t room = seat_room(u);
	if (e == ERR_OK)
		e = admission_ask(u, calls, n, deadline, room);
	if (e != ERR_OK)
		return e;
	const bool fresh = call_wants_fresh(u, calls[0]);
	if (!upstream_can_start(u, calls[0], n, room, fresh)) {
		e = upstream_enqueue(u, calls, n, deadline);
		if (e != ERR_OK)
			admission_call_over(u, calls[0], false);
		return e;
	}
	struct caller *charged = admission_charge(u, calls[0]->caller, n);
	for (uint32_t i = 0; i < n; i++) {
		call_prepare(calls[i], worker_now(u->worker));
		upstream_grant(u, calls[i], charged, fresh);
	}
	return ERR_OK;
}

static void wait_in_front(struct upstream *u, struct call *call, ns_t since, ns_t until)
{
	struct batch *b = mem_zalloc(sizeof(*b) + sizeof(b->calls[0]));
	b->n = 1;
	b->deadline = until;
	b->calls[0] = call;
	call->batch = b;
	call->state = CALL_QUEUED;
	queue_push_front(&u->queue, &b->ticket, admission_caller(u, call), 1,
		worker_now(u->worker), until);
	b->ticket.since = since;
	upstream_poke(u);
}

void upstream_requeue(struct upstream *u, struct call *call)
{
	ns_t since = call->queued_at;
	call_times_anew(call, worker_now(u->worker));
	wait_in_front(u, call, since, NS_NEVER); /* it has been judged */
}

void upstream_go_back(struct upstream *u, struct call *call)
{
	ns_t since = call->queued_at;
	call_prepare(call, worker_now(u->worker));
	call->replayed = false; /* any connection will do */
	wait_in_front(u, call, since, call->deadline);
}

void upstream_unqueue(struct upstream *u, struct call *call)
{
	struct batch *b = call->batch;
	for (uint32_t i = b->ended; i < b->n; i++) {
		b->calls[i]->batch = NULL;
		b->calls[i]->state = CALL_OVER;
	}
	b->ended = b->n;
	if (!ticket_is_waiting(&b->ticket))
		return; /* inside batch_end, which frees it */
	queue_remove(&u->queue, &b->ticket, worker_now(u->worker));
	mem_free(b);
	upstream_poke(u);
}

/* --- life --- */

static void upstream_set_cfg(struct upstream *u, const struct upstream_cfg *cfg)
{
	struct tls_client *before = u->cfg.tls;
	u->cfg = *cfg;
	if (u->cfg.tls)
		tls_client_ref(u->cfg.tls);
	if (u->cfg.tls && before && u->cfg.tls != before)
		tls_client_succeed(u->cfg.tls, before);
	tls_client_unref(&before);
	if (!u->cfg.limits.head_bytes || u->cfg.limits.head_bytes > WORKER_BUF_BYTES)
		u->cfg.limits.head_bytes = WORKER_BUF_BYTES;
	if (!u->cfg.first_byte_for)
		u->cfg.first_byte_for = NS_NEVER;
	if (!u->cfg.stall_for)
		u->cfg.stall_for = NS_NEVER;
}

static void upstream_first_endpoints(struct upstream *u)
{
	struct upstream_endpoint list[UPSTREAM_ENDPOINTS_MAX];
	CHECK(u->cfg.endpoint_count <= UPSTREAM_ENDPOINTS_MAX);
	for (uint32_t i = 0; i < u->cfg.endpoint_count; i++)
		list[i] = (struct upstream_endpoint){ u->cfg.endpoints[i],
			u->cfg.names[i] };
	if (u->cfg.endpoint_count)
		upstream_set_endpoints(u, list, u->cfg.endpoint_count);
}

static void upstream_set_sockets_max(struct upstream *u)
{
	uint32_t max = u->cfg.sockets_max;
	if (u->share)
		quota_set_max(share_sockets(u->share), max ? max : QUOTA_NO_BOUND);
}

struct upstream *upstream_new(struct worker *w, const struct upstream_cfg *cfg)
{
	struct upstream *u = mem_zalloc(sizeof(*u));
	u->worker = w;
	upstream_set_cfg(u, cfg);
	/* One that is found out is the tuner's to say. */
	slots_init(
		&u->slots, cfg->unit, cfg->limit_auto ? 1 : cfg->limit, cfg->drain_share);
	admission_init(u);
	pool_init(u);
	queue_init(&u->queue, &u->admission.callers, cfg->queue_max, cfg->queue_for);
	seat_take(u);
	tune_start(u);
	hold_start(u);
	zombies_start(u);
	health_start(u);
	upstream_set_sockets_max(u);
	for (size_t i = 0; i < CCONN_STATES; i++)
		list_init(&u->conns[i]);
	list_init(&u->gone);
	list_init(&u->pushed_out);
	again_init(u);
	u->timer.on_fire = on_timer;
	u->pump.fn = on_pump;
	upstream_first_endpoints(u);
	return u;
}

void upstream_reconfigure(struct upstream *u, const struct upstream_cfg *cfg)
{
	struct upstream_cfg next = *cfg;
	CHECK(cfg->unit == u->slots.unit && cfg->share == u->share);
	memcpy(next.endpoints, u->cfg.endpoints, sizeof(next.endpoints));
	next.endpoint_count = u->cfg.endpoint_count;
	upstream_set_cfg(u, &next);
	endpoints_configure(u);
	u->retired = false;
	pool_configure(u);
	upstream_set_sockets_max(u);
	u->retry.cfg = cfg->retry;
	if (u->tuner || cfg->limit_auto)
		tune_configure(u);
	else
		slots_set_limit(&u->slots, cfg->limit);
	hold_configure(u);
	u->slots.drain_share = cfg->drain_share;
	u->queue.max = cfg->queue_max;
	u->queue.wait_for = cfg->queue_for;
	upstream_poke(u);
}

const struct addr *upstream_address(const struct upstream *u, uint32_t k)
{
	return k < u->endpoint_count ? &u->endpoints[k]->addr : NULL;
}

bool upstream_drop_idle(struct upstream *u)
{
	struct list_node *oldest = list_back(&u->conns[CCONN_IDLE]);
	if (u->conns[CCONN_PARKED].len) {
		park_end(u, 1);
		return true;
	}
	if (!oldest)
		return false;
	cconn_close_idle(CONTAINER_OF(oldest, struct cconn, node));
	return true;
}

void upstream_retire(struct upstream *u)
{
	u->retired = true;
	upstream_poke(u);
}

bool upstream_is_spent(const struct upstream *u)
{
	for (int i = 0; i < CCONN_STATES; i++)
		if (u->conns[i].len)
			return false;
	for (int i = SLOT_FREE + 1; i < SLOT_STATES; i++)
		if (u->slots.in[i].len)
			return false;
	return queue_is_empty(&u->queue) && !u->resting.len && seat_is_quiet(u);
}

static void upstream_close_all(struct upstream *u)
{
	struct list_node *n;
	for (int i = 0; i < CCONN_CLOSED; i++) {
		while ((n = list_front(&u->conns[i]))) {
			struct cconn *cc = CONTAINER_OF(n, struct cconn, node);
			struct call *call = cc->call;
			cc->call = NULL;
			if (cconn_is_idle(cc))
				cconn_close_first(cc);
			else
				cconn_break(cc);
			if (call)
				call_finish(call, u, ERR_STOPPING);
		}
	}
	while ((n = list_front(&u->conns[CCONN_CLOSED])))
		cconn_free(CONTAINER_OF(n, struct cconn, node));
}

void upstream_free(struct upstream **up)
{
	struct upstream *u = *up;
	struct list_node *n;
	struct ticket *t;
	struct slot *slot;
	if (!u)
		return;
	u->stopping = true;
	while ((t = queue_front(&u->queue))) {
		queue_remove(&u->queue, t, worker_now(u->worker));
		batch_end(u, TICKET_BATCH(t), ERR_STOPPING);
	}
	while ((n = list_pop_front(&u->pushed_out)))
		batch_end(u, NODE_BATCH(n), ERR_STOPPING);
	again_end_all(u);
	seat_leave(u);
	upstream_close_all(u);
	while ((slot = slots_expire(&u->slots, NS_NEVER)))
		upstream_slot_give(u, slot);
	CHECK(slots_used(&u->slots) == 0);
	admission_fini(u);
	if (list_on(&u->group_wait))
		list_remove(&u->cfg.group->waits, &u->group_wait);
	io_timer_stop(u->worker->loop, &u->timer);
	io_defer_cancel(u->worker->loop, &u->pump);
	endpoints_fini(u);
	share_unref(&u->share);
	tuner_unref(&u->tuner);
	brake_unref(&u->brake);
	hangups_unref(&u->hangups);
	vitals_unref(&u->vitals);
	tls_client_unref(&u->cfg.tls);
	mem_free(u);
	*up = NULL;
}

const struct upstream_stats *upstream_stats(const struct upstream *u)
{
	return &u->stats;
}

const struct tls_counts *upstream_tls_counts(const struct upstream *u)
{
	return u->cfg.tls ? tls_client_counts(u->cfg.tls) : NULL;
}

void upstream_bytes(const struct upstream *u, uint64_t *rx_bytes, uint64_t *tx_bytes)
{
	*rx_bytes = u->stats.rx_bytes;
	*tx_bytes = u->stats.tx_bytes;
	for (int i = 0; i < CCONN_CLOSED; i++) {
		LIST_EACH (&u->conns[i], n, after) {
			const struct cconn *cc = CONTAINER_OF(n, struct cconn, node);
			*rx_bytes += cc->conn.rx_bytes;
			*tx_bytes += cc->conn.tx_bytes;
		}
	}
}

struct tuner *upstream_tuner(const struct upstream *u)
{
	return u->tuner;
}

ns_t upstream_bound(const struct upstream *u, enum err why)
{
	if (why == ERR_CONNECT_TIMEOUT)
		return u->cfg.connect_for;
	if (why == ERR_FIRST_BYTE)
		return u->cfg.first_byte_for;
	return why == ERR_IDLE ? u->cfg.stall_for : NS_NEVER;
}

const struct slots *upstream_slots(const struct upstream *u)
{
	return &u->slots;
}

const struct queue *upstream_queue(const struct upstream *u)
{
	return &u->queue;
}

void upstream_note_refusal(struct upstream *u)
{
	retry_hold(&u->retry, ns_add(worker_now(u->worker), RETRY_HOLD));
	u->stats.refused++;
	u->refused = true;
	close_note_refused(u);
	zombie_note_refused(u);
}

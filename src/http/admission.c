/*
 * Which calls are worth a slot, and on whose account a slot is held: binds flow/callers.h,
 * flow/chance.h, flow/holds.h, flow/gate.h and flow/lend.h to an upstream. Only under a limit;
 * without one there is nothing to be fair about, and nobody is refused for anybody's sake.
 */
#include "flow/lend.h"
#include "http/upstream_internal.h"

/* How old what is known of the calls that run may be. */
#define LOOK_EVERY (20 * NS_MS)
#define REFRESH_EVERY (100 * NS_MS)
/* So many calls that wait are gone through in a tenth of a millisecond, at each look; more of them
 * less often, for the same part of the time: who stands in so long a queue waits for longer, too. */
#define SIFT_EASY 1000
/* How fast what a server did is forgotten. */
#define HALF_LIFE (5 * NS_S)
/* For so long a refusal for want of slots shows that they are wanted. */
#define SHORT_FOR (100 * NS_MS)

/* What is learned of the server, to judge by, beside what holds: 26 KiB, which only a limit is worth. */
struct outlook {
	struct chance calls;
	struct gate gate;
};

void admission_init(struct upstream *u)
{
	struct admission *a = &u->admission;
	callers_init(&a->callers, 0);
	if (!u->cfg.books)
		return;
	a->books = u->cfg.books;
	books_ref(a->books);
	callers_tie(&a->callers, books_accounts(a->books));
}

void admission_fini(struct upstream *u)
{
	callers_fini(&u->admission.callers);
	if (!u->admission.books)
		mem_free(u->admission.holds);
	books_unref(&u->admission.books);
	mem_free(u->admission.outlook);
}

static struct holds *holds_new(void)
{
	struct holds *h = mem_zalloc(sizeof(*h));
	holds_init(h, HALF_LIFE);
	return h;
}

/* Inside. */
static struct holds *holds_of(struct upstream *u)
{
	struct admission *a = &u->admission;
	if (!a->holds)
		a->holds = a->books ? books_holds(a->books, HALF_LIFE) : holds_new();
	return a->holds;
}

static struct outlook *outlook_new(struct upstream *u)
{
	struct outlook *o = mem_zalloc(sizeof(*o));
	chance_init(&o->calls, HALF_LIFE);
	(void)callers_enter(&u->admission.callers);
	gate_init(&o->gate, &o->calls, &holds_of(u)->chance);
	callers_leave(&u->admission.callers);
	return o;
}

static bool is_limited(const struct upstream *u)
{
	return slots_limit(&u->slots) != SLOTS_NO_LIMIT;
}

/* NULL: nothing is known, nor needs to be. */
static struct outlook *outlook_of(const struct upstream *u)
{
	return is_limited(u) ? u->admission.outlook : NULL;
}

/* --- what is known of the calls that run --- */

static void add_calls(struct upstream *u, enum cconn_state state, ns_t now)
{
	LIST_EACH (&u->conns[state], n, after) {
		const struct cconn *cc = CONTAINER_OF(n, struct cconn, node);
		if (cc->told && !cc->tunnel)
			chance_running(&u->admission.outlook->calls, now - cc->sent_at);
	}
}

/* Slots that no call holds. */
static uint32_t slots_idle(const struct upstream *u)
{
	uint32_t own = u->slots.in[SLOT_IDLE].len;
	return upstream_is_conn_unit(u) ? own + seat_idle_elsewhere(u) : own;
}

/* Held since the last look, or by no call that is known: how long, nobody knows. Inside. */
static uint32_t slots_elsewhere(const struct upstream *u)
{
	uint32_t known = slots_idle(u) + u->admission.holds->seen;
	uint32_t used = upstream_used(u);
	return used > known ? used - known : 0;
}

bool admission_has_several(const struct upstream *u)
{
	return u->admission.callers.share > 0;
}

/* As many places as are fair shares of the slots, for each of the other callers: up to this part of
 * them all. By test_shared_out.c's simulation who asks for little then loses no more to a flood on
 * another thread than to one on its own. */
#define PLACES_PART 4

bool admission_has_place(struct upstream *u, struct caller *c, uint32_t n)
{
	struct callers *callers = &u->admission.callers;
	if (!u->admission.books || !admission_has_several(u) ||
		caller_is_modest(callers, c, worker_now(u->worker)))
		return true;
	uint64_t most = u->queue.max / PLACES_PART;
	uint64_t kept = (uint64_t)(callers->claiming - 1) * callers->share;
	kept = kept < most ? kept : most;
	return share_waiting(u->share) + n <= u->queue.max - kept;
}

bool admission_gave_back(struct upstream *u)
{
	bool gave = u->admission.gave_back;
	u->admission.gave_back = false;
	return gave;
}

/* What fair shares are of. While the limit grows nothing is kept for anybody,
 * for that would be in the way of growth; who asks for little is first in line for each new one. */
static uint32_t limit_to_share(const struct upstream *u)
{
	if (u->told.doubles_in != NS_NEVER)
		return 0;
	return slots_limit(&u->slots);
}

/* Of the slots that are kept, those that need not stand free; inside. */
static uint32_t lent(const struct upstream *u)
{
	const struct admission *a = &u->admission;
	const struct lend l = {
		.limit = slots_limit(&u->slots),
		.elsewhere = slots_elsewhere(u),
		.others = a->holds->seen - a->own,
		.kept = a->callers.kept,
		.rate = a->callers.rate,
		.waited = callers_differ(&a->callers),
	};
	return l.kept ? lend_slots(&a->holds->chance, &l) : 0;
}

static void look_at_held(struct upstream *u, ns_t now)
{
	struct admission *a = &u->admission;
	(void)callers_enter(&a->callers);
	holds_look(a->holds, now);
	a->callers.mean = chance_mean(&a->holds->chance);
	a->callers.mean_of = chance_evidence(&a->holds->chance);
	a->callers.soon = lent(u);
	callers_leave(&a->callers);
}

static void look(struct upstream *u, ns_t now)
{
	struct admission *a = &u->admission;
	if (!a->outlook)
		a->outlook = outlook_new(u);
	else if (now - a->looked_at < LOOK_EVERY)
		return;
	struct outlook *o = a->outlook;
	a->looked_at = now;
	tune_hear(u);
	chance_running_begin(&o->calls);
	add_calls(u, CCONN_BUSY, now);
	add_calls(u, CCONN_DRAINING, now);
	chance_refresh(&o->calls, now);
	look_at_held(u, now);
	if (now - a->refreshed_at < REFRESH_EVERY)
		return;
	a->refreshed_at = now;
	callers_refresh(&a->callers, limit_to_share(u), now);
}

/* An error tells nothing of how long an answer takes, least of all a refusal. */
static bool is_good(uint16_t status)
{
	return status < 500 && status != 429;
}

void admission_note_answer(struct cconn *cc)
{
	struct upstream *u = cc->up;
	struct outlook *o = outlook_of(u);
	ns_t now = worker_now(u->worker);
	if (o && is_good(cc->status) && !cc->tunnel)
		chance_done(&o->calls, now - cc->sent_at, now);
}

void admission_note_gone(struct cconn *cc)
{
	struct upstream *u = cc->up;
	struct outlook *o = outlook_of(u);
	ns_t now = worker_now(u->worker);
	if (o && cc->told && !cc->tunnel)
		chance_gone(&o->calls, now - cc->sent_at, now);
}

/* --- on whose account --- */

static struct caller *caller_of(struct upstream *u, const struct call *call, bool limited)
{
	struct callers *all = &u->admission.callers;
	ns_t now = worker_now(u->worker);
	if (!limited) /* all are one */
		return callers_find(all, 0, CALLERS_NORMAL, now);
	return callers_find(all, call->caller_key, call->priority, now);
}

struct caller *admission_caller(struct upstream *u, const struct call *call)
{
	return caller_of(u, call, is_limited(u));
}

struct caller *admission_charge(struct upstream *u, struct caller *c, uint32_t n)
{
	struct callers *callers = &u->admission.callers;
	if (!is_limited(u))
		return NULL;
	(void)callers_enter(callers);
	for (uint32_t i = 0; i < n; i++)
		caller_hold(callers, c, worker_now(u->worker));
	callers_leave(callers);
	return c;
}

struct caller *admission_let_go(struct upstream *u, struct ticket *t)
{
	struct callers *callers = &u->admission.callers;
	(void)callers_enter(callers);
	queue_remove(&u->queue, t, worker_now(u->worker));
	struct caller *charged = admission_charge(u, t->caller, t->need);
	callers_leave(callers);
	return charged;
}

void admission_hold(struct upstream *u, struct slot *slot, struct caller *charged)
{
	struct admission *a = &u->admission;
	CHECK(!slot->caller);
	slot->caller = charged;
	if (!charged)
		return;
	(void)callers_enter(&a->callers);
	holds_take(holds_of(u), slot, worker_now(u->worker));
	callers_leave(&a->callers);
	a->own++;
}

void admission_release(struct upstream *u, struct slot *slot)
{
	struct admission *a = &u->admission;
	ns_t now = worker_now(u->worker);
	if (!slot->caller)
		return;
	(void)callers_enter(&a->callers);
	caller_release(&a->callers, slot->caller, now);
	holds_give(a->holds, slot, now);
	callers_leave(&a->callers);
	a->gave_back = true;
	a->own--;
	slot->caller = NULL;
}

/* --- worth a slot --- */

static enum err err_of(enum gate_verdict v)
{
	switch (v) {
	case GATE_GO:
	case GATE_PROBE:
		return ERR_OK;
	case GATE_LATE:
		return ERR_LATE;
	case GATE_SHUT:
		return ERR_FUTILE;
	}
	NEVER_HERE();
}

uint32_t admission_room(struct upstream *u, struct caller *c, uint32_t room)
{
	if (!is_limited(u) || !u->admission.callers.kept) /* as of admission_ask */
		return room;
	return caller_room(&u->admission.callers, c, room, worker_now(u->worker));
}

/* Further apart than any two calls that wait. */
#define RANK_APART ((ns_t)1 << 50)

/* What was asked for last, or by a flood, is not to go first for being on another thread: the order
 * is the queue's (flow/queue.h), as far as it matters. */
ns_t admission_rank(struct upstream *u, struct caller *c, ns_t since)
{
	struct callers *callers = &u->admission.callers;
	uint32_t turn = c->priority * CALLERS_TURNS;
	if (u->admission.books && admission_has_several(u))
		turn += caller_turn(callers, c, worker_now(u->worker));
	return ns_add(since, RANK_APART * turn);
}

/* Inside. */
static enum gate_verdict ask(struct upstream *u, const struct gate_call *call, ns_t now)
{
	if (call->left == NS_NEVER)
		return GATE_GO;
	return gate_ask(&u->admission.outlook->gate, call, slots_limit(&u->slots), now);
}

/* It has no end to come in time for. */
static bool is_for_tunnel(const struct call *call)
{
	return call->raw || call->upgrade.len > 0;
}

static ns_t left_until(ns_t deadline, ns_t now)
{
	return deadline == NS_NEVER ? NS_NEVER : deadline - now;
}

/* Its part of the slots, over all threads: of those that come free it may have so many again. */
static double share_held(const struct upstream *u, struct caller *c)
{
	uint32_t held = caller_account(c)->held, used = upstream_used(u);
	return held < used ? (double)held / used : 1;
}

/* The limit came down below what is held: so many that come free are not given again. */
static uint32_t surplus(const struct upstream *u)
{
	uint32_t used = upstream_used(u), limit = slots_limit(&u->slots);
	return used > limit ? used - limit : 0;
}

/* What `n` calls of `c` meet that come now, with so many slots free; inside (flow/accounts.h). */
static struct gate_call meets(
	struct upstream *u, struct caller *c, uint32_t n, uint32_t room, ns_t deadline)
{
	ns_t now = worker_now(u->worker);
	const bool held = u->queue.held_until > now; /* what it waits for is no slot */
	ns_t left = left_until(deadline, ns_max(now, u->queue.held_until));
	uint32_t kept = caller_kept_from(&u->admission.callers, c, now);
	/* What is idle on other threads comes as soon as it is asked for. */
	if (room < n + kept)
		room = upstream_room(u, seat_idle_elsewhere(u));
	struct gate_call asked = {
		.budget = left,
		.left = left,
		.wait_max = u->queue.wait_for,
		.ahead = queue_ahead(&u->queue, c, room, now),
		.share = 1,
		.room = room > kept ? room - kept : 0,
		.doubles_in = u->told.doubles_in,
	};
	asked.waits = !held && (asked.ahead > 0 || asked.room < n);
	if (!asked.waits)
		return asked;
	const uint32_t taken_back = surplus(u);
	asked.ahead += n - 1 + taken_back;
	asked.elsewhere = slots_elsewhere(u);
	/* A server that has come to take fewer replaces no connection that ends: what comes free
	 * tells nothing then of what will. */
	const bool fell = u->tuner && (taken_back > 0 || u->told.falls);
	if (fell || (n == 1 && caller_pours(&u->admission.callers, c, now)))
		asked.share = 0;
	else if (kept && !asked.room)
		asked.share = share_held(u, c);
	return asked;
}

static bool is_short(const struct upstream *u, ns_t now)
{
	ns_t at = u->tuner ? tuner_short_at(u->tuner) : u->admission.short_at;
	return at && now - at < SHORT_FOR;
}

void admission_note_short(struct upstream *u)
{
	struct admission *a = &u->admission;
	ns_t now = worker_now(u->worker);
	if (!u->tuner) {
		a->short_at = now;
		return;
	}
	tuner_note_short(u->tuner, now);
	/* By a stamp of its own: what others are short of does not wake this one. */
	if (a->short_at && now - a->short_at < SHORT_FOR)
		return;
	a->short_at = now;
	upstream_poke(u);
}

enum err admission_ask(struct upstream *u, struct call *const *calls, uint32_t n,
	ns_t deadline, uint32_t room)
{
	struct admission *a = &u->admission;
	ns_t now = worker_now(u->worker);
	const bool limited = is_limited(u);
	if (limited)
		look(u, now); /* may forget callers */
	struct caller *c = calls[0]->caller = caller_of(u, calls[0], limited);
	if (!limited) { /* a reload may set one while it waits */
		calls[0]->budget = left_until(deadline, now);
		calls[0]->probe = false;
		return ERR_OK;
	}
	(void)callers_enter(&a->callers);
	caller_ask(&a->callers, c, n, now);
	const struct gate_call asked = meets(u, c, n, room, deadline);
	enum gate_verdict v = is_for_tunnel(calls[0]) ? GATE_GO : ask(u, &asked, now);
	callers_leave(&a->callers);
	calls[0]->budget = asked.left;
	calls[0]->probe = v == GATE_PROBE;
	if (v == GATE_PROBE)
		gate_probe_sent(&a->outlook->gate, now);
	else if (v == GATE_LATE)
		gate_note_refused(&a->outlook->gate, false);
	if (v == GATE_LATE && asked.waits)
		admission_note_short(u);
	return err_of(v);
}

enum err admission_ask_again(struct upstream *u, const struct call *call, ns_t deadline)
{
	ns_t now = worker_now(u->worker), left = left_until(deadline, now);
	if (call->refused && slots_limit(&u->slots) == 0)
		return ERR_SHED; /* the server refuses all, as it told this one */
	if (!is_limited(u) || call->probe || call->replayed || is_for_tunnel(call) ||
		left == NS_NEVER)
		return ERR_OK;
	look(u, now);
	struct gate *g = &u->admission.outlook->gate;
	enum gate_verdict v = gate_ask_again(g, call->budget, left);
	if (v == GATE_LATE)
		gate_note_refused(g, true);
	return err_of(v);
}

static bool may_wait(void *ctx, struct ticket *t)
{
	struct batch *b = CONTAINER_OF(t, struct batch, ticket);
	b->why = admission_ask_again(ctx, b->calls[0], b->deadline);
	return b->why == ERR_OK;
}

static bool awaits_slots(const struct upstream *u)
{
	return !queue_is_empty(&u->queue) && is_limited(u) &&
	       u->queue.held_until <= worker_now(u->worker);
}

/* The other threads go by what comes free here, whether calls still come here or not. */
static bool is_lending(const struct upstream *u)
{
	return u->admission.callers.told.soon > 0 && is_limited(u);
}

void admission_sift(struct upstream *u)
{
	struct admission *a = &u->admission;
	ns_t now = worker_now(u->worker);
	const bool waits = awaits_slots(u);
	if (waits || is_lending(u))
		look(u, now);
	ns_t rests = LOOK_EVERY * (ns_t)(u->queue.waiting / SIFT_EASY);
	if (!waits || a->sifted_at == a->looked_at || now - a->sifted_at < rests)
		return;
	a->sifted_at = a->looked_at;
	queue_sift(&u->queue, may_wait, u, &u->pushed_out, now);
}

void admission_note_expired(struct upstream *u)
{
	struct outlook *o = outlook_of(u);
	if (o)
		gate_note_refused(&o->gate, true);
}

void admission_call_over(struct upstream *u, struct call *call, bool answered)
{
	struct admission *a = &u->admission;
	if (!call->probe)
		return;
	call->probe = false;
	if (!gate_probe_over(&a->outlook->gate, answered && is_good(call->status)))
		return;
	chance_doubt_late(&a->outlook->calls, call->budget, 0.5);
	a->looked_at = 0; /* it counts at once */
}

bool admission_is_wanted(const struct upstream *u)
{
	return upstream_has_waiters(u) || is_short(u, worker_now(u->worker));
}

ns_t admission_again_at(const struct upstream *u)
{
	/* What keeps a caller waiting with room there, needs of others, fades unheard; and so does
	 * the hope of those that wait. */
	bool fades = awaits_slots(u) || is_lending(u);
	return fades ? ns_add(worker_now(u->worker), REFRESH_EVERY) : NS_NEVER;
}

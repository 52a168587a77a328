/*
 * An upstream among those of other threads that have one limit: who goes first, and idle
 * connections that move to where they are wanted.
 *
 * MODEL   Nothing of an upstream is touched by another thread. What others may know of it is
 *         in the share (flow/share.h); what they want of it, they say by letter: a bell, at
 *         most one on its way, after which it looks again; and a parcel, which is a
 *         connection, charged to the limit all the way.
 * RULES   1. What may be read after an upstream has gone (its post, the bell's letter) lives
 *            as long as the share, which each letter holds.
 *         2. A parcel whose upstream has gone is closed, which its tuner is told; its slot stays
 *            charged.
 */
#include "http/upstream_internal.h"

/* Where no other thread tells of what was given back (a bound over several APIs). */
#define SEAT_AGAIN_FOR (20 * NS_MS)

struct seat_post {
	struct share_bell bell;
	struct io_letter letter;
	_Atomic bool rung; /* the letter is on its way */
	struct share *share;
	struct io_mailbox *mail;
	struct worker *worker;
	struct upstream *owner; /* its own thread's: NULL once it has gone */
};

struct parcel {
	struct io_letter letter;
	struct share *share; /* held */
	uint32_t seat;       /* the receiver's */
	struct conn conn;
	struct addr addr; /* of its endpoint */
	struct text host; /* the same */
	struct cconn_life life;
	struct tuner *tuner; /* held: the one that knows it as PROVEN; NULL: none does */
	struct ports *ports; /* NULL: not counted */
	struct ports_way *way;
};

/* --- the bell --- */

static void on_bell(struct io_letter *l)
{
	struct seat_post *post = CONTAINER_OF(l, struct seat_post, letter);
	struct share *share = post->share;
	/* Before the look: who rings from here on may have something newer. */
	(void)atomic_exchange(&post->rung, false);
	if (post->owner)
		upstream_poke(post->owner);
	share_unref(&share);
}

static void on_ring(struct share_bell *bell)
{
	struct seat_post *post = CONTAINER_OF(bell, struct seat_post, bell);
	if (atomic_exchange(&post->rung, true))
		return;
	share_ref(post->share);
	io_mail(post->mail, &post->letter);
}

static void on_share_end(struct share_bell *bell)
{
	mem_free(CONTAINER_OF(bell, struct seat_post, bell));
}

/* An upstream of this seat may have been there before: its post goes on. */
static struct seat_post *seat_post_of(struct upstream *u)
{
	struct share_bell *bell = share_bell_of(u->share, u->cfg.seat);
	if (bell)
		return CONTAINER_OF(bell, struct seat_post, bell);
	struct seat_post *post = mem_zalloc(sizeof(*post));
	post->bell = (struct share_bell){ on_ring, on_share_end };
	post->letter.on_read = on_bell;
	post->share = u->share;
	post->mail = u->cfg.mail;
	post->worker = u->worker;
	share_sit(u->share, u->cfg.seat, &post->bell);
	return post;
}

void seat_take(struct upstream *u)
{
	u->share = u->cfg.share;
	if (!u->share)
		return;
	CHECK(u->cfg.mail && u->cfg.seat < share_seats(u->share));
	share_ref(u->share);
	slots_tie(&u->slots, u->share);
	u->queue.share = u->share;
	u->post = seat_post_of(u);
	CHECK(!u->post->owner);
	u->post->owner = u;
}

void seat_leave(struct upstream *u)
{
	if (!u->share)
		return;
	share_leave(u->share, u->cfg.seat);
	u->post->owner = NULL;
	slots_untie(&u->slots);
	uint32_t next = share_oldest(u->share);
	if (next != SHARE_NOBODY)
		share_ring(u->share, next);
}

/* --- a connection that moves --- */

static void parcel_free(struct parcel *p)
{
	share_unref(&p->share);
	tuner_unref(&p->tuner);
	text_fini(&p->host);
	mem_free(p);
}

/* It is lost to the tuner that knows it. */
static void parcel_disown(struct parcel *p)
{
	if (p->tuner)
		tuner_closed(p->tuner);
	p->life.proven = false;
}

/* Nobody is there to have it. */
static void parcel_close(struct parcel *p, struct worker *w)
{
	struct conn c = { 0 };
	enum io_close how = IO_CLOSE_FIN;
	if (conn_adopt(&c, w->loop, &p->conn) == ERR_OK) {
		struct last_word *word = share_last_word(p->share);
		if (!last_word_is_fin(word))
			how = conn_quiet_close(&c);
		if (how == IO_CLOSE_RESET)
			last_word_reset(word);
		conn_close(&c, how);
	}
	parcel_disown(p);
	if (p->way)
		ports_give(p->ports, p->way, how == IO_CLOSE_FIN, worker_now(w));
	quota_give(share_sockets(p->share), 1);
	if (w->cconns.quota)
		quota_give(w->cconns.quota, 1);
}

/* Of the address's TLS, or plain as it is. */
static bool is_welcome(struct cconn *cc)
{
	struct tls_peer *peer = cc->endpoint->tls;
	if (!endpoint_keeps(cc->endpoint))
		return false;
	return cc->conn.tls ? peer && tls_adopt(&cc->conn, peer) : !peer;
}

static struct cconn *parcel_unpack(struct parcel *p, struct upstream *u)
{
	struct cconn *cc = slab_take_charged(&u->worker->cconns);
	cc->up = u;
	cconn_init(cc);
	upstream_note_conn(u);
	cc->state = CCONN_IDLE;
	list_push_front(&u->conns[CCONN_IDLE], &cc->node);
	if (upstream_is_conn_unit(u)) {
		cc->slot = slab_take(&u->worker->slots);
		CHECK(cc->slot); /* an unbounded slab */
		slots_move_in(&u->slots, cc->slot);
	}
	endpoint_take(cc, endpoint_for(u, &p->addr, text_slice(&p->host)));
	if (p->tuner != u->tuner)
		parcel_disown(p);
	cc->life = p->life;
	cc->way = p->way;
	return cc;
}

static void parcel_deliver(struct parcel *p, struct upstream *u)
{
	struct cconn *cc = parcel_unpack(p, u);
	if (conn_adopt(&cc->conn, u->worker->loop, &p->conn) != ERR_OK) {
		local_closed(cc, IO_CLOSE_FIN);
		cconn_close(cc, IO_CLOSE_FIN);
		return;
	}
	u->stats.sockets++;
	if (!is_welcome(cc)) {
		cconn_close_idle(cc);
		return;
	}
	u->stats.adopted++;
	pool_adopt(cc);
}

static void on_parcel(struct io_letter *l)
{
	struct parcel *p = CONTAINER_OF(l, struct parcel, letter);
	struct share_bell *bell = share_bell_of(p->share, p->seat);
	struct seat_post *post = CONTAINER_OF(bell, struct seat_post, bell);
	share_arrived(p->share, p->seat);
	if (post->owner) {
		parcel_deliver(p, post->owner);
		upstream_poke(post->owner);
	} else {
		parcel_close(p, post->worker);
	}
	parcel_free(p);
}

/* Everything of it that is this thread's is given up. */
static struct parcel *parcel_pack(struct cconn *cc, uint32_t to)
{
	struct upstream *u = cc->up;
	struct parcel *p = mem_zalloc(sizeof(*p));
	p->letter.on_read = on_parcel;
	p->share = u->share;
	share_ref(p->share);
	p->seat = to;
	p->addr = cc->endpoint->addr;
	text_init(&p->host);
	text_add_slice(&p->host, text_slice(&cc->endpoint->host));
	p->life = cc->life;
	if (cc->life.proven && u->tuner) {
		p->tuner = u->tuner;
		tuner_ref(p->tuner);
	}
	p->ports = u->cfg.ports;
	p->way = cc->way;
	cc->way = NULL;
	conn_release(&cc->conn, &p->conn);
	u->stats.sockets--;
	if (cc->slot) {
		slots_move_out(&u->slots, cc->slot);
		slab_give(&u->worker->slots, cc->slot);
		cc->slot = NULL;
	}
	cconn_leave(cc);
	return p;
}

void seat_ring_others(const struct upstream *u)
{
	uint32_t seats = u->share ? share_seats(u->share) : 0;
	for (uint32_t i = 0; i < seats; i++)
		if (i != u->cfg.seat)
			share_ring(u->share, i);
}

/* --- who goes first --- */

/* Who stays next whatever comes after it, goes by its age alone: behind it stands its whole thread,
 * those of high priority too. */
static ns_t rank_of(struct upstream *u, const struct ticket *t)
{
	if (queue_stays_next(&u->queue, t))
		return t->since;
	return admission_rank(u, t->caller, t->since);
}

bool seat_may_go(struct upstream *u, const struct ticket *t)
{
	return !u->share || share_may_go(u->share, u->cfg.seat, rank_of(u, t));
}

bool seat_passes(struct upstream *u, struct caller *c)
{
	ns_t now = worker_now(u->worker);
	return u->share && !upstream_next(u) &&
	       share_may_go(u->share, u->cfg.seat, admission_rank(u, c, now));
}

uint32_t seat_idle_elsewhere(const struct upstream *u)
{
	uint32_t seats = u->share ? share_seats(u->share) : 0, idle = 0;
	for (uint32_t i = 0; i < seats; i++)
		if (i != u->cfg.seat)
			idle += share_idle(u->share, i);
	return idle;
}

uint32_t seat_room_over_all(const struct upstream *u)
{
	return upstream_room(u, admission_has_several(u) ? seat_idle_elsewhere(u) : 0);
}

void seat_tell_front(struct upstream *u)
{
	if (!u->share)
		return;
	struct ticket *t = upstream_next(u);
	share_set_held(u->share, u->cfg.seat, !t && !queue_is_empty(&u->queue));
	share_set_front(u->share, u->cfg.seat, t ? rank_of(u, t) : NS_NEVER);
}

static uint32_t idle_to_give(const struct upstream *u)
{
	return u->stopping || u->retired ? 0 : u->conns[CCONN_IDLE].len;
}

/* Asks those who have idle connections for as many as are wanted. */
static void seat_ask(struct upstream *u, uint32_t want)
{
	uint32_t seats = share_seats(u->share), asked = 0;
	for (uint32_t i = 1; i < seats && asked < want; i++) {
		uint32_t seat = (u->cfg.seat + i) % seats;
		uint32_t idle = share_idle(u->share, seat);
		if (idle)
			share_ring(u->share, seat);
		asked += idle;
	}
	if (asked < want && slots_room(&u->slots) > 0 && park_is_elsewhere(u))
		seat_ring_others(u);
}

/* For the seat that has waited longest: the newest connections, for those have least reason to
 * be dead; or the news that it can go on. */
static void seat_serve(struct upstream *u, uint32_t oldest)
{
	struct share_bell *bell = share_bell_of(u->share, oldest);
	struct seat_post *to = CONTAINER_OF(bell, struct seat_post, bell);
	uint32_t idle = idle_to_give(u), sent = 0;
	while ((sent < idle || (share_wants(u->share, oldest) && park_take(u, 1))) &&
		share_send(u->share, oldest)) {
		struct list_node *newest = list_front(&u->conns[CCONN_IDLE]);
		CHECK(newest); /* as many as were counted */
		struct cconn *cc = CONTAINER_OF(newest, struct cconn, node);
		io_mail(to->mail, &parcel_pack(cc, oldest)->letter);
		sent++;
	}
	share_set_idle(u->share, u->cfg.seat, idle_to_give(u));
	if (!sent && share_has_something(u->share))
		share_ring(u->share, oldest);
}

/* What was given back here, and is not wanted, may be what those elsewhere wait for from whom all
 * there was had been kept. */
static void seat_wake_held(struct upstream *u)
{
	bool gave = admission_gave_back(u);
	if (!gave || !share_has_something(u->share))
		return;
	for (uint32_t i = 0; i < share_seats(u->share); i++)
		if (i != u->cfg.seat && share_is_held(u->share, i))
			share_ring(u->share, i);
}

void seat_settle(struct upstream *u)
{
	if (!u->share)
		return;
	seat_tell_front(u);
	share_set_idle(u->share, u->cfg.seat, idle_to_give(u));
	uint32_t want = share_set_want(u->share, u->cfg.seat, upstream_missing(u));
	if (share_waiting(u->share) == 0)
		return;
	uint32_t oldest = share_oldest(u->share);
	if (oldest == u->cfg.seat)
		seat_ask(u, want);
	else if (oldest != SHARE_NOBODY)
		seat_serve(u, oldest);
	seat_wake_held(u);
}

ns_t seat_again_at(const struct upstream *u)
{
	bool waits = u->worker->cconns.quota && !queue_is_empty(&u->queue);
	if (!waits || slab_room(&u->worker->cconns) > 0)
		return NS_NEVER;
	return ns_add(worker_now(u->worker), SEAT_AGAIN_FOR);
}

bool seat_is_quiet(const struct upstream *u)
{
	return !u->share || share_is_quiet(u->share, u->cfg.seat);
}

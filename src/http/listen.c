/*
 * Where a server listens: connections are accepted while there is room for them, places come and
 * go, and nobody who has connected is lost by that.
 */
#include "http/server_internal.h"

#define SERVER_ACCEPTS_A_TURN 64
#define SERVER_ACCEPT_AGAIN_FOR (20 * NS_MS)
/* A listener that goes, for those about to connect: a round trip, as most have it. */
#define SERVER_LEAVE_FOR (50 * NS_MS)

/* --- no room --- */

static void on_listener_ready(struct io_sock *sock, unsigned bits);

static void server_accept_more(struct server *s)
{
	for (uint32_t i = s->listener_count; i-- > 0;) {
		io_want(&s->listeners[i]->io.sock, IO_READ);
		if (s->listeners[i]->leaving) /* perhaps nobody waits there any more */
			on_listener_ready(&s->listeners[i]->io.sock, IO_READ);
	}
}

/* A sconn is free again, as far as is known: for whichever server of this worker had none. */
void worker_accept_more(struct worker *w)
{
	struct list_node *node;
	uint32_t n = w->accept_waits.len;
	io_timer_stop(w->loop, &w->accept_again);
	while (n-- > 0 && (node = list_pop_front(&w->accept_waits)))
		server_accept_more(CONTAINER_OF(node, struct server, accept_wait));
}

static void on_accept_again(struct timer *t)
{
	worker_accept_more(CONTAINER_OF(t, struct worker, accept_again));
}

/* Full: the rest waits in the kernel's backlog until a connection ends. Of one that ends on
 * another thread nobody tells us, nor of one that could give way by now. */
static void server_stop_accepting(struct server *s)
{
	struct worker *w = s->worker;
	if (!list_on(&s->accept_wait))
		list_push_back(&w->accept_waits, &s->accept_wait);
	for (uint32_t i = 0; i < s->listener_count; i++)
		io_want(&s->listeners[i]->io.sock, 0);
	if (!w->sconns.quota && !s->cfg.gives_way)
		return;
	w->accept_again.on_fire = on_accept_again;
	io_timer_set(w->loop, &w->accept_again,
		ns_add(worker_now(w), SERVER_ACCEPT_AGAIN_FOR));
}

/* Whose body has been under way for longest; NULL: all requests are whole. */
static struct sconn *oldest_body(const struct server *s)
{
	LIST_EACH (&s->conns[SCONN_BUSY], n, after) {
		struct sconn *c = CONTAINER_OF(n, struct sconn, node);
		if (c->awaited & AWAIT_BODY)
			return c;
	}
	return NULL;
}

/* Full, but not of requests: of those that do not ask for anything, or have not asked to the end,
 * the one that has not for longest makes room, once it is freed. */
static void server_give_way(struct server *s)
{
	static const enum sconn_state order[] = { SCONN_CUT, SCONN_LINGER, SCONN_HEAD,
		SCONN_IDLE };
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		struct list_node *oldest = list_front(&s->conns[order[i]]);
		if (!oldest)
			continue;
		sconn_close_now(CONTAINER_OF(oldest, struct sconn, node));
		return;
	}
	struct sconn *c = oldest_body(s);
	if (c)
		sconn_finish(c, ERR_REQ_TIMEOUT);
}

/* --- accepting --- */

/* ERR_NO_MEMORY: no sconn is left, and who waits is taken when there is one. */
static enum err server_accept_one(struct server_listener *l)
{
	struct server *s = l->server;
	struct addr peer;
	struct sconn *c = sconn_new(s);
	if (!c) {
		server_stop_accepting(s);
		return ERR_NO_MEMORY;
	}
	enum err e = conn_accept(&c->conn, &l->io, &peer);
	if (e != ERR_OK) {
		slab_give(&s->worker->sconns, c);
		return e;
	}
	if (s->cfg.tls && !l->place.plain)
		tls_accept(&c->conn, s->cfg.tls);
	c->mark = l->place.mark;
	c->peer = addr_hash(&peer);
	c->unserved = s->cfg.ops->on_accept && !s->cfg.ops->on_accept(s, &c->conn, &peer);
	bool speaks = conn_is_shaking(&c->conn) && s->cfg.ops->on_turned_away;
	if (c->unserved && !speaks) {
		conn_close(&c->conn, IO_CLOSE_FIN);
		slab_give(&s->worker->sconns, c);
		return ERR_OK;
	}
	c->state = c->unserved ? SCONN_AWAY : SCONN_IDLE;
	list_push_back(&s->conns[c->state], &c->node);
	sconn_deadline(c, ns_min(s->cfg.head_for, s->cfg.idle_for));
	sconn_rearm(c);
	return ERR_OK;
}

void server_close_listener(struct server *s, uint32_t nth)
{
	struct server_listener *l = s->listeners[nth];
	io_timer_stop(s->worker->loop, &l->left);
	io_listener_close(&l->io);
	mem_free(l);
	s->listener_count--;
	for (uint32_t i = nth; i < s->listener_count; i++)
		s->listeners[i] = s->listeners[i + 1];
}

/* Closing would reset those who wait in it: it goes when nobody does. */
static void server_leave(struct server_listener *l, enum err accepted)
{
	struct server *s = l->server;
	uint32_t nth = 0;
	if (accepted == ERR_NO_MEMORY || timer_is_set(&l->left))
		return;
	/* It rests, or has taken all that was for one turn: nobody may be left who would tell. */
	if (accepted == ERR_NO_FDS || accepted == ERR_OK) {
		io_timer_set(s->worker->loop, &l->left,
			ns_add(worker_now(s->worker), SERVER_LEAVE_FOR));
		return;
	}
	while (s->listeners[nth] != l)
		nth++;
	server_close_listener(s, nth);
	server_check_drained(s);
}

static void on_listener_ready(struct io_sock *sock, unsigned bits)
{
	struct io_listener *io = CONTAINER_OF(sock, struct io_listener, sock);
	struct server_listener *l = CONTAINER_OF(io, struct server_listener, io);
	enum err e = ERR_OK;
	(void)bits;
	for (int i = 0; i < SERVER_ACCEPTS_A_TURN && e == ERR_OK; i++) {
		e = server_accept_one(l);
		/* somebody does wait, and those who came before have had a turn to speak */
		if (e == ERR_NO_MEMORY && i == 0 && l->server->cfg.gives_way)
			server_give_way(l->server);
	}
	if (l->leaving)
		server_leave(l, e);
}

/* --- places --- */

static struct server_listener *server_new_listener(
	struct server *s, const struct server_place *place)
{
	struct server_listener *l = mem_zalloc(sizeof(*l));
	l->server = s;
	l->place = *place;
	l->io.sock.on_ready = on_listener_ready;
	return l;
}

static void server_add_listener(struct server *s, struct server_listener *l)
{
	s->listeners[s->listener_count++] = l;
	io_want(&l->io.sock, IO_READ);
}

bool server_listen_at(
	struct server *s, const struct server_place *place, struct problem *p)
{
	if (s->listener_count == ARRAY_LEN(s->listeners))
		return problem_set(
			p, "at most %d addresses to listen on", SERVER_LISTENERS_MAX);
	struct server_listener *l = server_new_listener(s, place);
	if (io_listen(s->worker->loop, &l->io, &place->at, NULL, p) != ERR_OK) {
		mem_free(l);
		return false;
	}
	server_add_listener(s, l);
	return true;
}

bool server_listen(struct server *s, const struct addr *at, struct problem *p)
{
	return server_listen_at(s, &(struct server_place){ .at = *at }, p);
}

/* Of those that leave, and cannot as no sconn comes free, the oldest makes room. */
static void server_make_room(struct server *s)
{
	uint32_t nth = 0;
	if (s->listener_count < ARRAY_LEN(s->listeners))
		return;
	while (!s->listeners[nth]->leaving)
		CHECK(++nth < s->listener_count);
	server_close_listener(s, nth);
}

enum err server_adopt(
	struct server *s, const struct server_place *place, struct io_bound *from)
{
	struct server_listener *l = server_new_listener(s, place);
	server_make_room(s);
	enum err e = io_adopt(s->worker->loop, &l->io, from);
	if (e == ERR_OK)
		server_add_listener(s, l);
	else
		mem_free(l);
	return e;
}

static void on_left(struct timer *t)
{
	struct server_listener *l = CONTAINER_OF(t, struct server_listener, left);
	on_listener_ready(&l->io.sock, IO_READ);
}

/* Who is about to connect may finish: it does not hear that the listener goes. */
static void server_unlisten(struct server *s, uint32_t nth)
{
	struct server_listener *l = s->listeners[nth];
	struct worker *w = s->worker;
	l->leaving = true;
	l->left.on_fire = on_left;
	io_listener_deafen(&l->io);
	io_timer_set(w->loop, &l->left, ns_add(worker_now(w), SERVER_LEAVE_FOR));
}

static bool is_same_place(const struct server_place *a, const struct server_place *b)
{
	return addr_eq(&a->at, &b->at) && a->mark == b->mark && a->plain == b->plain;
}

static bool is_among(
	const struct server_place *place, const struct server_place *among, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (is_same_place(place, &among[i]))
			return true;
	return false;
}

bool server_has_place(const struct server *s, const struct server_place *place)
{
	for (uint32_t i = 0; i < s->listener_count; i++)
		if (!s->listeners[i]->leaving &&
			is_same_place(&s->listeners[i]->place, place))
			return true;
	return false;
}

void server_keep_only(struct server *s, const struct server_place *places, uint32_t n)
{
	for (uint32_t i = s->listener_count; i-- > 0;)
		if (!s->listeners[i]->leaving &&
			!is_among(&s->listeners[i]->place, places, n))
			server_unlisten(s, i);
}

uint8_t server_mark(const struct server *s, uint32_t nth)
{
	return s->listeners[nth]->place.mark;
}

const struct addr *server_addr(const struct server *s, uint32_t nth)
{
	return nth < s->listener_count ? &s->listeners[nth]->io.at : NULL;
}

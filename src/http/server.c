#include "http/internal.h"
#include "http/server_internal.h"

#define SERVER_LINGER_FOR (2 * NS_S)
/* While it drains: an idle connection's next request may be on its way. */
#define SERVER_GRACE_FOR (NS_S / 2)
/* Who has connected and not asked yet is about to. */
#define SERVER_FIRST_GRACE_FOR (2 * NS_S)

size_t sconn_size(void)
{
	return sizeof(struct sconn);
}

/* --- states --- */

void sconn_enter(struct sconn *c, enum sconn_state state)
{
	list_remove(&c->server->conns[c->state], &c->node);
	c->state = state;
	list_push_back(&c->server->conns[state], &c->node);
}

void sconn_deadline(struct sconn *c, ns_t for_ns)
{
	struct worker *w = c->server->worker;
	io_timer_set(w->loop, &c->timer, ns_add(worker_now(w), for_ns));
}

void sconn_rearm(struct sconn *c)
{
	unsigned bits = 0;
	bool room = !inbound_is_full(&c->in);
	switch (c->state) {
	case SCONN_IDLE: /* full of pipelined requests, it waits for the end of the turn */
		bits = room && !c->ended ? IO_READ : 0;
		break;
	case SCONN_HEAD:
	case SCONN_LINGER:
		bits = IO_READ;
		break;
	case SCONN_BUSY:
		/* With the request whole, reading goes on for the hang-up alone. */
		if (!c->broken && !c->hung_up && !c->ended && !c->body_paused && room)
			bits |= IO_READ;
		break;
	case SCONN_AWAY:
		bits = IO_WRITE;
		break;
	case SCONN_REFUSE:
	case SCONN_PAUSE:
	case SCONN_CUT:
	case SCONN_CLOSED:
	case SCONN_STATES:
		break;
	}
	if (c->state != SCONN_CLOSED && !c->broken && !outbound_is_flushed(&c->out))
		bits |= IO_WRITE;
	if (c->blocked && !c->broken)
		bits |= IO_WRITE;
	if (c->state == SCONN_BUSY && !c->broken && !c->tunnel)
		sconn_watch_pace(c, bits & IO_WRITE);
	if (!conn_is_open(&c->conn))
		return;
	if (bits & ~conn_wanted(&c->conn) & IO_READ)
		c->hears_from = worker_now(c->server->worker);
	conn_want(&c->conn, bits);
}

/* --- the end of a connection --- */

bool server_is_drained(const struct server *s)
{
	return s->draining && !s->listener_count && !server_conn_count(s);
}

void server_check_drained(struct server *s)
{
	if (s->told_drained || s->stopping || !server_is_drained(s))
		return;
	s->told_drained = true;
	if (s->cfg.ops->on_drained)
		s->cfg.ops->on_drained(s);
}

static void sconn_tell_closed(struct sconn *c)
{
	if (c->server->cfg.ops->on_close && !c->unserved)
		c->server->cfg.ops->on_close(c);
	c->unserved = true; /* told once */
	if (UNLIKELY(c->server->draining))
		server_check_drained(c->server);
}

void sconn_close(struct sconn *c, enum io_close how)
{
	struct worker *w = c->server->worker;
	if (c->state == SCONN_CLOSED)
		return;
	conn_close(&c->conn, how);
	io_timer_stop(w->loop, &c->timer);
	if (c->head)
		slab_give(&w->heads, c->head);
	c->head = NULL;
	inbound_relax(&c->in, w, true);
	outbound_reset(&c->out, w);
	sconn_enter(c, SCONN_CLOSED);
	io_defer(w->loop, &c->later);
	/* At once, so that a slot is free as soon as may be after the FIN; but not inside the
	 * app's own sconn_abort. */
	if (!c->aborted)
		sconn_tell_closed(c);
}

static void sconn_free(struct sconn *c)
{
	struct server *s = c->server;
	sconn_tell_closed(c);
	list_remove(&s->conns[SCONN_CLOSED], &c->node);
	io_defer_cancel(s->worker->loop, &c->later);
	slab_give(&s->worker->sconns, c);
	worker_accept_more(s->worker);
}

/* After the last answer: FIN, then read on until the client closes, so that no RST eats it. */
static void sconn_linger(struct sconn *c)
{
	const bool abrupt = c->server->cfg.abrupt_close && c->state != SCONN_REFUSE;
	if (abrupt || conn_shutdown(&c->conn) != ERR_OK) {
		sconn_close(c, IO_CLOSE_FIN);
		return;
	}
	sconn_enter(c, SCONN_LINGER);
	sconn_deadline(c, SERVER_LINGER_FOR);
	sconn_rearm(c);
}

/* --- the end of an exchange --- */

void sconn_drop_head(struct sconn *c)
{
	struct worker *w = c->server->worker;
	if (c->head)
		slab_give(&w->heads, c->head);
	c->head = NULL;
	inbound_unpin(&c->in, w);
}

void sconn_finish(struct sconn *c, enum err why)
{
	struct worker *w = c->server->worker;
	CHECK(c->state == SCONN_BUSY && (c->head || c->tunnel));
	c->server->cfg.ops->on_end(c, why);
	c->ctx = NULL;
	c->closing |= sconn_is_refused_tunnel(c);
	sconn_drop_head(c);
	if (c->tunnel) {
		sconn_close(c, why == ERR_OK ? IO_CLOSE_FIN : IO_CLOSE_RESET);
		return;
	}
	if (why != ERR_OK || c->broken) {
		sconn_cut(c);
		return;
	}
	outbound_reset(&c->out, w);
	c->served++;
	if (!sconn_is_last(c) && c->body_done) {
		sconn_enter(c, SCONN_IDLE);
		sconn_deadline(c,
			c->server->draining ? SERVER_GRACE_FOR : c->server->cfg.idle_for);
		/* A pipelined request waits for the end of the turn: no recursion. */
		if (c->in.end > c->in.start)
			io_defer(w->loop, &c->later);
		inbound_relax(&c->in, w, false);
		sconn_rearm(c);
		return;
	}
	inbound_relax(&c->in, w, true);
	if (c->server->cfg.close_after > 0) {
		sconn_enter(c, SCONN_PAUSE);
		sconn_deadline(c, c->server->cfg.close_after);
		sconn_rearm(c);
		return;
	}
	sconn_linger(c);
}

/* --- reading requests --- */

/* What the app has to say to it; `words` goes to sconn_refuse. */
static void sconn_ask_words(struct sconn *c, enum err why, struct server_words *words)
{
	wire_init(&words->fields, words->buf, sizeof(words->buf));
	text_init(&words->body);
	if (c->server->cfg.ops->on_refused)
		c->server->cfg.ops->on_refused(c, why, words);
}

static void sconn_refuse_head(struct sconn *c, enum err why)
{
	struct server_words words;
	sconn_ask_words(c, why, &words);
	sconn_refuse(c, why, &words);
}

static void sconn_begin_request(struct sconn *c, size_t used)
{
	const struct server_cfg *cfg = &c->server->cfg;
	struct worker *w = c->server->worker;
	if (!inbound_pin(&c->in, w, c->head, used)) {
		slab_give(&w->heads, c->head);
		c->head = NULL; /* it never was a request */
		sconn_refuse_head(c, ERR_NO_MEMORY);
		return;
	}
	io_timer_stop(w->loop, &c->timer);
	sconn_enter(c, SCONN_BUSY);
	c->sent_from = (uint32_t)conn_sent(&c->conn);
	c->body_done = c->head->body == H1_BODY_NONE ||
		       (c->head->body == H1_BODY_LENGTH && c->head->content_length == 0);
	c->body_paused = c->blocked = false;
	c->awaited = 0;
	c->continue_due = c->head->expect_continue && !c->body_done;
	if (!c->head->keep_alive || cfg->close_each || c->server->draining ||
		(cfg->max_requests && c->served + 1 >= cfg->max_requests))
		c->closing = true;
	cfg->ops->on_request(c, c->head);
	if (c->state == SCONN_BUSY && c->body_done && c->head && !c->out.done)
		cfg->ops->on_body_end(c);
}

/* Parses what is there; true while another step may follow from bytes at hand. */
static bool sconn_parse_head(struct sconn *c)
{
	struct worker *w = c->server->worker;
	enum err why = ERR_OK;
	size_t used = 0;
	if (!c->head)
		c->head = slab_take_raw(&w->heads);
	if (!c->head) {
		sconn_refuse_head(c, ERR_NO_MEMORY);
		return false;
	}
	enum h1_result r = h1_parse_request(&c->in.scan, inbound_bytes(&c->in),
		&c->server->cfg.limits, c->head, &used, &why);
	if (r == H1_DONE) {
		sconn_begin_request(c, used);
		return c->state == SCONN_BUSY && !c->body_done;
	}
	slab_give(&w->heads, c->head);
	c->head = NULL;
	if (r == H1_PARTIAL && inbound_is_full(&c->in))
		why = ERR_REQ_HEAD_LARGE;
	if (why != ERR_OK) {
		sconn_refuse_head(c, why);
	} else if (c->ended) {
		sconn_close(c, IO_CLOSE_FIN); /* the rest of it will not come */
	} else if (c->state == SCONN_IDLE) {
		sconn_enter(c, SCONN_HEAD);
		sconn_deadline(c, c->server->cfg.head_for);
	}
	return false;
}

/* A fault in the body: the app lets go, and unless it has begun to answer, the client is told. */
static void sconn_body_fault(struct sconn *c, enum err why)
{
	struct server_words words;
	if (c->out.done) {
		c->body_paused =
			true; /* answered: what is left of the request is nobody's */
		return;
	}
	if (c->out.head_done || !outbound_is_flushed(&c->out)) {
		sconn_finish(c, why);
		return;
	}
	sconn_ask_words(c, why, &words);
	c->server->cfg.ops->on_end(c, why);
	c->ctx = NULL;
	sconn_refuse(c, why, &words);
}

static void sconn_pump_body(struct sconn *c)
{
	const struct server_ops *ops = c->server->cfg.ops;
	while (c->state == SCONN_BUSY && !c->body_done && !c->body_paused) {
		struct slice data;
		enum h1_result r = inbound_next(&c->in, &data);
		if (r == H1_BAD) {
			sconn_body_fault(c, ERR_REQ_CHUNK);
			return;
		}
		if (r == H1_DONE) {
			c->body_done = true;
			inbound_relax(&c->in, c->server->worker, false);
			if (!c->out.done)
				ops->on_body_end(c);
			return;
		}
		if (!data.len)
			break;
		/* An app that has answered already wants no more of it. */
		bool unwanted = c->out.done && !c->tunnel;
		size_t taken = unwanted ? data.len : ops->on_body(c, data);
		if (c->state != SCONN_BUSY)
			return;
		inbound_took(&c->in, data, taken);
		c->body_paused = taken < data.len;
	}
	inbound_relax(&c->in, c->server->worker, false);
}

/* The client closed or reset. */
static void sconn_on_gone(struct sconn *c)
{
	const struct server_ops *ops = c->server->cfg.ops;
	if (c->state != SCONN_BUSY) {
		sconn_close(c, IO_CLOSE_FIN);
		return;
	}
	if (c->tunnel) {
		c->broken = true;
		sconn_finish(c, ERR_CLIENT_GONE);
		return;
	}
	if (c->out.done && outbound_is_flushed(&c->out)) {
		c->closing = true; /* it has had its answer, and went */
		sconn_finish(c, ERR_OK);
		return;
	}
	if (c->body_done && ops->on_hangup && !ops->on_hangup(c)) {
		if (c->state == SCONN_CLOSED)
			return;
		c->hung_up = true;
		c->closing = true;
		sconn_rearm(c);
		return;
	}
	if (c->state != SCONN_BUSY)
		return;
	c->broken = true;
	sconn_finish(c, ERR_CLIENT_GONE);
}

/* Goes on with whatever the buffer holds, in the state the connection is in. */
static void sconn_next(struct sconn *c)
{
	bool bytes = c->in.end > c->in.start;
	if ((c->state == SCONN_IDLE || c->state == SCONN_HEAD) && bytes) {
		if (!sconn_parse_head(c)) {
			if (c->state != SCONN_CLOSED)
				sconn_rearm(c);
			return;
		}
	}
	if (c->state == SCONN_BUSY)
		sconn_pump_body(c);
	if (c->state == SCONN_BUSY && c->ended && !c->body_done && !c->body_paused)
		sconn_on_gone(c); /* the rest of its body will not come */
	if (c->state == SCONN_IDLE)
		inbound_relax(&c->in, c->server->worker, false);
	if (c->state != SCONN_CLOSED)
		sconn_rearm(c);
}

/* All that the app has said is with the kernel, and it has said the end. */
static void sconn_on_written(struct sconn *c)
{
	if (c->tunnel && !c->shut) {
		c->broken = conn_shutdown(&c->conn) != ERR_OK;
		c->shut = true;
	}
	if (!c->tunnel || c->body_done || c->broken)
		sconn_finish(c, c->broken ? ERR_CLIENT_GONE : ERR_OK);
}

/* The client ends its direction of a tunnel. */
static void sconn_on_tunnel_eof(struct sconn *c)
{
	c->ended = c->body_done = true;
	c->server->cfg.ops->on_body_end(c);
	if (c->state == SCONN_BUSY && c->shut)
		sconn_finish(c, ERR_OK);
	else if (c->state != SCONN_CLOSED)
		sconn_rearm(c);
}

/* Of a reset the kernel tells once, and a write may have been told. Under TLS anybody on the
 * way can forge a FIN, but not the close_notify before it. */
static bool sconn_is_clean_end(const struct sconn *c)
{
	return c->tunnel && !c->broken && !c->conn.cut;
}

static void sconn_on_readable(struct sconn *c)
{
	enum err e = inbound_fill(&c->in, c->server->worker, &c->conn);
	if (e == ERR_AGAIN)
		return;
	if (e == ERR_NO_MEMORY) {
		/* No buffer is left: rest until the write side or a deadline moves us. */
		if (c->state == SCONN_IDLE || c->state == SCONN_HEAD)
			sconn_close(c, IO_CLOSE_FIN);
		else
			conn_want(&c->conn, conn_wanted(&c->conn) & ~(unsigned)IO_READ);
		return;
	}
	if (e == ERR_EOF && sconn_is_clean_end(c)) {
		if (c->in.end > c->in.start)
			sconn_next(c); /* was held back, and comes before the end */
		else
			sconn_on_tunnel_eof(c);
		return;
	}
	if (e == ERR_EOF && !c->tunnel && sconn_is_early_fin(c)) {
		c->ended = true;
		sconn_rearm(c);
		return;
	}
	if (e == ERR_REQ_PLAIN && c->state == SCONN_IDLE) {
		conn_strip(&c->conn);
		sconn_refuse_head(c, e);
		return;
	}
	if (e != ERR_OK) {
		sconn_on_gone(c);
		return;
	}
	if (c->state == SCONN_LINGER) {
		inbound_relax(&c->in, c->server->worker, true);
		return;
	}
	sconn_next(c);
}

/* The handshake of a connection that is not served has ended, well or not. */
static void sconn_turn_away(struct sconn *c)
{
	struct server *s = c->server;
	if (conn_connected(&c->conn) == ERR_OK)
		s->cfg.ops->on_turned_away(s, &c->conn);
	sconn_close(c, IO_CLOSE_FIN);
}

static void sconn_on_writable(struct sconn *c)
{
	if (c->state == SCONN_AWAY) {
		sconn_turn_away(c);
		return;
	}
	enum err e = outbound_flush(&c->out, c->server->worker, &c->conn);
	if (e == ERR_AGAIN)
		return;
	if (e != ERR_OK) {
		c->broken = true;
		if (c->state == SCONN_BUSY)
			sconn_finish(c, ERR_CLIENT_GONE);
		else
			sconn_close(c, IO_CLOSE_FIN);
		return;
	}
	if (c->state == SCONN_BUSY && c->out.done) {
		sconn_on_written(c);
		if (c->state != SCONN_BUSY)
			return;
	}
	if (c->state == SCONN_REFUSE) {
		sconn_linger(c);
		return;
	}
	if (c->blocked && c->server->cfg.ops->on_drain) {
		c->blocked = false;
		c->server->cfg.ops->on_drain(c);
	}
	if (c->state != SCONN_CLOSED)
		sconn_rearm(c);
}

static void on_conn_ready(struct conn *conn, unsigned bits)
{
	struct sconn *c = CONTAINER_OF(conn, struct sconn, conn);
	if (bits & IO_WRITE)
		sconn_on_writable(c);
	if ((bits & IO_READ) && c->state != SCONN_CLOSED && (conn_wanted(conn) & IO_READ))
		sconn_on_readable(c);
}

static void sconn_on_pace(struct sconn *c)
{
	const struct server_cfg *cfg = &c->server->cfg;
	struct worker *w = c->server->worker;
	ns_t now = worker_now(w), due;
	enum err why = sconn_check_pace(c, now, &due);
	if (why == ERR_SLOW_CLIENT) {
		c->broken = true;
		sconn_finish(c, why);
	} else if (why != ERR_OK) {
		sconn_body_fault(c, why);
	} else if (c->awaited) {
		/* What is awaited from later on may be due before this is. */
		ns_t look = ns_add(now, ns_min(cfg->write_for, cfg->body_for));
		io_timer_set(w->loop, &c->timer, ns_min(due, look));
	}
}

/* Empty lines behind a request are no beginning of another: RFC 9112 2.2. A 408 then could
 * pass for the answer to the request that follows. */
static bool sconn_has_begun_head(const struct sconn *c)
{
	struct slice in = inbound_bytes(&c->in);
	for (size_t i = 0; i < in.len; i++)
		if (in.ptr[i] != '\r' && in.ptr[i] != '\n')
			return true;
	return false;
}

/* A request that came this very moment is served: closed unread, it would be reset. */
static void sconn_end_idle(struct sconn *c)
{
	sconn_on_readable(c);
	if (c->state != SCONN_IDLE || timer_is_set(&c->timer))
		return;
	/* the client may not have read its last answer yet, and ask again as it does */
	if (c->server->draining && c->served)
		sconn_linger(c);
	else
		sconn_close(c, IO_CLOSE_FIN);
}

static void on_timer(struct timer *t)
{
	struct sconn *c = CONTAINER_OF(t, struct sconn, timer);
	switch (c->state) {
	case SCONN_IDLE:
		sconn_end_idle(c);
		break;
	case SCONN_HEAD:
		if (sconn_has_begun_head(c))
			sconn_refuse_head(c, ERR_REQ_TIMEOUT);
		else
			sconn_close(c, IO_CLOSE_FIN);
		break;
	case SCONN_PAUSE:
		sconn_linger(c);
		break;
	case SCONN_BUSY:
		sconn_on_pace(c);
		break;
	case SCONN_CUT:
		sconn_look_cut(c);
		break;
	case SCONN_REFUSE:
	case SCONN_AWAY:
	case SCONN_LINGER:
	case SCONN_CLOSED:
	case SCONN_STATES:
		sconn_close(c, IO_CLOSE_FIN);
		break;
	}
}

void sconn_body_pull(struct sconn *c)
{
	if (!c->body_paused)
		return;
	sconn_body_resume(c);
	sconn_pump_body(c);
}

/* What the app's calls left to be done: see answer.c. */
static void on_later(struct io_defer *d)
{
	struct sconn *c = CONTAINER_OF(d, struct sconn, later);
	if (c->state == SCONN_CLOSED) {
		sconn_free(c);
		return;
	}
	if (c->state == SCONN_BUSY && c->broken) {
		sconn_finish(c, ERR_CLIENT_GONE);
		return;
	}
	if (c->state == SCONN_BUSY && c->out.done && outbound_is_flushed(&c->out)) {
		sconn_on_written(c);
		if (c->state != SCONN_BUSY)
			return;
	}
	if (c->state == SCONN_REFUSE) {
		if (outbound_is_flushed(&c->out))
			sconn_linger(c);
		else
			sconn_rearm(c);
		return;
	}
	sconn_next(c);
}

struct sconn *sconn_new(struct server *s)
{
	struct sconn *c = slab_take(&s->worker->sconns);
	if (!c)
		return NULL;
	c->server = s;
	c->conn.on_ready = on_conn_ready;
	c->timer.on_fire = on_timer;
	c->later.fn = on_later;
	return c;
}

void server_set_times(struct server *s, const struct server_cfg *cfg)
{
	s->cfg.head_for = cfg->head_for;
	s->cfg.idle_for = cfg->idle_for;
	s->cfg.close_after = cfg->close_after;
	s->cfg.write_for = cfg->write_for ? cfg->write_for : NS_NEVER;
	s->cfg.body_for = cfg->body_for ? cfg->body_for : NS_NEVER;
}

struct server *server_new(struct worker *w, const struct server_cfg *cfg)
{
	struct server *s = mem_zalloc(sizeof(*s));
	s->worker = w;
	s->cfg = *cfg;
	if (cfg->tls)
		tls_server_ref(cfg->tls);
	if (!s->cfg.limits.head_bytes || s->cfg.limits.head_bytes > WORKER_BUF_BYTES)
		s->cfg.limits.head_bytes = WORKER_BUF_BYTES;
	server_set_times(s, cfg);
	for (size_t i = 0; i < SCONN_STATES; i++)
		list_init(&s->conns[i]);
	return s;
}

void server_set_tls(struct server *s, struct tls_server *tls)
{
	if (tls)
		tls_server_ref(tls);
	if (tls && s->cfg.tls && tls != s->cfg.tls)
		tls_server_succeed(tls, s->cfg.tls);
	tls_server_unref(&s->cfg.tls);
	s->cfg.tls = tls;
}

void server_drain(struct server *s)
{
	s->draining = true;
	server_keep_only(s, NULL, 0);
	LIST_EACH (&s->conns[SCONN_IDLE], n, after) {
		struct sconn *c = CONTAINER_OF(n, struct sconn, node);
		/* A handshake may take longer: it keeps the deadline it has. */
		if (!conn_is_shaking(&c->conn))
			sconn_deadline(
				c, c->served ? SERVER_GRACE_FOR : SERVER_FIRST_GRACE_FOR);
	}
	LIST_EACH (&s->conns[SCONN_BUSY], n, after) {
		struct sconn *c = CONTAINER_OF(n, struct sconn, node);
		/* Too late to tell: the next answer will. */
		if (!c->out.head_done)
			c->closing = true;
	}
}

void server_free(struct server **sp)
{
	struct server *s = *sp;
	struct list_node *n;
	if (!s)
		return;
	s->draining = s->stopping = true;
	while (s->listener_count)
		server_close_listener(s, s->listener_count - 1);
	if (list_on(&s->accept_wait))
		list_remove(&s->worker->accept_waits, &s->accept_wait);
	if (s->worker->accept_waits.len == 0)
		io_timer_stop(s->worker->loop, &s->worker->accept_again);
	for (int i = 0; i < SCONN_CLOSED; i++) {
		while ((n = list_front(&s->conns[i]))) {
			struct sconn *c = CONTAINER_OF(n, struct sconn, node);
			if (c->state != SCONN_BUSY) {
				sconn_close_now(c);
				continue;
			}
			s->cfg.ops->on_end(c, ERR_STOPPING);
			sconn_cut(c);
		}
	}
	while ((n = list_front(&s->conns[SCONN_CLOSED])))
		sconn_free(CONTAINER_OF(n, struct sconn, node));
	tls_server_unref(&s->cfg.tls);
	mem_free(s);
	*sp = NULL;
}

const struct tls_counts *server_tls_counts(const struct server *s)
{
	return s->cfg.tls ? tls_server_counts(s->cfg.tls) : NULL;
}

uint32_t server_conn_count(const struct server *s)
{
	uint32_t count = 0;
	for (int i = 0; i < SCONN_CLOSED; i++)
		count += s->conns[i].len;
	return count;
}

void *server_ctx(const struct server *s)
{
	return s->cfg.ctx;
}

/* What the app calls on its call. */
#include "http/upstream_internal.h"

/* Another attempt of a call that failed will probably fail, too: it shows nothing new. That we stop
 * says nothing of the server, which others may go on to use. */
static enum limit_end limit_end_of(const struct call *c, enum err why)
{
	bool gone = why == ERR_EOF || why == ERR_RESET || why == ERR_PIPE || c->cut;
	bool heard = c->heard || c->first_byte_at, is_first = !c->again && !c->replayed;
	if (why == ERR_OK && c->status < 500)
		return LIMIT_ANSWERED;
	if (why == ERR_STOPPING)
		return c->sent_at ? LIMIT_LEFT : LIMIT_UNSENT;
	if (gone && !c->reused && is_first && !heard)
		return LIMIT_CUT_OFF;
	return LIMIT_FAILED;
}

void call_finish(struct call *c, struct upstream *u, enum err why)
{
	if (c->hedge) {
		hedge_go_on(c, u, why);
		return;
	}
	why = again_end_as(c, why);
	c->state = CALL_OVER;
	c->conn = NULL;
	c->batch = NULL;
	admission_call_over(u, c, why == ERR_OK);
	if (why == ERR_OK)
		again_note_answer(u, c);
	else if (c->granted_at)
		u->stats.failed++;
	struct limit_mark mark = c->mark;
	const enum limit_end how = limit_end_of(c, why);
	const struct brake_plea plea = c->plea;
	c->mark.sent_at = 0;
	const struct health_end end = health_end_of(u, c, why);
	const uint32_t at = c->at;
	const bool kept = c->kept;
	hold_call_over(u, c);
	u->refused = u->went_back = false;
	c->ops->on_end(c, why); /* its storage is the app's again */
	u->refused_kept |= u->refused && kept;
	tune_ended(u, &mark, u->refused ? LIMIT_REFUSED : how);
	health_note_end(u, &end, u->refused);
	if (!u->refused)
		hold_ask(u, at, &plea);
}

void call_abandon(struct call *c, struct upstream *u)
{
	admission_call_over(u, c, false);
	if (c->hedge)
		hedge_drop(c);
	switch (c->state) {
	case CALL_QUEUED:
		upstream_unqueue(u, c);
		break;
	case CALL_RESTING:
		again_leave(u, c);
		break;
	case CALL_CONNECTING:
	case CALL_SENDING:
		u->stats.abandoned++;
		c->state = CALL_OVER;
		cconn_abandon(c->conn);
		break;
	case CALL_NEW:
	case CALL_OVER:
		break;
	}
}

bool call_begin(struct call *c, struct slice method, struct slice path, struct wire *w)
{
	struct cconn *cc = c->conn;
	CHECK(c->state == CALL_SENDING && cc && !cc->out.head_done);
	if (!outbound_head(&cc->out, cc->up->worker, w))
		return false;
	h1_put_request_line(w, method, path);
	return true;
}

/*
 * RFC 9110 9.3.1, 9.3.2, 9.3.5, 9.3.7: content of these methods has no meaning of its own. A
 * server that leaves it unread takes it for the next request, and the next caller would get the
 * answer to that.
 */
static bool may_be_left_unread(
	const struct call *c, enum h1_body framing, uint64_t length)
{
	const bool content = framing == H1_BODY_CHUNKED || length > 0;
	return content && (c->method == H1_GET || c->method == H1_HEAD ||
				  c->method == H1_DELETE || c->method == H1_OPTIONS);
}

/* PRETEND says keep-alive aloud, as programs do that forward their caller's fields. */
static void call_put_connection(const struct call *c, struct wire *w)
{
	const struct slice says[] = { [UPSTREAM_POOL] = SLICE(""),
		[UPSTREAM_CLOSE] = SLICE("close"),
		[UPSTREAM_PRETEND] = SLICE("keep-alive") };
	const struct slice option = c->conn->last ? SLICE("close")
						  : says[c->conn->up->cfg.connections];
	if (!c->upgrade.len) {
		if (option.len)
			h1_put_field(w, SLICE("Connection"), option);
		return;
	}
	WIRE_LIT(w, "Connection: upgrade");
	if (option.len)
		WIRE_LIT(w, ", ");
	wire_put_slice(w, option);
	WIRE_LIT(w, "\r\n");
	h1_put_field(w, SLICE("Upgrade"), c->upgrade);
}

bool call_head_end(struct call *c, struct wire *w, enum h1_body framing, uint64_t length)
{
	struct cconn *cc = c->conn;
	CHECK(!c->upgrade.len || framing == H1_BODY_NONE || length == 0);
	cc->last = !cc->up->cfg.reads_bodies && may_be_left_unread(c, framing, length);
	call_put_connection(c, w);
	if (framing != H1_BODY_NONE)
		h1_put_framing(w, framing, length);
	h1_put_end(w);
	if (w->over)
		return false;
	outbound_head_end(&cc->out, w, framing, length);
	return true;
}

size_t call_data(struct call *c, struct slice data)
{
	struct cconn *cc = c->conn;
	size_t taken = 0;
	CHECK(c->state == CALL_SENDING && cc && cc->out.head_done && !cc->out.done);
	if (cc->write_failed)
		return data.len;
	enum err e = outbound_data(&cc->out, cc->up->worker, &cc->conn, data, &taken);
	if (e != ERR_OK) {
		cconn_write_failed(cc, e);
		return data.len;
	}
	if (taken < data.len) {
		cc->blocked = true;
		cconn_rearm(cc);
	} else if (!outbound_is_flushed(&cc->out)) {
		cconn_do_later(cc); /* more may come in this turn; then it goes out */
	}
	return taken;
}

void call_end(struct call *c)
{
	struct cconn *cc = c->conn;
	CHECK(c->state == CALL_SENDING && cc && !cc->out.done);
	if (cc->write_failed)
		return;
	if (!outbound_end(&cc->out, cc->up->worker)) {
		cconn_write_failed(cc, ERR_NO_MEMORY);
		return;
	}
	cc->blocked = false;
	cconn_flush(cc);
}

void call_resume(struct call *c)
{
	struct cconn *cc = c->conn;
	if (!cc || !cc->paused)
		return;
	cc->paused = false;
	cc->resumed_at = worker_now(cc->up->worker);
	cconn_do_later(cc);
}

struct slice call_endpoint(const struct call *c)
{
	const struct cconn *cc = c->conn;
	return text_slice(&cc->endpoint->host);
}

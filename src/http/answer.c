/* The answering half of sconn: heads, payload, the engine's own refusals. */
#include "http/server_internal.h"

#define ANSWER_BODY_MAX 12288

static struct worker *sconn_worker(const struct sconn *c)
{
	return c->server->worker;
}

struct server *sconn_server(const struct sconn *c)
{
	return c->server;
}

void *sconn_ctx(const struct sconn *c)
{
	return c->ctx;
}

void sconn_set_ctx(struct sconn *c, void *ctx)
{
	c->ctx = ctx;
}

void *sconn_conn_ctx(const struct sconn *c)
{
	return c->conn_ctx;
}

void sconn_set_conn_ctx(struct sconn *c, void *ctx)
{
	c->conn_ctx = ctx;
}

uint8_t sconn_mark(const struct sconn *c)
{
	return c->mark;
}

void sconn_set_mark(struct sconn *c, uint8_t mark)
{
	c->mark = mark;
}

struct sconn *sconn_of(struct conn *c)
{
	return CONTAINER_OF(c, struct sconn, conn);
}

uint32_t sconn_peer(const struct sconn *c)
{
	return c->peer;
}

const struct h1_head *sconn_head(const struct sconn *c)
{
	return c->head;
}

bool sconn_body_done(const struct sconn *c)
{
	return c->body_done;
}

bool sconn_is_misdirected(const struct sconn *c)
{
	const struct slice scheme = SLICE("https:");
	return c->head->form == H1_FORM_ABSOLUTE && !c->server->cfg.tls &&
	       slice_eq_nocase(slice_cut(c->head->target, 0, scheme.len), scheme);
}

void sconn_set_close(struct sconn *c)
{
	c->closing = true;
}

static void sconn_do_later(struct sconn *c)
{
	io_defer(sconn_worker(c)->loop, &c->later);
}

/* Writes what waits; a failure is remembered and acted upon outside the app's call. */
static void sconn_try_flush(struct sconn *c)
{
	enum err e = outbound_flush(&c->out, sconn_worker(c), &c->conn);
	if (e == ERR_OK)
		return;
	if (e != ERR_AGAIN) {
		c->broken = true;
		sconn_do_later(c);
	}
	sconn_rearm(c);
}

void sconn_body_resume(struct sconn *c)
{
	if (!c->body_paused)
		return;
	c->body_paused = false;
	sconn_do_later(c);
}

void sconn_continue(struct sconn *c)
{
	struct wire w;
	if (!c->continue_due || c->out.head_done)
		return;
	c->continue_due = false;
	if (sconn_begin(c, 100, SLICE("Continue"), &w))
		sconn_interim(c, &w);
	sconn_rearm(c); /* from now on the body is awaited */
}

/* --- heads --- */

bool sconn_begin(struct sconn *c, uint16_t status, struct slice reason, struct wire *w)
{
	CHECK(c->state == SCONN_BUSY && !c->out.head_done);
	if (!outbound_head(&c->out, sconn_worker(c), w))
		return false;
	c->upgrade_said = false;
	h1_put_status_line(w, status, reason);
	return true;
}

void sconn_put_upgrade(struct sconn *c, struct wire *w, struct slice protocols)
{
	h1_put_field(w, SLICE("Upgrade"), protocols);
	c->upgrade_said = true;
}

/* The status the wire's line was begun with: "HTTP/1.1 200 ..." */
static uint16_t wire_status(const struct wire *w)
{
	CHECK(w->len >= 12);
	const char *digits = w->ptr + 9;
	return (uint16_t)((digits[0] - '0') * 100 + (digits[1] - '0') * 10 +
			  (digits[2] - '0'));
}

static bool wire_commit_interim(struct outbound *out, struct wire *w)
{
	h1_put_end(w);
	if (w->over)
		return false;
	out->end += (uint32_t)w->len;
	return true;
}

void sconn_interim(struct sconn *c, struct wire *w)
{
	/* HTTP/1.0 knows no interim answers (RFC 9110 15.2). */
	if (c->head->minor == 0)
		return;
	if (wire_commit_interim(&c->out, w))
		sconn_try_flush(c);
	if (outbound_is_flushed(&c->out))
		c->out.tried = false; /* it was whole, and is no part of the answer */
}

/* How the payload travels to this client, and what of it is said in the head. */
static enum h1_body sconn_framing(
	struct sconn *c, uint16_t status, enum h1_body framing, enum h1_body *said)
{
	if (framing == H1_BODY_CLOSE)
		framing = H1_BODY_CHUNKED;
	if (framing == H1_BODY_CHUNKED && c->head->minor == 0) {
		framing = H1_BODY_CLOSE;
		c->closing = true;
	}
	*said = framing;
	if (status == 204 || status == 304 || status < 200)
		*said = H1_BODY_NONE;
	bool none = *said == H1_BODY_NONE || c->head->method == H1_HEAD;
	return none ? H1_BODY_NONE : framing;
}

static void sconn_put_own_fields(struct sconn *c, struct wire *w)
{
	const struct server_cfg *cfg = &c->server->cfg;
	if (cfg->server_name.len)
		h1_put_field(w, SLICE("Server"), cfg->server_name);
	if (cfg->add_date)
		h1_put_field(w, SLICE("Date"), worker_date(sconn_worker(c)));
}

/* What becomes of the connection, in one field: some clients look at the first alone. */
static void sconn_put_connection(const struct sconn *c, struct wire *w)
{
	const struct slice upgrade = c->upgrade_said ? SLICE("upgrade") : SLICE_NONE;
	struct slice life = SLICE_NONE;
	if (c->closing)
		life = SLICE("close");
	else if (c->head->minor == 0)
		life = SLICE("keep-alive");
	if (life.len + upgrade.len == 0)
		return;
	WIRE_LIT(w, "Connection: ");
	wire_put_slice(w, life);
	if (life.len && upgrade.len)
		WIRE_LIT(w, ", ");
	wire_put_slice(w, upgrade);
	WIRE_LIT(w, "\r\n");
}

bool sconn_head_end(
	struct sconn *c, struct wire *w, enum h1_body framing, uint64_t length)
{
	if (w->over)
		return false; /* not even the status line need be there */
	uint16_t status = wire_status(w);
	enum h1_body said;
	enum h1_body sent = sconn_framing(c, status, framing, &said);
	if (c->continue_due)
		c->closing = true; /* the body may or may not come now: RFC 9110 10.1.1 */
	if (sconn_is_refused_tunnel(c) || sconn_is_last(c))
		c->closing = true;
	sconn_put_own_fields(c, w);
	sconn_put_connection(c, w);
	if (said != H1_BODY_NONE && said != H1_BODY_CLOSE)
		h1_put_framing(w, said, length);
	h1_put_end(w);
	if (w->over)
		return false;
	outbound_head_end(&c->out, w, sent, length);
	return true;
}

bool sconn_tunnel(struct sconn *c, struct wire *w, struct slice protocol)
{
	CHECK(c->body_done && !c->tunnel);
	if (w->over)
		return false;
	sconn_put_own_fields(c, w);
	if (protocol.len) {
		WIRE_LIT(w, "Connection: upgrade\r\n");
		h1_put_field(w, SLICE("Upgrade"), protocol);
	}
	h1_put_end(w);
	if (w->over)
		return false;
	outbound_head_end(&c->out, w, H1_BODY_TUNNEL, 0);
	h1_decoder_init(&c->in.body, H1_BODY_TUNNEL, 0);
	c->in.bulky = true;
	c->tunnel = c->closing = true;
	c->body_done = false;
	io_timer_stop(sconn_worker(c)->loop, &c->timer);
	sconn_drop_head(c);
	sconn_try_flush(c);
	sconn_do_later(c); /* what the client has sent already */
	return true;
}

/* --- payload --- */

size_t sconn_data(struct sconn *c, struct slice data)
{
	size_t taken = 0;
	CHECK(c->state == SCONN_BUSY && c->out.head_done && !c->out.done);
	if (c->broken)
		return data.len;
	enum err e = outbound_data(&c->out, sconn_worker(c), &c->conn, data, &taken);
	if (e != ERR_OK) {
		c->broken = true;
		sconn_do_later(c);
		return data.len;
	}
	if (taken < data.len) {
		c->blocked = true;
		sconn_rearm(c);
	}
	return taken;
}

void sconn_flush(struct sconn *c)
{
	if (c->state == SCONN_BUSY && !c->broken && !outbound_is_flushed(&c->out) &&
		!(conn_wanted(&c->conn) & IO_WRITE))
		sconn_try_flush(c);
}

bool sconn_has_arrived(struct sconn *c)
{
	return c->broken || c->hung_up ||
	       (outbound_is_flushed(&c->out) && io_unacked(&c->conn.sock) == 0);
}

void sconn_end(struct sconn *c)
{
	CHECK(c->state == SCONN_BUSY && !c->out.done);
	if (c->broken) {
		c->out.done = true;
		return;
	}
	c->blocked = false;
	if (!outbound_end(&c->out, sconn_worker(c))) {
		c->broken = true; /* the client must not take it for whole */
		sconn_do_later(c);
		return;
	}
	if (!c->body_done)
		c->closing = true;
	sconn_try_flush(c);
	sconn_do_later(c);
}

static void answer_fields(struct sconn *c, struct wire *w, const struct answer *a)
{
	if (!c->server->cfg.add_date && !a->dated)
		h1_put_field(w, SLICE("Date"), worker_date(sconn_worker(c)));
	if (a->type.len)
		h1_put_field(w, SLICE("Content-Type"), a->type);
	wire_put_slice(w, a->fields);
}

void sconn_answer(struct sconn *c, const struct answer *a)
{
	struct wire w;
	CHECK(a->body.len <= ANSWER_BODY_MAX);
	/* What is still to come of the request is not waited for. */
	if (a->close || !c->body_done)
		c->closing = true;
	bool ok = sconn_begin(c, a->status, a->reason, &w);
	if (ok) {
		answer_fields(c, &w, a);
		ok = sconn_head_end(c, &w, H1_BODY_LENGTH, a->body.len);
	}
	struct slice rest = a->body;
	if (ok)
		rest = slice_cut(rest, sconn_data(c, rest), SIZE_MAX);
	/* What the socket does not take waits in the buffer, behind the head. */
	if (!ok || rest.len > WORKER_BUF_BYTES - c->out.end) {
		/* No buffer, or one full of interim answers that this client does not read: end
		 * as if it had gone. */
		c->broken = true;
		sconn_do_later(c);
		return;
	}
	if (rest.len) {
		memcpy(c->out.buf + c->out.end, rest.ptr, rest.len);
		c->out.end += (uint32_t)rest.len;
		c->out.left = 0;
	}
	sconn_end(c);
}

bool sconn_take_back(struct sconn *c)
{
	CHECK(c->state == SCONN_BUSY);
	if (c->out.tried || c->tunnel || c->broken)
		return false;
	outbound_reset(&c->out, sconn_worker(c));
	c->blocked = false;
	return true;
}

void sconn_abort(struct sconn *c)
{
	CHECK(c->state == SCONN_BUSY);
	c->aborted = true;
	sconn_cut(c);
}

void sconn_reset(struct sconn *c)
{
	CHECK(c->state == SCONN_BUSY);
	c->aborted = true;
	sconn_close(c, IO_CLOSE_RESET);
}

/* --- the engine's own answers --- */

/* RFC 9110 9.3.2: no content, however bad the request was. Of one that was not understood the
 * bytes are still there. */
static bool sconn_asks_head(const struct sconn *c)
{
	struct slice in = inbound_bytes(&c->in);
	if (c->head)
		return c->head->method == H1_HEAD;
	while (in.len && (*in.ptr == '\r' || *in.ptr == '\n'))
		in = slice_cut(in, 1, SIZE_MAX);
	return slice_starts(in, SLICE("HEAD "));
}

static void put_refusal(struct sconn *c, struct wire *w, enum err why,
	const struct server_words *words, bool bare)
{
	const uint16_t status = err_status(why) ? err_status(why) : 400;
	const struct slice text = words->body.len ? text_slice(&words->body)
						  : slice_of(err_text(why));
	h1_put_status_line(w, status, SLICE_NONE);
	h1_put_field(w, SLICE("Date"), worker_date(sconn_worker(c)));
	h1_put_field(w, SLICE("Content-Type"), SLICE("text/plain"));
	h1_put_field(w, SLICE("Weir-Reason"), slice_of(err_label(why)));
	wire_put(w, words->fields.ptr, words->fields.len);
	if (status == 503) /* it is local, and passes */
		h1_put_field_u64(w, SLICE("Retry-After"), 1);
	h1_put_field(w, SLICE("Connection"), SLICE("close"));
	h1_put_field_u64(w, SLICE("Content-Length"), text.len + 1);
	h1_put_end(w);
	if (!bare) {
		wire_put_slice(w, text);
		WIRE_LIT(w, "\n");
	}
	CHECK(!w->over);
}

void sconn_refuse(struct sconn *c, enum err why, struct server_words *words)
{
	struct worker *worker = sconn_worker(c);
	struct wire w;
	const bool bare = sconn_asks_head(c);
	if (c->head)
		slab_give(&worker->heads, c->head);
	c->head = NULL;
	sconn_enter(c, SCONN_REFUSE);
	c->closing = true;
	inbound_relax(&c->in, worker, true);
	outbound_reset(&c->out, worker);
	const bool fits = outbound_head(&c->out, worker, &w);
	if (fits)
		put_refusal(c, &w, why, words, bare);
	text_fini(&words->body);
	if (!fits) {
		sconn_close(c, IO_CLOSE_FIN);
		return;
	}
	outbound_head_end(&c->out, &w, H1_BODY_NONE, 0);
	enum err e = outbound_flush(&c->out, worker, &c->conn);
	if (e != ERR_OK && e != ERR_AGAIN) {
		sconn_close(c, IO_CLOSE_FIN);
		return;
	}
	io_timer_set(worker->loop, &c->timer, ns_add(worker_now(worker), 5 * NS_S));
	sconn_do_later(c);
}

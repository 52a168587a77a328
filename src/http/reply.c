/* The answer, as it is read: what its head says, to whom its bytes go, and what comes that nobody
 * has asked for. */
#include "http/upstream_internal.h"

/* Each is passed on by itself: without an end they would cost the caller and us, and bring no
 * answer. Hints and signs of life are a few (Go's client takes 5 in a row). */
#define CCONN_INTERIMS_MAX 100

/*
 * The server need not have read all of the request. What it left unread would be its next one: an
 * answer that came before its TCP had the end of the body, or one in HTTP/1.0, which knows no
 * chunks.
 */
static bool cconn_is_early(const struct cconn *cc, const struct h1_head *head)
{
	return !cconn_has_sent(cc) || cc->unacked > 0 ||
	       (head->minor == 0 && cc->out.framing == H1_BODY_CHUNKED);
}

/* What the final answer's head tells, whoever waits for it. */
static void cconn_note_final(struct cconn *cc, const struct h1_head *head)
{
	struct call *call = cc->call;
	cc->head_seen = true;
	cc->status = head->status;
	cc->keep = head->keep_alive && !cc->last && head->status != 101;
	cc->early = cconn_is_early(cc, head);
	pool_note_head(cc, head);
	stalled_note_head(cc);
	hold_note_head(cc, head);
	if (cc->up->cfg.hedge_p95 && cc->told)
		quantile_add(
			&cc->up->first_bytes, worker_now(cconn_worker(cc)) - cc->sent_at);
	if (!call)
		return;
	call->answered = true;
	call->status = head->status;
	call->told_to_wait = head->status >= 400 &&
			     h1_field_named(head, SLICE("Retry-After"));
}

/* It is nobody's, and the call goes to a fresh connection if it may. */
static void cconn_drop_unasked(struct cconn *cc)
{
	inbound_relax(&cc->in, cconn_worker(cc), true);
	if (cc->told) /* and the server may be at work on it */
		zombie_cut_short(cc);
	cconn_fail(cc, ERR_RES_UNASKED);
}

static void cconn_on_head(struct cconn *cc, struct h1_head *head, size_t used)
{
	struct call *call = cc->call;
	bool final = head->status >= 200 || head->status == 101;
	if (!cc->told && !final) { /* no refusal: it would wait for a request for ever */
		cconn_fail(cc, ERR_RES_UNASKED);
		return;
	}
	if (!final && ++cc->interims > CCONN_INTERIMS_MAX) {
		cconn_fail(cc, ERR_RES_INTERIM);
		return;
	}
	if (UNLIKELY(call && (call->hedge || call->hedge_of)))
		call = hedge_settle(cc, head);
	if (call && !call->first_byte_at)
		call->first_byte_at = worker_now(cconn_worker(cc));
	if (head->status == 101 && call) {
		if (!cc->told || !h1_is_switch(head, call->upgrade)) {
			cconn_fail(cc, ERR_RES_UPGRADE);
			return;
		}
		tunnel_begin(cc);
	}
	if (final)
		cconn_note_final(cc, head);
	if (call)
		call->ops->on_head(call, head);
	if (cc->state == CCONN_CLOSED)
		return;
	if (cc->state == CCONN_DRAINING && head->body == H1_BODY_TUNNEL) {
		cconn_fail(cc, ERR_RES_UPGRADE); /* nobody waits for it: it has no end */
		return;
	}
	inbound_skip_head(&cc->in, head, used);
	if (!final)
		h1_decoder_init(&cc->in.body, H1_BODY_NONE, 0);
}

/*
 * Bytes on a connection used before, and the server's TCP has not had a byte of the request yet:
 * they are of an answer too many, to somebody else's request, that came just as this one went out.
 * A real answer cannot arrive without the acknowledgement of what it answers.
 */
static bool cconn_is_unheard(const struct cconn *cc)
{
	const uint64_t sent = conn_sent(&cc->conn) - cc->sent_from;
	return cc->pooled && cc->told && cc->interims == 0 && cc->unacked >= sent;
}

/* Parses a head if one is whole. False: nothing more can be done with the bytes at hand. */
static bool cconn_parse_head(struct cconn *cc)
{
	struct h1_head *head = &cconn_worker(cc)->answer_head;
	enum err why = ERR_OK;
	size_t used = 0;
	cc->unacked = io_unacked(&cc->conn.sock);
	if (UNLIKELY(cconn_is_unheard(cc))) {
		cconn_drop_unasked(cc);
		return false;
	}
	enum h1_result r = h1_parse_response(&cc->in.scan, inbound_bytes(&cc->in),
		&cc->up->cfg.limits, (enum h1_method)cc->method, head, &used, &why);
	if (r == H1_PARTIAL) {
		if (inbound_is_full(&cc->in))
			cconn_fail(cc, ERR_RES_HEAD_LARGE);
		return false;
	}
	if (r == H1_BAD) {
		cconn_fail(cc, why);
		return false;
	}
	cconn_on_head(cc, head, used);
	return cconn_is_active(cc);
}

/* Hands payload on. False: blocked, broken or complete. */
static bool cconn_pump_body(struct cconn *cc)
{
	struct slice data;
	enum h1_result r = inbound_next(&cc->in, &data);
	if (r == H1_BAD) {
		cconn_fail(cc, ERR_RES_CHUNK);
		return false;
	}
	if (r == H1_DONE) {
		cconn_answer_done(cc);
		return false;
	}
	if (!data.len)
		return false;
	size_t taken = data.len;
	if (cc->call)
		taken = cc->call->ops->on_data(cc->call, data);
	if (cc->state == CCONN_CLOSED)
		return false;
	/* Abandoned inside the callback: the rest is dropped. */
	if (!cc->call)
		taken = data.len;
	inbound_took(&cc->in, data, taken);
	cc->paused = taken < data.len;
	return !cc->paused;
}

void cconn_process(struct cconn *cc)
{
	bool more = true;
	while (more && cconn_is_active(cc)) {
		if (cc->head_seen)
			more = cconn_pump_body(cc);
		else
			more = cc->in.start != cc->in.end && cconn_parse_head(cc);
	}
	if (cc->state != CCONN_CLOSED) {
		if (cc->call && cc->call->ops->on_flush)
			cc->call->ops->on_flush(cc->call);
		if (cc->state != CCONN_CLOSED) {
			inbound_relax(&cc->in, cconn_worker(cc), false);
			cconn_rearm(cc);
		}
	}
}

/*
 * Bytes, and the request is not even written. On a connection that was just made they are the
 * server's refusal. Behind an earlier answer, or after it has waited for one that never came
 * (408, to a connection opened ahead of need), they are nobody's: they must not pass for the
 * answer to this call, which goes to a fresh connection.
 */
void cconn_on_unasked(struct cconn *cc)
{
	if (!cc->pooled) {
		cc->unasked = true;
		cconn_process(cc);
		return;
	}
	cconn_drop_unasked(cc);
}

void cconn_on_readable(struct cconn *cc)
{
	ns_t heard_at = cc->conn.last_rx_at;
	enum err e = inbound_fill(&cc->in, cconn_worker(cc), &cc->conn);
	if (e == ERR_AGAIN)
		return;
	if (e == ERR_OK && cc->tunnel)
		tunnel_heard(cc, heard_at);
	if (e == ERR_EOF) {
		/* What had been held back comes first. */
		if (cc->head_seen && cc->in.start != cc->in.end)
			cconn_process(cc);
		if (cc->state != CCONN_CLOSED && !cc->paused)
			cconn_on_eof(cc);
		return;
	}
	if (e != ERR_OK) {
		if (e != ERR_NO_MEMORY)
			cc->up->stats.closed_reset++;
		if (cconn_is_idle(cc) && e == ERR_RESET)
			pool_lost(cc);
		cconn_fail(cc, e);
		return;
	}
	if (cconn_is_idle(cc) || cc->state == CCONN_PARTING || cc->unshaken) {
		/* Nobody asked: nothing on this connection can be trusted now. Or it is a word
		 * of TLS, so the server looks at the connection, and will see its end. */
		if (cconn_is_idle(cc))
			pool_lost(cc);
		cconn_break(cc);
		return;
	}
	if (!cc->told)
		cconn_on_unasked(cc);
	else
		cconn_process(cc);
}

void cconn_read_out(struct cconn *cc)
{
	if (!cc->paused)
		cconn_process(cc); /* what had been held back comes first */
	while (cconn_is_active(cc) && !cc->paused) {
		enum err e = inbound_fill(&cc->in, cconn_worker(cc), &cc->conn);
		if (e == ERR_EOF) {
			cconn_on_eof(cc);
			return;
		}
		if (e == ERR_AGAIN && cc->failed != ERR_NO_MEMORY)
			return; /* the end is still to come */
		if (e != ERR_OK) {
			cc->up->stats.closed_reset++;
			cconn_fail(cc, cc->failed != ERR_OK ? cc->failed : e);
			return;
		}
		cconn_process(cc);
	}
}

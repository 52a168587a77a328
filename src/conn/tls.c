/*
 * One connection under TLS.
 *
 * OpenSSL reads and writes through a BIO over the socket that never blocks a write: what the
 * socket does not take waits in tls.out, and is flushed before OpenSSL is asked to seal
 * more. So SSL_write never has to be repeated with the same bytes, and a handshake, a key
 * update or an alert never waits for room.
 */
#include "conn/tls_internal.h"

#include <openssl/err.h>

#include "base/ascii.h"
#include "base/units.h"

#define RECORD_MAX 16384 /* payload of a TLS record */
/* Bytes in front of others are copied, so that one record holds both. */
#define GATHER_MAX 4096
/* Records that leave in one system call: sealed ones are copied for that, but the last. The
 * copy costs less than the call (bench: 64 KiB answers at 0.8 of the CPU). One at a time once
 * the socket was full: a slow reader is worth no more memory. */
#define CORK_RECORDS 5
/* A sealed record: header, a block of padding, a digest (TLS 1.2 at worst). */
#define SEALED_MAX (RECORD_MAX + 325)
/* A peer that makes us answer and does not read: handshakes fit in this many times over. */
#define OUT_MAX (256 * 1024)

/* Sealed records held back for those that follow at once. */
struct cork {
	size_t len;
	char bytes[(CORK_RECORDS - 1) * SEALED_MAX];
};

/* --- the socket below OpenSSL --- */

static size_t tls_waiting(const struct tls *t)
{
	return t->out.len - t->out_at;
}

static void tls_keep(struct tls *t, const char *bytes, size_t len)
{
	if (tls_waiting(t) + len > OUT_MAX) {
		t->write_end = ERR_TLS_BROKEN;
		return;
	}
	text_add_slice(&t->out, (struct slice){ bytes, len });
}

/* Of these bytes the first *put are with the kernel; the rest waits. */
static void tls_keep_rest(struct tls *t, struct slice bytes, size_t *put)
{
	size_t gone = *put < bytes.len ? *put : bytes.len;
	*put -= gone;
	if (gone < bytes.len)
		tls_keep(t, bytes.ptr + gone, bytes.len - gone);
}

static int add_run(struct iovec *iov, int n, struct slice bytes)
{
	iov[n] = (struct iovec){ (void *)(uintptr_t)bytes.ptr, bytes.len };
	return n + (bytes.len > 0);
}

/* Sends what waits, what the cork holds, then these bytes; what the socket does not take
 * waits. */
static void tls_send(struct tls *t, struct slice bytes)
{
	struct slice waiting = slice_cut(text_slice(&t->out), t->out_at, SIZE_MAX);
	struct slice held = t->cork ? (struct slice){ t->cork->bytes, t->cork->len }
				    : SLICE_NONE;
	size_t put = 0, gone;
	struct iovec iov[3];
	int n = add_run(iov, 0, waiting);
	n = add_run(iov, n, held);
	n = add_run(iov, n, bytes);
	if (n == 0)
		return;
	if (t->cork)
		t->cork->len = 0;
	enum err e = io_writev(&t->conn->sock, iov, n, &put);
	if (e != ERR_OK && e != ERR_AGAIN) {
		t->write_end = e;
		return;
	}
	t->sent += put;
	gone = put < waiting.len ? put : waiting.len;
	t->out_at += gone;
	put -= gone;
	if (gone == waiting.len) {
		text_fini(&t->out);
		t->out_at = 0;
	}
	tls_keep_rest(t, held, &put);
	tls_keep_rest(t, bytes, &put);
}

static bool cork_takes(struct cork *cork, struct slice bytes)
{
	if (!cork || bytes.len > sizeof(cork->bytes) - cork->len)
		return false;
	memcpy(cork->bytes + cork->len, bytes.ptr, bytes.len);
	cork->len += bytes.len;
	return true;
}

/* A dead socket takes all: OpenSSL stays fit to read, and tls_writev tells the owner. */
static int on_bio_write(BIO *b, const char *bytes, int len)
{
	struct tls *t = BIO_get_data(b);
	BIO_clear_retry_flags(b);
	struct slice sealed = { bytes, (size_t)len };
	if (t->write_end == ERR_OK && !t->plain &&
		!(t->corked && cork_takes(t->cork, sealed)))
		tls_send(t, sealed);
	return len;
}

/* No record of TLS begins with a capital letter; each of HTTP's methods does. */
static bool is_word(char first)
{
	return ascii_is_upper(first);
}

static int on_bio_read(BIO *b, char *buf, int cap)
{
	struct tls *t = BIO_get_data(b);
	size_t got = 0;
	BIO_clear_retry_flags(b);
	if (cap <= 0)
		return 0;
	if (t->sock_end == ERR_OK) {
		enum err e = io_read(&t->conn->sock, buf, (size_t)cap, &got);
		if (e == ERR_OK && !t->heard) {
			t->heard = true;
			t->plain = t->server && is_word(buf[0]);
		}
		if (e == ERR_OK)
			return (int)got;
		if (e == ERR_AGAIN) {
			BIO_set_retry_read(b);
			return -1;
		}
		t->sock_end = e;
	}
	return t->sock_end == ERR_EOF ? 0 : -1;
}

/* BIO_CTRL_EOF stays 0: told of an end, OpenSSL would refuse to write from then on. */
static long on_bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	(void)b;
	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_FLUSH;
}

/* OpenSSL's queue is to be empty before a call that SSL_get_error judges. To look costs less
 * than to clear. */
static void tls_forget_errors(void)
{
	if (ERR_peek_error() != 0)
		ERR_clear_error();
}

BIO_METHOD *tls_bio_new(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "weir");
	CHECK(m && BIO_meth_set_write(m, on_bio_write) &&
		BIO_meth_set_read(m, on_bio_read) && BIO_meth_set_ctrl(m, on_bio_ctrl));
	return m;
}

/* ERR_OK: nothing waits. */
static enum err tls_flush(struct tls *t)
{
	if (t->write_end == ERR_OK && tls_waiting(t))
		tls_send(t, SLICE_NONE);
	if (t->write_end != ERR_OK)
		return t->write_end;
	if (tls_waiting(t))
		return ERR_AGAIN;
	if (t->fin_due) {
		t->fin_due = false;
		return io_shutdown(&t->conn->sock);
	}
	return ERR_OK;
}

/* --- readiness --- */

/* What the owner could do without the socket's help. */
static unsigned tls_ready_bits(const struct tls *t)
{
	if (t->state == TLS_FAILED)
		return t->conn->wanted;
	return t->more ? t->conn->wanted & IO_READ : 0u;
}

/* Recomputes what the socket should tell; called at the end of whatever changed something. */
static void tls_arm(struct tls *t)
{
	struct conn *c = t->conn;
	unsigned bits = t->write_end == ERR_OK && tls_waiting(t) ? IO_WRITE : 0u;
	switch (t->state) {
	case TLS_CONNECTING:
		bits = IO_WRITE;
		break;
	case TLS_SHAKING:
		bits |= IO_READ;
		break;
	case TLS_OPEN:
		if (t->sock_end == ERR_OK)
			bits |= c->wanted & IO_READ;
		if (c->wanted & IO_WRITE)
			bits |= t->write_wants_read ? IO_READ : IO_WRITE;
		break;
	case TLS_FAILED:
		break;
	}
	if (c->sock.wanted != bits)
		io_want(&c->sock, bits);
	if (tls_ready_bits(t))
		io_defer(c->sock.loop, &t->later);
	else
		io_defer_cancel(c->sock.loop, &t->later);
}

/* The last act of a callback: the owner may close, and then `t` is gone. */
static void tls_tell(struct tls *t, unsigned bits)
{
	struct conn *c = t->conn;
	tls_arm(t);
	bits &= c->wanted;
	if (bits)
		c->on_ready(c, bits);
}

static void on_later(struct io_defer *d)
{
	struct tls *t = CONTAINER_OF(d, struct tls, later);
	unsigned bits = tls_ready_bits(t);
	if (!bits)
		return;
	io_defer(t->conn->sock.loop,
		d); /* again next turn, unless what comes now changes it */
	t->conn->on_ready(t->conn, bits);
}

/* --- failure --- */

static void count(_Atomic uint64_t *n)
{
	atomic_fetch_add_explicit(n, 1, memory_order_relaxed);
}

static struct tls_counts *tls_counts(struct tls *t)
{
	return tls_counted(t->client ? &t->client->tallies : &t->server->tallies);
}

static ns_t tls_handshake_for(const struct tls *t)
{
	return t->client ? t->client->handshake_for : t->server->handshake_for;
}

static const char *tls_who(const struct tls *t)
{
	return t->peer ? t->peer->host : "a client";
}

static void tls_set_detail(struct tls *t, const char *what, const char *why)
{
	if (!t->detail)
		t->detail = text_format("%s %s: %s", what, tls_who(t), why);
}

static void tls_fail(struct tls *t, enum err why)
{
	if (t->state == TLS_SHAKING)
		count(&tls_counts(t)->failed);
	t->state = TLS_FAILED;
	t->failed = why;
	io_timer_stop(t->conn->sock.loop, &t->timer);
}

/* TLS itself has nothing to say of it: the socket has ended. */
static void tls_shake_cut(struct tls *t)
{
	t->conn->cut = true;
	if (t->sock_end == ERR_EOF)
		tls_set_detail(t, "TLS with", "it closed during the handshake");
	else
		tls_set_detail(t, "TLS with",
			err_text(t->sock_end == ERR_OK ? t->write_end : t->sock_end));
}

static void tls_shake_failed(struct tls *t)
{
	long verdict = SSL_get_verify_result(t->ssl);
	if (t->peer && SSL_get_verify_mode(t->ssl) != SSL_VERIFY_NONE &&
		verdict != X509_V_OK) {
		tls_set_detail(
			t, "certificate of", X509_verify_cert_error_string(verdict));
		tls_fail(t, ERR_TLS_VERIFY);
		return;
	}
	if (t->plain)
		tls_set_detail(t, "TLS with", "plain HTTP where TLS is spoken");
	else if (ERR_peek_error() != 0)
		tls_set_detail(t, "TLS with", tls_reason());
	else
		tls_shake_cut(t);
	if (t->peer)
		tls_peer_forget(t->peer); /* the session may be what it stumbled over */
	tls_fail(t, t->plain ? ERR_REQ_PLAIN : ERR_TLS_HANDSHAKE);
}

/* An alert about our certificate comes, in TLS 1.3, when our handshake is over already. */
static bool is_about_certificate(unsigned long error)
{
	int alert = ERR_GET_REASON(error) - SSL_AD_REASON_OFFSET;
	return ERR_GET_LIB(error) == ERR_LIB_SSL &&
	       ((alert >= SSL_AD_BAD_CERTIFICATE &&
			alert <= SSL_AD_CERTIFICATE_UNKNOWN) ||
		       alert == SSL_AD_UNKNOWN_CA || alert == SSL_AD_ACCESS_DENIED ||
		       alert == TLS13_AD_CERTIFICATE_REQUIRED);
}

/* OpenSSL gives up on an open connection: it can neither read nor write any more. */
static enum err tls_broke(struct tls *t)
{
	bool refused = is_about_certificate(ERR_peek_error()) && t->conn->rx_bytes == 0;
	enum err e = refused ? ERR_TLS_HANDSHAKE : ERR_TLS_BROKEN;
	tls_set_detail(t, "TLS with", tls_reason());
	count(&tls_counts(t)->failed);
	t->read_end = e;
	if (t->write_end == ERR_OK)
		t->write_end = e;
	t->more = true;
	return e;
}

static void on_timer(struct timer *timer)
{
	struct tls *t = CONTAINER_OF(timer, struct tls, timer);
	struct text why;
	text_init(&why);
	text_add(&why, "no handshake within ");
	text_add_duration(&why, tls_handshake_for(t));
	tls_set_detail(t, "TLS with", why.ptr);
	text_fini(&why);
	tls_fail(t, ERR_TLS_TIMEOUT);
	tls_tell(t, IO_READ | IO_WRITE);
}

/* --- the handshake --- */

static void tls_shaken(struct tls *t)
{
	uint8_t code = SSL_SESSION_get_max_fragment_length(SSL_get0_session(t->ssl));
	struct tls_counts *counts = tls_counts(t);
	t->state = TLS_OPEN;
	t->record_max = RECORD_MAX;
	t->cork_records = CORK_RECORDS;
	if (TLSEXT_max_fragment_length_512 <= code &&
		code <= TLSEXT_max_fragment_length_4096)
		t->record_max = 512u << (code - TLSEXT_max_fragment_length_512);
	count(&counts->handshakes);
	if (SSL_session_reused(t->ssl) == 1)
		count(&counts->resumed);
	io_timer_stop(t->conn->sock.loop, &t->timer);
}

/* Goes as far as the bytes at hand allow. */
static void tls_shake(struct tls *t)
{
	tls_forget_errors();
	int rc = SSL_do_handshake(t->ssl);
	if (rc == 1)
		tls_shaken(t);
	else if (SSL_get_error(t->ssl, rc) != SSL_ERROR_WANT_READ ||
		 t->write_end == ERR_TLS_BROKEN)
		tls_shake_failed(t);
}

static void tls_begin_shake(struct tls *t)
{
	struct io_loop *loop = t->conn->sock.loop;
	t->state = TLS_SHAKING;
	t->conn->shaking_at = io_now(loop);
	if (tls_handshake_for(t) > 0)
		io_timer_set(loop, &t->timer, ns_add(io_now(loop), tls_handshake_for(t)));
}

/* False: the socket is still at it. */
static bool tls_sock_connected(struct tls *t)
{
	enum err e = io_connect_result(&t->conn->sock);
	if (e == ERR_AGAIN)
		return false;
	if (e == ERR_OK)
		tls_begin_shake(t);
	else
		tls_fail(t, e);
	return true;
}

static void tls_on_sock_ready(struct conn *c, unsigned bits)
{
	struct tls *t = c->tls;
	bool flushed;
	if (t->state == TLS_CONNECTING && !tls_sock_connected(t))
		return;
	flushed = tls_flush(t) == ERR_OK;
	if (t->state == TLS_SHAKING) {
		tls_shake(t);
		if (t->state == TLS_SHAKING) {
			tls_arm(t);
			return;
		}
		flushed = true; /* on_ready is how its end is told */
		bits = IO_READ | IO_WRITE;
	}
	if (t->state == TLS_OPEN && (bits & IO_READ) && t->write_wants_read)
		bits |= IO_WRITE;
	if (!flushed && t->write_end == ERR_OK)
		bits &= ~(unsigned)IO_WRITE;
	tls_tell(t, bits);
}

static enum err tls_connected(struct conn *c)
{
	const struct tls *t = c->tls;
	switch (t->state) {
	case TLS_CONNECTING:
	case TLS_SHAKING:
		break;
	case TLS_OPEN:
		return ERR_OK;
	case TLS_FAILED:
		return t->failed;
	}
	return ERR_AGAIN;
}

/* --- reading --- */

static enum err tls_read_failed(struct tls *t, int rc)
{
	struct conn *c = t->conn;
	switch (SSL_get_error(t->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return ERR_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		t->read_end = ERR_EOF;
		return ERR_EOF;
	case SSL_ERROR_SYSCALL:
		if (t->sock_end == ERR_OK)
			return tls_broke(t);
		c->cut = t->sock_end == ERR_EOF;
		t->read_end = t->sock_end;
		return t->read_end;
	default: /* SSL_ERROR_SSL, and what needs callbacks that we do not set */
		return tls_broke(t);
	}
}

static enum err tls_read(struct conn *c, void *buf, size_t cap, size_t *got)
{
	struct tls *t = c->tls;
	enum err e = tls_connected(c);
	*got = 0;
	if (e != ERR_OK)
		return e;
	if (t->read_end != ERR_OK)
		return t->read_end;
	do {
		size_t n = 0;
		tls_forget_errors();
		int rc = SSL_read_ex(t->ssl, (char *)buf + *got, cap - *got, &n);
		if (rc != 1)
			e = tls_read_failed(t, rc);
		*got += n;
	} while (e == ERR_OK && *got < cap && SSL_has_pending(t->ssl));
	/* After ERR_AGAIN what is pending is the beginning of a record: the socket has the rest. */
	t->more = e != ERR_AGAIN && (e != ERR_OK || SSL_has_pending(t->ssl));
	tls_arm(t);
	return *got > 0 ? ERR_OK : e;
}

/* --- writing --- */

struct cursor {
	const struct iovec *iov;
	int n;
	size_t at; /* in iov[0] */
};

static size_t cursor_run(struct cursor *c)
{
	while (c->n > 0 && c->at == c->iov->iov_len) {
		c->iov++;
		c->n--;
		c->at = 0;
	}
	return c->n > 0 ? c->iov->iov_len - c->at : 0;
}

static size_t cursor_skip(struct cursor *c, size_t bytes)
{
	size_t done = 0, run;
	while (done < bytes && (run = cursor_run(c)) > 0) {
		run = run < bytes - done ? run : bytes - done;
		c->at += run;
		done += run;
	}
	return done;
}

static size_t cursor_left(const struct cursor *c)
{
	size_t left = 0;
	for (int i = 0; i < c->n; i++)
		left += c->iov[i].iov_len;
	return left - c->at;
}

/* How much is gathered: with full records to follow, what is left over by them, so that they
 * need no copy. */
static size_t cursor_odd(const struct cursor *c, size_t run, size_t max)
{
	size_t left = cursor_left(c), odd = left % max;
	if (left <= max)
		return left;
	return odd >= run ? odd : max;
}

/* The payload of the next record: where it lies, or in `gathered`. */
static struct slice cursor_take(struct cursor *c, char *gathered, size_t max)
{
	size_t run = cursor_run(c), len = 0;
	const char *at = (const char *)c->iov->iov_base + c->at;
	if (c->n == 1 || run > GATHER_MAX || run >= max) {
		run = run < max ? run : max;
		c->at += run;
		return (struct slice){ at, run };
	}
	max = cursor_odd(c, run, max);
	while (len < max && (run = cursor_run(c)) > 0) {
		run = run < max - len ? run : max - len;
		memcpy(gathered + len, (const char *)c->iov->iov_base + c->at, run);
		c->at += run;
		len += run;
	}
	return (struct slice){ gathered, len };
}

static enum err tls_seal(struct tls *t, struct slice payload)
{
	size_t put = 0;
	tls_forget_errors();
	int rc = SSL_write_ex(t->ssl, payload.ptr, payload.len, &put);
	if (rc == 1) {
		CHECK(put == payload.len); /* one record, and the BIO takes all */
		return t->write_end;
	}
	if (SSL_get_error(t->ssl, rc) != SSL_ERROR_WANT_READ)
		return tls_broke(t);
	t->write_wants_read = true;
	return ERR_AGAIN;
}

/* Sealed, and with the kernel whole: it is written. */
static void tls_settle(struct tls *t, size_t *put)
{
	*put += t->owed;
	t->owed = 0;
}

/* Seals and sends until the socket is full. What is sealed, but not with the kernel whole,
 * is owed: told as written when it is. */
static enum err tls_put_runs(struct tls *t, struct cursor *at, size_t *put)
{
	char gathered[RECORD_MAX];
	uint32_t records = 0;
	while (cursor_run(at) > 0) {
		struct slice run = cursor_take(at, gathered, t->record_max);
		t->corked = ++records % t->cork_records != 0 && cursor_run(at) > 0;
		enum err e = tls_seal(t, run);
		if (e != ERR_OK)
			return e;
		t->owed += run.len;
		if (t->corked)
			continue;
		if (tls_waiting(t)) {
			t->cork_records = 1;
			return ERR_AGAIN;
		}
		tls_settle(t, put);
	}
	if (records > 1 && t->cork_records < CORK_RECORDS)
		t->cork_records++;
	return ERR_OK;
}

static enum err tls_put(struct tls *t, struct cursor *at, size_t *put)
{
	struct cork cork;
	cork.len = 0; /* all of it set to 0 would cost more than what it saves */
	t->cork = &cork;
	enum err e = tls_put_runs(t, at, put);
	t->corked = false;
	if (t->write_end == ERR_OK && cork.len) { /* what would have followed did not */
		tls_send(t, SLICE_NONE);
		if (t->write_end == ERR_OK && !tls_waiting(t))
			tls_settle(t, put);
	}
	t->cork = NULL;
	return e;
}

static enum err tls_writev(struct conn *c, const struct iovec *iov, int n, size_t *put)
{
	struct tls *t = c->tls;
	struct cursor at = { iov, n, 0 };
	enum err e = tls_connected(c);
	*put = 0;
	if (e != ERR_OK)
		return e;
	t->write_wants_read = false;
	e = tls_flush(t);
	if (e == ERR_OK) {
		*put = cursor_skip(&at, t->owed);
		t->owed -= *put;
		e = tls_put(t, &at, put);
	}
	tls_arm(t);
	return *put > 0 ? ERR_OK : e;
}

/* --- the end --- */

/* close_notify, once. */
static void tls_farewell(struct conn *c)
{
	struct tls *t = c->tls;
	if (t->state != TLS_OPEN || t->write_end != ERR_OK ||
		(SSL_get_shutdown(t->ssl) & SSL_SENT_SHUTDOWN))
		return;
	tls_forget_errors();
	/* 0: sent, and not answered yet, which nobody waits for */
	if (SSL_shutdown(t->ssl) < 0)
		ERR_clear_error();
}

static enum err tls_shutdown(struct conn *c)
{
	struct tls *t = c->tls;
	enum err e = tls_connected(c);
	if (e != ERR_OK)
		return e == ERR_AGAIN ? ERR_PIPE : e;
	tls_farewell(c);
	t->fin_due = true;
	e = tls_flush(t);
	tls_arm(t);
	return e == ERR_AGAIN ? ERR_OK : e;
}

static void tls_leave_loop(struct tls *t)
{
	struct io_loop *loop = t->conn->sock.loop;
	io_timer_stop(loop, &t->timer);
	io_defer_cancel(loop, &t->later);
}

static void tls_free(struct tls *t)
{
	/* Else OpenSSL takes a close without close_notify for a fault of the session, which
	 * could not be resumed then. */
	if (t->state == TLS_OPEN && t->read_end != ERR_TLS_BROKEN)
		SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(t->ssl);
	text_fini(&t->out);
	mem_free(t->detail);
	tls_peer_unref(&t->peer);
	tls_client_unref(&t->client);
	tls_server_unref(&t->server);
	mem_free(t);
}

/* As far as the socket takes it: after this there is nobody to wait for its room. */
static void tls_send_all(struct tls *t)
{
	size_t before;
	do {
		before = tls_waiting(t);
		if (t->write_end == ERR_OK)
			tls_send(t, SLICE_NONE);
	} while (tls_waiting(t) < before);
}

static void tls_close(struct conn *c, enum io_close how)
{
	struct tls *t = c->tls;
	if (how == IO_CLOSE_FIN) {
		tls_farewell(c);
		tls_send_all(t);
	}
	c->tls = NULL;
	tls_leave_loop(t);
	tls_free(t);
	io_close(&c->sock, how);
}

/* Peers are one thread's. */
static void tls_release(struct conn *c)
{
	tls_leave_loop(c->tls);
	tls_peer_unref(&c->tls->peer);
}

static void tls_adopted(struct conn *c, bool open)
{
	c->tls->conn = c;
	if (open)
		return;
	tls_free(c->tls);
	c->tls = NULL;
}

bool tls_adopt(struct conn *c, struct tls_peer *peer)
{
	struct tls *t = c->tls;
	if (t->client != peer->client)
		return false;
	t->peer = peer;
	peer->refs++;
	tls_arm(t);
	return true;
}

static void tls_want(struct conn *c)
{
	tls_arm(c->tls);
}

static uint64_t tls_sent(const struct conn *c)
{
	return c->tls->sent;
}

static const char *tls_detail(const struct conn *c)
{
	return c->tls && c->tls->detail ? c->tls->detail : "";
}

static const struct conn_filter tls_filter = {
	.name = "tls",
	.connected = tls_connected,
	.read = tls_read,
	.writev = tls_writev,
	.shutdown = tls_shutdown,
	.farewell = tls_farewell,
	.close = tls_close,
	.want = tls_want,
	.on_sock_ready = tls_on_sock_ready,
	.sent = tls_sent,
	.detail = tls_detail,
	.release = tls_release,
	.adopt = tls_adopted,
};

static struct tls *tls_put_on(struct conn *c, SSL *ssl, BIO_METHOD *method)
{
	struct tls *t = mem_zalloc(sizeof(*t));
	BIO *bio = BIO_new(method);
	CHECK(ssl && bio && conn_is_open(c) && !c->tls && !c->wanted);
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	SSL_set_app_data(ssl, t);
	text_init(&t->out);
	t->conn = c;
	t->ssl = ssl;
	t->timer.on_fire = on_timer;
	t->later.fn = on_later;
	c->tls = t;
	c->filter = &tls_filter;
	return t;
}

void tls_connect(struct conn *c, struct tls_peer *peer)
{
	struct tls *t = tls_put_on(c, tls_peer_ssl(peer), peer->client->bio);
	SSL_set_connect_state(t->ssl);
	t->client = peer->client;
	tls_client_ref(t->client);
	t->peer = peer;
	peer->refs++;
	tls_arm(t);
}

void tls_accept(struct conn *c, struct tls_server *s)
{
	struct tls *t = tls_put_on(c, SSL_new(s->ctx), s->bio);
	SSL_set_accept_state(t->ssl);
	t->server = s;
	tls_server_ref(s);
	tls_begin_shake(t);
	tls_arm(t);
}

#include "tests/unit/conn/bed.h"

/* --- parties --- */

void party_init(struct party *p)
{
	memset(p, 0, sizeof(*p));
	text_init(&p->in);
	text_init(&p->out);
	p->end = ERR_AGAIN;
}

void party_close(struct party *p, enum io_close how)
{
	conn_close(&p->conn, how);
}

void party_fini(struct party *p)
{
	party_close(p, IO_CLOSE_RESET);
	text_fini(&p->in);
	text_fini(&p->out);
}

void party_rearm(struct party *p)
{
	unsigned bits = p->up ? 0 : IO_WRITE;
	if (!conn_is_open(&p->conn))
		return;
	if (p->up && !p->deaf && p->end == ERR_AGAIN)
		bits |= IO_READ;
	if (p->up && p->out_at < p->out.len)
		bits |= IO_WRITE;
	conn_want(&p->conn, bits);
}

static void party_ended(struct party *p, enum err e)
{
	p->end = e;
	p->cut = p->conn.cut;
	snprintf(p->detail, sizeof(p->detail), "%s", conn_detail(&p->conn));
	if (p->close_at_end)
		party_close(p, IO_CLOSE_FIN);
}

static void party_write(struct party *p)
{
	while (p->out_at < p->out.len) {
		size_t len = p->out.len - p->out_at, put = 0;
		if (p->write_max && len > p->write_max)
			len = p->write_max;
		/* in two pieces, as the engine has it: a short one, and the payload */
		size_t first = len > 10 ? 10 : len;
		struct iovec iov[2] = { { p->out.ptr + p->out_at, first },
			{ p->out.ptr + p->out_at + first, len - first } };
		p->inside = true;
		enum err e = conn_writev(&p->conn, iov, len > first ? 2 : 1, &put);
		p->inside = false;
		p->out_at += put;
		if (e == ERR_AGAIN) {
			assert_int_equal(put, 0);
			return;
		}
		if (e != ERR_OK) {
			p->out_at = p->out.len;
			return;
		}
		assert_true(put > 0 && put <= len);
	}
	if (p->shut_after) {
		p->shut_after = false;
		assert_int_equal(conn_shutdown(&p->conn), ERR_OK);
	}
}

/* Once, as the engine does: more comes by on_ready. */
static void party_read(struct party *p)
{
	char buf[20000];
	size_t got = 0;
	p->inside = true;
	enum err e = conn_read(
		&p->conn, buf, p->read_max ? p->read_max : sizeof(buf), &got);
	p->inside = false;
	if (e == ERR_OK) {
		assert_true(got > 0);
		text_add_slice(&p->in, (struct slice){ buf, got });
	} else if (e != ERR_AGAIN) {
		party_ended(p, e);
	}
}

static void on_ready(struct conn *conn, unsigned bits)
{
	struct party *p = CONTAINER_OF(conn, struct party, conn);
	assert_false(p->inside); /* rule 1 of io/sock.h */
	assert_true(bits && (bits & ~conn_wanted(conn)) == 0);
	p->calls++;
	if (!p->up) {
		enum err e = conn_connected(conn);
		if (e == ERR_AGAIN)
			return;
		if (e != ERR_OK) {
			party_ended(p, e);
			if (conn_is_open(conn))
				conn_want(conn, 0);
			return;
		}
		p->up = true;
	}
	if (bits & IO_WRITE)
		party_write(p);
	if ((bits & IO_READ) && conn_is_open(conn))
		party_read(p);
	party_rearm(p);
}

void party_say(struct party *p, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		text_add_char(
			&p->out, (char)('a' + (p->out.len * 7 + p->out.len / 26) % 26));
	if (p->up)
		party_rearm(p);
}

/* --- the bed --- */

static void on_listener(struct io_sock *sock, unsigned bits)
{
	struct io_listener *l = CONTAINER_OF(sock, struct io_listener, sock);
	struct bed *b = CONTAINER_OF(l, struct bed, listener);
	(void)bits;
	assert_int_equal(conn_accept(&b->s.conn, l, NULL), ERR_OK);
	b->s.conn.on_ready = on_ready;
	tls_accept(&b->s.conn, b->server);
	b->s.up = true; /* a server does not ask: its reads wait for the handshake */
	party_rearm(&b->s);
}

static struct tls_client *new_client(struct bed *b, const struct tls_client_cfg *cfg)
{
	struct problem p = { "" };
	struct tls_client_cfg with_ca = *cfg;
	if (!cfg->ca_file)
		with_ca.ca_file = b->certs.ca.ptr;
	struct tls_client *c = tls_client_new(&with_ca, &p);
	if (!c)
		fail_msg("%s", p.text);
	return c;
}

void use_cert(struct bed *b, const struct cert *cert)
{
	const struct tls_server_cfg cfg = { { cert->cert.ptr, cert->key.ptr },
		.handshake_for = 10 * NS_S };
	struct problem p = { "" };
	tls_server_unref(&b->server);
	b->server = tls_server_new(&cfg, &p);
	if (!b->server)
		fail_msg("%s", p.text);
}

void use_client(struct bed *b, const struct tls_client_cfg *cfg, const char *host)
{
	tls_peer_unref(&b->peer);
	tls_client_unref(&b->client);
	b->client = new_client(b, cfg);
	b->peer = tls_peer_new(b->client, slice_of(host));
}

void bed_init(struct bed *b, const struct sim_cfg *sim)
{
	struct problem p = { "" };
	struct addr at;
	memset(b, 0, sizeof(*b));
	b->sim = sim_new(sim);
	b->near = sim_host(b->sim, "10.0.0.1");
	b->far = sim_host(b->sim, "10.0.0.2");
	certs_init(&b->certs);
	certs_make(&b->certs, &b->good,
		&(struct cert_is){ .names = "DNS:" HOST ",IP:10.0.0.2", .days = 100 });
	use_cert(b, &b->good);
	use_client(b, &(struct tls_client_cfg){ .handshake_for = 5 * NS_S }, HOST ":443");
	raw_addr("10.0.0.2:443", &at);
	b->listener.sock.on_ready = on_listener;
	assert_int_equal(io_listen(b->far, &b->listener, &at, NULL, &p), ERR_OK);
	io_want(&b->listener.sock, IO_READ);
	party_init(&b->c);
	party_init(&b->s);
}

void bed_connect(struct bed *b)
{
	assert_int_equal(
		conn_connect(&b->c.conn, b->near, &b->listener.at, NULL), ERR_OK);
	b->c.conn.on_ready = on_ready;
	tls_connect(&b->c.conn, b->peer);
	party_rearm(&b->c);
}

void bed_run(struct bed *b, ns_t for_ns)
{
	(void)sim_run(b->sim, sim_now(b->sim) + for_ns);
}

void bed_again(struct bed *b)
{
	party_fini(&b->c);
	party_fini(&b->s);
	party_init(&b->c);
	party_init(&b->s);
	bed_run(b, NS_S);
}

void bed_fini(struct bed *b)
{
	party_fini(&b->c);
	party_fini(&b->s);
	io_listener_close(&b->listener);
	tls_peer_unref(&b->peer);
	tls_client_unref(&b->client);
	tls_server_unref(&b->server);
	cert_fini(&b->good);
	certs_fini(&b->certs);
	sim_free(&b->sim);
}

void assert_same(const struct text *got, const struct text *sent)
{
	assert_int_equal(got->len, sent->len);
	if (sent->len)
		assert_memory_equal(got->ptr, sent->ptr, sent->len);
}

void assert_all_arrived(struct bed *b)
{
	assert_same(&b->s.in, &b->c.out);
	assert_same(&b->c.in, &b->s.out);
}

void only_tls12(struct bed *b)
{
	SSL_CTX_set_max_proto_version(b->client->ctx, TLS1_2_VERSION);
}

void expect_refused(struct bed *b, enum err why, const char *detail)
{
	bed_connect(b);
	bed_run(b, 20 * NS_S);
	assert_int_equal(b->c.end, why);
	assert_string_equal(b->c.detail, detail);
	assert_false(b->c.up);
	assert_int_equal(tls_client_counts(b->client)->handshakes, 0);
	assert_int_equal(tls_client_counts(b->client)->failed, 1);
}

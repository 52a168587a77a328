/* Bytes, ends, and peers that do not keep to TLS. */
#include "tests/unit/conn/bed.h"

/* --- bytes --- */

static void exchange(const struct sim_cfg *cfg, bool tls12, size_t up, size_t down)
{
	struct bed b;
	bed_init(&b, cfg);
	if (tls12)
		only_tls12(&b);
	party_say(&b.c, up);
	party_say(&b.s, down);
	bed_connect(&b);
	bed_run(&b, 600 * NS_S);
	assert_all_arrived(&b);
	assert_string_equal(
		SSL_get_version(b.c.conn.tls->ssl), tls12 ? "TLSv1.2" : "TLSv1.3");
	assert_int_equal(b.c.conn.tx_bytes, up);
	assert_int_equal(b.c.conn.rx_bytes, down);
	/* at rest no buffer is held, and nothing is left to do */
	assert_null(b.c.conn.tls->out.ptr);
	assert_int_equal(b.c.conn.wanted, IO_READ);
	assert_int_equal(b.c.conn.sock.wanted, IO_READ);
	uint32_t calls = b.c.calls + b.s.calls;
	bed_run(&b, 60 * NS_S);
	assert_int_equal(b.c.calls + b.s.calls, calls);
	b.s.close_at_end = true;
	party_close(&b.c, IO_CLOSE_FIN);
	bed_run(&b, NS_S);
	assert_int_equal(b.s.end, ERR_EOF);
	assert_false(b.s.cut);
	bed_fini(&b);
}

static void test_every_split_of_the_transport(void **state)
{
	(void)state;
	for (uint32_t bytes = 1; bytes <= 40; bytes++)
		exchange(&(struct sim_cfg){ .seed = bytes, .write_max = bytes },
			bytes % 2, 300, 500);
}

static void test_blocked_writes_lose_and_repeat_nothing(void **state)
{
	static const uint32_t buffers[] = { 64, 300, 1000, 5000, 16384, 16500, 40000 };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(buffers); i++) {
		const struct sim_cfg cfg = { .seed = i + 1, .buf_bytes = buffers[i] };
		exchange(&cfg, i % 2, 90000, 70000);
	}
}

static void test_large_bodies_both_ways(void **state)
{
	(void)state;
	for (int tls12 = 0; tls12 < 2; tls12++)
		exchange(&(struct sim_cfg){ .seed = 5 }, tls12, 1000000, 1500000);
}

/* Bytes that OpenSSL has decrypted, or holds, come by on_ready though the socket is silent. */
static void test_small_reads_of_what_openssl_holds(void **state)
{
	struct bed b;
	(void)state;
	bed_init(&b, &(struct sim_cfg){ .seed = 1 });
	b.s.read_max = 7;
	party_say(&b.c, 40000);
	b.c.write_max = 1000; /* many records, most of them read ahead */
	bed_connect(&b);
	bed_run(&b, 10 * NS_S);
	assert_all_arrived(&b);
	bed_fini(&b);
}

static void test_reading_stops_and_goes_on(void **state)
{
	struct bed b;
	(void)state;
	bed_init(&b, &(struct sim_cfg){ .seed = 1 });
	b.s.deaf = true;
	party_say(&b.c, 1000000);
	bed_connect(&b);
	bed_run(&b, 10 * NS_S);
	assert_int_equal(b.s.in.len, 0);
	assert_true(b.c.out_at < b.c.out.len); /* the writer is held up */
	uint32_t calls = b.s.calls + b.c.calls;
	bed_run(&b, 10 * NS_S);
	assert_int_equal(b.s.calls + b.c.calls, calls);
	b.s.deaf = false;
	party_rearm(&b.s);
	bed_run(&b, 60 * NS_S);
	assert_all_arrived(&b);
	bed_fini(&b);
}

/* Told AGAIN, the owner may offer less next time: the bytes are the same. */
static void test_a_blocked_write_is_repeated_in_other_pieces(void **state)
{
	struct bed b;
	struct text sent;
	size_t put;
	(void)state;
	bed_init(&b, &(struct sim_cfg){ .seed = 1, .buf_bytes = 4000 });
	b.s.deaf = true;
	bed_connect(&b);
	bed_run(&b, NS_S);
	assert_true(b.c.up);
	text_init(&sent);
	for (int i = 0; i < 60000; i++)
		text_add_char(&sent, (char)('a' + i % 23));
	size_t at = 0;
	struct iovec iov = { sent.ptr, 16000 };
	assert_int_equal(conn_writev(&b.c.conn, &iov, 1, &put), ERR_AGAIN);
	assert_int_equal(conn_writev(&b.c.conn, &iov, 1, &put), ERR_AGAIN);
	b.s.deaf = false;
	party_rearm(&b.s);
	static const size_t pieces[] = { 10, 1, 500, 15000, 30000, 7 };
	for (size_t i = 0; at < sent.len; i++) {
		size_t len = pieces[i % ARRAY_LEN(pieces)];
		iov.iov_base = sent.ptr + at;
		iov.iov_len = len < sent.len - at ? len : sent.len - at;
		enum err e = conn_writev(&b.c.conn, &iov, 1, &put);
		assert_true(e == ERR_OK || e == ERR_AGAIN);
		assert_true(put <= iov.iov_len);
		at += put;
		bed_run(&b, NS_MS);
	}
	bed_run(&b, 10 * NS_S);
	assert_same(&b.s.in, &sent);
	assert_int_equal(b.c.conn.tx_bytes, sent.len);
	text_fini(&sent);
	bed_fini(&b);
}

static void test_key_updates_under_traffic(void **state)
{
	struct bed b;
	(void)state;
	bed_init(&b, &(struct sim_cfg){ .seed = 1, .buf_bytes = 3000 });
	party_say(&b.c, 2000000);
	party_say(&b.s, 2000000);
	bed_connect(&b);
	for (int i = 0; i < 20; i++) {
		bed_run(&b, 5 * NS_MS);
		struct party *p = i % 2 ? &b.c : &b.s;
		assert_int_equal(
			SSL_key_update(p->conn.tls->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
	}
	bed_run(&b, 600 * NS_S);
	assert_all_arrived(&b);
	bed_fini(&b);
}

/* A client that asks for a renegotiation is told no; the server goes on or hangs up. */
static void test_no_renegotiation(void **state)
{
	struct bed b;
	(void)state;
	bed_init(&b, &(struct sim_cfg){ .seed = 1 });
	only_tls12(&b);
	SSL_CTX_clear_options(b.client->ctx, SSL_OP_NO_RENEGOTIATION);
	party_say(&b.c, 10);
	bed_connect(&b);
	bed_run(&b, NS_S);
	assert_all_arrived(&b);
	SSL *ssl = b.c.conn.tls->ssl;
	assert_int_equal(SSL_renegotiate(ssl), 1);
	(void)SSL_do_handshake(ssl);
	bed_run(&b, NS_S);
	assert_int_equal(tls_server_counts(b.server)->handshakes, 1);
	assert_true(
		b.s.end == ERR_AGAIN || b.s.end == ERR_EOF || b.s.end == ERR_TLS_BROKEN);
	bed_fini(&b);
}

/* --- ends --- */

static void test_half_close(void **state)
{
	struct bed b;
	(void)state;
	bed_init(&b, &(struct sim_cfg){ .seed = 1, .buf_bytes = 2000 });
	party_say(&b.c, 30000);
	b.c.shut_after = true;
	bed_connect(&b);
	bed_run(&b, 60 * NS_S);
	assert_all_arrived(&b);
	assert_int_equal(b.s.end, ERR_EOF);
	assert_false(b.s.cut);
	party_say(&b.s, 50000); /* the answer comes after the client's last word */
	b.s.shut_after = true;
	bed_run(&b, 60 * NS_S);
	assert_all_arrived(&b);
	assert_int_equal(b.c.end, ERR_EOF);
	assert_false(b.c.cut);
	bed_fini(&b);
}

static void test_a_fin_without_close_notify_is_a_cut(void **state)
{
	struct bed b;
	(void)state;
	for (int tls12 = 0; tls12 < 2; tls12++) {
		bed_init(&b, &(struct sim_cfg){ .seed = 1 });
		if (tls12)
			only_tls12(&b);
		party_say(&b.s, 1000);
		bed_connect(&b);
		bed_run(&b, NS_S);
		assert_int_equal(io_shutdown(&b.s.conn.sock), ERR_OK);
		bed_run(&b, NS_S);
		assert_all_arrived(&b);
		assert_int_equal(b.c.end, ERR_EOF);
		assert_true(b.c.cut);
		/* the other direction is as it was */
		party_say(&b.c, 5000);
		bed_run(&b, NS_S);
		assert_all_arrived(&b);
		bed_fini(&b);
	}
}

static void test_a_reset_says_no_farewell(void **state)
{
	struct bed b;
	(void)state;
	bed_init(&b, &(struct sim_cfg){ .seed = 1 });
	party_say(&b.s, 1000);
	bed_connect(&b);
	bed_run(&b, NS_S);
	party_close(&b.s, IO_CLOSE_RESET);
	bed_run(&b, NS_S);
	assert_all_arrived(&b);
	assert_int_equal(b.c.end, ERR_RESET);
	bed_fini(&b);
}

static void test_a_farewell_before_a_reset(void **state)
{
	struct bed b;
	(void)state;
	bed_init(&b, &(struct sim_cfg){ .seed = 1 });
	bed_connect(&b);
	bed_run(&b, NS_S);
	conn_farewell(&b.c.conn);
	party_close(&b.c, IO_CLOSE_RESET);
	bed_run(&b, NS_S);
	assert_int_equal(b.s.end, ERR_EOF);
	assert_false(b.s.cut);
	bed_fini(&b);
}

/* What the peer said before it closed is read after our write failed. */
static void test_reading_after_a_failed_write(void **state)
{
	struct bed b;
	(void)state;
	bed_init(&b, &(struct sim_cfg){ .seed = 1 });
	bed_connect(&b);
	bed_run(&b, NS_S);
	b.c.deaf = true;
	party_rearm(&b.c);
	party_say(&b.s, 100);
	bed_run(&b, NS_S);
	party_close(&b.s, IO_CLOSE_RESET);
	bed_run(&b, NS_S);
	size_t put = 0;
	char byte = 'x';
	struct iovec iov = { &byte, 1 };
	enum err e = conn_writev(&b.c.conn, &iov, 1, &put);
	assert_true(e == ERR_RESET || e == ERR_PIPE);
	assert_int_equal(put, 0);
	b.c.deaf = false;
	party_rearm(&b.c);
	bed_run(&b, NS_S);
	assert_all_arrived(&b);
	assert_true(b.c.end == ERR_RESET || (b.c.end == ERR_EOF && b.c.cut));
	bed_fini(&b);
}

/* --- peers that do not speak TLS, or not to the end --- */

static void test_a_mute_server(void **state)
{
	struct bed b;
	struct raw_server mute = { .ctx = NULL };
	(void)state;
	bed_init(&b, &(struct sim_cfg){ .seed = 1 });
	io_listener_close(&b.listener);
	raw_server_listen(&mute, b.far, "10.0.0.2:443");
	b.listener.at = *raw_server_addr(&mute);
	expect_refused(&b, ERR_TLS_TIMEOUT, "TLS with api.test: no handshake within 5 s");
	raw_server_fini(&mute);
	bed_fini(&b);
}

static void on_plain_bytes(struct raw *r)
{
	if (io_is_open(&r->sock) && r->end == ERR_AGAIN)
		raw_say(r, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
}

static void test_a_server_without_tls(void **state)
{
	struct bed b;
	struct raw_server plain = { .on_bytes = on_plain_bytes };
	(void)state;
	bed_init(&b, &(struct sim_cfg){ .seed = 1 });
	io_listener_close(&b.listener);
	raw_server_listen(&plain, b.far, "10.0.0.2:443");
	b.listener.at = *raw_server_addr(&plain);
	expect_refused(&b, ERR_TLS_HANDSHAKE,
		"TLS with api.test: wrong version number (is it TLS at all that is spoken "
		"there?)");
	raw_server_fini(&plain);
	bed_fini(&b);
}

static void test_nobody_listens(void **state)
{
	struct bed b;
	(void)state;
	bed_init(&b, &(struct sim_cfg){ .seed = 1 });
	struct addr at = b.listener.at;
	io_listener_close(&b.listener);
	b.listener.at = at;
	bed_connect(&b);
	bed_run(&b, NS_S);
	assert_int_equal(b.c.end, ERR_REFUSED);
	assert_int_equal(tls_client_counts(b.client)->failed, 0);
	bed_fini(&b);
}

static void test_a_mute_client(void **state)
{
	struct bed b;
	struct raw mute;
	(void)state;
	bed_init(&b, &(struct sim_cfg){ .seed = 1 });
	raw_init(&mute);
	raw_connect(&mute, b.near, &b.listener.at);
	bed_run(&b, 9 * NS_S);
	assert_int_equal(b.s.end, ERR_AGAIN);
	bed_run(&b, 2 * NS_S);
	assert_int_equal(b.s.end, ERR_TLS_TIMEOUT);
	assert_int_equal(tls_server_counts(b.server)->failed, 1);
	raw_fini(&mute);
	bed_fini(&b);
}

static void test_a_client_without_tls(void **state)
{
	struct bed b;
	struct raw plain;
	(void)state;
	bed_init(&b, &(struct sim_cfg){ .seed = 1 });
	raw_init(&plain);
	raw_connect(&plain, b.near, &b.listener.at);
	raw_say(&plain, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	bed_run(&b, NS_S);
	assert_int_equal(b.s.end, ERR_REQ_PLAIN);
	assert_int_equal(plain.in.len, 0);
	assert_string_equal(
		b.s.detail, "TLS with a client: plain HTTP where TLS is spoken");
	raw_fini(&plain);
	bed_fini(&b);
}

/* The connection is lost at every instant of the handshake: both ends learn it, at once. */
static void test_the_handshake_is_broken_off_anywhere(void **state)
{
	(void)state;
	for (ns_t at = 0; at < 3 * NS_MS; at += 37 * NS_US) {
		struct bed b;
		bed_init(&b, &(struct sim_cfg){
				     .seed = 1, .latency = 20 * NS_US, .write_max = 97 });
		party_say(&b.c, 10);
		bed_connect(&b);
		bed_run(&b, at);
		bool was_there = sim_cut(b.sim, b.near, b.far) > 0;
		bed_run(&b, NS_S);
		if (!was_there) { /* the SYN had not come to be */
			assert_int_equal(b.c.end, ERR_AGAIN);
			bed_fini(&b);
			continue;
		}
		assert_true(b.c.end == ERR_TLS_HANDSHAKE || b.c.end == ERR_RESET ||
			    b.c.end == ERR_REFUSED);
		if (b.s.up) /* EOF: a write was told of the reset */
			assert_true(b.s.end == ERR_TLS_HANDSHAKE ||
				    b.s.end == ERR_RESET ||
				    (b.s.end == ERR_EOF && b.s.cut));
		bed_fini(&b);
	}
}

/* Bytes that are no TLS in place of any part of the handshake, or after it. */
static void test_garbage_from_a_client(void **state)
{
	struct rng rng;
	(void)state;
	rng_init(&rng, test_seed(7));
	for (int i = 0; i < 200; i++) {
		struct bed b;
		struct raw wild;
		char junk[600];
		bed_init(&b, &(struct sim_cfg){ .seed = 1 });
		raw_init(&wild);
		raw_connect(&wild, b.near, &b.listener.at);
		size_t len = 1 + rng_below(&rng, sizeof(junk));
		for (size_t k = 0; k < len; k++)
			junk[k] = (char)rng_next(&rng);
		if (i % 2 && len > 5) /* a handshake record of the right size */
			memcpy(junk,
				(char[]){ 0x16, 3, 1, (char)((len - 5) >> 8),
					(char)(len - 5) },
				5);
		raw_send(&wild, (struct slice){ junk, len });
		bed_run(&b, 11 * NS_S);
		assert_true(
			b.s.end == ERR_TLS_HANDSHAKE || b.s.end == ERR_TLS_TIMEOUT ||
			(b.s.end == ERR_REQ_PLAIN && junk[0] >= 'A' && junk[0] <= 'Z'));
		raw_fini(&wild);
		bed_fini(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_every_split_of_the_transport),
		TEST(test_blocked_writes_lose_and_repeat_nothing),
		TEST(test_large_bodies_both_ways),
		TEST(test_small_reads_of_what_openssl_holds),
		TEST(test_reading_stops_and_goes_on),
		TEST(test_a_blocked_write_is_repeated_in_other_pieces),
		TEST(test_key_updates_under_traffic),
		TEST(test_no_renegotiation),
		TEST(test_half_close),
		TEST(test_a_fin_without_close_notify_is_a_cut),
		TEST(test_a_reset_says_no_farewell),
		TEST(test_a_farewell_before_a_reset),
		TEST(test_reading_after_a_failed_write),
		TEST(test_a_mute_server),
		TEST(test_a_server_without_tls),
		TEST(test_nobody_listens),
		TEST(test_a_mute_client),
		TEST(test_a_client_without_tls),
		TEST(test_the_handshake_is_broken_off_anywhere),
		TEST(test_garbage_from_a_client),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

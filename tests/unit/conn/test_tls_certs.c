/* Who is believed, what is resumed, and how files are read. */
#include "tests/unit/conn/bed.h"

#include <fcntl.h>
#include <unistd.h>

#include "conn/tls_issue.h"

static void refused_cert(const struct cert_is *is, const char *host, const char *detail)
{
	struct bed b;
	struct cert cert;
	bed_init(&b, &(struct sim_cfg){ .seed = 1 });
	certs_make(&b.certs, &cert, is);
	use_cert(&b, &cert);
	use_client(&b, &(struct tls_client_cfg){ .handshake_for = NS_S }, host);
	expect_refused(&b, ERR_TLS_VERIFY, detail);
	/* the server has been told, and its end is over */
	assert_true(b.s.end == ERR_TLS_HANDSHAKE || b.s.end == ERR_TLS_BROKEN);
	/* who asks for no proof gets none */
	bed_again(&b);
	use_client(&b, &(struct tls_client_cfg){ .insecure = true }, host);
	party_say(&b.c, 10);
	bed_connect(&b);
	bed_run(&b, NS_S);
	assert_all_arrived(&b);
	cert_fini(&cert);
	bed_fini(&b);
}

static void test_certificates_that_do_not_verify(void **state)
{
	(void)state;
	refused_cert(&(struct cert_is){ .names = "DNS:" HOST, .days = -1 }, HOST,
		"certificate of api.test: certificate has expired");
	refused_cert(&(struct cert_is){ .names = "DNS:www.test", .days = 9 }, HOST,
		"certificate of api.test: hostname mismatch");
	refused_cert(&(struct cert_is){ .names = "DNS:www.test", .days = 9 },
		"10.0.0.2:443", "certificate of 10.0.0.2: IP address mismatch");
	refused_cert(
		&(struct cert_is){ .names = "DNS:" HOST, .days = 9, .by_other = true },
		HOST, "certificate of api.test: unable to get local issuer certificate");
	refused_cert(
		&(struct cert_is){ .names = "DNS:" HOST, .days = 9, .by_itself = true },
		HOST, "certificate of api.test: self-signed certificate");
	refused_cert(&(struct cert_is){ .names = "DNS:*.test.example", .days = 9 },
		"a.b.test.example", "certificate of a.b.test.example: hostname mismatch");
}

static void accepted(const char *names, const char *authority, const char *sni)
{
	struct bed b;
	struct cert cert;
	bed_init(&b, &(struct sim_cfg){ .seed = 1 });
	certs_make(&b.certs, &cert, &(struct cert_is){ .names = names, .days = 9 });
	use_cert(&b, &cert);
	use_client(&b, &(struct tls_client_cfg){ .handshake_for = NS_S }, authority);
	party_say(&b.c, 10);
	bed_connect(&b);
	bed_run(&b, NS_S);
	assert_all_arrived(&b);
	const char *name = SSL_get_servername(
		b.s.conn.tls->ssl, TLSEXT_NAMETYPE_host_name);
	if (sni)
		assert_string_equal(name, sni);
	else
		assert_null(name); /* RFC 6066 3: no IP addresses there */
	cert_fini(&cert);
	bed_fini(&b);
}

static void test_names_that_verify(void **state)
{
	(void)state;
	accepted("DNS:" HOST, HOST, HOST);
	accepted("DNS:" HOST, HOST ":8443", HOST);
	accepted("DNS:" HOST, HOST ".:8443", HOST);
	accepted("DNS:*.api.test", "www.api.test", "www.api.test");
	accepted("IP:10.0.0.2", "10.0.0.2:443", NULL);
	accepted("IP:fd00::1", "[fd00::1]:443", NULL);
}

static void save(
	struct text *file, const char *dir, const char *name, const struct text *bytes)
{
	text_init(file);
	text_addf(file, "%s/%s", dir, name);
	int fd = open(file->ptr, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes->ptr, bytes->len), bytes->len);
	close(fd);
}

/* What is made on the spot serves, at its addresses, those who were given it to trust. */
static void test_a_certificate_made_on_the_spot(void **state)
{
	const char *const addresses[] = { "10.0.0.3", "10.0.0.2", NULL };
	struct text cert, key, ca;
	struct cert made;
	struct bed b;
	(void)state;
	text_init(&cert);
	text_init(&key);
	tls_issue(addresses, &cert, &key);
	bed_init(&b, &(struct sim_cfg){ .seed = 1 });
	text_init(&ca);
	text_add(&ca, b.certs.ca.ptr);
	save(&made.cert, b.certs.dir, "spot-cert.pem", &cert);
	save(&made.key, b.certs.dir, "spot-key.pem", &key);
	use_cert(&b, &made);
	use_client(
		&b, &(struct tls_client_cfg){ .ca_file = made.cert.ptr }, "10.0.0.2:443");
	party_say(&b.c, 10);
	bed_connect(&b);
	bed_run(&b, NS_S);
	assert_all_arrived(&b);
	bed_again(&b);
	use_client(
		&b, &(struct tls_client_cfg){ .ca_file = made.cert.ptr }, "10.0.0.4:443");
	expect_refused(
		&b, ERR_TLS_VERIFY, "certificate of 10.0.0.4: IP address mismatch");
	bed_again(&b);
	use_client(&b, &(struct tls_client_cfg){ .ca_file = ca.ptr }, "10.0.0.2:443");
	expect_refused(
		&b, ERR_TLS_VERIFY, "certificate of 10.0.0.2: self-signed certificate");
	cert_fini(&made);
	text_fini(&ca);
	text_fini(&cert);
	text_fini(&key);
	bed_fini(&b);
}

static void test_a_certificate_that_is_asked_of_us(void **state)
{
	struct bed b;
	struct cert mine;
	(void)state;
	for (int tls12 = 0; tls12 < 2; tls12++) {
		bed_init(&b, &(struct sim_cfg){ .seed = 1 });
		SSL_CTX_set_verify(b.server->ctx,
			SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
		assert_int_equal(
			SSL_CTX_load_verify_file(b.server->ctx, b.certs.ca.ptr), 1);
		if (tls12)
			only_tls12(&b);
		party_say(&b.c, 10);
		bed_connect(&b);
		bed_run(&b, NS_S);
		assert_int_equal(b.c.end, ERR_TLS_HANDSHAKE);
		assert_non_null(strstr(b.c.detail, "TLS with api.test: "));
		assert_non_null(strstr(b.c.detail, "alert"));
		bed_again(&b);
		certs_make(&b.certs, &mine,
			&(struct cert_is){ .names = "DNS:me", .days = 9 });
		use_client(&b,
			&(struct tls_client_cfg){
				.cert_file = mine.cert.ptr, .key_file = mine.key.ptr },
			HOST);
		party_say(&b.c, 10);
		bed_connect(&b);
		bed_run(&b, NS_S);
		assert_all_arrived(&b);
		cert_fini(&mine);
		bed_fini(&b);
	}
}

static void test_sessions_are_resumed(void **state)
{
	struct bed b;
	(void)state;
	for (int tls12 = 0; tls12 < 2; tls12++) {
		bed_init(&b, &(struct sim_cfg){ .seed = 1 });
		if (tls12)
			only_tls12(&b);
		for (uint32_t i = 0; i < 5; i++) {
			party_say(&b.c, 10);
			bed_connect(&b);
			bed_run(&b, NS_S);
			assert_all_arrived(&b);
			assert_int_equal(tls_client_counts(b.client)->handshakes, i + 1);
			assert_int_equal(tls_client_counts(b.client)->resumed, i);
			assert_int_equal(tls_server_counts(b.server)->resumed, i);
			if (i % 2) /* however it was closed */
				party_close(&b.c, IO_CLOSE_RESET);
			bed_again(&b);
		}
		bed_fini(&b);
	}
}

static long serial_seen(struct bed *b)
{
	bed_again(b);
	party_say(&b->c, 10);
	bed_connect(b);
	bed_run(b, NS_S);
	assert_all_arrived(b);
	X509 *cert = SSL_get1_peer_certificate(b->c.conn.tls->ssl);
	long serial = ASN1_INTEGER_get(X509_get0_serialNumber(cert));
	X509_free(cert);
	return serial;
}

/* A new certificate takes the old one's place while a connection is on the old one. */
static void test_another_certificate_takes_over(void **state)
{
	struct bed b;
	struct cert next;
	struct problem p = { "" };
	(void)state;
	bed_init(&b, &(struct sim_cfg){ .seed = 1 });
	long first = serial_seen(&b);
	certs_make(&b.certs, &next, &(struct cert_is){ .names = "DNS:" HOST, .days = 9 });
	struct tls_server *after = tls_server_new(
		&(struct tls_server_cfg){
			{ next.cert.ptr, next.key.ptr }, .handshake_for = NS_S },
		&p);
	assert_non_null(after);
	tls_server_succeed(after, b.server);
	tls_server_unref(&b.server);
	b.server = after;
	party_say(&b.c, 1000);
	party_say(&b.s, 1000);
	bed_run(&b, NS_S);
	assert_all_arrived(&b);

	uint64_t resumed = tls_server_counts(b.server)->resumed;
	(void)serial_seen(&b); /* by a ticket of before, so no certificate was sent */
	assert_int_equal(tls_server_counts(b.server)->resumed, resumed + 1);
	tls_peer_forget(b.peer);
	assert_int_not_equal(serial_seen(&b), first);
	cert_fini(&next);
	bed_fini(&b);
}

static long serial_for(struct bed *b, const char *host)
{
	use_client(b, &(struct tls_client_cfg){ .insecure = true }, host);
	return serial_seen(b);
}

/* Each name gets the first certificate that has it; any other, and none, the first of all. */
static void test_a_certificate_for_each_name(void **state)
{
	static const char *const names[] = { "DNS:a.test", "DNS:b.test, DNS:*.c.test",
		"DNS:x.c.test, DNS:b.test" };
	static const struct {
		const char *asks;
		uint32_t shown;
	} cases[] = {
		{ "a.test", 0 },
		{ "b.test", 1 },
		{ "B.Test", 1 },
		{ "x.c.test", 1 },
		{ "y.x.c.test", 0 },
		{ "other.test", 0 },
		{ "10.0.0.2", 0 },
	};
	struct cert cert[ARRAY_LEN(names)];
	struct tls_files files[ARRAY_LEN(names)];
	long serial[ARRAY_LEN(names)];
	struct bed b;
	struct problem p = { "" };
	(void)state;
	bed_init(&b, &(struct sim_cfg){ .seed = 1 });
	for (uint32_t i = 0; i < ARRAY_LEN(names); i++) {
		certs_make(&b.certs, &cert[i],
			&(struct cert_is){ .names = names[i], .days = 9 });
		files[i] = (struct tls_files){ cert[i].cert.ptr, cert[i].key.ptr };
		use_cert(&b, &cert[i]);
		serial[i] = serial_for(&b, HOST);
	}
	tls_server_unref(&b.server);
	b.server = tls_server_new(&(struct tls_server_cfg){ files[0], NS_S, files + 1,
					  ARRAY_LEN(names) - 1 },
		&p);
	assert_non_null(b.server);
	for (uint32_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(serial_for(&b, cases[i].asks), serial[cases[i].shown]);
	/* a session is resumed under the name that it was begun with */
	use_client(&b, &(struct tls_client_cfg){ .insecure = true }, "b.test");
	(void)serial_seen(&b);
	uint64_t resumed = tls_server_counts(b.server)->resumed;
	(void)serial_seen(&b);
	assert_int_equal(tls_server_counts(b.server)->resumed, resumed + 1);

	files[2].key_file = cert[0].key.ptr;
	assert_null(tls_server_new(&(struct tls_server_cfg){ files[0], NS_S, files + 1,
					   ARRAY_LEN(names) - 1 },
		&p));
	assert_non_null(strstr(p.text, "is not the key of the certificate"));
	for (uint32_t i = 0; i < ARRAY_LEN(names); i++)
		cert_fini(&cert[i]);
	bed_fini(&b);
}

static void expect_no_client(
	const struct tls_client_cfg *cfg, const char *a, const char *why)
{
	struct problem p = { "" };
	assert_null(tls_client_new(cfg, &p));
	if (!strstr(p.text, a) || !strstr(p.text, why))
		fail_msg("%s", p.text);
}

static void test_files_that_are_no_good(void **state)
{
	struct bed b;
	struct problem p = { "" };
	(void)state;
	bed_init(&b, &(struct sim_cfg){ .seed = 1 });
	const char *cert = b.good.cert.ptr, *key = b.good.key.ptr;
	expect_no_client(&(struct tls_client_cfg){ .ca_file = "/no/such.pem" },
		"/no/such.pem", "No such file");
	expect_no_client(
		&(struct tls_client_cfg){ .ca_file = key }, key, "no certificate");
	expect_no_client(&(struct tls_client_cfg){ .cert_file = cert, .key_file = cert },
		cert, "no private key");
	assert_null(
		tls_server_new(&(struct tls_server_cfg){ .first = { key, key } }, &p));
	assert_non_null(strstr(p.text, "no certificate"));
	struct cert other;
	certs_make(
		&b.certs, &other, &(struct cert_is){ .names = "DNS:" HOST, .days = 9 });
	p.text[0] = '\0';
	assert_null(tls_server_new(
		&(struct tls_server_cfg){ .first = { cert, other.key.ptr } }, &p));
	assert_non_null(strstr(p.text, other.key.ptr));
	assert_non_null(strstr(p.text, "is not the key of the certificate"));
	cert_fini(&other);
	bed_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_certificates_that_do_not_verify),
		TEST(test_names_that_verify),
		TEST(test_a_certificate_made_on_the_spot),
		TEST(test_a_certificate_that_is_asked_of_us),
		TEST(test_sessions_are_resumed),
		TEST(test_another_certificate_takes_over),
		TEST(test_a_certificate_for_each_name),
		TEST(test_files_that_are_no_good),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What connections under TLS have in common: certificates, trust, sessions. */
#include "conn/tls_internal.h"

#include <openssl/err.h>
#include <openssl/x509err.h>
#include <openssl/x509v3.h>

#define TICKET_KEYS_BYTES 80
#define READ_BYTES (4 * (16384 + 256))

/* --- why OpenSSL did not --- */

const char *tls_reason(void)
{
	unsigned long e = ERR_get_error();
	int alert = ERR_GET_REASON(e) - SSL_AD_REASON_OFFSET;
	const char *text = ERR_reason_error_string(e);
	ERR_clear_error();
	if (ERR_GET_LIB(e) == ERR_LIB_SSL && alert >= 0 && alert <= 255)
		return text ? text : "it sent an alert";
	if (ERR_GET_LIB(e) == ERR_LIB_SSL &&
		ERR_GET_REASON(e) == SSL_R_WRONG_VERSION_NUMBER)
		return "wrong version number (is it TLS at all that is spoken there?)";
	if (ERR_GET_LIB(e) == ERR_LIB_SSL && ERR_GET_REASON(e) == SSL_R_HTTP_REQUEST)
		return "plain HTTP where TLS is spoken";
	return text ? text : "unknown error";
}

/* --- both sides --- */

/* A key that asks for a passphrase is refused: nobody would be there to type it. */
static int on_passphrase(char *buf, int cap, int is_for_writing, void *asked)
{
	(void)buf;
	(void)cap;
	(void)is_for_writing;
	*(bool *)asked = true;
	return -1;
}

static SSL_CTX *ctx_new(const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);
	CHECK(ctx && SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION));
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	/* Header and payload of a record in one read, and of the next ones if they are there. */
	SSL_CTX_set_read_ahead(ctx, 1);
	return ctx;
}

static bool has_reason(unsigned long e, int lib, int reason)
{
	return ERR_GET_LIB(e) == lib && ERR_GET_REASON(e) == reason;
}

/* What is wrong with a file that should hold `what`. */
static bool file_problem(struct problem *p, const char *file, const char *what)
{
	unsigned long first = ERR_peek_error(), last = ERR_peek_last_error();
	const char *why = ERR_reason_error_string(first);
	if (ERR_GET_LIB(first) == ERR_LIB_SYS)
		problem_fill(p, "%s: %s", file, strerror(ERR_GET_REASON(first)));
	else if (has_reason(last, ERR_LIB_X509, X509_R_KEY_VALUES_MISMATCH))
		problem_fill(p, "%s: is not the key of the certificate", file);
	else
		problem_fill(p, "%s: holds no %s in PEM form (%s)", file, what,
			why ? why : "it is empty");
	ERR_clear_error();
	return false;
}

static bool load_identity(
	SSL_CTX *ctx, const char *cert_file, const char *key_file, struct problem *p)
{
	bool asked = false;
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
		return file_problem(p, cert_file, "certificate");
	SSL_CTX_set_default_passwd_cb(ctx, on_passphrase);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, &asked);
	int rc = SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
	if (rc != 1 && asked)
		return problem_set(p,
			"%s: its key asks for a passphrase, which nobody could type: save "
			"it without one",
			key_file);
	return rc == 1 || file_problem(p, key_file, "private key");
}

/* --- holds and counts --- */

static void hold(_Atomic uint32_t *refs)
{
	atomic_fetch_add_explicit(refs, 1, memory_order_relaxed);
}

/* True: that was the last one. */
static bool let_go(_Atomic uint32_t *refs)
{
	return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

static void tallies_init(struct tls_tallies *t)
{
	t->own = mem_zalloc(sizeof(*t->own));
	atomic_init(&t->own->refs, 1);
	atomic_init(&t->used, t->own);
}

static void tally_unref(struct tls_tally *tally)
{
	if (let_go(&tally->refs))
		mem_free(tally);
}

static void tallies_fini(struct tls_tallies *t)
{
	struct tls_tally *used = atomic_load(&t->used);
	if (used != t->own)
		tally_unref(used);
	tally_unref(t->own);
}

/* False: it has a predecessor already. */
static bool tallies_succeed(struct tls_tallies *t, const struct tls_tallies *before)
{
	struct tls_tally *own = t->own, *used = atomic_load(&before->used);
	hold(&used->refs);
	if (used != own && atomic_compare_exchange_strong(&t->used, &own, used))
		return true;
	tally_unref(used);
	return false;
}

/* --- toward a server --- */

/* A session, or with TLS 1.3 a ticket, has come: the newest is the one to resume. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls *t = SSL_get_app_data(ssl);
	if (!t || !t->peer)
		return 0;
	tls_peer_forget(t->peer);
	t->peer->session = session; /* its reference is ours now */
	return 1;
}

static bool load_trust(SSL_CTX *ctx, const struct tls_client_cfg *cfg, struct problem *p)
{
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);
	ERR_clear_error();
	if (cfg->insecure) {
		SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
		return true;
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	/* What is in the file is trusted, an intermediate's certificate too. */
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (!cfg->ca_file)
		CHECK(SSL_CTX_set_default_verify_paths(ctx) == 1);
	else if (SSL_CTX_load_verify_file(ctx, cfg->ca_file) != 1)
		return file_problem(p, cfg->ca_file, "certificate to trust");
	return true;
}

static SSL_CTX *client_ctx(const struct tls_client_cfg *cfg, struct problem *p)
{
	static const unsigned char alpn[] = "\x08http/1.1";
	SSL_CTX *ctx = ctx_new(TLS_client_method());
	/* Answers are long: several records a read. A server may keep us waiting within one, but
	 * there are only so many; of clients there may be ten thousand, with 16 KiB each. */
	SSL_CTX_set_default_read_buffer_len(ctx, READ_BYTES);
	CHECK(SSL_CTX_set_alpn_protos(ctx, alpn, sizeof(alpn) - 1) == 0);
	SSL_CTX_set_session_cache_mode(
		ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	if (!load_trust(ctx, cfg, p) ||
		(cfg->cert_file &&
			!load_identity(ctx, cfg->cert_file, cfg->key_file, p))) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

struct tls_client *tls_client_new(const struct tls_client_cfg *cfg, struct problem *p)
{
	SSL_CTX *ctx = client_ctx(cfg, p);
	if (!ctx)
		return NULL;
	struct tls_client *c = mem_zalloc(sizeof(*c));
	atomic_init(&c->refs, 1);
	c->ctx = ctx;
	c->bio = tls_bio_new();
	c->handshake_for = cfg->handshake_for;
	tallies_init(&c->tallies);
	return c;
}

void tls_client_ref(struct tls_client *c)
{
	hold(&c->refs);
}

void tls_client_unref(struct tls_client **cp)
{
	struct tls_client *c = *cp;
	*cp = NULL;
	if (!c || !let_go(&c->refs))
		return;
	SSL_CTX_free(c->ctx);
	BIO_meth_free(c->bio);
	tallies_fini(&c->tallies);
	mem_free(c);
}

void tls_client_succeed(struct tls_client *c, const struct tls_client *before)
{
	(void)tallies_succeed(&c->tallies, &before->tallies);
}

const struct tls_counts *tls_client_counts(const struct tls_client *c)
{
	return tls_counted(&c->tallies);
}

/* "[::1]:443" is "::1", "api.example.com.:443" is "api.example.com": in a certificate and in
 * SNI there is no dot at the end. */
static struct slice host_of(struct slice authority)
{
	struct slice host = authority;
	if (host.len && host.ptr[0] == '[')
		return slice_cut(host, 1, slice_find(host, ']') - 1);
	host = slice_cut(host, 0, slice_find(host, ':'));
	if (host.len > 1 && host.ptr[host.len - 1] == '.')
		host.len--;
	return host;
}

static bool is_ip(const char *host)
{
	ASN1_OCTET_STRING *ip = a2i_IPADDRESS(host);
	ASN1_OCTET_STRING_free(ip);
	ERR_clear_error();
	return ip != NULL;
}

struct tls_peer *tls_peer_new(struct tls_client *c, struct slice authority)
{
	struct tls_peer *peer = mem_zalloc(sizeof(*peer));
	peer->refs = 1;
	peer->client = c;
	hold(&c->refs);
	peer->host = slice_dup(host_of(authority));
	peer->is_ip = is_ip(peer->host);
	return peer;
}

void tls_peer_forget(struct tls_peer *peer)
{
	SSL_SESSION_free(peer->session);
	peer->session = NULL;
}

void tls_peer_unref(struct tls_peer **pp)
{
	struct tls_peer *peer = *pp;
	*pp = NULL;
	if (!peer || --peer->refs > 0)
		return;
	tls_peer_forget(peer);
	tls_client_unref(&peer->client);
	mem_free(peer->host);
	mem_free(peer);
}

SSL *tls_peer_ssl(struct tls_peer *peer)
{
	SSL *ssl = SSL_new(peer->client->ctx);
	CHECK(ssl);
	if (peer->is_ip) {
		CHECK(X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), peer->host) ==
			1);
	} else {
		CHECK(SSL_set1_host(ssl, peer->host) == 1);
		CHECK(SSL_set_tlsext_host_name(ssl, peer->host) == 1);
	}
	if (peer->session)
		(void)SSL_set_session(ssl, peer->session); /* if not, a full handshake */
	return ssl;
}

/* --- from a client --- */

/* RFC 7301 3.2: who offers only what we do not speak is refused. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
	const unsigned char *in, unsigned in_len, void *ctx)
{
	static const unsigned char ours[] = "\x08http/1.1\x08http/1.0";
	unsigned char *chosen;
	(void)ssl;
	(void)ctx;
	if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, in, in_len) !=
		OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static bool has_name(SSL_CTX *ctx, const char *name)
{
	return X509_check_host(SSL_CTX_get0_certificate(ctx), name, 0,
		       X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

static int on_name(SSL *ssl, int *alert, void *arg)
{
	const struct tls_server *s = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	(void)alert;
	if (!name || has_name(s->ctx, name))
		return SSL_TLSEXT_ERR_OK;
	for (uint32_t i = 0; i < s->other_count; i++) {
		if (has_name(s->others[i], name)) {
			CHECK(SSL_set_SSL_CTX(ssl, s->others[i]));
			break;
		}
	}
	return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *server_ctx(const struct tls_files *files, struct problem *p)
{
	static const unsigned char id[] = "weir";
	SSL_CTX *ctx = ctx_new(TLS_server_method());
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	SSL_CTX_set_dh_auto(ctx, 1);
	/* Tickets alone: sessions of clients that do not come back would fill a cache. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	CHECK(SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1) == 1);
	if (!load_identity(ctx, files->cert_file, files->key_file, p)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

static void server_free(struct tls_server *s)
{
	for (uint32_t i = 0; i < s->other_count; i++)
		SSL_CTX_free(s->others[i]);
	mem_free(s->others);
	SSL_CTX_free(s->ctx);
	mem_free(s);
}

static bool load_others(
	struct tls_server *s, const struct tls_server_cfg *cfg, struct problem *p)
{
	if (!cfg->other_count)
		return true;
	s->others = mem_alloc(cfg->other_count * sizeof(SSL_CTX *));
	for (uint32_t i = 0; i < cfg->other_count; i++) {
		s->others[i] = server_ctx(&cfg->others[i], p);
		if (!s->others[i])
			return false;
		s->other_count++;
	}
	CHECK(SSL_CTX_set_tlsext_servername_callback(s->ctx, on_name) == 1);
	CHECK(SSL_CTX_set_tlsext_servername_arg(s->ctx, s) == 1);
	return true;
}

struct tls_server *tls_server_new(const struct tls_server_cfg *cfg, struct problem *p)
{
	struct tls_server *s = mem_zalloc(sizeof(*s));
	s->ctx = server_ctx(&cfg->first, p);
	if (!s->ctx || !load_others(s, cfg, p)) {
		server_free(s);
		return NULL;
	}
	atomic_init(&s->refs, 1);
	s->bio = tls_bio_new();
	s->handshake_for = cfg->handshake_for;
	tallies_init(&s->tallies);
	return s;
}

void tls_server_ref(struct tls_server *s)
{
	hold(&s->refs);
}

void tls_server_unref(struct tls_server **sp)
{
	struct tls_server *s = *sp;
	*sp = NULL;
	if (!s || !let_go(&s->refs))
		return;
	BIO_meth_free(s->bio);
	tallies_fini(&s->tallies);
	server_free(s);
}

void tls_server_succeed(struct tls_server *s, const struct tls_server *before)
{
	unsigned char keys[TICKET_KEYS_BYTES];
	if (!tallies_succeed(&s->tallies, &before->tallies))
		return;
	CHECK(SSL_CTX_get_tlsext_ticket_keys(before->ctx, keys, sizeof(keys)) == 1);
	CHECK(SSL_CTX_set_tlsext_ticket_keys(s->ctx, keys, sizeof(keys)) == 1);
	OPENSSL_cleanse(keys, sizeof(keys));
}

const struct tls_counts *tls_server_counts(const struct tls_server *s)
{
	return tls_counted(&s->tallies);
}

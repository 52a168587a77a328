/* first: base/banned.h poisons names that OpenSSL's headers use */
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "conn/tls_issue.h"

#define DAY_SECONDS (24L * 3600)
#define DAYS 30

static void extend(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	CHECK(e && X509_add_ext(cert, e, -1) == 1);
	X509_EXTENSION_free(e);
}

static void extend_by_addresses(X509 *cert, const char *const *addresses)
{
	struct text t;
	text_init(&t);
	for (; *addresses; addresses++)
		text_addf(&t, "%sIP:%s", t.len ? "," : "", *addresses);
	extend(cert, NID_subject_alt_name, t.ptr);
	text_fini(&t);
}

static X509 *cert_of(EVP_PKEY *key, const char *const *addresses)
{
	X509 *cert = X509_new();
	CHECK(cert && X509_set_version(cert, X509_VERSION_3));
	X509_NAME *name = X509_get_subject_name(cert);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	/* Clocks of other hosts may be a little behind. */
	X509_gmtime_adj(X509_getm_notBefore(cert), -DAY_SECONDS);
	X509_gmtime_adj(X509_getm_notAfter(cert), DAYS * DAY_SECONDS);
	X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_ASC, (const unsigned char *)"weir", -1, -1, 0);
	CHECK(X509_set_pubkey(cert, key) && X509_set_issuer_name(cert, name));
	extend(cert, NID_basic_constraints, "critical,CA:TRUE");
	extend(cert, NID_key_usage, "critical,digitalSignature,keyCertSign");
	extend_by_addresses(cert, addresses);
	CHECK(X509_sign(cert, key, EVP_sha256()) > 0);
	return cert;
}

static void take(BIO *from, struct text *to)
{
	char *bytes;
	long len = BIO_get_mem_data(from, &bytes);
	CHECK(len > 0);
	text_add_slice(to, (struct slice){ bytes, (size_t)len });
	BIO_free(from);
}

void tls_issue(const char *const *addresses, struct text *cert, struct text *key)
{
	EVP_PKEY *pair = EVP_EC_gen("P-256");
	CHECK(pair);
	X509 *made = cert_of(pair, addresses);
	BIO *cert_pem = BIO_new(BIO_s_mem()), *key_pem = BIO_new(BIO_s_mem());
	CHECK(cert_pem && PEM_write_bio_X509(cert_pem, made) == 1);
	CHECK(key_pem &&
		PEM_write_bio_PrivateKey(key_pem, pair, NULL, NULL, 0, NULL, NULL) == 1);
	take(cert_pem, cert);
	take(key_pem, key);
	X509_free(made);
	EVP_PKEY_free(pair);
}

/* first: base/banned.h poisons names that OpenSSL's headers use */
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tests/unit/conn/certs.h"

#include <stdlib.h>
#include <unistd.h>

static EVP_PKEY *new_key(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	CHECK(key);
	return key;
}

static void name_file(const struct certs *c, struct text *out, const char *what)
{
	text_init(out);
	text_addf(out, "%s/%u-%s.pem", c->dir, c->made, what);
}

static void save(const char *path, X509 *cert, EVP_PKEY *key)
{
	FILE *f = fopen(path, "we");
	CHECK(f);
	if (cert)
		CHECK(PEM_write_X509(f, cert) == 1);
	if (key)
		CHECK(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1);
	CHECK(fclose(f) == 0);
}

static void extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	CHECK(e && X509_add_ext(cert, e, -1) == 1);
	X509_EXTENSION_free(e);
}

static X509 *new_cert(struct certs *c, const char *name, EVP_PKEY *key, int days)
{
	X509 *cert = X509_new();
	CHECK(cert && X509_set_version(cert, X509_VERSION_3));
	ASN1_INTEGER_set(X509_get_serialNumber(cert), (long)++c->made);
	X509_gmtime_adj(X509_getm_notBefore(cert), -100L * 24 * 3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), (long)days * 24 * 3600);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
		(const unsigned char *)name, -1, -1, 0);
	return cert;
}

static void sign(X509 *cert, X509 *issuer, EVP_PKEY *key)
{
	CHECK(X509_set_issuer_name(cert, X509_get_subject_name(issuer)));
	CHECK(X509_sign(cert, key, EVP_sha256()) > 0);
}

static void make_root(struct certs *c, int nth, const char *name, struct text *file)
{
	EVP_PKEY *key = new_key();
	X509 *cert = new_cert(c, name, key, 1000);
	extend(cert, cert, NID_basic_constraints, "critical,CA:TRUE");
	extend(cert, cert, NID_key_usage, "critical,keyCertSign");
	sign(cert, cert, key);
	name_file(c, file, name);
	save(file->ptr, cert, NULL);
	c->keys[nth] = key;
	c->roots[nth] = cert;
}

void certs_init(struct certs *c)
{
	*c = (struct certs){ .dir = "/tmp/weir-certs-XXXXXX" };
	CHECK(mkdtemp(c->dir));
	make_root(c, 0, "root", &c->ca);
	make_root(c, 1, "other", &c->other_ca);
}

void certs_make(struct certs *c, struct cert *out, const struct cert_is *is)
{
	EVP_PKEY *key = new_key();
	X509 *cert = new_cert(c, "leaf", key, is->days);
	X509 *issuer = is->by_itself ? cert : c->roots[is->by_other];
	extend(cert, issuer, NID_subject_alt_name, is->names);
	sign(cert, issuer, is->by_itself ? key : c->keys[is->by_other]);
	name_file(c, &out->cert, "cert");
	name_file(c, &out->key, "key");
	save(out->cert.ptr, cert, NULL);
	save(out->key.ptr, NULL, key);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void remove_file(struct text *file)
{
	CHECK(unlink(file->ptr) == 0);
	text_fini(file);
}

void cert_fini(struct cert *c)
{
	remove_file(&c->cert);
	remove_file(&c->key);
}

void certs_fini(struct certs *c)
{
	for (int i = 0; i < 2; i++) {
		X509_free(c->roots[i]);
		EVP_PKEY_free(c->keys[i]);
	}
	remove_file(&c->ca);
	remove_file(&c->other_ca);
	CHECK(rmdir(c->dir) == 0);
}

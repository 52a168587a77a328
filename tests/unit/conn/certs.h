/*
 * certs: a small authority for tests: PEM files in a folder of their own, made when asked for
 * and removed at the end.
 */
#ifndef WEIR_TESTS_CERTS_H
#define WEIR_TESTS_CERTS_H

#include "base/text.h"

struct certs {
	char dir[64];
	struct text ca,
		other_ca; /* files: the authority that is trusted, and one that is not */
	uint32_t made;
	void *keys[2], *roots[2]; /* of ca, other_ca */
};

struct cert {
	struct text cert, key; /* files */
};

struct cert_is {
	const char *names; /* subjectAltName: "DNS:api.test,IP:10.0.0.2" */
	int days;          /* until it expires; below 0: it has */
	bool by_other;     /* signed by other_ca */
	bool by_itself;
};

void certs_init(struct certs *c);
void certs_fini(struct certs *c);
void certs_make(struct certs *c, struct cert *out, const struct cert_is *is);
void cert_fini(struct cert *c);

#endif

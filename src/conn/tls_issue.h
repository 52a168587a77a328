/*
 * tls_issue: a certificate with its key, made on the spot, for programs that are to speak
 * TLS with each other for a while (weir lab).
 *
 * WHAT    Signed by itself, so it is also what a client is given to trust. A new key each
 *         time; nobody else knows it. Not for a server that strangers call.
 */
#ifndef WEIR_CONN_TLS_ISSUE_H
#define WEIR_CONN_TLS_ISSUE_H

#include "base/text.h"

/* For the server at any of these IP addresses ("10.0.0.1", NULL ends), for thirty days.
 * Appends both in PEM form. Aborts when the library gives no key. */
void tls_issue(const char *const *addresses, struct text *cert, struct text *key);

#endif

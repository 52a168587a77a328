/* tls: shared by tls.c (one connection) and tls_ctx.c (certificates, sessions). */
#ifndef WEIR_CONN_TLS_INTERNAL_H
#define WEIR_CONN_TLS_INTERNAL_H

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "conn/tls.h"

/* Shared with those that came before: connections on them count on. */
struct tls_tally {
	_Atomic uint32_t refs;
	struct tls_counts n;
};

/* Those who count may be at it while one takes over from another. */
struct tls_tallies {
	struct tls_tally *own;
	_Atomic(struct tls_tally *) used; /* own, or a predecessor's */
};

struct tls_client {
	_Atomic uint32_t refs; /* the maker's, those of tls_client_ref, and one a peer */
	SSL_CTX *ctx;
	BIO_METHOD *bio;
	ns_t handshake_for;
	struct tls_tallies tallies;
};

struct tls_peer {
	uint32_t refs; /* the maker's, and one a connection */
	struct tls_client *client;
	char *host; /* no port, no brackets, no last dot */
	bool is_ip;
	SSL_SESSION *session; /* resumed by the next connection; NULL: none */
};

struct tls_server {
	_Atomic uint32_t refs; /* the maker's, and one a connection */
	SSL_CTX *ctx;          /* of the first certificate, and of all tickets */
	SSL_CTX **others;      /* one a certificate; else nothing is different in them */
	uint32_t other_count;
	BIO_METHOD *bio;
	ns_t handshake_for;
	struct tls_tallies tallies;
};

struct cork;

enum tls_state { TLS_CONNECTING, TLS_SHAKING, TLS_OPEN, TLS_FAILED };

struct tls {
	struct conn *conn;
	SSL *ssl;
	struct tls_client *client; /* toward a server; else NULL */
	struct tls_peer *peer;     /* the same; NULL between two loops */
	struct tls_server *server; /* from a client; else NULL */
	enum tls_state state;
	enum err failed; /* why it is FAILED */
	enum err read_end,
		sock_end; /* what reading ended with: the owner's, the socket's */
	enum err write_end;
	bool more;             /* the owner can read without the socket's help */
	bool write_wants_read; /* OpenSSL must read before it writes on */
	bool heard;            /* bytes have come */
	bool plain;            /* what the client began with is no TLS, but a word */
	bool corked;           /* another record follows at once: keep this one back */
	struct cork *cork;     /* there, while tls_writev runs; else NULL */
	bool fin_due;          /* FIN once `out` is empty */
	uint32_t record_max;   /* payload of a record */
	uint32_t cork_records; /* so many leave at once */
	size_t owed;     /* bytes sealed, and not told to the owner as written yet */
	uint64_t sent;   /* bytes the socket took */
	struct text out; /* sealed bytes the socket did not take, from out_at on */
	size_t out_at;
	char *detail;
	struct timer timer;    /* the handshake's end */
	struct io_defer later; /* for `more` */
};

/* --- tls.c --- */
BIO_METHOD *tls_bio_new(void);

/* --- tls_ctx.c --- */
static inline struct tls_counts *tls_counted(const struct tls_tallies *t)
{
	return &atomic_load_explicit(&t->used, memory_order_acquire)->n;
}
/* An SSL for a connection of this peer or server: name, session and verification are set. */
SSL *tls_peer_ssl(struct tls_peer *peer);
/* Its session is not resumed again. */
void tls_peer_forget(struct tls_peer *peer);
/* The first of OpenSSL's errors, as people read it; the queue is left empty. */
const char *tls_reason(void);

#endif

/*
 * tls: TLS 1.2 and 1.3 by OpenSSL 3, as a filter of a connection (conn/conn.h).
 *
 * WHAT    tls_connect or tls_accept puts the filter on; from then on the calls of conn.h
 *         carry the owner's plain bytes. Certificates are checked here, HTTP is not known.
 * MODEL   A tls_client is how we speak as a client (whom to trust, our own certificate); a
 *         tls_peer is one server as that client knows it: the name its certificate must have,
 *         and the session that the next connection resumes. A tls_server is a certificate
 *         with its key, others for other names, and the keys of the tickets given out.
 *         A connection is CONNECTING (the socket), SHAKING, OPEN or FAILED. While it shakes,
 *         reads and writes give ERR_AGAIN; on_ready comes when it is over, well or not.
 * RULES   1. on_ready comes as io/sock.h has it, also for bytes that OpenSSL holds while the
 *            socket is silent.
 *         2. Bytes count as written when the record they are in is with the kernel, whole; a
 *            peer can make nothing of less.
 *         3. A failed write leaves reading as it is: what the peer said can still be read.
 *         4. IO_CLOSE_RESET says no close_notify (an answer cut short must look so): who
 *            resets a connection at rest calls conn_farewell first.
 *         5. The peer's FIN without its close_notify gives ERR_EOF and sets conn.cut.
 *         6. A client that begins with a capital letter speaks no TLS: reading gives
 *            ERR_REQ_PLAIN, nothing is said to it, and after conn_strip its owner may.
 *         7. Nothing is renegotiated, compressed, or sent early (0-RTT).
 * OWNS    tls_client, tls_peer and tls_server are counted: a connection holds what it was
 *         begun with, a peer its client; _unref gives up the maker's hold. So a reload makes
 *         new ones and puts them in the old ones' place, when all could be made. A
 *         connection's state is freed by conn_close.
 * COST    some 14 KiB a connection at rest, nearly all of it OpenSSL's; buffers of 16 KiB a
 *         direction come with the bytes and go with them. One record a write of up to 16 KiB;
 *         up to 4 KiB in front of other bytes are copied once to share their record.
 * CONTEXT tls_client and tls_server: any thread may hold and use the same one. A tls_peer and
 *         a connection: the loop's thread.
 */
#ifndef WEIR_CONN_TLS_H
#define WEIR_CONN_TLS_H

#include "conn/conn.h"

struct tls_counts {
	_Atomic uint64_t handshakes, resumed,
		failed; /* handshakes: those that went well */
};

/* --- toward a server --- */

struct tls_client;
struct tls_peer;

struct tls_client_cfg {
	const char *ca_file;   /* PEM: trusted roots; NULL: the system's */
	const char *cert_file; /* PEM: our certificate and its chain; NULL: none */
	const char *key_file;  /* PEM: its key */
	bool insecure;         /* any certificate will do: who answers may be anybody */
	ns_t handshake_for; /* from the connect to the end of the handshake; 0: no bound */
};

/* The files are read now. NULL: the problem says which is at fault and why. */
MUST_USE struct tls_client *tls_client_new(
	const struct tls_client_cfg *cfg, struct problem *p);
void tls_client_ref(struct tls_client *c);
void tls_client_unref(struct tls_client **c);
/* `c` takes over from `before`: the counts go on. Again: no effect, so each thread may. */
void tls_client_succeed(struct tls_client *c, const struct tls_client *before);
const struct tls_counts *tls_client_counts(const struct tls_client *c);

/* `authority`: a name or an IP address, with or without a port: "api.example.com:8443". */
struct tls_peer *tls_peer_new(struct tls_client *c, struct slice authority);
void tls_peer_unref(struct tls_peer **p);

/* After conn_connect gave ERR_OK, before conn_want. Then conn_connected gives ERR_TLS_*
 * also, and conn_detail what there is to say about it. */
void tls_connect(struct conn *c, struct tls_peer *peer);

/* After conn_adopt: it is one of this peer's from now on, whose session it may renew. False:
 * it is not of the peer's client, which may trust others: close it. */
MUST_USE bool tls_adopt(struct conn *c, struct tls_peer *peer);

/* --- from a client --- */

struct tls_server;

struct tls_files {
	const char *cert_file; /* PEM: the certificate, then its chain */
	const char *key_file;  /* PEM */
};

/* Shown is the first certificate that has the name a client asks for (SNI, RFC 6066 3). Who
 * asks for no name or for one that none of them has is shown the first. */
struct tls_server_cfg {
	struct tls_files first;
	ns_t handshake_for;             /* 0: no bound */
	const struct tls_files *others; /* behind the first, in this order */
	uint32_t other_count;
};

MUST_USE struct tls_server *tls_server_new(
	const struct tls_server_cfg *cfg, struct problem *p);
void tls_server_ref(struct tls_server *s);
void tls_server_unref(struct tls_server **s);
/* `s` takes over from `before`: tickets that clients hold stay good, the counts go on. Again:
 * no effect, so each thread may. */
void tls_server_succeed(struct tls_server *s, const struct tls_server *before);
const struct tls_counts *tls_server_counts(const struct tls_server *s);

/* After conn_accept gave ERR_OK, before conn_want. A failed handshake shows in conn_read. */
void tls_accept(struct conn *c, struct tls_server *s);

#endif

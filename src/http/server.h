/*
 * server: the server side of HTTP/1.1: listeners, connections from clients, one exchange at
 * a time on each. Proxy, origin and the admin endpoint stand on it.
 *
 * MODEL   A connection is IDLE (between requests), HEAD (some bytes of a head), BUSY (the
 *         app has a request) or LINGER (answered for the last time; input is read and
 *         dropped so that no RST eats the answer); sconn.def has all of its states. The app
 *         gets on_request, then on_body*, on_body_end, and answers when it likes; on_end
 *         closes every exchange that began with on_request, exactly once. An app may answer by
 *         a tunnel (sconn_tunnel): what follows, both ways, is bytes with no HTTP in them.
 * RULES   1. on_request ... on_end come in pairs; after on_end the app forgets the sconn.
 *         2. Malformed input is answered here (status of err.def, Connection: close), the
 *            app never sees it.
 *         3. A head stays valid from on_request to on_end, or to sconn_tunnel.
 *         4. No callback runs inside the app's own sconn_* call.
 *         5. What a client sends behind a request that may become a tunnel (CONNECT, Upgrade)
 *            is the tunnel's. If there is none, it is nobody's: the connection ends with the
 *            answer, and those bytes are not read as a request.
 * CONTEXT the worker's thread.
 */
#ifndef WEIR_HTTP_SERVER_H
#define WEIR_HTTP_SERVER_H

#include "conn/tls.h"
#include "http/message.h"

struct server;
struct sconn;

/* What an app adds to an answer of the engine's own. */
struct server_words {
	char buf[256];
	struct wire fields; /* behind the engine's */
	struct text body;   /* empty: the text of its reason */
};

struct server_ops {
	/*
	 * Before anything is read. False: the app does not serve this connection, and has
	 * said what it wanted with conn_writev; it is closed now (FIN, or RST by the kernel if
	 * the request has arrived unread). NULL: all are served.
	 */
	bool (*on_accept)(struct server *s, struct conn *c, const struct addr *peer);
	/*
	 * Under TLS nothing can be written in on_accept: who was not served there gets its
	 * words here, when the handshake is over; closed as above. NULL: closed at once.
	 */
	void (*on_turned_away)(struct server *s, struct conn *c);
	void (*on_request)(struct sconn *c, const struct h1_head *head);
	/* Payload; returns how many bytes were taken. Fewer: sconn_body_resume goes on. */
	size_t (*on_body)(struct sconn *c, struct slice data);
	void (*on_body_end)(struct sconn *c); /* of a tunnel: the client's FIN */
	/* What was blocked in sconn_data has been written. NULL: the app never streams. */
	void (*on_drain)(struct sconn *c);
	/*
	 * The client hung up while its request is with the app (FIN or RST seen). True: end
	 * the exchange now (on_end follows with ERR_CLIENT_GONE, connection closed); false:
	 * act as if unseen (a server that does not notice). NULL: true.
	 */
	bool (*on_hangup)(struct sconn *c);
	/* The engine is about to answer (rule 2): a head is refused for `why`, and there is no
	 * request and no other callback for it; or what is wrong is a request's body
	 * (sconn_head is there), and on_end follows. NULL: the app has nothing to add. */
	void (*on_refused)(struct sconn *c, enum err why, struct server_words *words);
	/* Last callback of an exchange: ERR_OK, the answer is with the kernel; else why not. */
	void (*on_end)(struct sconn *c, enum err why);
	/* A served connection (on_accept was true) is closed, with no exchange open. */
	void (*on_close)(struct sconn *c);
	/* After server_drain, once: the last connection is closed, and nobody can come in any
	 * more. Not where that is so at once: server_is_drained tells. NULL: nobody asks. */
	void (*on_drained)(struct server *s);
};

struct server_cfg {
	const struct server_ops *ops;
	void *ctx;              /* the app's; server_ctx */
	struct tls_server *tls; /* NULL: plain. The server holds it. */
	struct h1_limits limits;
	ns_t head_for;  /* a head must be whole within so long; NS_NEVER: no bound */
	ns_t idle_for;  /* close an idle connection after so long */
	ns_t write_for; /* a client that takes no byte of its answer for so long is cut
			   (ERR_SLOW_CLIENT); 0: no bound */
	ns_t body_for; /* of a body that is asked for, a byte must come within so long, and 1 KiB
			   within each such span (ERR_REQ_TIMEOUT); 0: no bound */
	ns_t fin_within; /* a FIN so soon behind a request's last byte was said with it: all that
			    was asked is answered, then the connection closes. Later, or 0: the
			    client has hung up */
	uint64_t max_requests; /* close after so many; 0: no bound */
	ns_t close_after; /* pause between a last answer and its close (origin's fault) */
	bool close_each;  /* say close and close after each answer */
	/* After a last answer close at once, no LINGER (as fasthttp); but not after a refusal of
	 * ours, behind which more of what is no request may come. */
	bool abrupt_close;
	bool gives_way; /* full: a connection without a whole request makes room for who comes */
	bool add_date;            /* put Date into answers that bring none */
	struct slice server_name; /* Server field; empty: none */
};

struct server *server_new(struct worker *w, const struct server_cfg *cfg);
/* Listens there too; several addresses serve the same app. */
MUST_USE bool server_listen(struct server *s, const struct addr *at, struct problem *p);
const struct addr *server_addr(
	const struct server *s, uint32_t nth); /* NULL past the last */

/* Where to listen, and what is so for all who come in there. */
struct server_place {
	struct addr at;
	uint8_t mark; /* sconn_mark; 0 with server_listen */
	bool plain;   /* they speak no TLS, whatever server_cfg.tls says */
};
MUST_USE bool server_listen_at(
	struct server *s, const struct server_place *place, struct problem *p);
/* The same, bound by io_bind, perhaps in another thread. Taken in any case. */
MUST_USE enum err server_adopt(
	struct server *s, const struct server_place *place, struct io_bound *from);
bool server_has_place(const struct server *s, const struct server_place *place);
/* Stops listening anywhere else. Who has connected there is still accepted and served. */
void server_keep_only(struct server *s, const struct server_place *places, uint32_t n);
uint8_t server_mark(const struct server *s, uint32_t nth); /* of server_addr */
/* Takes the durations (..._for) of cfg, for what begins from now on. */
void server_set_times(struct server *s, const struct server_cfg *cfg);
/* For connections to come: another certificate, or NULL: plain. */
void server_set_tls(struct server *s, struct tls_server *tls);
/*
 * Stops accepting; what has connected is served to the end of its exchange. Clients are told
 * by their next answer, if they ask again soon; connections idle for long are closed.
 */
void server_drain(struct server *s);
bool server_is_drained(const struct server *s);
/* Closes everything now (on_end with ERR_STOPPING for open exchanges) and frees. */
void server_free(struct server **s);
uint32_t server_conn_count(const struct server *s);
const struct tls_counts *server_tls_counts(const struct server *s); /* NULL: no TLS */
void *server_ctx(const struct server *s);

struct server *sconn_server(const struct sconn *c);
void *sconn_ctx(
	const struct sconn *c); /* the app's, of the exchange; NULL at on_request */
void sconn_set_ctx(struct sconn *c, void *ctx);
/* The app's, of the connection; NULL at first; kept until on_close. */
void *sconn_conn_ctx(const struct sconn *c);
void sconn_set_conn_ctx(struct sconn *c, void *ctx);
/* At first that of the place it came in by; the app's from on_accept on. */
uint8_t sconn_mark(const struct sconn *c);
void sconn_set_mark(struct sconn *c, uint8_t mark);
/* A number for the client's address (of IPv6 for its network of 64 bits); all who come by unix:
 * have the same. */
uint32_t sconn_peer(const struct sconn *c);
/* Inside on_accept: whose connection that is, so that its conn_ctx can be set there. */
struct sconn *sconn_of(struct conn *c);
const struct h1_head *sconn_head(const struct sconn *c); /* NULL: of a tunnel */
bool sconn_body_done(const struct sconn *c); /* the request has been received whole */
/* RFC 9110 7.4: the target is https, and the connection is not under TLS: 421 is due. */
bool sconn_is_misdirected(const struct sconn *c);

/* Goes on with a body that on_body took only in part. Callbacks come in a later turn. */
void sconn_body_resume(struct sconn *c);
/* The same, and what has come of it is told at once: on_body, on_body_end, on_end. Not inside a
 * callback of this client's. */
void sconn_body_pull(struct sconn *c);
/* Asks for the body with 100 Continue, if the client waits for that. Else nothing. */
void sconn_continue(struct sconn *c);

/*
 * The answer: begin (gives a wire for fields), head (framing and connection fields are the
 * engine's), data, end. False: no buffer left; the app may sconn_abort.
 * An interim answer (1xx) is begin + sconn_interim.
 */
MUST_USE bool sconn_begin(
	struct sconn *c, uint16_t status, struct slice reason, struct wire *w);
void sconn_interim(struct sconn *c, struct wire *w);
/*
 * False: the fields did not fit, nothing was sent; begin again. H1_BODY_CLOSE is turned into
 * chunked for HTTP/1.1 clients. Answers to HEAD, 204 and 304 never send payload.
 */
MUST_USE bool sconn_head_end(
	struct sconn *c, struct wire *w, enum h1_body framing, uint64_t length);
/* Before sconn_head_end, with 426: the protocols that it asks for, in Upgrade; Connection will
 * name it (RFC 9110 7.8, 15.5.22). */
void sconn_put_upgrade(struct sconn *c, struct wire *w, struct slice protocols);
/*
 * In place of sconn_head_end: 101 to a request with head.upgrade, or 2xx to CONNECT; neither
 * has a body. `protocol` is what 101 switches to (its Upgrade field; the engine puts that and
 * Connection), empty for CONNECT. The head goes out at once. From then on
 *   on_body, sconn_body_resume   the client's bytes, from the one behind its request on
 *   on_body_end                  its FIN (with TLS: behind close_notify); the other way lives on
 *   sconn_data, on_drain         bytes to the client
 *   sconn_end                    FIN to the client, behind them
 *   on_end                       ERR_OK: both have ended; ERR_CLIENT_GONE: it was reset, or cut
 *                                (conn.cut)
 * and there is no deadline, no on_hangup, and sconn_abort resets. The request's head is gone: an
 * idle tunnel holds no buffer. False as sconn_head_end.
 */
MUST_USE bool sconn_tunnel(struct sconn *c, struct wire *w, struct slice protocol);
/* Returns what was taken; less than data.len: on_drain follows. */
size_t sconn_data(struct sconn *c, struct slice data);
void sconn_flush(struct sconn *c); /* what is buffered goes out now */
/* Nothing that was sent is on its way: it is with the client's kernel, or nobody is there. */
bool sconn_has_arrived(struct sconn *c);
void sconn_end(struct sconn *c); /* complete; on_end follows in a later callback */
/* A whole small answer in one call (body <= 12 KiB, else truncated at that with a CHECK). */
struct answer {
	uint16_t status;
	struct slice type;   /* Content-Type; empty: none */
	struct slice reason; /* empty: the status's own */
	struct slice fields; /* further "Name: value\r\n" lines, or empty */
	bool dated;          /* Date is among them */
	struct slice body;
	bool close;
};
void sconn_answer(struct sconn *c, const struct answer *a);
/*
 * The exchange cannot end properly: the connection is closed so that the client sees a broken
 * message (RST if part of an answer was sent, once those before have arrived). No further callback
 * for this exchange; on_close follows later.
 */
void sconn_abort(struct sconn *c);
/* The same, but by RST at once, whatever was sent. */
void sconn_reset(struct sconn *c);
/*
 * An answer that has begun, and of which nothing has gone out yet, is taken back: begin again.
 * False: it is too late for that.
 */
MUST_USE bool sconn_take_back(struct sconn *c);
/* The connection closes after the current answer. */
void sconn_set_close(struct sconn *c);

#endif

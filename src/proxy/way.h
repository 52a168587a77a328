/*
 * way: the fields that tell which way a message has come: Via, Forwarded, X-Forwarded-*; and
 * how far it may go: Max-Forwards.
 *
 * MODEL   A way is what the options say, made ready with a plan. A visitor is what is known of
 *         a client's connection: its lines are written once, and put into each request.
 * RULES   1. Of Forwarded, X-Forwarded-* and X-Real-IP, in whatever spelling, nothing passes
 *            that comes from a client outside --forwarded-trust.
 *         2. What weir writes of them is all there is of it: what a trusted client sent is part
 *            of weir's own line.
 *         3. A request whose Via has this way's id is refused: it goes in circles. The name
 *            alone says nothing, two weirs may share it.
 * OWNS    a way its texts. A visitor is the connection's ctx, freed with it.
 * COST    nothing is allocated a request; no visitor where nobody asks for one.
 */
#ifndef WEIR_PROXY_WAY_H
#define WEIR_PROXY_WAY_H

#include "http/server.h"
#include "io/addr.h"
#include "proxy/config.h"

struct proxy;

enum way_forwarded { WAY_NONE, WAY_X, WAY_RFC7239, WAY_BOTH }; /* as the option's words */

struct way {
	enum way_forwarded forwarded;
	struct addr_net trust[OPT_TEXTS_MAX];
	uint32_t trust_count;
	char *token; /* "(id)", by which weir knows itself in Via; NULL: no Via */
	/* Whole lines by the minor version that the message came in; empty: none. */
	struct text via_request[2], via_answer[2];
};

/* `id`: nobody else's. What is wrong with a network has been told elsewhere. */
void way_init(struct way *way, const struct proxy_options *o, uint64_t id);
void way_fini(struct way *way);
/* A name for Via: a token (RFC 9110 7.6.3's pseudonym). */
bool way_is_name(struct slice s);

struct visitor {
	bool trusted;
	char *name;           /* with its port, for the access log; NULL: nobody asked */
	struct slice node;    /* "10.0.0.1"; "unknown" */
	struct slice port;    /* where it came in; empty: a Unix socket */
	struct slice scheme;  /* "https" */
	struct slice x_lines; /* X-Forwarded-For, -Proto and -Port, of nobody trusted */
	struct slice element; /* of Forwarded: for=10.0.0.1;proto=http */
};

/* Inside on_accept. NULL: nobody asks for one. */
struct visitor *visitor_new(const struct way *way, bool named, bool secure,
	struct conn *c, const struct addr *peer);
void visitor_free(struct visitor **v);

/* Fields of a request: bits of enum h1_field_id that do not pass as they came, and then what
 * stands for them. `v` may be NULL. */
uint64_t way_without(
	const struct way *way, const struct visitor *v, const struct h1_head *head);
void way_put_request(struct wire *w, const struct way *way, const struct visitor *v,
	const struct h1_head *head);
/* And of an answer, interim ones too. */
static inline void way_put_answer(
	struct wire *w, const struct way *way, const struct h1_head *head)
{
	wire_put_slice(w, text_slice(&way->via_answer[head->minor]));
}

/* The request goes no further: it has been answered. */
bool way_ends_here(struct proxy *p, struct sconn *client, const struct h1_head *head);

#endif

/* struct forward: shared by forward.c (HTTP both ways) and tunnel.c (what may follow). */
#ifndef WEIR_PROXY_FORWARD_H
#define WEIR_PROXY_FORWARD_H

#include "proxy/proxy.h"

struct forward {
	struct exchange x;
	struct proxy *proxy;
	struct sconn *client;
	struct call call;
	struct timer timer; /* the deadline; of a tunnel: is it idle? */
	ns_t until;
	ns_t moved_at;    /* of a tunnel: a byte was taken, or an end told */
	char *offer;      /* protocols to upgrade to; NULL: none */
	struct text kept; /* of the request's body, for an attempt to come (again.c) */
	size_t resent;    /* of it, by this attempt */
	bool keeps;
	struct held *
		held_back; /* an error answer, while another attempt is to come; or NULL */
	bool held;         /* of the request's body, something waits for the server */
	bool head_sent;    /* the request's head is on the call */
	bool answering;    /* the answer's head is on its way to the client */
	bool finished; /* the client has been answered whole, by the upstream or by us */
	/* Last: of a new one only what is before its texts is zeroed */
	struct capture capture;
};

static inline struct forward *client_forward(struct sconn *client)
{
	return sconn_ctx(client);
}

static inline struct forward *call_forward(struct call *call)
{
	return CONTAINER_OF(call, struct forward, call);
}

/* --- forward.c --- */
/* NULL: out of memory, and the client has been told. */
struct forward *forward_new(
	struct proxy *p, struct sconn *client, const struct route *r, ns_t begun_at);
/* Asks for the slot; the deadline runs. */
void forward_submit(struct forward *f, ns_t until);
/* We answer in the upstream's place; or, with half an answer out, cut the connection. */
void forward_fail(struct forward *f, enum err why);
/* Its client has gone, or is told by who calls this. */
void forward_end(struct forward *f);

/* --- again.c --- */
/* The call may have to be sent again: what of the request is not the head is kept, up to
 * FORWARD_KEPT_BYTES. */
#define FORWARD_KEPT_BYTES 65536
void forward_keep(struct forward *f, const struct h1_head *head);
void forward_keep_more(struct forward *f, struct slice data);
/* What is kept goes out again, before anything else of the body does. True: it has. */
MUST_USE bool forward_resend(struct forward *f);
/* Sent again: on_ready comes anew. */
MUST_USE bool forward_again(struct forward *f, enum err why);

/* --- held.c: answers by whose status a call is sent again (--retry-on), or goes back --- */
/* Of an answer that may be replaced by a better one: keeps it from the client. False: it is passed
 * on, as most are. */
MUST_USE bool forward_hold_back(struct forward *f, const struct h1_head *head);
void forward_hold_more(struct forward *f, struct slice data);
/* There will be no better one. */
void forward_give_held(struct forward *f);
void forward_drop_held(struct forward *f);

/* --- tunnel.c --- */
/* A request that asks for another protocol, as far as it may, goes on as one. Not ERR_OK: it
 * is malformed. */
MUST_USE enum err tunnel_offer(struct forward *f, const struct h1_head *head);
/* What a 426 asks for, as far as a tunnel may follow. */
void tunnel_put_required(struct forward *f, const struct h1_head *head, struct wire *w);
/* The server's 101: the client gets it, and the exchange is a tunnel. */
void tunnel_switch(struct forward *f, const struct h1_head *head);

#endif

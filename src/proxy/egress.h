/*
 * egress: the forward proxy: requests that name where they go themselves, and the rules that
 * say where they may.
 *
 * MODEL   What comes in at forward-listen asks for http://host/path, https://host/path (weir
 *         speaks the TLS) or CONNECT host:port. The policy judges it (flow/allow.h): by its
 *         name before anything is looked up, and by each address the name leads to.
 *         A host is a place that requests were let through to, of one kind: made on demand
 *         with a target of its own (plan.h) under the process's options, so that limit is
 *         each host's. Requests wait for its first lookup, inside their deadlines. It goes
 *         when nobody has asked for it for a while.
 *         What is the only URL of a configured upstream is reached through that one, under
 *         its limit; it is judged all the same.
 * RULES   1. What was judged is what is connected to: an address comes to an upstream through
 *            the judge, at each lookup anew (names.h: may).
 *         2. A host belongs to the plan it was made under; the next plan makes its own, with
 *            the same target if its rules are the same.
 *         3. There are EGRESS_HOSTS_MAX at most; the one unused for longest gives way.
 * OWNS    the proxy owns its hosts; a policy is its plan's.
 */
#ifndef WEIR_PROXY_EGRESS_H
#define WEIR_PROXY_EGRESS_H

#include "flow/allow.h"
#include "http/server.h"
#include "http/upstream.h"
#include "io/addr.h"
#include "proxy/config.h"

#define EGRESS_HOSTS_MAX 1024
#define EGRESS_BUCKETS 256
#define EGRESS_KEEP_FOR (60 * NS_S) /* or idle-for, if that is longer */

struct proxy;
struct plan;
struct route;
struct egress_host;

/* server_place.mark. */
enum { EGRESS_REVERSE, EGRESS_FORWARD, EGRESS_STRANGER };

struct egress_policy {
	struct addr_net clients[OPT_TEXTS_MAX];
	uint32_t client_count;
	struct allow_list allowed, denied;
	char *text;             /* allowed and denied, as they were written */
	struct tls_client *tls; /* for https */
	uint32_t conns_max;     /* to all hosts together, over all threads */
};

enum egress_kind { EGRESS_HTTP, EGRESS_HTTPS, EGRESS_TUNNEL };

struct egress_want {
	enum egress_kind kind;
	char host[ALLOW_HOST_MAX +
		  1]; /* a name in its one form, or an address in digits */
	uint16_t port;
	bool literal;
	struct allow_ip ip; /* of a literal */
};

struct egress {
	struct list hosts; /* used longest ago first */
	struct list buckets[EGRESS_BUCKETS];
	struct upstream_group group;
	struct timer sweep;
	uint32_t rules; /* counts up as a plan brings others */
	uint64_t hosts_total;
};

/* --- egress.c --- */
void egress_init(struct proxy *p);
/* No exchange is left. Targets are let go. */
void egress_fini(struct proxy *p);
/* The proxy's plan has changed. */
void egress_switch(struct proxy *p, const struct plan *before);
void egress_request(struct proxy *p, struct sconn *client, const struct h1_head *head);
/* Exchanges that begin and end. */
void egress_use(struct egress_host *h);
void egress_leave(struct egress_host *h);

/* --- egress_policy.c --- */
/* NULL: there is no forward proxy, or the config has complaints now. */
struct egress_policy *egress_policy_new(struct config *c);
/* For another thread's plan. */
struct egress_policy *egress_policy_copy(
	const struct egress_policy *from, const struct proxy_options *o);
void egress_policy_free(struct egress_policy **e);
/* What the request asks for. Not ERR_OK: nothing that is forwarded. */
MUST_USE enum err egress_read(const struct h1_head *head, struct egress_want *out);
/* `ip` NULL: not known yet. Not ERR_OK: why not, in words. */
MUST_USE enum err egress_judge(const struct proxy *p, const struct egress_want *want,
	const struct addr *ip, struct text *why);
/* The mark of a connection that came in at forward-listen. */
uint8_t egress_mark(const struct proxy *p, const struct addr *peer);

#endif

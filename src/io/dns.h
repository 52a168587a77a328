/*
 * dns: a name's addresses, found without blocking, and how long they may be used.
 *
 * MODEL   A lookup asks for the IPv4 and the IPv6 addresses of a name together. An address
 *         in digits and unix: need nobody. Else /etc/hosts and the nameservers are asked as
 *         the system is configured (nsswitch.conf, resolv.conf: search, ndots), and the
 *         localhost names of RFC 6761 are loopback where nobody knows them, those under
 *         `invalid` are asked of nobody. The real loop's is c-ares (io/dns.c), the simulated
 *         one's a table (io/sim.h: sim_dns_set). Addresses come IPv6 first, the families
 *         taking turns (RFC 8305 4; of RFC 6724 no more than that).
 * RULES   1. on_done never runs inside a call of this header, and once a lookup unless it is
 *            cancelled.
 *         2. ttl is between 1 s and 1 h for what was found, 60 s for /etc/hosts, NS_NEVER for
 *            addresses in digits; for a name that is not there between 1 s and 5 min (RFC
 *            2308: SOA); 5 s when nobody could tell.
 *         3. With one family found, the other is waited for DNS_SECOND_FAMILY_FOR at most.
 *         4. resolv.conf is read again when it has changed.
 * OWNS    struct dns_lookup is embedded in the caller's object, zeroed before first use, and
 *         may go in on_done and after dns_cancel.
 * CONTEXT the loop's thread.
 */
#ifndef WEIR_IO_DNS_H
#define WEIR_IO_DNS_H

#include "io/addr.h"
#include "io/loop.h"

#define DNS_ADDRS_MAX 16
#define DNS_NAME_MAX 253
#define DNS_TTL_MIN NS_S
#define DNS_TTL_MAX (3600 * NS_S)
#define DNS_TTL_HOSTS (60 * NS_S)
#define DNS_TTL_NEGATIVE_MAX (300 * NS_S)
#define DNS_TTL_FAILED (5 * NS_S)
#define DNS_SECOND_FAMILY_FOR (300 * NS_MS)

struct dns;

struct dns_cfg {
	/* "10.0.0.53, [2001:db8::53]:5353" instead of resolv.conf's; NULL: those. */
	const char *servers;
	ns_t try_for;   /* of one question to one server, doubled each round; 0: 2 s */
	uint32_t tries; /* rounds through the servers; 0: 2 */
};

enum dns_result {
	DNS_FOUND,
	DNS_NO_NAME, /* the nameserver says: no such name, or no address for it */
	DNS_FAILED, /* nobody could tell: no answer, a server's failure, a malformed name */
};

struct dns_answer {
	enum dns_result result;
	struct addr addrs[DNS_ADDRS_MAX];
	uint32_t n;
	ns_t ttl;
	const char *why; /* there is none: words for people; else "" */
};

struct dns_lookup {
	void (*on_done)(struct dns_lookup *l, const struct dns_answer *answer);
	struct dns_query *query; /* NULL: not under way */
};

/* An address in digits, or unix:PATH; false: a name, which has to be looked up. */
bool dns_is_literal(struct slice host, uint16_t port, struct addr *out);
/* Whether `servers` is what dns_cfg wants; false and a problem: where it is not. */
MUST_USE bool dns_servers_check(const char *servers, struct problem *p);
/* NULL and a problem: `servers` is malformed, or the system's resolver cannot be set up. */
struct dns *dns_new(struct io_loop *loop, const struct dns_cfg *cfg, struct problem *p);
/* Lookups under way are cancelled. */
void dns_free(struct dns **d);
/* `host` as in a URL: a name, digits, or unix:PATH (then the port is not looked at). */
void dns_lookup(struct dns *d, struct dns_lookup *l, struct slice host, uint16_t port);
void dns_cancel(struct dns_lookup *l); /* silent; fine when it is not under way */
static inline bool dns_is_asking(const struct dns_lookup *l)
{
	return l->query != NULL;
}

#endif

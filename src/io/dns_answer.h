/*
 * dns_answer: what both resolvers (io/dns.c, io/sim/dns.c) do with what they found. Pure.
 */
#ifndef WEIR_IO_DNS_ANSWER_H
#define WEIR_IO_DNS_ANSWER_H

#include "io/dns.h"

/* What has been found so far. */
struct dns_found {
	struct addr v4[DNS_ADDRS_MAX], v6[DNS_ADDRS_MAX]; /* port 0 */
	uint32_t n4, n6;
	ns_t ttl; /* the smallest; NS_NEVER: none yet */
};

void dns_found_init(struct dns_found *f);
/* One more address (4 or 16 bytes); those too many, and one that is there, are left out. */
void dns_found_add(struct dns_found *f, int family, const void *bytes, ns_t ttl);
/* Into an answer: IPv6 first, the families taking turns, the ttl within its bounds. */
void dns_found_merge(const struct dns_found *f, uint16_t port, struct dns_answer *out);
/* No address: for how long, within bounds. */
void dns_answer_none(
	struct dns_answer *out, enum dns_result result, ns_t ttl, const char *why);
/* The answer for an address; false: a name. */
bool dns_literal(struct slice host, uint16_t port, struct dns_answer *out);
/* Whether it is `top` or ends in it, with or without the last dot: "localhost" (RFC 6761
 * 6.3), "invalid" (6.4). */
bool dns_is_under(struct slice name, struct slice top);
/* dns_cfg.servers as "10.0.0.53:53,[::1]:5353". */
MUST_USE bool dns_servers_parse(const char *servers, struct text *out, struct problem *p);
/* Whether it could be a name at all: labels of 1 to 63 bytes, 253 together. */
bool dns_name_is_sound(struct slice name);
/*
 * For how long a DNS message says that what it has not is not there: the smaller of the TTL
 * and the MINIMUM of the SOA in its authority section (RFC 2308 5); 0 without one, or when
 * the message is malformed.
 */
ns_t dns_negative_ttl(const uint8_t *msg, size_t len);

#endif

/*
 * allow: which hosts, addresses and ports may be reached at a caller's word. Pure.
 *
 * MODEL   A pattern names hosts, addresses, or hosts with the addresses they may lead to; and
 *         ports, which begin with a colon:
 *             *                      every host
 *             api.example.com        that name
 *             *.example.com          the names below it
 *             .example.com           both
 *             10.1.0.0/16, ::1       these addresses, whatever name led there
 *             wiki.corp@10.1.0.0/16  that name, as long as it leads there
 *             ...:8443  ...:8000-8999  ...:*   (of IPv6: [2001:db8::/32]:443; alone: :8443)
 *         Without ports a pattern means those that are harmless: ALLOW_TUNNEL_PORT for a
 *         tunnel, 80, 443 and from 1024 on for HTTP in the clear of the proxy.
 * RULES   1. What a deny pattern takes out, stays out.
 *         2. With allow patterns, one of them must fit; without, all is as if `*` was there.
 *         3. An address that is not of the public Internet (allow_special) needs a pattern
 *            with addresses that lie all inside its special range: 10.1.0.0/16 opens that,
 *            0.0.0.0/0 opens nothing special, nor does a name alone, wherever it leads.
 *         4. An address where this process itself listens needs a pattern of that single
 *            address and that single port.
 *         5. An IPv4 address is one and the same in IPv6's clothes (::ffff:10.0.0.1).
 * OWNS    a list owns its patterns.
 */
#ifndef WEIR_FLOW_ALLOW_H
#define WEIR_FLOW_ALLOW_H

#include "base/err.h"
#include "base/slice.h"

#define ALLOW_TUNNEL_PORT 443
#define ALLOW_HOST_MAX 253

struct allow_ip {
	uint8_t b[16]; /* IPv4: mapped */
};

struct allow_net {
	struct allow_ip ip;
	uint8_t bits; /* of b */
};

enum allow_hosts { ALLOW_ANY, ALLOW_NAME, ALLOW_BELOW, ALLOW_DOMAIN };

struct allow_rule {
	char *text;        /* as it was written */
	struct slice name; /* unless ALLOW_ANY; in lower case, inside text_name */
	char *text_name;
	enum allow_hosts hosts;
	bool has_net, has_ports;
	struct allow_net net;
	uint16_t from, to; /* ports */
};

struct allow_list {
	struct allow_rule *rules;
	uint32_t n;
};

/* Adds the patterns of `text`, with commas between. False and a problem: one is none; those
 * before it were added. */
MUST_USE bool allow_add(struct allow_list *l, const char *text, struct problem *p);
void allow_fini(struct allow_list *l);

/* Digits of either family, without brackets. */
bool allow_ip_parse(struct slice s, struct allow_ip *out);
struct allow_ip allow_ip_of_v4(const void *four_bytes);
/* What kind of address it is ("a private address"), if it is not of the public Internet; else
 * NULL. Those that hold an IPv4 address to be reached (NAT64) are what that one is. */
const char *allow_special(const struct allow_ip *ip);

/*
 * A host as it is compared and looked up: lower case, no dot at its end. False: no name that
 * could be looked up, nor an IPv4 address (10.1, 0x7f.0.0.1 and 2130706433 are neither). `out`
 * is ALLOW_HOST_MAX + 1 bytes.
 */
bool allow_host(struct slice host, char *out);

struct allow_target {
	struct slice host; /* as of allow_host, or IPv6 in digits */
	uint16_t port;
	bool tunnel;
	const struct allow_ip *ip; /* NULL: not known yet */
	bool own;                  /* this process listens there */
};

enum allow_verdict {
	ALLOW_OK,       /* with ip NULL: as far as known */
	ALLOW_DENIED,   /* rule 1; *by is the pattern */
	ALLOW_UNLISTED, /* rule 2 */
	ALLOW_PORT,     /* the host would do, on another port */
	ALLOW_SPECIAL,  /* rule 3 */
	ALLOW_OWN,      /* rule 4 */
};

enum allow_verdict allow_judge(const struct allow_list *allowed,
	const struct allow_list *denied, const struct allow_target *t,
	const struct allow_rule **by);

#endif

/*
 * addr: where a socket is bound or goes to: host:port, [v6]:port, :port (any address) and
 * unix:PATH.
 *
 * OWNS    a plain value; copy freely. Linked into the real and the simulated loop alike.
 */
#ifndef WEIR_IO_ADDR_H
#define WEIR_IO_ADDR_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/err.h"
#include "base/text.h"

struct addr {
	socklen_t len; /* 0: no address */
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
};

/* Numeric only. `:8080` is [::]:8080 taking IPv4 too; a bare port is an error that says
 * so. */
MUST_USE bool addr_parse(struct slice s, struct addr *out, struct problem *p);
/* Splits host and port without looking the host up; false and a problem when malformed.
 */
MUST_USE bool addr_split(
	struct slice s, struct slice *host, uint16_t *port, struct problem *p);
/* Numeric or by name (blocks: start-up only). Up to `cap` stream addresses, *n of them.
 */
MUST_USE bool addr_resolve(
	struct slice s, struct addr *out, uint32_t cap, uint32_t *n, struct problem *p);
bool addr_eq(const struct addr *a, const struct addr *b);
/* Without the port; of IPv6 the first 64 bits: who has one address has all behind them. unix:
 * paths are all alike. */
uint32_t addr_hash(const struct addr *a);
bool addr_is_unix(const struct addr *a);
bool addr_is_any(const struct addr *a); /* 0.0.0.0 or [::] */
bool addr_is_loopback(const struct addr *a);
bool addr_is_of_host(const struct addr *a); /* one of this host's own: asks the kernel */
void addr_unmap(struct addr *a);            /* ::ffff:10.0.0.1 becomes 10.0.0.1 */
uint16_t addr_port(const struct addr *a);   /* host order; 0 for unix */
void addr_set_port(struct addr *a, uint16_t port);
void text_add_addr(
	struct text *t, const struct addr *a); /* 10.0.0.1:80, [::1]:80, unix:/run/x */
/* Why one cannot listen there, and what to do. Returns false. */
bool addr_bind_problem(struct problem *p, const struct addr *at, int errnum);

/*
 * Addresses that begin alike: "10.0.0.0/8", "2001:db8::/32", one address, or "unix" for all who
 * come by a Unix socket. IPv4 is held mapped, so that it does not matter how it comes.
 */
struct addr_net {
	uint8_t ip[16];
	uint8_t bits;
	bool is_unix;
};
MUST_USE bool addr_net_parse(struct slice s, struct addr_net *out, struct problem *p);
bool addr_net_has(const struct addr_net *net, const struct addr *a);
/* 10.0.0.1, 2001:db8::1, with no port and no brackets; nothing for unix:. */
void wire_put_addr_ip(struct wire *w, const struct addr *a);

/*
 * An origin as users name it: http://host[:port][/base] or host:port or unix:PATH (then
 * `host` is "localhost"). https is recognised so that callers can say what they lack.
 */
struct addr_url {
	bool tls;
	struct slice authority; /* host[:port] as written, for Host */
	struct slice host_port; /* as written: no port when it is the scheme's own */
	uint16_t port;          /* as written, or the scheme's own; 0 for unix: */
	struct slice path;      /* "" or starting with / */
};
MUST_USE bool addr_url_parse(struct slice s, struct addr_url *out, struct problem *p);
/* addr_resolve of host_port and port. */
MUST_USE bool addr_url_resolve(const struct addr_url *url, struct addr *out, uint32_t cap,
	uint32_t *n, struct problem *p);

#endif

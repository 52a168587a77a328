/*
 * rtnl: links and addresses of the network namespace it was opened in, by rtnetlink.
 *
 * RULES   1. Every call waits for the kernel's acknowledgement; a failure names the link
 *            and the kernel's reason.
 * OWNS    one netlink socket; it stays in its namespace wherever the thread goes.
 */
#ifndef WEIR_IO_RTNL_H
#define WEIR_IO_RTNL_H

#include "io/netns.h"

struct rtnl;

/* NULL and a problem when the socket cannot be had. */
struct rtnl *rtnl_new(const struct netns *n, struct problem *p);
void rtnl_free(struct rtnl **r);

/* A pair of joined Ethernet links: `name` here, `peer` in the namespace `there`. */
MUST_USE bool rtnl_veth(struct rtnl *r, const char *name, const char *peer,
	const struct netns *there, struct problem *p);
MUST_USE bool rtnl_up(struct rtnl *r, const char *name, struct problem *p);
/* An IPv4 address ("10.77.1.1") with its prefix length: the kernel adds the route. */
MUST_USE bool rtnl_addr(struct rtnl *r, const char *name, const char *ip, uint8_t prefix,
	struct problem *p);
/* What goes out of the link arrives so much later; needs a kernel with netem. */
MUST_USE bool rtnl_delay(struct rtnl *r, const char *name, ns_t by, struct problem *p);

#endif

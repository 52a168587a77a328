#include "io/rtnl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <unistd.h>

#define DELAYED_PACKETS_MAX 100000 /* on their way; netem drops more */

struct rtnl {
	struct mnl_socket *sock;
	uint32_t seq;
	char buf[4096]; /* one request, then its acknowledgement: both far smaller */
};

struct rtnl *rtnl_new(const struct netns *n, struct problem *p)
{
	struct netns_visit v;
	if (!netns_visit(&v, n, p))
		return NULL;
	struct mnl_socket *sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int errnum = errno;
	netns_return(&v);
	if (!sock || mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		problem_set(
			p, "cannot open rtnetlink: %s", strerror(sock ? errno : errnum));
		if (sock)
			mnl_socket_close(sock);
		return NULL;
	}
	struct rtnl *r = mem_zalloc(sizeof(*r));
	r->sock = sock;
	return r;
}

void rtnl_free(struct rtnl **r)
{
	if (!*r)
		return;
	mnl_socket_close((*r)->sock);
	mem_free(*r);
	*r = NULL;
}

static struct nlmsghdr *request(struct rtnl *r, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(r->buf);
	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	h->nlmsg_seq = ++r->seq;
	return h;
}

/* Sends what is in buf and waits for the answer: true when it was done. */
static bool done(struct rtnl *r, const struct nlmsghdr *h, const char *what,
	const char *name, struct problem *p)
{
	uint32_t seq = h->nlmsg_seq;
	int rc = -1;
	if (mnl_socket_sendto(r->sock, h, h->nlmsg_len) >= 0) {
		ssize_t got = mnl_socket_recvfrom(r->sock, r->buf, sizeof(r->buf));
		if (got >= 0)
			rc = mnl_cb_run(r->buf, (size_t)got, seq,
				mnl_socket_get_portid(r->sock), NULL, NULL);
	}
	if (rc < 0)
		return problem_set(p, "cannot %s %s: %s", what, name, strerror(errno));
	return true;
}

/* Index of a link in the socket's own namespace; 0 and a problem when there is none. */
static uint32_t link_index(struct rtnl *r, const char *name, struct problem *p)
{
	struct nlmsghdr *h = request(r, RTM_GETLINK, 0);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(h, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	h->nlmsg_flags = NLM_F_REQUEST; /* the link itself is the answer */
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	mnl_attr_put_u32(h, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	ssize_t got = -1;
	if (mnl_socket_sendto(r->sock, h, h->nlmsg_len) >= 0)
		got = mnl_socket_recvfrom(r->sock, r->buf, sizeof(r->buf));
	const struct nlmsghdr *a = (const void *)r->buf;
	if (got > 0 && mnl_nlmsg_ok(a, (int)got) && a->nlmsg_type == RTM_NEWLINK) {
		const struct ifinfomsg *answer = mnl_nlmsg_get_payload(a);
		return (uint32_t)answer->ifi_index;
	}
	problem_set(p, "there is no link %s in this network namespace", name);
	return 0;
}

bool rtnl_veth(struct rtnl *r, const char *name, const char *peer,
	const struct netns *there, struct problem *p)
{
	struct nlmsghdr *h = request(r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(h, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	struct nlattr *link = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "veth");
	struct nlattr *data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	struct nlattr *other = mnl_attr_nest_start(h, VETH_INFO_PEER);
	struct ifinfomsg *peer_info = mnl_nlmsg_put_extra_header(h, sizeof(*peer_info));
	peer_info->ifi_family = AF_UNSPEC;
	mnl_attr_put_strz(h, IFLA_IFNAME, peer);
	mnl_attr_put_u32(h, IFLA_NET_NS_FD, (uint32_t)there->fd);
	mnl_attr_nest_end(h, other);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, link);
	return done(r, h, "make the veth pair", name, p);
}

bool rtnl_up(struct rtnl *r, const char *name, struct problem *p)
{
	uint32_t index = link_index(r, name, p);
	if (!index)
		return false;
	struct nlmsghdr *h = request(r, RTM_NEWLINK, 0);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(h, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	info->ifi_index = (int)index;
	info->ifi_flags = IFF_UP;
	info->ifi_change = IFF_UP;
	return done(r, h, "bring up the link", name, p);
}

bool rtnl_addr(struct rtnl *r, const char *name, const char *ip, uint8_t prefix,
	struct problem *p)
{
	struct in_addr in;
	if (inet_pton(AF_INET, ip, &in) != 1)
		return problem_set(p, "'%s' is not an IPv4 address", ip);
	uint32_t index = link_index(r, name, p);
	if (!index)
		return false;
	struct nlmsghdr *h = request(r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
	struct ifaddrmsg *msg = mnl_nlmsg_put_extra_header(h, sizeof(*msg));
	msg->ifa_family = AF_INET;
	msg->ifa_prefixlen = prefix;
	msg->ifa_scope = RT_SCOPE_UNIVERSE;
	msg->ifa_index = index;
	mnl_attr_put_u32(h, IFA_LOCAL, in.s_addr);
	mnl_attr_put_u32(h, IFA_ADDRESS, in.s_addr);
	return done(r, h, "give an address to", name, p);
}

bool rtnl_delay(struct rtnl *r, const char *name, ns_t by, struct problem *p)
{
	uint32_t index = link_index(r, name, p);
	if (!index)
		return false;
	struct nlmsghdr *h = request(r, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE);
	struct tcmsg *msg = mnl_nlmsg_put_extra_header(h, sizeof(*msg));
	msg->tcm_family = AF_UNSPEC;
	msg->tcm_ifindex = (int)index;
	msg->tcm_parent = TC_H_ROOT;
	mnl_attr_put_strz(h, TCA_KIND, "netem");
	/* The options are a struct, and behind it attributes. */
	struct nlattr *options = mnl_attr_nest_start(h, TCA_OPTIONS);
	struct tc_netem_qopt *q = mnl_nlmsg_put_extra_header(h, sizeof(*q));
	q->limit = DELAYED_PACKETS_MAX;
	mnl_attr_put_u64(h, TCA_NETEM_LATENCY64, (uint64_t)by);
	mnl_attr_nest_end(h, options);
	return done(r, h, "delay what goes out of", name, p);
}

#include "io/diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>

enum {
	BUF_BYTES = 32 * 1024, /* the kernel fills no more than this in one reply */
	DEATHS_RCVBUF = 8 * 1024 * 1024,
	TRIES = 4,
};

struct diag {
	struct mnl_socket *nl;
	uint32_t seq;
	char buf[BUF_BYTES];
};

struct diag_deaths {
	struct mnl_socket *nl;
	uint64_t lost;
	char buf[BUF_BYTES];
};

static const char *const state_names[DIAG_STATE_COUNT] = {
	[DIAG_UNKNOWN] = "UNKNOWN",
	[DIAG_ESTABLISHED] = "ESTABLISHED",
	[DIAG_SYN_SENT] = "SYN_SENT",
	[DIAG_SYN_RECV] = "SYN_RECV",
	[DIAG_FIN_WAIT1] = "FIN_WAIT1",
	[DIAG_FIN_WAIT2] = "FIN_WAIT2",
	[DIAG_TIME_WAIT] = "TIME_WAIT",
	[DIAG_CLOSE] = "CLOSE",
	[DIAG_CLOSE_WAIT] = "CLOSE_WAIT",
	[DIAG_LAST_ACK] = "LAST_ACK",
	[DIAG_LISTEN] = "LISTEN",
	[DIAG_CLOSING] = "CLOSING",
};

static const uint8_t v4_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

const enum diag_state diag_life[DIAG_LIFE_STATES] = {
	DIAG_SYN_SENT,
	DIAG_SYN_RECV,
	DIAG_ESTABLISHED,
	DIAG_FIN_WAIT1,
	DIAG_FIN_WAIT2,
	DIAG_CLOSING,
	DIAG_TIME_WAIT,
	DIAG_CLOSE_WAIT,
	DIAG_LAST_ACK,
};

const char *diag_state_name(enum diag_state s)
{
	CHECK(s < DIAG_STATE_COUNT);
	return state_names[s];
}

/* Addresses. */

bool diag_ip_eq(const struct diag_end *a, const struct diag_end *b)
{
	return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

bool diag_end_eq(const struct diag_end *a, const struct diag_end *b)
{
	return a->port == b->port && diag_ip_eq(a, b);
}

bool diag_end_is_v4(const struct diag_end *e)
{
	return memcmp(e->ip, v4_prefix, sizeof(v4_prefix)) == 0;
}

bool diag_ip_is_loopback(const struct diag_end *e)
{
	static const uint8_t loopback6[16] = { [15] = 1 };

	if (diag_end_is_v4(e))
		return e->ip[12] == 127;
	return memcmp(e->ip, loopback6, 16) == 0;
}

bool diag_ip_is_any(const struct diag_end *e)
{
	static const uint8_t zeros[16];

	if (diag_end_is_v4(e))
		return memcmp(e->ip + 12, zeros, 4) == 0;
	return memcmp(e->ip, zeros, 16) == 0;
}

static void end_set_v4(struct diag_end *e, const void *ip4)
{
	memcpy(e->ip, v4_prefix, sizeof(v4_prefix));
	memcpy(e->ip + 12, ip4, 4);
}

bool diag_end_parse(const char *ip, uint16_t port, struct diag_end *out)
{
	struct in_addr v4;

	*out = (struct diag_end){ .port = port };
	if (inet_pton(AF_INET, ip, &v4) == 1) {
		end_set_v4(out, &v4);
		return true;
	}
	return inet_pton(AF_INET6, ip, out->ip) == 1;
}

void text_add_ip(struct text *t, const struct diag_end *e)
{
	char buf[INET6_ADDRSTRLEN];
	bool v4 = diag_end_is_v4(e);

	if (inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? e->ip + 12 : e->ip, buf, sizeof(buf)))
		text_add(t, buf);
}

void text_add_end(struct text *t, const struct diag_end *e)
{
	bool v4 = diag_end_is_v4(e);

	if (!v4)
		text_add_char(t, '[');
	text_add_ip(t, e);
	text_addf(t, v4 ? ":%u" : "]:%u", (unsigned)e->port);
}

/* Records. */

static void end_read(struct diag_end *e, uint8_t family, const __be32 *ip, __be16 port)
{
	e->port = ntohs(port);
	if (family == AF_INET)
		end_set_v4(e, ip);
	else
		memcpy(e->ip, ip, sizeof(e->ip));
}

static void info_read(struct diag_sock *out, const struct nlattr *attr)
{
	struct tcp_info k = { 0 }; /* older kernels send less of it */
	size_t len = mnl_attr_get_payload_len(attr);

	memcpy(&k, mnl_attr_get_payload(attr), len < sizeof(k) ? len : sizeof(k));
	out->has_info = true;
	out->info = (struct diag_info){
		.last_sent_ms = k.tcpi_last_data_sent,
		.last_recv_ms = k.tcpi_last_data_recv,
		.last_ack_ms = k.tcpi_last_ack_recv,
		.bytes_acked = k.tcpi_bytes_acked,
		.bytes_received = k.tcpi_bytes_received,
		.bytes_sent = k.tcpi_bytes_sent,
		.bytes_retrans = k.tcpi_bytes_retrans,
		.segs_out = k.tcpi_segs_out,
		.segs_in = k.tcpi_segs_in,
		.data_segs_out = k.tcpi_data_segs_out,
		.data_segs_in = k.tcpi_data_segs_in,
		.mss = k.tcpi_snd_mss,
		.rtt_us = k.tcpi_rtt,
		.min_rtt_us = k.tcpi_min_rtt,
		.busy_us = k.tcpi_busy_time,
	};
}

static int attr_read(const struct nlattr *attr, void *out)
{
	switch (mnl_attr_get_type(attr)) {
	case INET_DIAG_INFO:
		info_read(out, attr);
		break;
	case INET_DIAG_PROTOCOL:
		if (mnl_attr_get_payload_len(attr) < 1 ||
			mnl_attr_get_u8(attr) != IPPROTO_TCP)
			return MNL_CB_ERROR;
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

/* False when the message is no TCP socket's. */
static bool record_read(struct diag_sock *out, const struct nlmsghdr *h)
{
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(h);

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*m))
		return false;
	if (m->idiag_family != AF_INET && m->idiag_family != AF_INET6)
		return false;
	*out = (struct diag_sock){
		.state = m->idiag_state < DIAG_STATE_COUNT
				 ? (enum diag_state)m->idiag_state
				 : DIAG_UNKNOWN,
		.timer = m->idiag_timer <= DIAG_TIMER_PROBE
				 ? (enum diag_timer)m->idiag_timer
				 : DIAG_TIMER_NONE,
		.expires_ms = m->idiag_expires,
		.resent = m->idiag_retrans,
		.uid = m->idiag_uid,
		.inode = m->idiag_inode,
		.rqueue = m->idiag_rqueue,
		.wqueue = m->idiag_wqueue,
		.cookie = (uint64_t)m->id.idiag_cookie[1] << 32 | m->id.idiag_cookie[0],
	};
	end_read(&out->local, m->idiag_family, m->id.idiag_src, m->id.idiag_sport);
	end_read(&out->remote, m->idiag_family, m->id.idiag_dst, m->id.idiag_dport);
	return mnl_attr_parse(h, sizeof(*m), attr_read, out) != MNL_CB_ERROR;
}

/* Opening. */

static struct mnl_socket *nl_open(struct problem *p)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);

	if (!nl) {
		problem_set(p,
			"cannot open a netlink socket for sock_diag: %s; the kernel needs "
			"CONFIG_INET_DIAG",
			strerror(errno));
		return NULL;
	}
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		problem_set(p, "cannot bind the sock_diag netlink socket: %s",
			strerror(errno));
		(void)mnl_socket_close(nl);
		return NULL;
	}
	return nl;
}

struct diag *diag_open(struct problem *p)
{
	struct mnl_socket *nl = nl_open(p);
	struct diag *d;

	if (!nl)
		return NULL;
	d = mem_zalloc(sizeof(*d));
	d->nl = nl;
	return d;
}

void diag_free(struct diag **d)
{
	if (!*d)
		return;
	(void)mnl_socket_close((*d)->nl);
	mem_free(*d);
	*d = NULL;
}

/* Asking. */

static bool ask_send(struct diag *d, struct nlmsghdr *h)
{
	h->nlmsg_seq = ++d->seq;
	while (mnl_socket_sendto(d->nl, h, h->nlmsg_len) < 0) {
		if (errno != EINTR)
			return false;
	}
	return true;
}

static ssize_t answer_read(struct diag *d)
{
	ssize_t n;

	do
		n = mnl_socket_recvfrom(d->nl, d->buf, sizeof(d->buf));
	while (n < 0 && errno == EINTR);
	return n;
}

/* A netlink error message: 0 is an acknowledgement. */
static int msg_errno(const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

	if (mnl_nlmsg_get_payload_len(h) < sizeof(int))
		return EBADMSG;
	return -e->error;
}

enum step { STEP_MORE, STEP_DONE, STEP_INTERRUPTED, STEP_FAILED };

struct walk {
	struct diag *d;
	struct diag_visitor *v;
	uint32_t told;
	bool interrupted;
};

/* One datagram of a dump. After an interruption the rest is read and not told. */
static enum step walk_datagram(struct walk *w, const void *buf, int len)
{
	const struct nlmsghdr *h = buf;
	struct diag_sock s;

	for (; mnl_nlmsg_ok(h, len); h = mnl_nlmsg_next(h, &len)) {
		if (h->nlmsg_seq != w->d->seq)
			continue;
		if (h->nlmsg_flags & NLM_F_DUMP_INTR)
			w->interrupted = true;
		if (h->nlmsg_type == NLMSG_DONE)
			return w->interrupted ? STEP_INTERRUPTED : STEP_DONE;
		if (h->nlmsg_type == NLMSG_ERROR) {
			errno = msg_errno(h);
			return STEP_FAILED;
		}
		if (h->nlmsg_type == TCPDIAG_GETSOCK && record_read(&s, h)) {
			w->v->on_sock(w->v, &s);
			w->told++;
		}
	}
	return STEP_MORE;
}

/*
 * IPv4 and IPv6 in one walk, by the older of the two questions: SOCK_DIAG_BY_FAMILY takes
 * one family, so that the kernel would walk its whole table (4 ms where it has 262,144
 * chains, were they all empty) twice.
 */
static enum step walk_table(struct walk *w, const struct diag_ask *ask)
{
	char buf[256];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct inet_diag_req *req = mnl_nlmsg_put_extra_header(h, sizeof(*req));
	enum step step = STEP_MORE;

	h->nlmsg_type = TCPDIAG_GETSOCK;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	req->idiag_ext = ask->info ? 1U << (INET_DIAG_INFO - 1) : 0;
	req->idiag_states = ask->states;
	if (!ask_send(w->d, h))
		return STEP_FAILED;
	while (step == STEP_MORE) {
		ssize_t n = answer_read(w->d);
		if (n < 0)
			return STEP_FAILED;
		step = walk_datagram(w, w->d->buf, (int)n);
	}
	return step;
}

enum err diag_dump(struct diag *d, const struct diag_ask *ask, struct diag_visitor *v,
	struct diag_report *report)
{
	*report = (struct diag_report){ 0 };
	for (int try = 0; try < TRIES; try++) {
		struct walk w = { .d = d, .v = v };
		enum step step;

		if (try)
			v->on_restart(v);
		step = walk_table(&w, ask);
		report->told = w.told;
		if (step == STEP_FAILED)
			return err_from_errno(errno);
		if (step != STEP_INTERRUPTED) {
			report->whole = true;
			return ERR_OK;
		}
		report->interrupted++;
	}
	return ERR_OK;
}

static void end_write(const struct diag_end *e, bool v4, __be32 *ip, __be16 *port)
{
	*port = htons(e->port);
	memcpy(ip, v4 ? e->ip + 12 : e->ip, v4 ? 4 : 16);
}

/* The answer to a question for one socket: a record, or an error. */
static enum err find_answer(struct diag *d, struct diag_sock *out)
{
	for (;;) {
		ssize_t n = answer_read(d);
		int len = (int)n;
		const struct nlmsghdr *h = (const void *)d->buf;

		if (n < 0)
			return err_from_errno(errno);
		for (; mnl_nlmsg_ok(h, len); h = mnl_nlmsg_next(h, &len)) {
			if (h->nlmsg_seq != d->seq)
				continue;
			if (h->nlmsg_type == NLMSG_ERROR)
				return msg_errno(h) == ENOENT
					       ? ERR_EOF
					       : err_from_errno(msg_errno(h));
			if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY)
				return record_read(out, h) ? ERR_OK : ERR_EOF;
		}
	}
}

enum err diag_find(struct diag *d, const struct diag_end *local,
	const struct diag_end *remote, struct diag_sock *out)
{
	bool v4 = diag_end_is_v4(local) && diag_end_is_v4(remote);
	char buf[256];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct inet_diag_req_v2 *req = mnl_nlmsg_put_extra_header(h, sizeof(*req));
	enum err e;

	h->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	h->nlmsg_flags = NLM_F_REQUEST;
	req->sdiag_family = v4 ? AF_INET : AF_INET6;
	req->sdiag_protocol = IPPROTO_TCP;
	req->idiag_ext = 1U << (INET_DIAG_INFO - 1);
	req->idiag_states = DIAG_ALL_STATES;
	req->id.idiag_cookie[0] = req->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	end_write(local, v4, req->id.idiag_src, &req->id.idiag_sport);
	end_write(remote, v4, req->id.idiag_dst, &req->id.idiag_dport);
	if (!ask_send(d, h))
		return err_from_errno(errno);
	e = find_answer(d, out);
	/* With no such connection the kernel answers with the listener, if there is one. */
	if (e == ERR_OK &&
		(!diag_end_eq(&out->local, local) || !diag_end_eq(&out->remote, remote)))
		return ERR_EOF;
	return e;
}

/* Deaths. */

struct diag_deaths *diag_deaths_open(struct problem *p)
{
	static const int groups[] = { SKNLGRP_INET_TCP_DESTROY,
		SKNLGRP_INET6_TCP_DESTROY };
	struct mnl_socket *nl = nl_open(p);
	int want = DEATHS_RCVBUF;
	struct diag_deaths *d;

	if (!nl)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		int group =
			groups[i]; /* setsockopt of libmnl takes it by plain pointer */
		if (mnl_socket_setsockopt(
			    nl, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0) {
			problem_set(p, "cannot subscribe to the deaths of sockets: %s",
				strerror(errno));
			(void)mnl_socket_close(nl);
			return NULL;
		}
	}
	/* Beyond rmem_max with CAP_NET_ADMIN; without it the default holds some 200
	 * records, and what is lost is counted. */
	if (setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_RCVBUFFORCE, &want,
		    sizeof(want)) < 0)
		(void)setsockopt(mnl_socket_get_fd(nl), SOL_SOCKET, SO_RCVBUF, &want,
			sizeof(want));
	d = mem_zalloc(sizeof(*d));
	d->nl = nl;
	return d;
}

void diag_deaths_free(struct diag_deaths **d)
{
	if (!*d)
		return;
	(void)mnl_socket_close((*d)->nl);
	mem_free(*d);
	*d = NULL;
}

int diag_deaths_fd(const struct diag_deaths *d)
{
	return mnl_socket_get_fd(d->nl);
}

uint64_t diag_deaths_lost(const struct diag_deaths *d)
{
	return d->lost;
}

enum err diag_deaths_read(struct diag_deaths *d, struct diag_visitor *v, uint32_t max)
{
	while (max > 0) {
		/* One datagram is one record (sock_diag_broadcast_destroy_work in the
		 * kernel's net/core/sock_diag.c). */
		ssize_t n = recv(
			mnl_socket_get_fd(d->nl), d->buf, sizeof(d->buf), MSG_DONTWAIT);
		int len = (int)n;
		const struct nlmsghdr *h = (const void *)d->buf;
		struct diag_sock s;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ENOBUFS) {
			d->lost++;
			continue;
		}
		if (n < 0)
			return err_from_errno(errno);
		if (mnl_nlmsg_ok(h, len) && h->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
			record_read(&s, h))
			v->on_sock(v, &s);
		max--;
	}
	return ERR_OK;
}

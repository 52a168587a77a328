/*
 * diag: what the kernel knows of TCP sockets: netlink SOCK_DIAG dumps, the broadcast of
 * sockets that died, and the counters and port range of a network namespace.
 *
 * MODEL   Every object here is opened in the calling thread's network namespace and stays
 *         bound to it, wherever the thread goes later. So open one of each in every
 *         namespace, and use them from anywhere in the process.
 *         IPv4 and IPv4-mapped addresses are one thing: struct diag_end always holds 16
 *         bytes, IPv4 as ::ffff:a.b.c.d.
 * RULES   1. A dump is not a snapshot: the kernel walks its table while sockets come and
 *            go. A socket may be told twice, or be missed, when its hash chain changes
 *            between two replies. Who needs exactness keys by the tuple (attr/snap.h).
 *         2. TIME_WAIT rows have no inode and no uid. A FIN_WAIT2 row with inode 0 is
 *            orphaned: its program has closed it, and the kernel keeps it for
 *            tcp_fin_timeout (60 s). /proc/net/sockstat and `ss -s` count those as
 *            TIME_WAIT.
 *         3. What is lost is said: interrupted dumps in struct diag_report, overrun
 *            broadcasts by diag_deaths_lost().
 * COST    one 32 KiB buffer an object; a dump of 28,000 sockets is some 20 ms.
 * CONTEXT one thread at a time for each object. Blocks (diag_dump, diag_find), or never
 *         blocks (diag_deaths_read).
 */
#ifndef WEIR_IO_DIAG_H
#define WEIR_IO_DIAG_H

#include "base/err.h"
#include "base/text.h"

/* The kernel's numbers (include/net/tcp_states.h). */
enum diag_state {
	DIAG_UNKNOWN,
	DIAG_ESTABLISHED,
	DIAG_SYN_SENT,
	DIAG_SYN_RECV,
	DIAG_FIN_WAIT1,
	DIAG_FIN_WAIT2,
	DIAG_TIME_WAIT,
	DIAG_CLOSE,
	DIAG_CLOSE_WAIT,
	DIAG_LAST_ACK,
	DIAG_LISTEN,
	DIAG_CLOSING,
	DIAG_STATE_COUNT
};

#define DIAG_BIT(state) (1U << (state))
#define DIAG_ALL_STATES \
	(((1U << DIAG_STATE_COUNT) - 1) & ~DIAG_BIT(DIAG_UNKNOWN) & ~DIAG_BIT(DIAG_CLOSE))

/* Those of a connection, in the order of its life. */
#define DIAG_LIFE_STATES 9
extern const enum diag_state diag_life[DIAG_LIFE_STATES];

const char *diag_state_name(enum diag_state s); /* "TIME_WAIT" */

struct diag_end {
	uint8_t ip[16]; /* network order; IPv4 as ::ffff:a.b.c.d */
	uint16_t port;  /* host order */
};

bool diag_end_eq(const struct diag_end *a, const struct diag_end *b);
bool diag_ip_eq(const struct diag_end *a, const struct diag_end *b);
bool diag_end_is_v4(const struct diag_end *e);
bool diag_ip_is_loopback(const struct diag_end *e); /* 127.0.0.0/8 or ::1 */
/* 0.0.0.0 or ::, as listeners have it. */
bool diag_ip_is_any(const struct diag_end *e);
/* From text, "10.0.0.1" or "fe80::1"; false when it is neither. */
MUST_USE bool diag_end_parse(const char *ip, uint16_t port, struct diag_end *out);
void text_add_end(struct text *t, const struct diag_end *e); /* 10.0.0.1:80, [::1]:80 */
void text_add_ip(struct text *t, const struct diag_end *e);

/* struct tcp_info, the part that tells how a connection was used. Ages are at the time of
 * the record. */
struct diag_info {
	uint32_t last_sent_ms, last_recv_ms; /* since data was last sent, received; a
						side that never did: since the
						connection began */
	uint32_t last_ack_ms;    /* since the last segment that was not out of place: the
				 peer's FIN, when nothing was sent after it */
	uint64_t bytes_acked;    /* of ours; counts FIN, and SYN on the side that
				    connected */
	uint64_t bytes_received; /* in order; counts the peer's FIN */
	uint64_t bytes_sent;     /* data only, retransmissions included */
	uint64_t bytes_retrans;
	uint32_t segs_out, segs_in, data_segs_out, data_segs_in;
	uint32_t mss; /* of data in a segment that this side sends; 0: not told */
	uint32_t rtt_us, min_rtt_us;
	uint64_t
		busy_us; /* for so long something sent was not acknowledged, a FIN as well */
};

enum diag_timer { /* the kernel's idiag_timer */
	DIAG_TIMER_NONE,
	DIAG_TIMER_RETRANSMIT,
	DIAG_TIMER_KEEPALIVE, /* or the end of FIN_WAIT2 */
	DIAG_TIMER_TIME_WAIT,
	DIAG_TIMER_PROBE,
};

struct diag_sock {
	struct diag_end local, remote;
	enum diag_state state;
	enum diag_timer timer;
	uint32_t expires_ms; /* of that timer */
	uint8_t resent;      /* times in a row that the oldest segment went again */
	uint32_t uid;
	uint32_t inode;  /* 0: no program holds it */
	uint32_t rqueue; /* bytes received and not read; an unread FIN counts 1.
			    LISTEN: connections waiting to be accepted */
	uint32_t wqueue; /* bytes sent and not acknowledged. LISTEN: the backlog */
	uint64_t cookie; /* the kernel's name for this socket; 0 in none */
	bool has_info;
	struct diag_info info; /* zero unless has_info */
};

/* Embedded in what collects (CONTAINER_OF). */
struct diag_visitor {
	void (*on_sock)(struct diag_visitor *v, const struct diag_sock *s);
	/* The dump was interrupted and starts anew: forget what it told. May be NULL for
	 * diag_deaths_read. */
	void (*on_restart)(struct diag_visitor *v);
};

struct diag_ask {
	uint32_t states; /* DIAG_BIT()s, or DIAG_ALL_STATES */
	bool info;       /* struct diag_info too; costs about twice as much */
};

struct diag_report {
	uint32_t told;        /* sockets handed to on_sock in the last, whole try */
	uint32_t interrupted; /* tries the kernel called inconsistent */
	bool whole;           /* false: the last try was interrupted too; figures may be
				 off by a few */
};

struct diag;

/* NULL and a problem when the kernel has no sock_diag. Needs no privilege. */
struct diag *diag_open(struct problem *p);
void diag_free(struct diag **d);

/*
 * All TCP sockets (IPv4 and IPv6) in ask->states. EINTR is retried; an interrupted dump
 * is begun again up to 3 times. ERR_SOCKET, ERR_NO_MEMORY, ERR_ACCESS: errno is left as
 * netlink gave it.
 */
MUST_USE enum err diag_dump(struct diag *d, const struct diag_ask *ask,
	struct diag_visitor *v, struct diag_report *report);

/*
 * The one socket with exactly this tuple (TIME_WAIT and orphaned FIN_WAIT2 included),
 * with info where the socket has it. ERR_EOF: there is none. About 10 µs.
 */
MUST_USE enum err diag_find(struct diag *d, const struct diag_end *local,
	const struct diag_end *remote, struct diag_sock *out);

/*
 * Deaths: a record for each TCP socket at the moment the kernel frees it, with its final
 * info and queues; state is always DIAG_CLOSE. A socket that goes to TIME_WAIT or to an
 * orphaned FIN_WAIT2 is freed then: the small one that stands in for it can be found
 * under the same tuple (diag_find), and dies later without a record.
 */
struct diag_deaths;

struct diag_deaths *diag_deaths_open(struct problem *p);
void diag_deaths_free(struct diag_deaths **d);
int diag_deaths_fd(const struct diag_deaths *d); /* readable when there is something */
/* Up to `max` records, never blocks. ERR_OK: perhaps more; ERR_AGAIN: drained. */
MUST_USE enum err diag_deaths_read(
	struct diag_deaths *d, struct diag_visitor *v, uint32_t max);
/* How often the kernel dropped records because we were slow (each drop loses one record
 * or more). */
uint64_t diag_deaths_lost(const struct diag_deaths *d);

/*
 * Counters of a namespace since it began: /proc/net/{snmp,netstat,sockstat}.
 * DIAG_COUNTER(field, "group in the file", "name in the file")
 */
#define DIAG_COUNTERS(X) \
	X(out_no_routes, "Ip", "OutNoRoutes") \
	X(active_opens, "Tcp", "ActiveOpens") \
	X(passive_opens, "Tcp", "PassiveOpens") \
	X(attempt_fails, "Tcp", "AttemptFails") \
	X(estab_resets, "Tcp", "EstabResets") \
	X(curr_estab, "Tcp", "CurrEstab") \
	X(out_segs, "Tcp", "OutSegs") \
	X(retrans_segs, "Tcp", "RetransSegs") \
	X(out_rsts, "Tcp", "OutRsts") \
	X(tw, "TcpExt", "TW") \
	X(tw_recycled, "TcpExt", "TWRecycled") \
	X(tw_killed, "TcpExt", "TWKilled") \
	X(tw_overflow, "TcpExt", "TCPTimeWaitOverflow") \
	X(listen_overflows, "TcpExt", "ListenOverflows") \
	X(listen_drops, "TcpExt", "ListenDrops") \
	X(loss_probes, "TcpExt", "TCPLossProbes") \
	X(abort_on_data, "TcpExt", "TCPAbortOnData") \
	X(abort_on_close, "TcpExt", "TCPAbortOnClose") \
	X(abort_on_memory, "TcpExt", "TCPAbortOnMemory") \
	X(abort_on_timeout, "TcpExt", "TCPAbortOnTimeout") \
	X(abort_on_linger, "TcpExt", "TCPAbortOnLinger") \
	X(abort_failed, "TcpExt", "TCPAbortFailed") \
	X(sockstat_orphan, "TCP:", "orphan") \
	X(sockstat_tw, "TCP:", "tw")

struct diag_counters {
#define X(field, group, name) uint64_t field;
	DIAG_COUNTERS(X)
#undef X
};

/* Towards whom connect() takes a port in TIME_WAIT again (net.ipv4.tcp_tw_reuse, for
 * connections with timestamps). */
enum diag_reuse { DIAG_REUSE_NONE, DIAG_REUSE_ALL, DIAG_REUSE_LOOPBACK };

/* The ports connect() may choose from, of this namespace, as they are now. */
struct diag_ports {
	uint16_t low, high;    /* ip_local_port_range, both included */
	uint32_t usable;       /* in the range and not reserved */
	uint32_t usable_first; /* of these, those of the parity of `low`: connect()
				       walks all of them before it tries the others, so
				       when they are gone each connect costs
				       milliseconds (the cliff) */
	enum diag_reuse reuse;
	uint32_t reuse_after_ms;     /* in TIME_WAIT for so long (tcp_tw_reuse_delay) */
	uint8_t reserved[65536 / 8]; /* ip_local_reserved_ports as bits */
};

bool diag_ports_has(const struct diag_ports *p, uint16_t port); /* may be chosen */
/* As the two sysctls have them: "32768\t60999" and "8080,9000-9010"; false when `range`
 * is malformed. */
MUST_USE bool diag_ports_parse(
	struct slice range, struct slice reserved, struct diag_ports *out);

/* Descriptors on a namespace's /proc files, to be read again and again. */
struct diag_net {
	int snmp_fd, netstat_fd, sockstat_fd, range_fd, reserved_fd, reuse_fd,
		reuse_delay_fd, timestamps_fd; /* -1: not there */
};

#define DIAG_NET_NONE ((struct diag_net){ -1, -1, -1, -1, -1, -1, -1, -1 })

/* False and a problem when /proc is not mounted. Needs no privilege. */
MUST_USE bool diag_net_open(struct diag_net *n, struct problem *p);
void diag_net_close(struct diag_net *n);
/* Counters this kernel does not have stay 0. */
MUST_USE enum err diag_net_counters(const struct diag_net *n, struct diag_counters *out);
/* One of them: of a crowd of sockets, each may ask. */
MUST_USE enum err diag_net_aborts_on_data(const struct diag_net *n, uint64_t *out);
MUST_USE enum err diag_net_ports(const struct diag_net *n, struct diag_ports *out);
/* Only what is reused; the ports stay as they are. */
MUST_USE enum err diag_net_reuse(const struct diag_net *n, struct diag_ports *out);

#endif

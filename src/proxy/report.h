/*
 * report: a proxy's gauges at one instant; those of several threads are added up.
 *
 * MODEL   Each thread fills in a report of its own proxy, hand 0 merges them: counts are summed,
 *         the server's words merged, targets of one key (one a thread) added together. What
 *         a share counts (slots used, calls that wait) is read from it when the reports are
 *         merged, so that it never exceeds the limit; slots by state are as each thread had
 *         them, at instants of their own.
 * OWNS    a report owns its texts and holds the shares: it may outlive what it tells of.
 * CONTEXT report_fill: the proxy's thread. A report belongs to one thread at a time.
 */
#ifndef WEIR_PROXY_REPORT_H
#define WEIR_PROXY_REPORT_H

#include "proxy/proxy.h"

/* What one target shows, or all of them together. */
struct gauges {
	uint64_t used, in[SLOT_STATES], peak;
	uint64_t waiting, waiting_peak;
	struct upstream_stats stats;
	uint64_t limit; /* UINT64_MAX: none */
	enum upstream_abandon abandon;
	struct hangup hangup; /* one over all threads */
	/* Of several: the least that was learned, the longest window */
	struct upstream_pool pool;
};

/* One place of a target; how it does is one over all threads. */
struct report_endpoint {
	char at[80]; /* address */
	uint32_t conns;
	enum health_state state;
	enum health_why why;
	ns_t back_for;  /* OUT: until it is tried again */
	uint64_t times; /* left out so far */
};

struct report_target {
	struct list_node node;
	struct map_node by_key;
	char *key, *name;
	bool retired;
	bool in_force; /* the plan by which new requests are routed has it; never a host's */
	bool on_demand; /* a host that a caller has named */
	bool found_out; /* its limit */
	enum slot_unit unit;
	struct share *share; /* NULL: the target is alone */
	struct gauges gauges;
	uint32_t callers_paused;
	struct report_endpoint endpoints[UPSTREAM_ENDPOINTS_MAX];
	uint32_t endpoint_count;
	bool has_tls;
	uint64_t handshakes, resumed, failed;
};

struct report {
	uint32_t clients; /* connections from them */
	uint64_t exchanges_now, exchanges_total, heads_refused;
	uint64_t tunnels_now, tunnels_total;
	uint64_t answers[PROXY_STATUS_MAX];
	uint64_t reasons[ERR_COUNT];
	struct durations took[PROXY_DECIDERS];
	uint32_t hosts, hosts_sockets; /* of the forward proxy */
	uint64_t hosts_total;
	ns_t lag; /* since the last report */
	struct words *words;
	/* Of one name there may be several that live: an exchange holds the plan before. */
	struct list targets;
	struct map targets_by_key;
	struct past past; /* of targets that are gone */
};

struct report *report_new(void);
void report_free(struct report **r);
void report_fill(struct report *r, struct proxy *p);
/* Into one that is new: all but report_seal's part. */
void report_add(struct report *sum, const struct report *r);
/* When all are added: what the shares count. */
void report_seal(struct report *sum);
/* All but the limit. */
void gauges_add(struct gauges *sum, const struct gauges *g);
/* All targets together; the limits of those in force alone. */
void report_sum(const struct report *r, struct gauges *sum);
/* The most frequent reason of those that are not told yet; ERR_COUNT: all are. */
int report_next_reason(const struct report *r, const bool told[ERR_COUNT]);
/* In one line what became of all requests, those with a refused head too, and what the server
 * may be at work on still. Calls
 * sent are not told: those of upstreams that a reload has taken out are no longer known. */
void report_last(const struct report *r, struct text *t);

#endif

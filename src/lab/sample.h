/*
 * sample: one look at a run: sockets on its three hosts, kernel counters, the gauges of
 * server and middleware, processor time. All of one look carry one time.
 */
#ifndef WEIR_LAB_SAMPLE_H
#define WEIR_LAB_SAMPLE_H

#include "base/json_read.h"
#include "lab/host.h"
#include "lab/usage.h"

enum { LAB_IN, LAB_OUT, LAB_SIDES }; /* as enum tally_side_id, without `unsure` */

/* X(field, "path in the program's JSON") */
#define LAB_SERVER_GAUGES(X) \
	X(used, "slots.used") \
	X(peak, "slots.peak") \
	X(idle, "slots.idle") \
	X(running, "slots.running") \
	X(abandoned, "slots.abandoned") \
	X(over, "slots.over") \
	X(queue, "queue") \
	X(accepted, "accepted") \
	X(refused, "refused") \
	X(requests, "requests") \
	X(answered, "answered")

#define LAB_MIDDLE_GAUGES(X) \
	X(used, "slots.used") \
	X(peak, "slots.peak") \
	X(connecting, "slots.connecting") \
	X(busy, "slots.busy") \
	X(idle, "slots.idle") \
	X(draining, "slots.draining") \
	X(ghost, "slots.ghost") \
	X(settling, "slots.settling") \
	X(waiting, "queue.waiting") \
	X(sockets_client, "sockets.client") \
	X(sockets_upstream, "sockets.upstream") \
	X(exchanges, "exchanges.now") \
	X(calls_sent, "calls.sent") \
	X(calls_refused, "calls.refused")

/* X(field): of the kernel's, those that are reported. */
#define LAB_COUNTERS(X) \
	X(estab_resets) \
	X(out_rsts) \
	X(tw) \
	X(tw_recycled) \
	X(tw_overflow) \
	X(abort_on_close) \
	X(abort_on_data) \
	X(listen_overflows) \
	X(retrans_segs)

/* What a program does not tell is GAUGE_UNKNOWN. */
#define GAUGE_UNKNOWN INT64_MIN

struct lab_server_gauges {
#define X(field, path) int64_t field;
	LAB_SERVER_GAUGES(X)
#undef X
};

struct lab_middle_gauges {
#define X(field, path) int64_t field;
	LAB_MIDDLE_GAUGES(X)
#undef X
	double loop_delay_ms; /* NAN: not told */
};

struct lab_sockets {
	uint32_t by_state[DIAG_STATE_COUNT];
	uint32_t orphan_fin_wait2;
};

struct lab_host_sample {
	bool known; /* false: its sockets could not be counted */
	struct lab_sockets side[LAB_SIDES];
	uint32_t first[FIRST_COUNT];
	int64_t ports_left; /* towards the fullest destination; GAUGE_UNKNOWN: none */
	struct diag_counters counters;
	struct usage usage; /* of the host's program, since it began */
};

struct lab_sample {
	ns_t at; /* since the callers began */
	struct lab_host_sample host[LAB_HOSTS];
	uint64_t closed[LAB_SIDES][CLOSE_FIRST_COUNT]; /* so far */
	uint64_t closed_why[LAB_SIDES][WHY_COUNT];
	struct lab_server_gauges server;
	struct lab_middle_gauges middle;
};

/* After lab_hosts_count; the programs' usage is the caller's to add. */
void lab_sample_hosts(struct lab_sample *s, const struct lab_hosts *h);
/* NULL: nothing is known. */
void lab_sample_server(struct lab_sample *s, const struct json_doc *doc);
void lab_sample_middle(struct lab_sample *s, const struct json_doc *doc);

#endif

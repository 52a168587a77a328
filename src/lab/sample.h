/*
 * sample: one look at a variant: sockets on its three hosts, kernel counters, the gauges
 * of server and middleware, processor time. All of one look carry one time.
 */
#ifndef WEIR_LAB_SAMPLE_H
#define WEIR_LAB_SAMPLE_H

#include "base/json.h"
#include "base/json_read.h"
#include "lab/host.h"

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

struct lab_server_gauges {
	bool known;
#define X(field, path) int64_t field;
	LAB_SERVER_GAUGES(X)
#undef X
};

struct lab_middle_gauges {
	bool known;
#define X(field, path) int64_t field;
	LAB_MIDDLE_GAUGES(X)
#undef X
};

struct lab_sockets {
	uint32_t by_state[DIAG_STATE_COUNT];
	uint32_t orphan_fin_wait2;
};

struct lab_sample {
	ns_t at;               /* since the callers began */
	bool known[LAB_HOSTS]; /* false: that host's sockets could not be counted */
	struct lab_sockets sockets[LAB_HOSTS][LAB_SIDES];
	struct diag_counters counters[LAB_HOSTS];
	struct lab_server_gauges server;
	struct lab_middle_gauges middle;
	ns_t cpu_for[LAB_HOSTS]; /* of the host's program, since it began */
};

void lab_sample_host(struct lab_sample *s, struct lab_host *h, ns_t now);
/* NULL: unknown. */
void lab_sample_server(struct lab_sample *s, const struct json_doc *doc);
void lab_sample_middle(struct lab_sample *s, const struct json_doc *doc);
void lab_sample_json(struct json *j, const struct lab_sample *s);

#endif

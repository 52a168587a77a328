/*
 * api: the scripted server of the incident, on sockets alone; it shares no line with the engine
 * or with src/origin.
 *
 * MODEL   As fasthttp: slots by connection, counted at accept; a full server writes its refusal
 *         in two writes, request unread, and closes. A connection's requests are handled one
 *         after the other; while a handler runs, a hang-up goes unseen. Its FIN comes before
 *         its slot is free. With `by_request` the slots are those of running handlers, and a
 *         refusal keeps the connection.
 */
#ifndef WEIR_TESTS_SIM_API_H
#define WEIR_TESTS_SIM_API_H

#include "tests/sim/raw.h"

#define API_IDS 65536 /* requests are GET /<id>: how often each was handled */

struct api_cfg {
	uint32_t limit;
	bool by_request;
	ns_t min_for, max_for; /* a handler's time, uniform */
	double quick;          /* this share takes quick_for instead */
	ns_t quick_for;
	ns_t free_in;    /* 0..free_in from its FIN until the slot is free */
	bool close_each; /* closes after each answer (and says so) */
	ns_t idle_max;   /* closes idle connections after 0..idle_max; 0: never */
	uint64_t seed;
};

struct api {
	struct api_cfg cfg;
	struct io_loop *loop;
	struct raw_server server;
	struct rng rng;
	struct list leaving; /* slots about to be free */
	uint32_t used, peak;
	uint32_t running;
	uint64_t accepted, refused, requests, answered;
	uint8_t handled[API_IDS];
};

void api_init(
	struct api *a, struct io_loop *loop, const char *at, const struct api_cfg *cfg);
void api_fini(struct api *a);

#endif

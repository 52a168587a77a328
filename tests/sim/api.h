/*
 * api: the scripted server of the incident, on sockets alone; it shares no line with the engine
 * or with src/origin.
 *
 * MODEL   As fasthttp: slots by connection, counted at accept; a full server writes its refusal
 *         in two writes, request unread, and closes. A connection's requests are handled one
 *         after the other; while a handler runs, a hang-up goes unseen,
 *         unless the server notices some.
 *         Its FIN comes before its slot is free. With `by_request` the slots are those of
 *         running handlers, and a refusal keeps the connection. With `stalls` nothing is
 *         refused: who has waited for longest gets the slot that comes free. With `workers` so many
 *         handlers run at once, and requests wait for them inside, the oldest first; then nobody
 *         hangs up.
 *         It may listen on several hosts; the slots are one. What cfg says may be changed while
 *         it runs, but for `by_request` and `ids`.
 */
#ifndef WEIR_TESTS_SIM_API_H
#define WEIR_TESTS_SIM_API_H

#include "tests/sim/raw.h"

#define API_IDS 65536 /* requests are GET or POST /<id>: how often each was handled */
#define API_SERVERS 2

struct api_cfg {
	uint32_t limit;
	bool by_request;
	bool stalls; /* a connection above the limit waits for another to close */
	ns_t min_for, max_for; /* a handler's time, uniform */
	ns_t mean_for;         /* exponential instead; 0: it is not */
	uint32_t workers;      /* 0: one for each request */
	double quick;          /* this share takes quick_for instead */
	ns_t quick_for;
	uint32_t slow_each;    /* instead: all but each so-many-th do; 0: by chance */
	uint32_t requests_max; /* of a connection: its last answer closes; 0: no bound */
	ns_t free_in;          /* 0..free_in from its FIN until the slot is free */
	bool close_each;       /* closes after each answer (and says so) */
	ns_t idle_max;         /* closes idle connections after 0..idle_max; 0: never */
	/* shares of the requests, whose answer is: a reset; half of one, and a reset; whole,
	 * with a FIN behind it, and the connection is kept until ours comes */
	double resets, cuts, half_closes;
	double notices; /* this share of the hang-ups ends the handler at once */
	bool stands_in; /* all close the connection at once, but the handler's slot is held on:
			   a proxy before the server */
	uint32_t ids; /* 0: API_IDS */
	uint64_t seed;
};

struct api {
	struct api_cfg cfg;
	struct io_loop *loop;
	struct raw_server servers[API_SERVERS];
	struct io_loop *hosts[API_SERVERS];
	const char *at[API_SERVERS];
	uint32_t server_count;
	struct timer up_again;
	struct rng rng;
	struct list leaving; /* slots about to be free */
	struct list turns;   /* requests that wait for a worker */
	uint32_t used, peak;
	uint32_t running;
	uint64_t accepted, refused, requests, answered;
	uint64_t begun;                 /* handlers, with slow_each */
	uint64_t cut;                   /* answers it began and did not end */
	void (*on_take)(struct api *a); /* a slot has been taken; NULL: nobody asks */
	void *ctx;                      /* the test's */
	uint8_t *handled;               /* by id, as often as 255 */
};

void api_init(
	struct api *a, struct io_loop *loop, const char *at, const struct api_cfg *cfg);
/* One more address, for the same slots. `at` outlives it. */
void api_listen(struct api *a, struct io_loop *loop, const char *at);
/* All connections end so, handlers with them, and nobody listens for so long. */
void api_restart(struct api *a, enum io_close how, ns_t down_for);
void api_fini(struct api *a);

#endif

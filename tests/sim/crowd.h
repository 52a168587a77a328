/*
 * crowd: clients that arrive as they like (Poisson), each with one request on a connection of
 * its own, and what became of each. Bytes alone, no line of the engine.
 */
#ifndef WEIR_TESTS_SIM_CROWD_H
#define WEIR_TESTS_SIM_CROWD_H

#include "tests/sim/raw.h"

struct crowd_cfg {
	double rate;      /* arrivals a second */
	ns_t for_ns;      /* so long */
	double impatient; /* this share hangs up after 0..impatient_for */
	ns_t impatient_for;
	ns_t broken_after; /* without an end for so long the connection is broken; 0: never */
	double posts;      /* this share POSTs; who does is told by crowd_posts */
	double half_open; /* this share says FIN behind its request, and waits */
	uint64_t seed;
};

struct crowd {
	struct crowd_cfg cfg;
	struct io_loop *loop;
	struct addr to;
	struct rng rng;
	struct timer arrivals;
	struct list clients, gone; /* gone: freed when the next one comes */
	ns_t ends_at;
	uint64_t arrived, open;
	/* one has a whole answer, having come so long ago; NULL: nobody asks */
	void (*on_answer)(struct crowd *c, unsigned status, ns_t took);
	void *ctx; /* the test's */
	/* every arrival ends as one of these */
	uint64_t good, left, broken; /* 200; hung up by itself; connection broken */
	uint64_t errors[600];        /* whole answers but 200, by status */
	uint64_t refusals;           /* of these: the server's, word for word */
	uint64_t twice;              /* bytes behind a whole answer: must stay 0 */
};

void crowd_init(struct crowd *c, struct io_loop *loop, const struct addr *to,
	const struct crowd_cfg *cfg);
void crowd_fini(struct crowd *c);
/* Whether the client of this number sent a POST. */
bool crowd_posts(const struct crowd *c, uint64_t number);
uint64_t crowd_errors(const struct crowd *c); /* all statuses together */

#endif

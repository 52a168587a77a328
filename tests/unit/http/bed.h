/*
 * bed: a simulated world of two hosts: the engine's worker on `near` (10.0.0.1), the test's raw
 * peers on `far` (10.0.0.2).
 */
#ifndef WEIR_TESTS_HTTP_BED_H
#define WEIR_TESTS_HTTP_BED_H

#include "http/worker.h"
#include "tests/sim/raw.h"
#include "tests/unit/base/unit.h"

struct bed {
	struct sim *sim;
	struct io_loop *near, *far;
	struct worker worker;
};

static inline void bed_init(
	struct bed *b, const struct sim_cfg *sim, const struct worker_cfg *worker)
{
	b->sim = sim_new(sim);
	b->near = sim_host(b->sim, "10.0.0.1");
	b->far = sim_host(b->sim, "10.0.0.2");
	worker_init(&b->worker, b->near, worker);
}

static inline void bed_run(struct bed *b, ns_t for_ns)
{
	(void)sim_run(b->sim, sim_now(b->sim) + for_ns);
}

/* Nothing may be left: worker_fini and sim_free see to it. */
static inline void bed_fini(struct bed *b)
{
	worker_fini(&b->worker);
	sim_free(&b->sim);
}

#endif

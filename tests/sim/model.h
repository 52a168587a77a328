/*
 * model: a server, a crowd that does not wait for answers, and between them a queue under
 * flow/limit, in virtual time.
 *
 * MODEL   The server has `slots`, of which `others` take what they can get of `others_want`; a
 *         call that finds none is refused at once. It has `workers` (0: one for each slot);
 *         who finds none waits, first in first out. Callers come as a Poisson process, wait
 *         at most `queue_for`, and leave `deadline` after they came; their calls run on.
 *         A call goes on a connection of its own, kept until it is refused or the limit falls; above
 *         that as many as it keeps, while they are needed every MODEL_KEPT_FOR.
 *         Stopped, the server does nothing: what came meanwhile it takes up when it goes on, among
 *         what ended meanwhile.
 *         What is public may be changed between two model_run.
 * RULES   1. A run is a function of its seed.
 */
#ifndef WEIR_TESTS_SIM_MODEL_H
#define WEIR_TESTS_SIM_MODEL_H

#include "base/dist.h"
#include "base/hist.h"
#include "base/wheel.h"
#include "flow/limit.h"

#define MODEL_KEPT_FOR (10 * NS_S) /* to twice that */

struct model_count {
	uint64_t came, left, sent, refused, answered, good;
	uint64_t opened; /* connections */
};

struct model {
	double rate; /* callers a second */
	ns_t deadline, queue_for, rtt, settle_for;
	uint32_t slots, workers, others_want, max;
	bool refuses_all; /* whatever is free */
	ns_t stopped_until;
	double lost; /* share of ends the server does not notice for `lost_for` */
	ns_t lost_for;
	double slowness;                                 /* of what begins from now on */
	const char *service;                             /* as dist_parse takes it */
	bool reads_refusals_as_answers, grows_by_answer; /* mutants */

	/* read by tests */
	ns_t now;
	struct limit limit;
	struct model_count count;
	struct hist *took;  /* by the server and the way, all calls that were answered */
	uint32_t used;      /* as we count */
	uint32_t open;      /* connections */
	uint32_t needed[2]; /* of them: lately, and in the MODEL_KEPT_FOR before that */
	ns_t needed_since;
	uint32_t held; /* as the server counts: ours; others */
	uint32_t others;
	uint32_t held_peak;
	ns_t wanted_more_at; /* first instant at which more was wanted than the slots; 0 */

	/* the model's own */
	struct rng rng;
	uint64_t begun; /* jobs whose duration was drawn */
	struct dist *dist;
	const char *dist_text;
	struct wheel *wheel;
	struct timer arrival, looker;
	struct list waiting, all; /* of callers; of jobs that exist */
	struct list queue;        /* in the server */
	uint32_t working;
};

/* Sets what is usual; the test then changes what it is about, before the first model_run. */
void model_init(struct model *m, uint64_t seed);
void model_run(struct model *m, ns_t until);
void model_fini(struct model *m);

#endif

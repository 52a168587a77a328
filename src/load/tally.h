/*
 * tally: what became of each request. Pure over the times it is told.
 *
 * MODEL   A request that was started is open until it is answered or has failed; what is still
 *         open at the end is unanswered. Good is a whole 2xx or 3xx answer within the patience,
 *         late the same after it, failed any other answer and none at all. Latency counts from
 *         the intended start (so a generator or a queue that lags does not flatter the server),
 *         the uncorrected one from when the request was sent: as tools see it that wait for
 *         their turn before they look at the clock. Lateness is from the intended start to the
 *         real one, so of the generator alone; what is between that and the sending was waited
 *         for a connection.
 *         What was due in the warm-up stands in the time line alone.
 * RULES   1. started = good + late + failed + open - warming, at every instant. CHECKed.
 *         2. The sum of statuses = the count of every latency = the answers that came whole.
 * COST    850 KiB, and 4 bytes an answer of each step of the time line until all that was started
 *         in that step has ended; then 64 bytes a step.
 * OWNS    all of it.
 */
#ifndef WEIR_LOAD_TALLY_H
#define WEIR_LOAD_TALLY_H

#include "base/hist.h"
#include "obs/words.h"

#define TALLY_STATUSES 1000

/* One step of the time line: what was started in it. */
struct tally_step {
	uint64_t started, good, late, failed;
	/* of the whole answers, once the step is settled; NS_NEVER: there were none */
	ns_t p50, p99, max;
	bool settled;
	uint32_t *samples_us; /* until then */
	uint32_t sample_count, sample_cap;
};

struct tally {
	ns_t start; /* of the run */
	ns_t patience, interval, warm_up;
	uint64_t started, good, late, failed;
	uint64_t open;    /* all of them */
	uint64_t warming; /* of these, those of the warm-up */
	uint64_t no_fds,
		no_memory; /* of the failed: for want of these here, not at the server */
	uint64_t statuses[TALLY_STATUSES];
	struct hist *latency, *latency_good, *uncorrected, *lateness;
	struct words *words;
	struct tally_step *steps;
	uint32_t step_count, step_cap;
};

enum tally_end { TALLY_GOOD, TALLY_LATE, TALLY_FAILED, TALLY_UNANSWERED };

/* The times of one request: kept by the caller while it is open. */
struct tally_times {
	ns_t intended, real;
	ns_t sent; /* its connection was there; NS_NEVER: not yet. Of the last, if sent again */
};

struct tally_cfg {
	ns_t patience; /* NS_NEVER: none */
	ns_t interval; /* width of a step, > 0 */
	ns_t warm_up;
};
struct tally *tally_new(ns_t start, const struct tally_cfg *cfg);
void tally_free(struct tally **t);

void tally_start(struct tally *t, const struct tally_times *times);
/* A whole answer has come. `body`: what was kept of it, if it is an error's. */
enum tally_end tally_answer(struct tally *t, const struct tally_times *times,
	uint16_t status, struct slice body, ns_t now);
/* There is no whole answer, and none will come. status and body: of what came of it, or 0. */
void tally_failure(struct tally *t, const struct tally_times *times, enum err why,
	uint16_t status, struct slice body, ns_t now);
/* Of what counts, what is still open. */
static inline uint64_t tally_unanswered(const struct tally *t)
{
	return t->open - t->warming;
}
/* Step number n of a tally that is told, not counted: settled, and nothing in it at first. */
struct tally_step *tally_settled(struct tally *t, uint32_t n);
/* The run is over after `ran_for`; what is open stays so. Steps cover all of it. */
void tally_finish(struct tally *t, ns_t ran_for);

#endif

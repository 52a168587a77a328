/*
 * schedule: when requests are meant to start. Pure: nothing that happens moves an arrival.
 *
 * MODEL   Offsets from the start of the run, in order, below `run_for`. Constant: request k when
 *         k of them are due: at k / rate, where the rate does not change. Poisson: the same with
 *         gaps that are independent and exponential, drawn from the seed alone, so that two runs
 *         with one seed meet the same arrivals. Recorded: as they were written down.
 * RULES   1. No rounding adds up: the k-th constant start is within 1 ns of k / rate after a day
 *            of a million a second; Poisson gaps keep their fraction of a nanosecond.
 */
#ifndef WEIR_BASE_SCHEDULE_H
#define WEIR_BASE_SCHEDULE_H

#include "base/pace.h"
#include "base/rng.h"

enum schedule_kind { SCHEDULE_CONSTANT, SCHEDULE_POISSON, SCHEDULE_RECORDED };

struct schedule {
	enum schedule_kind kind;
	struct pace pace; /* recorded: unused */
	ns_t run_for;
	uint64_t taken;  /* how many starts were taken */
	ns_t next;       /* offset of the next one; NS_NEVER past the last */
	uint32_t part;   /* of the pace, in which `next` falls */
	double before;   /* constant: how many were due before that part */
	double fraction; /* Poisson: what `next` lacks, 0 <= fraction < 1 ns */
	struct rng rng;
	const ns_t *starts; /* recorded: borrowed, in order */
	uint64_t count;
};

/* At one rate, above 0. */
void schedule_init(struct schedule *s, enum schedule_kind kind, double rate,
	uint64_t seed, ns_t run_for);
/* At a rate that changes; above 0 somewhere. */
void schedule_init_paced(struct schedule *s, enum schedule_kind kind,
	const struct pace *pace, uint64_t seed, ns_t run_for);
void schedule_init_recorded(struct schedule *s, const ns_t *starts, uint64_t count);
/* The offset of the next start, NS_NEVER when there is none. */
static inline ns_t schedule_peek(const struct schedule *s)
{
	return s->next;
}
void schedule_take(struct schedule *s); /* on to the one after */

#endif

/*
 * run: the generator. Starts requests when the schedule says so, whatever became of those
 * before, and tells the tally how each ended.
 *
 * MODEL   A run starts requests, then waits for what is open (at most --wait-for). SIGINT and
 *         SIGTERM end it at once; a second one ends the program.
 * RULES   1. Every request that was started ends once, or is open at the end: the open list and
 *            the tally agree. CHECKed.
 * CONTEXT one thread: its own loop and worker, gone when it returns.
 */
#ifndef WEIR_LOAD_RUN_H
#define WEIR_LOAD_RUN_H

#include "load/calllog.h"
#include "load/plan.h"
#include "load/report.h"

/* A line goes to `log` for each request. *tally is the caller's from then on
 * (tally_free); NULL when false: the run could not begin. */
MUST_USE bool run_load(const struct load_plan *plan, struct load_result *result,
	struct tally **tally, struct calllog *log, struct problem *p);

#endif

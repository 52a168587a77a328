/*
 * crew: threads that make calls on one share, at random: alone and together, given up, with
 * pauses, on several callers' accounts; each until it has made its number of them, and then for
 * the others until all have.
 */
#ifndef WEIR_TESTS_THREADS_CREW_H
#define WEIR_TESTS_THREADS_CREW_H

#include <pthread.h>

#include "base/rng.h"
#include "http/upstream.h"
#include "http/worker.h"

#define CREW_TASKS 12 /* at work at once on each thread */
#define CREW_TOGETHER_MAX 4
#define CREW_CALLERS 6

struct crew;
struct hand;

/* Calls that are made together, again and again. */
struct task {
	struct hand *hand;
	struct task_call {
		struct call call;
		struct task *task;
	} calls[CREW_TOGETHER_MAX];
	uint32_t n, over; /* of this time */
	bool given_up;
	struct timer timer; /* gives up, or begins anew */
};

/* A thread. */
struct hand {
	struct crew *crew;
	uint32_t seat;
	pthread_t thread;
	struct rng rng;
	struct io_loop *loop;
	struct io_mailbox *mail;
	struct worker worker;
	struct upstream *up;
	struct task tasks[CREW_TASKS];
	struct timer look; /* whether all are done */
	uint64_t left;     /* calls to be made */
	uint32_t at_work;  /* tasks */
	bool is_done;
	uint64_t made, answered, failed, refused, given_up; /* calls */
	struct upstream_stats stats;
};

struct crew {
	/* set before */
	uint32_t hands_len;
	uint64_t calls; /* of each */
	uint64_t seed;
	uint32_t give_up_each; /* of so many tasks one is given up; 0: none */
	struct upstream_cfg cfg;
	/* its own; to be read after crew_run */
	struct share *share;
	struct books *books;
	struct vitals *vitals;
	struct hangups *hangups;
	struct quota servers;
	struct hand *hands;
	pthread_barrier_t barrier;
	_Atomic uint32_t working;
};

void crew_run(struct crew *c);
void crew_fini(struct crew *c);

#endif

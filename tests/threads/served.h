/*
 * served: a server in a thread of its own that counts what it is asked to bear, as it comes.
 *
 * RULES   1. Open connections are counted at each accept, after all that their clients have
 *            closed by then were closed: a server that is slow to notice must not look like a
 *            client that opens too many.
 *         2. Running requests are counted as each begins.
 */
#ifndef WEIR_TESTS_THREADS_SERVED_H
#define WEIR_TESTS_THREADS_SERVED_H

#include <pthread.h>

#include "base/rng.h"
#include "io/mail.h"
#include "io/sock.h"

struct served {
	/* the script, set before */
	uint64_t seed;
	/* Of so many answers one is the last of its connection; 0: none */
	uint32_t close_each;
	/* Of so many requests one gets a close and no answer; 0: none */
	uint32_t cut_each;
	ns_t answer_in_max;
	bool deaf; /* while a request runs, a hang-up goes unseen */
	/* what happened, to be read after served_stop */
	uint64_t accepts, requests;
	uint32_t open_peak, running_peak;
	/* its own */
	pthread_t thread;
	struct io_loop *loop;
	struct io_mailbox *mail;
	struct io_letter stop;
	struct io_listener listener;
	struct rng rng;
	struct list conns;
	struct list running; /* requests whose connection is gone, too */
};

/* Listens at 127.0.0.1; the address is in listener.at. */
void served_start(struct served *s);
void served_stop(struct served *s);

#endif

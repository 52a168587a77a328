/*
 * joint: what several threads hold together: how many of them do, and a lock for a look into it.
 * Embedded in what is so held; whose it is when the last one lets go, and what stands under the
 * lock, its owner's header says.
 *
 * RULES   1. Whoever holds it may take more (joint_ref), look (joint_lock), and lets go once.
 *         2. One look at a time, ended by who began it; nobody looks when the last one lets go.
 *            A thread that looks twice at once stands still for good.
 * OWNS    nothing: the struct is its holder's, who frees it after the last joint_unref.
 * CONTEXT any thread. What one wrote before it let go, or in its look, the next one sees.
 * COST    48 bytes; an atomic addition to take or let go; two atomic exchanges a look that nobody
 *         is in the way of, else the thread sleeps until it is its turn: a look is short, and
 *         calls nothing that waits.
 */
#ifndef WEIR_BASE_JOINT_H
#define WEIR_BASE_JOINT_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/base.h"

struct joint { /* its own */
	pthread_mutex_t lock;
	_Atomic uint32_t refs;
};

void joint_init(struct joint *j); /* held once */
void joint_ref(struct joint *j);
/* True: nobody holds it any more, and all of it may be freed. */
MUST_USE bool joint_unref(struct joint *j);
void joint_lock(struct joint *j);
void joint_unlock(struct joint *j);

#endif

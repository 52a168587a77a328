/*
 * thread: another thread of this process. It hears no signal: those are the main thread's loop's
 * (io/signals.h).
 *
 * OWNS    who starts one joins it, or detaches it.
 */
#ifndef WEIR_IO_THREAD_H
#define WEIR_IO_THREAD_H

#include <pthread.h>

#include "base/base.h"

pthread_t io_thread_start(void *(*run)(void *arg), void *arg);
/* How many CPUs this process may run on, 1 at least. */
uint32_t io_cpus(void);

#endif

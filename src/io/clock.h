/* clock: the time that passes (CLOCK_MONOTONIC), for programs without a loop. */
#ifndef WEIR_IO_CLOCK_H
#define WEIR_IO_CLOCK_H

#include "base/base.h"

ns_t clock_now(void);

#endif

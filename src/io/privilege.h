/* privilege: what root may do and a program that only looks need not. */
#ifndef WEIR_IO_PRIVILEGE_H
#define WEIR_IO_PRIVILEGE_H

#include "base/base.h"

/* For good: of all capabilities only those stay by which other users' /proc/PID is read, and no
 * program that is started gains any. What is open stays open.
 * CONTEXT the calling thread, and those it starts from then on: before any other. */
void privilege_only_look(void);

#endif

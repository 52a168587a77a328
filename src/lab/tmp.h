/*
 * tmp: the folder a run keeps its files in, and what dead runs left of theirs.
 *
 * MODEL   $TMPDIR/weir-lab-PID-START, START being the process's start time in clock ticks
 *         since boot, so that a number given out again does not mislead. Its owner holds
 *         a lock on the file `lock` in it: that tells the living from the dead even where
 *         the process itself is out of sight (another container, the same $TMPDIR).
 * RULES   1. A folder is removed only when its owner is gone by both signs, and when it
 *            belongs to us.
 */
#ifndef WEIR_LAB_TMP_H
#define WEIR_LAB_TMP_H

#include "base/err.h"

struct lab_tmp {
	char *path; /* absolute */
	int lock_fd;
};

/* Makes ours (mode 0700). */
MUST_USE bool lab_tmp_init(struct lab_tmp *t, struct problem *p);
/* Removes ours. */
void lab_tmp_fini(struct lab_tmp *t);
/* Removes those of dead runs; how many. */
uint32_t lab_tmp_sweep(void);

#endif

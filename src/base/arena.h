/*
 * arena: memory for one job, taken piece by piece and freed whole.
 *
 * MODEL   chunks, each filled from the front. arena_reset keeps the first chunk, so that
 *         the next job on the same connection allocates nothing.
 * RULES   1. At most `max` bytes are out (each piece counts rounded up to 16): beyond it
 *            the answer is NULL, and the caller sheds. Sizes come from outside, so running
 *            out is no bug.
 *         2. Under AddressSanitizer what was not taken, and all after a reset, is poisoned.
 * OWNS    all it gave, until arena_reset or arena_fini: pieces are never given back alone.
 * COST    O(1) a piece, no header a piece; nothing is allocated before the first piece.
 */
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include "base/slice.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* the newest first */
	char *at, *end;             /* what is free in the newest */
	size_t used, max;           /* bytes out; bound */
};

void arena_init(struct arena *a, size_t max);
void arena_fini(struct arena *a);
void arena_reset(struct arena *a);
/* Aligned to 16 bytes, not zeroed. NULL: the bound. */
MUST_USE void *arena_alloc(struct arena *a, size_t bytes);
MUST_USE void *arena_zalloc(struct arena *a, size_t bytes);
/* A NUL-terminated copy; its length is s.len. NULL: the bound. */
MUST_USE char *arena_dup(struct arena *a, struct slice s);
size_t arena_left(const struct arena *a); /* bytes under the bound */

#endif

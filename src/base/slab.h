/*
 * slab: objects of one size, from chunks that are never given back while the slab lives.
 *
 * RULES   1. slab_take gives zeroed memory, or NULL once `max` objects are out (0: no
 *            bound): shed. slab_take_raw leaves what was there: for buffers, whose bytes
 *            are read only after they were written.
 *         2. Freed space is poisoned under AddressSanitizer.
 * COST    O(1), no header an object.
 */
#ifndef WEIR_BASE_SLAB_H
#define WEIR_BASE_SLAB_H

#include "base/base.h"

struct slab_chunk;

struct slab {
	size_t size; /* bytes an object, rounded up to 16 */
	uint32_t per_chunk;
	uint32_t out, max; /* objects taken; bound */
	void *free;
	struct slab_chunk *chunks;
};

void slab_init(struct slab *s, size_t size, uint32_t max);
void slab_fini(struct slab *s); /* CHECKs that nothing is out */
MUST_USE void *slab_take(struct slab *s);
MUST_USE void *slab_take_raw(struct slab *s);
void slab_give(struct slab *s, void *obj);

#endif

/*
 * slab: objects of one size, from chunks that are never given back while the slab lives.
 *
 * RULES   1. slab_take gives zeroed memory, or NULL once `max` objects are out (0: no
 *            bound): shed. slab_take_raw leaves what was there: for buffers, whose bytes
 *            are read only after they were written.
 *         2. Freed space is poisoned under AddressSanitizer.
 *         3. With a quota each object out is charged to it too: a bound over the slabs of
 *            several threads.
 * COST    O(1), no header an object.
 */
#ifndef WEIR_BASE_SLAB_H
#define WEIR_BASE_SLAB_H

#include "base/quota.h"

struct slab_chunk;

struct slab {
	size_t size; /* bytes an object, rounded up to 16 */
	uint32_t per_chunk;
	uint32_t out, max;   /* objects taken; bound */
	uint32_t held;       /* of the bound, by slab_hold */
	struct quota *quota; /* NULL: none. Borrowed; set while nothing is out. */
	void *free;
	struct slab_chunk *chunks;
};

void slab_init(struct slab *s, size_t size, uint32_t max);
void slab_fini(struct slab *s); /* CHECKs that nothing is out */
MUST_USE void *slab_take(struct slab *s);
MUST_USE void *slab_take_raw(struct slab *s);
void slab_give(struct slab *s, void *obj);
/* The next `n` slab_take will not fail; false: the bound forbids. slab_unhold: they are not
 * wanted after all. */
MUST_USE bool slab_hold(struct slab *s, uint32_t n);
void slab_unhold(struct slab *s, uint32_t n);
/* How many more there may be; with a quota a hint, for other threads take too. */
uint32_t slab_room(const struct slab *s);
/* What an object stood for goes to another slab of the same quota, which stays charged. The
 * taker's own bound does not matter. */
void slab_give_charged(struct slab *s, void *obj);
MUST_USE void *slab_take_charged(struct slab *s);

#endif

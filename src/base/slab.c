#include "base/slab.h"

#include "base/compat.h"

#define CHUNK_BYTES ((size_t)64 * 1024)
#define CHUNK_OBJECTS_MIN 8

struct slab_chunk {
	struct slab_chunk *next;
	_Alignas(16) char objects[];
};

/* What a free object holds in its first bytes. */
struct free_object {
	struct free_object *next;
};

void slab_init(struct slab *s, size_t size, uint32_t max)
{
	CHECK(size > 0);
	size = (size + 15) & ~(size_t)15;
	size_t per_chunk = CHUNK_BYTES / size;
	if (per_chunk < CHUNK_OBJECTS_MIN)
		per_chunk = CHUNK_OBJECTS_MIN;
	if (max && per_chunk > max)
		per_chunk = max;
	*s = (struct slab){ .size = size, .per_chunk = (uint32_t)per_chunk, .max = max };
}

void slab_fini(struct slab *s)
{
	CHECK(s->out == 0);
	struct slab_chunk *chunk = s->chunks;
	while (chunk) {
		struct slab_chunk *next = chunk->next;
		mem_unpoison(chunk->objects, s->size * s->per_chunk);
		mem_free(chunk);
		chunk = next;
	}
	*s = (struct slab){ 0 };
}

static void push_free(struct slab *s, struct free_object *obj)
{
	obj->next = s->free;
	s->free = obj;
	mem_poison(obj, s->size);
}

static void add_chunk(struct slab *s)
{
	struct slab_chunk *chunk = mem_alloc(sizeof(*chunk) + s->size * s->per_chunk);
	chunk->next = s->chunks;
	s->chunks = chunk;
	for (uint32_t i = s->per_chunk; i-- > 0;) /* the first is taken first */
		push_free(s, (void *)(chunk->objects + i * s->size));
}

static inline void *pop_free(struct slab *s)
{
	if (!s->free)
		add_chunk(s);
	struct free_object *obj = s->free;
	CHECK(obj);
	mem_unpoison(obj, s->size);
	s->free = obj->next;
	s->out++;
	return obj;
}

void *slab_take_raw(struct slab *s)
{
	if (s->held)
		s->held--;
	else if (s->max && s->out >= s->max)
		return NULL;
	else if (s->quota && !quota_take(s->quota, 1))
		return NULL;
	return pop_free(s);
}

void *slab_take(struct slab *s)
{
	void *obj = slab_take_raw(s);
	return obj ? memset(obj, 0, s->size) : NULL;
}

void slab_give(struct slab *s, void *obj)
{
	CHECK(obj && s->out > 0);
	s->out--;
	push_free(s, obj);
	if (s->quota)
		quota_give(s->quota, 1);
}

uint32_t slab_room(const struct slab *s)
{
	uint32_t taken = s->out + s->held, room = UINT32_MAX;
	if (s->max)
		room = taken < s->max ? s->max - taken : 0;
	if (!s->quota)
		return room;
	uint32_t shared = quota_room(s->quota);
	return shared < room ? shared : room;
}

bool slab_hold(struct slab *s, uint32_t n)
{
	if (slab_room(s) < n || (s->quota && !quota_take(s->quota, n)))
		return false;
	s->held += n;
	return true;
}

void slab_unhold(struct slab *s, uint32_t n)
{
	CHECK(s->held >= n);
	s->held -= n;
	if (s->quota)
		quota_give(s->quota, n);
}

void slab_give_charged(struct slab *s, void *obj)
{
	CHECK(obj && s->out > 0);
	s->out--;
	push_free(s, obj);
}

void *slab_take_charged(struct slab *s)
{
	return memset(pop_free(s), 0, s->size);
}

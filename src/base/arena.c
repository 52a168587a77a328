#include "base/arena.h"

#include "base/compat.h"

#define ALIGN 16
#define CHUNK_BYTES ((size_t)4096) /* of the first; each next is twice the last */
#define CHUNK_BYTES_MAX ((size_t)64 * 1024)

struct arena_chunk {
	struct arena_chunk *older;
	size_t bytes;
	_Alignas(ALIGN) char space[];
};

void arena_init(struct arena *a, size_t max)
{
	*a = (struct arena){ .max = max };
}

static void use_chunk(struct arena *a, struct arena_chunk *chunk)
{
	a->chunks = chunk;
	a->at = chunk->space;
	a->end = chunk->space + chunk->bytes;
	mem_poison(chunk->space, chunk->bytes);
}

static void free_chunk(struct arena_chunk *chunk)
{
	mem_unpoison(chunk->space, chunk->bytes);
	mem_free(chunk);
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *chunk = a->chunks;

	a->used = 0;
	if (!chunk)
		return;
	while (chunk->older) {
		struct arena_chunk *older = chunk->older;
		free_chunk(chunk);
		chunk = older;
	}
	use_chunk(a, chunk);
}

void arena_fini(struct arena *a)
{
	arena_reset(a);
	if (a->chunks)
		free_chunk(a->chunks);
	*a = (struct arena){ 0 };
}

static void add_chunk(struct arena *a, size_t least)
{
	size_t bytes = a->chunks ? a->chunks->bytes * 2 : CHUNK_BYTES;
	if (bytes > CHUNK_BYTES_MAX)
		bytes = CHUNK_BYTES_MAX;
	if (bytes < least)
		bytes = least;
	struct arena_chunk *chunk = mem_alloc(sizeof(*chunk) + bytes);
	chunk->older = a->chunks;
	chunk->bytes = bytes;
	use_chunk(a, chunk);
}

size_t arena_left(const struct arena *a)
{
	return a->max - a->used;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
	size_t left = arena_left(a);
	if (bytes > left)
		return NULL;
	size_t rounded = (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (rounded == 0)
		rounded = ALIGN; /* two empty pieces differ */
	if (rounded > left)
		return NULL;
	if ((size_t)(a->end - a->at) < rounded + MEM_GUARD_BYTES)
		add_chunk(a, rounded + MEM_GUARD_BYTES);
	char *piece = a->at;
	a->at += rounded + MEM_GUARD_BYTES;
	a->used += rounded;
	mem_unpoison(piece, bytes);
	return piece;
}

void *arena_zalloc(struct arena *a, size_t bytes)
{
	void *piece = arena_alloc(a, bytes);
	return piece ? memset(piece, 0, bytes) : NULL;
}

char *arena_dup(struct arena *a, struct slice s)
{
	if (s.len == SIZE_MAX)
		return NULL;
	char *copy = arena_alloc(a, s.len + 1);
	if (!copy)
		return NULL;
	if (s.len)
		memcpy(copy, s.ptr, s.len);
	copy[s.len] = '\0';
	return copy;
}

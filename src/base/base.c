#include "base/base.h"

NORETURN static void out_of_memory(size_t bytes)
{
	fprintf(stderr, "weir: out of memory (%zu bytes asked)\n", bytes);
	abort();
}

void check_failed(const char *cond, const char *file, int line)
{
	fprintf(stderr, "weir: %s:%d: CHECK(%s) failed: this is a bug in weir\n", file,
		line, cond);
	abort();
}

void *mem_alloc(size_t bytes)
{
	void *ptr = malloc(bytes ? bytes : 1);
	if (!ptr)
		out_of_memory(bytes);
	return ptr;
}

void *mem_zalloc(size_t bytes)
{
	void *ptr = calloc(1, bytes ? bytes : 1);
	if (!ptr)
		out_of_memory(bytes);
	return ptr;
}

void *mem_realloc(void *ptr, size_t bytes)
{
	void *moved = realloc(ptr, bytes ? bytes : 1);
	if (!moved)
		out_of_memory(bytes);
	return moved;
}

char *mem_strdup(const char *text)
{
	size_t bytes = strlen(text) + 1;
	return memcpy(mem_alloc(bytes), text, bytes);
}

void mem_free(void *ptr)
{
	free(ptr);
}

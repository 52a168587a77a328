#include "fuzz.h"

uint64_t fuzz_hash(struct slice in)
{
	uint64_t h = 0xcbf29ce484222325;
	for (size_t i = 0; i < in.len; i++)
		h = (h ^ (uint8_t)in.ptr[i]) * 0x100000001b3;
	return h ^ h >> 32;
}

char *fuzz_prefix(struct slice in, size_t len)
{
	char *copy = mem_alloc(len ? len : 1);
	if (len)
		memcpy(copy, in.ptr, len);
	return copy;
}

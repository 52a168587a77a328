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

void fuzz_check_complaints(struct slice shown, struct slice file)
{
	CHECK(shown.len && shown.ptr[shown.len - 1] == '\n');
	while (shown.len) {
		struct slice line = slice_cut(shown, 0, slice_find(shown, '\n'));
		uint64_t number = 0;
		shown = slice_cut(shown, line.len + 1, SIZE_MAX);
		CHECK(line.len > 2);
		if (!slice_starts(line, SLICE("x:"))) {
			CHECK(line.ptr[0] == ' ');
			continue;
		}
		if (line.ptr[2] == ' ')
			continue; /* of the file as a whole */
		for (size_t i = 2; i < line.len && line.ptr[i] != ':'; i++)
			number = number * 10 + (uint64_t)(line.ptr[i] - '0');
		CHECK(number >= 1 && number <= file.len + 1);
	}
}

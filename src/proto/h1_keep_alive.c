/* Keep-Alive: what a server says about how long it keeps a connection. */
#include "proto/h1.h"

#define SAID_MAX 1000000000u

static uint32_t number(struct slice s)
{
	uint64_t n = 0;
	if (s.len == 0)
		return H1_KEEP_ALIVE_UNSAID;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return H1_KEEP_ALIVE_UNSAID;
		if (n < SAID_MAX)
			n = n * 10 + (uint64_t)(s.ptr[i] - '0');
	}
	return n < SAID_MAX ? (uint32_t)n : SAID_MAX;
}

/* The smaller of what was said twice. */
static void say(uint32_t *said, uint32_t n)
{
	if (n < *said)
		*said = n;
}

bool h1_read_keep_alive(struct slice value, struct h1_keep_alive *out)
{
	struct slice item;
	*out = (struct h1_keep_alive){ H1_KEEP_ALIVE_UNSAID, H1_KEEP_ALIVE_UNSAID };
	while (slice_next_item(&value, &item)) {
		size_t at = slice_find(item, '=');
		struct slice name = slice_trim(slice_cut(item, 0, at));
		uint32_t n = number(slice_trim(slice_cut(item, at + 1, SIZE_MAX)));
		if (slice_eq_nocase(name, SLICE("timeout")))
			say(&out->timeout_s, n);
		else if (slice_eq_nocase(name, SLICE("max")))
			say(&out->max, n);
	}
	return out->timeout_s != H1_KEEP_ALIVE_UNSAID || out->max != H1_KEEP_ALIVE_UNSAID;
}

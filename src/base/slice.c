#include "base/slice.h"

static unsigned char lower(char c)
{
	unsigned char u = (unsigned char)c;
	return u >= 'A' && u <= 'Z' ? (unsigned char)(u | 0x20) : u;
}

static bool is_ows(char c)
{
	return c == ' ' || c == '\t';
}

bool slice_eq_nocase(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (lower(a.ptr[i]) != lower(b.ptr[i]))
			return false;
	return true;
}

bool slice_starts(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && slice_eq(slice_cut(s, 0, prefix.len), prefix);
}

size_t slice_find(struct slice s, char c)
{
	const char *at = s.len ? memchr(s.ptr, c, s.len) : NULL;
	return at ? (size_t)(at - s.ptr) : s.len;
}

struct slice slice_cut(struct slice s, size_t from, size_t len)
{
	if (from >= s.len)
		return (struct slice){ s.len ? s.ptr + s.len : s.ptr, 0 };
	if (len > s.len - from)
		len = s.len - from;
	return (struct slice){ s.ptr + from, len };
}

struct slice slice_trim(struct slice s)
{
	while (s.len && is_ows(s.ptr[0])) {
		s.ptr++;
		s.len--;
	}
	while (s.len && is_ows(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

bool slice_next_item(struct slice *rest, struct slice *item)
{
	while (rest->len) {
		size_t comma = slice_find(*rest, ',');
		*item = slice_trim(slice_cut(*rest, 0, comma));
		*rest = slice_cut(*rest, comma + 1, SIZE_MAX);
		if (item->len)
			return true;
	}
	return false;
}

char *slice_dup(struct slice s)
{
	char *copy = mem_alloc(s.len + 1);
	if (s.len)
		memcpy(copy, s.ptr, s.len);
	copy[s.len] = '\0';
	return copy;
}

#include "base/slice.h"

#include "base/ascii.h"

static bool is_ows(char c)
{
	return c == ' ' || c == '\t';
}

bool slice_eq_nocase(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i]))
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

int slice_percent(struct slice s, size_t at)
{
	if (at >= s.len || s.len - at < 3 || s.ptr[at] != '%')
		return -1;
	int high = ascii_hex(s.ptr[at + 1]), low = ascii_hex(s.ptr[at + 2]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
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

uint64_t slice_hash(struct slice s)
{
	uint64_t hash = 0xcbf29ce484222325;
	for (size_t i = 0; i < s.len; i++)
		hash = (hash ^ (uint8_t)s.ptr[i]) * 0x100000001b3;
	return hash;
}

char *slice_dup(struct slice s)
{
	char *copy = mem_alloc(s.len + 1);
	if (s.len)
		memcpy(copy, s.ptr, s.len);
	copy[s.len] = '\0';
	return copy;
}

size_t slice_utf8(struct slice in, uint32_t *out)
{
	const unsigned char *s = (const unsigned char *)in.ptr;
	size_t left = in.len;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	if (left == 0)
		return 0;
	size_t len = s[0] < 0x80             ? 1
		     : (s[0] & 0xe0) == 0xc0 ? 2
		     : (s[0] & 0xf0) == 0xe0 ? 3
		     : (s[0] & 0xf8) == 0xf0 ? 4
					     : 0;
	if (len == 0 || len > left)
		return 0;
	uint32_t point = len == 1 ? s[0] : s[0] & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (s[i] & 0x3fu);
	}
	if (point < least[len] || point > 0x10ffff ||
		(point >= 0xd800 && point <= 0xdfff))
		return 0;
	*out = point;
	return len;
}

size_t slice_utf8_len(struct slice s)
{
	uint32_t point;
	return slice_utf8(s, &point);
}

#include "proto/path.h"

/* A segment that begins with a dot is looked at, though most are names: "/.well-known". */
bool path_is_plain(struct slice path)
{
	for (size_t i = 0; i < path.len; i++) {
		const char c = path.ptr[i];
		if (c == '%' || c == '\\' || c == ';')
			return false;
		if (c == '/' && i + 1 < path.len &&
			(path.ptr[i + 1] == '/' || path.ptr[i + 1] == '.'))
			return false;
	}
	return true;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte at `*at`; a % without two digits behind it stands for itself. */
static char next_byte(struct slice s, size_t *at)
{
	const char c = s.ptr[(*at)++];
	if (c != '%' || s.len - *at < 2)
		return c;
	const int high = hex_value(s.ptr[*at]), low = hex_value(s.ptr[*at + 1]);
	if (high < 0 || low < 0)
		return c;
	*at += 2;
	return (char)(high << 4 | low);
}

/* Parameters go first, as servers do: an escaped ; begins none. */
static struct slice decode(struct slice path, enum path_params params, char *out)
{
	size_t len = 0;
	for (size_t i = 0; i < path.len;) {
		if (params == PATH_DROPS_PARAMS && path.ptr[i] == ';') {
			while (i < path.len && path.ptr[i] != '/')
				i++;
			continue;
		}
		const char c = next_byte(path, &i);
		out[len++] = c == '\\' ? '/' : c;
	}
	return (struct slice){ out, len };
}

/* RFC 3986 5.2.4, and empty segments skipped. In place: what is written is never longer than
 * what has been read. */
static struct slice remove_dots(struct slice in, char *out, bool *climbs)
{
	size_t len = 0;
	bool open = true; /* it ends with a / */
	*climbs = false;
	while (in.len) {
		const size_t end = slice_find(in, '/');
		const struct slice segment = slice_cut(in, 0, end);
		open = end < in.len;
		in = slice_cut(in, end + 1, SIZE_MAX);
		if (segment.len == 0)
			continue;
		if (slice_eq(segment, SLICE("."))) {
			open = true;
		} else if (slice_eq(segment, SLICE(".."))) {
			open = true;
			*climbs |= len == 0;
			while (len > 0 && out[--len] != '/')
				;
		} else {
			out[len++] = '/';
			memmove(out + len, segment.ptr, segment.len);
			len += segment.len;
		}
	}
	if (open || len == 0)
		out[len++] = '/';
	return (struct slice){ out, len };
}

struct slice path_read(
	struct slice path, enum path_params params, char *out, bool *climbs)
{
	return remove_dots(decode(path, params, out), out, climbs);
}

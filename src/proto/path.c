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

/* The byte at `*at`; a % without two digits behind it stands for itself. */
static char next_byte(struct slice s, size_t *at)
{
	const char c = s.ptr[*at];
	const int coded = c == '%' ? slice_percent(s, *at) : -1;
	*at += coded < 0 ? 1 : 3;
	return coded < 0 ? c : (char)coded;
}

static bool stays_escaped(char c, unsigned ways)
{
	return (c == '/' && !(ways & PATH_DECODES_SLASHES)) ||
	       (c == '\\' && !(ways & PATH_DECODES_BACKSLASHES));
}

/* What the byte, and the one behind it, may be taken for. What goes may leave a segment empty, or
 * with nothing but dots. */
static unsigned ways_of(struct slice path, size_t at)
{
	const unsigned all = PATH_MERGES | PATH_TAKES_BACK;
	const char c = path.ptr[at], then = at + 1 < path.len ? path.ptr[at + 1] : 'x';
	if (c == ';')
		return PATH_DROPS_PARAMS | all;
	if (c == '\\')
		return PATH_BACKSLASHES | all;
	if (c == '/')
		return (then == '/') * PATH_MERGES |
		       (then == '.') * (PATH_TAKES_BACK | PATH_TAKES_BACK_FIRST);
	if (c != '%')
		return 0;
	const char is = next_byte(path, &at);
	if (is == '/')
		return PATH_DECODES | PATH_DECODES_SLASHES | all;
	if (is == '\\')
		return PATH_DECODES | PATH_DECODES_BACKSLASHES | PATH_BACKSLASHES | all;
	return PATH_DECODES | (is == '.') * PATH_TAKES_BACK;
}

unsigned path_ways(struct slice path)
{
	unsigned ways = 0;
	for (size_t i = 0; i < path.len; i++)
		ways |= ways_of(path, i);
	return ways;
}

/* Parameters go first, as servers do: an escaped ; begins none. In place, too. */
static struct slice decode(struct slice path, unsigned ways, char *out)
{
	size_t len = 0;
	for (size_t i = 0; i < path.len;) {
		if (ways & PATH_DROPS_PARAMS && path.ptr[i] == ';') {
			while (i < path.len && path.ptr[i] != '/')
				i++;
			continue;
		}
		size_t next = i;
		char c = ways & PATH_DECODES ? next_byte(path, &next) : path.ptr[next++];
		if (next - i > 1 && stays_escaped(c, ways)) {
			c = path.ptr[i]; /* its digits follow */
			next = i + 1;
		}
		out[len++] = c == '\\' && ways & PATH_BACKSLASHES ? '/' : c;
		i = next;
	}
	return (struct slice){ out, len };
}

/* RFC 3986 5.2.4. In place: what is written is never longer than what has been read. */
static struct slice by_segments(struct slice in, unsigned ways, char *out, bool *climbs)
{
	const bool back = ways & PATH_TAKES_BACK;
	size_t len = 0;
	bool open = true; /* it ends with a / */
	*climbs = false;
	in = slice_cut(in, 1, SIZE_MAX);
	while (in.len) {
		const size_t end = slice_find(in, '/');
		const struct slice segment = slice_cut(in, 0, end);
		open = end < in.len;
		in = slice_cut(in, end + 1, SIZE_MAX);
		if (segment.len == 0 && ways & PATH_MERGES)
			continue;
		if (back && slice_eq(segment, SLICE("."))) {
			open = true;
		} else if (back && slice_eq(segment, SLICE(".."))) {
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

struct slice path_read(struct slice path, unsigned ways, char *out, bool *climbs)
{
	bool at_first = false;
	if (ways & PATH_TAKES_BACK_FIRST)
		path = by_segments(path, PATH_TAKES_BACK, out, &at_first);
	path = by_segments(decode(path, ways, out), ways, out, climbs);
	*climbs |= at_first;
	return path;
}

#include "base/json.h"

#include <math.h>

#define DEPTH_MAX 32
#define LEVELS_8 "                " /* what so many are indented by */

void json_init(struct json *j, struct text *out, bool pretty)
{
	*j = (struct json){ .out = out, .pretty = pretty };
}

static uint32_t level_bit(const struct json *j)
{
	return (uint32_t)1 << (j->depth - 1);
}

static void new_line(struct json *j)
{
	static const char indent[] = LEVELS_8 LEVELS_8 LEVELS_8 LEVELS_8;
	_Static_assert(sizeof(indent) > 2 * DEPTH_MAX, "one for each depth");
	if (!j->pretty)
		return;
	text_add_char(j->out, '\n');
	text_add_slice(j->out, (struct slice){ indent, 2 * (size_t)j->depth });
}

/* Stands in a string for itself. */
static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static void add_escaped(struct text *out, unsigned char c)
{
	static const char named[] = "btn\0fr"; /* U+0008 to U+000D */

	if (c == '"' || c == '\\')
		text_addf(out, "\\%c", c);
	else if (c >= 8 && c <= 13 && c != 11)
		text_addf(out, "\\%c", named[c - 8]);
	else
		text_addf(out, "\\u%04x", c);
}

/* One character that is not plain; its bytes. */
static size_t add_special(struct text *out, struct slice s)
{
	size_t len = slice_utf8_len(s);
	if (len == 1)
		add_escaped(out, (unsigned char)s.ptr[0]);
	else if (len)
		text_add_slice(out, slice_cut(s, 0, len));
	else
		text_add(out, "\xef\xbf\xbd"); /* U+FFFD, one for each bad byte */
	return len ? len : 1;
}

static void add_quoted(struct text *out, struct slice s)
{
	text_add_char(out, '"');
	for (size_t at = 0, end = 0; at < s.len; at = end) {
		while (end < s.len && is_plain((unsigned char)s.ptr[end]))
			end++;
		if (end > at)
			text_add_slice(out, (struct slice){ s.ptr + at, end - at });
		else
			end += add_special(out, slice_cut(s, at, SIZE_MAX));
	}
	text_add_char(out, '"');
}

/* What stands before each value: comma, line, key. */
static void begin_value(struct json *j, const char *key)
{
	if (j->depth == 0) {
		CHECK(!key);
		return;
	}
	uint32_t bit = level_bit(j);
	CHECK(!key == !!(j->is_array & bit));
	if (j->has_item & bit)
		text_add_char(j->out, ',');
	j->has_item |= bit;
	new_line(j);
	if (!key)
		return;
	add_quoted(j->out, slice_of(key));
	text_add(j->out, j->pretty ? ": " : ":");
}

static void open_level(struct json *j, const char *key, bool is_array)
{
	begin_value(j, key);
	CHECK(j->depth < DEPTH_MAX);
	text_add_char(j->out, is_array ? '[' : '{');
	j->depth++;
	j->has_item &= ~level_bit(j);
	j->is_array &= ~level_bit(j);
	if (is_array)
		j->is_array |= level_bit(j);
}

void json_object(struct json *j, const char *key)
{
	open_level(j, key, false);
}

void json_array(struct json *j, const char *key)
{
	open_level(j, key, true);
}

void json_end(struct json *j)
{
	CHECK(j->depth > 0);
	bool is_array = j->is_array & level_bit(j);
	bool has_item = j->has_item & level_bit(j);
	j->depth--;
	if (has_item)
		new_line(j);
	text_add_char(j->out, is_array ? ']' : '}');
}

void json_str(struct json *j, const char *key, struct slice value)
{
	begin_value(j, key);
	add_quoted(j->out, value);
}

void json_base64(struct json *j, const char *key, struct slice bytes)
{
	begin_value(j, key);
	text_add_char(j->out, '"');
	text_add_base64(j->out, bytes);
	text_add_char(j->out, '"');
}

void json_cstr(struct json *j, const char *key, const char *value)
{
	if (value)
		json_str(j, key, slice_of(value));
	else
		json_null(j, key);
}

void json_int(struct json *j, const char *key, int64_t value)
{
	begin_value(j, key);
	if (value < 0)
		text_add_char(j->out, '-');
	text_add_u64(j->out, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

/* Drops the zeros that end a fraction, and its point with them. */
static void add_trimmed(struct text *out, const char *number)
{
	struct slice s = slice_of(number);
	if (slice_find(s, '.') < s.len && slice_find(s, 'e') == s.len) {
		while (s.ptr[s.len - 1] == '0')
			s.len--;
		if (s.ptr[s.len - 1] == '.')
			s.len--;
	}
	text_add_slice(out, s);
}

void json_real(struct json *j, const char *key, double value)
{
	char number[64];

	if (!isfinite(value)) {
		json_null(j, key);
		return;
	}
	double size = fabs(value);
	if (size >= 1 && size < 1e15)
		snprintf(number, sizeof(number), "%.6f", value);
	else
		snprintf(number, sizeof(number), "%.6g", size > 0 ? value : 0.0);
	/* The locale may have put a comma where JSON wants a point. */
	char *comma = strchr(number, ',');
	if (comma)
		*comma = '.';
	begin_value(j, key);
	add_trimmed(j->out, number);
}

void json_bool(struct json *j, const char *key, bool value)
{
	begin_value(j, key);
	text_add(j->out, value ? "true" : "false");
}

void json_null(struct json *j, const char *key)
{
	begin_value(j, key);
	text_add(j->out, "null");
}

void json_ms(struct json *j, const char *key, ns_t value)
{
	if (value == NS_NEVER) {
		json_null(j, key);
		return;
	}
	uint64_t ns = value < 0 ? -(uint64_t)value : (uint64_t)value;
	uint64_t us = ns / 1000 + (ns % 1000 >= 500), rest = us % 1000;
	const char fraction[] = { '.', (char)('0' + rest / 100),
		(char)('0' + rest / 10 % 10), (char)('0' + rest % 10) };
	begin_value(j, key);
	if (value < 0 && us)
		text_add_char(j->out, '-');
	text_add_u64(j->out, us / 1000);
	if (rest) /* without the zeros that end it */
		text_add_slice(j->out, (struct slice){ fraction, rest % 10    ? 4
								 : rest % 100 ? 3
									      : 2 });
}

void json_raw(struct json *j, const char *key, struct slice value)
{
	begin_value(j, key);
	text_add_slice(j->out, value);
}

/* Whether bytes are JSON (RFC 8259): looked at once, nothing is built. */
#include "base/json.h"

#include "base/ascii.h"

#define LEVELS_MAX 64

struct scan {
	struct slice in;
	size_t at;
	unsigned depth;
	uint64_t lists; /* a bit for each open level: an array, not an object */
};

static int peek(const struct scan *s)
{
	return s->at < s->in.len ? (unsigned char)s->in.ptr[s->at] : -1;
}

static void skip_blanks(struct scan *s)
{
	while (peek(s) == ' ' || peek(s) == '\t' || peek(s) == '\n' || peek(s) == '\r')
		s->at++;
}

static bool take(struct scan *s, char c)
{
	bool is = peek(s) == c;
	s->at += is;
	return is;
}

/* "uXXXX", behind its backslash. */
static bool take_unit(struct scan *s, unsigned *unit)
{
	*unit = 0;
	if (!take(s, 'u'))
		return false;
	for (int i = 0; i < 4; i++, s->at++) {
		int value = ascii_hex(peek(s));
		if (value < 0)
			return false;
		*unit = *unit * 16 + (unsigned)value;
	}
	return true;
}

/* Half of a pair is no character, and many parsers stop there (RFC 7493 2.1). */
static bool take_character(struct scan *s)
{
	unsigned unit;
	if (!take_unit(s, &unit))
		return false;
	if (unit < 0xd800 || unit > 0xdfff)
		return true;
	return unit < 0xdc00 && take(s, '\\') && take_unit(s, &unit) && unit >= 0xdc00 &&
	       unit <= 0xdfff;
}

static bool take_escape(struct scan *s)
{
	int c = peek(s);
	if (c == 'u')
		return take_character(s);
	s->at++;
	return c > 0 && strchr("\"\\/bfnrt", c);
}

static bool take_string(struct scan *s)
{
	if (!take(s, '"'))
		return false;
	while (!take(s, '"')) {
		size_t len = slice_utf8_len(slice_cut(s->in, s->at, SIZE_MAX));
		if (len == 0 || peek(s) < 0x20)
			return false;
		s->at += len;
		if (s->in.ptr[s->at - 1] == '\\' && !take_escape(s))
			return false;
	}
	return true;
}

static bool take_digits(struct scan *s)
{
	size_t from = s->at;
	while (ascii_is_digit(peek(s)))
		s->at++;
	return s->at > from;
}

static bool take_number(struct scan *s)
{
	(void)take(s, '-');
	if (!take(s, '0') && !take_digits(s))
		return false;
	if (take(s, '.') && !take_digits(s))
		return false;
	if (!take(s, 'e') && !take(s, 'E'))
		return true;
	if (!take(s, '+'))
		(void)take(s, '-');
	return take_digits(s);
}

static bool take_word(struct scan *s, struct slice word)
{
	bool is = slice_starts(slice_cut(s->in, s->at, SIZE_MAX), word);
	s->at += is ? word.len : 0;
	return is;
}

static bool take_scalar(struct scan *s)
{
	switch (peek(s)) {
	case '"':
		return take_string(s);
	case 't':
		return take_word(s, SLICE("true"));
	case 'f':
		return take_word(s, SLICE("false"));
	case 'n':
		return take_word(s, SLICE("null"));
	default: /* of a byte, not of an enum of ours */
		return take_number(s);
	}
}

static bool take_key(struct scan *s)
{
	skip_blanks(s);
	if (!take_string(s))
		return false;
	skip_blanks(s);
	return take(s, ':');
}

static bool in_list(const struct scan *s)
{
	return s->lists >> (s->depth - 1) & 1;
}

/* Behind [ or {: *more, a value follows. */
static bool open_level(struct scan *s, bool list, bool *more)
{
	if (s->depth == LEVELS_MAX)
		return false;
	uint64_t bit = (uint64_t)1 << s->depth++;
	s->lists = list ? s->lists | bit : s->lists & ~bit;
	skip_blanks(s);
	*more = !take(s, list ? ']' : '}');
	if (!*more)
		s->depth--;
	return !*more || list || take_key(s);
}

/* Behind a value: what is over is closed. *more: another one follows. */
static bool close_levels(struct scan *s, bool *more)
{
	for (*more = false; s->depth; s->depth--) {
		skip_blanks(s);
		*more = take(s, ',');
		if (*more)
			return in_list(s) || take_key(s);
		if (!take(s, in_list(s) ? ']' : '}'))
			return false;
	}
	return true;
}

bool json_is_valid(struct slice text)
{
	struct scan s = { .in = text };
	bool more = true;
	while (more) {
		bool list = false, opened = false;
		skip_blanks(&s);
		list = take(&s, '[');
		opened = list || take(&s, '{');
		if (opened && !open_level(&s, list, &more))
			return false;
		if (opened && more)
			continue;
		if (!opened && !take_scalar(&s))
			return false;
		if (!close_levels(&s, &more))
			return false;
	}
	skip_blanks(&s);
	return s.at == text.len;
}

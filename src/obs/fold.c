#include "obs/fold.h"

#define GROUP_BYTES 8 /* the first of a UUID */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_of_word(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Behind the word that begins at `at`. */
static size_t word_end(struct slice s, size_t at, bool *digit, bool *hex)
{
	*digit = false;
	*hex = true;
	for (; at < s.len && is_of_word(s.ptr[at]); at++) {
		*digit |= is_digit(s.ptr[at]);
		*hex &= is_hex(s.ptr[at]);
	}
	return at;
}

/* Behind the groups that follow on the first one. */
static size_t groups_end(struct slice s, size_t at)
{
	bool digit, hex;
	while (at + 1 < s.len && s.ptr[at] == '-' && is_hex(s.ptr[at + 1])) {
		size_t end = word_end(s, at + 1, &digit, &hex);
		if (!hex)
			break;
		at = end;
	}
	return at;
}

/* Behind what begins at `at` and changes; `at`: it does not. */
static size_t changing_end(struct slice s, size_t at)
{
	bool digit, hex;
	size_t end = word_end(s, at, &digit, &hex);
	if (hex && end - at >= GROUP_BYTES && groups_end(s, end) > end)
		return groups_end(s, end);
	return digit ? end : at;
}

bool fold_next(struct slice text, size_t *at, char *out)
{
	if (*at >= text.len)
		return false;
	bool inside = *at > 0 && is_of_word(text.ptr[*at - 1]);
	size_t end = inside ? *at : changing_end(text, *at);
	*out = end > *at ? '0' : text.ptr[*at];
	*at = end > *at ? end : *at + 1;
	return true;
}

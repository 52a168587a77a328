#include "obs/fold.h"

#define GROUP_BYTES 8 /* the first of a UUID */

/* The class of a byte. */
#define OF_WORD 1
#define NO_DIGIT 2
#define NO_HEX 4
#define IS(c, from, to) ((c) >= (from) && (c) <= (to))
#define CLASS(c) \
	(IS(c, '0', '9')                   ? OF_WORD \
		: IS((c) | 0x20, 'a', 'f') ? OF_WORD | NO_DIGIT \
		: IS((c) | 0x20, 'a', 'z') ? OF_WORD | NO_DIGIT | NO_HEX \
					   : 0)
#define FOUR(c) CLASS(c), CLASS((c) + 1), CLASS((c) + 2), CLASS((c) + 3)
#define ROW(c) FOUR(c), FOUR((c) + 4), FOUR((c) + 8), FOUR((c) + 12)

static const uint8_t classes[256] = {
	ROW(0x00), ROW(0x10), ROW(0x20), ROW(0x30), ROW(0x40), ROW(0x50), ROW(0x60),
	ROW(0x70), /* beyond ASCII there are no words */
};

static uint8_t class_of(struct slice s, size_t at)
{
	return classes[(unsigned char)s.ptr[at]];
}

static bool is_hex(struct slice s, size_t at)
{
	return class_of(s, at) && !(class_of(s, at) & NO_HEX);
}

/* Behind the word that begins at `at`. */
static size_t word_end(struct slice s, size_t at, bool *digit, bool *hex)
{
	uint8_t all = NO_DIGIT, any = 0;
	for (; at < s.len && class_of(s, at); at++) {
		all &= class_of(s, at);
		any |= class_of(s, at);
	}
	*digit = !(all & NO_DIGIT);
	*hex = !(any & NO_HEX);
	return at;
}

/* Behind the groups that follow on the first one. */
static size_t groups_end(struct slice s, size_t at)
{
	bool digit, hex;
	while (at + 1 < s.len && s.ptr[at] == '-' && is_hex(s, at + 1)) {
		size_t end = word_end(s, at + 1, &digit, &hex);
		if (!hex)
			break;
		at = end;
	}
	return at;
}

size_t fold(struct slice text, char *out)
{
	size_t len = 0;
	bool digit, hex;
	for (size_t at = 0, end = 0; at < text.len; at = end) {
		end = word_end(text, at, &digit, &hex);
		const size_t word = end - at;
		if (hex && word >= GROUP_BYTES)
			end = groups_end(text, end);
		if (digit || end > at + word) {
			out[len++] = '0';
		} else if (word) {
			memcpy(out + len, text.ptr + at, word);
			len += word;
		} else {
			out[len++] = text.ptr[end++];
		}
	}
	return len;
}

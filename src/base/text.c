#include "base/text.h"

#include <stdarg.h>

#define TEXT_FIRST_BYTES 64
#define DIGITS_MAX 20 /* of UINT64_MAX in decimal */

void text_init(struct text *t)
{
	*t = (struct text){ 0 };
}

void text_fini(struct text *t)
{
	mem_free(t->ptr);
	text_init(t);
}

void text_reset(struct text *t)
{
	t->len = 0;
	if (t->ptr)
		t->ptr[0] = '\0';
}

void text_reserve(struct text *t, size_t more)
{
	CHECK(more < SIZE_MAX / 4 - t->len);
	size_t need = t->len + more + 1; /* and the NUL */
	if (need <= t->cap)
		return;
	size_t cap = t->cap ? t->cap * 2 : TEXT_FIRST_BYTES;
	if (cap < need)
		cap = need;
	t->ptr = mem_realloc(t->ptr, cap);
	t->cap = cap;
}

void text_add_slice(struct text *t, struct slice s)
{
	text_reserve(t, s.len);
	if (s.len)
		memcpy(t->ptr + t->len, s.ptr, s.len);
	t->len += s.len;
	t->ptr[t->len] = '\0';
}

void text_add(struct text *t, const char *str)
{
	text_add_slice(t, slice_of(str));
}

void text_add_char(struct text *t, char c)
{
	text_reserve(t, 1);
	t->ptr[t->len++] = c;
	t->ptr[t->len] = '\0';
}

void text_add_u64(struct text *t, uint64_t n)
{
	char digits[DIGITS_MAX];
	struct wire w;
	wire_init(&w, digits, sizeof(digits));
	wire_put_u64(&w, n);
	text_add_slice(t, (struct slice){ w.ptr, w.len });
}

static void add_formatted(struct text *t, const char *fmt, va_list args)
{
	va_list again;

	va_copy(again, args);
	text_reserve(t, 0);
	size_t room = t->cap - t->len;
	int len = vsnprintf(t->ptr + t->len, room, fmt, args);
	CHECK(len >= 0);
	if ((size_t)len >= room) {
		text_reserve(t, (size_t)len);
		vsnprintf(t->ptr + t->len, (size_t)len + 1, fmt, again);
	}
	va_end(again);
	t->len += (size_t)len;
}

void text_addf(struct text *t, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add_formatted(t, fmt, args);
	va_end(args);
}

char *text_format(const char *fmt, ...)
{
	struct text t;
	va_list args;

	text_init(&t);
	va_start(args, fmt);
	add_formatted(&t, fmt, args);
	va_end(args);
	return text_take(&t);
}

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void text_add_base64(struct text *t, struct slice s)
{
	const unsigned char *at = (const unsigned char *)s.ptr;
	for (size_t i = 0; i < s.len; i += 3) {
		size_t left = s.len - i;
		uint32_t bits = (uint32_t)at[i] << 16;
		bits |= left > 1 ? (uint32_t)at[i + 1] << 8 : 0;
		bits |= left > 2 ? at[i + 2] : 0;
		const char four[] = { base64_digits[bits >> 18],
			base64_digits[bits >> 12 & 63],
			left > 1 ? base64_digits[bits >> 6 & 63] : '=',
			left > 2 ? base64_digits[bits & 63] : '=' };
		text_add_slice(t, (struct slice){ four, sizeof(four) });
	}
}

/* Four digits, of which the last `pad` are '='. */
static bool unbase64_four(struct text *t, const char *four, size_t pad)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < 4; i++) {
		const char *at = i < 4 - pad && four[i] ? strchr(base64_digits, four[i])
							: NULL;
		if (!at && i < 4 - pad)
			return false;
		bits = bits << 6 | (at ? (uint32_t)(at - base64_digits) : 0);
	}
	const char three[] = { (char)(bits >> 16), (char)(bits >> 8), (char)bits };
	text_add_slice(t, (struct slice){ three, 3 - pad });
	return (bits & ((1u << (8 * pad)) - 1)) == 0;
}

bool text_add_unbase64(struct text *t, struct slice s)
{
	const size_t before = t->len;
	size_t pad = 0;

	while (pad < 2 && pad < s.len && s.ptr[s.len - 1 - pad] == '=')
		pad++;
	bool good = s.len % 4 == 0;
	for (size_t i = 0; i < s.len && good; i += 4)
		good = unbase64_four(t, s.ptr + i, i + 4 == s.len ? pad : 0);
	if (!good && t->len > before) {
		t->len = before;
		t->ptr[before] = '\0';
	}
	return good;
}

static size_t line_width(const struct text *t)
{
	size_t width = 0;
	for (size_t i = t->len; i > 0 && t->ptr[i - 1] != '\n'; i--)
		width += ((unsigned char)t->ptr[i - 1] & 0xc0) != 0x80;
	return width;
}

void text_pad(struct text *t, size_t column)
{
	for (size_t width = line_width(t); width < column; width++)
		text_add_char(t, ' ');
}

/* Controls (Cc), separators of lines and paragraphs (Zl, Zp) and format characters (Cf), as of
 * Unicode 15. Of these, what turns a line's direction (Bidi_Control) makes it read as what it is
 * not, and tags say what nobody sees. Left out are those that are seen, numbers' and verses' signs
 * (Prepended_Concatenation_Mark), and the joiners U+200C and U+200D, without which Persian, the
 * scripts of India and many emoji are misspelt. */
static bool is_hidden(uint32_t point)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = { { 0, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad }, { 0x61c, 0x61c },
		{ 0x180e, 0x180e }, { 0x200b, 0x200b }, { 0x200e, 0x200f },
		{ 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0xfeff, 0xfeff },
		{ 0xfff9, 0xfffb }, { 0x13430, 0x1343f }, { 0x1bca0, 0x1bca3 },
		{ 0x1d173, 0x1d17a }, { 0xe0000, 0xe007f } };

	for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
		if (point >= ranges[i].first && point <= ranges[i].last)
			return true;
	return false;
}

size_t text_shown_len(struct slice s)
{
	uint32_t point;
	size_t n = slice_utf8(s, &point);

	return n && !is_hidden(point) ? n : 0;
}

void text_tidy(struct slice s, char *out, size_t cap)
{
	size_t len = 0;

	while (s.len) {
		size_t n = slice_utf8_len(s);
		struct slice one = slice_cut(s, 0, n ? n : 1);
		bool blank = memchr(" \t\r\n", one.ptr[0], 4);

		if (blank)
			one = len && out[len - 1] != ' ' ? SLICE(" ") : SLICE_NONE;
		else if (!text_shown_len(s))
			one = SLICE("?");
		if (len + one.len >= cap)
			break;
		if (one.len)
			memcpy(out + len, one.ptr, one.len);
		len += one.len;
		s = slice_cut(s, n ? n : 1, s.len);
	}
	while (len && out[len - 1] == ' ')
		len--;
	out[len] = '\0';
}

char *text_take(struct text *t)
{
	char *taken = t->ptr ? t->ptr : mem_strdup("");
	text_init(t);
	return taken;
}

struct slice text_slice(const struct text *t)
{
	return (struct slice){ t->ptr, t->len };
}

void wire_put_u64(struct wire *w, uint64_t n)
{
	char digits[DIGITS_MAX];
	size_t at = sizeof(digits);
	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	wire_put(w, digits + at, sizeof(digits) - at);
}

void wire_put_hex(struct wire *w, uint64_t n)
{
	char digits[sizeof(n) * 2];
	size_t at = sizeof(digits);
	do {
		digits[--at] = "0123456789abcdef"[n & 15];
		n >>= 4;
	} while (n);
	wire_put(w, digits + at, sizeof(digits) - at);
}

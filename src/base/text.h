/*
 * text: a growing string for what people read and machines parse, and wire: a fixed buffer
 * with a sticky error for what goes on a socket (ten writes, one check).
 *
 * OWNS    text owns its bytes until text_fini; text_take moves them out (mem_free). wire
 *         borrows its buffer.
 */
#ifndef WEIR_BASE_TEXT_H
#define WEIR_BASE_TEXT_H

#include "base/slice.h"

struct text {
	char *ptr; /* NUL-terminated once anything was added; NULL before */
	size_t len, cap;
};

void text_init(struct text *t);
void text_fini(struct text *t);
void text_reset(struct text *t); /* empty, memory kept */
/* Room for so many more bytes at once, where it is known that they come. */
void text_reserve(struct text *t, size_t more);
void text_add(struct text *t, const char *str);
void text_add_slice(struct text *t, struct slice s);
void text_add_char(struct text *t, char c);
void text_add_u64(struct text *t, uint64_t n);
void text_addf(struct text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
void text_add_base64(struct text *t, struct slice s); /* RFC 4648 4 */
/* The bytes that text_add_base64 wrote so; false, and nothing is added: it wrote no such thing. */
MUST_USE bool text_add_unbase64(struct text *t, struct slice s);
/* Spaces until the current line is `column` wide (bytes after the last newline, UTF-8
 * counted as one). */
void text_pad(struct text *t, size_t column);
/* Length of the character in UTF-8 that it begins with, if a terminal merely shows it; 0: it begins
 * with none, or with one that could steer the terminal (controls, of 7 and of 8 bits), end the line,
 * turn its direction, or hide (most of Unicode's format characters). */
size_t text_shown_len(struct slice s);
/* What a terminal may be given of a stranger's bytes, into `out`: what is not shown (see above) as
 * '?', white space as one blank, none at the ends. What does not fit in `cap`, with its NUL, is
 * cut. */
void text_tidy(struct slice s, char *out, size_t cap);
char *text_take(struct text *t);
char *text_format(const char *fmt, ...)
	PRINTF_LIKE(1, 2); /* the same of text_addf; mem_free */
struct slice text_slice(const struct text *t);

struct wire {
	char *ptr;
	size_t len, cap;
	bool over; /* something did not fit; len is what did */
};

static inline void wire_init(struct wire *w, char *buf, size_t cap)
{
	*w = (struct wire){ .ptr = buf, .cap = cap };
}

static inline void wire_put(struct wire *w, const char *bytes, size_t len)
{
	if (UNLIKELY(len > w->cap - w->len)) {
		w->over = true;
		return;
	}
	memcpy(w->ptr + w->len, bytes, len);
	w->len += len;
}

static inline void wire_put_slice(struct wire *w, struct slice s)
{
	if (s.len)
		wire_put(w, s.ptr, s.len);
}

#define WIRE_LIT(w, lit) wire_put((w), "" lit, sizeof(lit) - 1)
void wire_put_u64(struct wire *w, uint64_t n);
void wire_put_hex(struct wire *w, uint64_t n); /* lower case, no leading zeros */

#endif

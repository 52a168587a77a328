/*
 * h1_span: classes of bytes, and how many bytes of one class stand in a row.
 *
 * WHAT    Private to proto/. Sixteen bytes at a time by the compiler's portable vectors
 *         (SSE2, NEON), the rest byte by byte from one table.
 * RULES   1. Never reads at or past `end`.
 */
#ifndef WEIR_PROTO_H1_SPAN_H
#define WEIR_PROTO_H1_SPAN_H

#include "base/base.h"

enum {
	H1_CLASS_TOKEN = 1,   /* RFC 9110 5.6.2 tchar */
	H1_CLASS_TARGET = 2,  /* visible ASCII but '#': RFC 9112 3.2 knows no fragment */
	H1_CLASS_VALUE = 4,   /* RFC 9110 5.5: VCHAR, obs-text, SP, HTAB */
	H1_CLASS_HOST = 8,    /* RFC 3986 3.2.2 reg-name without '%' and without ',' */
	H1_CLASS_QUOTED = 16, /* RFC 9110 5.6.4 qdtext */
	H1_CLASS_DIGIT = 32,
	H1_CLASS_HEX = 64,
};

extern const uint8_t h1_class[256];

typedef uint8_t h1_v16 __attribute__((vector_size(16)));

static inline bool h1_is(char c, unsigned classes)
{
	return h1_class[(uint8_t)c] & classes;
}

static inline h1_v16 h1_load(const void *p)
{
	h1_v16 v;
	memcpy(&v, p, sizeof v);
	return v;
}

/* Index of the first byte of `mask` that is set; 16 when none is. */
static inline size_t h1_first(h1_v16 mask)
{
	const bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
	uint64_t half[2];
	memcpy(half, &mask, sizeof half);
	for (size_t i = 0; i < 2; i++)
		if (half[i])
			return 8 * i + (size_t)(little ? __builtin_ctzll(half[i])
						       : __builtin_clzll(half[i])) /
					       8;
	return 16;
}

static inline const char *h1_span_class(const char *p, const char *end, unsigned classes)
{
	while (p < end && h1_is(*p, classes))
		p++;
	return p;
}

/* Bytes a field value may hold (RFC 9110 5.5): all but CTL, HTAB excepted. */
static inline const char *h1_span_value(const char *p, const char *end)
{
	while (end - p >= 16) {
		h1_v16 v = h1_load(p);
		size_t n = h1_first((h1_v16)(((v < 0x20) & (v != '\t')) | (v == 0x7f)));
		p += n;
		if (n < 16)
			return p;
	}
	return h1_span_class(p, end, H1_CLASS_VALUE);
}

/* Visible ASCII without '#'. */
static inline const char *h1_span_target(const char *p, const char *end)
{
	while (end - p >= 16) {
		h1_v16 v = h1_load(p);
		size_t n = h1_first((h1_v16)((v - 0x21 > 0x7e - 0x21) | (v == '#')));
		p += n;
		if (n < 16)
			return p;
	}
	return h1_span_class(p, end, H1_CLASS_TARGET);
}

/* tchar (RFC 9110 5.6.2). Nearly all names are letters, digits and '-', which vectors see. */
static inline const char *h1_span_token(const char *p, const char *end)
{
	while (end - p >= 16) {
		h1_v16 v = h1_load(p);
		size_t n = h1_first(
			(h1_v16)(((v | 0x20) - 'a' > 25) & (v - '0' > 9) & (v != '-')));
		p += n;
		if (n < 16)
			break;
	}
	return h1_span_class(p, end, H1_CLASS_TOKEN);
}

static inline bool h1_is_ows(char c)
{
	return c == ' ' || c == '\t';
}

#endif

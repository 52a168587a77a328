/*
 * slice: bytes that belong to somebody else.
 *
 * OWNS   nothing: a slice is valid as long as the buffer it points into.
 * RULES  1. ptr may be NULL only when len is 0. Not NUL-terminated.
 */
#ifndef WEIR_BASE_SLICE_H
#define WEIR_BASE_SLICE_H

#include "base/base.h"

struct slice {
	const char *ptr;
	size_t len;
};

#define SLICE(lit) ((struct slice){ "" lit, sizeof(lit) - 1 })
#define SLICE_NONE ((struct slice){ NULL, 0 })
/* For printf("%.*s", SLICE_ARG(s)). */
#define SLICE_ARG(s) (int)(s).len, (s).ptr

static inline struct slice slice_of(const char *text)
{
	return (struct slice){ text, text ? strlen(text) : 0 };
}

static inline bool slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Of C strings; NULL is like no string but NULL. */
static inline bool str_eq(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* ASCII case folded; never the locale's. */
bool slice_eq_nocase(struct slice a, struct slice b);
bool slice_starts(struct slice s, struct slice prefix);
/* Offset of the first byte `c`, or len when there is none. */
size_t slice_find(struct slice s, char c);
struct slice slice_cut(struct slice s, size_t from, size_t len); /* clamped to s */
/* Space and HTAB removed at both ends (RFC 9110 5.6.3 OWS). */
struct slice slice_trim(struct slice s);
/* The byte that the three at `at` stand for, as %2F does (RFC 3986 2.1); -1: none. */
int slice_percent(struct slice s, size_t at);
/* Next comma-separated item of *rest, trimmed (empty items skipped); false at the end. */
bool slice_next_item(struct slice *rest, struct slice *item);
/* Length of the valid UTF-8 sequence it begins with (RFC 3629: no surrogates, no overlong
 * forms, at most U+10FFFF); 0: none. */
size_t slice_utf8_len(struct slice s);
/* The same, and which character it is; unless it is 0. */
size_t slice_utf8(struct slice s, uint32_t *point);
uint64_t slice_hash(struct slice s); /* FNV-1a, 64 bits */
char *slice_dup(struct slice s);     /* NUL-terminated copy; mem_free */

#endif

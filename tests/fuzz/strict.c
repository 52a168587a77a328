#include "strict.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes before the next CRLF; false when there is none. */
static bool line_length(const char *p, size_t len, size_t *out)
{
	for (size_t i = 0; i + 1 < len; i++) {
		if (p[i] == '\r' && p[i + 1] == '\n') {
			*out = i;
			return true;
		}
	}
	return false;
}

static bool all_token(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)p[i];
		if (c <= ' ' || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c))
			return false;
	}
	return len > 0;
}

static bool all_text(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)p[i];
		if (c == 0x7f || (c < ' ' && c != '\t'))
			return false;
	}
	return true;
}

static bool all_digits(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] < '0' || p[i] > '9')
			return false;
	return len > 0;
}

static bool name_is(const char *p, size_t len, const char *lower)
{
	if (len != strlen(lower))
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = p[i];
		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (c != lower[i])
			return false;
	}
	return true;
}

static bool field_line(const char *p, size_t len, struct strict *s)
{
	const char *colon = memchr(p, ':', len), *blank = colon;
	if (!colon)
		return false;
	/* A response may have a few blanks there, but not behind what frames it. */
	while (s->status && blank > p && (blank[-1] == ' ' || blank[-1] == '\t'))
		blank--;
	const size_t name = (size_t)(blank - p);
	if (colon - blank > 16 || !all_token(p, name))
		return false;
	if (blank < colon && (name_is(p, name, "content-length") ||
				     name_is(p, name, "transfer-encoding")))
		return false;
	const char *v = colon + 1, *end = p + len;
	while (v < end && (*v == ' ' || *v == '\t'))
		v++;
	while (v < end && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	const size_t n = (size_t)(end - v);
	if (!all_text(v, n))
		return false;
	s->fields++;
	if (name_is(p, name, "host")) {
		s->hosts++;
	} else if (name_is(p, name, "content-length")) {
		if (!all_digits(v, n) || n > 19)
			return false;
		char copy[20] = { 0 };
		memcpy(copy, v, n);
		s->length = strtoull(copy, NULL, 10);
		s->lengths++;
	} else if (name_is(p, name, "transfer-encoding")) {
		s->codings++;
		s->chunked = name_is(v, n, "chunked");
	}
	return true;
}

static bool field_lines(const char *p, size_t len, struct strict *s)
{
	size_t line;
	while (line_length(p, len, &line)) {
		s->head_bytes += line + 2;
		if (line == 0)
			return true;
		if (!field_line(p, line, s))
			return false;
		p += line + 2;
		len -= line + 2;
	}
	return false;
}

static bool framing(const struct strict *s)
{
	if (s->lengths > 1 || s->codings > 1 || (s->lengths && s->codings))
		return false;
	return s->codings == 0 || (s->chunked && !s->http10);
}

static bool version(const char *p, size_t len, struct strict *s)
{
	if (len != 8 || memcmp(p, "HTTP/1.", 7) != 0 || p[7] < '0' || p[7] > '9')
		return false;
	s->http10 = p[7] == '0';
	return true;
}

bool strict_request(const char *p, size_t len, struct strict *s)
{
	size_t line;
	memset(s, 0, sizeof *s);
	if (!line_length(p, len, &line))
		return false;
	const char *sp1 = memchr(p, ' ', line);
	if (!sp1)
		return false;
	const size_t method = (size_t)(sp1 - p);
	const char *target = sp1 + 1;
	const char *sp2 = memchr(target, ' ', line - method - 1);
	if (!sp2 || sp2 == target || !all_token(p, method) || method >= sizeof s->method)
		return false;
	for (const char *t = target; t < sp2; t++)
		if (*t <= ' ' || *t >= 0x7f || *t == '#')
			return false;
	if (!version(sp2 + 1, (size_t)(p + line - sp2 - 1), s))
		return false;
	memcpy(s->method, p, method);
	s->head_bytes = line + 2;
	if (!field_lines(p + line + 2, len - line - 2, s) || !framing(s))
		return false;
	return s->hosts == 1 || (s->hosts == 0 && s->http10);
}

bool strict_response(const char *p, size_t len, struct strict *s)
{
	size_t line;
	memset(s, 0, sizeof *s);
	if (!line_length(p, len, &line) || line < 12 || !version(p, 8, s))
		return false;
	if (p[8] != ' ' || !all_digits(p + 9, 3))
		return false;
	if (line > 12 && (p[12] != ' ' || !all_text(p + 13, line - 13)))
		return false;
	s->status = (unsigned)((p[9] - '0') * 100 + (p[10] - '0') * 10 + p[11] - '0');
	s->head_bytes = line + 2;
	return field_lines(p + line + 2, len - line - 2, s);
}

/* size [ ;name[=value] ]... The extension's grammar is left to the parser under test: here
 * only that the line is text and begins with a size. */
static bool size_line(const char *p, size_t len, unsigned long long *size)
{
	size_t digits = 0;
	char copy[17] = { 0 };
	while (digits < len && p[digits] && strchr("0123456789abcdefABCDEF", p[digits]))
		digits++;
	if (digits == 0 || digits > 16 || !all_text(p, len))
		return false;
	if (digits < len && p[digits] != ';')
		return false;
	memcpy(copy, p, digits);
	*size = strtoull(copy, NULL, 16);
	return true;
}

size_t strict_chunked(const char *p, size_t len, char *out, size_t *out_len)
{
	const char *at = p, *end = p + len;
	unsigned long long size;
	size_t line;
	*out_len = 0;
	for (;;) {
		if (!line_length(at, (size_t)(end - at), &line) ||
			!size_line(at, line, &size))
			return 0;
		at += line + 2;
		if (size == 0)
			break;
		const size_t left = (size_t)(end - at);
		if (left < 2 || size > left - 2)
			return 0;
		memcpy(out + *out_len, at, size);
		*out_len += size;
		at += size;
		if (at[0] != '\r' || at[1] != '\n')
			return 0;
		at += 2;
	}
	struct strict trailers = { 0 };
	while (line_length(at, (size_t)(end - at), &line)) {
		const char *trailer = at;
		at += line + 2;
		if (line == 0)
			return (size_t)(at - p);
		const char *colon = memchr(trailer, ':', line);
		if (!colon || !all_token(trailer, (size_t)(colon - trailer)) ||
			!all_text(colon, line - (size_t)(colon - trailer)))
			return 0;
		trailers.fields++;
	}
	return 0;
}

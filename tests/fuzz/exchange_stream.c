#include "exchange_stream.h"

static size_t line_end(struct slice in)
{
	const char *crlf = in.len ? memmem(in.ptr, in.len, "\r\n", 2) : NULL;
	return crlf ? (size_t)(crlf - in.ptr) + 2 : 0;
}

size_t stream_chunked(struct slice in, bool *bad)
{
	size_t at = 0;
	*bad = false;
	for (;;) {
		struct slice rest = slice_cut(in, at, SIZE_MAX);
		size_t line = line_end(rest), digits = 0;
		if (!line)
			return 0;
		while (digits < line &&
			strchr("0123456789abcdefABCDEF", rest.ptr[digits]))
			digits++;
		*bad = digits == 0 || digits > 16 ||
		       (rest.ptr[digits] != '\r' && rest.ptr[digits] != ';');
		if (*bad)
			return 0;
		uint64_t size = strtoull(rest.ptr, NULL, 16);
		at += line;
		if (size == 0)
			break;
		if (size > in.len || in.len - at < size + 2)
			return 0;
		at += size;
		*bad = memcmp(in.ptr + at, "\r\n", 2) != 0;
		if (*bad)
			return 0;
		at += 2;
	}
	for (;;) { /* trailers, then an empty line */
		size_t line = line_end(slice_cut(in, at, SIZE_MAX));
		if (!line)
			return 0;
		at += line;
		if (line == 2)
			return at;
	}
}

/* How long the body is that follows the head; SIZE_MAX: until the end. */
static bool body_bytes(const struct message *m, const char *asked, struct slice rest,
	size_t *bytes, bool *bad)
{
	const struct strict *h = &m->head;
	*bad = false;
	*bytes = 0;
	if (asked && (strcmp(asked, "HEAD") == 0 || h->status < 200 || h->status == 204 ||
			     h->status == 304))
		return true;
	if (h->codings) {
		*bytes = stream_chunked(rest, bad);
		return *bytes > 0;
	}
	if (h->lengths) {
		*bytes = (size_t)h->length;
		return rest.len >= *bytes;
	}
	*bytes = asked ? SIZE_MAX : 0;
	return !asked;
}

bool stream_message(
	struct slice in, const char *asked, struct message *m, enum stream_end *end)
{
	*m = (struct message){ .at = in.ptr };
	*end = STREAM_CLEAN;
	if (in.len == 0)
		return false;
	bool good = asked ? strict_response(in.ptr, in.len, &m->head)
			  : strict_request(in.ptr, in.len, &m->head);
	if (!good) {
		bool whole = memmem(in.ptr, in.len, "\r\n\r\n", 4) != NULL;
		*end = whole ? STREAM_BAD : STREAM_PARTIAL;
		return false;
	}
	struct slice rest = slice_cut(in, m->head.head_bytes, SIZE_MAX);
	size_t bytes;
	bool bad;
	m->whole = body_bytes(m, asked, rest, &bytes, &bad);
	m->body = slice_cut(rest, 0, bytes);
	m->bytes = m->head.head_bytes + m->body.len;
	if (bad)
		*end = STREAM_BAD;
	else if (!m->whole)
		*end = bytes == SIZE_MAX ? STREAM_OPEN : STREAM_PARTIAL;
	return true;
}

/* Bodies as they arrive: which bytes are payload (RFC 9112 6.3, 7.1). */
#include "proto/h1.h"
#include "proto/h1_span.h"

#define SIZE_DIGITS_MAX 16 /* 64 bits; leading zeros count */
#define SIZE_LINE_MAX 256  /* size and extensions, CRLF not counted */
#define TRAILERS_MAX 8192  /* trailer lines with their CRLFs */
/* Lines before chunks may be longer than their chunks account for by so much in all. */
#define EXCESS_MAX 16384
#define LINE_FREE 16 /* bytes of each such line that no payload need account for */

enum {
	S_DATA,    /* `left` bytes of payload */
	S_DATA_CR, /* behind a chunk's data */
	S_DATA_LF,
	S_SIZE,      /* hex digits */
	S_EXT_NAME0, /* first byte of an extension's name */
	S_EXT_NAME,
	S_EXT_VALUE0, /* behind its '=' */
	S_EXT_TOKEN,
	S_EXT_QUOTED,
	S_EXT_ESCAPED, /* behind a backslash */
	S_EXT_END,     /* behind the closing quote */
	S_SIZE_LF,
	S_TRAILER0, /* first byte of a trailer line, or of the last CRLF */
	S_TRAILER_NAME,
	S_TRAILER_VALUE,
	S_TRAILER_LF,
	S_END_LF,
	S_UNTIL_CLOSE,
	S_DONE,
	S_BAD,
};

void h1_decoder_init(struct h1_decoder *d, enum h1_body body, uint64_t content_length)
{
	*d = (struct h1_decoder){ .body = (uint8_t)body, .state = S_DONE };
	switch (body) {
	case H1_BODY_NONE:
		break;
	case H1_BODY_LENGTH:
		d->left = content_length;
		d->state = content_length ? S_DATA : S_DONE;
		break;
	case H1_BODY_CHUNKED:
		d->state = S_SIZE;
		break;
	case H1_BODY_CLOSE:
	case H1_BODY_TUNNEL:
		d->state = S_UNTIL_CLOSE;
		break;
	}
	d->done = d->state == S_DONE;
}

static unsigned hex_value(char c)
{
	return h1_is(c, H1_CLASS_DIGIT) ? (unsigned)(c - '0')
					: (unsigned)((c | 0x20) - 'a' + 10);
}

/* What may follow an extension or the size: another extension, or the end of the line.
 * RFC 9112 7.1.1 lets white space stand here; it is "bad" by name and refused. */
static uint8_t after_element(char c)
{
	return c == ';' ? S_EXT_NAME0 : c == '\r' ? S_SIZE_LF : S_BAD;
}

/* RFC 9112 7.1: chunk-size = 1*HEXDIG, at once followed by extensions or CRLF. */
static uint8_t step_size(struct h1_decoder *d, char c)
{
	if (!h1_is(c, H1_CLASS_HEX))
		return d->digits ? after_element(c) : S_BAD;
	/* As for lengths, 2^63 is more than other software can hold. */
	if (d->digits == SIZE_DIGITS_MAX || d->left >> 59)
		return S_BAD;
	d->digits++;
	d->left = d->left << 4 | hex_value(c);
	return S_SIZE;
}

/* RFC 9112 7.1.1: chunk-ext = *( ";" chunk-ext-name [ "=" ( token / quoted-string ) ] ). */
static uint8_t step_extension(uint8_t state, char c)
{
	const bool token = h1_is(c, H1_CLASS_TOKEN);
	switch (state) {
	case S_EXT_NAME0:
		return token ? S_EXT_NAME : S_BAD;
	case S_EXT_NAME:
		return token ? S_EXT_NAME : c == '=' ? S_EXT_VALUE0 : after_element(c);
	case S_EXT_VALUE0:
		return token ? S_EXT_TOKEN : c == '"' ? S_EXT_QUOTED : S_BAD;
	case S_EXT_TOKEN:
		return token ? S_EXT_TOKEN : after_element(c);
	case S_EXT_QUOTED: /* RFC 9110 5.6.4 */
		if (c == '"')
			return S_EXT_END;
		if (c == '\\')
			return S_EXT_ESCAPED;
		return h1_is(c, H1_CLASS_QUOTED) ? S_EXT_QUOTED : S_BAD;
	case S_EXT_ESCAPED:
		return h1_is(c, H1_CLASS_VALUE) ? S_EXT_QUOTED : S_BAD;
	default: /* S_EXT_END */
		return after_element(c);
	}
}

/*
 * Reading extensions costs more than passing payload on, and they are dropped: a peer that
 * sends little else would have us work for nothing (CVE-2023-39326). Each line may have
 * LINE_FREE bytes, and two for each byte of its chunk; what is above that adds up, and what is
 * below takes off again.
 */
static bool is_proportionate(struct h1_decoder *d)
{
	const uint64_t excess = (uint64_t)d->excess + d->line;
	const uint64_t payload = d->left < EXCESS_MAX ? d->left : EXCESS_MAX;
	const uint64_t paid = LINE_FREE + 2 * payload;
	d->excess = excess > paid ? (uint32_t)(excess - paid) : 0;
	return d->excess <= EXCESS_MAX;
}

/* The line that begins a chunk, or the last chunk. */
static uint8_t step_size_line(struct h1_decoder *d, char c)
{
	if (d->state == S_SIZE_LF) {
		if (c != '\n')
			return S_BAD;
		if (!is_proportionate(d))
			return S_BAD;
		d->line = d->digits = 0;
		return d->left ? S_DATA : S_TRAILER0;
	}
	uint8_t next = d->state == S_SIZE ? step_size(d, c) : step_extension(d->state, c);
	if (next != S_SIZE_LF && ++d->line > SIZE_LINE_MAX)
		return S_BAD;
	return next;
}

/* RFC 9112 7.1.2: trailer-section = *( field-line CRLF ), then CRLF. */
static uint8_t step_trailer(struct h1_decoder *d, char c)
{
	if (d->state == S_END_LF)
		return c == '\n' ? S_DONE : S_BAD;
	if (d->state == S_TRAILER0 && c == '\r')
		return S_END_LF;
	if (++d->trailer_bytes > TRAILERS_MAX)
		return S_BAD;
	switch (d->state) {
	case S_TRAILER0:
		return h1_is(c, H1_CLASS_TOKEN) ? S_TRAILER_NAME : S_BAD;
	case S_TRAILER_NAME:
		if (c == ':')
			return S_TRAILER_VALUE;
		return h1_is(c, H1_CLASS_TOKEN) ? S_TRAILER_NAME : S_BAD;
	case S_TRAILER_VALUE:
		if (c == '\r')
			return S_TRAILER_LF;
		return h1_is(c, H1_CLASS_VALUE) ? S_TRAILER_VALUE : S_BAD;
	default: /* S_TRAILER_LF */
		return c == '\n' ? S_TRAILER0 : S_BAD;
	}
}

static uint8_t step(struct h1_decoder *d, char c)
{
	if (d->state >= S_TRAILER0)
		return step_trailer(d, c);
	if (d->state >= S_SIZE)
		return step_size_line(d, c);
	if (d->state == S_DATA_CR)
		return c == '\r' ? S_DATA_LF : S_BAD;
	return c == '\n' ? S_SIZE : S_BAD; /* S_DATA_LF */
}

static bool is_framing(const struct h1_decoder *d)
{
	return d->state > S_DATA && d->state < S_UNTIL_CLOSE;
}

/* Hands out what is payload of `n` bytes at p; returns how many. */
static size_t take(struct h1_decoder *d, size_t n)
{
	if (d->state == S_UNTIL_CLOSE)
		return n;
	if (d->state != S_DATA)
		return 0;
	if (n > d->left)
		n = (size_t)d->left;
	d->left -= n;
	if (d->left == 0)
		d->state = d->body == H1_BODY_CHUNKED ? S_DATA_CR : S_DONE;
	return n;
}

enum h1_result h1_decode(
	struct h1_decoder *d, struct slice in, size_t *used, struct slice *data)
{
	size_t at = 0;
	while (at < in.len && is_framing(d))
		d->state = step(d, in.ptr[at++]);
	size_t n = take(d, in.len - at);
	*data = n ? (struct slice){ in.ptr + at, n } : SLICE_NONE;
	*used = at + n;
	d->done = d->state == S_DONE;
	if (d->state == S_BAD)
		return H1_BAD;
	return d->done ? H1_DONE : H1_PARTIAL;
}

void h1_decoder_untake(struct h1_decoder *d, size_t bytes)
{
	if (bytes == 0 || d->state == S_UNTIL_CLOSE)
		return;
	CHECK(d->state == S_DATA || d->left == 0);
	d->state = S_DATA;
	d->left += bytes;
	d->done = false;
}

/* RFC 9112 8: a message that ends before its length or its last chunk is incomplete. */
enum h1_result h1_decoder_eof(struct h1_decoder *d)
{
	if (d->state == S_UNTIL_CLOSE)
		d->state = S_DONE;
	d->done = d->state == S_DONE;
	return d->done ? H1_DONE : H1_BAD;
}

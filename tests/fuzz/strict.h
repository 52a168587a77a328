/*
 * strict: a second opinion on HTTP/1.1 framing, for the fuzzers.
 *
 * WHAT    The plainest possible reading of a whole message: lines first, then words. It
 *         shares no line with src/proto and knows no state, so that a fault of one is not
 *         a fault of the other.
 */
#ifndef WEIR_TEST_STRICT_H
#define WEIR_TEST_STRICT_H

#include <stdbool.h>
#include <stddef.h>

struct strict {
	size_t head_bytes; /* with the empty line */
	unsigned fields;
	unsigned hosts, lengths, codings;
	unsigned long long length; /* lengths == 1 */
	bool chunked;              /* codings == 1 */
	bool http10;
	unsigned status;
	char method[80];
};

/* True when the bytes begin with a whole head whose every line is well formed and whose
 * framing is unambiguous. */
bool strict_request(const char *p, size_t len, struct strict *s);
bool strict_response(const char *p, size_t len, struct strict *s);
/* The payload of a whole chunked body; the number of bytes of the body, or 0. `out` holds
 * at least len bytes. */
size_t strict_chunked(const char *p, size_t len, char *out, size_t *out_len);

#endif

/*
 * exchange_stream: what went over one connection, read by the second opinion (strict.h): is it
 * a row of whole messages, perhaps with a part of one more?
 */
#ifndef WEIR_TEST_EXCHANGE_STREAM_H
#define WEIR_TEST_EXCHANGE_STREAM_H

#include "base/text.h"
#include "strict.h"

enum stream_end {
	STREAM_CLEAN,   /* ends with a message's end */
	STREAM_PARTIAL, /* in the middle of one */
	STREAM_OPEN,    /* in an answer without a length */
	STREAM_BAD,     /* no HTTP */
};

struct message {
	struct strict head;
	const char *at;    /* its first byte */
	size_t bytes;      /* of head and body */
	struct slice body; /* as it lies: of a chunked one with its framing */
	bool whole;
};

/*
 * The message that begins at p; false when there is none whose head is whole (*end says what
 * is there). `asked` is the method an answer is to, NULL for requests.
 */
bool stream_message(
	struct slice in, const char *asked, struct message *m, enum stream_end *end);
/* Bytes of a chunked body; 0: not whole yet, or (*bad) malformed. */
size_t stream_chunked(struct slice in, bool *bad);

#endif

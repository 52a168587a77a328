/*
 * full: the words of a server that is full.
 *
 * WHAT    The bytes valyala/fasthttp writes when Server.Concurrency is reached: without
 *         reading anything, the status line in a write of its own, then the rest, then
 *         close (server.go, writeFastError). tests/net/test_fasthttp_parity.py holds them
 *         to the original. And the plain answers of --full 503 and 429.
 */
#ifndef WEIR_ORIGIN_FULL_H
#define WEIR_ORIGIN_FULL_H

#include "base/text.h"
#include "origin/change.h"

#define FULL_FIRST_WRITE "HTTP/1.1 503 Service Unavailable\r\n"
#define FULL_WORDS \
	"The connection cannot be served because Server.Concurrency limit exceeded"

/* The second write. An empty server name gives no Server field (NoDefaultServerHeader). */
void full_put_rest(struct wire *w, struct slice server_name, struct slice date);

struct full_answer {
	uint16_t status;
	struct slice fields, body;
};
/* To a request that was read, in the words of servers that callers know: IIS (503), Envoy's local
 * rate limit (429), or fasthttp's. */
struct full_answer full_answer(enum origin_full how);

#endif

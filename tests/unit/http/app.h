/*
 * app: a server app for the engine's tests. What it does with a request is in the target:
 *
 *   /now           answered inside on_request, body "now"
 *   /echo          answered when the request is whole, with its body
 *   /later?MS      the same, after MS milliseconds
 *   /sip?N         takes the body N bytes at a time, a piece each millisecond, then echoes
 *   /stream?N      N bytes of pattern, chunked, as fast as the client takes them
 *   /fixed?N       the same with a Content-Length
 *   /half?N        says N bytes, sends half, then aborts
 *   /early         answered inside on_body with its first bytes, close not said
 *   /never         not answered
 *   /none          204
 *   /interim       103, then 200
 *   /pad?N         an empty chunked answer with a field of N bytes; aborts if it does not fit
 *
 * It keeps a log of every callback: "req GET /now\n" "body abc\n" "body-end\n" "drain\n"
 * "hangup\n" "end ok\n" "close\n".
 */
#ifndef WEIR_TESTS_HTTP_APP_H
#define WEIR_TESTS_HTTP_APP_H

#include "http/server.h"

struct app {
	struct worker *worker;
	struct server *server;
	struct text log;
	uint32_t open; /* exchanges between on_request and on_end */
	uint64_t requests, ends, closes;
	uint8_t mark; /* of the connection of the last request */
	bool ignore_hangup, refuse;
	bool quiet; /* body callbacks are not logged: their cutting is not the matter */
};

void app_init(struct app *a, struct worker *w, struct server_cfg cfg, const char *at);
void app_fini(struct app *a);
char app_pattern(uint64_t at);

#endif

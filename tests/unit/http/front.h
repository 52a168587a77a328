/*
 * front: a server with the app on it, and raw clients that connect to it.
 */
#ifndef WEIR_TESTS_HTTP_FRONT_H
#define WEIR_TESTS_HTTP_FRONT_H

#include "app.h"
#include "bed.h"

#define DATE "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
#define OK(len, body) "HTTP/1.1 200 OK\r\n" DATE "Content-Length: " len "\r\n\r\n" body
#define OK_CLOSE(len, body) \
	"HTTP/1.1 200 OK\r\n" DATE "Connection: close\r\nContent-Length: " len \
	"\r\n\r\n" body
#define GET(target) "GET " target " HTTP/1.1\r\nHost: h\r\n\r\n"

struct front {
	struct bed bed;
	struct app app;
	struct addr at;
};

/* NULL: a plain network, a plain server. Eight connections are all there is room for. */
void front_init(struct front *f, const struct sim_cfg *sim, const struct server_cfg *cfg);
void front_fini(struct front *f);
void front_connect(struct front *f, struct raw *r);
/* One client says all of it at once; what it got stays in *r. */
void front_ask(struct front *f, struct raw *r, const char *text);
/* All that came. Dates are those of the first second: when things happen is not the matter. */
void assert_in(struct raw *r, const char *expected);

#endif

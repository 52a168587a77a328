/*
 * scene: the whole proxy on the simulated loop: `near` (10.0.0.1) is its host, `far` (10.0.0.2)
 * its clients' and its server's.
 *
 * MODEL   The server answers by the target of each request that is whole:
 *             /ok          200 "ok"
 *             /stall       nothing, until scene_say
 *             /say?TEXT    nothing either; the test says the rest
 *             /big?N       200 and N bytes
 *             /pieces      200, chunked, and its last chunk 20 ms after the first
 *             /trickle?N   200 and N bytes, one each 200 ms
 *         What it received stands in the raws of `server`.
 */
#ifndef WEIR_TESTS_PROXY_SCENE_H
#define WEIR_TESTS_PROXY_SCENE_H

#include "proxy/proxy.h"
#include "tests/sim/raw.h"
#include "tests/unit/base/unit.h"

struct scene {
	struct sim *sim;
	struct io_loop *near, *far;
	struct proxy_options opt;
	struct proxy proxy;
	struct raw_server server;
	struct addr at; /* of the proxy */
};

/* Options as on the command line, "--name=value", NULL at the end. */
void scene_init(struct scene *s, const struct sim_cfg *sim, const char *const *options);
/* The same by a configuration of its own: only what the options say listens, and calls; the
 * server is there all the same. Names: sim_dns_set before the first request. */
void scene_init_whole(struct scene *s, const char *const *options);
/* The same by a file of this text, that listens at 10.0.0.1:8080. */
void scene_init_file(struct scene *s, const char *yaml);
void scene_run(struct scene *s, ns_t for_ns);
/* A client connects and says something. */
void scene_client(struct scene *s, struct raw *r, const char *text);
/* The server says something on its nth connection. */
void scene_say(struct scene *s, uint32_t nth, const char *text);
/* How often the server was sent this text, on all its connections. */
uint32_t scene_count(const struct scene *s, const char *text);
bool scene_got(const struct raw *r, const char *text);
/* Waits until nothing is under way, and ends all. */
void scene_fini(struct scene *s);

#define OPTIONS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define GET(target) "GET " target " HTTP/1.1\r\nHost: h\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

#endif

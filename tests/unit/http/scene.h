/*
 * scene: an upstream under test and a raw server that does as it is told.
 */
#ifndef WEIR_TESTS_HTTP_SCENE_H
#define WEIR_TESTS_HTTP_SCENE_H

#include "bed.h"
#include "caller.h"

/* A request's answer as fasthttp's unasked one, but for the connection. */
#define REFUSAL \
	"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 33\r\n\r\n" \
	"Server.Concurrency limit exceeded"
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

struct scene {
	struct bed bed;
	struct raw_server server;
	struct upstream *up;
	/* the script of the server */
	const char *answer; /* to each request */
	ns_t answer_in;     /* so long after it */
	ns_t close_in;      /* closes so long after its answer; NS_NEVER: does not */
	enum io_close how;
	bool refuses;
	uint64_t requests, open, peak;
	struct rng rng;
	ns_t close_jitter; /* random on top of close_in */
};

/* One endpoint, limit 4, drains 10 s, ghosts 10 s, settles 20 ms. */
struct upstream_cfg scene_upstream(void);
/* NULL: a plain network, scene_upstream(). Eight connections are all there is room for. */
void scene_init(
	struct scene *s, const struct sim_cfg *sim, const struct upstream_cfg *cfg);
void scene_close_raws(struct scene *s);
void scene_fini(struct scene *s);
/* The same, with the one job in it. */
void scene_end(struct scene *s, struct job *j);
uint32_t scene_in(const struct scene *s, enum slot_state state);
uint32_t scene_used(const struct scene *s);
void fill(struct text *t, size_t n); /* n bytes of a pattern */

#endif

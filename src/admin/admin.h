/*
 * admin: the endpoint where a verb shows its gauges as JSON and, if it can, takes changes.
 *
 * MODEL   GET / (or /status) answers with what ops->status writes, GET /summary with the text
 *         of ops->summary, GET /metrics with that of ops->metrics. POST /set?a=b&c=d hands the
 *         decoded pairs to ops->set, all or nothing, then answers as GET does. GET
 *         /explain?id=ID asks ops->explain what became of a request. Anything else
 *         is 404 or 405 with a message that says what there is.
 * OWNS    a worker of its own: where no client can come in any more, its gauges can be asked.
 * CONTEXT the loop's thread; its own sockets do not appear in the verb's gauges.
 */
#ifndef WEIR_ADMIN_ADMIN_H
#define WEIR_ADMIN_ADMIN_H

#include "base/json.h"
#include "http/server.h"

struct admin;

struct admin_pair {
	struct slice name, value; /* percent-decoded */
};

struct admin_ops {
	/*
	 * Gauges that others hold, fetched before `status` shows them: true, status may be
	 * called now; false: admin_fetched follows, when what the others told is not older than
	 * this call. NULL: nothing is to be fetched.
	 */
	bool (*fetch)(void *ctx);
	/* Writes the members of the (already open) top-level object. */
	void (*status)(void *ctx, struct json *j);
	/* The same in short for people, as text. NULL: there is none. */
	void (*summary)(void *ctx, struct text *t);
	/* The same for Prometheus (obs/metrics.h). NULL: there is none. */
	void (*metrics)(void *ctx, struct text *t);
	/*
	 * What became of the request of that id: a number above zero by which admin_explained
	 * tells, never inside this call. It says no number twice. NULL: nothing is explained.
	 */
	uint64_t (*explain)(void *ctx, struct slice id);
	/* NULL: nothing can be set. False: a problem says what was wrong, nothing changed. */
	bool (*set)(
		void *ctx, const struct admin_pair *pairs, uint32_t n, struct problem *p);
};

struct admin *admin_new(struct io_loop *loop, const struct addr *at,
	const struct admin_ops *ops, void *ctx, struct problem *p);
void admin_free(struct admin **a);
/* What ops->fetch began is over; fine when nothing was begun. Never inside ops->fetch. */
void admin_fetched(struct admin *a);
/* What ops->explain was asked: JSON, with 200, or 404 if `status` says so. Whoever asked may
 * have gone. */
void admin_explained(struct admin *a, uint64_t asked, uint16_t status, struct slice json);
/* Where it listens, with the port the kernel chose if 0 was asked. */
const struct addr *admin_addr(const struct admin *a);

#endif

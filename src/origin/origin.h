/*
 * origin: the model on real connections: an HTTP server with slots.
 *
 * MODEL   on_accept asks the model for a slot; on_close gives it back, at the end of the
 *         turn in which the socket was closed: as with fasthttp, a caller can see the FIN
 *         before the slot is free. A call is one exchange: from the request being whole to
 *         on_end.
 * OWNS    the model and the server; the worker is borrowed.
 */
#ifndef WEIR_ORIGIN_ORIGIN_H
#define WEIR_ORIGIN_ORIGIN_H

#include "admin/admin.h"
#include "origin/model.h"

struct origin;

struct origin_cfg {
	uint64_t body_bytes;
	bool close_each;
	uint64_t max_requests; /* 0: no bound */
	ns_t close_after, idle_for;
	struct slice server_name;
	struct tls_server *tls; /* NULL: plain */
	uint64_t room; /* connections the process can hold: no limit is above it */
};

/* The model's cfg is moved in. Its time starts now. */
struct origin *origin_new(
	struct worker *w, const struct origin_cfg *cfg, const struct model_cfg *model);
void origin_free(struct origin **o);
/* Before the loop runs. */
void origin_add_phase(struct origin *o, struct phase *phase);
MUST_USE bool origin_listen(struct origin *o, const struct addr *at, struct problem *p);
const struct addr *origin_addr(const struct origin *o, uint32_t nth);
const struct model *origin_model(const struct origin *o);
/* The limit fits the process: else a problem that says what does. */
MUST_USE bool origin_check_limit(uint64_t limit, uint64_t room, struct problem *p);

extern const struct admin_ops origin_admin_ops; /* ctx: struct origin */

#endif

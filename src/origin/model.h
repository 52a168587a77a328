/*
 * model: the origin's decisions: who gets a slot, whose turn it is, how long that takes.
 *
 * WHAT    Slots, a FIFO of calls for the workers, the latency of each call, phases by
 *         time. No fd, no clock: origin.c brings both.
 * MODEL   A connection takes a slot at accept and holds it to its end; by requests a call takes
 *         one when it has been received whole, until its answer is. A call is one request on a
 *         connection that was not turned away; it is WAITING (for a worker), WORKING (its handler
 *         runs) or ANSWERING (the handler has ended, the answer is being written). Whether
 *         its caller is still there is another matter, and another list.
 * RULES   1. At most `limit` slots are given; a limit that was lowered takes none back.
 *         2. At most `workers` calls are WORKING; a number that was lowered stops none.
 *         3. WAITING calls start in the order in which they arrived.
 *         4. The draw of the n-th call that arrives is the same in every run with the same
 *            seed and latency, whatever happened before it; and so is its fault.
 * OWNS    calls are the caller's, from model_arrive to model_leave.
 * COST    O(1) each.
 */
#ifndef WEIR_ORIGIN_MODEL_H
#define WEIR_ORIGIN_MODEL_H

#include "base/list.h"
#include "origin/change.h"

#define MODEL_PHASES_MAX 16

enum model_stage { STAGE_OUTSIDE, STAGE_WAITING, STAGE_WORKING, STAGE_ANSWERING };
#define MODEL_STAGES 4

struct model_call {
	struct list_node in_stage;
	struct list_node by_caller; /* on `heard` or `abandoned` */
	enum model_stage stage;
	bool is_abandoned;
	bool has_slot; /* of its own: by requests */
	uint64_t nth;  /* from 0 */
	ns_t work_for; /* drawn when the work starts */
};

/* Read freely; written by model.c alone. */
struct model {
	uint64_t limit, workers; /* ORIGIN_NONE */
	enum origin_unit unit;
	enum origin_full full;
	enum origin_hangup hangup;
	struct spoil spoil;
	struct dist *latency;
	uint64_t seed;

	uint64_t used, peak; /* slots */
	struct list stages[MODEL_STAGES];
	struct list heard, abandoned; /* calls by what became of their callers */
	uint64_t accepted, refused, requests, answered, hangups, spoiled;
	uint64_t over; /* instants at which used > limit */

	/* By time; those applied are behind next */
	struct phase phases[MODEL_PHASES_MAX];
	uint32_t phase_count, phase_next;
};

/* The latency is moved in. */
struct model_cfg {
	uint64_t limit, workers, seed;
	enum origin_unit unit;
	enum origin_full full;
	enum origin_hangup hangup;
	struct spoil spoil;
	struct dist *latency;
};

void model_init(struct model *m, const struct model_cfg *cfg);
void model_fini(struct model *m); /* CHECKs that every call has left */
/* Phases of the same instant keep their order. */
void model_add_phase(struct model *m, struct phase *phase);

/* A connection was accepted. True: it is served; false: it is refused, no slot. */
MUST_USE bool model_accept(struct model *m);
/* A connection that was served is gone. */
void model_close(struct model *m);

/* A request is whole. True: its call waits for its turn; ask model_next. False: it is refused, and
 * there is no call. */
MUST_USE bool model_arrive(struct model *m, struct model_call *call);
/* The next call whose work starts now (work_for is drawn), or NULL. Ask until NULL after
 * every arrive, worked, leave and apply. */
MUST_USE struct model_call *model_next(struct model *m);
/* The handler has ended: the worker is free, the answer goes out; or what becomes of it. */
enum spoil_how model_worked(struct model *m, struct model_call *call);
/* All of the answer is on its way: before its caller can ask again, the call's own slot is free. */
void model_answered(struct model *m, struct model_call *call);
/* The call is over, at whatever stage it was. */
void model_leave(struct model *m, struct model_call *call, bool answered);
/* The caller hung up. True: the call has to end now; false: nobody notices. */
MUST_USE bool model_hang_up(struct model *m, struct model_call *call);

static inline uint64_t model_idle(const struct model *m)
{
	return m->unit == UNIT_REQUEST ? 0 : m->used - m->heard.len - m->abandoned.len;
}

/* Changes what is named; the latency is moved out of *change. */
void model_apply(struct model *m, struct change *change);
/* Applies the phases that are due. True: something changed. */
bool model_run_phases(struct model *m, ns_t since_start);
ns_t model_next_phase(const struct model *m); /* since the start; NS_NEVER: no more */

#endif

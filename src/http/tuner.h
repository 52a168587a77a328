/*
 * tuner: one flow/limit for an upstream, over all threads that have a seat in it.
 *
 * RULES   1. Each call that is granted a slot ends once: tuner_ended.
 * OWNS    counted: each seat's upstream holds it, and each parcel on its way (http/seat.c) whose
 *         connection is PROVEN.
 * CONTEXT any thread.
 */
#ifndef WEIR_HTTP_TUNER_H
#define WEIR_HTTP_TUNER_H

#include "base/json.h"
#include "flow/limit.h"

struct tuner;

struct tuner *tuner_new(uint32_t max, ns_t now);
void tuner_ref(struct tuner *t);
void tuner_unref(struct tuner **t);
void tuner_set_max(struct tuner *t, uint32_t max);
/* As limit_need. */
void tuner_need(struct tuner *t, uint32_t need);
/* A call was turned away for want of slots, by whatever thread; and when last, 0: never. Without the
 * lock. */
void tuner_note_short(struct tuner *t, ns_t now);
ns_t tuner_short_at(const struct tuner *t);
/* As in flow/limit.h: limit_next, limit_doubles_in, limit_keeps, limit_falls. */
struct tuner_told {
	ns_t next, doubles_in;
	uint32_t keeps;
	bool falls;
};
uint32_t tuner_look(
	struct tuner *t, ns_t now, uint32_t level, bool waiting, struct tuner_told *told);
/* The same, as the last look of whatever thread left it. */
void tuner_hear(struct tuner *t, ns_t now, struct tuner_told *told);
struct tuner_call {
	uint32_t level; /* at the server, itself included */
	bool waiting;   /* others wait still */
	bool proven;    /* its connection has been answered before (flow/stall.h) */
};
/* Returns the limit in force from now on. */
uint32_t tuner_sent(struct tuner *t, ns_t now, const struct tuner_call *call,
	struct limit_mark *mark);
/* A connection of its own is there: what the server does with it shows whether it takes more. */
void tuner_opened(struct tuner *t, ns_t now, struct limit_mark *mark);
/* A CUT_OFF that is a refusal (flow/cutoff.h) is taken for REFUSED. */
void tuner_ended(
	struct tuner *t, ns_t now, const struct limit_mark *mark, enum limit_end how);
/* As in flow/stall.h; of a server that counts connections. */
void tuner_asked(struct tuner *t, ns_t now, struct limit_mark *mark);
void tuner_heard(struct tuner *t, ns_t now, struct limit_mark *mark);
void tuner_closed(struct tuner *t);
/* When tuner_stalls is to be asked; NS_NEVER. Without the lock. */
ns_t tuner_stalls_due(const struct tuner *t);
/* True: new connections stall, and the limit is what it is by that from now on. */
MUST_USE bool tuner_stalls(struct tuner *t, ns_t now, struct stall_verdict *v);
struct tuner_stalled {
	struct stall_verdict last; /* as whatever thread found it */
	uint32_t count;            /* of verdicts */
	/* Of the last row, and since then */
	uint32_t connections, trials;
	ns_t patience;
};
struct tuner_stalled tuner_stalled(struct tuner *t);
uint32_t tuner_stalled_count(const struct tuner *t); /* without the lock */
bool tuner_is_cut(struct tuner *t, ns_t now);
/* Why the limit is what it is, and for how long. */
struct tuner_view {
	enum limit_state state;
	const char *because;
	ns_t for_ns;
	uint32_t stands; /* the limit, trials aside */
	struct tuner_stalled stalled;
};
struct tuner_view tuner_view(struct tuner *t, ns_t now);
/* {state, because, since_ms, max, wall, knee, shown: [{level, ms, rate}, ...],
 * stalled: null or {connections, ms, trials}} */
void tuner_json(struct json *j, const char *key, struct tuner *t, ns_t now);

#endif

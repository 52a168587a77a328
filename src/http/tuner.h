/*
 * tuner: one flow/limit for an upstream, over all threads that have a seat in it.
 *
 * RULES   1. Each call that is granted a slot ends once: tuner_ended.
 * OWNS    counted: each seat's upstream holds it.
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
/* As in flow/limit.h; *next: limit_next; *doubles_in: limit_doubles_in. */
uint32_t tuner_look(struct tuner *t, ns_t now, uint32_t level, bool waiting, ns_t *next,
	ns_t *doubles_in);
/* The same, as the last look of whatever thread left it. */
ns_t tuner_doubles_in(struct tuner *t);
/* Returns the limit in force from now on. */
uint32_t tuner_sent(
	struct tuner *t, ns_t now, uint32_t level, bool waiting, struct limit_mark *mark);
/* A connection of its own is there: what the server does with it shows whether it takes more. */
void tuner_opened(struct tuner *t, ns_t now, struct limit_mark *mark);
/* A CUT_OFF that is a refusal (flow/cutoff.h) is taken for REFUSED. */
void tuner_ended(
	struct tuner *t, ns_t now, const struct limit_mark *mark, enum limit_end how);
bool tuner_is_cut(struct tuner *t, ns_t now);
/* Why the limit is what it is, and for how long. */
struct tuner_view {
	const char *because;
	ns_t for_ns;
};
struct tuner_view tuner_view(struct tuner *t, ns_t now);
/* {state, because, since_ms, max, wall, knee, shown: [{level, ms, rate}, ...]} */
void tuner_json(struct json *j, const char *key, struct tuner *t, ns_t now);

#endif

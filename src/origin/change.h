/*
 * change: what can be changed of a running origin, as a user names it: limit, latency,
 * workers, full, hangup, fault. The admin endpoint sets one now, a phase sets one by time.
 *
 * RULES   1. A change is parsed whole before it is applied: a wrong value changes nothing.
 * OWNS    the latency is the change's, until model_apply moves it out or change_fini.
 */
#ifndef WEIR_ORIGIN_CHANGE_H
#define WEIR_ORIGIN_CHANGE_H

#include "base/dist.h"
#include "origin/spoil.h"

#define ORIGIN_NONE UINT64_MAX /* no limit; no workers: nobody waits for one */

enum origin_full { FULL_FASTHTTP, FULL_503, FULL_429, FULL_RESET, FULL_STALL };
enum origin_unit { UNIT_CONNECTION, UNIT_REQUEST }; /* what takes a slot; never changed */
enum origin_hangup { HANGUP_NEVER, HANGUP_AT_WRITE, HANGUP_AT_ONCE };

const char *origin_full_word(enum origin_full full);
const char *origin_hangup_word(enum origin_hangup hangup);

struct change {
	bool has_limit, has_workers, has_full, has_hangup, has_spoil;
	uint64_t limit, workers; /* ORIGIN_NONE */
	enum origin_full full;
	enum origin_hangup hangup;
	struct spoil spoil;
	struct dist *latency; /* NULL: as it was */
};

/* One name and its value. The same name twice is an error: one of them would be lost. */
MUST_USE bool change_add(
	struct change *c, struct slice name, struct slice value, struct problem *p);
void change_fini(struct change *c);

struct phase {
	ns_t at; /* since the start */
	struct change change;
};

/* "10s: latency=uniform(3s, 5s) limit=500". On failure nothing is left to free. */
MUST_USE bool phase_parse(struct slice s, struct phase *out, struct problem *p);

#endif

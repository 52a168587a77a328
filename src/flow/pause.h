/*
 * pause: a server has asked to be left alone for a while; and how calls begin again after it.
 * Pure.
 *
 * MODEL   OPEN: nothing is asked. SHUT, until the time the server named: no call goes. PROBE: one
 *         call goes, to see. RAMP: calls go at a pace that doubles each PAUSE_DOUBLES_FOR, so
 *         that those who waited do not come all at once and draw the same answer again; after
 *         PAUSE_RAMP_FOR it has doubled ten times and is no bound any more: OPEN.
 *         The ramp begins where the server was last seen to answer: at the calls it answered
 *         since the pause before this one began, over that time, pause and all. For a server
 *         with a quota that is its rate. A first pause, or one after a long time without, tells
 *         little of a rate: then it begins at PAUSE_PACE.
 * RULES   1. While SHUT nothing goes, however often it is asked.
 *         2. A pause gets longer when the server asks again, never shorter.
 *         3. The probe is waited for PAUSE_PROBE_FOR: a server that has not had enough says so
 *            at once, one that is at work is not asked to be quick.
 * CONTEXT `now` never goes back.
 */
#ifndef WEIR_FLOW_PAUSE_H
#define WEIR_FLOW_PAUSE_H

#include "base/base.h"

#define PAUSE_PROBE_FOR NS_S
#define PAUSE_DOUBLES_FOR NS_S /* the grain of Retry-After: no shorter quota is told of */
#define PAUSE_RAMP_FOR (10 * NS_S)
#define PAUSE_PACE 10.0    /* calls a second */
#define PAUSE_PACE_MIN 1.0 /* the same, however few it answered */
#define PAUSE_AGAIN_FOR \
	(60 * NS_S) /* pauses that begin so near to each other show a rate */

enum pause_state { PAUSE_OPEN, PAUSE_SHUT, PAUSE_PROBE, PAUSE_RAMP };

struct pause {
	enum pause_state state;
	ns_t begun_at; /* of the latest pause; 0: there was none */
	ns_t until;    /* the same */
	ns_t since;    /* PROBE: the probe was sent, 0: not yet; RAMP: its begin */
	double pace;   /* where the ramp begins, calls a second */
	double credit; /* RAMP: calls that may go now */
	ns_t credit_at;
	uint64_t answered; /* as the latest pause began */
	uint64_t times;    /* pauses so far */
};

void pause_init(struct pause *p);
/* The server wants no call before `until` (> now); it has answered so many in all. */
void pause_ask(struct pause *p, ns_t until, uint64_t answered, ns_t now);
/* Whether calls may go now; with `n` they go, together. */
MUST_USE bool pause_take(struct pause *p, uint32_t n, ns_t now);
/* The same for one that has been let go before, and is sent once more. */
MUST_USE bool pause_take_again(struct pause *p, ns_t now);
/* What was taken then did not go after all (n 0: by pause_take_again). Others may have asked and
 * taken since. */
void pause_untake(struct pause *p, uint32_t n, ns_t taken_at);
/* A call that was sent at that time has ended, by whatever but another pause. True: it was the
 * probe, or after it, and calls go from now on. */
bool pause_ended(struct pause *p, ns_t sent_at, ns_t now);
/* The state by now. */
enum pause_state pause_look(struct pause *p, ns_t now);
/* When something can go that cannot now; NS_NEVER: nothing holds it. */
ns_t pause_next(struct pause *p, ns_t now);
/* When one may be expected to go, before which so many others go: `now` or later. */
ns_t pause_start(struct pause *p, uint64_t ahead, ns_t now);
const char *pause_state_label(enum pause_state state); /* "open" ... */

#endif

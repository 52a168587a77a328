/*
 * brake: one flow/pause for an upstream, over all threads that have a seat in it; what it was
 * asked by; and, where the server counts by caller, whose calls it does not want.
 *
 * OWNS    counted: each seat's upstream holds it.
 * CONTEXT any thread.
 * COST    one load while nothing is asked.
 */
#ifndef WEIR_HTTP_BRAKE_H
#define WEIR_HTTP_BRAKE_H

#include <stdatomic.h>

#include "base/joint.h"
#include "base/json.h"
#include "flow/pause_keys.h"
#include "proto/retry_after.h"

/* What a server asks for. */
struct brake_plea {
	enum retry_after_by by; /* NONE: nothing */
	uint16_t status;        /* of the answer that says so */
	ns_t in;                /* as it says */
};

struct brake {              /* its own */
	struct joint joint; /* its lock is over pause, plea and keys */
	_Atomic bool on;
	_Atomic ns_t keyed_until; /* no caller has to wait from then on */
	struct pause pause;
	struct brake_plea plea;
	struct pause_keys keys;
};

struct brake *brake_new(void);
void brake_ref(struct brake *b);
void brake_unref(struct brake **b);

/* As in flow/pause.h; believed for `most` at most. */
void brake_ask(struct brake *b, const struct brake_plea *plea, ns_t most,
	uint64_t answered, ns_t now);
/* False: nothing of all this is to be asked. */
static inline bool brake_is_on(const struct brake *b)
{
	return atomic_load_explicit(&b->on, memory_order_relaxed);
}
MUST_USE bool brake_take(struct brake *b, uint32_t n, ns_t now);
MUST_USE bool brake_take_again(struct brake *b, ns_t now);
void brake_untake(struct brake *b, uint32_t n, ns_t taken_at);
/* True: it was the probe, and calls go from now on. */
bool brake_ended(struct brake *b, ns_t sent_at, ns_t now);
ns_t brake_next(struct brake *b, ns_t now);
ns_t brake_start(struct brake *b, uint64_t ahead, ns_t now);
/* Until when nothing goes; 0: something does. */
ns_t brake_shut_until(struct brake *b, ns_t now);

/* As in flow/pause_keys.h. */
void brake_ask_key(struct brake *b, uint64_t key, ns_t until, ns_t now);
ns_t brake_key_until(struct brake *b, uint64_t key, ns_t now);
ns_t brake_key_turn(struct brake *b, uint64_t key, ns_t deadline, ns_t now);
uint32_t brake_keys(struct brake *b, ns_t now);

/* What it is like now. */
struct brake_view {
	enum pause_state state;
	struct brake_plea plea; /* the latest; by NONE: there was none */
	ns_t begun_at, until;   /* of the latest pause */
	uint64_t times;
};
struct brake_view brake_view(struct brake *b, ns_t now);
/* "429 with Retry-After" */
void brake_plea_text(struct text *t, const struct brake_plea *plea);
/* {state, because, asked_ms, left_ms, times}; null: NULL, or never asked. */
void brake_json(struct json *j, const char *key, struct brake *b, ns_t now);

#endif

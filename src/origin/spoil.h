/*
 * spoil: what becomes of some answers in place of a good one: a server's faults.
 *
 *   none
 *   1%: reset, 2%: stall
 *
 *   reset     RST, and no byte of an answer
 *   close     FIN, and no byte of an answer
 *   cut       the head and half of the body, then, once they have arrived, RST
 *   stall     the head and half of the body, then nothing, until the caller leaves
 *   trickle   all of it, but the body little by little
 *   garbage   a head that is no HTTP
 *
 * MODEL   It happens when the handler's time is over, so at the price of a slot and a worker.
 * RULES   1. What becomes of the n-th call is a pure function of (spoil, seed, n), and its latency
 *            does not depend on it.
 */
#ifndef WEIR_ORIGIN_SPOIL_H
#define WEIR_ORIGIN_SPOIL_H

#include "base/err.h"
#include "base/text.h"

enum spoil_how {
	SPOIL_NOT,
	SPOIL_RESET,
	SPOIL_CLOSE,
	SPOIL_CUT,
	SPOIL_STALL,
	SPOIL_TRICKLE,
	SPOIL_GARBAGE,
};
#define SPOIL_HOWS (SPOIL_GARBAGE + 1)

struct spoil {
	double shares[SPOIL_HOWS]; /* of all calls, each 0..1; [SPOIL_NOT]: unused */
};

MUST_USE bool spoil_parse(struct slice s, struct spoil *out, struct problem *p);
enum spoil_how spoil_draw(const struct spoil *s, uint64_t seed, uint64_t nth);
void text_add_spoil(
	struct text *t, const struct spoil *s); /* in the form it is parsed from */

#endif

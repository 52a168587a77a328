/*
 * gate: whether a call is worth a slot: its chance of being over in time, against that of a
 * call with all its time before it. Pure.
 *
 * MODEL   LATE: others would make better use of the slot; the call's own time has run down, or
 *         will have in the queue. SHUT: nobody is likely to make it; probes go on, so that it
 *         is seen when that ends. For a probe that is over in time two more go, and what was
 *         learned before counts for half: from one probe to all in as many answers as there
 *         are doublings.
 *         A call that has to wait is let in if so many slots are expected to come free before it
 *         would be too late, less a margin of some standard deviations. The margin learns: who is
 *         refused is to be told so when he comes, not after having waited (LATE when it is his
 *         turn), but for one in GATE_TOLD_LATE.
 *         While it is in question how long calls take (flow/chance.h), it is to be in time even if it
 *         takes as long as any did of late.
 *         Nor is it let in if that none comes free at all is likelier than one in as many as
 *         there are slots; the next one of all is let in by this alone. For so much its waiting
 *         is worth: a slot that comes free with nobody there stands idle until the next call
 *         comes, which is at full load that part of the time for which a call holds it.
 * RULES   1. Nothing is refused without evidence.
 *         2. While it is shut one in GATE_SHARE of the slots, or one slot, is for probes; and one
 *            more goes each GATE_PROBE_EVERY, however long those before it take, while a slot is
 *            free: else those that hold the slots are probes enough.
 *         3. Who waits as it shuts, or as his time runs down, is told so then.
 */
#ifndef WEIR_FLOW_GATE_H
#define WEIR_FLOW_GATE_H

#include "flow/chance.h"

#define GATE_FUTILE 0.04 /* a chance below it is none */
#define GATE_WORTH 0.5   /* of the chance of a call with all its time */
/* Until a server that has recovered is seen to, all that come are lost: half of this, on the
 * average. By test_hold.c's simulation of 36 s of which all calls are slow for ten, that is
 * 1.7 % of the good answers with half a second, 0.7 % with a fifth and 0.5 % with this. With a
 * tenth probes of 4 s hold 40 of 50 slots: too few are free as it recovers. */
#define GATE_PROBE_EVERY (150 * NS_MS)
#define GATE_SHARE 50 /* of so many slots one is for probes */

enum gate_verdict { GATE_GO, GATE_PROBE, GATE_LATE, GATE_SHUT };

#define GATE_TOLD_LATE 200
/* Until it has learned. By test_hold.c's model of 18 s in turns, with 1.2 two runs in five at 1.3 times
 * the capacity have more than 1 % of their refusals told late, with this none; it costs 0.08 % of the
 * good answers at the capacity itself. */
#define GATE_MARGIN_FIRST 1.6
#define GATE_MARGIN_MAX 4.0
#define GATE_NEXT_FAILS 0.5 /* at most, of however few slots */

struct gate {
	struct chance *calls; /* how long they take, from being sent */
	struct chance *slots; /* how long they are held: what comes free */
	uint32_t owed;        /* probes that may go now: two for each that was in time */
	uint32_t probes;      /* running */
	ns_t probe_at;        /* the next is due */
	double margin;        /* standard deviations */
};

void gate_init(struct gate *g, struct chance *calls, struct chance *slots); /* borrowed */
/* What is asked for: a call that had `budget` in all and has `left`. */
struct gate_call {
	ns_t budget, left;
	ns_t wait_max;  /* nobody waits for longer */
	uint64_t ahead; /* calls that come before it; with waits */
	/* Of the slots that come free, those it may have: 0 (it must not wait) to 1. */
	double share;
	bool waits; /* there is no slot for it now */
	/* Slots that it may take now, but others come before it; or that are idle on other threads. */
	uint32_t room;
	uint32_t elsewhere; /* slots held where their ages are not known */
	ns_t doubles_in;    /* the limit, as it grows; 0 or NS_NEVER: it stands */
};

/* PROBE is a promise: gate_probe_sent follows, then gate_probe_over. */
enum gate_verdict gate_ask(
	struct gate *g, const struct gate_call *call, uint32_t limit, ns_t now);
/* The same of one that was let in, while it waits and when it is its turn: never PROBE. */
enum gate_verdict gate_ask_again(const struct gate *g, ns_t budget, ns_t left);
/* A call was refused: when it came, or having waited. */
void gate_note_refused(struct gate *g, bool had_waited);
void gate_probe_sent(struct gate *g, ns_t now);
/* In time, or late (also when it was refused or failed). True: doubt what was learned. */
bool gate_probe_over(struct gate *g, bool in_time);

#endif

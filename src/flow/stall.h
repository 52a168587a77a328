/*
 * stall: whether a server lets connections above its limit stall: they are accepted, and never
 * answered. Pure.
 *
 * WHY     Where a connection has a worker for as long as it is open (a thread, a process), one
 *         more than there are workers is established by the kernel, and waits for another to
 *         close, not for its answer. It looks like a slow call, and would for ever.
 * MODEL   A connection is NEW until it is answered, PROVEN from then on. NEW ones are watched from
 *         when their first request is whole, by spans: one begins with the first of them, and is the
 *         shorter the less long ago one was answered, as that is where a wall is. Of each span is
 *         known how many calls were sent on PROVEN connections in it, and between it and the next,
 *         and how many of those were answered.
 *         A row is of spans older than `patience`, with no NEW connection answered in or behind
 *         them but in the place of a PROVEN one that had closed. If it were no matter on which
 *         connection a call goes, those without an answer would be any of the calls of that time:
 *         Fisher's exact test. Below STALL_CHANCE, NEW ones stall: the server takes those that are
 *         PROVEN, and, while some calls on those take as long, the NEW ones from before the row.
 *         From then on one trial tells that the wall still stands: it has waited for longer than
 *         `patience`, while later calls on PROVEN connections were answered.
 * RULES   1. Only what was sent at the same time is compared: a server that is slow, or hangs, as
 *            a whole is so on all connections.
 *         2. Nothing is judged before it has waited twice as long as any call lately took, nor
 *            while nothing is answered.
 *         3. An end without an answer tells nothing.
 *         4. It never takes fewer than are PROVEN. So where this is mistaken (one of several
 *            servers behind an address hangs) the limit only waits for a trial before it grows.
 * OWNS    nothing; a mark is the caller's, one a call.
 * COST    O(1) a call, O(STALL_SPANS) a look; 4 KiB.
 */
#ifndef WEIR_FLOW_STALL_H
#define WEIR_FLOW_STALL_H

#include "flow/longest.h"

#define STALL_SPANS 64
#define STALL_ROW 4 /* NEW ones, at least */
#define STALL_CHANCE 1e-5
/* More than lost packets cost (0.2 s and 0.4 s, as a rule), or the start of a worker. */
#define STALL_MIN NS_S
#define STALL_TIMES 2 /* as long as the longest call */

enum stall_kind {
	STALL_NONE,
	STALL_NEW,
	STALL_BESIDE, /* on a PROVEN connection */
};

struct stall_mark {
	ns_t sent_at;
	uint32_t span; /* 0: none */
	enum stall_kind kind;
	bool near;      /* BESIDE: soon behind its begin */
	bool has_place; /* NEW: more had closed than waited, as it was sent */
	bool trial;     /* NEW */
};

struct stall_beside {
	uint32_t sent, answered;
	uint32_t gone; /* ended late, and unanswered */
};

struct stall_span {
	uint32_t id; /* from 1; 0: none */
	bool tries;  /* a trial, alone */
	ns_t began_at, lasts;
	uint32_t waiting, heard; /* NEW ones */
	struct stall_beside near,
		behind; /* until the next: within span_most, and later */
};

struct stall {
	struct stall_span spans[STALL_SPANS]; /* by id */
	uint32_t newest;                      /* id */
	uint32_t row_from;                    /* id */
	uint32_t proven;                      /* connections */
	uint32_t lost;    /* of them closed, and none has come in their place */
	uint32_t waiting; /* NEW ones */
	struct longest
		longest;  /* call on a PROVEN connection, or on a NEW one with a place */
	ns_t fresh_at;    /* a NEW one was answered, or was the first to wait, last */
	ns_t answered_at; /* a call on a PROVEN connection, last */
	ns_t found_at;    /* the last verdict; 0: none */
	ns_t from;        /* the last row's; 0: none is at work from before it */
	ns_t due;         /* when to judge; NS_NEVER */
};

void stall_init(struct stall *s);
/* Its first request is whole: on a NEW connection. found: what the server takes was found out by
 * this; so it is a trial, unless a PROVEN one has made place. */
void stall_note_asked(struct stall *s, ns_t now, bool found, struct stall_mark *mark);
/* One is sent on a PROVEN connection. */
void stall_note_beside(struct stall *s, ns_t now, struct stall_mark *mark);
/* A NEW connection is PROVEN now; its call's mark. */
void stall_note_heard(struct stall *s, ns_t now, struct stall_mark *mark);
/* A call is over; answered: with an answer that shows work. */
void stall_note_ended(
	struct stall *s, ns_t now, const struct stall_mark *mark, bool answered);
/* A PROVEN connection is closed. */
void stall_note_closed(struct stall *s);
/* How long a call waits before anything is made of it. */
ns_t stall_patience(const struct stall *s);

struct stall_verdict {
	bool trial;      /* a trial that stalls; else a row */
	uint32_t took;   /* connections that the server takes */
	uint32_t waited; /* NEW ones, for as long as `patience` */
	ns_t patience;
	ns_t from, until; /* NEW ones stall that were asked in that time, and wait */
};
/* To be asked at `due`; true: NEW connections stall. */
MUST_USE bool stall_judge(struct stall *s, ns_t now, struct stall_verdict *v);

#endif

/*
 * report: what one look showed, ready to be told as text or as JSON.
 *
 * OWNS    nothing but the warnings' words; all else is borrowed for the call.
 */
#ifndef WEIR_WATCH_REPORT_H
#define WEIR_WATCH_REPORT_H

#include "watch/aged.h"
#include "watch/causes.h"

#define WARNINGS_MAX 24

struct warning {
	const char *id; /* stable, for programs: "cliff" */
	enum warning_level level;
	const struct tally_dest *dest; /* NULL: of no destination */
	char text[480];
};

struct warnings {
	struct warning v[WARNINGS_MAX]; /* worst first */
	uint32_t n, left_out;
};

/* Closes by the deaths of sockets; only while watch stays. */
struct report_closes {
	const struct closes *interval, *since_start;
	const struct places *places; /* since the start */
	ns_t interval_for, since_start_for;
	uint64_t lost;
};

struct report {
	const struct where *where;
	int64_t wall_ms; /* since 1970 */
	const struct snap *snap;
	const struct tally *tally;
	const struct diag_ports *ports;
	const struct diag_counters *counters; /* since the namespace began */
	const struct diag_counters *before;   /* one interval ago; NULL: a first look */
	const struct diag_report *dump;
	const struct aged *aged;            /* NULL: not asked for, or not known */
	const struct owners *owners;        /* NULL: not asked for */
	const struct report_closes *closes; /* NULL: --once */
	const struct heard *heard;   /* NULL: --once, not asked for, or not allowed */
	int deaf;                    /* errno: asked for, and not to be had */
	const struct causes *causes; /* found by study_find */
	uint32_t top;
	struct warnings warnings;
};

enum { REPORT_CLOSE_WAIT_MANY = 100 };

/* Fills r->warnings from the rest. Only what the figures prove. */
void report_warn(struct report *r);

struct report_style {
	bool colour;
	size_t columns;      /* of the terminal; 0: as wide as it gets */
	bool warnings_first; /* where the end may be cut off */
};

void watch_report_text(
	struct text *t, const struct report *r, const struct report_style *style);
/* "error answers that went by": the first `top`, and how many there were beside them. */
void watch_report_heard(struct text *t, const struct heard *h, uint32_t top,
	const struct report_style *style);

/* Those from `low` to `high`; with notes, what is not the cause, too. */
struct report_levels {
	enum warning_level low, high;
};

void watch_report_causes(struct text *t, const struct causes *c,
	const struct report_levels *levels, const struct report_style *style);
/* One object, schema "weir.watch/1": docs/json/watch.md. */
void watch_report_json(struct text *t, const struct report *r, bool pretty);

/* What TIME_WAIT towards the destination will come to, at the rate of the last 10 s. */
uint32_t report_settles_at(const struct tally_dest *d);

#endif

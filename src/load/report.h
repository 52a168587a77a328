/*
 * report: what a run showed, as a page for people and as one JSON document
 * (docs/json/load.md). Pure.
 */
#ifndef WEIR_LOAD_REPORT_H
#define WEIR_LOAD_REPORT_H

#include "load/asked.h"
#include "load/tally.h"

/* The generator's own lateness beyond which a run says nothing about the server. */
#define LOAD_LATENESS_MAX (5 * NS_MS)

struct load_result {
	struct load_asked asked;
	const struct tally *tally; /* finished */
	int64_t started_at_ms; /* Unix time of the start; of several runs the first's */
	uint32_t runs;         /* 1; more: it is merged of so many */
	ns_t begun_within;     /* of several runs: from the first's start to the last's */
	const char *invalid_why; /* what a merged one says of itself; NULL: nothing */
	ns_t ran_for;            /* of --for, how long requests were started */
	ns_t overlap;     /* how long by all of the runs at once: of one run ran_for */
	bool interrupted; /* before all of --for */
	/* connections */
	uint64_t opened, reused, replayed, closed_by_us, closed_by_peer, reset, open;
	uint64_t sent_bytes, received_bytes; /* under TLS: what is inside it */
	uint64_t handshakes, resumed,
		unshaken; /* of an https URL: TLS; those that failed */
};

/* NULL: the run is valid. Else why it is not, for people: its figures tell of the generator. That
 * ports ran out is none of these: it is what a client of such a manner meets. */
const char *report_invalid_why(const struct load_result *r);
void load_report_text(struct text *out, const struct load_result *r);
void load_report_json(struct text *out, const struct load_result *r);

#endif

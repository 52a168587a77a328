/*
 * causes: what the closes of each place prove, in words: the evidence, whose connections they
 * were, and what to change in the program at hand; and what is not the cause.
 *
 * MODEL   One cause is one row of watch/causes.def at one place: enough closes of its kind,
 *         and a part of the place's that matters (watch/finding.h). Where the figures leave two
 *         causes open, the row says both (watch/proofs.h). A cause that is ruled out is told with
 *         the figure that rules it out, or not at all (watch/ruled_out.h).
 * RULES   1. Nothing is told that was not counted. Without death records (--once) there are
 *            no causes, and only what states rule out is ruled out.
 * OWNS    its words.
 */
#ifndef WEIR_WATCH_CAUSES_H
#define WEIR_WATCH_CAUSES_H

#include "watch/heard.h"
#include "watch/level.h"
#include "watch/users.h"

enum cause_id {
#define CAUSE(id, name, level) CAUSE_ID_##id,
#define CURE(id, runtime, text)
#include "watch/causes.def"
#undef CAUSE
#undef CURE
	CAUSE_ID_COUNT
};

enum { CAUSES_MAX = 24, CAUSE_CURES_MAX = 3, RULED_OUT_MAX = 8 };

struct cure {
	enum runtime runtime; /* UNKNOWN: for any */
	const char *text;
};

struct cause {
	enum cause_id id;
	enum warning_level level;
	const struct place *place;
	const struct users_of_place *users; /* NULL: nobody was seen */
	uint32_t
		whose; /* of these, by bit: of which such closes were seen, or, where none
			   are known to be anybody's, any */
	uint64_t count, of;              /* of so many connections, or connects */
	const struct heard_words *words; /* that were said there; NULL: none heard */
	char text[320];
	struct cure cures[CAUSE_CURES_MAX];
	uint32_t n_cures;
};

struct ruled_out {
	const char *id;
	char text[240];
};

struct causes {
	struct cause v[CAUSES_MAX]; /* worst first, then by count */
	uint32_t n, left_out;
	struct ruled_out out[RULED_OUT_MAX];
	uint32_t n_out;
};

struct causes_from {
	const struct places *places; /* NULL: --once */
	const struct users *users;   /* NULL: not asked for */
	const struct heard *heard;   /* NULL: not allowed, or not asked for */
	const struct tally *tally;
	const struct diag_counters *before,
		*now; /* before: as watch began; NULL: --once */
	ns_t since_start_for;
};

const char *cause_name(enum cause_id id); /* "no-keep-alive" */
void causes_find(struct causes *c, const struct causes_from *from);

#endif

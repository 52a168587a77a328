/*
 * finding: one cause on its way into the list: whether so many closes matter, how bad it is, whose
 * connections they were, what the server said, what to change; and the words of its evidence.
 * What a place's figures prove is for watch/proofs.h.
 *
 * RULES   1. A row enters the list with its text or not at all: what finding_begin gave is ended
 *            by finding_end before the next begins.
 *         2. With the list full the least, by level and count, makes way.
 * OWNS    nothing: the list, the figures and the scratch are the caller's. The text that a begin
 *         hands out is the caller's until finding_end frees it; after NULL there is none.
 */
#ifndef WEIR_WATCH_FINDING_H
#define WEIR_WATCH_FINDING_H

#include "watch/causes.h"

enum {
	FINDING_LEAST = 5,         /* closes: fewer may be chance */
	FINDING_LEAST_PERCENT = 5, /* of a place's: less does not make it what it is */
};

struct finding {
	struct causes *into;
	const struct causes_from *from;
	const struct place *p; /* the one that is looked at */
	struct hist *scratch;  /* for ages_clusters */
};

/* Enough to be no chance, and a part of the place's that matters. */
bool finding_matters(uint64_t n, uint64_t of);
/* As bad as watch/causes.def has it; less where it costs few ports. */
enum warning_level finding_level(
	const struct finding *f, enum cause_id id, uint64_t closes);
/* TLS was heard there. */
bool finding_is_tls(const struct finding *f);
/* Several programs were seen there, or several processes of one. */
bool finding_of_several(const struct finding *f);
/* The one program whose connections are closed by this side right after an answer, of all that
 * were seen there; NULL: there are more, or it is not known. */
const struct user *finding_who_closes(const struct finding *f);
/* Among whatever else is told of the place. */
bool finding_has(const struct finding *f, enum cause_id id);

/* "12 of 30 connections that ended were ": the text goes on from here. NULL: it does not
 * matter, or there is no room. */
struct cause *finding_begin(
	struct finding *f, enum cause_id id, uint64_t n, struct text *t);
/* The same, as bad as this. */
struct cause *finding_begin_as(struct finding *f, enum cause_id id,
	enum warning_level level, uint64_t n, struct text *t);
/* The same of connects: "12 connects ". */
struct cause *finding_begin_connects(
	struct finding *f, enum cause_id id, uint64_t n, struct text *t);
/* " after about 500ms and 2s", the times that the ages gather at; nothing if at none. */
void finding_add_times(struct finding *f, struct text *t, const struct ages *ages);
void finding_end(struct cause *c, struct text *t);
/* From begin to end: `text`, with the times of `ages` (NULL: none). */
void finding_tell(struct finding *f, enum cause_id id, uint64_t n, const char *text,
	const struct ages *ages);

#endif

/*
 * words: the ledger of the server's own words: every error answer, verbatim, counted by
 * signature.
 *
 * MODEL   A signature is the status (or error label) and the folded text (obs/fold.h), so that
 *         "request 17 failed" and "request 18 failed" are one entry with one sample. Of texts
 *         that came in a coding (gzip) the status alone, for nobody here reads them.
 *         The exchange in which it was first seen is kept beside it, if whoever adds it
 *         knows one: the sample.
 * RULES   1. Bounded: 64 entries, 1 KiB of text each; past that the least frequent entry that
 *            is oldest makes room, and `dropped` counts what it had counted.
 *         2. No secret gets into a sample: who fills it in masks them (obs/mask.h).
 * OWNS    its entries.
 */
#ifndef WEIR_OBS_WORDS_H
#define WEIR_OBS_WORDS_H

#include "base/err.h"
#include "base/json.h"

#define WORDS_TEXT_BYTES 1024

#define WORDS_FIELDS_BYTES 512

/* Texts, "" where not known; what is too long is cut. */
struct words_sample {
	char method[16]; /* "": there is no sample */
	char target[256];
	char id[64];       /* its X-Request-Id */
	char upstream[64]; /* by name */
	char endpoint[96];
	/* "Name: value\n" each, those that fit whole */
	char request[WORDS_FIELDS_BYTES], response[WORDS_FIELDS_BYTES];
};

struct words_entry {
	uint64_t signature;
	uint16_t status; /* 0: no answer; `kind` says what happened */
	enum err kind;   /* ERR_OK: an answer with this status */
	uint64_t count;
	ns_t first, last;
	uint16_t text_len;
	bool refusal; /* matched flow/refusal's table (told by the caller) */
	bool coded;   /* WORDS_CODED */
	char text[WORDS_TEXT_BYTES];
	struct words_sample sample;
};

/* What is known of a text: bits. */
enum words_mark {
	WORDS_REFUSAL = 1, /* it is one for want of slots */
	WORDS_CODED = 2,   /* it came with a Content-Encoding */
};

struct words;

struct words *words_new(void);
void words_free(struct words **w);
/* An error answer (kind ERR_OK), or a failure with no answer: status 0, and as text what is
 * known beyond the error's own, or nothing. marks: enum words_mark. Where its sample may be
 * filled in (all ""), if that is a new entry; else NULL. */
struct words_sample *words_add(struct words *w, enum err kind, uint16_t status,
	struct slice text, uint32_t marks, ns_t now);
/* Of one kind, what another ledger told of it. */
struct words_many {
	enum err kind;
	uint16_t status;
	struct slice text;
	uint32_t marks; /* enum words_mark */
	uint64_t count;
	ns_t first, last;
};
void words_add_many(struct words *w, const struct words_many *many);
void words_add_dropped(struct words *w, uint64_t n);
/* Adds what another ledger holds, as if it had been added here: counts, first, last. */
void words_merge(struct words *w, const struct words *from);
/* The n-th most frequent; NULL past the end. Borrowed until the next words_add. */
const struct words_entry *words_nth(struct words *w, uint32_t n);
/* How many adds are no longer told by any entry (rule 1). */
uint64_t words_dropped(const struct words *w);
/* Array of {kind, status, count, first_ms, last_ms, text, refusal}; times since `start`. `kind`
 * is "status" for an answer, else the error's label; status and text are null where there is
 * none. With `base64`, the text's bytes, where they are coded or no UTF-8, and `sample` where
 * there is one. */
void words_json(struct json *j, const char *key, struct words *w, ns_t start);

#endif

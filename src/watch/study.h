/*
 * study: what is gathered over the time that watch stays, so that causes can be told: closes by
 * place, the programs seen there, how the connections that are open have been used,
 * and what servers said.
 *
 * COST    a second dump of a namespace's open connections where a place's closes ask for it; and
 *         a look through /proc while closes come from programs that are not known, for a
 *         fifth of the time at first and then a twentieth, and not for ever.
 * OWNS    what it gathers, until study_fini.
 */
#ifndef WEIR_WATCH_STUDY_H
#define WEIR_WATCH_STUDY_H

#include "watch/causes.h"

struct study {
	struct places places;
	struct users users;
	struct tap *tap; /* NULL: not asked for, or not to be had */
	int deaf;        /* errno of the latter; else 0 */
	struct tap_visitor on_piece;
	struct heard heard;
	struct diag_counters begin;
	bool begun;
	ns_t next_sample; /* not before */
	uint32_t tries;   /* since one was of use */
	uint32_t ended;   /* of users, at the last */
	struct snap brief;
	struct owners owners;
};

/* What a look sees with. */
struct study_eyes {
	struct diag *diag;
	const struct where *where;
	const struct tally *tally;
	const struct diag_ports *ports;
};

void study_init(struct study *s);
void study_fini(struct study *s);
/* After a look: `owners` is NULL where programs are not asked for. */
void study_look(struct study *s, const struct study_eyes *eyes,
	const struct owners *owners, const struct owners_of *of);
/* A death that was counted, by this verdict (NULL: of a connect, which failed); `holder` as the
 * last look knew it, or NULL. */
void study_death(struct study *s, const struct place_close *close,
	const struct close_verdict *verdict, const struct owner *holder);
/* To be called in the namespace, when watch is to stay. */
void study_listen(struct study *s);
/* Readable when there is something to hear; -1: never. */
int study_heard_fd(const struct study *s);
void study_hear(struct study *s);
void study_counters(struct study *s, const struct diag_counters *now);
/* When study_sample would do something; NS_NEVER: closes come only from where somebody was
 * seen, or trying is of no use. */
ns_t study_next_sample(struct study *s);
/* Between looks: finds who makes the closes, if nobody is known yet. */
void study_sample(struct study *s, const struct study_eyes *eyes, ns_t now);
void study_find(struct study *s, struct causes *c, const struct tally *tally,
	const struct diag_counters *now, ns_t since_start_for);

#endif

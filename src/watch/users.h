/*
 * users: which programs were seen to hold connections at a place, and which of them one that
 * ended: the record of a death names none.
 *
 * MODEL   Filled at each look, and in between while closes come at places whose programs
 *         are not known yet: a connection may live less than the time between two looks.
 * RULES   1. A program is named only when it was seen with a socket there.
 *         2. Bounded: USERS_MAX places, of which PLACES_MAX are kept for those with closes.
 * OWNS    its entries, until users_fini.
 */
#ifndef WEIR_WATCH_USERS_H
#define WEIR_WATCH_USERS_H

#include "attr/places.h"
#include "watch/owners.h"
#include "watch/runtime.h"

enum { USERS_OF_PLACE_MAX = 4, USERS_MAX = 2 * PLACES_MAX };

/* How many were seen to end, as far as it tells whose a cause is: by this side, or otherwise. Right
 * after an answer, only those that had not been used many times: these have done their work. */
struct user_closes {
	uint32_t here[WHY_COUNT], there[WHY_COUNT];
};

struct user {
	int32_t pid;
	bool more;  /* processes of this name */
	bool ended; /* one that it held there, or accepted there, was seen to end */
	bool reused, reused_many; /* as of a place (attr/places.h) */
	struct user_closes closes;
	char comm[17];
	enum runtime runtime;
};

struct users_of_place {
	enum tally_side_id side;
	struct diag_end at;
	struct user v[USERS_OF_PLACE_MAX]; /* the first that were seen */
	uint32_t n;
	bool more; /* there were others */
};

struct users {
	struct users_of_place *v;
	uint32_t n;
	uint32_t n_seen, n_ended; /* programs, over all places */
	uint32_t n_more;          /* places that had others */
	struct {
		uint32_t places, closes, users, ended, more;
		bool missing;
	} asked; /* what users_are_missing said of so many */
};

void users_init(struct users *u);
void users_fini(struct users *u);
/* Who holds what, by owners_read over the same; and who listens, where connections that were
 * accepted are too short to be seen. */
void users_learn(struct users *u, const struct places *p, const struct owners *owners,
	const struct owners_of *of);
/* NULL: nobody was seen there. */
const struct users_of_place *users_find(
	const struct users *u, enum tally_side_id side, const struct diag_end *at);
/* A connection ended that `holder` had held, judged so; NULL: a connect, which failed. */
void users_ended(struct users *u, const struct places *p, const struct place_close *close,
	const struct close_verdict *verdict, const struct owner *holder);
/* One to `at` that is open, and as it has been used so far. */
void users_saw_used(struct users *u, const struct diag_end *at,
	const struct owner *holder, const struct diag_info *info);
/* Some place has closes, and nobody was seen there whose they are. */
bool users_are_missing(struct users *u, const struct places *p);

#endif

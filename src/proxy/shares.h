/*
 * shares: the limits that the threads of a process have in common, by whose they are.
 *
 * MODEL   A key says whose limit it is (an upstream by its name, unit and URLs). All who take
 *         the same key while somebody has it get the same share, on whatever thread and of
 *         whatever configuration: so a limit holds across threads and across reloads.
 * OWNS    the share is the takers': it goes with the last shares_give.
 * CONTEXT any thread. For what is rare: a lock is taken.
 */
#ifndef WEIR_PROXY_SHARES_H
#define WEIR_PROXY_SHARES_H

#include "http/books.h"
#include "http/brake.h"
#include "http/hangups.h"
#include "http/tuner.h"
#include "http/vitals.h"
#include "flow/share.h"

struct shares;

struct shares *shares_new(uint32_t seats);
void shares_free(struct shares **s); /* CHECKs that all were given back */
MUST_USE struct share *shares_take(struct shares *s, const char *key);
/* The one that finds the share's limit out, made if there is none; borrowed for as long as the
 * share. */
struct tuner *shares_tuner(struct shares *s, const char *key, uint32_t max, ns_t now);
/* The same of the pauses that the server asks for. */
struct brake *shares_brake(struct shares *s, const char *key);
/* Of what is learned of hang-ups, and of the places. */
struct hangups *shares_hangups(struct shares *s, const char *key);
struct vitals *shares_vitals(struct shares *s, const char *key);
/* And of the accounts that its slots are on. */
struct books *shares_books(struct shares *s, const char *key);
void shares_give(
	struct shares *s, const char *key, struct share **share); /* fine with NULL */

#endif

/*
 * shares: what the threads of a process have in common of each API: its limit (flow/share.h),
 * and what they learn of it together (tuner, brake, hangups, vitals, books).
 *
 * MODEL   A key says which API (an upstream by its name, unit and URLs). All who take the same
 *         key while somebody has it get the same, on whatever thread and of whatever
 *         configuration: so a limit holds across threads and across reloads.
 * OWNS    all of it is the takers': it goes with the last shares_give.
 * CONTEXT any thread. For what is rare: a lock is taken.
 */
#ifndef WEIR_PROXY_SHARES_H
#define WEIR_PROXY_SHARES_H

#include "http/upstream.h"

struct shares;

struct shares *shares_new(uint32_t seats);
void shares_free(struct shares **s); /* CHECKs that all were given back */
MUST_USE struct share *shares_take(struct shares *s, const char *key);
/* Of a key that is taken, into the cfg of one of its upstreams: the share, and what is learned in
 * common; borrowed for as long as the share. The tuner and the brake are made when first wanted. */
void shares_fill(struct shares *s, const char *key, struct upstream_cfg *up, ns_t now);
void shares_give(
	struct shares *s, const char *key, struct share **share); /* fine with NULL */

#endif

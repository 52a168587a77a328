/*
 * pair: two threads' upstreams under one share, played on two simulated loops: seat 0's is the
 * bed's near host, seat 1's a host of its own (10.0.0.3).
 */
#ifndef WEIR_TESTS_HTTP_PAIR_H
#define WEIR_TESTS_HTTP_PAIR_H

#include "bed.h"
#include "http/upstream.h"

#define SEATS 2

struct pair {
	struct bed *bed;
	struct worker worker; /* seat 1's */
	struct share *share;
	struct io_mailbox *mail[SEATS];
	struct upstream *up[SEATS]; /* NULL: not there */
};

void pair_init(struct pair *p, struct bed *bed, const struct worker_cfg *worker);
/* Of that seat of the pair. */
struct upstream_cfg pair_cfg(
	const struct pair *p, struct upstream_cfg cfg, uint32_t seat);
void pair_start(struct pair *p, struct upstream_cfg cfg, uint32_t seat);
/* The upstreams too, those that are there. */
void pair_fini(struct pair *p);

#endif

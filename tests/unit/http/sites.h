/*
 * sites: some raw servers of one API on the bed's far host, each doing as it is told.
 */
#ifndef WEIR_TESTS_HTTP_SITES_H
#define WEIR_TESTS_HTTP_SITES_H

#include "bed.h"

#define SITES_MAX 3

struct site {
	struct raw_server server;
	struct sites *all;
	/* its script */
	const char *answer; /* to each request; NULL: none */
	ns_t answer_in;     /* so long after it */
	bool resets;        /* instead of the answer */
	/* what happened */
	bool listens;
	uint64_t requests, open;
	uint32_t running, running_most;
};

struct sites {
	struct io_loop *far;
	struct site site[SITES_MAX];
	uint64_t open, peak; /* connections they have accepted, together */
};

void sites_init(struct sites *all, struct bed *bed);
/* What it was told and what happened are forgotten. */
void site_start(struct sites *all, uint32_t nth, const char *at, const char *answer);
/* With its connections, as a process that ends; nothing if it does not listen. */
void site_stop(struct sites *all, uint32_t nth, enum io_close how);
/* All of them, by FIN. */
void sites_fini(struct sites *all);

#endif

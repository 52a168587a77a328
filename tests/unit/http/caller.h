/*
 * caller: an app on the upstream for the engine's tests. A job is one call and the record of
 * its callbacks: log "ready head:200 data:5 drain flush end:ok".
 */
#ifndef WEIR_TESTS_HTTP_CALLER_H
#define WEIR_TESTS_HTTP_CALLER_H

#include "http/upstream.h"

enum job_event { ON_NOTHING, ON_READY, ON_HEAD, ON_DATA, ON_DRAIN, ON_FLUSH, ON_END };

struct job {
	struct call call;
	struct upstream *up;
	const char *method, *path;
	struct text body; /* of the request; empty: none */
	struct text pad;  /* value of a further field; empty: none */
	bool chunked;
	size_t sent;
	enum job_event abandon_on;  /* it abandons itself there */
	struct job *abandons_other; /* in its on_end */
	size_t sip;                 /* takes so many bytes of an answer at once; 0: all */
	bool stuck;                 /* takes none and never resumes by itself */
	bool retries;         /* asks for another attempt when it fails, or was refused */
	bool hedges;          /* a second request may go beside it */
	bool raw;             /* no HTTP, on a connection of its own */
	bool posts_bodies;    /* its request cannot be put again */
	bool refused;         /* its answer is told to be the server's refusal */
	uint64_t caller;      /* on whose account */
	struct slice upgrade; /* offered; none: empty */
	uint8_t priority;     /* 0 is the highest */
	/* what happened */
	struct text log, in;
	uint32_t ends, readies, heads, interims;
	enum err why; /* ERR_AGAIN: not ended */
	enum retry_verdict verdict;
	uint32_t attempts;
	ns_t queued_at, sent_at; /* its last attempt, as it ended */
	bool abandoned;
};

/* An upstream without endpoints: queues for 20 s, drains 10 s, ghosts 10 s,
 * settles 20 ms. */
struct upstream_cfg caller_upstream(uint32_t limit);

void job_init(struct job *j, struct upstream *u, const char *method, const char *path);
void job_fini(struct job *j);
/* Alone; the result of upstream_submit. */
enum err job_submit(struct job *j, ns_t deadline);
/* n of them together. */
enum err jobs_submit(struct job *jobs, uint32_t n, ns_t deadline);
void job_abandon(struct job *j);

#endif

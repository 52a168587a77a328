/*
 * worker: what one thread's HTTP engine shares: the loop, the buffers and the object slabs.
 *
 * RULES   1. One worker a thread; nothing of it is touched by another thread.
 *         2. Every slab is bounded: running out sheds the request or delays the accept.
 * OWNS    the loop is borrowed; buffers and slabs are the worker's.
 */
#ifndef WEIR_HTTP_WORKER_H
#define WEIR_HTTP_WORKER_H

#include "base/slab.h"
#include "io/loop.h"
#include "proto/h1.h"

#define WORKER_BUF_BYTES 16384 /* one message head must fit */
#define WORKER_BULK_BYTES 131072

struct worker {
	struct io_loop *loop;
	struct slab bufs;   /* WORKER_BUF_BYTES each */
	struct slab bulks;  /* WORKER_BULK_BYTES each; few: who gets none uses bufs */
	struct slab heads;  /* struct h1_head of requests being handled */
	struct slab sconns; /* connections from clients */
	struct slab cconns; /* connections to servers */
	struct slab slots;
	struct list accept_waits;   /* servers that stopped accepting: no sconn is left */
	struct timer accept_again;  /* nobody tells when there is room */
	struct h1_head answer_head; /* scratch: valid inside one on_head callback */
	int64_t date_s;             /* what `date` shows */
	char date[H1_DATE_BYTES];
};

struct worker_cfg {
	uint32_t clients; /* connections from clients at once; 0: 10,000 */
	uint32_t servers; /* connections to servers at once; 0: 10,000 */
	/* Bounds over several threads' workers; NULL: none. Borrowed, for good. */
	struct quota *all_clients, *all_servers;
};

void worker_init(struct worker *w, struct io_loop *loop, const struct worker_cfg *cfg);
/* Other bounds for what is taken from now on; what is out above them stays out. */
void worker_set_bounds(struct worker *w, const struct worker_cfg *cfg);
void worker_fini(struct worker *w); /* CHECKs that every buffer and object is back */
static inline ns_t worker_now(const struct worker *w)
{
	return io_now(w->loop);
}
/* The Date value of this second. */
struct slice worker_date(struct worker *w);

#endif

#include "http/worker.h"

#include "flow/slots.h"
#include "http/internal.h"
#include "http/server_internal.h"

#define WORKER_CONNS 10000
#define WORKER_BULKS 128 /* 16 MiB at most */

void worker_init(struct worker *w, struct io_loop *loop, const struct worker_cfg *cfg)
{
	uint32_t clients = cfg->clients ? cfg->clients : WORKER_CONNS;
	uint32_t servers = cfg->servers ? cfg->servers : WORKER_CONNS;
	memset(w, 0, sizeof(*w));
	w->loop = loop;
	w->date_s = -1;
	/* At worst each side of each connection holds one buffer a direction and a head. */
	slab_init(&w->bufs, WORKER_BUF_BYTES, 3 * clients + 2 * servers);
	slab_init(&w->bulks, WORKER_BULK_BYTES, WORKER_BULKS);
	slab_init(&w->heads, sizeof(struct h1_head), clients);
	slab_init(&w->sconns, sconn_size(), clients);
	slab_init(&w->cconns, cconn_size(), servers);
	w->sconns.quota = cfg->all_clients;
	w->cconns.quota = cfg->all_servers;
	slab_init(&w->slots, sizeof(struct slot), 0);
	list_init(&w->accept_waits);
}

void worker_set_bounds(struct worker *w, const struct worker_cfg *cfg)
{
	CHECK(cfg->clients && cfg->servers);
	w->bufs.max = 3 * cfg->clients + 2 * cfg->servers;
	w->heads.max = w->sconns.max = cfg->clients;
	w->cconns.max = cfg->servers;
	worker_accept_more(w);
}

void worker_fini(struct worker *w)
{
	slab_fini(&w->slots);
	slab_fini(&w->cconns);
	slab_fini(&w->sconns);
	slab_fini(&w->heads);
	slab_fini(&w->bulks);
	slab_fini(&w->bufs);
}

struct slice worker_date(struct worker *w)
{
	int64_t now = io_wall_s(w->loop);
	if (now != w->date_s) {
		h1_date(w->date, now);
		w->date_s = now;
	}
	return (struct slice){ w->date, H1_DATE_BYTES };
}

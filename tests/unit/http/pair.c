#include "pair.h"

void pair_init(struct pair *p, struct bed *bed, const struct worker_cfg *worker)
{
	struct io_loop *loop = sim_host(bed->sim, "10.0.0.3");
	*p = (struct pair){ .bed = bed, .share = share_new(SEATS) };
	worker_init(&p->worker, loop, worker);
	p->mail[0] = io_mailbox_new(bed->near);
	p->mail[1] = io_mailbox_new(loop);
}

struct upstream_cfg pair_cfg(const struct pair *p, struct upstream_cfg cfg, uint32_t seat)
{
	cfg.share = p->share;
	cfg.seat = seat;
	cfg.mail = p->mail[seat];
	return cfg;
}

void pair_start(struct pair *p, struct upstream_cfg cfg, uint32_t seat)
{
	cfg = pair_cfg(p, cfg, seat);
	p->up[seat] = upstream_new(seat ? &p->worker : &p->bed->worker, &cfg);
}

void pair_fini(struct pair *p)
{
	for (uint32_t i = 0; i < SEATS; i++)
		upstream_free(&p->up[i]);
	bed_run(p->bed, NS_S); /* letters */
	for (uint32_t i = 0; i < SEATS; i++)
		io_mailbox_free(&p->mail[i]);
	share_unref(&p->share);
	worker_fini(&p->worker);
}

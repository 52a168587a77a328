#include "sites.h"

static void on_raw_closed(struct raw *r)
{
	struct site *site = r->server->ctx;
	site->open--;
	site->all->open--;
	io_timer_stop(site->all->far, &r->timer);
}

static void on_raw_timer(struct timer *t)
{
	struct raw *r = CONTAINER_OF(t, struct raw, timer);
	struct site *site = r->server->ctx;
	site->running--;
	if (site->resets)
		raw_close(r, IO_CLOSE_RESET);
	else
		raw_say(r, site->answer);
}

static void on_raw_accept(struct raw_server *server, struct raw *r)
{
	struct site *site = server->ctx;
	struct sites *all = site->all;
	r->timer.on_fire = on_raw_timer;
	r->on_closed = on_raw_closed;
	site->open++;
	if (++all->open > all->peak)
		all->peak = all->open;
}

static void begin_answer(struct raw *r)
{
	struct site *site = r->server->ctx;
	struct io_loop *far = site->all->far;
	if (++site->running > site->running_most)
		site->running_most = site->running;
	if (site->answer_in)
		io_timer_set(far, &r->timer, ns_add(io_now(far), site->answer_in));
	else
		on_raw_timer(&r->timer);
}

/* Each empty line ends a request. */
static void on_raw_bytes(struct raw *r)
{
	struct site *site = r->server->ctx;
	const char *end;
	if (r->end != ERR_AGAIN) {
		raw_close(r, IO_CLOSE_FIN);
		return;
	}
	while ((end = memmem(
			r->in.ptr + r->parsed, r->in.len - r->parsed, "\r\n\r\n", 4))) {
		r->parsed = (size_t)(end - r->in.ptr) + 4;
		site->requests++;
		if (site->answer)
			begin_answer(r);
	}
}

void sites_init(struct sites *all, struct bed *bed)
{
	*all = (struct sites){ .far = bed->far };
}

void site_start(struct sites *all, uint32_t nth, const char *at, const char *answer)
{
	struct site *site = &all->site[nth];
	*site = (struct site){ .all = all, .answer = answer, .listens = true };
	site->server.on_accept = on_raw_accept;
	site->server.on_bytes = on_raw_bytes;
	site->server.ctx = site;
	raw_server_listen(&site->server, all->far, at);
}

void site_stop(struct sites *all, uint32_t nth, enum io_close how)
{
	struct site *site = &all->site[nth];
	if (!site->listens)
		return;
	LIST_EACH (&site->server.conns, n, after)
		raw_close(CONTAINER_OF(n, struct raw, node), how);
	raw_server_fini(&site->server);
	site->listens = false;
}

void sites_fini(struct sites *all)
{
	for (uint32_t i = 0; i < SITES_MAX; i++)
		site_stop(all, i, IO_CLOSE_FIN);
}

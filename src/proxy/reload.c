/* Where it listens, and SIGHUP: another configuration while it runs, all or nothing. */
#include "proxy/proxy.h"

static bool same_admin(const struct plan *a, const struct plan *b)
{
	return addr_eq(&a->admin, &b->admin);
}

/* Those places that are new; nothing is on a loop yet. All or none. */
static bool bind_places(const struct proxy *p, const struct plan *plan,
	struct io_bound *bound, struct problem *why)
{
	for (uint32_t i = 0; i < plan->place_count; i++) {
		const struct server_place *place = &plan->places[i];
		bound[i].fd = -1;
		if (server_has_place(p->server, place) ||
			io_bind(&place->at, &bound[i], 1, why) == ERR_OK)
			continue;
		while (i-- > 0)
			io_bound_close(&bound[i]);
		return false;
	}
	return true;
}

static void listen_there(struct proxy *p, const struct plan *plan, struct io_bound *bound)
{
	for (uint32_t i = 0; i < plan->place_count; i++)
		if (bound[i].fd >= 0)
			(void)!server_adopt(p->server, &plan->places[i], &bound[i]);
	server_keep_only(p->server, plan->places, plan->place_count);
}

bool proxy_open(struct proxy *p, const struct plan *plan, struct problem *why)
{
	struct io_bound bound[ARRAY_LEN(plan->places)];
	struct admin *admin = NULL;
	int log = -1;
	bool stays = p->admin && same_admin(p->plan, plan);
	if (!access_open(plan, &log, why))
		return false;
	bool good = stays || !plan->admin.len ||
		    (admin = admin_new(
			     &p->worker, &plan->admin, &proxy_admin_ops, p, why));
	if (!good || !bind_places(p, plan, bound, why)) {
		admin_free(&admin);
		accesslog_drop(log);
		return false;
	}
	listen_there(p, plan, bound);
	access_switch(p, log);
	if (stays)
		return true;
	admin_free(&p->admin);
	p->admin = admin;
	return true;
}

static void add_plural(struct text *t, uint32_t n, const char *what)
{
	text_addf(t, "%u %s%s", n, what, n == 1 ? "" : "s");
}

void text_add_config(struct text *t, const struct config *c)
{
	add_plural(t, c->upstream_count, "upstream");
	text_add(t, ", ");
	add_plural(t, c->route_count, "route");
}

/* Nothing can fail here. Connections of retired upstreams, still open, count on top. */
static void take_over(struct proxy *p, struct plan *plan, uint64_t servers)
{
	struct server_cfg times = { .ops = NULL };
	const struct worker_cfg bounds = { .clients = (uint32_t)plan->opt->clients,
		.servers = (uint32_t)servers + p->worker.cconns.out };
	plan_open(p, plan);
	worker_set_bounds(&p->worker, &bounds);
	p->forwards.max = bounds.clients;
	proxy_fill_server(plan->opt, &times);
	server_set_times(p->server, &times);
	server_set_tls(p->server, plan->tls);
}

static void say(struct text *said)
{
	fprintf(stderr, "%s", said->ptr);
	text_fini(said);
}

/* One thing outside the file, or what the config says. */
static void refuse(struct proxy *p, const struct config *c, const struct problem *why)
{
	struct text said;
	text_init(&said);
	p->reloads_failed++;
	if (why->text[0])
		text_addf(&said, "weir proxy: %s\n", why->text);
	else
		config_show(c, &said);
	text_add(&said, "weir proxy: not reloaded: it goes on with the configuration it "
			"has\n");
	say(&said);
}

/* Its names are found. */
static void finish(struct proxy *p, struct plan *plan)
{
	struct problem why = { "" };
	struct text said;
	uint64_t servers = 0;
	text_init(&said);
	if (!plan_check_names(plan, &said) || !plan_share_files(plan, &servers, &why) ||
		!proxy_open(p, plan, &why)) {
		text_fini(&said);
		refuse(p, plan->config, &why);
		plan_unref(plan);
		return;
	}
	take_over(p, plan, servers);
	p->reloads++;
	text_add(&said, "weir proxy: reloaded: ");
	text_add_config(&said, plan->config);
	text_add_char(&said, '\n');
	say(&said);
}

static void on_found(struct plan *plan)
{
	struct proxy *p = plan->proxy;
	p->next = NULL;
	finish(p, plan);
}

void proxy_reload_cancel(struct proxy *p)
{
	if (p->next)
		plan_unref(p->next);
	p->next = NULL;
}

void proxy_reload(struct proxy *p, const struct proxy_options *given)
{
	struct config *c = config_read(given);
	struct problem why = { "" };
	struct plan *plan = config_is_good(c) ? plan_new(c) : NULL;
	proxy_reload_cancel(p); /* overtaken */
	if (!plan) {
		refuse(p, c, &why);
		config_free(&c);
		return;
	}
	plan->on_found = on_found;
	if (!plan_look_up(plan, p, p->worker.loop, &why)) {
		refuse(p, c, &why);
		plan_unref(plan);
	} else if (plan_is_found(plan)) {
		finish(p, plan);
	} else {
		p->next = plan;
	}
}

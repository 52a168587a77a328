/* Where the crew listens, and SIGHUP: another configuration while it runs, all or nothing. */
#include "proxy/alerts.h"
#include "proxy/crew.h"

/* One reload, while the hands go over to it. */
struct reload {
	struct crew *crew;
	struct text said; /* warnings, then that it is done */
	uint32_t due;     /* hands that have not gone over yet */
};

/* A hand's part of it. */
struct turn_over {
	struct io_letter letter; /* to the hand, and back */
	struct hand *hand;
	struct reload *reload;
	struct plan *plan;
	struct accesslog *log;
	uint32_t servers;
	struct io_bound bound[PLAN_PLACES_MAX];
};

/* What crew_open has opened, before anything is changed. */
struct opening {
	struct io_bound *bound; /* of each place one a hand; fd -1: it is there already */
	struct admin *admin;    /* NULL: none, or the one that is there */
	struct alert *alert;    /* the same */
	int log;
};

/* --- opening --- */

static struct io_bound *bound_of(
	const struct opening *o, const struct crew *c, uint32_t place)
{
	return &o->bound[place * c->count];
}

/* Those places that are new; nothing is on a loop yet. All or none. */
static bool bind_places(
	struct opening *o, struct crew *c, const struct plan *plan, struct problem *why)
{
	for (uint32_t i = 0; i < plan->place_count; i++) {
		const struct server_place *place = &plan->places[i];
		for (uint32_t k = 0; k < c->count; k++)
			bound_of(o, c, i)[k].fd = -1;
		if (server_has_place(crew_main(c)->proxy.server, place) ||
			io_bind(&place->at, bound_of(o, c, i), c->count, why) == ERR_OK)
			continue;
		for (uint32_t k = 0; k < i * c->count; k++)
			io_bound_close(&o->bound[k]);
		return false;
	}
	return true;
}

static bool admin_stays(const struct crew *c, const struct plan *plan)
{
	return c->admin && addr_eq(&c->hands[0].proxy.plan->admin, &plan->admin);
}

static bool open_all(
	struct opening *o, struct crew *c, const struct plan *plan, struct problem *why)
{
	o->admin = NULL;
	if (!access_open(plan, &o->log, why))
		return false;
	if (plan->admin.len && !admin_stays(c, plan)) {
		o->admin = admin_new(
			crew_main(c)->loop, &plan->admin, &crew_admin_ops, c, why);
		if (!o->admin)
			goto no_admin;
	}
	if (!alerts_open(c->alerts, plan->opt, &o->alert, why))
		goto no_alert;
	o->bound = mem_zalloc(
		(size_t)plan->place_count * c->count * sizeof(*o->bound) + 1);
	if (bind_places(o, c, plan, why))
		return true;
	mem_free(o->bound);
	alert_free(&o->alert);
no_alert:
	admin_free(&o->admin);
no_admin:
	accesslog_drop(o->log);
	return false;
}

/* The admin and the log; the listeners are the hands'. */
static void use_opening(struct opening *o, struct crew *c, const struct plan *plan)
{
	if (!admin_stays(c, plan)) {
		admin_free(&c->admin);
		c->admin = o->admin;
	}
	if (!alerts_stay(c->alerts, plan->opt))
		alerts_use(c->alerts, o->alert);
	if (c->log)
		accesslog_switch(c->log, o->log);
	else if (o->log >= 0)
		c->log = accesslog_new(o->log);
}

/* Takes what is bound. */
static void listen_there(struct proxy *p, const struct plan *plan, struct io_bound *bound)
{
	for (uint32_t i = 0; i < plan->place_count; i++)
		if (bound[i].fd >= 0 &&
			server_adopt(p->server, &plan->places[i], &bound[i]) != ERR_OK)
			fprintf(stderr, "weir proxy: a thread of it cannot listen: the "
					"kernel watches no more sockets for it\n");
	server_keep_only(p->server, plan->places, plan->place_count);
}

static void give_bound(const struct opening *o, const struct hand *h,
	const struct plan *plan, struct io_bound *out)
{
	for (uint32_t i = 0; i < plan->place_count; i++)
		out[i] = bound_of(o, h->crew, i)[h->nth];
}

bool crew_open(struct crew *c, const struct plan *plan, struct problem *why)
{
	struct io_bound bound[PLAN_PLACES_MAX];
	struct opening o;
	if (!open_all(&o, c, plan, why))
		return false;
	use_opening(&o, c, plan);
	for (uint32_t i = 0; i < c->count; i++) {
		c->hands[i].proxy.log = c->log;
		give_bound(&o, &c->hands[i], plan, bound);
		listen_there(&c->hands[i].proxy, plan, bound);
	}
	mem_free(o.bound);
	return true;
}

/* --- going over --- */

static void say(struct text *said)
{
	fprintf(stderr, "%s", said->ptr);
	text_fini(said);
}

static void note_over(struct reload *r)
{
	if (--r->due > 0)
		return;
	r->crew->reloads++;
	say(&r->said);
	mem_free(r);
}

/* Nothing can fail here. Connections of retired upstreams, still open, count on top. */
static void go_over(struct proxy *p, struct plan *plan, uint32_t servers)
{
	struct server_cfg times = { .ops = NULL };
	const struct worker_cfg bounds = { .clients = (uint32_t)plan->opt->clients,
		.servers = servers + p->worker.cconns.out };
	plan_open(p, plan);
	worker_set_bounds(&p->worker, &bounds);
	p->forwards.max = bounds.clients;
	proxy_fill_server(plan->opt, &times);
	server_set_times(p->server, &times);
	server_set_tls(p->server, plan->tls);
}

static void on_read_over(struct io_letter *l)
{
	struct turn_over *t = CONTAINER_OF(l, struct turn_over, letter);
	note_over(t->reload);
	mem_free(t);
}

static void on_read_turn(struct io_letter *l)
{
	struct turn_over *t = CONTAINER_OF(l, struct turn_over, letter);
	struct proxy *p = &t->hand->proxy;
	go_over(p, t->plan, t->servers);
	p->log = t->log;
	listen_there(p, t->plan, t->bound);
	l->on_read = on_read_over;
	io_mail(crew_main(t->hand->crew)->mail, l);
}

static void mail_turn(struct hand *h, struct reload *r, const struct opening *o,
	const struct plan *plan, uint32_t servers)
{
	struct turn_over *t = mem_zalloc(sizeof(*t));
	t->letter.on_read = on_read_turn;
	t->hand = h;
	t->reload = r;
	t->plan = plan_copy(plan);
	t->log = h->crew->log;
	t->servers = servers;
	give_bound(o, h, plan, t->bound);
	io_mail(h->mail, &t->letter);
}

/* Hand 0 first: the others' copies are of an open plan. */
static void all_go_over(
	struct reload *r, struct opening *o, struct plan *plan, uint32_t servers)
{
	struct crew *c = r->crew;
	struct proxy *p = &crew_main(c)->proxy;
	struct io_bound bound[PLAN_PLACES_MAX];
	use_opening(o, c, plan);
	quota_set_max(&c->clients, (uint32_t)plan->opt->clients);
	quota_set_max(&c->servers, servers + quota_used(&c->servers));
	go_over(p, plan, servers);
	p->log = c->log;
	give_bound(o, crew_main(c), plan, bound);
	listen_there(p, plan, bound);
	r->due = c->count;
	for (uint32_t i = 1; i < c->count; i++)
		mail_turn(&c->hands[i], r, o, plan, servers);
	mem_free(o->bound);
	note_over(r);
}

/* --- a reload --- */

static void add_plural(struct text *t, uint32_t n, const char *what)
{
	text_addf(t, "%u %s%s", n, what, n == 1 ? "" : "s");
}

void text_add_config(struct text *t, const struct config *c)
{
	bool forward = c->at.opt.forward_listen.n > 0;
	if (config_is_forward_only(c)) {
		text_add(t, "forward proxy");
		return;
	}
	add_plural(t, c->upstream_count, "upstream");
	text_add(t, ", ");
	add_plural(t, c->route_count, "route");
	if (forward)
		text_add(t, ", forward proxy");
}

/* One thing outside the file, or what the config says. */
static void refuse(struct crew *c, const struct config *config, const struct problem *why)
{
	struct text said;
	text_init(&said);
	c->reloads_failed++;
	if (why->text[0])
		text_addf(&said, "weir proxy: %s\n", why->text);
	else
		config_show(config, &said);
	text_add(&said, "weir proxy: not reloaded: it goes on with the configuration it "
			"has\n");
	say(&said);
}

static bool opens(struct opening *o, struct crew *c, struct plan *plan, uint64_t *servers,
	struct problem *why)
{
	return plan_share_files(plan, servers, why) && open_all(o, c, plan, why);
}

/* Its names are found. */
static void finish(struct crew *c, struct plan *plan)
{
	struct reload *r = mem_zalloc(sizeof(*r));
	struct problem why = { "" };
	struct opening o;
	uint64_t servers = 0;
	r->crew = c;
	text_init(&r->said);
	if (!plan_check_names(plan, &r->said) || !opens(&o, c, plan, &servers, &why)) {
		text_fini(&r->said);
		mem_free(r);
		refuse(c, plan->config, &why);
		plan_unref(plan);
		return;
	}
	text_add(&r->said, "weir proxy: reloaded: ");
	text_add_config(&r->said, plan->config);
	text_add_char(&r->said, '\n');
	all_go_over(r, &o, plan, (uint32_t)servers);
}

static void on_found(struct plan *plan)
{
	struct crew *c = CONTAINER_OF(plan->proxy, struct hand, proxy)->crew;
	c->next = NULL;
	finish(c, plan);
}

void crew_forget_reload(struct crew *c)
{
	if (c->next)
		plan_unref(c->next);
	c->next = NULL;
}

/* Threads neither come nor go. `auto` may mean another number by now. */
static bool keeps_threads(const struct crew *c, struct config *config)
{
	const char *now = c->hands[0].proxy.opt->threads;
	const char *next = config->at.opt.threads;
	if (strcmp(now, next) == 0 || config_threads(&config->at.opt) == c->count)
		return true;
	config_complain(config, (struct config_option){ &config->at, "threads", 0 },
		" %s: they are %u while it runs; start it anew for another number", next,
		c->count);
	return false;
}

void crew_reload(struct crew *c)
{
	struct config *config = config_read(c->given);
	struct proxy *p = &crew_main(c)->proxy;
	struct problem why = { "" };
	bool good = config_is_good(config) && keeps_threads(c, config);
	struct plan *plan = good ? plan_new(config) : NULL;
	crew_forget_reload(c); /* overtaken */
	if (!plan) {
		refuse(c, config, &why);
		config_unref(&config);
		return;
	}
	plan->threads = c->count;
	plan->on_found = on_found;
	if (!plan_look_up(plan, p, p->worker.loop, &why)) {
		refuse(c, config, &why);
		plan_unref(plan);
	} else if (plan_is_found(plan)) {
		finish(c, plan);
	} else {
		c->next = plan;
	}
}

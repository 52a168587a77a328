#include "proxy/crew.h"
#include "proxy/source.h"

#include "io/thread.h"
#include "proxy/alerts.h"
#include "proxy/shares.h"

#define STAY_FOR (3600 * NS_S)

/* --- where names lead: hand 0 looks them up, the others are told --- */

struct endpoints {
	struct io_letter letter;
	struct hand *to;
	struct share *share; /* whose they are */
	struct upstream_endpoint list[UPSTREAM_ENDPOINTS_MAX];
	char *texts[UPSTREAM_ENDPOINTS_MAX];
	uint32_t n;
};

static struct target *target_of(struct proxy *p, const struct share *share)
{
	const struct list *const lists[] = { &p->targets, &p->retired };
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		LIST_EACH (lists[i], n, after) {
			struct target *t = CONTAINER_OF(n, struct target, node);
			if (t->share == share)
				return t;
		}
	return NULL;
}

static void on_read_endpoints(struct io_letter *l)
{
	struct endpoints *e = CONTAINER_OF(l, struct endpoints, letter);
	struct target *t = target_of(&e->to->proxy, e->share);
	if (t)
		upstream_set_endpoints(t->up, e->list, e->n);
	for (uint32_t i = 0; i < e->n; i++)
		mem_free(e->texts[i]);
	share_unref(&e->share);
	mem_free(e);
}

static void mail_endpoints(struct hand *to, const struct target *t)
{
	struct endpoints *e = mem_zalloc(sizeof(*e));
	e->letter.on_read = on_read_endpoints;
	e->to = to;
	e->share = t->share;
	share_ref(e->share);
	e->n = names_endpoints(t->names, e->list);
	for (uint32_t i = 0; i < e->n; i++) {
		e->texts[i] = slice_dup(e->list[i].name);
		e->list[i].name.ptr = e->texts[i];
	}
	io_mail(to->mail, &e->letter);
}

static void on_endpoints(struct target *t)
{
	struct crew *c = CONTAINER_OF(t->proxy, struct hand, proxy)->crew;
	for (uint32_t i = 1; t->share && i < c->count; i++)
		mail_endpoints(&c->hands[i], t);
}

/* --- the end: each hand drains, then all stop --- */

static void note_drained(struct crew *c)
{
	if (++c->drained == c->count)
		crew_stop(c);
}

static void on_read_drained(struct io_letter *l)
{
	note_drained(CONTAINER_OF(l, struct hand, drained)->crew);
}

/* Once: the letter is one. */
static void tell_drained(struct hand *h)
{
	if (h->is_drained)
		return;
	h->is_drained = true;
	if (h->nth == 0)
		note_drained(h->crew);
	else
		io_mail(crew_main(h->crew)->mail, &h->drained);
}

static void on_drained(struct proxy *p)
{
	tell_drained(CONTAINER_OF(p, struct hand, proxy));
}

static void drain(struct hand *h)
{
	server_drain(h->proxy.server);
	if (server_is_drained(h->proxy.server))
		tell_drained(h);
}

static void on_read_drain(struct io_letter *l)
{
	drain(CONTAINER_OF(l, struct hand, drain));
}

static void on_read_stop(struct io_letter *l)
{
	io_loop_stop(CONTAINER_OF(l, struct hand, stop)->loop);
}

void crew_drain(struct crew *c)
{
	crew_forget_reload(c);
	for (uint32_t i = 1; i < c->count; i++)
		io_mail(c->hands[i].mail, &c->hands[i].drain);
	drain(crew_main(c));
}

void crew_stop(struct crew *c)
{
	io_loop_stop(crew_main(c)->loop);
}

/* --- life --- */

static void on_stay(struct timer *t)
{
	struct hand *h = CONTAINER_OF(t, struct hand, stay);
	io_timer_set(h->loop, t, ns_add(io_now(h->loop), STAY_FOR));
}

static void hand_init(struct hand *h, struct crew *c, uint32_t nth)
{
	h->crew = c;
	h->nth = nth;
	/* Several threads leave less work to each: they would be woken for every event. */
	h->loop = io_loop_new(
		&(struct io_loop_cfg){ .gathers = c->count > 1, .all_ports = true });
	h->mail = io_mailbox_new(h->loop);
	h->stay.on_fire = on_stay;
	h->drain.on_read = on_read_drain;
	h->drained.on_read = on_read_drained;
	h->stop.on_read = on_read_stop;
	/* Until it is equipped names are looked up with it: */
	h->proxy.worker.loop = h->loop;
}

struct crew *crew_new(const struct proxy_options *given, uint32_t threads)
{
	struct crew *c = mem_zalloc(sizeof(*c));
	c->given = given;
	c->count = threads;
	c->hands = mem_zalloc(threads * sizeof(*c->hands));
	c->shares = threads > 1 ? shares_new(threads) : NULL;
	for (uint32_t i = 0; i < threads; i++)
		hand_init(&c->hands[i], c, i);
	c->ports = ports_of_host();
	c->alerts = alerts_new(c);
	return c;
}

static void hand_equip(struct hand *h, struct plan *plan, uint32_t servers)
{
	struct crew *c = h->crew;
	h->proxy.seat = (struct proxy_seat){
		.nth = h->nth, .mail = h->mail, .ports = c->ports
	};
	if (c->shares) {
		h->proxy.seat.shares = c->shares;
		h->proxy.seat.clients = &c->clients;
		h->proxy.seat.servers = &c->servers;
		h->proxy.seat.on_endpoints = on_endpoints;
	}
	proxy_start(&h->proxy, h->loop, plan, servers);
	h->proxy.on_drained = on_drained;
	on_stay(&h->stay);
}

void crew_equip(struct crew *c, struct plan *plan, uint32_t servers)
{
	quota_init(&c->clients, (uint32_t)plan->opt->clients);
	quota_init(&c->servers, servers);
	hand_equip(crew_main(c), plan, servers);
	for (uint32_t i = 1; i < c->count; i++)
		hand_equip(&c->hands[i], plan_copy(plan), servers);
}

static void *run_hand(void *arg)
{
	struct hand *h = arg;
	io_loop_run(h->loop);
	return NULL;
}

void crew_run(struct crew *c)
{
	for (uint32_t i = 1; i < c->count; i++)
		c->hands[i].thread = io_thread_start(run_hand, &c->hands[i]);
	io_loop_run(crew_main(c)->loop);
	for (uint32_t i = 1; i < c->count; i++)
		io_mail(c->hands[i].mail, &c->hands[i].stop);
	for (uint32_t i = 1; i < c->count; i++)
		CHECK(pthread_join(c->hands[i].thread, NULL) == 0);
}

static void hand_unequip(struct hand *h)
{
	if (!h->proxy.server)
		return;
	h->proxy.on_drained = NULL;
	io_timer_stop(h->loop, &h->stay);
	proxy_unmake(&h->proxy);
}

/* Letters that nobody has read are read as their mailbox goes: first those of the others, who
 * may have written to hand 0 in their last turn. */
void crew_free(struct crew **handle)
{
	struct crew *c = *handle;
	if (!c)
		return;
	*handle = NULL;
	crew_forget_reload(c);
	c->ask_again = false;
	admin_free(&c->admin);
	alerts_stop(c->alerts);
	for (uint32_t i = 0; i < c->count; i++)
		hand_unequip(&c->hands[i]);
	for (uint32_t i = c->count; i-- > 0;)
		io_mailbox_free(&c->hands[i].mail);
	alerts_free(&c->alerts);
	for (uint32_t i = 0; i < c->count; i++) {
		report_free(&c->hands[i].report);
		io_loop_free(&c->hands[i].loop);
	}
	shares_free(&c->shares);
	ports_free(&c->ports);
	accesslog_free(&c->log);
	mem_free(c->hands);
	mem_free(c);
}

#include "proxy/alerts.h"

#include "base/units.h"
#include "flow/share.h"
#include "flow/surge.h"
#include "proxy/round.h"

#define SHOWN_BYTES 240 /* of the server's words */

/* One signature, as far as it has been told of. */
struct known {
	uint64_t signature;
	uint64_t count; /* of the ledger, when it was looked at last */
	ns_t seen_at;
	struct surge surge;
};

struct alerts {
	struct crew *crew;
	struct alert *alert; /* NULL: none are sent */
	struct timer timer;
	struct round round;
	struct words *words; /* of the round under way; NULL: there is none */
	uint32_t len;
	struct known known[ALERTS_KNOWN];
};

static struct io_loop *loop_of(const struct alerts *a)
{
	return crew_main(a->crew)->loop;
}

/* --- what is known --- */

static struct known *find(struct alerts *a, uint64_t signature)
{
	for (uint32_t i = 0; i < a->len; i++)
		if (a->known[i].signature == signature)
			return &a->known[i];
	return NULL;
}

static struct known *learn(struct alerts *a, const struct words_entry *e, ns_t now)
{
	struct known *k = &a->known[0];
	if (a->len < ALERTS_KNOWN)
		k = &a->known[a->len++];
	else
		for (uint32_t i = 1; i < a->len; i++)
			if (a->known[i].seen_at < k->seen_at)
				k = &a->known[i];
	*k = (struct known){ .signature = e->signature };
	surge_init(&k->surge, now);
	return k;
}

/* --- the message --- */

/* What the plan in force calls so; a host is in none. */
static const struct target *target_named(const struct proxy *p, const char *name)
{
	for (uint32_t i = 0; i < p->plan->upstream_count; i++)
		if (strcmp(p->plan->upstreams[i].name, name) == 0)
			return p->plan->upstreams[i].target;
	LIST_EACH (&p->targets, n, after) {
		const struct target *t = CONTAINER_OF(n, struct target, node);
		if (strcmp(t->name, name) == 0)
			return t;
	}
	return NULL;
}

static void add_limit(struct text *t, const struct alerts *a, const char *upstream)
{
	const struct target *target = target_named(&crew_main(a->crew)->proxy, upstream);
	if (!target)
		return;
	const struct slots *s = upstream_slots(target->up);
	uint32_t limit = slots_limit(s);
	uint32_t used = target->share ? share_used(target->share) : slots_used(s);
	if (limit == SLOTS_NO_LIMIT)
		text_addf(t, "Limit: none; %u in use.", used);
	else
		text_addf(t, "Limit: %u%s; %u in use.", limit,
			upstream_tuner(target->up) ? " (found out by use)" : "", used);
}

static void add_words(struct text *t, const struct words_entry *e)
{
	struct slice all = { e->text, e->text_len };
	struct slice shown = slice_cut(all, 0, SHOWN_BYTES);
	if (e->kind == ERR_OK)
		text_addf(t, "%u", e->status);
	else
		text_add(t, err_text(e->kind));
	if (!shown.len)
		return;
	if (e->coded) {
		text_add(t, ", its text coded: see Content-Encoding");
		return;
	}
	text_add(t, ": \"");
	alert_escape(t, shown);
	text_add(t, shown.len < all.len ? "...\"" : "\"");
}

static void add_sample(struct text *t, const struct words_sample *s)
{
	if (!s->method[0])
		return;
	text_addf(t, "\nFirst at: %s ", s->method);
	alert_escape(t, slice_of(s->target));
	if (s->endpoint[0])
		text_addf(t, " (%s)", s->endpoint);
	if (s->id[0]) {
		text_add(t, ", X-Request-Id ");
		alert_escape(t, slice_of(s->id));
	}
}

static void tell(struct alerts *a, const struct words_entry *e, const struct surge *surge,
	ns_t now)
{
	struct text t;
	text_init(&t);
	text_addf(&t,
		"weir: %s, upstream %s: ", surge ? "a surge of errors" : "a new error",
		e->sample.upstream[0] ? e->sample.upstream : "unknown");
	add_words(&t, e);
	if (surge) {
		text_add(&t, "\nRate: ");
		text_add_number(&t, surge_fast(surge));
		text_add(&t, " a second, lately ");
		text_add_number(&t, surge_slow(surge));
		text_add_char(&t, '.');
	}
	text_add(&t, "\nCount: ");
	text_add_count(&t, e->count);
	text_add(&t, " since ");
	text_add_duration(&t, now - e->first);
	text_add(&t, " ago. ");
	add_limit(&t, a, e->sample.upstream);
	if (e->refusal)
		text_add(&t, " The server refuses for lack of slots: lower limit.");
	add_sample(&t, &e->sample);
	alert_send(a->alert, text_slice(&t));
	text_fini(&t);
}

static void look_at(struct alerts *a, const struct words_entry *e, ns_t now)
{
	struct known *k = find(a, e->signature);
	bool is_new = !k;
	if (!k)
		k = learn(a, e, now);
	/* Fewer than before: the ledger had lost it. */
	uint64_t more = e->count - (e->count >= k->count ? k->count : 0);
	k->count = e->count;
	k->seen_at = more ? now : k->seen_at;
	bool surges = surge_add(&k->surge, more, now);
	if (is_new || surges)
		tell(a, e, is_new ? NULL : &k->surge, now);
}

/* --- rounds --- */

static struct alerts *alerts_of(struct round *r)
{
	return CONTAINER_OF(r, struct alerts, round);
}

static void on_visit(struct round *r, struct proxy *p)
{
	words_merge(alerts_of(r)->words, p->words);
}

static void on_done(struct round *r)
{
	struct alerts *a = alerts_of(r);
	ns_t now = io_now(loop_of(a));
	const struct words_entry *e;
	for (uint32_t i = 0; a->alert && (e = words_nth(a->words, i)); i++)
		look_at(a, e, now);
	words_free(&a->words);
}

static void on_timer(struct timer *t)
{
	struct alerts *a = CONTAINER_OF(t, struct alerts, timer);
	io_timer_set(loop_of(a), t, ns_add(io_now(loop_of(a)), ALERTS_EVERY));
	if (a->words)
		return; /* a hand is slow */
	a->words = words_new();
	round_begin(&a->round, a->crew);
}

/* --- life --- */

struct alerts *alerts_new(struct crew *c)
{
	struct alerts *a = mem_zalloc(sizeof(*a));
	a->crew = c;
	a->timer.on_fire = on_timer;
	a->round.visit = on_visit;
	a->round.done = on_done;
	return a;
}

void alerts_stop(struct alerts *a)
{
	io_timer_stop(loop_of(a), &a->timer);
	alert_free(&a->alert);
}

void alerts_free(struct alerts **a)
{
	CHECK(!(*a)->words);
	mem_free(*a);
	*a = NULL;
}

static struct alert_cfg cfg_of(const struct proxy_options *o)
{
	return (struct alert_cfg){
		.url = o->alert_url, .ca_file = o->alert_ca, .dns = o->dns
	};
}

bool alerts_stay(const struct alerts *a, const struct proxy_options *o)
{
	const struct alert_cfg cfg = cfg_of(o);
	return a->alert && alert_is(a->alert, &cfg);
}

bool alerts_open(struct alerts *a, const struct proxy_options *o, struct alert **made,
	struct problem *why)
{
	const struct alert_cfg cfg = cfg_of(o);
	*made = NULL;
	if (!cfg.url || alerts_stay(a, o))
		return true;
	*made = alert_new(loop_of(a), &cfg, why);
	return *made != NULL;
}

void alerts_use(struct alerts *a, struct alert *made)
{
	alert_free(&a->alert);
	a->alert = made;
	if (!made)
		io_timer_stop(loop_of(a), &a->timer);
	else if (!timer_is_set(&a->timer))
		io_timer_set(
			loop_of(a), &a->timer, ns_add(io_now(loop_of(a)), ALERTS_EVERY));
}

void alerts_json(struct json *j, const char *key, const struct alerts *a)
{
	alert_json(j, key, a->alert);
}

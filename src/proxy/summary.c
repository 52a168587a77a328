/* The admin endpoint's view of the proxy for people: GET /summary, a screen of text. */
#include <unistd.h>

#include "base/units.h"
#include "base/wrap.h"
#include "proxy/crew.h"
#include "proxy/explain.h"

#define VALUES_AT 13 /* the column */
#define WIDTH 79
#define WORDS_TOLD 5
#define WORDS_BYTES 240 /* of each; the JSON has the rest */
#define REASONS_TOLD 5
#define UPSTREAMS_TOLD 10

/* A line begins: "  limit      ". */
static void add_key(struct text *t, const char *key)
{
	text_add(t, "  ");
	text_add(t, key);
	text_pad(t, VALUES_AT);
}

/* A line that may be too long for one; takes the words. */
static void add_line(struct text *t, const char *key, struct text *words)
{
	add_key(t, key);
	text_add_wrapped(t, words->ptr, VALUES_AT, WIDTH);
	text_fini(words);
}

/* So many, then what they are, in columns. */
static void add_tally(struct text *t, uint64_t n)
{
	struct text count;
	text_init(&count);
	text_add_count(&count, n);
	text_addf(t, "%10s x ", count.ptr);
	text_fini(&count);
}

/* --- the server's own words --- */

static void add_said(struct text *t, const struct words_entry *e)
{
	char said[WORDS_BYTES];
	if (e->text_len == 0)
		return;
	text_pad(t, VALUES_AT);
	if (e->coded) {
		text_add(t, "(compressed: GET / has its bytes)\n");
		return;
	}
	text_tidy((struct slice){ e->text, e->text_len }, said, sizeof(said));
	text_addf(t, "\"%s%s\"\n", said, e->text_len < sizeof(said) ? "" : " ...");
}

static void add_entry(struct text *t, const struct words_entry *e, ns_t now)
{
	struct text what;
	text_init(&what);
	if (e->kind == ERR_OK)
		text_addf(&what, "%u%s", e->status, e->refusal ? ", a refusal" : "");
	else
		text_add(&what, err_label(e->kind));
	if (e->sample.upstream[0])
		text_addf(&what, ", upstream %s", e->sample.upstream);
	text_add(&what, ", last ");
	text_add_duration(&what, ns_max(0, now - e->last));
	text_add(&what, " ago");
	add_tally(t, e->count);
	text_add_wrapped(t, what.ptr, VALUES_AT, WIDTH);
	text_fini(&what);
	add_said(t, e);
}

static void add_words(struct text *t, struct words *w, ns_t now)
{
	const struct words_entry *e = words_nth(w, 0);
	uint64_t more = words_dropped(w);
	uint32_t n = 0;
	if (!e)
		return;
	text_add(t, "\nthe server's own words\n");
	for (; n < WORDS_TOLD && (e = words_nth(w, n)); n++)
		add_entry(t, e, now);
	for (; (e = words_nth(w, n)); n++)
		more += e->count;
	if (more) {
		add_tally(t, more);
		text_add(t, "others\n");
	}
}

/* --- an upstream --- */

struct scene {
	const struct report_target *t;
	const struct gauges *g;
	struct tuner *tuner; /* NULL: given, none, or found out on another hand alone */
	struct tuner_view tuned; /* where there is one */
	struct brake_view brake;
};

static struct scene scene_of(const struct proxy *p, const struct report_target *t)
{
	const struct target *own = target_find(p, t->key);
	struct scene s = { .t = t,
		.g = &t->gauges,
		.brake = { .state = PAUSE_OPEN, .plea = { .by = RETRY_AFTER_NONE } } };
	if (!own)
		return s;
	s.tuner = upstream_tuner(own->up);
	if (s.tuner)
		s.tuned = tuner_view(s.tuner, proxy_now(p));
	if (upstream_brake(own->up))
		s.brake = brake_view(upstream_brake(own->up), proxy_now(p));
	return s;
}

static bool is_paused(const struct scene *s)
{
	return s->brake.state == PAUSE_SHUT || s->brake.state == PAUSE_PROBE;
}

static bool is_refused(const struct scene *s)
{
	return !s->t->found_out && s->g->stats.refused;
}

static uint64_t left_behind(const struct gauges *g)
{
	return g->in[SLOT_DRAINING] + g->in[SLOT_GHOST];
}

/* How it is, in a word or two: what is worst comes first. */
static const char *verdict(const struct scene *s)
{
	const struct gauges *g = s->g;
	if (s->t->retired)
		return "retired: its last calls are ending";
	if (is_paused(s))
		return "the server asked to be left alone";
	if (s->tuner && s->tuned.state == LIMIT_BROWN_OUT)
		return s->tuned.because;
	if (is_refused(s))
		return "the server has refused calls within the limit";
	if (g->limit != UINT64_MAX && g->used >= g->limit &&
		left_behind(g) * 2 > g->limit)
		return "full, of calls that nobody waits for any more";
	if (g->waiting)
		return "full: calls wait for a slot";
	if (g->in[SLOT_BUSY] + g->in[SLOT_CONNECTING] == 0)
		return "no call under way";
	return "calls get a slot at once";
}

static void add_limit(struct text *t, const struct scene *s)
{
	add_key(t, "limit");
	if (s->g->limit == UINT64_MAX) {
		text_add(t, "none\n");
		return;
	}
	if (s->t->unit == SLOT_UNIT_CONNECTION)
		text_add_counted(t, s->g->limit, "connection", "connections");
	else
		text_add_counted(t, s->g->limit, "request", "requests");
	text_add_char(t, '\n');
	if (!s->tuner)
		return;
	struct text why;
	text_init(&why);
	text_addf(&why, "%s, for ", limit_state_label(s->tuned.state));
	text_add_duration(&why, s->tuned.for_ns);
	text_addf(&why, ": %s", s->tuned.because);
	add_line(t, "found out", &why);
}

static void add_slots(struct text *t, const struct gauges *g)
{
	const char *before = ": ";
	struct text words;
	text_init(&words);
	text_add_count(&words, g->used);
	for (int i = SLOT_FREE + 1; i < SLOT_STATES; i++) {
		if (!g->in[i] || i == SLOT_PARKED)
			continue;
		text_add(&words, before);
		text_add_count(&words, g->in[i]);
		text_addf(&words, " %s", slot_state_label((enum slot_state)i));
		before = ", ";
	}
	text_add(&words, "; at most ");
	text_add_count(&words, g->peak);
	text_add(&words, " so far");
	add_line(t, "taken", &words);
	add_key(t, "waiting");
	text_add_counted(t, g->waiting, "call", "calls");
	text_add(t, "; at most ");
	text_add_count(t, g->waiting_peak);
	text_add(t, " so far\n");
}

static void add_calls(struct text *t, const struct upstream_stats *s)
{
	const struct {
		uint64_t n;
		const char *what;
	} rest[] = { { s->retried, "sent again" },
		{ s->refused, "refused by the server" }, { s->failed, "failed" },
		{ s->abandoned, "abandoned" } };
	struct text words;
	text_init(&words);
	text_add_count(&words, s->admitted);
	text_add(&words, " let through");
	for (size_t i = 0; i < ARRAY_LEN(rest); i++) {
		if (!rest[i].n)
			continue;
		text_add(&words, ", ");
		text_add_count(&words, rest[i].n);
		text_addf(&words, " %s", rest[i].what);
	}
	if (s->connects_failed) {
		text_add(&words, ", ");
		text_add_counted(&words, s->connects_failed, "connect", "connects");
		text_add(&words, " failed");
	}
	add_line(t, "calls", &words);
}

static void add_pause(struct text *t, const struct scene *s, ns_t now)
{
	if (is_paused(s)) {
		struct text words;
		text_init(&words);
		brake_plea_text(&words, &s->brake.plea);
		text_add(&words, "; tried again in ");
		text_add_duration(&words, ns_max(0, s->brake.until - now));
		add_line(t, "paused", &words);
	}
	if (s->t->callers_paused) {
		add_key(t, "paused");
		text_add_counted(t, s->t->callers_paused, "caller", "callers");
		text_add(t, ", each for a rate limit of its own\n");
	}
}

/* Those that are not as they should be. */
static void add_endpoints(struct text *t, const struct report_target *u)
{
	for (uint32_t i = 0; i < u->endpoint_count; i++) {
		const struct report_endpoint *e = &u->endpoints[i];
		if (e->state == HEALTH_IN)
			continue;
		struct text how;
		text_init(&how);
		text_addf(&how, "%s: %s; ", e->at, health_why_text(e->why));
		if (e->state == HEALTH_OUT) {
			text_add(&how, "tried again in ");
			text_add_duration(&how, e->back_for);
		} else {
			text_add(&how, "one call tries it now");
		}
		add_line(t, "left out", &how);
	}
}

static void add_to_do(struct text *t, const struct scene *s)
{
	if (!is_refused(s) || s->t->retired)
		return;
	add_key(t, "to do");
	text_add(
		t, s->g->limit == UINT64_MAX
			   ? "set limit: the server has one, or it would refuse nothing\n"
			   : "lower limit, or let it be found out (auto)\n");
}

static void add_upstream(
	struct text *t, const struct proxy *p, const struct report_target *u)
{
	const struct scene s = scene_of(p, u);
	text_addf(t, "\nupstream %s: %s\n", u->name, verdict(&s));
	add_limit(t, &s);
	add_slots(t, s.g);
	add_pause(t, &s, proxy_now(p));
	add_endpoints(t, u);
	add_calls(t, &s.g->stats);
	add_to_do(t, &s);
}

static void add_upstreams(struct text *t, const struct proxy *p, const struct report *r)
{
	uint32_t n = 0;
	LIST_EACH (&r->targets, node, after)
		if (n++ < UPSTREAMS_TOLD)
			add_upstream(
				t, p, CONTAINER_OF(node, struct report_target, node));
	if (n > UPSTREAMS_TOLD)
		text_addf(
			t, "\n%u upstreams more: GET / shows all\n", n - UPSTREAMS_TOLD);
}

/* --- the rest --- */

/* Of several limits nobody knows which it was: nothing is said about raising it then. */
static enum explain_limit common_limit(const struct report *r)
{
	struct list_node *first = list_front(&r->targets);
	if (!first || r->targets.len > 1)
		return EXPLAIN_FOUND_OUT;
	const struct report_target *t = CONTAINER_OF(first, struct report_target, node);
	return explain_limit(t->found_out, (uint32_t)t->gauges.limit);
}

static void add_advice(struct text *t, const struct report *r, enum err worst)
{
	add_key(t, "to do");
	text_add_wrapped(t, explain_advice(worst, common_limit(r)), VALUES_AT, WIDTH);
}

static void add_reasons(struct text *t, const struct report *r)
{
	bool told[ERR_COUNT] = { false };
	int most = report_next_reason(r, told);
	const int worst = most;
	if (most == ERR_COUNT)
		return;
	text_add(t, "\nrequests without the server's whole answer\n");
	for (int n = 0; n < REASONS_TOLD && most < ERR_COUNT; n++) {
		add_tally(t, r->reasons[most]);
		text_addf(t, "%s\n", err_label((enum err)most));
		text_pad(t, VALUES_AT);
		text_add_wrapped(t, err_text((enum err)most), VALUES_AT, WIDTH);
		told[most] = true;
		most = report_next_reason(r, told);
	}
	uint64_t more = 0;
	for (int i = 0; i < ERR_COUNT; i++)
		more += told[i] ? 0 : r->reasons[i];
	if (more) {
		add_tally(t, more);
		text_add(t, "others\n");
	}
	add_advice(t, r, (enum err)worst);
}

/* From a quarter on it is worth a look: from half on connects cost milliseconds each. */
static void add_port(void *ctx, const struct ports_view *v)
{
	struct text *t = ctx;
	uint64_t taken = (uint64_t)v->open + v->lingering;
	if (!v->range || taken * 4 < v->range)
		return;
	text_add(t, "\nlocal ports to ");
	text_add(t, v->name);
	text_add(t, ": ");
	text_add_count(t, taken);
	text_add(t, " of ");
	text_add_count(t, v->range);
	text_add(t, " taken, ");
	text_add_count(t, v->lingering);
	text_add(t, " of them by closed connections\n");
}

void summary_write(struct text *t, struct crew *c, const struct report *r)
{
	const struct proxy *p = &crew_main(c)->proxy;
	struct text words;
	text_init(&words);
	text_addf(&words, "weir proxy, pid %d, up ", (int)getpid());
	text_add_duration(&words, proxy_now(p) - p->started_at);
	text_add(&words, ": ");
	text_add_counted(&words, r->exchanges_now, "request", "requests");
	text_add(&words, " under way, ");
	text_add_count(&words, r->exchanges_total + r->heads_refused);
	text_add(&words, " so far");
	text_add_wrapped(t, words.ptr, 0, WIDTH);
	text_fini(&words);
	if (c->reloads_failed) {
		text_add_counted(t, c->reloads_failed, "reload", "reloads");
		text_add(t, " refused: standard error has what was wrong\n");
	}
	add_words(t, r->words, proxy_now(p));
	add_upstreams(t, p, r);
	add_reasons(t, r);
	ports_each(c->ports, proxy_now(p), add_port, t);
	text_add(t,
		"\nGET / has it all as JSON, /metrics for Prometheus, /explain?id=ID one "
		"request\n");
}

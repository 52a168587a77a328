#include "watch/causes.h"

#include "base/units.h"

enum {
	LEAST = 5,         /* closes: fewer may be chance */
	LEAST_PERCENT = 5, /* of a place's closes: less does not make it what it is */
	MOST_PERCENT = 80, /* "nearly all" */
};

static const char *const names[CAUSE_ID_COUNT] = {
#define CAUSE(id, name, level) [CAUSE_ID_##id] = name,
#define CURE(id, runtime, text)
#include "watch/causes.def"
#undef CAUSE
#undef CURE
};

static const enum warning_level levels[CAUSE_ID_COUNT] = {
#define CAUSE(id, name, level) [CAUSE_ID_##id] = LEVEL_##level,
#define CURE(id, runtime, text)
#include "watch/causes.def"
#undef CAUSE
#undef CURE
};

static const struct {
	enum cause_id id;
	struct cure cure;
} cures[] = {
#define CAUSE(id, name, level)
#define CURE(id, runtime, text) { CAUSE_ID_##id, { RUNTIME_##runtime, text } },
#include "watch/causes.def"
#undef CAUSE
#undef CURE
};

const char *cause_name(enum cause_id id)
{
	CHECK(id < CAUSE_ID_COUNT);
	return names[id];
}

/* Cures. */

static const struct cure *cure_for(enum cause_id id, enum runtime runtime)
{
	for (size_t i = 0; i < ARRAY_LEN(cures); i++) {
		if (cures[i].id == id && cures[i].cure.runtime == runtime)
			return &cures[i].cure;
	}
	return NULL;
}

static void add_cure(struct cause *c, enum runtime runtime)
{
	const struct cure *cure = cure_for(c->id, runtime);

	if (!cure)
		cure = cure_for(c->id, RUNTIME_UNKNOWN);
	for (uint32_t i = 0; i < c->n_cures; i++) {
		if (c->cures[i].text == cure->text)
			return;
	}
	if (c->n_cures < CAUSE_CURES_MAX)
		c->cures[c->n_cures++] = *cure;
}

static void add_cures(struct cause *c)
{
	for (uint32_t i = 0; c->users && i < c->users->n; i++)
		add_cure(c, c->users->v[i].runtime);
	if (!c->n_cures)
		add_cure(c, RUNTIME_UNKNOWN);
}

/* Looking for causes. */

struct finding {
	struct causes *into;
	const struct causes_from *from;
	const struct place *p;
	struct hist *scratch;
};

static bool matters(const struct place *p, uint64_t n)
{
	return n >= LEAST && n * 100 >= p->total * LEAST_PERCENT;
}

/* What a missing keep-alive costs is ports: as many as its closes of a minute. Below a
 * hundredth of the way to the cliff that is worth knowing, and no more. */
static enum warning_level level_of(
	const struct finding *f, enum cause_id id, uint64_t closes)
{
	/* A burst at the start is no rate. */
	ns_t span = ns_max(f->from->since_start_for, 10 * NS_S);
	double ports = (double)closes * 60.0 * (double)NS_S / (double)span;
	bool by_ports = id == CAUSE_ID_NO_REUSE || id == CAUSE_ID_POOL_SMALL ||
			id == CAUSE_ID_CLOSED_HERE;

	if (by_ports && ports * 100 < f->from->tally->usable_first)
		return LEVEL_NOTE;
	return levels[id];
}

/* What the words of an error answer may be the reason of. */
static bool is_denial(enum cause_id id)
{
	return id == CAUSE_ID_REFUSED || id == CAUSE_ID_SERVER_FULL ||
	       id == CAUSE_ID_RESET_ANSWERED || id == CAUSE_ID_PEER_EACH ||
	       id == CAUSE_ID_PEER_DROPS || id == CAUSE_ID_PEER_RESETS;
}

/* Where a place is for one more: the last, or, when all are taken, that of the least. */
static struct cause *room_for(struct causes *all, enum warning_level level, uint64_t n)
{
	struct cause *least = &all->v[0];

	if (all->n < CAUSES_MAX)
		return &all->v[all->n++];
	all->left_out++;
	for (uint32_t i = 1; i < all->n; i++) {
		struct cause *c = &all->v[i];

		if (c->level < least->level ||
			(c->level == least->level && c->count < least->count))
			least = c;
	}
	return level > least->level || (level == least->level && n > least->count) ? least
										   : NULL;
}

/* The text goes on from here; NULL: it does not matter, or there is no room. */
static struct cause *found(
	struct finding *f, enum cause_id id, uint64_t n, struct text *t)
{
	enum warning_level level = level_of(f, id, n);
	struct cause *c;

	text_init(t);
	if (!matters(f->p, n))
		return NULL;
	c = room_for(f->into, level, n);
	if (!c)
		return NULL;
	*c = (struct cause){
		.id = id,
		.level = level,
		.place = f->p,
		.count = n,
	};
	if (f->from->users)
		c->users = users_find(f->from->users, f->p->side, &f->p->at);
	if (f->from->heard && is_denial(id))
		c->words = heard_at(f->from->heard, &f->p->at);
	add_cures(c);
	text_add_count(t, n);
	text_add(t, " of ");
	text_add_count(t, f->p->total);
	text_add(t, f->p->total == 1 ? " connection that ended was "
				     : " connections that ended were ");
	return c;
}

static void say(struct cause *c, struct text *t)
{
	snprintf(c->text, sizeof(c->text), "%s", t->ptr ? t->ptr : "");
	text_fini(t);
}

/* ", after about 500ms" */
static void add_times(struct finding *f, struct text *t, const struct ages *ages)
{
	struct cluster times[CLUSTERS_MAX];
	uint32_t n = ages_clusters(ages, f->scratch, times);

	for (uint32_t i = 0; i < n; i++) {
		text_add(t, i == 0 ? " after about " : i + 1 < n ? ", " : " and ");
		text_add_duration(t, times[i].at);
	}
}

static bool is_tls(const struct finding *f)
{
	return f->from->heard && heard_tls(f->from->heard, &f->p->at);
}

/* Who hears nothing cannot tell. */
static bool may_be_tls(const struct finding *f)
{
	return !f->from->heard || is_tls(f);
}

static uint64_t uses_sum(const struct place_uses *u)
{
	uint64_t sum = 0;

	for (int use = 0; use < PLACE_USE_COUNT; use++)
		sum += u->n[use];
	return sum;
}

static bool nearly_all(uint64_t part, uint64_t of)
{
	return part * 100 >= of * MOST_PERCENT;
}

/* Of several programs at one place one may reuse connections, and another not. */
static bool of_several(const struct finding *f)
{
	const struct users_of_place *u = f->from->users ? users_find(f->from->users,
								  f->p->side, &f->p->at)
							: NULL;

	return u && (u->n > 1 || u->v[0].more);
}

/* Right after an answer, by this side: what tells a missing keep-alive from a pool without
 * room is that other connections are used again. Under TLS one exchange looks like a few. */
static void closed_by_us(struct finding *f)
{
	const struct place_uses *u = &f->p->by_us;
	uint64_t n = uses_sum(u);
	bool tls = is_tls(f);
	bool plain = !tls && u->n[PLACE_ONCE] * (uint64_t)100 >=
				     n * LEAST_PERCENT; /* none is TLS */
	bool reused = u->n[PLACE_MANY] || f->p->reused_many ||
		      (plain && (u->n[PLACE_FEW] || f->p->reused));
	bool pool = reused && !of_several(f);
	struct text t;
	struct cause *c;

	/* A connection that was used many times has done its work; only a crowd of them asks
	 * for more room. */
	if (n - u->n[PLACE_MANY] < LEAST &&
		level_of(f, CAUSE_ID_POOL_SMALL, n) == LEVEL_NOTE)
		return;
	c = found(f,
		pool               ? CAUSE_ID_POOL_SMALL
		: plain && !reused ? CAUSE_ID_NO_REUSE
				   : CAUSE_ID_CLOSED_HERE,
		n, &t);

	if (!c)
		return;
	text_add(&t, "closed by this side right after an answer; ");
	if (pool)
		text_add(&t, "others are used again: the pool has no room for these.");
	else if (reused)
		text_add(&t,
			"others are used again, by which of the programs is not told.");
	else if (plain && u->n[PLACE_PIECES])
		text_add(&t, "none is known to have been used for a second exchange.");
	else if (plain)
		text_add(&t, "none was used for a second exchange.");
	else
		text_add(&t,
			"each carried some segments of data: a few exchanges, one in "
			"pieces, or TLS's handshake and one.");
	say(c, &t);
}

static void closed_by_peer(struct finding *f)
{
	const struct place_uses *u = &f->p->by_peer;
	uint64_t n = uses_sum(u);
	bool each = nearly_all(u->n[PLACE_ONCE], n);
	bool alike = nearly_all(u->alike, n) &&
		     u->n[PLACE_MANY] >= u->n[PLACE_FEW] + u->n[PLACE_PIECES];
	struct text t;
	struct cause *c;

	if (!each && !alike)
		return;
	c = found(f, each ? CAUSE_ID_PEER_EACH : CAUSE_ID_PEER_AFTER,
		each ? u->n[PLACE_ONCE] : u->alike, &t);
	if (!c)
		return;
	if (each)
		text_add(&t, "closed by the server after one exchange.");
	else
		text_addf(&t, "closed by the server, each after about %u exchanges.",
			(unsigned)u->alike_uses);
	say(c, &t);
}

static void one(struct finding *f, enum cause_id id, uint64_t n, const char *text,
	const struct ages *ages)
{
	struct text t;
	struct cause *c = found(f, id, n, &t);

	if (!c)
		return;
	text_add(&t, text);
	if (ages)
		add_times(f, &t, ages);
	text_add_char(&t, '.');
	say(c, &t);
}

static uint64_t by_peer(const struct place *p, enum close_why why)
{
	return p->count[CLOSE_PEER][why];
}

static uint64_t of_all(const struct place *p, enum close_why why)
{
	uint64_t n = 0;

	for (int first = 0; first < CLOSE_FIRST_COUNT; first++)
		n += p->count[first][why];
	return n;
}

static void idle_at_peer(struct finding *f)
{
	const struct place *p = f->p;
	struct text t;
	struct cause *c = found(
		f, CAUSE_ID_PEER_IDLE, by_peer(p, WHY_IDLE) + p->reset_idle, &t);

	if (!c)
		return;
	text_add(&t, "closed by the server while idle");
	add_times(f, &t, &p->peer_idle);
	if (p->reset_idle) {
		text_add(&t, "; ");
		text_add_count(&t, p->reset_idle);
		text_add(&t,
			" of them as this side spoke, which was reset: a call that was "
			"lost, or under TLS a mere goodbye");
	}
	text_add_char(&t, '.');
	say(c, &t);
}

/* Under TLS a first call that is given up looks idle: the server's last word was a ticket. */
static void silent(struct finding *f)
{
	const struct place *p = f->p;
	uint64_t few = is_tls(f) ? p->idle_few : 0;

	if (few)
		one(f, CAUSE_ID_SILENT, few + place_local(p, WHY_SILENCE),
			"closed by this side after a silence: idle, or, as TLS does not show, "
			"a first call given up",
			&p->idle);
	else
		one(f, CAUSE_ID_SILENT, place_local(p, WHY_SILENCE),
			"closed by this side after a silence, with a last word",
			&p->silent);
}

/* Those that no refusal, no idle end and no goodbye explains. */
static uint64_t resets(const struct finding *f)
{
	const struct place *p = f->p;

	return of_all(p, WHY_PEER_RESET) - p->reset_answered - p->reset_goodbye -
	       p->reset_idle - (may_be_tls(f) ? p->reset_recent : 0);
}

/* Among whatever else it says more often. */
static bool says_so(const struct finding *f)
{
	const struct heard *h = f->from->heard;

	for (uint32_t i = 0; h && i < h->n; i++) {
		const struct heard_words *w = &h->v[i];

		if (diag_end_eq(&w->at, &f->p->at) &&
			(w->refusal || w->status == 429 || w->status == 503))
			return true;
	}
	return false;
}

/* A greeting that is left unread is a probe's, and a reset after the one answer some servers'
 * way to close: neither is a refusal unless others are, or the server says so. */
static void refused(struct finding *f)
{
	const struct place *p = f->p;
	bool said = says_so(f);
	uint64_t sure = of_all(p, WHY_REFUSED) - (said ? 0 : p->greeted);

	if (said || matters(p, sure))
		one(f, CAUSE_ID_REFUSED, sure + p->reset_answered,
			"answered and at once closed or reset by the server, which had not "
			"read or did not read on: refused",
			NULL);
	else
		one(f, CAUSE_ID_RESET_ANSWERED, p->reset_answered,
			"reset by the server right after its answer: refused, or its way to "
			"close",
			NULL);
	if (!said)
		one(f, CAUSE_ID_GREETED, p->greeted,
			"reset by this side, which had asked nothing and left the server's "
			"first words unread",
			NULL);
}

static void outgoing(struct finding *f)
{
	const struct place *p = f->p;

	refused(f);
	one(f, CAUSE_ID_GAVE_UP, place_local(p, WHY_NO_ANSWER),
		"closed by this side without an answer: given up", &p->gave_up);
	closed_by_us(f);
	one(f, CAUSE_ID_UNREAD, of_all(p, WHY_UNREAD) - p->unread_goodbye,
		"reset by this side, which closed them with bytes unread (under TLS a session "
		"ticket is enough: then these are calls given up)",
		&p->unread);
	one(f, CAUSE_ID_PEER_DROPS, by_peer(p, WHY_NO_ANSWER),
		"closed by the server with a question unanswered", &p->peer_left);
	one(f, CAUSE_ID_PEER_RESETS, resets(f),
		"reset by the server, or given up by the kernel", NULL);
	idle_at_peer(f);
	silent(f);
	closed_by_peer(f);
}

static void accepted(struct finding *f)
{
	const struct place *p = f->p;
	uint32_t once_us = p->by_us.n[PLACE_ONCE], once_them = p->by_peer.n[PLACE_ONCE];

	one(f, CAUSE_ID_SERVER_FULL, of_all(p, WHY_REFUSED),
		"answered and closed here before anything was read: refused", NULL);
	one(f, CAUSE_ID_CALLERS_LEAVE, by_peer(p, WHY_NO_ANSWER),
		"closed by the caller before its answer came", &p->peer_left);
	if (nearly_all(once_us, uses_sum(&p->by_us)))
		one(f, CAUSE_ID_SERVER_EACH, once_us,
			"closed by this side after one exchange", NULL);
	if (nearly_all(once_them, uses_sum(&p->by_peer)))
		one(f, CAUSE_ID_CALLERS_EACH, once_them,
			"closed by the caller after one exchange", NULL);
	one(f, CAUSE_ID_PROBES, by_peer(p, WHY_UNUSED),
		"closed by the caller without a byte either way", NULL);
}

/* What is not the cause. */

static struct ruled_out *rule_out(struct causes *c, const char *id, struct text *t)
{
	struct ruled_out *o = &c->out[c->n_out++];

	CHECK(c->n_out <= RULED_OUT_MAX);
	o->id = id;
	snprintf(o->text, sizeof(o->text), "%s", t->ptr);
	text_fini(t);
	return o;
}

/* The destination nearest to the cliff is less than half way. */
static void not_ports(struct causes *c, const struct tally *t)
{
	const struct tally_dest *near = NULL;
	uint32_t time_wait = 0;
	struct text text;

	for (uint32_t i = 0; i < t->n_dests; i++) {
		time_wait += t->dests[i].by_state[DIAG_TIME_WAIT];
		if (!near || t->dests[i].cliff_left < near->cliff_left)
			near = &t->dests[i];
	}
	if (!near || near->cliff_left <= t->usable_first / 2)
		return;
	text_init(&text);
	if (time_wait) {
		text_add_count(&text, time_wait);
		text_add(&text, " in TIME_WAIT as a client are harmless so far: ");
	} else {
		text_add(&text, "ports: ");
	}
	text_add(&text, "towards the busiest destination ");
	text_add_count(&text, near->left);
	text_add(&text, " of ");
	text_add_count(&text, t->usable);
	text_add(&text, " ports are left, and ");
	text_add_count(&text, near->cliff_left);
	text_add(&text, " to where connect() gets slow.");
	rule_out(c, time_wait ? "time-wait" : "ports", &text);
}

static void not_counted(struct causes *c, const char *id, bool none, const char *words)
{
	struct text t;

	if (!none)
		return;
	text_init(&t);
	text_add(&t, words);
	rule_out(c, id, &t);
}

static void not_listeners_time_wait(struct causes *c, const struct tally *t)
{
	uint32_t n = t->side[SIDE_IN].by_state[DIAG_TIME_WAIT];
	struct text text;

	if (!n)
		return;
	text_init(&text);
	text_add_count(&text, n);
	text_add(&text,
		" in TIME_WAIT on ports that listen here: they take no port from "
		"connections made here, and callers that come again get through.");
	rule_out(c, "time-wait-of-listeners", &text);
}

static void find_ruled_out(struct causes *c, const struct causes_from *from)
{
	const struct diag_counters *now = from->now, *was = from->before;

	not_ports(c, from->tally);
	not_listeners_time_wait(c, from->tally);
	if (!was)
		return;
	not_counted(c, "packet-loss",
		now->retrans_segs == was->retrans_segs &&
			now->active_opens + now->passive_opens >
				was->active_opens + was->passive_opens,
		"packets lost on the way out: none was sent again since the start. Those lost "
		"on the way here their senders see.");
	not_counted(c, "backlog",
		from->tally->n_listeners && now->listen_drops == was->listen_drops &&
			now->listen_overflows == was->listen_overflows &&
			now->passive_opens > was->passive_opens,
		"a full backlog here: no listener dropped a connection since the start.");
	not_counted(c, "kernel-limits",
		now->tw_overflow == was->tw_overflow &&
			now->abort_on_memory == was->abort_on_memory && now->tw > was->tw,
		"the kernel's own limits: tcp_max_tw_buckets and socket memory were not "
		"reached since the start.");
}

static int worst_first(const void *a, const void *b)
{
	const struct cause *x = a, *y = b;

	if (x->level != y->level)
		return (int)y->level - (int)x->level;
	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return (int)x->id - (int)y->id;
}

void causes_find(struct causes *c, const struct causes_from *from)
{
	struct finding f = { .into = c, .from = from };

	c->n = c->left_out = c->n_out = 0;
	find_ruled_out(c, from);
	if (!from->places)
		return;
	f.scratch = hist_new();
	for (uint32_t i = 0; i < from->places->n; i++) {
		f.p = from->places->v[i];
		if (f.p->side == SIDE_OUT)
			outgoing(&f);
		else
			accepted(&f);
	}
	hist_free(&f.scratch);
	if (c->n)
		qsort(c->v, c->n, sizeof(c->v[0]), worst_first);
}

#include "watch/causes.h"

#include "base/units.h"

enum {
	LEAST = 5,         /* closes: fewer may be chance */
	LEAST_PERCENT = 5, /* of a place's closes: less does not make it what it is */
	MOST_PERCENT = 80, /* "nearly all" */
	ALIKE_PERCENT = 10,
};

/* A server that ends closes what it holds in one go. */
#define AT_ONCE (500 * NS_MS)

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

/* Of a program whose connections there are not known to have ended, only the cure of what is its
 * own: that others are used again tells of it, where it is alone. */
static void add_cures(struct cause *c)
{
	const struct users_of_place *u = c->users;
	bool alone = u && u->n == 1 && !u->more && c->id == CAUSE_ID_POOL_SMALL;

	for (uint32_t i = 0; u && i < u->n; i++) {
		if (u->v[i].ended || alone)
			add_cure(c, u->v[i].runtime);
	}
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

static bool matters(uint64_t n, uint64_t of)
{
	return n >= LEAST && n * 100 >= of * LEAST_PERCENT;
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

/* Among whatever else is told of the place. */
static bool is_found(const struct finding *f, enum cause_id id)
{
	for (uint32_t i = 0; i < f->into->n; i++) {
		if (f->into->v[i].place == f->p && f->into->v[i].id == id)
			return true;
	}
	return false;
}

/* What was said as it refused explains no other closes; and those that came after good answers,
 * an error now and then does not. */
static const struct heard_words *words_for(
	const struct finding *f, enum cause_id id, uint64_t n)
{
	const struct heard_words *w = f->from->heard && is_denial(id)
					      ? heard_at(f->from->heard, &f->p->at)
					      : NULL;

	if (!w || is_found(f, CAUSE_ID_REFUSED) || is_found(f, CAUSE_ID_RESET_ANSWERED))
		return NULL;
	return id == CAUSE_ID_PEER_EACH && w->count * 2 < n ? NULL : w;
}

/* NULL: it does not matter, or there is no room. */
static struct cause *found_of(struct finding *f, enum cause_id id,
	enum warning_level level, uint64_t n, uint64_t of)
{
	const struct heard_words *words = words_for(f, id, n);
	struct cause *c;

	if (!matters(n, of))
		return NULL;
	c = room_for(f->into, level, n);
	if (!c)
		return NULL;
	*c = (struct cause){
		.id = id,
		.level = level,
		.place = f->p,
		.count = n,
		.of = of,
		.words = words,
	};
	if (f->from->users)
		c->users = users_find(f->from->users, f->p->side, &f->p->at);
	add_cures(c);
	return c;
}

static struct cause *found_as(struct finding *f, enum cause_id id,
	enum warning_level level, uint64_t n, struct text *t)
{
	struct cause *c = found_of(f, id, level, n, f->p->total);

	text_init(t);
	if (!c)
		return NULL;
	text_add_count(t, n);
	text_add(t, " of ");
	text_add_count(t, f->p->total);
	text_add(t, f->p->total == 1 ? " connection that ended was "
				     : " connections that ended were ");
	return c;
}

/* The text goes on from here; NULL: it does not matter, or there is no room. */
static struct cause *found(
	struct finding *f, enum cause_id id, uint64_t n, struct text *t)
{
	return found_as(f, id, level_of(f, id, n), n, t);
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

/* Where `Connection: close` was said, the one side closes and the other does as well: who is first
 * is chance. */
static bool ends_with_server(const struct finding *f)
{
	const struct place_uses *us = &f->p->by_us, *peer = &f->p->by_peer;

	return nearly_all(peer->n[PLACE_ONCE], uses_sum(peer)) &&
	       nearly_all(us->n[PLACE_ONCE], uses_sum(us)) &&
	       peer->n[PLACE_ONCE] >= us->n[PLACE_ONCE] &&
	       matters(peer->n[PLACE_ONCE], f->p->total);
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

	if (ends_with_server(f))
		return;
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

/* All within a moment, and not for having been idle for one time, nor others at another time. */
static bool closed_all(const struct finding *f)
{
	const struct place *p = f->p;
	const struct place_span *s = &p->by_peer_used;
	uint64_t used = uses_sum(&p->by_peer) - p->by_peer.n[PLACE_ONCE];
	struct cluster times[CLUSTERS_MAX];

	return !p->reset_idle && s->n >= LEAST && s->last - s->first <= AT_ONCE &&
	       nearly_all(s->n, p->count[CLOSE_PEER][WHY_IDLE] + used) &&
	       !ages_clusters(&p->peer_idle, f->scratch, times);
}

/* What this side closed of these takes its ports. */
static void closed_after_one(struct finding *f)
{
	uint32_t peer = f->p->by_peer.n[PLACE_ONCE];
	uint32_t us = ends_with_server(f) ? f->p->by_us.n[PLACE_ONCE] : 0;
	struct text t;
	struct cause *c = found_as(f, CAUSE_ID_PEER_EACH,
		us ? level_of(f, CAUSE_ID_NO_REUSE, us) : LEVEL_NOTE, peer + us, &t);

	if (!c)
		return;
	if (us) {
		text_add(&t, "closed after one exchange, ");
		text_add_count(&t, peer);
		text_add(&t, " by the server and ");
		text_add_count(&t, us);
		text_add(&t, " by this side.");
	} else {
		text_add(&t, "closed by the server after one exchange.");
	}
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

	if (each)
		closed_after_one(f);
	if (each || !alike || closed_all(f))
		return;
	c = found(f, CAUSE_ID_PEER_AFTER, u->alike, &t);
	if (!c)
		return;
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
	struct cluster times[CLUSTERS_MAX];
	struct text t;
	struct cause *c;

	if (closed_all(f)) {
		one(f, CAUSE_ID_PEER_ENDED, p->by_peer_used.n,
			"closed by the server within a moment: it ended or was started anew, or "
			"closes its connections all at once",
			NULL);
		return;
	}
	c = found(f, CAUSE_ID_PEER_IDLE, by_peer(p, WHY_IDLE) + p->reset_idle, &t);
	if (!c)
		return;
	text_add(&t, "closed by the server while idle");
	if (ages_clusters(&p->peer_idle, f->scratch, times))
		text_add(&t, ", noticed");
	add_times(f, &t, &p->peer_idle);
	if (p->peer_idle_once >= LEAST &&
		nearly_all(p->peer_idle_once, by_peer(p, WHY_IDLE))) {
		text_add(&t, "; ");
		text_add_count(&t, p->peer_idle_once);
		text_add(&t, " of them had never been used a second time");
	}
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
	       p->reset_idle - p->reset_resent - (may_be_tls(f) ? p->reset_recent : 0);
}

/* Whether these were closed after a time that calls were given up after, too: those of a caller that
 * asks again at once, or its idle ones, if its keep-alive is as long as its patience. */
static bool as_given_up(const struct finding *f, const struct ages *ages)
{
	struct cluster given_up[CLUSTERS_MAX], times[CLUSTERS_MAX];
	uint32_t n_given_up = ages_clusters(&f->p->gave_up, f->scratch, given_up);
	uint32_t n = ages_clusters(ages, f->scratch, times);

	if (n != 1 || !nearly_all(times[0].count, ages->n))
		return false;
	for (uint32_t i = 0; i < n_given_up; i++) {
		ns_t apart = times[0].at - given_up[i].at;

		if ((apart < 0 ? -apart : apart) * 100 <= given_up[i].at * ALIKE_PERCENT)
			return true;
	}
	return false;
}

static void gave_up(struct finding *f)
{
	const struct place *p = f->p;
	uint64_t sure = place_local(p, WHY_NO_ANSWER), open = 0;
	struct text t;
	struct cause *c;

	if (as_given_up(f, &p->silent))
		open += place_local(p, WHY_SILENCE);
	if (as_given_up(f, &p->tied))
		open += p->idle_tied;
	c = found(f, CAUSE_ID_GAVE_UP, sure, &t);
	if (!c)
		return;
	text_add(&t, "closed by this side without an answer: given up");
	add_times(f, &t, &p->gave_up);
	if (open) {
		text_add(&t, "; ");
		text_add_count(&t, open);
		text_add(&t, " more ended after the same time, idle or given up");
	}
	text_add_char(&t, '.');
	say(c, &t);
}

/* One side's goodbye met the other's close: under TLS all that ends is alike. */
static void ended_under_tls(struct finding *f)
{
	if (is_tls(f))
		one(f, CAUSE_ID_TLS_ENDED, f->p->reset_goodbye + f->p->reset_recent,
			"reset by the server not long after its last words: its way to close, "
			"or, as TLS does not show, a refusal",
			NULL);
}

/* Of this many connects the text goes on from here, as with found. */
static struct cause *found_connects(
	struct finding *f, enum cause_id id, uint64_t n, struct text *t)
{
	const struct place *p = f->p;
	uint64_t of = p->total + p->connects_refused + p->connects_unanswered;
	struct cause *c = found_of(f, id, levels[id], n, of);

	text_init(t);
	if (!c)
		return NULL;
	text_add_count(t, n);
	text_add(t, " connects ");
	return c;
}

static void failed_connects(struct finding *f)
{
	const struct place *p = f->p;
	struct text t;
	struct cause *c = found_connects(
		f, CAUSE_ID_CONNECT_REFUSED, p->connects_refused, &t);

	if (c) {
		text_add(&t,
			"failed: refused at once, as where nobody listens or a firewall says so.");
		say(c, &t);
	}
	c = found_connects(f, CAUSE_ID_CONNECT_UNANSWERED, p->connects_unanswered, &t);
	if (!c)
		return;
	text_add(&t, "ended without a segment in answer");
	if (p->connects_resent) {
		text_add(&t, ", ");
		text_add_count(&t, p->connects_resent);
		text_add(&t, " of them after their SYN had been sent again");
	}
	text_add(&t, ": given up, or ended by an ICMP message (no route, a firewall's "
		     "REJECT).");
	say(c, &t);
}

static void not_reached(struct finding *f)
{
	one(f, CAUSE_ID_NOT_REACHED, f->p->reset_resent,
		"reset, or given up by the kernel, after what this side had said last had been "
		"sent again: for a while the network or the other host did not take it",
		NULL);
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

/* By the last look. Of a full server they are what fills it, as far as it is this host that does. */
static void add_open(const struct finding *f, struct text *t)
{
	const struct tally *tally = f->from->tally;
	uint64_t n = 0;

	for (uint32_t i = 0; i < tally->n_dests; i++) {
		if (diag_end_eq(&tally->dests[i].to, &f->p->at))
			n += tally->dests[i].by_state[DIAG_ESTABLISHED];
	}
	if (!n)
		return;
	text_add(t, " Open to it from here now: ");
	text_add_count(t, n);
	text_add_char(t, '.');
}

static void surely_refused(struct finding *f, uint64_t n)
{
	struct text t;
	struct cause *c = found(f, CAUSE_ID_REFUSED, n, &t);

	if (!c)
		return;
	text_add(&t,
		"answered and at once closed or reset by the server, which had not read or did "
		"not read on: refused.");
	add_open(f, &t);
	say(c, &t);
}

/* A greeting that is left unread is a probe's, and a reset after the one answer some servers'
 * way to close: neither is a refusal unless others are, or the server says so. */
static void refused(struct finding *f)
{
	const struct place *p = f->p;
	bool said = says_so(f);
	uint64_t sure = of_all(p, WHY_REFUSED) - (said ? 0 : p->greeted);

	if (said || matters(sure, p->total))
		surely_refused(f, sure + p->reset_answered);
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
	failed_connects(f);
	gave_up(f);
	closed_by_us(f);
	one(f, CAUSE_ID_UNREAD,
		of_all(p, WHY_UNREAD) - p->unread_goodbye - p->unread_ended,
		"reset by this side, which closed them with bytes unread (under TLS a session "
		"ticket is enough: then these are calls given up)",
		&p->unread);
	one(f, CAUSE_ID_PEER_DROPS, by_peer(p, WHY_NO_ANSWER),
		"closed by the server with a question unanswered", &p->peer_left);
	one(f, CAUSE_ID_PEER_RESETS, resets(f),
		"reset by the server, or given up by the kernel", NULL);
	not_reached(f);
	ended_under_tls(f);
	idle_at_peer(f);
	if (!is_found(f, CAUSE_ID_GAVE_UP) || !as_given_up(f, &p->silent))
		silent(f);
	closed_by_peer(f);
}

static void accepted(struct finding *f)
{
	const struct place *p = f->p;
	uint32_t once_us = p->by_us.n[PLACE_ONCE], once_them = p->by_peer.n[PLACE_ONCE];

	one(f, CAUSE_ID_SERVER_FULL, of_all(p, WHY_REFUSED),
		"answered and closed here before anything was read: refused", NULL);
	one(f, CAUSE_ID_CALLERS_LEAVE, by_peer(p, WHY_NO_ANSWER) + p->reset_left,
		"left by the caller without an answer", &p->peer_left);
	not_reached(f);
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

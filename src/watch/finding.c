#include "watch/finding.h"

#include "base/units.h"

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

/* The closes that a cause is told of: by this side, and otherwise; and those that are, too, where TLS
 * was heard. None: of connects, of whoever listens, or of any. */
static const struct {
	uint32_t here, there, here_tls, there_tls;
} closes_of[CAUSE_ID_COUNT] = {
#define BIT(why) (1u << WHY_##why)
	[CAUSE_ID_NO_REUSE] = { BIT(AFTER_ANSWER), 0 },
	[CAUSE_ID_POOL_SMALL] = { BIT(AFTER_ANSWER), 0 },
	[CAUSE_ID_CLOSED_HERE] = { BIT(AFTER_ANSWER), 0 },
	[CAUSE_ID_PEER_EACH] = { BIT(AFTER_ANSWER), BIT(AFTER_ANSWER) },
	[CAUSE_ID_PEER_AFTER] = { 0, BIT(AFTER_ANSWER) },
	[CAUSE_ID_PEER_IDLE] = { 0, BIT(IDLE) | BIT(PEER_RESET), 0, BIT(UNREAD) },
	[CAUSE_ID_PEER_DROPS] = { 0, BIT(NO_ANSWER) },
	[CAUSE_ID_PEER_RESETS] = { 0, BIT(PEER_RESET) },
	[CAUSE_ID_NOT_REACHED] = { 0, BIT(PEER_RESET) },
	[CAUSE_ID_TLS_ENDED] = { 0, BIT(PEER_RESET) },
	[CAUSE_ID_GAVE_UP] = { BIT(NO_ANSWER), 0 },
	[CAUSE_ID_SILENT] = { BIT(SILENCE), 0, BIT(IDLE), 0 },
	[CAUSE_ID_UNREAD] = { 0, BIT(UNREAD) },
	[CAUSE_ID_REFUSED] = { BIT(REFUSED), BIT(REFUSED) | BIT(PEER_RESET) },
	[CAUSE_ID_RESET_ANSWERED] = { 0, BIT(PEER_RESET) },
	[CAUSE_ID_GREETED] = { BIT(REFUSED), BIT(REFUSED) },
#undef BIT
};

enum { HARDLY_ANY = 10 /* a tenth: its end, not its manner */ };

bool finding_is_tls(const struct finding *f)
{
	return f->from->heard && heard_tls(f->from->heard, &f->p->at);
}

static uint64_t closes_of_user(
	const struct finding *f, const struct user *u, enum cause_id id)
{
	bool tls = finding_is_tls(f);
	uint32_t here = closes_of[id].here | (tls ? closes_of[id].here_tls : 0);
	uint32_t there = closes_of[id].there | (tls ? closes_of[id].there_tls : 0);
	uint64_t n = 0;

	for (int why = 0; why < WHY_COUNT; why++) {
		n += here >> why & 1 ? u->closes.here[why] : 0;
		n += there >> why & 1 ? u->closes.there[why] : 0;
	}
	return n;
}

static uint32_t whose_are(
	const struct finding *f, const struct users_of_place *u, enum cause_id id)
{
	uint64_t sum = 0;
	uint32_t whose = 0;

	for (uint32_t i = 0; u && i < u->n; i++)
		sum += closes_of_user(f, &u->v[i], id);
	for (uint32_t i = 0; u && i < u->n; i++) {
		bool is = sum ? closes_of_user(f, &u->v[i], id) * HARDLY_ANY >= sum
			      : u->v[i].ended;

		whose |= (uint32_t)is << i;
	}
	return whose;
}

static const struct users_of_place *users_at(const struct finding *f)
{
	return f->from->users ? users_find(f->from->users, f->p->side, &f->p->at) : NULL;
}

bool finding_of_several(const struct finding *f)
{
	const struct users_of_place *u = users_at(f);

	return u && (u->n > 1 || u->v[0].more);
}

const struct user *finding_who_closes(const struct finding *f)
{
	const struct users_of_place *u = users_at(f);
	const struct user *one = NULL;
	uint32_t whose = whose_are(f, u, CAUSE_ID_CLOSED_HERE);

	for (uint32_t i = 0; u && i < u->n; i++) {
		if (!(whose >> i & 1))
			continue;
		if (one)
			return NULL;
		one = &u->v[i];
	}
	return one && !one->more && !u->more &&
			       closes_of_user(f, one, CAUSE_ID_CLOSED_HERE) >=
				       FINDING_LEAST
		       ? one
		       : NULL;
}

/* Of a program whose connections there are not known to have ended, only the cure of what is its
 * own: that others are used again tells of it, where it is alone. */
static void add_cures(struct cause *c)
{
	const struct users_of_place *u = c->users;
	bool alone = u && u->n == 1 && !u->more && c->id == CAUSE_ID_POOL_SMALL;

	for (uint32_t i = 0; u && i < u->n; i++) {
		if ((c->whose >> i & 1) || alone)
			add_cure(c, u->v[i].runtime);
	}
	if (!c->n_cures)
		add_cure(c, RUNTIME_UNKNOWN);
}

bool finding_matters(uint64_t n, uint64_t of)
{
	return n >= FINDING_LEAST && n * 100 >= of * FINDING_LEAST_PERCENT;
}

/* What a missing keep-alive costs is ports: as many as its closes of a minute. Below a
 * hundredth of the way to the cliff that is worth knowing, and no more. */
enum warning_level finding_level(
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

bool finding_has(const struct finding *f, enum cause_id id)
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

	if (!w || finding_has(f, CAUSE_ID_REFUSED) ||
		finding_has(f, CAUSE_ID_RESET_ANSWERED))
		return NULL;
	return id == CAUSE_ID_PEER_EACH && w->count * 2 < n ? NULL : w;
}

/* NULL: it does not matter, or there is no room. */
static struct cause *begin_of(struct finding *f, enum cause_id id,
	enum warning_level level, uint64_t n, uint64_t of)
{
	const struct heard_words *words = words_for(f, id, n);
	struct cause *c;

	if (!finding_matters(n, of))
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
	c->users = users_at(f);
	c->whose = whose_are(f, c->users, id);
	add_cures(c);
	return c;
}

struct cause *finding_begin_as(struct finding *f, enum cause_id id,
	enum warning_level level, uint64_t n, struct text *t)
{
	struct cause *c = begin_of(f, id, level, n, f->p->total);

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

struct cause *finding_begin(
	struct finding *f, enum cause_id id, uint64_t n, struct text *t)
{
	return finding_begin_as(f, id, finding_level(f, id, n), n, t);
}

void finding_end(struct cause *c, struct text *t)
{
	snprintf(c->text, sizeof(c->text), "%s", t->ptr ? t->ptr : "");
	text_fini(t);
}

void finding_add_times(struct finding *f, struct text *t, const struct ages *ages)
{
	struct cluster times[CLUSTERS_MAX];
	uint32_t n = ages_clusters(ages, f->scratch, times);

	for (uint32_t i = 0; i < n; i++) {
		text_add(t, i == 0 ? " after about " : i + 1 < n ? ", " : " and ");
		text_add_duration(t, times[i].at);
	}
}

void finding_tell(struct finding *f, enum cause_id id, uint64_t n, const char *text,
	const struct ages *ages)
{
	struct text t;
	struct cause *c = finding_begin(f, id, n, &t);

	if (!c)
		return;
	text_add(&t, text);
	if (ages)
		finding_add_times(f, &t, ages);
	text_add_char(&t, '.');
	finding_end(c, &t);
}

struct cause *finding_begin_connects(
	struct finding *f, enum cause_id id, uint64_t n, struct text *t)
{
	const struct place *p = f->p;
	uint64_t of = p->total + p->connects_refused + p->connects_unanswered;
	struct cause *c = begin_of(f, id, levels[id], n, of);

	text_init(t);
	if (!c)
		return NULL;
	text_add_count(t, n);
	text_add(t, " connects ");
	return c;
}

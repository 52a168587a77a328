#include "watch/users.h"

void users_init(struct users *u)
{
	*u = (struct users){ 0 };
}

void users_fini(struct users *u)
{
	mem_free(u->v);
	*u = (struct users){ 0 };
}

static struct users_of_place *find(
	const struct users *u, enum tally_side_id side, const struct diag_end *at)
{
	for (uint32_t i = 0; i < u->n; i++) {
		if (u->v[i].side == side && diag_end_eq(&u->v[i].at, at))
			return &u->v[i];
	}
	return NULL;
}

const struct users_of_place *users_find(
	const struct users *u, enum tally_side_id side, const struct diag_end *at)
{
	return find(u, side, at);
}

/* Half is kept for places that have closes: a program may have more destinations than there
 * is room for. */
static bool has_room(const struct users *u, const struct places *places,
	enum tally_side_id side, const struct diag_end *at)
{
	return u->n < USERS_MAX - PLACES_MAX ||
	       (u->n < USERS_MAX && places_find(places, side, at));
}

static struct users_of_place *place_of(struct users *u, const struct places *places,
	enum tally_side_id side, const struct diag_end *at)
{
	struct users_of_place *p = find(u, side, at);

	if (p || !has_room(u, places, side, at))
		return p;
	if (!u->v)
		u->v = mem_alloc(USERS_MAX * sizeof(*u->v));
	u->v[u->n] = (struct users_of_place){ .side = side, .at = *at };
	return &u->v[u->n++];
}

/* NULL: there is no room. */
static struct user *learn(
	struct users *u, struct users_of_place *p, const struct owner *w)
{
	struct user *user;

	for (uint32_t i = 0; i < p->n; i++) {
		if (strcmp(p->v[i].comm, w->comm) != 0)
			continue;
		p->v[i].more = p->v[i].more || p->v[i].pid != w->pid;
		return &p->v[i];
	}
	if (p->n == USERS_OF_PLACE_MAX) {
		u->n_more += !p->more;
		p->more = true;
		return NULL;
	}
	u->n_seen++;
	user = &p->v[p->n++];
	*user = (struct user){ .pid = w->pid, .runtime = runtime_of(w->pid, w->comm) };
	snprintf(user->comm, sizeof(user->comm), "%s", w->comm);
	return user;
}

static void ended(struct users *u, struct user *user)
{
	if (!user || user->ended)
		return;
	user->ended = true;
	u->n_ended++;
}

static void saw_used(struct user *user, enum place_use use)
{
	user->reused = user->reused || use == PLACE_FEW || use == PLACE_MANY;
	user->reused_many = user->reused_many || use == PLACE_MANY;
}

static void count(
	struct user *user, const struct place_close *close, const struct close_verdict *v)
{
	enum place_use use = place_use_of(&close->record->info);
	bool here = close_is_local(v->first);

	if (here && v->why == WHY_AFTER_ANSWER && use != PLACE_MANY) {
		user->closes.here[v->why]++;
		return;
	}
	saw_used(user, use);
	if (v->why != WHY_AFTER_ANSWER || !here)
		(here ? user->closes.here : user->closes.there)[v->why]++;
}

void users_ended(struct users *u, const struct places *places,
	const struct place_close *close, const struct close_verdict *verdict,
	const struct owner *holder)
{
	const struct diag_end *at = close->side == SIDE_OUT ? &close->record->remote
							    : &close->record->local;
	struct users_of_place *p = NULL;
	struct user *user;

	if (close->side != SIDE_UNSURE && close->record->remote.port)
		p = place_of(u, places, close->side, at);
	user = p ? learn(u, p, holder) : NULL;
	ended(u, user);
	if (user && verdict)
		count(user, close, verdict);
}

void users_saw_used(struct users *u, const struct diag_end *at,
	const struct owner *holder, const struct diag_info *info)
{
	struct users_of_place *p = find(u, SIDE_OUT, at);

	for (uint32_t i = 0; p && i < p->n; i++) {
		if (strcmp(p->v[i].comm, holder->comm) == 0)
			saw_used(&p->v[i], place_use_of(info));
	}
}

static bool listens_at(const struct snap_listener *l, const struct diag_end *at)
{
	return l->at.port == at->port &&
	       (diag_ip_is_any(&l->at) || diag_ip_eq(&l->at, at));
}

static void learn_listener(struct users *u, const struct places *places,
	const struct diag_end *at, const struct owners *owners, const struct snap *snap)
{
	for (uint32_t i = 0; i < snap->n_listeners; i++) {
		const struct snap_listener *l = &snap->listeners[i];
		const struct owner *w = listens_at(l, at) ? owners_find(owners, l->inode)
							  : NULL;
		struct users_of_place *p = w ? place_of(u, places, SIDE_IN, at) : NULL;

		if (p)
			ended(u, learn(u, p, w));
	}
}

/* Of a connect that failed, whoever else connects there is good enough. */
static bool is_known(const struct users *u, const struct place *place)
{
	const struct users_of_place *p = find(u, place->side, &place->at);

	if (p && !place->total)
		return true;
	for (uint32_t i = 0; p && i < p->n; i++) {
		if (p->v[i].ended)
			return true;
	}
	return p && p->more;
}

void users_learn(struct users *u, const struct places *places,
	const struct owners *owners, const struct owners_of *of)
{
	const struct snap_sock *s;
	uint32_t i;

	for (i = 0; i < places->n; i++) {
		const struct place *p = places->v[i];

		if (p->side == SIDE_IN && !is_known(u, p))
			learn_listener(u, places, &p->at, owners, of->snap);
	}
	i = 0;
	while ((s = snap_next(of->snap, &i))) {
		const struct owner *w = owners_find(owners, s->inode);
		enum tally_side_id side;
		struct users_of_place *p;

		if (!w)
			continue;
		side = tally_side_of(of->tally, of->ports, &s->local, of->now);
		if (side == SIDE_UNSURE)
			continue;
		p = place_of(u, places, side, side == SIDE_OUT ? &s->remote : &s->local);
		if (p)
			(void)learn(u, p, w);
	}
}

static bool are_missing(const struct users *u, const struct places *p)
{
	for (uint32_t i = 0; i < p->n; i++) {
		if (!is_known(u, p->v[i]))
			return true;
	}
	return false;
}

/* Asked at each wake-up, and neither list ever shrinks. */
bool users_are_missing(struct users *u, const struct places *p)
{
	if (u->asked.places != p->n || u->asked.closes != p->n_closes ||
		u->asked.users != u->n || u->asked.ended != u->n_ended ||
		u->asked.more != u->n_more) {
		u->asked.missing = are_missing(u, p);
		u->asked.places = p->n;
		u->asked.closes = p->n_closes;
		u->asked.users = u->n;
		u->asked.ended = u->n_ended;
		u->asked.more = u->n_more;
	}
	return u->asked.missing;
}

#include "watch/study.h"

#define SAMPLE_EVERY (20 * NS_MS)

enum {
	SAMPLE_SHARE = 20,
	SAMPLE_SHARE_FIRST = 4, /* of the first tries */
	SAMPLE_TRIES_FIRST = 20,
	SAMPLE_TRIES = 500,
	SAMPLE_ROUNDS = 8,
	HEAR_AT_ONCE = 256,
	ASKS_FOR_REUSE = 5,
};

static void on_piece(struct tap_visitor *v, const struct tap_piece *p)
{
	heard_piece(&CONTAINER_OF(v, struct study, on_piece)->heard, p);
}

void study_init(struct study *s)
{
	*s = (struct study){ 0 };
	places_init(&s->places);
	users_init(&s->users);
	snap_init(&s->brief);
	owners_init(&s->owners);
	s->on_piece.on_piece = on_piece;
}

void study_fini(struct study *s)
{
	tap_free(&s->tap);
	owners_fini(&s->owners);
	snap_fini(&s->brief);
	users_fini(&s->users);
	places_fini(&s->places);
}

/* What servers say. */

void study_listen(struct study *s)
{
	s->tap = tap_open();
}

int study_heard_fd(const struct study *s)
{
	return s->tap ? tap_fd(s->tap) : -1;
}

void study_hear(struct study *s)
{
	tap_read(s->tap, &s->on_piece, HEAR_AT_ONCE);
}

/* How open connections have been used. */

struct uses {
	struct diag_visitor visitor;
	struct study *s;
};

static void on_open(struct diag_visitor *v, const struct diag_sock *sock)
{
	struct study *s = CONTAINER_OF(v, struct uses, visitor)->s;
	const struct diag_info *i = &sock->info;
	uint32_t uses = i->data_segs_in < i->data_segs_out ? i->data_segs_in
							   : i->data_segs_out;

	for (uint32_t k = 0; sock->has_info && k < s->n_reuse; k++) {
		if (!diag_end_eq(&s->reuse[k].at, &sock->remote))
			continue;
		s->reuse[k].more_than_once += uses > 1;
		s->reuse[k].many += uses >= PLACE_USES_MANY;
	}
}

/* Zeroed, for the places whose closes ask how other connections fare. */
static void reuse_begin(struct study *s)
{
	s->n_reuse = 0;
	for (uint32_t i = 0; i < s->places.n; i++) {
		const struct place *p = s->places.v[i];

		if (p->side == SIDE_OUT &&
			place_local(p, WHY_AFTER_ANSWER) >= ASKS_FOR_REUSE)
			s->reuse[s->n_reuse++] = (struct place_reuse){ .at = p->at };
	}
}

static void on_open_again(struct diag_visitor *v)
{
	reuse_begin(CONTAINER_OF(v, struct uses, visitor)->s);
}

static void read_reuse(struct study *s, struct diag *diag)
{
	const struct diag_ask ask = { .states = DIAG_BIT(DIAG_ESTABLISHED),
		.info = true };
	struct uses u = { { on_open, on_open_again }, s };
	struct diag_report dump;

	reuse_begin(s);
	if (s->n_reuse && diag_dump(diag, &ask, &u.visitor, &dump) != ERR_OK)
		s->n_reuse = 0;
}

void study_look(struct study *s, const struct study_eyes *eyes,
	const struct owners *owners, const struct owners_of *of)
{
	if (owners)
		users_learn(&s->users, &s->places, owners, of);
	read_reuse(s, eyes->diag);
}

void study_counters(struct study *s, const struct diag_counters *now)
{
	if (!s->begun)
		s->begin = *now;
	s->begun = true;
}

static ns_t clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_S + t.tv_nsec;
}

ns_t study_next_sample(const struct study *s)
{
	return s->tries == SAMPLE_TRIES || !users_are_missing(&s->users, &s->places)
		       ? NS_NEVER
		       : s->next_sample;
}

/* The dump comes after the scan: the newest processes are scanned last. */
static void sample(struct study *s, const struct study_eyes *eyes, ns_t now, bool again)
{
	/* Those that a program may hold. */
	const struct diag_ask ask = {
		.states = DIAG_BIT(DIAG_SYN_SENT) | DIAG_BIT(DIAG_ESTABLISHED) |
			  DIAG_BIT(DIAG_CLOSE_WAIT) | DIAG_BIT(DIAG_LISTEN),
	};
	const struct owners_of of = { eyes->where, &s->brief, eyes->tally, eyes->ports,
		now };
	struct diag_report dump;

	snap_reset(&s->brief);
	owners_scan(&s->owners, eyes->where, again);
	if (diag_dump(eyes->diag, &ask, &s->brief.visitor, &dump) == ERR_OK)
		users_learn(&s->users, &s->places, &s->owners, &of);
}

void study_sample(struct study *s, const struct study_eyes *eyes, ns_t now)
{
	uint32_t known = s->users.n;
	ns_t took;

	if (now < study_next_sample(s))
		return;
	sample(s, eyes, now, false);
	for (int i = 0; i < SAMPLE_ROUNDS && users_are_missing(&s->users, &s->places);
		i++)
		sample(s, eyes, now, true);
	s->tries = s->users.n > known ? 0 : s->tries + 1;
	took = clock_now() - now;
	s->next_sample = now +
			 ns_max(SAMPLE_EVERY, took * (s->tries <= SAMPLE_TRIES_FIRST
								     ? SAMPLE_SHARE_FIRST
								     : SAMPLE_SHARE));
}

void study_find(const struct study *s, struct causes *c, const struct tally *tally,
	const struct diag_counters *now, ns_t since_start_for)
{
	const struct causes_from from = {
		.places = s->begun ? &s->places : NULL,
		.users = &s->users,
		.heard = s->tap ? &s->heard : NULL,
		.tally = tally,
		.before = s->begun ? &s->begin : NULL,
		.now = now,
		.since_start_for = since_start_for,
		.reuse = s->reuse,
		.n_reuse = s->n_reuse,
	};

	causes_find(c, &from);
}

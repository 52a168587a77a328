#include "watch/study.h"

#include <errno.h>

#include "io/clock.h"

#define SAMPLE_EVERY (20 * NS_MS)

/* Deaths, words and signals wait while it lasts: a scan of a host with thousands of processes
 * is not done over and over. */
#define SAMPLE_FOR (100 * NS_MS)

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
	s->deaf = s->tap ? 0 : errno;
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
	const struct places *places;
	struct users *users;
	const struct owners *owners; /* NULL: not asked for */
};

static bool asks_for_reuse(const struct place *p)
{
	return p->side == SIDE_OUT && !p->reused_many &&
	       place_local(p, WHY_AFTER_ANSWER) >= ASKS_FOR_REUSE;
}

static void on_open(struct diag_visitor *v, const struct diag_sock *sock)
{
	const struct uses *u = CONTAINER_OF(v, struct uses, visitor);
	struct place *p = sock->has_info ? places_find(u->places, SIDE_OUT, &sock->remote)
					 : NULL;
	const struct owner *holder = p && u->owners ? owners_find(u->owners, sock->inode)
						    : NULL;

	if (p)
		place_saw_used(p, &sock->info);
	if (holder)
		users_saw_used(u->users, &sock->remote, holder, &sock->info);
}

/* A socket told twice is as it was. */
static void on_open_again(struct diag_visitor *v)
{
	(void)v;
}

/* For places whose closes ask how other connections fare. */
static void read_reuse(struct study *s, struct diag *diag, const struct owners *owners)
{
	const struct diag_ask ask = { .states = DIAG_BIT(DIAG_ESTABLISHED),
		.info = true };
	struct uses u = { { on_open, on_open_again }, &s->places, &s->users, owners };
	struct diag_report dump;
	bool asked = false;

	for (uint32_t i = 0; i < s->places.n; i++)
		asked = asked || asks_for_reuse(s->places.v[i]);
	if (asked && diag_dump(diag, &ask, &u.visitor, &dump) != ERR_OK)
		return; /* at the next look, then */
}

void study_look(struct study *s, const struct study_eyes *eyes,
	const struct owners *owners, const struct owners_of *of)
{
	if (owners)
		users_learn(&s->users, &s->places, owners, of);
	read_reuse(s, eyes->diag, owners);
}

void study_death(struct study *s, const struct place_close *close,
	const struct close_verdict *verdict, const struct owner *holder)
{
	const struct diag_sock *r = close->record;
	const struct snap_sock *was = holder ? NULL
					     : snap_find(
						       &s->brief, &r->local, &r->remote);

	if (was)
		holder = owners_find(&s->owners, was->inode);
	if (holder)
		users_ended(&s->users, &s->places, close, verdict, holder);
}

void study_counters(struct study *s, const struct diag_counters *now)
{
	if (!s->begun)
		s->begin = *now;
	s->begun = true;
}

ns_t study_next_sample(struct study *s)
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
	uint32_t seen = s->users.n_seen, ended = s->users.n_ended;
	ns_t took;

	if (now < study_next_sample(s))
		return;
	sample(s, eyes, now, false);
	for (int i = 0; i < SAMPLE_ROUNDS && clock_now() - now < SAMPLE_FOR &&
			s->users.n_seen == seen;
		i++)
		sample(s, eyes, now, true);
	s->tries = s->users.n_seen > seen || ended > s->ended ? 0 : s->tries + 1;
	s->ended = ended;
	took = clock_now() - now;
	s->next_sample = now +
			 ns_max(SAMPLE_EVERY, took * (s->tries <= SAMPLE_TRIES_FIRST
								     ? SAMPLE_SHARE_FIRST
								     : SAMPLE_SHARE));
}

void study_find(struct study *s, struct causes *c, const struct tally *tally,
	const struct diag_counters *now, ns_t since_start_for)
{
	if (s->tap)
		s->heard.lost = tap_lost(s->tap);

	const struct causes_from from = {
		.places = s->begun ? &s->places : NULL,
		.users = &s->users,
		.heard = s->tap ? &s->heard : NULL,
		.tally = tally,
		.before = s->begun ? &s->begin : NULL,
		.now = now,
		.since_start_for = since_start_for,
	};

	causes_find(c, &from);
}

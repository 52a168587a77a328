#include "attr/places.h"

void places_init(struct places *p)
{
	*p = (struct places){ 0 };
}

void places_fini(struct places *p)
{
	for (uint32_t i = 0; i < p->n; i++)
		mem_free(p->v[i]);
	mem_free(p->v);
	*p = (struct places){ 0 };
}

struct place *places_find(
	const struct places *p, enum tally_side_id side, const struct diag_end *at)
{
	for (uint32_t i = 0; i < p->n; i++) {
		if (p->v[i]->side == side && diag_end_eq(&p->v[i]->at, at))
			return p->v[i];
	}
	return NULL;
}

static struct place *place_of(
	struct places *p, enum tally_side_id side, const struct diag_end *at)
{
	struct place *found = places_find(p, side, at);

	if (found || p->n == PLACES_MAX)
		return found;
	if (!p->v)
		p->v = mem_alloc(PLACES_MAX * sizeof(struct place *));
	found = mem_zalloc(sizeof(*found));
	found->side = side;
	found->at = *at;
	p->v[p->n++] = found;
	return found;
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* At least so many messages, if each but its end went in full segments. */
static uint32_t messages(uint32_t segs, uint64_t bytes, uint32_t mss)
{
	uint64_t full = mss ? bytes / mss : 0;

	return full < segs ? segs - (uint32_t)full : segs > 0;
}

/* Taken for what the other side's segments hold, too: where those hold less, a long answer looks
 * like several messages, and the lesser of both ways counts. A segment that is sent again counts
 * as often in either count of what was sent. */
static uint32_t exchanges(const struct diag_info *i)
{
	return lesser(messages(i->data_segs_out, i->bytes_sent, i->mss),
		messages(i->data_segs_in, i->bytes_received, i->mss));
}

enum place_use place_use_of(const struct diag_info *i)
{
	uint32_t proven = exchanges(i);

	if (lesser(i->data_segs_in, i->data_segs_out) <= 1)
		return PLACE_ONCE;
	if (proven <= 1)
		return PLACE_PIECES;
	return proven < PLACE_USES_MANY ? PLACE_FEW : PLACE_MANY;
}

void place_saw_used(struct place *p, const struct diag_info *info)
{
	enum place_use use = place_use_of(info);

	p->reused = p->reused || use == PLACE_FEW || use == PLACE_MANY;
	p->reused_many = p->reused_many || use == PLACE_MANY;
}

static void count_use(struct place_uses *u, const struct diag_info *i)
{
	uint32_t segs = lesser(i->data_segs_in, i->data_segs_out);
	enum place_use use = place_use_of(i);

	u->n[use]++;
	if (use == PLACE_ONCE)
		return;
	if (!u->alike)
		u->alike_uses = segs;
	u->alike += segs == u->alike_uses;
}

static struct ages *ages_here(struct place *p, enum close_why why)
{
	if (why == WHY_NO_ANSWER)
		return &p->gave_up;
	if (why == WHY_IDLE)
		return &p->idle;
	return why == WHY_SILENCE ? &p->silent : NULL;
}

static struct ages *ages_peer(struct place *p, enum close_why why)
{
	if (why == WHY_NO_ANSWER)
		return &p->peer_left;
	return why == WHY_IDLE ? &p->peer_idle : NULL;
}

enum {
	JUST_ANSWERED_MS = 500, /* an idle connection that is reset is something else */
	SAME_TIME_MS = 20,
	JUST_SAID_MS = 100,
	SENT_AGAIN = 3,
	LEFT_BEFORE_MS = 50, /* more than an acknowledgement is delayed by */
	GOODBYE_BYTES = 40,  /* a record of TLS 1.2 with its alert, and the FIN */
};

static void put_age(struct ages *ages, ns_t age)
{
	if (age != NS_NEVER)
		ages_put(ages, age);
}

/* The question came, then a segment without data, such as a FIN, and then the answer was sent
 * and reset: nobody waited for it. More segments of answers than of questions may be a stream,
 * of which the caller has had a part. */
static bool had_left(const struct diag_sock *record)
{
	const struct diag_info *i = &record->info;

	return record->wqueue && i->data_segs_in && i->data_segs_out &&
	       (!i->bytes_acked || i->data_segs_out <= i->data_segs_in) &&
	       i->last_sent_ms <= JUST_SAID_MS &&
	       i->last_ack_ms > i->last_sent_ms + LEFT_BEFORE_MS &&
	       i->last_recv_ms > i->last_ack_ms + SAME_TIME_MS;
}

/* What was said last went again and again while nothing came. A probe for an acknowledgement that
 * is a little late goes once, and over a long life there are some. */
static bool was_not_taken(const struct diag_sock *record)
{
	const struct diag_info *i = &record->info;

	return record->wqueue && i->bytes_sent &&
	       i->bytes_retrans >= (uint64_t)SENT_AGAIN * record->wqueue &&
	       i->bytes_retrans * i->data_segs_out >= SENT_AGAIN * i->bytes_sent &&
	       i->bytes_retrans * 10 >= i->bytes_sent &&
	       i->last_ack_ms >= i->last_sent_ms + JUST_ANSWERED_MS;
}

static void span_add(struct place_span *s, ns_t at)
{
	if (!s->n++)
		s->first = at;
	s->last = at;
}

static void count_reset(
	struct place *p, const struct place_close *close, const struct close_verdict *v)
{
	const struct diag_sock *record = close->record;
	const struct diag_info *i = &record->info;

	if (was_not_taken(record)) {
		p->reset_resent++;
		return;
	}
	if (p->side == SIDE_IN && had_left(record)) {
		p->reset_left++;
		ages_put(&p->peer_left, (i->last_recv_ms - i->last_ack_ms) * NS_MS);
		return;
	}
	if (!i->data_segs_out || !i->data_segs_in) {
		p->reset_unanswered += !i->data_segs_in;
		return;
	}
	if (i->last_recv_ms > JUST_ANSWERED_MS) {
		if (i->last_sent_ms > JUST_SAID_MS)
			return;
		p->reset_idle++;
		put_age(&p->peer_idle,
			v->age == NS_NEVER ? NS_NEVER : i->last_recv_ms * NS_MS);
	} else if (i->data_segs_out == 1) {
		p->reset_answered++; /* before it was asked, perhaps */
	} else if (i->last_sent_ms <= i->last_recv_ms &&
		   i->last_recv_ms - i->last_sent_ms <= SAME_TIME_MS) {
		p->reset_goodbye++;
	} else {
		p->reset_recent += i->last_sent_ms <= JUST_SAID_MS;
		if (close->seen)
			span_add(&p->reset_seen, close->at);
	}
}

bool place_is_goodbye(const struct diag_sock *record)
{
	return record->rqueue <= GOODBYE_BYTES;
}

static void count_use_of(struct place *place, const struct place_close *close,
	const struct close_verdict *v)
{
	const struct diag_info *i = &close->record->info;
	bool by_peer = v->first == CLOSE_PEER && v->why == WHY_AFTER_ANSWER;

	if (v->why == WHY_AFTER_ANSWER && close_is_local(v->first))
		count_use(&place->by_us, i);
	else
		place_saw_used(place, i);
	if (by_peer)
		count_use(&place->by_peer, i);
	if (close->seen && v->age != NS_NEVER && v->first == CLOSE_PEER &&
		(v->why == WHY_IDLE || v->why == WHY_UNKNOWN ||
			(by_peer && place_use_of(i) != PLACE_ONCE)))
		span_add(&place->by_peer_used, close->at);
}

bool place_is_tied(const struct diag_info *i)
{
	return i->last_sent_ms == i->last_recv_ms;
}

/* A server that reaps an idle connection says goodbye before its FIN, and a program that has not
 * looked leaves both unread. One that came a moment before the close may be behind a slow answer. */
static void count_goodbye(struct place *p, const struct diag_info *i)
{
	p->unread_goodbye++;
	if (p->side != SIDE_OUT || i->last_recv_ms <= JUST_SAID_MS ||
		i->last_sent_ms <= i->last_recv_ms + JUST_ANSWERED_MS)
		return;
	p->idle_goodbye++;
	ages_put(&p->goodbye, (i->last_sent_ms - i->last_recv_ms) * NS_MS);
}

static void count_kind(struct place *place, const struct place_close *close,
	const struct close_verdict *v)
{
	const struct diag_sock *record = close->record;

	if (v->why == WHY_IDLE && close_is_local(v->first)) {
		place->idle_few += place_use_of(&record->info) != PLACE_MANY;
		if (place_is_tied(&record->info)) {
			place->idle_tied++;
			put_age(&place->tied, v->age);
		}
	}
	if (v->why == WHY_IDLE && v->first == CLOSE_PEER)
		place->peer_idle_once += place_use_of(&record->info) == PLACE_ONCE;
	if (v->why == WHY_REFUSED && place->side == SIDE_OUT)
		place->greeted += record->rqueue >= 2;
	if (v->why == WHY_UNREAD && place_is_goodbye(record))
		count_goodbye(place, &record->info);
	else if (v->why == WHY_UNREAD)
		put_age(&place->unread, v->age);
	if (v->why == WHY_PEER_RESET)
		count_reset(place, close, v);
}

void places_death(
	struct places *p, const struct place_close *close, const struct close_verdict *v)
{
	const struct diag_sock *record = close->record;
	bool known = close->side != SIDE_UNSURE && record->remote.port != 0;
	struct place *place = known ? place_of(p, close->side,
					      close->side == SIDE_OUT ? &record->remote
								      : &record->local)
				    : NULL;
	struct ages *ages;

	if (!place) {
		p->elsewhere++;
		return;
	}
	place->count[v->first][v->why]++;
	p->n_closes += !place->total++;
	count_kind(place, close, v);
	count_use_of(place, close, v);
	ages = close_is_local(v->first) ? ages_here(place, v->why)
	       : v->first == CLOSE_PEER ? ages_peer(place, v->why)
					: NULL;
	if (ages)
		put_age(ages, v->age);
}

void places_connect(
	struct places *p, const struct diag_sock *record, enum tally_side_id side)
{
	const struct diag_info *i = &record->info;
	struct place *place;

	if (side != SIDE_OUT || !record->remote.port || !record->has_info ||
		!i->segs_out || i->bytes_acked)
		return;
	/* A scan of ports leaves room for connections. */
	place = p->n < PLACES_MAX / 2 ? place_of(p, side, &record->remote)
				      : places_find(p, side, &record->remote);
	if (!place)
		return;
	if (i->segs_in) {
		place->connects_refused++;
	} else {
		place->connects_unanswered++;
		place->connects_resent += i->segs_out > 1;
	}
}

void places_end(struct places *p, const struct place_end *end)
{
	struct place *place = places_find(p, end->side, &end->at);
	struct place_uses *u = place ? &place->by_us : NULL;

	if (!place)
		return;
	if (end->why == WHY_IDLE) {
		ages_back(&place->idle, end->age);
		place->idle_few -= end->use != PLACE_MANY && place->idle_few;
		if (end->tied && place->idle_tied) {
			place->idle_tied--;
			ages_back(&place->tied, end->age);
		}
	} else if (end->why == WHY_UNREAD) {
		ages_back(&place->unread, end->age);
		place->unread_ended++;
	} else if (end->why == WHY_NO_ANSWER) {
		place->gave_up_ended++;
	} else if (end->use != PLACE_ONCE) {
		u->n[end->use] -= u->n[end->use] > 0;
	}
}

uint64_t place_local(const struct place *p, enum close_why why)
{
	return p->count[CLOSE_LOCAL][why] + p->count[CLOSE_LOCAL_OR_BOTH][why];
}

#include "attr/closes.h"

/* "Just now": a socket dies when its FIN is acknowledged, which a peer may delay by 40 ms
 * and a round trip. */
#define JUST_NOW (100 * NS_MS)

/* Shorter ages are of one or two of the kernel's ticks: a caller that did not wait. */
#define TIMEOUT_MIN (10 * NS_MS)

/* So long a peer lets its acknowledgement of a FIN wait if it does not close itself. */
#define ACK_WAITS (40 * NS_MS)

/* From a word said in going, as TLS's goodbye, to the FIN that follows it: a turn of a busy
 * program's loop, and a late acknowledgement. */
#define GOODBYE_MAX (40 * NS_MS)

static const char *const first_names[CLOSE_FIRST_COUNT] = {
	[CLOSE_LOCAL] = "local",
	[CLOSE_LOCAL_OR_BOTH] = "local-or-both",
	[CLOSE_PEER] = "peer",
	[CLOSE_BOTH] = "both",
	[CLOSE_RESET] = "reset",
	[CLOSE_UNKNOWN] = "unknown",
};

static const char *const why_names[WHY_COUNT] = {
	[WHY_UNKNOWN] = "unknown",
	[WHY_AFTER_ANSWER] = "after-answer",
	[WHY_IDLE] = "idle",
	[WHY_SILENCE] = "silence",
	[WHY_NO_ANSWER] = "no-answer",
	[WHY_REFUSED] = "refused",
	[WHY_UNREAD] = "unread-data",
	[WHY_ABORT] = "abort",
	[WHY_PEER_RESET] = "peer-reset",
	[WHY_UNUSED] = "unused",
};

const char *close_first_name(enum close_first f)
{
	CHECK(f < CLOSE_FIRST_COUNT);
	return first_names[f];
}

const char *close_why_name(enum close_why w)
{
	CHECK(w < WHY_COUNT);
	return why_names[w];
}

bool close_is_local(enum close_first f)
{
	return f == CLOSE_LOCAL || f == CLOSE_LOCAL_OR_BOTH;
}

/* Reading a record. */

/* tcp_disconnect(), which an abort goes through, clears the counts and the remote port. */
static bool all_zero(const struct diag_info *i)
{
	return i->segs_in == 0 && i->segs_out == 0 && i->bytes_acked == 0 &&
	       i->bytes_received == 0;
}

/*
 * It also moves write_seq on by the peer's largest window and 2, which shows as the send
 * queue. A connect that failed has no such window: its queue is the SYN and the 2.
 */
static bool was_aborted(const struct diag_sock *r)
{
	return all_zero(&r->info) && r->wqueue > 3;
}

bool closes_is_connection(const struct diag_sock *r, enum tally_side_id side)
{
	if (!r->has_info)
		return false;
	if (all_zero(&r->info))
		return was_aborted(r);
	/* Who connects has its SYN acknowledged, or the connect failed. */
	return r->remote.port != 0 && (side != SIDE_OUT || r->info.bytes_acked > 0);
}

static uint64_t data_sent(const struct diag_info *i)
{
	return i->bytes_sent > i->bytes_retrans ? i->bytes_sent - i->bytes_retrans : 0;
}

enum fin { FIN_ACKED, FIN_NOT_ACKED, FIN_UNSURE };

static enum fin fin_of(const struct diag_sock *r, enum tally_side_id side)
{
	uint64_t sent = data_sent(&r->info);
	uint64_t acked = r->info.bytes_acked;

	if (acked < sent || r->wqueue > 0)
		return FIN_NOT_ACKED;
	switch (side) {
	case SIDE_IN:
		return acked - sent >= 1 ? FIN_ACKED : FIN_NOT_ACKED;
	case SIDE_OUT:
		return acked - sent >= 2 ? FIN_ACKED : FIN_NOT_ACKED;
	case SIDE_UNSURE:
	case SIDE_COUNT:
		break;
	}
	/* Two more can only be SYN and FIN; none is neither; one is either. */
	if (acked - sent == 1)
		return FIN_UNSURE;
	return acked > sent ? FIN_ACKED : FIN_NOT_ACKED;
}

static bool stands_in(enum diag_state s)
{
	return s == DIAG_TIME_WAIT || s == DIAG_FIN_WAIT2 || s == DIAG_FIN_WAIT1 ||
	       s == DIAG_CLOSING;
}

static enum close_first first_standing(const struct close_found *f)
{
	if (!f->mirror_in_sight)
		/* FIN_WAIT2 has our FIN acknowledged and the peer's not arrived. */
		return f->own == DIAG_FIN_WAIT2 ? CLOSE_LOCAL : CLOSE_LOCAL_OR_BOTH;
	if (stands_in(f->mirror))
		return CLOSE_BOTH;
	return CLOSE_LOCAL;
}

/* The kernel takes the ages from a queue of work, which a busy machine lets wait. What ended
 * the connection was acknowledged at its end: ages count from there. */
static ns_t age_at_end(const struct diag_info *i, uint32_t age_ms)
{
	return age_ms > i->last_ack_ms ? (age_ms - i->last_ack_ms) * NS_MS : 0;
}

/* What the two sides said last, and how long before the end. */
struct last_words {
	bool spoke, heard;
	ns_t sent, received;
	ns_t just_now, at_once;
};

static struct last_words last_words_of(const struct diag_info *i)
{
	ns_t trips = 2 * (ns_t)i->rtt_us * NS_US;

	return (struct last_words){
		.spoke = i->data_segs_out > 0,
		/* What came after this side had closed counts as a segment, not as bytes. */
		.heard = i->data_segs_in > 0 && i->bytes_received > 0,
		.sent = age_at_end(i, i->last_sent_ms),
		.received = age_at_end(i, i->last_recv_ms),
		.just_now = JUST_NOW + trips,
		.at_once = GOODBYE_MAX + trips,
	};
}

/* The last word was a question of the side that connected, said at once before the close:
 * nobody waited for an answer. */
static enum close_why why_of_goodbye(
	const struct last_words *w, enum tally_side_id side, enum close_first first)
{
	ns_t before = side == SIDE_OUT ? w->received : w->sent;

	/* Who answers may have closed on a question. */
	if (side == SIDE_IN ? close_is_local(first) : first == CLOSE_PEER)
		return WHY_UNKNOWN;
	return before <= w->just_now ? WHY_AFTER_ANSWER : WHY_SILENCE;
}

/* A quick server leaves a question and its answer in one tick; a caller that asks again at
 * once, an answer and the next question. More segments of questions than of answers may be
 * that, or a question that went in two. */
static enum close_why why_of_tie(const struct diag_info *i, enum tally_side_id side)
{
	uint32_t asked = side == SIDE_OUT ? i->data_segs_out : i->data_segs_in;
	uint32_t answered = side == SIDE_OUT ? i->data_segs_in : i->data_segs_out;

	if (asked <= answered || i->bytes_retrans)
		return WHY_IDLE;
	return asked % answered || asked == 2 ? WHY_SILENCE : WHY_IDLE;
}

/* Who spoke last is who has the younger data. Sending and receiving within the same tick
 * counts as an answer, for what comes right after it. */
static enum close_why why_by_ages(const struct diag_info *info,
	const struct last_words *w, enum tally_side_id side, enum close_first first)
{
	bool out = side == SIDE_OUT;
	bool asked = out ? w->spoke : w->heard, answered = out ? w->heard : w->spoke;
	ns_t question = out ? w->sent : w->received, answer = out ? w->received : w->sent;

	if (!asked && !answered)
		return WHY_UNUSED;
	/* The side that connected asks, the side that accepted answers. Who greets its callers
	 * and is left by them has refused nobody. */
	if (!asked)
		return (first == CLOSE_PEER) == out ? WHY_REFUSED : WHY_UNKNOWN;
	if (!answered)
		return WHY_NO_ANSWER;
	if (question < answer)
		return question > w->at_once ? WHY_NO_ANSWER
					     : why_of_goodbye(w, side, first);
	if (answer <= w->just_now)
		return WHY_AFTER_ANSWER;
	return question == answer ? why_of_tie(info, side) : WHY_IDLE;
}

static ns_t age_of(const struct last_words *w, enum close_why why)
{
	ns_t sent = w->spoke ? w->sent : NS_NEVER;
	ns_t received = w->heard ? w->received : NS_NEVER;

	switch (why) {
	case WHY_AFTER_ANSWER:
	case WHY_IDLE:
	case WHY_NO_ANSWER:
		return ns_min(sent, received);
	case WHY_SILENCE: /* before the last word */
		return ns_max(w->sent, w->received);
	case WHY_UNKNOWN:
	case WHY_REFUSED:
	case WHY_UNREAD:
	case WHY_ABORT:
	case WHY_PEER_RESET:
	case WHY_UNUSED:
	case WHY_COUNT:
		break;
	}
	return 0;
}

/* What the acknowledgement of this side's FIN took, by which its end is later than its close. What
 * was said before had its own, so of a connection that said much it is known only where the
 * peer has not closed. */
static ns_t fin_took(const struct diag_info *i, enum diag_state stands)
{
	ns_t trip = (ns_t)i->min_rtt_us * NS_US, busy = (ns_t)i->busy_us * NS_US;

	if (i->data_segs_out > 1 && stands != DIAG_FIN_WAIT2)
		return 0;
	return ns_min(ns_max(busy - trip * i->data_segs_out, 0), ACK_WAITS + trip);
}

static void tell_why(struct close_verdict *v, const struct diag_sock *r,
	enum tally_side_id side, enum diag_state stands)
{
	struct last_words w = last_words_of(&r->info);

	if (side == SIDE_UNSURE)
		return;
	v->why = why_by_ages(&r->info, &w, side, v->first);
	v->age = age_of(&w, v->why);
	if (close_is_local(v->first) && v->age)
		v->age = ns_max(v->age - fin_took(&r->info, stands), 1);
}

/* The side that accepted answered and left all that came unread: it wrote without looking.
 * The side that connected was answered before it had asked. */
static bool was_refused(const struct diag_sock *r, enum tally_side_id side)
{
	const struct diag_info *i = &r->info;

	if (side == SIDE_IN)
		return i->data_segs_out > 0 && r->rqueue >= 2 &&
		       r->rqueue >= i->bytes_received;
	return side == SIDE_OUT && i->data_segs_out == 0 && i->data_segs_in > 0;
}

static void judge_reset(
	struct close_verdict *v, const struct diag_sock *r, enum tally_side_id side)
{
	v->first = CLOSE_RESET;
	if (was_refused(r, side)) {
		v->why = WHY_REFUSED;
	} else if (r->rqueue >= 2) {
		v->why = WHY_UNREAD;
		v->age = r->info.last_sent_ms * NS_MS;
	} else {
		v->why = WHY_PEER_RESET;
	}
}

/* A FIN of the peer's that nobody has read would stand in the queue. */
static bool may_be_late(const struct diag_sock *r, const struct close_found *found)
{
	return !found->mirror_in_sight && r->rqueue == 0;
}

/* Both FINs are through, and nothing is left here. */
static enum close_first first_gone(
	const struct diag_sock *r, const struct close_found *found)
{
	/* No FIN of the peer's arrived, so this was FIN_WAIT: ended by a reset when data
	 * came for a program that had closed. */
	if (r->info.bytes_received == 0)
		return CLOSE_LOCAL;
	if (found->mirror_in_sight && found->mirror == DIAG_UNKNOWN)
		return CLOSE_RESET; /* a peer that was first would stand */
	if (!may_be_late(r, found))
		return CLOSE_PEER;
	switch (found->late) {
	case LATE_NOT_ASKED:
	case LATE_NONE:
		return CLOSE_PEER;
	case LATE_ALL:
		return CLOSE_LOCAL;
	case LATE_SOME:
		break;
	}
	return CLOSE_UNKNOWN;
}

enum tally_side_id closes_side(const struct diag_sock *r, enum diag_state own)
{
	uint64_t sent = data_sent(&r->info), acked = r->info.bytes_acked;

	if (own != DIAG_TIME_WAIT && own != DIAG_FIN_WAIT2)
		return SIDE_UNSURE;
	if (acked == sent + 2)
		return SIDE_OUT;
	return acked == sent + 1 ? SIDE_IN : SIDE_UNSURE;
}

enum close_late_part closes_late_part(const struct diag_sock *record,
	enum tally_side_id side, const struct close_found *found)
{
	if (was_aborted(record))
		return LATE_PART_EXPLAINED;
	if (stands_in(found->own) || fin_of(record, side) != FIN_ACKED)
		return LATE_PART_NO;
	switch (first_gone(record, found)) {
	case CLOSE_LOCAL:
	case CLOSE_RESET:
		return LATE_PART_EXPLAINED;
	case CLOSE_PEER:
	case CLOSE_UNKNOWN:
	case CLOSE_LOCAL_OR_BOTH:
	case CLOSE_BOTH:
	case CLOSE_FIRST_COUNT:
		break;
	}
	return may_be_late(record, found) ? LATE_PART_OPEN : LATE_PART_NO;
}

struct close_verdict closes_judge(const struct diag_sock *r, enum tally_side_id side,
	const struct close_found *found)
{
	struct close_verdict v = { CLOSE_UNKNOWN, WHY_UNKNOWN, 0 };

	if (was_aborted(r)) {
		v.first = CLOSE_RESET;
		v.why = WHY_ABORT;
		return v;
	}
	if (stands_in(found->own)) {
		v.first = first_standing(found);
		tell_why(&v, r, side, found->own);
		return v;
	}
	switch (fin_of(r, side)) {
	case FIN_ACKED:
		v.first = first_gone(r, found);
		tell_why(&v, r, side, found->own);
		break;
	case FIN_NOT_ACKED:
		judge_reset(&v, r, side);
		break;
	case FIN_UNSURE:
		break;
	}
	return v;
}

/* Counting. */

void closes_init(struct closes *c)
{
	*c = (struct closes){ 0 };
}

void closes_fini(struct closes *c)
{
	for (size_t i = 0; i < SIDE_COUNT * WHY_COUNT; i++) {
		struct hist **h = &c->ages[i / WHY_COUNT][i % WHY_COUNT];

		if (*h)
			hist_free(h);
	}
	*c = (struct closes){ 0 };
}

void closes_reset(struct closes *c)
{
	closes_fini(c);
}

static void age_record(struct hist **h, ns_t age)
{
	if (!*h)
		*h = hist_new();
	hist_record(*h, age);
}

bool closes_has_ages(enum close_first first, enum close_why why)
{
	return close_is_local(first) &&
	       (why == WHY_NO_ANSWER || why == WHY_IDLE || why == WHY_SILENCE);
}

struct close_verdict closes_death(struct closes *c, const struct diag_sock *record,
	enum tally_side_id side, const struct close_found *found)
{
	struct close_verdict v = { CLOSE_UNKNOWN, WHY_UNKNOWN, 0 };

	if (!closes_is_connection(record, side)) {
		c->never_open++;
		return v;
	}
	v = closes_judge(record, side, found);
	c->count[side][v.first][v.why]++;
	c->total++;
	if (closes_has_ages(v.first, v.why))
		age_record(&c->ages[side][v.why], v.age);
	return v;
}

void closes_idle_back(struct closes *c, enum tally_side_id side, ns_t age)
{
	hist_take_back(c->ages[side][WHY_IDLE], age);
}

/* Sums. */

void closes_counters(struct closes *c, const struct diag_counters *now)
{
	if (!c->has_counters)
		c->begin = *now;
	c->has_counters = true;
	c->last = *now;
}

uint64_t closes_sum_first(
	const struct closes *c, enum tally_side_id side, enum close_first first)
{
	uint64_t sum = 0;

	for (size_t w = 0; w < WHY_COUNT; w++)
		sum += c->count[side][first][w];
	return sum;
}

uint64_t closes_sum_why(
	const struct closes *c, enum tally_side_id side, enum close_why why)
{
	uint64_t sum = 0;

	for (size_t f = 0; f < CLOSE_FIRST_COUNT; f++)
		sum += c->count[side][f][why];
	return sum;
}

uint64_t closes_unseen_local(const struct closes *c)
{
	uint64_t kernel = c->last.tw - c->begin.tw;
	uint64_t told = 0;

	for (int side = 0; side < SIDE_COUNT; side++) {
		told += closes_sum_first(c, side, CLOSE_LOCAL);
		told += closes_sum_first(c, side, CLOSE_LOCAL_OR_BOTH);
		told += closes_sum_first(c, side, CLOSE_BOTH);
	}
	return kernel > told ? kernel - told : 0;
}

bool closes_cluster(const struct hist *ages, ns_t *at)
{
	ns_t low;

	if (!ages || hist_count(ages) < 5)
		return false;
	low = hist_quantile(ages, 0.1);
	*at = low;
	return low >= TIMEOUT_MIN &&
	       hist_quantile(ages, 0.8) <= low + ns_max(low / 10, 50 * NS_MS);
}

/*
 * places: closes by where: the destination of connections made here, the listening end of
 * those accepted.
 *
 * MODEL   What a place has that a plain count has not: how often its connections were used
 *         before they ended, by the segments of data that went each way. One, either way, means
 *         one exchange at most. Several may be one, too, in pieces: those that do not fit
 *         into full segments prove others. TLS shakes hands, which is an exchange here.
 *         An abort forgets its destination: it is counted for no place.
 * RULES   1. Bounded: PLACES_MAX places, the first that came; what others had is counted
 *            in `elsewhere`.
 * OWNS    its places, until places_fini.
 */
#ifndef WEIR_ATTR_PLACES_H
#define WEIR_ATTR_PLACES_H

#include "attr/ages.h"

enum { PLACES_MAX = 256 };

/* More than the handshake of TLS and one exchange under it need. */
enum { PLACE_USES_MANY = 5 };

enum place_use {
	PLACE_ONCE,   /* one exchange at most */
	PLACE_PIECES, /* one in pieces, or several */
	PLACE_FEW,    /* several: one exchange under TLS, or some */
	PLACE_MANY,   /* PLACE_USES_MANY or more */
	PLACE_USE_COUNT
};

/* How often connections had been used, of closes of one kind. */
struct place_uses {
	uint32_t n[PLACE_USE_COUNT];
	uint32_t alike; /* of those not PLACE_ONCE, with as many segments as the first */
	uint32_t alike_uses; /* so many, of the way that had less */
};

/* When closes of one kind came. */
struct place_span {
	uint64_t n;
	ns_t first, last;
};

struct place {
	enum tally_side_id side;
	struct diag_end at;
	uint64_t count[CLOSE_FIRST_COUNT][WHY_COUNT];
	uint64_t total;
	/* A connection was seen that had been used more than once, many times: open, or ended
	 * otherwise than by this side right after an answer. */
	bool reused, reused_many;
	/* Connects that failed, of which `total` counts none: refused; without a segment in
	 * answer (an ICMP message is none), of these those whose SYN was sent again. */
	uint64_t connects_refused, connects_unanswered, connects_resent;
	/* Closed by the peer while idle, with the last word this side's of a moment before, or after
	 * an answer but not the first; of those that a look had shown, and less those of an age
	 * that is not to be told. */
	struct place_span by_peer_used;
	/* Of WHY_REFUSED: this side had not asked, and left the server's greeting unread. */
	uint64_t greeted;
	/* Of WHY_PEER_RESET: the one question had just been answered; both had spoken last at
	 * the same time, as when TLS's goodbyes cross a close; a word after a silence, which
	 * found the peer gone; one not long after an answer, which under TLS is a goodbye. */
	uint64_t reset_answered, reset_goodbye, reset_idle, reset_recent;
	/* And, before these: what was said last had to be sent again; of accepted ones, the
	 * caller had left as the answer came. */
	uint64_t reset_resent, reset_left;
	/* Of those that none of these count: no byte had come; a look had shown them. */
	uint64_t reset_unanswered;
	struct place_span reset_seen;
	/* Of idle closes by this side: used less than many times; the last question and the last
	 * answer are of one tick, and the question may be the later. */
	uint64_t idle_few, idle_tied;
	uint64_t peer_idle_once; /* of idle closes by the peer: one exchange at most */
	/* Of WHY_UNREAD: no more than TLS's goodbye; others, as their program ended. */
	uint64_t unread_goodbye, unread_ended;
	uint64_t gave_up_ended; /* of local WHY_NO_ANSWER: as their program ended */
	/* Of unread_goodbye, those that came long after the last question, and some time before the
	 * close: how long after it. */
	uint64_t idle_goodbye;
	struct ages goodbye;
	struct place_uses by_us, by_peer;  /* of closes right after an answer */
	struct ages gave_up, idle, silent; /* closed by this side */
	struct ages tied;                  /* of these, idle_tied */
	/* By the peer: idle (reset_idle, too); without an answer (reset_left, too). */
	struct ages peer_idle, peer_left;
	struct ages unread; /* from the last question on */
};

struct places {
	struct place **v;
	uint32_t n, n_closes; /* of these, such that have closes */
	uint64_t elsewhere;
};

struct place_close {
	const struct diag_sock *record;
	enum tally_side_id side;
	ns_t at;
	bool seen; /* a look had shown it: it was no short one */
};

/* A close that was counted and turned out to be the end of its program. */
struct place_end {
	enum tally_side_id side;
	struct diag_end at;
	/* WHY_IDLE: its age is taken back, as by closes_idle_back; WHY_AFTER_ANSWER: how it was used,
	 * unless it was used once, as by a program that has one call to make; WHY_UNREAD, but for a
	 * goodbye; WHY_NO_ANSWER: it is only counted. */
	enum close_why why;
	ns_t age;
	enum place_use use;
	bool tied; /* place_is_tied */
};

void places_init(struct places *p);
void places_fini(struct places *p);
/* NULL: none. */
struct place *places_find(
	const struct places *p, enum tally_side_id side, const struct diag_end *at);
/* Counts one death that was judged so. */
void places_death(struct places *p, const struct place_close *close,
	const struct close_verdict *verdict);
/* A death that was no connection's (closes_is_connection): of a connect that failed, perhaps. */
void places_connect(
	struct places *p, const struct diag_sock *record, enum tally_side_id side);
void places_end(struct places *p, const struct place_end *end);

/* Of bytes left unread, no more than TLS's goodbye. */
bool place_is_goodbye(const struct diag_sock *record);
enum place_use place_use_of(const struct diag_info *info);
/* The last question and the last answer are of one tick. */
bool place_is_tied(const struct diag_info *info);
/* A connection of the place as it has been used so far. */
void place_saw_used(struct place *p, const struct diag_info *info);
/* By this side alone or, for all that is known, with the peer at once. */
uint64_t place_local(const struct place *p, enum close_why why);

#endif

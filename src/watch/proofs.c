#include "watch/proofs.h"

#include "base/units.h"

enum {
	MOST_PERCENT = 80, /* "nearly all" */
	ALIKE_PERCENT = 10,
};

/* A server that ends closes what it holds in one go. */
#define AT_ONCE (500 * NS_MS)

/* Who hears nothing cannot tell. */
static bool may_be_tls(const struct finding *f)
{
	return !f->from->heard || finding_is_tls(f);
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

/* Where `Connection: close` was said, the one side closes and the other does as well: who is first
 * is chance. */
static bool ends_with_server(const struct finding *f)
{
	const struct place_uses *us = &f->p->by_us, *peer = &f->p->by_peer;

	return nearly_all(peer->n[PLACE_ONCE], uses_sum(peer)) &&
	       nearly_all(us->n[PLACE_ONCE], uses_sum(us)) &&
	       peer->n[PLACE_ONCE] >= us->n[PLACE_ONCE] &&
	       finding_matters(peer->n[PLACE_ONCE], f->p->total);
}

/* What closes right after an answer, by this side, tell of those that are not closed. */
enum reuse {
	REUSE_NONE,    /* each is used once */
	REUSE_HIDDEN,  /* TLS's handshake may be all that looks like a second use */
	REUSE_OTHERS,  /* others are used again, by the same program */
	REUSE_SOMEONE, /* others are, by who knows which program */
	REUSE_THESE,   /* each of these, as often as the others */
};

static bool is_part(uint64_t part, uint64_t of)
{
	return part * 100 >= of * FINDING_LEAST_PERCENT;
}

/* Of several programs at one place one may reuse connections, and another not: what is known of the
 * one that closes goes before the few that carried many. Under TLS one exchange looks like a few. */
static enum reuse reuse_of(const struct finding *f, uint64_t n)
{
	const struct place *p = f->p;
	const struct place_uses *u = &p->by_us;
	bool plain = !finding_is_tls(f) && is_part(u->n[PLACE_ONCE], n); /* none is TLS */
	bool several = finding_of_several(f);
	const struct user *one = several ? finding_who_closes(f) : NULL;
	bool others = one && !is_part(u->n[PLACE_MANY], n);
	bool here = (!others && u->n[PLACE_MANY]) ||
		    (plain && u->n[PLACE_FEW] && is_part(u->n[PLACE_FEW], n));
	bool many = one ? one->reused_many : p->reused_many;
	bool some = one ? one->reused : p->reused;

	if (nearly_all(u->alike, n) && nearly_all(u->n[PLACE_MANY], n))
		return REUSE_THESE;
	if (here || many || (plain && some))
		return several && !one ? REUSE_SOMEONE : REUSE_OTHERS;
	return plain ? REUSE_NONE : REUSE_HIDDEN;
}

static void add_reuse(struct text *t, enum reuse reuse, const struct place_uses *u)
{
	switch (reuse) {
	case REUSE_NONE:
		text_add(t,
			u->n[PLACE_PIECES]
				? "none is known to have been used for a second exchange."
			: u->n[PLACE_FEW] || u->n[PLACE_MANY]
				? "hardly any was used for a second exchange."
				: "none was used for a second exchange.");
		break;
	case REUSE_HIDDEN:
		text_add(t, "each carried some segments of data: a few exchanges, one in "
			    "pieces, or TLS's handshake and one.");
		break;
	case REUSE_OTHERS:
		text_add(t, "others are used again: the pool has no room for these.");
		break;
	case REUSE_SOMEONE:
		text_add(t,
			"others are used again, by which of the programs is not told.");
		break;
	case REUSE_THESE:
		text_addf(t, "each had carried about %u exchanges by then.",
			(unsigned)u->alike_uses);
		break;
	}
}

/* Right after an answer, by this side: what tells a missing keep-alive from a pool without
 * room is that other connections are used again. */
static void closed_by_us(struct finding *f)
{
	const struct place_uses *u = &f->p->by_us;
	uint64_t n = uses_sum(u);
	enum reuse reuse = reuse_of(f, n);
	struct text t;
	struct cause *c;

	if (ends_with_server(f))
		return;
	/* A connection that was used many times has done its work; only a crowd of them asks
	 * for more room. */
	if (n - u->n[PLACE_MANY] < FINDING_LEAST &&
		finding_level(f, CAUSE_ID_POOL_SMALL, n) == LEVEL_NOTE)
		return;
	c = finding_begin(f,
		reuse == REUSE_OTHERS ? CAUSE_ID_POOL_SMALL
		: reuse == REUSE_NONE ? CAUSE_ID_NO_REUSE
				      : CAUSE_ID_CLOSED_HERE,
		n, &t);
	if (!c)
		return;
	text_add(&t, "closed by this side right after an answer; ");
	add_reuse(&t, reuse, u);
	finding_end(c, &t);
}

/* All within a moment, and not for having been idle for one time, nor others at another time. */
static bool closed_all(const struct finding *f)
{
	const struct place *p = f->p;
	const struct place_span *s = &p->by_peer_used;
	uint64_t used = uses_sum(&p->by_peer) - p->by_peer.n[PLACE_ONCE];
	struct cluster times[CLUSTERS_MAX];

	return !p->reset_idle && s->n >= FINDING_LEAST && s->last - s->first <= AT_ONCE &&
	       nearly_all(s->n, p->count[CLOSE_PEER][WHY_IDLE] +
					p->count[CLOSE_PEER][WHY_UNKNOWN] + used) &&
	       !ages_clusters(&p->peer_idle, f->scratch, times);
}

/* What this side closed of these takes its ports. */
static void closed_after_one(struct finding *f)
{
	uint32_t peer = f->p->by_peer.n[PLACE_ONCE];
	uint32_t us = ends_with_server(f) ? f->p->by_us.n[PLACE_ONCE] : 0;
	struct text t;
	struct cause *c = finding_begin_as(f, CAUSE_ID_PEER_EACH,
		us ? finding_level(f, CAUSE_ID_NO_REUSE, us) : LEVEL_NOTE, peer + us, &t);

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
	finding_end(c, &t);
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
	c = finding_begin(f, CAUSE_ID_PEER_AFTER, u->alike, &t);
	if (!c)
		return;
	text_addf(&t, "closed by the server, each after about %u exchanges.",
		(unsigned)u->alike_uses);
	finding_end(c, &t);
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
	uint64_t said = finding_is_tls(f) ? p->idle_goodbye : 0;
	const struct ages *ages = said > p->peer_idle.n ? &p->goodbye : &p->peer_idle;
	struct cluster times[CLUSTERS_MAX];
	struct text t;
	struct cause *c;

	if (closed_all(f)) {
		finding_tell(f, CAUSE_ID_PEER_ENDED, p->by_peer_used.n,
			"closed by the server within a moment: it ended or was started anew, or "
			"closes its connections all at once",
			NULL);
		return;
	}
	c = finding_begin(
		f, CAUSE_ID_PEER_IDLE, by_peer(p, WHY_IDLE) + p->reset_idle + said, &t);
	if (!c)
		return;
	text_add(&t, "closed by the server while idle");
	if (ages == &p->peer_idle && ages_clusters(ages, f->scratch, times))
		text_add(&t, ", noticed");
	finding_add_times(f, &t, ages);
	if (p->peer_idle_once >= FINDING_LEAST &&
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
	finding_end(c, &t);
}

/* Under TLS a first call that is given up looks idle: the server's last word was a ticket. */
static void silent(struct finding *f)
{
	const struct place *p = f->p;
	uint64_t few = finding_is_tls(f) ? p->idle_few : 0;

	if (few)
		finding_tell(f, CAUSE_ID_SILENT, few + place_local(p, WHY_SILENCE),
			"closed by this side after a silence: idle, or, as TLS does not show, "
			"a first call given up",
			&p->idle);
	else
		finding_tell(f, CAUSE_ID_SILENT, place_local(p, WHY_SILENCE),
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

static void reset_by_peer(struct finding *f)
{
	const struct place_span *seen = &f->p->reset_seen;
	uint64_t unanswered = f->p->reset_unanswered, n = resets(f);
	struct text t;
	struct cause *c = finding_begin(f, CAUSE_ID_PEER_RESETS, n, &t);

	if (!c)
		return;
	text_add(&t, "reset by the server, or given up by the kernel");
	if (unanswered) {
		text_add(&t, "; ");
		text_add_count(&t, unanswered);
		text_add(&t,
			" of them before it had said a word, as a full server may do");
	} else if (!may_be_tls(f) && nearly_all(seen->n, n) &&
		   seen->last - seen->first <= AT_ONCE) {
		text_add(&t, ", within a moment, as where it ends or is started anew");
	}
	text_add_char(&t, '.');
	finding_end(c, &t);
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

/* Calls open as their program ended are not its manner. */
static struct cause *begin_unanswered(
	struct finding *f, enum cause_id id, uint64_t n, struct text *t)
{
	uint64_t ended = f->p->gave_up_ended;

	return ended && nearly_all(ended, n) ? finding_begin_as(f, id, LEVEL_NOTE, n, t)
					     : finding_begin(f, id, n, t);
}

static void add_ended(struct text *t, uint64_t ended)
{
	if (!ended)
		return;
	text_add(t, ", ");
	text_add_count(t, ended);
	text_add(t, " of them as their program ended");
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
	c = begin_unanswered(f, CAUSE_ID_GAVE_UP, sure, &t);
	if (!c)
		return;
	text_add(&t, "closed by this side without an answer: given up");
	finding_add_times(f, &t, &p->gave_up);
	add_ended(&t, p->gave_up_ended);
	if (open) {
		text_add(&t, "; ");
		text_add_count(&t, open);
		text_add(&t, " more ended after the same time, idle or given up");
	}
	text_add_char(&t, '.');
	finding_end(c, &t);
}

/* One side's goodbye met the other's close: under TLS all that ends is alike. */
static void ended_under_tls(struct finding *f)
{
	if (finding_is_tls(f))
		finding_tell(f, CAUSE_ID_TLS_ENDED,
			f->p->reset_goodbye + f->p->reset_recent,
			"reset by the server not long after its last words: its way to close, "
			"or, as TLS does not show, a refusal",
			NULL);
}

static void failed_connects(struct finding *f)
{
	const struct place *p = f->p;
	struct text t;
	struct cause *c = finding_begin_connects(
		f, CAUSE_ID_CONNECT_REFUSED, p->connects_refused, &t);

	if (c) {
		text_add(&t,
			"failed: refused at once, as where nobody listens or a firewall says so.");
		finding_end(c, &t);
	}
	c = finding_begin_connects(
		f, CAUSE_ID_CONNECT_UNANSWERED, p->connects_unanswered, &t);
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
	finding_end(c, &t);
}

static void not_reached(struct finding *f)
{
	finding_tell(f, CAUSE_ID_NOT_REACHED, f->p->reset_resent,
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
	struct cause *c = finding_begin(f, CAUSE_ID_REFUSED, n, &t);

	if (!c)
		return;
	text_add(&t,
		"answered and at once closed or reset by the server, which had not read or did "
		"not read on: refused.");
	add_open(f, &t);
	finding_end(c, &t);
}

/* A greeting that is left unread is a probe's, and a reset after the one answer some servers'
 * way to close: neither is a refusal unless others are, or the server says so. */
static void refused(struct finding *f)
{
	const struct place *p = f->p;
	bool said = says_so(f);
	uint64_t sure = of_all(p, WHY_REFUSED) - (said ? 0 : p->greeted);

	if (said || finding_matters(sure, p->total))
		surely_refused(f, sure + p->reset_answered);
	else
		finding_tell(f, CAUSE_ID_RESET_ANSWERED, p->reset_answered,
			"reset by the server right after its answer: refused, or its way to "
			"close",
			NULL);
	if (!said)
		finding_tell(f, CAUSE_ID_GREETED, p->greeted,
			"reset by this side, which had asked nothing and left the server's "
			"first words unread",
			NULL);
}

void proofs_outgoing(struct finding *f)
{
	const struct place *p = f->p;

	refused(f);
	failed_connects(f);
	gave_up(f);
	closed_by_us(f);
	finding_tell(f, CAUSE_ID_UNREAD,
		of_all(p, WHY_UNREAD) - p->unread_goodbye - p->unread_ended,
		"reset by this side, which closed them with bytes unread (under TLS a session "
		"ticket is enough: then these are calls given up)",
		&p->unread);
	finding_tell(f, CAUSE_ID_PEER_DROPS, by_peer(p, WHY_NO_ANSWER),
		"closed by the server with a question unanswered", &p->peer_left);
	reset_by_peer(f);
	not_reached(f);
	ended_under_tls(f);
	idle_at_peer(f);
	if (!finding_has(f, CAUSE_ID_GAVE_UP) || !as_given_up(f, &p->silent))
		silent(f);
	closed_by_peer(f);
}

static void drops_callers(struct finding *f)
{
	struct text t;
	struct cause *c = begin_unanswered(
		f, CAUSE_ID_SERVER_DROPS, place_local(f->p, WHY_NO_ANSWER), &t);

	if (!c)
		return;
	text_add(&t, "closed by this side with a question unanswered");
	finding_add_times(f, &t, &f->p->gave_up);
	add_ended(&t, f->p->gave_up_ended);
	text_add_char(&t, '.');
	finding_end(c, &t);
}

void proofs_accepted(struct finding *f)
{
	const struct place *p = f->p;
	uint32_t once_us = p->by_us.n[PLACE_ONCE], once_them = p->by_peer.n[PLACE_ONCE];

	finding_tell(f, CAUSE_ID_SERVER_FULL, of_all(p, WHY_REFUSED),
		"answered and closed here before anything was read: refused", NULL);
	finding_tell(f, CAUSE_ID_CALLERS_LEAVE, by_peer(p, WHY_NO_ANSWER) + p->reset_left,
		"left by the caller without an answer", &p->peer_left);
	drops_callers(f);
	not_reached(f);
	if (nearly_all(once_us, uses_sum(&p->by_us)))
		finding_tell(f, CAUSE_ID_SERVER_EACH, once_us,
			"closed by this side after one exchange", NULL);
	if (nearly_all(once_them, uses_sum(&p->by_peer)))
		finding_tell(f, CAUSE_ID_CALLERS_EACH, once_them,
			"closed by the caller after one exchange", NULL);
	finding_tell(f, CAUSE_ID_PROBES, by_peer(p, WHY_UNUSED),
		"closed by the caller without a byte either way", NULL);
}

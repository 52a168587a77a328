/* The catalogue of warnings: each is proven by figures of the same report, and says what
 * to do. */
#include "base/units.h"
#include "watch/report.h"

enum {
	TIME_WAIT_MANY = 1000,
	CONNECTS_MANY = 5,
	SENT_AGAIN_MANY = 10,
	WALK_LONG = 10000, /* ports: some 2 ms */
	NEAR_PERCENT = 80, /* of the way to the cliff */
};

const char *warning_level_name(enum warning_level l)
{
	switch (l) {
	case LEVEL_NOTE:
		return "note";
	case LEVEL_WARNING:
		return "warning";
	case LEVEL_CRITICAL:
		break;
	}
	return "critical";
}

static struct warning *add(struct report *r, enum warning_level level, const char *id)
{
	struct warnings *w = &r->warnings;

	if (w->n == WARNINGS_MAX) {
		w->left_out++;
		return NULL;
	}
	w->v[w->n] = (struct warning){ .id = id, .level = level };
	return &w->v[w->n++];
}

/* Takes what `t` holds and frees it. NULL: there was no room. */
static void say(struct warning *w, struct text *t)
{
	if (w)
		snprintf(w->text, sizeof(w->text), "%s", t->ptr ? t->ptr : "");
	text_fini(t);
}

/* "14,300 of 28,232 ports to 10.0.0.2:8080" */
static void add_ports_to(struct text *t, const struct tally_dest *d, uint32_t usable)
{
	text_add_count(t, d->used);
	text_add(t, " of ");
	text_add_count(t, usable);
	text_add(t, " ports to ");
	text_add_end(t, &d->to);
}

uint32_t report_settles_at(const struct tally_dest *d)
{
	return d->fresh_time_wait * (TALLY_TIME_WAIT_S / TALLY_FRESH_S);
}

static uint32_t open_of(const struct tally_dest *d)
{
	return d->by_state[DIAG_ESTABLISHED] + d->by_state[DIAG_SYN_SENT] +
	       d->by_state[DIAG_CLOSE_WAIT];
}

static bool most_are_open(const struct tally_dest *d)
{
	return open_of(d) > d->used / 2;
}

/* What takes most of the ports tells what gives them back. */
static void add_way_back(
	struct text *t, const struct report *r, const struct tally_dest *d)
{
	if (most_are_open(d)) {
		text_add_count(t, open_of(d));
		text_add(t,
			" are taken by connections that are open: have fewer at once, or "
			"more source addresses.");
		return;
	}
	if (d->orphan_fin_wait2 > d->used / 2) {
		text_add_count(t, d->orphan_fin_wait2);
		text_add(t,
			" are orphaned FIN_WAIT2, for up to a minute each: calls given up "
			"that the server has not closed. Make fewer of them; ");
	} else {
		text_add(t, "Reuse connections; ");
	}
	text_add(t, "fewer than ");
	text_add_count(t, r->tally->usable_first / TALLY_TIME_WAIT_S);
	text_add(t, " closes/s by this side stay below half the range.");
}

/* With the orphans of calls that are given up, which take a port as long where the server leaves them
 * open. At most so many: one that the server closes after a while is a fresh TIME_WAIT, too. */
static uint32_t settle_at(const struct tally_dest *d)
{
	return report_settles_at(d) +
	       d->lasting_orphans * (TALLY_TIME_WAIT_S / TALLY_FRESH_S);
}

static void dest_full(struct report *r, const struct tally_dest *d)
{
	struct warning *w = add(r, LEVEL_CRITICAL, "ports-exhausted");
	struct text t;

	text_init(&t);
	add_ports_to(&t, d, r->tally->usable);
	text_add(&t, " are in use, none is left: connect() fails with EADDRNOTAVAIL. ");
	if (!most_are_open(d))
		text_add(&t, "More source addresses help at once. ");
	add_way_back(&t, r, d);
	if (w)
		w->dest = d;
	say(w, &t);
}

/* Of going by all ports of one parity, each of which is taken. */
static const char *walk_cost(const struct report *r)
{
	return r->tally->usable_first >= WALK_LONG ? "milliseconds of CPU" : "CPU";
}

static void dest_cliff(struct report *r, const struct tally_dest *d)
{
	struct warning *w = add(r, LEVEL_CRITICAL, "connect-cliff");
	struct text t;

	text_init(&t);
	add_ports_to(&t, d, r->tally->usable);
	text_add(&t, " are in use: past half, each connect() walks ");
	text_add_count(&t, r->tally->usable_first);
	text_addf(&t, " taken ports first and costs %s. ", walk_cost(r));
	add_way_back(&t, r, d);
	if (w)
		w->dest = d;
	say(w, &t);
}

static void dest_near(struct report *r, const struct tally_dest *d)
{
	struct warning *w = add(r, LEVEL_WARNING, "near-cliff");
	struct text t;

	text_init(&t);
	add_ports_to(&t, d, r->tally->usable);
	text_add(&t, " are in use; ");
	text_add_count(&t, d->cliff_left);
	text_addf(&t, " more and each connect() costs %s (the cliff at half the range).",
		walk_cost(r));
	if (w)
		w->dest = d;
	say(w, &t);
}

static void dest_heading(struct report *r, const struct tally_dest *d)
{
	struct warning *w = add(r, LEVEL_WARNING, "heading-for-cliff");
	struct text t;

	text_init(&t);
	text_addf(&t, "%.1f closes/s to ", d->fresh_time_wait / (double)TALLY_FRESH_S);
	text_add_end(&t, &d->to);
	text_add(&t, " in the last 10 s");
	if (d->lasting_orphans)
		text_addf(&t,
			", and %.1f calls/s given up that it had not closed 10 s later: kept "
			"up, TIME_WAIT and orphaned FIN_WAIT2 settle at up to ",
			d->lasting_orphans / (double)TALLY_FRESH_S);
	else
		text_add(&t, ": kept up, TIME_WAIT settles at ");
	text_add_count(&t, settle_at(d));
	text_add(&t, ", past the connect cliff at ");
	text_add_count(&t, r->tally->usable_first);
	text_add(&t, " ports.");
	if (w)
		w->dest = d;
	say(w, &t);
}

static void dest_unanswered(struct report *r, const struct tally_dest *d)
{
	struct warning *w = add(r, LEVEL_WARNING, "connects-unanswered");
	struct text t;

	text_init(&t);
	text_add_count(&t, d->unanswered);
	text_add(&t, d->unanswered == 1 ? " connect to " : " connects to ");
	text_add_end(&t, &d->to);
	text_add(&t, d->unanswered == 1
			     ? " has had no answer, and its SYN was sent again: "
			     : " have had no answer, and their SYNs were sent again: ");
	text_add(&t,
		"a server drops SYNs while its backlog is full (`weir watch` there says "
		"so); so does a firewall.");
	if (w)
		w->dest = d;
	say(w, &t);
}

static void warn_dests(struct report *r)
{
	const struct tally *tally = r->tally;

	for (uint32_t i = 0; i < tally->n_dests; i++) {
		const struct tally_dest *d = &tally->dests[i];
		uint64_t way = (tally->usable_first - d->cliff_left) * (uint64_t)100;

		if (d->unanswered)
			dest_unanswered(r, d);
		if (!d->used)
			continue;
		if (d->left == 0)
			dest_full(r, d);
		else if (d->cliff_left == 0)
			dest_cliff(r, d);
		else if (way >= tally->usable_first * (uint64_t)NEAR_PERCENT)
			dest_near(r, d);
		else if (!d->reuse && settle_at(d) >= tally->usable_first)
			dest_heading(r, d);
	}
}

static void warn_fin_wait2(struct report *r)
{
	uint32_t orphans = 0, time_wait = 0;
	uint32_t in = r->tally->side[SIDE_IN].orphan_fin_wait2;
	struct text t;

	for (int side = 0; side < SIDE_COUNT; side++) {
		orphans += r->tally->side[side].orphan_fin_wait2;
		time_wait += r->tally->side[side].by_state[DIAG_TIME_WAIT];
	}
	if (!orphans)
		return;
	text_init(&t);
	text_add_count(&t, orphans);
	text_add(&t,
		" sockets are orphaned FIN_WAIT2: closed here, and the peer has not closed (");
	text_add(&t,
		in == orphans
			? "a server that closes on callers who do not look leaves this"
		: in ? "a call given up leaves this; so does a server that closes on "
		       "callers who do not look"
		     : "a call given up leaves this");
	text_add(&t, "). `ss -s` and /proc/net/sockstat count them as TIME_WAIT");
	if (r->counters->sockstat_tw) {
		text_add(&t, ": they say ");
		text_add_count(&t, r->counters->sockstat_tw);
		text_add(&t, ", in truth there are ");
		text_add_count(&t, time_wait);
	}
	text_add_char(&t, '.');
	say(add(r, LEVEL_NOTE, "fin-wait2-counted-as-time-wait"), &t);
}

static uint32_t close_wait_of(const struct tally *t)
{
	uint32_t n = 0;

	for (int side = 0; side < SIDE_COUNT; side++)
		n += t->side[side].by_state[DIAG_CLOSE_WAIT];
	return n;
}

static void add_close_wait_holder(struct text *t, const struct owners *o)
{
	const struct owner *most = NULL;

	for (uint32_t i = 0; o && i < o->n; i++) {
		if (!most || o->v[i].close_wait > most->close_wait)
			most = &o->v[i];
	}
	if (!most || !most->close_wait)
		return;
	text_addf(t, " %s (%d) holds ", most->comm, (int)most->pid);
	text_add_count(t, most->close_wait);
	text_add(t, " of them.");
}

/* The destination of more than half of them; NULL: there is none. */
static const struct tally_dest *most_close_wait(const struct tally *t, uint32_t n)
{
	for (uint32_t i = 0; i < t->n_dests; i++) {
		if (t->dests[i].by_state[DIAG_CLOSE_WAIT] > n / 2)
			return &t->dests[i];
	}
	return NULL;
}

/* A busy program has some on their way to close at any moment. */
static void warn_close_wait(struct report *r)
{
	uint32_t n = close_wait_of(r->tally), old = r->aged ? r->aged->close_wait : 0;
	bool many = n >= REPORT_CLOSE_WAIT_MANY;
	const struct tally_dest *to = most_close_wait(r->tally, n);
	struct text t;

	if (!many && old < AGED_CLOSE_WAIT_MIN)
		return;
	text_init(&t);
	text_add_count(&t, n);
	text_add(&t, " sockets are in CLOSE_WAIT: the peer has hung up, the program here "
		     "has not closed.");
	if (!many)
		text_addf(&t,
			" %u have been so for a second or more: forgotten, or in a pool "
			"that has not looked.",
			(unsigned)old);
	else if (old >= REPORT_CLOSE_WAIT_MANY)
		text_add(&t,
			to ? " It forgets to close, or keeps them in a pool that has "
			     "not looked: a call on one is lost."
			   : " It works on answers nobody waits for, or forgets to close.");
	else if (r->aged)
		text_addf(&t, " All but %u have been so for less than a second.",
			(unsigned)old);
	if (to) {
		text_add(&t, " Most were opened to ");
		text_add_end(&t, &to->to);
		text_add_char(&t, '.');
	}
	add_close_wait_holder(&t, r->owners);
	say(add(r, old >= REPORT_CLOSE_WAIT_MANY ? LEVEL_WARNING : LEVEL_NOTE,
		    "close-wait"),
		&t);
}

/* " (most in one of python3 (4711), 10.0.0.1:40000 to 10.0.0.2:8080)" */
static void add_one(struct text *t, const struct report *r, const struct diag_sock *s)
{
	const struct owner *w = r->owners ? owners_find(r->owners, s->inode) : NULL;

	text_add(t, " (most in one of ");
	if (w)
		text_addf(t, "%s (%d), ", w->comm, (int)w->pid);
	text_add_end(t, &s->local);
	text_add(t, " to ");
	text_add_end(t, &s->remote);
	text_add_char(t, ')');
}

static void warn_stalled(struct report *r)
{
	const struct aged_part *unread = &r->aged->unread, *untaken = &r->aged->untaken;
	struct text t;

	if (unread->n >= AGED_UNREAD_MIN) {
		text_init(&t);
		text_add_count(&t, unread->n);
		text_add(&t, " connections hold ");
		text_add_count(&t, unread->bytes);
		text_add(&t,
			" bytes that the program here has not read for a second or more");
		add_one(&t, r, &unread->one);
		text_add(&t, ": it is busy elsewhere, or has forgotten them.");
		say(add(r, LEVEL_WARNING, "not-reading"), &t);
	}
	if (untaken->n) {
		text_init(&t);
		text_add_count(&t, untaken->n);
		text_add(&t,
			untaken->n == 1 ? " connection holds " : " connections hold ");
		text_add_count(&t, untaken->bytes);
		text_add(&t, " bytes that the peer has not taken for a second or more");
		add_one(&t, r, &untaken->one);
		text_add(&t, ": its window is closed, the program there does not read.");
		say(add(r, untaken->n >= AGED_UNREAD_MIN ? LEVEL_WARNING : LEVEL_NOTE,
			    "window-closed"),
			&t);
	}
}

static void add_acceptor(struct text *t, const struct owner *w)
{
	if (w)
		text_addf(t, "%s (%d)", w->comm, (int)w->pid);
	else
		text_add(t, "The program here");
	text_add(t,
		" accepts too slowly: see whether it is busy, stopped or out of descriptors; a "
		"larger backlog (listen(), net.core.somaxconn) only helps over bursts.");
}

static void warn_listeners(struct report *r)
{
	for (uint32_t i = 0; i < r->tally->n_listeners; i++) {
		const struct snap_listener *l = &r->tally->listeners[i].l;
		struct text t;

		if (l->waiting <= l->backlog)
			continue;
		text_init(&t);
		text_add_count(&t, l->waiting);
		text_add(&t, " connections wait to be accepted at ");
		text_add_end(&t, &l->at);
		text_add(&t, ", whose backlog is ");
		text_add_count(&t, l->backlog);
		text_add(&t, ": new ones are dropped, and come again after 1 s. ");
		add_acceptor(&t, r->owners ? owners_find(r->owners, l->inode) : NULL);
		say(add(r, LEVEL_CRITICAL, "backlog-full"), &t);
	}
}

/* Growth of a counter in this interval, or since the namespace began. */
static void warn_counter(
	struct report *r, uint64_t now, uint64_t before, const char *id, const char *what)
{
	struct text t;

	if (now <= before)
		return;
	text_init(&t);
	text_add_count(&t, now - before);
	text_addf(&t, " %s %s.", what,
		r->before ? "in this interval" : "since this namespace began");
	say(add(r, r->before ? LEVEL_WARNING : LEVEL_NOTE, id), &t);
}

/* Of those long ago nobody wants to know, and one or two are a program that looks whether
 * somebody is there. The kernel counts callers' too, which a scan of ports leaves half open:
 * more than were begun here are not all ours. */
static void warn_connects(struct report *r)
{
	const struct diag_counters *now = r->counters, *was = r->before;
	uint64_t n = was ? now->attempt_fails - was->attempt_fails : 0;
	bool ours = was && now->active_opens - was->active_opens >= n;
	struct text t;

	if (!n)
		return;
	text_init(&t);
	text_add_count(&t, n);
	text_add(&t, n == 1 ? " connect" : " connects");
	text_add(&t,
		", made here or by callers, failed in this interval: refused, as where "
		"nobody listens or a firewall says so, or broken off before the connection "
		"was open.");
	say(add(r, ours && n >= CONNECTS_MANY ? LEVEL_WARNING : LEVEL_NOTE,
		    "connects-failed"),
		&t);
}

/* A few on the way are any network's, and a probe goes when an acknowledgement is a little late. Some
 * probes carry what is new and are no segment sent again: without all of them it is a least count. */
static void warn_sent_again(struct report *r)
{
	const struct diag_counters *now = r->counters, *was = r->before;
	uint64_t again = was ? now->retrans_segs - was->retrans_segs : 0;
	uint64_t probes = was ? now->loss_probes - was->loss_probes : 0;
	uint64_t n = again > probes ? again - probes : 0;
	uint64_t of = was ? now->out_segs - was->out_segs : 0;
	struct text t;

	if (n < SENT_AGAIN_MANY || n * 100 < of)
		return;
	text_init(&t);
	text_add(&t, "At least ");
	text_add_count(&t, n);
	text_add(&t,
		" segments were sent again in this interval (probes left out), beside ");
	text_add_count(&t, of);
	text_add(&t,
		" sent for the first time: lost on the way, or not acknowledged in time.");
	say(add(r, LEVEL_WARNING, "sent-again"), &t);
}

static void warn_no_route(struct report *r)
{
	uint64_t n = r->before ? r->counters->out_no_routes - r->before->out_no_routes
			       : 0;
	struct text t;

	if (!n)
		return;
	text_init(&t);
	text_add_count(&t, n);
	text_add(&t, n == 1 ? " connect or packet" : " connects or packets");
	text_add(&t, " found no route in this interval (IPv4): see `ip route`.");
	say(add(r, n >= CONNECTS_MANY ? LEVEL_WARNING : LEVEL_NOTE, "no-route"), &t);
}

/* A full backlog drops the acknowledgements of callers that are heard, and the answers to their SYNs
 * go again. Whether any is full; of those half open, the ones at its port: of several listeners that
 * are alike (SO_REUSEPORT) the first has the counts. */
static bool find_full(const struct tally *t, uint32_t *half_open)
{
	bool any = false;

	*half_open = 0;
	for (uint32_t i = 0, next; i < t->n_listeners; i = next) {
		uint32_t n = 0;
		bool full = false;

		for (next = i; next < t->n_listeners; next++) {
			const struct tally_listener *l = &t->listeners[next];

			if (l->l.at.port != t->listeners[i].l.at.port)
				break;
			n += l->half_open;
			full |= l->l.waiting > l->l.backlog;
		}
		any |= full;
		*half_open += full ? n : 0;
	}
	return any;
}

/* One or two are a caller that went. A backlog that was full a moment ago, and is no longer, may have
 * left those of any listener. */
static void warn_half_open(struct report *r)
{
	bool overflows = r->before &&
			 r->counters->listen_overflows > r->before->listen_overflows;
	uint32_t n = 0, at_full;
	struct text t;

	if (!find_full(r->tally, &at_full) && overflows)
		return;
	for (int side = 0; side < SIDE_COUNT; side++)
		n += r->tally->side[side].half_open;
	n -= at_full;
	if (n < CONNECTS_MANY)
		return;
	text_init(&t);
	text_add_count(&t, n);
	text_add(&t, " connections are half open (SYN_RECV");
	text_add(&t, at_full ? "; those at a full backlog left out" : "");
	text_add(&t,
		"): their SYN was answered more than once, and the caller is not heard: "
		"packets are lost on the way to it, or its address is not its own, as in a "
		"flood of SYNs. Or (TCP_DEFER_ACCEPT) it has said nothing yet.");
	say(add(r, LEVEL_WARNING, "half-open"), &t);
}

static void warn_counters(struct report *r)
{
	static const struct diag_counters zero;
	const struct diag_counters *now = r->counters;
	const struct diag_counters *was = r->before ? r->before : &zero;

	warn_connects(r);
	warn_sent_again(r);
	warn_no_route(r);
	warn_counter(r, now->listen_overflows, was->listen_overflows, "listen-overflows",
		"times a connection or its SYN was dropped because a listener's backlog was "
		"full (each attempt counts)");
	warn_counter(r, now->tw_overflow, was->tw_overflow, "time-wait-overflow",
		"closes left no TIME_WAIT because tcp_max_tw_buckets was reached");
}

static void warn_side(struct report *r)
{
	uint32_t in = r->tally->side[SIDE_IN].by_state[DIAG_TIME_WAIT];
	uint32_t out = r->tally->side[SIDE_OUT].by_state[DIAG_TIME_WAIT];
	struct text t;

	if (in < TIME_WAIT_MANY || in < out)
		return;
	text_init(&t);
	text_add_count(&t, in);
	text_add(&t, " of ");
	text_add_count(&t, in + out);
	text_add(&t, " TIME_WAIT are on ports that listen here: they take no port from "
		     "outgoing connections.");
	say(add(r, LEVEL_NOTE, "time-wait-of-listeners"), &t);
}

static void warn_dump(struct report *r)
{
	struct text t;

	if (r->dump->whole)
		return;
	text_init(&t);
	text_add(&t,
		"the kernel's table changed while it was read, in each try: the figures "
		"may be off by a few.");
	say(add(r, LEVEL_NOTE, "dump-interrupted"), &t);
}

static int worst_first(const void *a, const void *b)
{
	const struct warning *x = a, *y = b;

	return (int)y->level - (int)x->level;
}

void report_warn(struct report *r)
{
	struct warnings *w = &r->warnings;

	w->n = w->left_out = 0;
	warn_listeners(r);
	warn_dests(r);
	warn_half_open(r);
	warn_close_wait(r);
	if (r->aged)
		warn_stalled(r);
	warn_counters(r);
	warn_fin_wait2(r);
	warn_side(r);
	warn_dump(r);
	if (w->n)
		qsort(w->v, w->n, sizeof(w->v[0]), worst_first);
}

#include "attr/tally.h"

/* A listener's port of the ephemeral range stays `in` this long after it stopped: as long
 * as FIN_WAIT2 and then TIME_WAIT can outlive it. */
#define REMEMBER_FOR (120 * NS_S)

static const char *const side_names[SIDE_COUNT] = {
	[SIDE_IN] = "in",
	[SIDE_OUT] = "out",
	[SIDE_UNSURE] = "unsure",
};

static const char *const first_names[FIRST_COUNT] = {
	[FIRST_OPEN] = "open",
	[FIRST_LOCAL] = "local",
	[FIRST_LOCAL_OR_BOTH] = "local-or-both",
	[FIRST_PEER] = "peer",
	[FIRST_BOTH] = "both",
};

const char *tally_side_name(enum tally_side_id side)
{
	CHECK(side < SIDE_COUNT);
	return side_names[side];
}

const char *tally_first_name(enum tally_first f)
{
	CHECK(f < FIRST_COUNT);
	return first_names[f];
}

enum tally_first tally_first_of(enum diag_state state)
{
	switch (state) {
	case DIAG_FIN_WAIT1:
	case DIAG_FIN_WAIT2:
		return FIRST_LOCAL;
	case DIAG_TIME_WAIT:
		return FIRST_LOCAL_OR_BOTH;
	case DIAG_CLOSE_WAIT:
	case DIAG_LAST_ACK:
		return FIRST_PEER;
	case DIAG_CLOSING:
		return FIRST_BOTH;
	case DIAG_ESTABLISHED:
	case DIAG_SYN_SENT:
	case DIAG_SYN_RECV:
	case DIAG_UNKNOWN:
	case DIAG_CLOSE:
	case DIAG_LISTEN:
	case DIAG_STATE_COUNT:
		break;
	}
	return FIRST_OPEN;
}

/* The states of a side that sent its FIN before it had the other's. Both ends in one of
 * them: both closed at once. */
static bool closed_by_itself(enum diag_state s)
{
	return s == DIAG_FIN_WAIT1 || s == DIAG_FIN_WAIT2 || s == DIAG_TIME_WAIT ||
	       s == DIAG_CLOSING;
}

static bool closed_by_peer(enum diag_state s)
{
	return s == DIAG_CLOSE_WAIT || s == DIAG_LAST_ACK;
}

/* What the host of the other end says. False: that host is not this one. */
static bool join(
	const struct snap_sock *sock, const struct snap *other, enum tally_first *first)
{
	const struct snap_sock *mirror = snap_find_mirror(other, sock);
	enum diag_state there;

	if (!mirror) {
		/* Its end is gone already: it was the one that waited for nothing. */
		if (!snap_has_ip(other, &sock->remote))
			return false;
		if (sock->state == DIAG_TIME_WAIT)
			*first = FIRST_LOCAL;
		return true;
	}
	there = (enum diag_state)mirror->state;
	if (closed_by_itself(there))
		*first = FIRST_BOTH;
	else if (closed_by_peer(there))
		*first = FIRST_LOCAL;
	/* Else the dumps are of different times: nothing is proven. */
	return true;
}

enum tally_first tally_first_joined(const struct snap_sock *sock, const struct snap *own,
	const struct tally_peers *peers)
{
	enum diag_state state = (enum diag_state)sock->state;
	enum tally_first first = tally_first_of(state);

	if (!closed_by_itself(state) || first == FIRST_BOTH)
		return first;
	if (join(sock, own, &first))
		return first;
	for (uint32_t i = 0; peers && i < peers->n; i++) {
		if (join(sock, peers->snaps[i], &first))
			return first;
	}
	return first;
}

/* Ports that listen, or did. */

static void port_learn(struct tally *t, uint16_t port, ns_t now)
{
	if (t->port_at[port]) {
		t->ports[t->port_at[port] - 1].last = now;
		return;
	}
	if (t->n_ports == t->cap_ports) {
		t->cap_ports = t->cap_ports ? t->cap_ports * 2 : 16;
		t->ports = mem_realloc(t->ports, t->cap_ports * sizeof(*t->ports));
	}
	t->ports[t->n_ports++] = (struct tally_port){ port, now };
	t->port_at[port] = (uint16_t)
				   t->n_ports; /* at most 65,535: port 0 never listens */
}

enum tally_side_id tally_side_of(const struct tally *t, const struct diag_ports *ports,
	const struct diag_end *local, ns_t now)
{
	bool ephemeral = diag_ports_has(ports, local->port);
	uint16_t at = t->port_at[local->port];

	if (at && (!ephemeral || now - t->ports[at - 1].last <= REMEMBER_FOR))
		return SIDE_IN;
	return ephemeral ? SIDE_OUT : SIDE_UNSURE;
}

/* Listeners. */

static int by_port(const void *a, const void *b)
{
	const struct tally_listener *x = a, *y = b;

	if (x->l.at.port != y->l.at.port)
		return x->l.at.port < y->l.at.port ? -1 : 1;
	return memcmp(x->l.at.ip, y->l.at.ip, sizeof(x->l.at.ip));
}

static void listeners_take(struct tally *t, const struct snap *snap, ns_t now)
{
	if (t->cap_listeners < snap->n_listeners) {
		t->cap_listeners = snap->n_listeners;
		t->listeners = mem_realloc(
			t->listeners, t->cap_listeners * sizeof(*t->listeners));
	}
	t->n_listeners = snap->n_listeners;
	for (uint32_t i = 0; i < snap->n_listeners; i++) {
		t->listeners[i] = (struct tally_listener){ .l = snap->listeners[i] };
		if (snap->listeners[i].at.port)
			port_learn(t, snap->listeners[i].at.port, now);
	}
	if (t->n_listeners)
		qsort(t->listeners, t->n_listeners, sizeof(*t->listeners), by_port);
}

static uint32_t first_at_port(const struct tally *t, uint16_t port)
{
	uint32_t low = 0, high = t->n_listeners;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (t->listeners[mid].l.at.port < port)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The listener a connection came by: one bound to its very address before one bound to
 * any. With SO_REUSEPORT there may be several alike; the first stands for all. */
static struct tally_listener *listener_of(struct tally *t, const struct diag_end *local)
{
	struct tally_listener *found = NULL;

	for (uint32_t i = first_at_port(t, local->port); i < t->n_listeners; i++) {
		struct tally_listener *l = &t->listeners[i];
		if (l->l.at.port != local->port)
			break;
		if (diag_ip_eq(&l->l.at, local))
			return l;
		if (!found && diag_ip_is_any(&l->l.at))
			found = l;
	}
	return found;
}

/* Destinations. */

static void index_put(struct tally *t, uint32_t dest)
{
	const struct tally_dest *d = &t->dests[dest];
	uint32_t i = (uint32_t)snap_hash(&d->from, &d->to) & (t->cap_index - 1);

	while (t->index[i])
		i = (i + 1) & (t->cap_index - 1);
	t->index[i] = dest + 1;
}

static void dests_grow(struct tally *t)
{
	t->cap_dests = t->cap_dests ? t->cap_dests * 2 : 64;
	t->dests = mem_realloc(t->dests, t->cap_dests * sizeof(*t->dests));
	t->cap_index = t->cap_dests * 2;
	mem_free(t->index);
	t->index = mem_zalloc(t->cap_index * sizeof(*t->index));
	for (uint32_t i = 0; i < t->n_dests; i++)
		index_put(t, i);
}

static struct tally_dest *dest_of(struct tally *t, const struct snap_sock *s)
{
	struct diag_end from = s->local;
	uint32_t i;

	from.port = 0;
	if (t->n_dests == t->cap_dests)
		dests_grow(t);
	i = (uint32_t)snap_hash(&from, &s->remote) & (t->cap_index - 1);
	for (; t->index[i]; i = (i + 1) & (t->cap_index - 1)) {
		struct tally_dest *d = &t->dests[t->index[i] - 1];
		if (diag_end_eq(&d->to, &s->remote) && diag_ip_eq(&d->from, &from))
			return d;
	}
	t->dests[t->n_dests] = (struct tally_dest){ .from = from, .to = s->remote };
	t->index[i] = ++t->n_dests;
	return &t->dests[t->n_dests - 1];
}

static int by_use(const void *a, const void *b)
{
	const struct tally_dest *x = a, *y = b;
	int order;

	if (x->total != y->total)
		return x->total > y->total ? -1 : 1;
	order = memcmp(x->to.ip, y->to.ip, sizeof(x->to.ip));
	if (order)
		return order;
	if (x->to.port != y->to.port)
		return x->to.port < y->to.port ? -1 : 1;
	return memcmp(x->from.ip, y->from.ip, sizeof(x->from.ip));
}

/* Ports of the range that listen: connect() passes over them. */
static void ports_held(const struct tally *t, const struct diag_ports *ports,
	uint32_t *held, uint32_t *held_first)
{
	*held = *held_first = 0;
	for (uint32_t i = 0; i < t->n_listeners; i++) {
		uint16_t port = t->listeners[i].l.at.port;
		if (i && t->listeners[i - 1].l.at.port == port)
			continue;
		if (!diag_ports_has(ports, port))
			continue;
		++*held;
		*held_first += port % 2 == ports->low % 2;
	}
}

static uint32_t minus(uint32_t a, uint32_t b)
{
	return a > b ? a - b : 0;
}

static void dests_finish(struct tally *t, const struct diag_ports *ports)
{
	uint32_t held, held_first;

	ports_held(t, ports, &held, &held_first);
	t->usable = minus(ports->usable, held);
	t->usable_first = minus(ports->usable_first, held_first);
	for (uint32_t i = 0; i < t->n_dests; i++) {
		struct tally_dest *d = &t->dests[i];
		d->left = minus(t->usable, d->used - d->reusable);
		d->cliff_left = minus(t->usable_first, d->used_first - d->reusable_first);
	}
	if (t->n_dests)
		qsort(t->dests, t->n_dests, sizeof(*t->dests), by_use);
}

/* Counting. */

/* How many spans of TALLY_FRESH_S ago it closed: 0: in the last. */
static uint32_t spans_ago(const struct snap_sock *s)
{
	uint32_t for_ms = TALLY_TIME_WAIT_S * 1000;

	return s->expires_ms < for_ms ? (for_ms - s->expires_ms) / (TALLY_FRESH_S * 1000)
				      : 0;
}

static bool is_fresh(const struct snap_sock *s)
{
	return s->state == DIAG_TIME_WAIT && spans_ago(s) == 0;
}

static bool is_orphan(const struct snap_sock *s)
{
	return s->state == DIAG_FIN_WAIT2 && s->orphan;
}

static bool reuses(const struct snap_sock *s, const struct diag_ports *ports)
{
	switch (ports->reuse) {
	case DIAG_REUSE_ALL:
		return true;
	case DIAG_REUSE_LOOPBACK:
		return diag_ip_is_loopback(&s->local) || diag_ip_is_loopback(&s->remote);
	case DIAG_REUSE_NONE:
		break;
	}
	return false;
}

static bool has_waited(const struct snap_sock *s, uint32_t ms)
{
	return s->state == DIAG_TIME_WAIT &&
	       s->expires_ms + (uint64_t)ms <= TALLY_TIME_WAIT_S * 1000;
}

static bool is_half_open(const struct snap_sock *s)
{
	return s->state == DIAG_SYN_RECV && s->resent > 0;
}

static void count_out(struct tally *t, const struct snap_sock *s, enum tally_first first,
	const struct diag_ports *ports)
{
	struct tally_dest *d = dest_of(t, s);
	bool first_parity = s->local.port % 2 == ports->low % 2;

	d->total++;
	d->by_state[s->state]++;
	d->by_first[first]++;
	d->orphan_fin_wait2 += is_orphan(s);
	d->fresh_time_wait += is_fresh(s);
	d->lasting_orphans += is_orphan(s) && spans_ago(s) == 1;
	d->unanswered += s->state == DIAG_SYN_SENT && s->resent > 0;
	d->reuse = reuses(s, ports);
	if (diag_ports_has(ports, s->local.port)) {
		bool again = d->reuse && has_waited(s, ports->reuse_after_ms);

		d->used++;
		d->used_first += first_parity;
		d->reusable += again;
		d->reusable_first += again && first_parity;
	}
}

static void count_in(struct tally *t, const struct snap_sock *s)
{
	struct tally_listener *l = listener_of(t, &s->local);

	if (l) {
		l->total++;
		l->by_state[s->state]++;
		l->half_open += is_half_open(s);
	}
}

static void count_side(
	struct tally_side *side, const struct snap_sock *s, enum tally_first first)
{
	side->total++;
	side->by_state[s->state]++;
	side->by_first[first]++;
	side->state_first[s->state][first]++;
	side->orphan_fin_wait2 += is_orphan(s);
	side->fresh_time_wait += is_fresh(s);
	side->half_open += is_half_open(s);
}

void tally_init(struct tally *t)
{
	*t = (struct tally){ 0 };
	t->port_at = mem_zalloc((UINT16_MAX + 1) * sizeof(*t->port_at));
}

void tally_fini(struct tally *t)
{
	mem_free(t->dests);
	mem_free(t->listeners);
	mem_free(t->ports);
	mem_free(t->port_at);
	mem_free(t->index);
	*t = (struct tally){ 0 };
}

void tally_make(struct tally *t, const struct snap *snap, const struct diag_ports *ports,
	const struct tally_peers *peers, ns_t now)
{
	const struct snap_sock *s;
	uint32_t i = 0;

	memset(t->side, 0, sizeof(t->side));
	t->n_dests = 0;
	if (t->cap_index)
		memset(t->index, 0, t->cap_index * sizeof(*t->index));
	listeners_take(t, snap, now);
	while ((s = snap_next(snap, &i))) {
		enum tally_first first = tally_first_joined(s, snap, peers);
		enum tally_side_id side = tally_side_of(t, ports, &s->local, now);

		count_side(&t->side[side], s, first);
		if (side == SIDE_OUT)
			count_out(t, s, first, ports);
		else if (side == SIDE_IN)
			count_in(t, s);
	}
	dests_finish(t, ports);
}

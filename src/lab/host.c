#include "lab/host.h"

#include "lab/plan.h"

/* Records read in one go: those of 10,000 closes a second, twenty times a second. */
#define DEATHS_AT_ONCE 1024

const char *lab_host_name(enum lab_host_id id)
{
	switch (id) {
	case LAB_CLIENT:
		return "client";
	case LAB_MIDDLE:
		return "middleware";
	case LAB_SERVER:
		return "server";
	case LAB_HOSTS:
		break;
	}
	return "?";
}

/* Inside the host's namespace: what is opened here belongs to it. */
static bool open_watchers(struct lab_host *h, struct problem *p)
{
	h->diag = diag_open(p);
	if (!h->diag)
		return false;
	if (h->id == LAB_MIDDLE) {
		h->deaths = diag_deaths_open(p);
		if (!h->deaths)
			return false;
	}
	if (!diag_net_open(&h->files, p))
		return false;
	enum err e = diag_net_ports(&h->files, &h->ports);
	return e == ERR_OK ||
	       problem_set(p, "cannot read the port range: %s", err_text(e));
}

static bool host_init(struct lab_host *h, enum lab_host_id id, struct problem *p)
{
	struct netns_visit v;
	h->id = id;
	h->net = NETNS_NONE;
	h->files = (struct diag_net){ -1, -1, -1, -1, -1 };
	snap_init(&h->snap);
	tally_init(&h->tally);
	if (!netns_init(&h->net, p) || !netns_visit(&v, &h->net, p))
		return false;
	bool ok = open_watchers(h, p);
	netns_return(&v);
	return ok;
}

static void host_fini(struct lab_host *h)
{
	diag_free(&h->diag);
	diag_deaths_free(&h->deaths);
	diag_net_close(&h->files);
	snap_fini(&h->snap);
	tally_fini(&h->tally);
	netns_fini(&h->net);
}

/* One wire: `near` end on this host, its peer on the neighbour. */
static bool join(struct rtnl *here, struct rtnl *there, const struct netns *far_net,
	const char *const ends[2], const char *const ips[2], struct problem *p)
{
	return rtnl_veth(here, ends[0], ends[1], far_net, p) &&
	       rtnl_addr(here, ends[0], ips[0], LAB_PREFIX, p) &&
	       rtnl_addr(there, ends[1], ips[1], LAB_PREFIX, p) &&
	       rtnl_up(here, ends[0], p) && rtnl_up(there, ends[1], p);
}

static bool wire(struct lab_hosts *h, struct problem *p)
{
	struct rtnl *r[LAB_HOSTS] = { 0 };
	bool ok = true;
	for (int i = 0; ok && i < LAB_HOSTS; i++) {
		r[i] = rtnl_new(&h->at[i].net, p);
		ok = r[i] && rtnl_up(r[i], "lo", p);
	}
	ok = ok &&
	     join(r[LAB_CLIENT], r[LAB_MIDDLE], &h->at[LAB_MIDDLE].net,
		     (const char *const[]){ "out", "in" },
		     (const char *const[]){ LAB_CLIENT_IP, LAB_MIDDLE_IP_IN }, p) &&
	     join(r[LAB_MIDDLE], r[LAB_SERVER], &h->at[LAB_SERVER].net,
		     (const char *const[]){ "out", "in" },
		     (const char *const[]){ LAB_MIDDLE_IP_OUT, LAB_SERVER_IP_1 }, p) &&
	     rtnl_addr(r[LAB_SERVER], "in", LAB_SERVER_IP_2, LAB_PREFIX, p);
	for (int i = 0; i < LAB_HOSTS; i++)
		rtnl_free(&r[i]);
	return ok;
}

static enum diag_state state_of(
	struct diag *d, const struct diag_end *local, const struct diag_end *remote)
{
	struct diag_sock s;
	return diag_find(d, local, remote, &s) == ERR_OK ? s.state : DIAG_UNKNOWN;
}

static void on_death(struct diag_visitor *v, const struct diag_sock *s)
{
	struct lab_hosts *h = CONTAINER_OF(v, struct lab_hosts, on_death);
	struct lab_host *m = &h->at[LAB_MIDDLE];
	enum tally_side_id side = tally_side_of(&m->tally, &m->ports, &s->local, h->now);
	struct lab_host *far = &h->at[side == SIDE_IN ? LAB_CLIENT : LAB_SERVER];
	struct close_found found = {
		.own = state_of(m->diag, &s->local, &s->remote),
		.mirror_in_sight = true,
		.mirror = state_of(far->diag, &s->remote, &s->local),
	};
	closes_death(&h->closes, s, side, &found);
}

bool lab_hosts_init(struct lab_hosts *h, struct problem *p)
{
	struct diag_counters c;
	bool ok = true;
	closes_init(&h->closes);
	h->on_death.on_sock = on_death;
	for (int i = 0; i < LAB_HOSTS; i++)
		ok = host_init(&h->at[i], i, p) && ok;
	ok = ok && wire(h, p);
	if (ok && diag_net_counters(&h->at[LAB_MIDDLE].files, &c) == ERR_OK)
		closes_counters(&h->closes, &c);
	if (!ok)
		lab_hosts_fini(h);
	return ok;
}

void lab_hosts_fini(struct lab_hosts *h)
{
	for (int i = 0; i < LAB_HOSTS; i++)
		host_fini(&h->at[i]);
	closes_fini(&h->closes);
}

enum err lab_host_count(struct lab_host *h, ns_t now)
{
	struct diag_report report;
	snap_reset(&h->snap);
	enum err e = diag_dump(h->diag, &(struct diag_ask){ .states = DIAG_ALL_STATES },
		&h->snap.visitor, &report);
	if (e == ERR_OK)
		tally_make(&h->tally, &h->snap, &h->ports, NULL, now);
	return e;
}

void lab_hosts_read_deaths(struct lab_hosts *h, ns_t now)
{
	h->now = now;
	/* ERR_AGAIN is the usual end; anything else loses records, which are counted. */
	enum err e = diag_deaths_read(
		h->at[LAB_MIDDLE].deaths, &h->on_death, DEATHS_AT_ONCE);
	(void)e;
}

bool lab_host_listens(struct lab_host *h, const struct diag_end *at, bool *reachable)
{
	struct diag_report report;
	bool found = false;
	*reachable = false;
	snap_reset(&h->snap);
	if (diag_dump(h->diag, &(struct diag_ask){ .states = DIAG_BIT(DIAG_LISTEN) },
		    &h->snap.visitor, &report) != ERR_OK)
		return false;
	for (uint32_t i = 0; i < h->snap.n_listeners; i++) {
		const struct diag_end *l = &h->snap.listeners[i].at;
		if (l->port != at->port)
			continue;
		found = true;
		if (diag_ip_is_any(l) || diag_ip_eq(l, at))
			*reachable = true;
	}
	return found;
}

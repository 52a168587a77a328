#include "lab/host.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "io/rtnl.h"
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

/* The host whose namespace it is in. */
static const struct lab_host *home_of(const struct lab_hosts *h, enum lab_host_id id)
{
	return &h->at[h->one_host ? LAB_MIDDLE : id];
}

const struct netns *lab_hosts_net(const struct lab_hosts *h, enum lab_host_id id)
{
	return &home_of(h, id)->net;
}

/* --- making them --- */

/* Inside the host's namespace: what is opened here belongs to it. */
static bool open_watchers(struct lab_hosts *all, struct lab_host *h, struct problem *p)
{
	h->diag = diag_open(p);
	if (!h->diag)
		return false;
	if (h->id == LAB_MIDDLE) {
		all->deaths = diag_deaths_open(p);
		if (!all->deaths)
			return false;
	}
	if (!diag_net_open(&h->files, p))
		return false;
	enum err e = diag_net_ports(&h->files, &h->ports);
	return e == ERR_OK ||
	       problem_set(p, "cannot read the port range: %s", err_text(e));
}

/* Inside the host's namespace. */
static bool set_sysctl(const struct lab_pair *s, struct problem *p)
{
	struct text path;
	size_t len = strlen(s->value);
	text_init(&path);
	text_addf(&path, "/proc/sys/%s", s->name);
	for (char *at = strchr(path.ptr, '.'); at; at = strchr(at, '.'))
		*at = '/';
	int fd = open(path.ptr, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, s->value, len) == (ssize_t)len;
	if (!ok)
		problem_set(p, "cannot set %s to '%s': %s", s->name, s->value,
			strerror(errno));
	if (fd >= 0)
		close(fd);
	text_fini(&path);
	return ok;
}

static bool set_sysctls(const struct lab_pairs *all, struct problem *p)
{
	for (uint32_t i = 0; i < all->n; i++) {
		if (!set_sysctl(&all->v[i], p))
			return false;
	}
	return true;
}

static bool host_init(struct lab_hosts *all, enum lab_host_id id,
	const struct lab_case *c, struct problem *p)
{
	struct lab_host *h = &all->at[id];
	struct netns_visit v;
	h->id = id;
	h->net = NETNS_NONE;
	h->files = DIAG_NET_NONE;
	snap_init(&h->snap);
	tally_init(&h->tally);
	if (all->one_host && id != LAB_MIDDLE)
		return true;
	if (!netns_init(&h->net, p) || !netns_visit(&v, &h->net, p))
		return false;
	bool ok = (id != LAB_MIDDLE || set_sysctls(&c->sysctls, p)) &&
		  open_watchers(all, h, p);
	netns_return(&v);
	return ok;
}

static void host_fini(struct lab_host *h)
{
	diag_free(&h->diag);
	diag_net_close(&h->files);
	snap_fini(&h->snap);
	tally_fini(&h->tally);
	netns_fini(&h->net);
}

/* Both ends of one wire, so that a round trip takes twice as long. */
static void delay(struct lab_hosts *h, struct rtnl *const ends[2],
	const char *const names[2], ns_t by)
{
	struct problem why = { "" };
	if (!by || h->note)
		return;
	for (int i = 0; i < 2 && !h->note; i++) {
		if (rtnl_delay(ends[i], names[i], by, &why))
			continue;
		h->note = text_format(
			"links have no delay: %s; the kernel must have netem "
			"(CONFIG_NET_SCH_NETEM)",
			why.text);
	}
}

/* One wire between two hosts. */
struct cable {
	enum lab_host_id near, far;
	const char *near_ip, *far_ip;
	ns_t delay;
};

static bool join(struct lab_hosts *h, struct rtnl *const r[LAB_HOSTS],
	const struct cable *w, struct problem *p)
{
	static const char *const ends[] = { "out", "in" };
	struct rtnl *here = r[w->near], *there = r[w->far];
	bool ok = rtnl_veth(here, ends[0], ends[1], &h->at[w->far].net, p) &&
		  rtnl_addr(here, ends[0], w->near_ip, LAB_PREFIX, p) &&
		  rtnl_addr(there, ends[1], w->far_ip, LAB_PREFIX, p) &&
		  rtnl_up(here, ends[0], p) && rtnl_up(there, ends[1], p);
	if (ok)
		delay(h, (struct rtnl *const[]){ here, there }, ends, w->delay);
	return ok;
}

static bool wire_three(struct lab_hosts *h, struct rtnl *const r[LAB_HOSTS],
	const struct lab_case *c, struct problem *p)
{
	char ip[LAB_IP_BYTES];
	lab_server_ip(c, 0, ip);
	const struct cable wires[] = {
		{ LAB_CLIENT, LAB_MIDDLE, LAB_CLIENT_IP, LAB_MIDDLE_IP_IN,
			c->delay_callers },
		{ LAB_MIDDLE, LAB_SERVER, LAB_MIDDLE_IP_OUT, ip, c->delay_server },
	};
	bool ok = true;
	for (size_t i = 0; ok && i < ARRAY_LEN(wires); i++)
		ok = join(h, r, &wires[i], p);
	for (uint32_t i = 1; ok && i < c->server.addresses; i++) {
		lab_server_ip(c, i, ip);
		ok = rtnl_addr(r[LAB_SERVER], "in", ip, LAB_PREFIX, p);
	}
	return ok;
}

static bool wire(struct lab_hosts *h, const struct lab_case *c, struct problem *p)
{
	struct rtnl *r[LAB_HOSTS] = { 0 };
	bool ok = true;
	for (int i = 0; ok && i < LAB_HOSTS; i++) {
		if (home_of(h, i) != &h->at[i])
			continue;
		r[i] = rtnl_new(&h->at[i].net, p);
		ok = r[i] && rtnl_up(r[i], "lo", p);
	}
	if (ok && h->one_host && (c->delay_callers || c->delay_server))
		h->note = mem_strdup("links have no delay: all are on one host");
	ok = ok && (h->one_host || wire_three(h, r, c, p));
	for (int i = 0; i < LAB_HOSTS; i++)
		rtnl_free(&r[i]);
	return ok;
}

/* --- whose socket --- */

/* Of sockets that share a namespace. */
static enum lab_host_id owner_of(
	const struct diag_end *local, const struct diag_end *remote)
{
	if (local->port == LAB_MIDDLE_PORT)
		return LAB_MIDDLE;
	if (local->port == LAB_SERVER_PORT)
		return LAB_SERVER;
	if (remote->port == LAB_MIDDLE_PORT)
		return LAB_CLIENT;
	return remote->port == LAB_SERVER_PORT ? LAB_MIDDLE : LAB_HOSTS;
}

static void on_sock(struct diag_visitor *v, const struct diag_sock *s)
{
	struct lab_hosts *h = CONTAINER_OF(v, struct lab_hosts, on_sock);
	enum lab_host_id id = owner_of(&s->local, &s->remote);
	if (id != LAB_HOSTS)
		snap_add(&h->at[id].snap, s);
}

static void on_restart(struct diag_visitor *v)
{
	struct lab_hosts *h = CONTAINER_OF(v, struct lab_hosts, on_sock);
	for (int i = 0; i < LAB_HOSTS; i++)
		snap_reset(&h->at[i].snap);
}

/* --- closes --- */

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
	if (h->one_host && owner_of(&s->local, &s->remote) != LAB_MIDDLE)
		return;
	enum tally_side_id side = tally_side_of(&m->tally, &m->ports, &s->local, h->now);
	const struct lab_host *far = home_of(
		h, side == SIDE_IN ? LAB_CLIENT : LAB_SERVER);
	struct close_found found = {
		.own = state_of(m->diag, &s->local, &s->remote),
		.mirror_in_sight = true,
		.mirror = state_of(far->diag, &s->remote, &s->local),
	};
	if (found.mirror == DIAG_UNKNOWN) /* a program in the middle that calls another */
		found.mirror = state_of(m->diag, &s->remote, &s->local);
	closes_death(&h->closes, s, side, &found);
}

void lab_hosts_read_deaths(struct lab_hosts *h, ns_t now)
{
	h->now = now;
	/* ERR_AGAIN is the usual end; anything else loses records, which are counted. */
	enum err e = diag_deaths_read(h->deaths, &h->on_death, DEATHS_AT_ONCE);
	(void)e;
}

/* --- life --- */

bool lab_hosts_init(struct lab_hosts *h, const struct lab_case *c, struct problem *p)
{
	struct diag_counters counters;
	bool ok = true;
	h->one_host = c->one_host;
	closes_init(&h->closes);
	h->on_death.on_sock = on_death;
	h->on_sock.on_sock = on_sock;
	h->on_sock.on_restart = on_restart;
	for (int i = 0; i < LAB_HOSTS; i++)
		ok = host_init(h, i, c, p) && ok;
	ok = ok && wire(h, c, p);
	if (ok && lab_hosts_counters(h, LAB_MIDDLE, &counters) == ERR_OK)
		closes_counters(&h->closes, &counters);
	if (!ok)
		lab_hosts_fini(h);
	return ok;
}

void lab_hosts_leave(struct lab_hosts *h)
{
	diag_deaths_free(&h->deaths);
	for (int i = 0; i < LAB_HOSTS; i++)
		host_fini(&h->at[i]);
}

void lab_hosts_fini(struct lab_hosts *h)
{
	lab_hosts_leave(h);
	closes_fini(&h->closes);
	mem_free(h->note);
	h->note = NULL;
}

/* --- counting --- */

static bool dump(struct lab_host *h, uint32_t states, struct diag_visitor *v)
{
	struct diag_report report;
	return diag_dump(h->diag, &(struct diag_ask){ .states = states }, v, &report) ==
	       ERR_OK;
}

/* Into the snaps. */
static void dump_all(struct lab_hosts *h)
{
	for (int i = 0; i < LAB_HOSTS; i++)
		snap_reset(&h->at[i].snap);
	if (h->one_host) {
		bool ok = dump(&h->at[LAB_MIDDLE], DIAG_ALL_STATES, &h->on_sock);
		for (int i = 0; i < LAB_HOSTS; i++)
			h->at[i].counted = ok;
		return;
	}
	for (int i = 0; i < LAB_HOSTS; i++)
		h->at[i].counted = dump(
			&h->at[i], DIAG_ALL_STATES, &h->at[i].snap.visitor);
}

bool lab_hosts_count(struct lab_hosts *h, ns_t now)
{
	bool ok = true;
	dump_all(h);
	for (int i = 0; i < LAB_HOSTS; i++) {
		const struct snap *others[LAB_HOSTS];
		uint32_t n = 0;
		for (int k = 0; k < LAB_HOSTS; k++) {
			if (k != i && h->at[k].counted)
				others[n++] = &h->at[k].snap;
		}
		if (h->at[i].counted)
			tally_make(&h->at[i].tally, &h->at[i].snap, &home_of(h, i)->ports,
				&(struct tally_peers){ others, n }, now);
		ok = ok && h->at[i].counted;
	}
	return ok;
}

enum err lab_hosts_counters(
	const struct lab_hosts *h, enum lab_host_id id, struct diag_counters *out)
{
	return diag_net_counters(&home_of(h, id)->files, out);
}

bool lab_hosts_listens(struct lab_hosts *h, enum lab_host_id id,
	const struct diag_end *at, bool *reachable)
{
	struct lab_host *home = &h->at[h->one_host ? LAB_MIDDLE : id];
	bool found = false;
	*reachable = false;
	snap_reset(&home->snap);
	if (!dump(home, DIAG_BIT(DIAG_LISTEN), &home->snap.visitor))
		return false;
	for (uint32_t i = 0; i < home->snap.n_listeners; i++) {
		const struct diag_end *l = &home->snap.listeners[i].at;
		if (l->port != at->port)
			continue;
		found = true;
		if (diag_ip_is_any(l) || diag_ip_eq(l, at))
			*reachable = true;
	}
	return found;
}

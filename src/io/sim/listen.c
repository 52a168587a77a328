#include "io/sim/world.h"

#include <errno.h>

#define BACKLOG_DEFAULT 4096
#define REST_FOR (10 * NS_MS)

static bool same_ip(const struct addr *a, const struct addr *b)
{
	struct addr x = *a, y = *b;

	addr_set_port(&x, 0);
	addr_set_port(&y, 0);
	return addr_eq(&x, &y);
}

static bool is_at(const struct sim_listener *l, const struct addr *at)
{
	const struct addr *own = &l->owner->at;
	return addr_port(own) == addr_port(at) &&
	       (addr_is_any(own) || addr_is_loopback(own) || same_ip(own, at));
}

static struct sim_listener *listener_of(struct list_node *n)
{
	return CONTAINER_OF(n, struct sim_listener, node);
}

struct sim_listener *listener_find(
	const struct sim *sim, const struct io_loop *host, const struct addr *at)
{
	if (addr_is_unix(at)) {
		LIST_EACH (&sim->unix_listeners, n, after) {
			if (addr_eq(&listener_of(n)->owner->at, at))
				return listener_of(n);
		}
		return NULL;
	}
	LIST_EACH (&host->listeners, n, after) {
		if (is_at(listener_of(n), at))
			return listener_of(n);
	}
	return NULL;
}

unsigned listener_ready_bits(const struct sim_listener *l)
{
	return l->accepted.len > 0 && !l->is_resting ? IO_READ : 0;
}

/* One more than asked for fits, as in Linux. Those half open have their place already. */
bool listener_is_full(const struct sim_listener *l)
{
	return l->half_open.len + l->accepted.len > l->backlog;
}

void listener_enqueue(struct sim_listener *l, struct end *e)
{
	conn_claim(e->conn);
	e->waits = true;
	list_push_back(&l->accepted, &e->pending);
	twin_touch(&l->twin);
}

static bool port_conflicts(struct io_loop *host, const struct addr *at)
{
	LIST_EACH (&host->listeners, n, after) {
		struct sim_listener *l = listener_of(n);
		if (addr_port(&l->owner->at) == addr_port(at) &&
			(is_at(l, at) || addr_is_any(at)))
			return true;
	}
	return false;
}

/* Completes `l->at`. Returns an errno, or 0 when it can be had. */
static int choose_addr(struct io_loop *host, struct io_listener *l)
{
	if (!host_has_fd(host))
		return EMFILE;
	if (addr_is_unix(&l->at))
		return listener_find(host->sim, host, &l->at) ? EADDRINUSE : 0;
	struct io_loop *owner = host_find(host->sim, &l->at);
	if (!addr_is_any(&l->at) && owner && owner != host)
		return EADDRNOTAVAIL;
	if (addr_port(&l->at) != 0)
		return port_conflicts(host, &l->at) ? EADDRINUSE : 0;
	do {
		addr_set_port(&l->at, host->next_listen_port++);
	} while (port_conflicts(host, &l->at));
	return 0;
}

static void on_rest_over(struct timer *t)
{
	struct io_listener *owner = CONTAINER_OF(t, struct io_listener, rest);
	struct sim_listener *l = CONTAINER_OF(
		owner->sock.twin, struct sim_listener, twin);

	l->is_resting = false;
	twin_touch(&l->twin);
}

enum err io_listen(struct io_loop *loop, struct io_listener *l, const struct addr *at,
	const struct io_listen_cfg *cfg, struct problem *p)
{
	l->at = *at;
	int errnum = choose_addr(loop, l);
	if (errnum != 0) {
		addr_bind_problem(p, at, errnum);
		return errnum == EADDRNOTAVAIL ? ERR_SOCKET : err_from_errno(errnum);
	}
	struct sim_listener *sl = mem_zalloc(sizeof(*sl));
	sl->owner = l;
	sl->host = loop;
	sl->backlog = cfg && cfg->backlog > 0 ? (uint32_t)cfg->backlog : BACKLOG_DEFAULT;
	sl->twin.is_listener = true;
	list_init(&sl->half_open);
	list_init(&sl->accepted);
	list_push_back(addr_is_unix(at) ? &loop->sim->unix_listeners : &loop->listeners,
		&sl->node);
	twin_attach(&sl->twin, loop, &l->sock);
	l->rest.on_fire = on_rest_over;
	return ERR_OK;
}

/* What is bound apart from a loop is the real one's. */
enum err io_adopt(struct io_loop *loop, struct io_listener *l, struct io_bound *from)
{
	(void)loop, (void)l, (void)from;
	NEVER_HERE();
}

static struct sim_listener *sim_listener_of(const struct io_listener *l)
{
	return CONTAINER_OF(l->sock.twin, struct sim_listener, twin);
}

enum err io_accept(struct io_listener *l, struct io_sock *s, struct addr *peer)
{
	struct sim_listener *sl = sim_listener_of(l);

	if (sl->is_resting)
		return ERR_NO_FDS;
	if (!sl->accepted.len)
		return ERR_AGAIN;
	if (!host_has_fd(sl->host)) {
		sl->is_resting = true;
		io_timer_set(sl->host, &l->rest, sl->host->sim->now + REST_FOR);
		return ERR_NO_FDS;
	}
	struct list_node *n = sl->accepted.head.next;
	struct end *e = CONTAINER_OF(n, struct end, pending);
	list_remove(&sl->accepted, n);
	e->waits = false;
	e->listener = NULL;
	twin_attach(&e->twin, sl->host, s); /* the queue's claim is the owner's now */
	if (peer)
		*peer = e->conn->addrs[0];
	sl->host->accepts++;
	return ERR_OK;
}

/* Here nothing happens between the last accept and the close. */
void io_listener_deafen(struct io_listener *l)
{
	(void)l;
}

/* What nobody has accepted is reset, as Linux does. */
void io_listener_close(struct io_listener *l)
{
	if (!io_is_open(&l->sock))
		return;
	struct sim_listener *sl = sim_listener_of(l);
	struct io_loop *host = sl->host;
	struct list_node *n;

	io_timer_stop(host, &l->rest);
	while ((n = list_pop_front(&sl->half_open)))
		CONTAINER_OF(n, struct end, pending)->listener = NULL;
	while ((n = list_pop_front(&sl->accepted))) {
		struct end *e = CONTAINER_OF(n, struct end, pending);
		e->listener = NULL;
		end_close(e, IO_CLOSE_RESET);
		e->waits = false;
		conn_drop(e->conn);
	}
	list_remove(addr_is_unix(&l->at) ? &host->sim->unix_listeners : &host->listeners,
		&sl->node);
	twin_detach(&sl->twin, host);
	mem_free(sl);
}

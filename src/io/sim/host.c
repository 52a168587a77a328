#include "io/sim/world.h"

#define TURN_COST NS_US /* between two turns of a host: so spinning takes time */

static struct twin *twin_of(struct list_node *n)
{
	return CONTAINER_OF(n, struct twin, ready);
}

static struct io_loop *twin_host(const struct twin *t)
{
	return t->sock->loop;
}

static unsigned twin_due_bits(struct twin *t)
{
	unsigned bits = t->is_listener
				? listener_ready_bits(
					  CONTAINER_OF(t, struct sim_listener, twin))
				: end_ready_bits(CONTAINER_OF(t, struct end, twin));
	return bits & t->sock->wanted;
}

static bool wakes_before(const struct io_loop *a, const struct io_loop *b)
{
	return a->wakes_at != b->wakes_at ? a->wakes_at < b->wakes_at
					  : a->wake_order < b->wake_order;
}

static void place(struct io_loop *host, uint32_t i)
{
	host->sim->wakes[i] = host;
	host->wake_index = i;
}

static void sift_up(struct io_loop *host)
{
	struct io_loop **wakes = host->sim->wakes;
	uint32_t i = host->wake_index;

	for (; i > 0 && wakes_before(host, wakes[(i - 1) / 2]); i = (i - 1) / 2)
		place(wakes[(i - 1) / 2], i);
	place(host, i);
}

static void sift_down(struct io_loop *host)
{
	struct io_loop **wakes = host->sim->wakes;
	uint32_t len = host->sim->hosts.len, i = host->wake_index;

	for (uint32_t c = i * 2 + 1; c < len; c = i * 2 + 1) {
		if (c + 1 < len && wakes_before(wakes[c + 1], wakes[c]))
			c++;
		if (!wakes_before(wakes[c], host))
			break;
		place(wakes[c], i);
		i = c;
	}
	place(host, i);
}

void host_enlist(struct io_loop *host)
{
	struct sim *sim = host->sim;

	list_push_back(&sim->hosts, &host->node);
	sim->wakes = mem_realloc(sim->wakes, sim->hosts.len * sizeof(*sim->wakes));
	host->wakes_at = NS_NEVER;
	place(host, sim->hosts.len - 1);
}

static void set_wake(struct io_loop *host, ns_t at)
{
	host->wakes_at = at;
	host->wake_order = host->sim->queue.order++;
	sift_up(host);
	sift_down(host);
}

static void wake(struct io_loop *host, ns_t at)
{
	if (host->in_turn || at == NS_NEVER) /* the end of the turn looks at everything */
		return;
	at = ns_max(ns_max(at, host->sim->now), host->last_turn + TURN_COST);
	if (at < host->wakes_at)
		set_wake(host, at);
}

void twin_touch(struct twin *t)
{
	if (!t->sock || list_on(&t->ready) || twin_due_bits(t) == 0)
		return;
	struct io_loop *host = twin_host(t);
	list_push_back(&host->ready, &t->ready);
	wake(host, host->sim->now);
}

void twin_attach(struct twin *t, struct io_loop *host, struct io_sock *s)
{
	CHECK(!io_is_open(s));
	t->sock = s;
	s->loop = host;
	s->twin = t;
	s->fd = host->sim->next_fd++;
	s->wanted = s->armed = 0;
	s->connecting = false;
	host->sock_count++;
}

void twin_detach(struct twin *t, struct io_loop *host)
{
	struct io_sock *s = t->sock;

	if (list_on(&t->ready))
		list_remove(&host->ready, &t->ready);
	if (host->current == t)
		host->current = NULL;
	t->sock = NULL;
	s->loop = NULL;
	s->twin = NULL;
	s->fd = -1;
	s->wanted = 0;
	s->connecting = false;
	host->sock_count--;
}

bool host_has_fd(const struct io_loop *host)
{
	uint32_t max = host->sim->cfg.fd_max;
	return max == 0 || host->sock_count < max;
}

static void call_ready(struct io_loop *host)
{
	if (!host->ready.len)
		return;
	list_push_back(&host->ready, &host->round_end);
	for (;;) {
		struct list_node *n = host->ready.head.next;
		list_remove(&host->ready, n);
		if (n == &host->round_end)
			return;
		struct twin *t = twin_of(n);
		unsigned bits = twin_due_bits(t);
		if (bits == 0)
			continue;
		CHECK(t->sock->on_ready);
		host->current = t;
		t->sock->on_ready(t->sock, bits);
		if (host->current == t)
			twin_touch(t); /* level-like: with more to do it comes again */
		host->current = NULL;
	}
}

void host_turn(struct io_loop *host)
{
	ns_t now = host->sim->now;
	ns_t due = wheel_next(host->wheel);

	host->in_turn = true;
	call_ready(host);
	if (due <= now)
		host->lag_max = ns_max(host->lag_max, now - ns_max(due, host->last_turn));
	wheel_run(host->wheel, now);
	turn_run(&host->turn);
	host->in_turn = false;
	host->last_turn = now;
	bool at_once = host->ready.len || turn_has_work(&host->turn);
	ns_t next = at_once ? now : wheel_next(host->wheel);
	set_wake(host, next == NS_NEVER ? next : ns_max(next, now + TURN_COST));
}

struct io_loop *io_loop_new(const struct io_loop_cfg *cfg)
{
	(void)cfg;
	CHECK(!"the simulated world makes the loops: sim_host");
	return NULL;
}

void io_loop_free(struct io_loop **loop)
{
	(void)loop;
	CHECK(!"the simulated world owns the loops: sim_free");
}

void io_loop_run(struct io_loop *loop)
{
	(void)loop;
	CHECK(!"the simulated world runs the loops: sim_run");
}

void io_loop_stop(struct io_loop *loop)
{
	(void)loop;
	CHECK(!"the simulated world runs the loops: sim_run ends by itself");
}

ns_t io_now(const struct io_loop *loop)
{
	return loop->sim->now;
}

ns_t io_clock(struct io_loop *loop)
{
	return loop->sim->now;
}

/* The world began with 2026. */
int64_t io_wall_s(const struct io_loop *loop)
{
	return 1767225600 + loop->sim->now / NS_S;
}

void io_timer_set(struct io_loop *loop, struct timer *t, ns_t at)
{
	wheel_set(loop->wheel, t, at);
	wake(loop, at);
}

void io_timer_stop(struct io_loop *loop, struct timer *t)
{
	wheel_stop(loop->wheel, t);
}

void io_defer(struct io_loop *loop, struct io_defer *d)
{
	turn_defer(&loop->turn, d);
	wake(loop, loop->sim->now);
}

void io_defer_cancel(struct io_loop *loop, struct io_defer *d)
{
	turn_defer_cancel(&loop->turn, d);
}

void io_turn_hook_add(struct io_loop *loop, struct io_turn_hook *h)
{
	turn_hook_add(&loop->turn, h);
}

void io_turn_hook_remove(struct io_loop *loop, struct io_turn_hook *h)
{
	turn_hook_remove(&loop->turn, h);
}

ns_t io_loop_lag_max(const struct io_loop *loop)
{
	return loop->lag_max;
}

void io_loop_lag_reset(struct io_loop *loop)
{
	loop->lag_max = 0;
}

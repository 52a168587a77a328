#include "load/probe.h"

#include "io/sock.h"

#define PROBE_FOR NS_S

struct probe {
	struct io_loop *loop;
	struct io_sock sock;
	struct timer timer;
	bool connected;
};

static sa_family_t family_of(const struct addr *a)
{
	return a->sa.sa_family;
}

static void on_ready(struct io_sock *s, unsigned bits)
{
	struct probe *p = CONTAINER_OF(s, struct probe, sock);
	enum err e = io_connect_result(s);

	(void)bits;
	if (e == ERR_AGAIN)
		return;
	p->connected = e == ERR_OK;
	io_loop_stop(p->loop);
}

static void on_timeout(struct timer *t)
{
	io_loop_stop(CONTAINER_OF(t, struct probe, timer)->loop);
}

static bool takes_connections(const struct addr *a)
{
	struct probe p = { .loop = io_loop_new(NULL), .connected = false };

	p.sock.on_ready = on_ready;
	p.timer.on_fire = on_timeout;
	if (io_connect(p.loop, &p.sock, a, NULL) == ERR_OK) {
		io_want(&p.sock, IO_WRITE);
		io_timer_set(p.loop, &p.timer, io_clock(p.loop) + PROBE_FOR);
		io_loop_run(p.loop);
		io_timer_stop(p.loop, &p.timer);
		io_close(&p.sock, IO_CLOSE_RESET);
	}
	io_loop_free(&p.loop);
	return p.connected;
}

static void keep_family(struct load_plan *plan, sa_family_t family)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < plan->endpoint_count; i++) {
		if (family_of(&plan->endpoints[i]) == family)
			plan->endpoints[kept++] = plan->endpoints[i];
	}
	plan->endpoint_count = kept;
}

void probe_family(struct load_plan *plan)
{
	const struct addr *first = &plan->endpoints[0], *other = NULL;

	for (uint32_t i = 1; i < plan->endpoint_count && !other; i++) {
		if (family_of(&plan->endpoints[i]) != family_of(first))
			other = &plan->endpoints[i];
	}
	if (!other)
		return;
	bool use_other = !takes_connections(first) && takes_connections(other);
	keep_family(plan, family_of(use_other ? other : first));
}

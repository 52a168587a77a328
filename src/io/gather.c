#include "io/gather.h"

void gather_init(struct gather *g, ns_t now)
{
	*g = (struct gather){ .since = now };
}

static bool are_many(uint32_t n, uint32_t a_second, ns_t span)
{
	return (double)n * NS_S >= (double)a_second * (double)span;
}

static void end_window(struct gather *g, ns_t now)
{
	ns_t span = now - g->since;
	if (g->on) {
		g->on = now < g->until &&
			are_many(g->events, GATHER_TURNS * GATHER_FEW, span);
		return;
	}
	g->on = are_many(g->turns, GATHER_TURNS, span) &&
		g->events >= GATHER_FEW * g->turns && g->events < GATHER_MANY * g->turns;
	g->until = ns_add(now, GATHER_FOR);
}

bool gather_turn(struct gather *g, uint32_t events, ns_t now)
{
	g->turns++;
	g->events += events;
	if (now - g->since >= GATHER_WINDOW) {
		end_window(g, now);
		g->since = now;
		g->turns = g->events = 0;
	}
	return g->on;
}

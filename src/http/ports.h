/*
 * ports: how many local ports are taken towards each destination, from each of our addresses,
 * so that a connect is refused before the kernel has to look through all of them in vain
 * (9 ms of CPU a try), and somebody is told while there is time. No clock, no descriptor.
 *
 * WHY     A port is taken by a connection, and for 60 s more (TIME_WAIT, or FIN_WAIT2 without
 *         an owner) by one that we closed first, where the kernel does not reuse it sooner. From half of the range on, connects by the
 *         kernel's usual search cost milliseconds each.
 * MODEL   A way is one (source, destination); who connects there holds it. Other processes'
 *         ports are not known: when the kernel has none although some seem to be left, it
 *         is believed for a second.
 * RULES   1. taken = open + lingering; ports_take fails at the range.
 *         2. A port is given back with whether it lingers.
 * OWNS    ways are the ledger's; one goes when nobody holds it and nothing is taken.
 * CONTEXT any thread: a lock is taken, for connects and closes are rare. `now` is the
 *         caller's, and may be a bit behind another one's.
 * COST    300 bytes a way.
 */
#ifndef WEIR_HTTP_PORTS_H
#define WEIR_HTTP_PORTS_H

#include "base/slice.h"

#define PORTS_LINGER_FOR (60 * NS_S)
#define PORTS_NONE_FOR NS_S

struct ports;
struct ports_way;

struct ports_view {
	const char *name;
	uint32_t open, lingering, range;
};

struct ports_cfg {
	/* Ports the kernel may choose from; 0: not known, nothing is refused */
	uint32_t range;
	/* Until a closed one may be had again, over a wire and over loopback; at most
	 * PORTS_LINGER_FOR. */
	ns_t linger_for, linger_near_for;
	/* Half of the range is taken now, and was not a minute before. Any thread, under the
	 * lock. NULL: nobody is told. */
	void (*on_half)(void *ctx, const struct ports_view *v);
	void *ctx;
};

struct ports *ports_new(const struct ports_cfg *cfg);
void ports_free(struct ports **p); /* CHECKs that nobody holds a way */

/* "10.0.0.1 to 10.0.0.2:443" or the like: who gives the same name has the same way. `near`: it
 * goes over loopback. */
struct ports_way *ports_hold(struct ports *p, struct slice name, bool near);
void ports_unhold(struct ports *p, struct ports_way **way); /* fine with NULL */

/* False: none is left. */
MUST_USE bool ports_take(struct ports *p, struct ports_way *way, ns_t now);
void ports_give(struct ports *p, struct ports_way *way, bool lingers, ns_t now);
/* The kernel has none, whatever we counted; the one that was to be taken is given back. */
void ports_give_none(struct ports *p, struct ports_way *way, ns_t now);
uint32_t ports_left(struct ports *p, struct ports_way *way, ns_t now);
void ports_view(struct ports *p, struct ports_way *way, ns_t now, struct ports_view *out);
/* Each way of which anything is taken. */
void ports_each(struct ports *p, ns_t now,
	void (*fn)(void *ctx, const struct ports_view *v), void *ctx);

#endif

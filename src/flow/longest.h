/*
 * longest: the longest time that something took of late. Pure.
 *
 * MODEL   What was the longest is, for once or twice LONGEST_FOR.
 */
#ifndef WEIR_FLOW_LONGEST_H
#define WEIR_FLOW_LONGEST_H

#include "base/base.h"

#define LONGEST_FOR (3600 * NS_S)

struct longest {
	ns_t lately, before, since;
};

static inline void longest_note(struct longest *l, ns_t took, ns_t now)
{
	if (now - l->since >= LONGEST_FOR) {
		l->before = l->lately;
		l->lately = 0;
		l->since = now;
	}
	l->lately = ns_max(l->lately, took);
}

/* 0: nothing was seen. */
static inline ns_t longest_of(const struct longest *l)
{
	return ns_max(l->lately, l->before);
}

#endif

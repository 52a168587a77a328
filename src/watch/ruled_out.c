#include "watch/ruled_out.h"

#include "base/units.h"

static struct ruled_out *rule_out(struct causes *c, const char *id, struct text *t)
{
	struct ruled_out *o = &c->out[c->n_out++];

	CHECK(c->n_out <= RULED_OUT_MAX);
	o->id = id;
	snprintf(o->text, sizeof(o->text), "%s", t->ptr);
	text_fini(t);
	return o;
}

/* The destination nearest to the cliff is less than half way. */
static void not_ports(struct causes *c, const struct tally *t)
{
	const struct tally_dest *near = NULL;
	uint32_t time_wait = 0;
	struct text text;

	for (uint32_t i = 0; i < t->n_dests; i++) {
		time_wait += t->dests[i].by_state[DIAG_TIME_WAIT];
		if (!near || t->dests[i].cliff_left < near->cliff_left)
			near = &t->dests[i];
	}
	if (!near || near->cliff_left <= t->usable_first / 2)
		return;
	text_init(&text);
	if (time_wait) {
		text_add_count(&text, time_wait);
		text_add(&text, " in TIME_WAIT as a client are harmless so far: ");
	} else {
		text_add(&text, "ports: ");
	}
	text_add(&text, "towards the busiest destination ");
	text_add_count(&text, near->left);
	text_add(&text, " of ");
	text_add_count(&text, t->usable);
	text_add(&text, " ports are left, and ");
	text_add_count(&text, near->cliff_left);
	text_add(&text, " to where connect() gets slow.");
	rule_out(c, time_wait ? "time-wait" : "ports", &text);
}

static void not_counted(struct causes *c, const char *id, bool none, const char *words)
{
	struct text t;

	if (!none)
		return;
	text_init(&t);
	text_add(&t, words);
	rule_out(c, id, &t);
}

static void not_listeners_time_wait(struct causes *c, const struct tally *t)
{
	uint32_t n = t->side[SIDE_IN].by_state[DIAG_TIME_WAIT];
	struct text text;

	if (!n)
		return;
	text_init(&text);
	text_add_count(&text, n);
	text_add(&text,
		" in TIME_WAIT on ports that listen here: they take no port from "
		"connections made here, and callers that come again get through.");
	rule_out(c, "time-wait-of-listeners", &text);
}

void ruled_out_find(struct causes *c, const struct causes_from *from)
{
	const struct diag_counters *now = from->now, *was = from->before;

	not_ports(c, from->tally);
	not_listeners_time_wait(c, from->tally);
	if (!was)
		return;
	not_counted(c, "packet-loss",
		now->retrans_segs == was->retrans_segs &&
			now->active_opens + now->passive_opens >
				was->active_opens + was->passive_opens,
		"packets lost on the way out: none was sent again since the start. Those lost "
		"on the way here their senders see.");
	not_counted(c, "backlog",
		from->tally->n_listeners && now->listen_drops == was->listen_drops &&
			now->listen_overflows == was->listen_overflows &&
			now->passive_opens > was->passive_opens,
		"a full backlog here: no listener dropped a connection since the start.");
	not_counted(c, "kernel-limits",
		now->tw_overflow == was->tw_overflow &&
			now->abort_on_memory == was->abort_on_memory && now->tw > was->tw,
		"the kernel's own limits: tcp_max_tw_buckets and socket memory were not "
		"reached since the start.");
}

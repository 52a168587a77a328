#include "proxy/past.h"

void past_init(struct past *p)
{
	*p = (struct past){ .by_name = { .len = 0 } };
	list_init(&p->sums);
}

void past_fini(struct past *p)
{
	struct list_node *n;
	while ((n = list_pop_front(&p->sums))) {
		struct past_sum *s = CONTAINER_OF(n, struct past_sum, node);
		map_remove(&p->by_name, &s->by_name);
		mem_free(s->name);
		mem_free(s);
	}
	map_fini(&p->by_name);
}

static struct past_sum *sum_of(struct past *p, const char *name)
{
	struct map_node *n = map_get(&p->by_name, name);
	if (n)
		return CONTAINER_OF(n, struct past_sum, by_name);
	struct past_sum *s = mem_zalloc(sizeof(*s));
	s->name = mem_strdup(name);
	list_push_back(&p->sums, &s->node);
	map_put(&p->by_name, &s->by_name, s->name);
	return s;
}

void past_add(struct past *p, const char *name, const struct upstream_stats *s)
{
	struct past_sum *sum = sum_of(p, name);
	upstream_stats_add(&sum->stats, s);
	sum->stats.sockets = 0; /* what is open is no count */
}

void past_merge(struct past *sum, const struct past *p)
{
	LIST_EACH (&p->sums, n, after) {
		const struct past_sum *s = CONTAINER_OF(n, struct past_sum, node);
		past_add(sum, s->name, &s->stats);
	}
}

void upstream_stats_add(struct upstream_stats *sum, const struct upstream_stats *s)
{
	sum->admitted += s->admitted;
	sum->sent += s->sent;
	sum->answered += s->answered;
	sum->failed += s->failed;
	sum->abandoned += s->abandoned;
	sum->drained += s->drained;
	sum->refused += s->refused;
	sum->replayed += s->replayed;
	sum->retried += s->retried;
	sum->requeued += s->requeued;
	sum->stalled += s->stalled;
	sum->hedged += s->hedged;
	sum->hedges_won += s->hedges_won;
	for (int i = 0; i < RETRY_VERDICTS; i++)
		sum->denied[i] += s->denied[i];
	sum->hung_up += s->hung_up;
	sum->connects += s->connects;
	sum->connects_failed += s->connects_failed;
	sum->reused += s->reused;
	sum->reaped += s->reaped;
	sum->yielded += s->yielded;
	sum->aged += s->aged;
	sum->closed_by_peer += s->closed_by_peer;
	sum->closed_reset += s->closed_reset;
	sum->closed_idle += s->closed_idle;
	sum->closed_done += s->closed_done;
	sum->closed_error += s->closed_error;
	sum->rx_bytes += s->rx_bytes;
	sum->tx_bytes += s->tx_bytes;
	sum->sockets += s->sockets;
}

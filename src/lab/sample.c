#include "lab/sample.h"

#include <math.h>

#include "lab/plan.h"

static void take_side(struct lab_sockets *to, const struct tally_side *from)
{
	memcpy(to->by_state, from->by_state, sizeof(to->by_state));
	to->orphan_fin_wait2 = from->orphan_fin_wait2;
}

/* Of what goes out towards the next host. */
static int64_t ports_left(const struct lab_host *h)
{
	uint16_t port = h->id == LAB_CLIENT ? LAB_MIDDLE_PORT : LAB_SERVER_PORT;
	int64_t least = GAUGE_UNKNOWN;
	for (uint32_t i = 0; i < h->tally.n_dests; i++) {
		const struct tally_dest *d = &h->tally.dests[i];
		if (d->to.port == port && (least == GAUGE_UNKNOWN || d->left < least))
			least = d->left;
	}
	return least;
}

static void take_host(struct lab_host_sample *to, const struct lab_host *h)
{
	to->ports_left = GAUGE_UNKNOWN;
	to->known = h->counted;
	if (!h->counted)
		return;
	take_side(&to->side[LAB_IN], &h->tally.side[SIDE_IN]);
	take_side(&to->side[LAB_OUT], &h->tally.side[SIDE_OUT]);
	for (int f = 0; f < FIRST_COUNT; f++)
		to->first[f] = h->tally.side[SIDE_IN].by_first[f] +
			       h->tally.side[SIDE_OUT].by_first[f];
	to->ports_left = h->id == LAB_SERVER ? GAUGE_UNKNOWN : ports_left(h);
}

void lab_sample_hosts(struct lab_sample *s, const struct lab_hosts *h)
{
	static const enum tally_side_id sides[] = { SIDE_IN, SIDE_OUT };
	for (int i = 0; i < LAB_HOSTS; i++) {
		take_host(&s->host[i], &h->at[i]);
		if (lab_hosts_counters(h, i, &s->host[i].counters) != ERR_OK)
			s->host[i].counters = (struct diag_counters){ 0 };
	}
	for (int side = 0; side < LAB_SIDES; side++) {
		for (int f = 0; f < CLOSE_FIRST_COUNT; f++)
			s->closed[side][f] = closes_sum_first(
				&h->closes, sides[side], (enum close_first)f);
		for (int w = 0; w < WHY_COUNT; w++)
			s->closed_why[side][w] = closes_sum_why(
				&h->closes, sides[side], (enum close_why)w);
	}
}

static int64_t gauge(const struct json_doc *doc, const char *path)
{
	int64_t value;
	return doc && json_get_int(doc, path, &value) ? value : GAUGE_UNKNOWN;
}

void lab_sample_server(struct lab_sample *s, const struct json_doc *doc)
{
#define X(field, path) s->server.field = gauge(doc, path);
	LAB_SERVER_GAUGES(X)
#undef X
}

/* As the contract has it, or as weir proxy calls it. */
static double loop_delay_ms(const struct json_doc *doc)
{
	double value;
	if (!doc || (!json_get_real(doc, "loop_delay_ms", &value) &&
			    !json_get_real(doc, "lag_max_ms", &value)))
		return NAN;
	return value;
}

void lab_sample_middle(struct lab_sample *s, const struct json_doc *doc)
{
#define X(field, path) s->middle.field = gauge(doc, path);
	LAB_MIDDLE_GAUGES(X)
#undef X
	s->middle.loop_delay_ms = loop_delay_ms(doc);
}

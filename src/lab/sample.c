#include "lab/sample.h"

void lab_sample_host(struct lab_sample *s, struct lab_host *h, ns_t now)
{
	if (lab_host_count(h, now) != ERR_OK)
		return;
	s->known[h->id] = true;
	for (int side = 0; side < LAB_SIDES; side++) {
		const struct tally_side
			*t = &h->tally.side[side == LAB_IN ? SIDE_IN : SIDE_OUT];
		struct lab_sockets *to = &s->sockets[h->id][side];
		memcpy(to->by_state, t->by_state, sizeof(to->by_state));
		to->orphan_fin_wait2 = t->orphan_fin_wait2;
	}
	if (diag_net_counters(&h->files, &s->counters[h->id]) != ERR_OK)
		s->counters[h->id] = (struct diag_counters){ 0 };
}

/* What a program does not tell stays 0. */
static int64_t gauge(const struct json_doc *doc, const char *path)
{
	int64_t value = 0;
	return json_get_int(doc, path, &value) ? value : 0;
}

void lab_sample_server(struct lab_sample *s, const struct json_doc *doc)
{
	if (!doc)
		return;
	s->server.known = true;
#define X(field, path) s->server.field = gauge(doc, path);
	LAB_SERVER_GAUGES(X)
#undef X
}

void lab_sample_middle(struct lab_sample *s, const struct json_doc *doc)
{
	if (!doc)
		return;
	s->middle.known = true;
#define X(field, path) s->middle.field = gauge(doc, path);
	LAB_MIDDLE_GAUGES(X)
#undef X
}

static void sockets_json(struct json *j, const char *key, const struct lab_sockets *s)
{
	json_object(j, key);
	for (int i = DIAG_ESTABLISHED; i < DIAG_STATE_COUNT; i++) {
		if (s->by_state[i])
			json_int(j, diag_state_name(i), s->by_state[i]);
	}
	if (s->orphan_fin_wait2)
		json_int(j, "orphan_fin_wait2", s->orphan_fin_wait2);
	json_end(j);
}

static void host_json(struct json *j, const struct lab_sample *s, enum lab_host_id id)
{
	const struct diag_counters *c = &s->counters[id];
	if (!s->known[id]) {
		json_null(j, lab_host_name(id));
		return;
	}
	json_object(j, lab_host_name(id));
	sockets_json(j, "in", &s->sockets[id][LAB_IN]);
	sockets_json(j, "out", &s->sockets[id][LAB_OUT]);
	json_object(j, "counters");
	json_int(j, "estab_resets", (int64_t)c->estab_resets);
	json_int(j, "out_rsts", (int64_t)c->out_rsts);
	json_int(j, "tw", (int64_t)c->tw);
	json_int(j, "tw_recycled", (int64_t)c->tw_recycled);
	json_int(j, "tw_overflow", (int64_t)c->tw_overflow);
	json_int(j, "abort_on_close", (int64_t)c->abort_on_close);
	json_int(j, "abort_on_data", (int64_t)c->abort_on_data);
	json_int(j, "listen_overflows", (int64_t)c->listen_overflows);
	json_int(j, "retrans_segs", (int64_t)c->retrans_segs);
	json_end(j);
	json_ms(j, "cpu_ms", s->cpu_for[id]);
	json_end(j);
}

void lab_sample_json(struct json *j, const struct lab_sample *s)
{
	json_object(j, NULL);
	json_ms(j, "t_ms", s->at);
	json_object(j, "hosts");
	for (int i = 0; i < LAB_HOSTS; i++)
		host_json(j, s, i);
	json_end(j);
	if (s->server.known) {
		json_object(j, "server");
#define X(field, path) json_int(j, #field, s->server.field);
		LAB_SERVER_GAUGES(X)
#undef X
		json_end(j);
	} else {
		json_null(j, "server");
	}
	if (s->middle.known) {
		json_object(j, "middleware");
#define X(field, path) json_int(j, #field, s->middle.field);
		LAB_MIDDLE_GAUGES(X)
#undef X
		json_end(j);
	} else {
		json_null(j, "middleware");
	}
	json_end(j);
}

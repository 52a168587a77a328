#include "tests/sim/stage.h"

#define WORDS_MAX 64

void stage_options(
	struct proxy_options *out, char line[STAGE_WORDS_BYTES], const char *options)
{
	static const struct verb verb = { .name = "proxy",
		.opts = proxy_opts,
		.opt_count = PROXY_OPT_COUNT,
		.options_size = sizeof(struct proxy_options) };
	char *words[WORDS_MAX], *save = NULL;
	struct opt_texts rest = { .n = 0 };
	struct problem p = { "" };
	int n = 0;
	snprintf(line, STAGE_WORDS_BYTES, "%s", options);
	for (char *w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save))
		words[n++] = w;
	enum opts_outcome got = opts_parse(&verb, n, words, out, &rest, &p);
	if (got != OPTS_RUN)
		fprintf(stderr, "%s\n", p.text);
	CHECK(got == OPTS_RUN && rest.n == 0);
}

void stage_init(struct stage *s, const struct sim_cfg *sim, const char *options,
	const struct api_cfg *api, const struct crowd_cfg *crowd)
{
	struct problem p = { "" };
	struct addr listen;
	memset(s, 0, sizeof(*s));
	s->sim = sim_new(sim);
	s->crowd_host = sim_host(s->sim, "10.0.0.1");
	s->proxy_host = sim_host(s->sim, "10.0.0.2");
	s->api_host = sim_host(s->sim, "10.0.0.3");
	stage_options(&s->opt, s->words, options);
	proxy_fill_upstream(&s->opt, &s->upstream);
	raw_addr("10.0.0.3:80", &s->upstream.endpoints[0]);
	s->upstream.endpoint_count = 1;
	s->proxy.opt = &s->opt;
	uint32_t servers = s->opt.limit >= OPTS_AUTO ||
					   s->opt.limit_unit == SLOT_UNIT_REQUEST
				   ? 10000
				   : (uint32_t)s->opt.limit;
	proxy_make(&s->proxy, s->proxy_host, &s->upstream, servers);
	raw_addr("10.0.0.2:8080", &listen);
	CHECK(server_listen(s->proxy.server, &listen, &p));
	api_init(&s->api, s->api_host, "10.0.0.3:80", api);
	crowd_init(&s->crowd, s->crowd_host, &listen, crowd);
}

void stage_run(struct stage *s, ns_t until)
{
	(void)sim_run(s->sim, until);
}

const char *stage_leak(const struct stage *s)
{
	const struct proxy *p = &s->proxy;
	const struct {
		const char *name;
		uint64_t value;
	} gauges[] = {
		{ "exchanges", p->exchanges_now },
		{ "forwards", p->forwards.out },
		{ "queue", upstream_queue(p->upstream)->waiting },
		{ "slots used", slots_used(upstream_slots(p->upstream)) },
		{ "slot objects", p->worker.slots.out },
		{ "sockets to the server", upstream_stats(p->upstream)->sockets },
		{ "connections to the server", p->worker.cconns.out },
		{ "connections of clients", p->worker.sconns.out },
		{ "buffers", p->worker.bufs.out },
		{ "heads", p->worker.heads.out },
		{ "slots of the server", s->api.used },
		{ "handlers", s->api.running },
		{ "clients", s->crowd.open },
	};
	for (size_t i = 0; i < ARRAY_LEN(gauges); i++)
		if (gauges[i].value)
			return gauges[i].name;
	return NULL;
}

void stage_fini(struct stage *s)
{
	crowd_fini(&s->crowd);
	proxy_unmake(&s->proxy);
	api_fini(&s->api);
	sim_free(&s->sim);
}
